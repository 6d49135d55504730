// See response_reader.h. Called per read on the hot path; its buffers grow during warm-up and then stay.
#include "bench/engine/response_reader.h"

#include <algorithm>
#include <limits>

#include "core/text.h"
#include "protocol/headers.h"

namespace bench {
namespace {

/// More than any answer to a benchmark's request; what lies beyond is dropped and the answer is then no JSON.
constexpr std::size_t kMaxBodyBytes = 16u << 20;

using Kind = protocol::ResponsePart::Kind;

bool names_sse(std::string_view content_type) {
  // Some gateways send no content type or text/plain with a stream; only a declared document is taken as one.
  for (const std::string_view document : {"application/json", "text/html", "application/problem+json"}) {
    if (core::equals_ignore_case(content_type.substr(0, document.size()), document)) return false;
  }
  return true;
}

}  // namespace

void ResponseReader::start(TimePoint run_start, bool stream) {
  parser_.reset();
  decoder_.reset();
  events_.clear();
  body_.clear();
  problem_.clear();
  served_.clear();
  pod_.clear();
  fingerprint_.clear();
  usage_ = {};
  run_start_ = run_start;
  first_byte_ = first_choice_ = kNever;
  counted_tokens_ = 0;
  stream_ = sse_ = stream;
  done_ = malformed_ = server_error_ = finished_by_length_ = first_choice_exact_ = false;
}

void ResponseReader::on_header(std::string_view name, std::string_view value) {
  if (core::equals_ignore_case(name, "content-type")) {
    sse_ = stream_ && names_sse(value);
  } else if (core::equals_ignore_case(name, protocol::kServedEndpointHeader)) {
    served_.assign(value);
  } else if (core::equals_ignore_case(name, protocol::kInferencePodHeader)) {
    pod_.assign(value);
  }
}

void ResponseReader::on_body(std::string_view bytes, const Arrival& arrival) {
  if (bytes.empty()) return;
  if (first_byte_ == kNever) first_byte_ = arrival.at - run_start_;
  if (!sse_) {
    body_.append(bytes.substr(0, kMaxBodyBytes - std::min(kMaxBodyBytes, body_.size())));
    return;
  }
  const bool ok = parser_.feed(bytes, [&](std::string_view payload) { on_part(decoder_.decode_event(payload), arrival); });
  if (!ok) malformed_ = true;
}

void ResponseReader::on_part(const protocol::ResponsePart& part, const Arrival& arrival) {
  if (done_) return;
  switch (part.kind) {
    case Kind::kDone:
      done_ = true;
      return;
    case Kind::kError:
      server_error_ = true;
      say(part.error_message);
      return;
    case Kind::kMalformed:
      malformed_ = true;
      say("an event of the stream is no JSON of this API");
      return;
    case Kind::kTokens:
    case Kind::kNoTokens:
      break;
  }
  if (part.has_choices && first_choice_ == kNever) {
    first_choice_ = arrival.at - run_start_;
    first_choice_exact_ = arrival.exact;
  }
  if (part.finished_by_length) finished_by_length_ = true;
  if (!part.system_fingerprint.empty()) fingerprint_.assign(part.system_fingerprint);
  take_usage(part.usage);
  if (part.kind == Kind::kTokens) add_token_event(part, arrival);
}

void ResponseReader::take_usage(const protocol::Usage& usage) {
  if (usage.prompt_tokens != kUnknownCount) usage_.prompt_tokens = usage.prompt_tokens;
  if (usage.completion_tokens != kUnknownCount) usage_.completion_tokens = usage.completion_tokens;
  if (usage.cached_tokens != kUnknownCount) usage_.cached_tokens = usage.cached_tokens;
}

void ResponseReader::add_token_event(const protocol::ResponsePart& part, const Arrival& arrival) {
  TokenEvent event;
  event.at = arrival.at - run_start_;
  event.exact = arrival.exact;
  if (part.usage.completion_tokens != kUnknownCount) {
    const std::uint32_t total = part.usage.completion_tokens;
    const std::uint32_t fresh = total > counted_tokens_ ? total - counted_tokens_ : 1;
    event.tokens = static_cast<std::uint16_t>(std::min<std::uint32_t>(fresh, std::numeric_limits<std::uint16_t>::max()));
    counted_tokens_ = std::max(counted_tokens_, total);
  }
  // A read that brought several tokens carries the time of its last byte: the earlier tokens came no later than that.
  if (!events_.empty() && events_.back().at == event.at) events_.back().exact = false;
  events_.push_back(event);
}

Outcome ResponseReader::judge_stream() {
  if (server_error_) return Outcome::kServerError;
  if (malformed_) {
    say("the stream holds an event that is too large");
    return Outcome::kBadResponse;
  }
  if (parser_.has_partial_event()) {
    say("the stream ends in the middle of an event");
    return Outcome::kBadResponse;
  }
  if (!done_) {
    say("the stream ends without [DONE]");
    return Outcome::kBadResponse;
  }
  // A server may spend all its tokens on what decodes to no text, but then usage says so.
  const bool tokens_by_usage = usage_.completion_tokens != protocol::kUnknownCount && usage_.completion_tokens > 0;
  if (events_.empty() && !tokens_by_usage) {
    say("the stream holds no token");
    return Outcome::kBadResponse;
  }
  return Outcome::kOk;
}

Outcome ResponseReader::judge_body() {
  const protocol::ResponsePart part = decoder_.decode_body(body_);
  if (part.kind == Kind::kError) {
    say(part.error_message);
    return Outcome::kServerError;
  }
  if (part.kind == Kind::kMalformed) {
    say("the answer is no JSON of this API");
    return Outcome::kBadResponse;
  }
  if (stream_) {
    say("asked for a stream, got one JSON document");
    return Outcome::kBadResponse;
  }
  take_usage(part.usage);
  finished_by_length_ = part.finished_by_length;
  if (!part.system_fingerprint.empty()) fingerprint_.assign(part.system_fingerprint);
  return Outcome::kOk;
}

Outcome ResponseReader::judge(const TransportEnd& end) {
  if (end.cancelled) return Outcome::kCancelled;
  if (end.timed_out) {
    say("no complete answer within the request's timeout");
    return Outcome::kTimeout;
  }
  if (end.transport_code != 0 || end.http_status == 0) {
    say(end.message);
    return Outcome::kTransportError;
  }
  if (end.http_status < 200 || end.http_status >= 300) {
    if (!body_.empty()) {
      const auto part = decoder_.decode_body(body_);
      if (part.kind == Kind::kError) say(part.error_message);
    }
    return Outcome::kHttpError;
  }
  return sse_ ? judge_stream() : judge_body();
}

void ResponseReader::finish(const TransportEnd& end, bool first_token_is_chunk, RequestRecord& record) {
  record.outcome = judge(end);
  record.http_status = static_cast<std::uint16_t>(std::clamp(end.http_status, 0, 999));
  record.transport_code = static_cast<std::int16_t>(end.transport_code);
  record.first_byte = first_byte_;
  record.first_choice = first_choice_;
  record.prompt_tokens = usage_.prompt_tokens;
  record.cached_tokens = usage_.cached_tokens;
  record.output_tokens = usage_.completion_tokens;
  record.finished_by_length = finished_by_length_;
  record.chunks = static_cast<std::uint32_t>(events_.size());
  if (!events_.empty()) {
    record.first_token = events_.front().at;
    record.last_token = events_.back().at;
    record.first_token_exact = events_.front().exact;
  }
  if (first_token_is_chunk && first_choice_ != kNever) {
    record.first_token = first_choice_;
    record.first_token_exact = first_choice_exact_;
  }
}

std::string_view ResponseReader::observed(ObservedSource& source) const {
  source = !served_.empty()        ? ObservedSource::kServedEndpointHeader
           : !pod_.empty()         ? ObservedSource::kInferencePodHeader
           : !fingerprint_.empty() ? ObservedSource::kSystemFingerprint
                                   : ObservedSource::kNone;
  return !served_.empty() ? served_ : !pod_.empty() ? pod_ : fingerprint_;
}

}  // namespace bench
