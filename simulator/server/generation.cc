#include "simulator/server/generation.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "core/hash.h"
#include "core/text.h"
#include "protocol/headers.h"

namespace simulator {
namespace {

using core::TimePoint;
using core::net::HttpExchange;
using core::net::HttpRequest;
using protocol::Api;

constexpr std::string_view kHtmlPage = "<html><body><h1>It works!</h1></body></html>\n";

std::int64_t unix_seconds() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

std::uint64_t content_length(const HttpRequest& request) {
  const auto value = core::parse_integer(core::net::find_header(request.headers, "content-length"));
  return value && *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
}

bool is_json(const HttpRequest& request) {
  const auto type = core::net::find_header(request.headers, "content-type");
  return core::equals_ignore_case(core::trim(type.substr(0, type.find(';'))), "application/json");
}

std::uint64_t tag_of(std::uint32_t slot, std::uint32_t generation) { return (std::uint64_t{generation} << 32) | slot; }

std::string too_long(std::uint32_t context, std::uint32_t output, std::size_t input) {
  return "This model's maximum context length is " + std::to_string(context) + " tokens. However, you requested " +
         std::to_string(output) + " output tokens and your prompt contains " + std::to_string(input) +
         " input tokens, for a total of " + std::to_string(output + input) +
         " tokens. Please reduce the length of the input prompt or the number of requested output tokens.";
}

}  // namespace

Generation::Generation(core::net::Loop& loop, const ReplicaOptions& options, std::unique_ptr<Engine> engine,
                       HttpMetrics& http)
    : loop_(loop),
      options_(options),
      engine_(std::move(engine)),
      http_(http),
      faults_(options.faults),
      rng_(core::Rng(options.seed).fork("replica-http")),
      timer_(loop, [this](TimePoint) { pump(); }) {
  const core::net::Header pod{protocol::kInferencePodHeader, options.name};
  json_headers_ = {{"Content-Type", "application/json"}, pod};
  stream_headers_ = {{"Content-Type", "text/event-stream; charset=utf-8"}, pod};
  events_.reserve(options.profile.engine.max_num_seqs);
}

void Generation::handle(Api api, HttpExchange& exchange) {
  const std::string_view handler = protocol::path_of(api);
  if (misbehaves(exchange, handler)) return;
  if (free_.empty()) {
    streams_.push_back(std::make_unique<Stream>());
    free_.push_back(static_cast<std::uint32_t>(streams_.size() - 1));
  }
  const std::uint32_t slot = free_.back();
  Stream& stream = *streams_[slot];
  Refusal refusal;
  if (!prepare(api, exchange.request(), stream, refusal)) {
    answer_now(exchange, handler, refusal.status, refusal.body);
    return;
  }
  free_.pop_back();
  stream.exchange = &exchange;
  const StreamRef ref{slot, stream.generation};
  exchange.on_gone = [this, ref] {
    if (Stream* gone = find(ref)) {
      if (gone->submitted) aborts_.push_back(gone->engine_id);
      ended(ref, gone->response_started ? 200 : 500, 0);
      rearm();
    }
  };
  arrivals_.push(stream.received + options_.network_delay / 2 + options_.profile.fixed) = ref;
  rearm();
}

bool Generation::misbehaves(HttpExchange& exchange, std::string_view handler) {
  ++requests_seen_;
  if (faults_.die_after_requests && requests_seen_ > *faults_.die_after_requests) {
    exchange.cut();
    // Not from here: whoever dies destroys this object.
    loop_.post([die = options_.on_die] { die(); });
    return true;
  }
  if (faults_.refuse) {
    exchange.cut();
    return true;
  }
  if (faults_.fail_rate > 0 && rng_.uniform() < faults_.fail_rate) {
    answer_now(exchange, handler, faults_.status, protocol::error_body(faults_.status, "InjectedFault", "injected fault"));
    return true;
  }
  if (faults_.non_json) {
    const std::uint64_t bytes = content_length(exchange.request());
    exchange.respond(200, {{"Content-Type", "text/html"}, json_headers_[1]}, kHtmlPage);
    http_.record(handler, "POST", 200, bytes, kHtmlPage.size(), {});
    return true;
  }
  return false;
}

void Generation::answer_now(HttpExchange& exchange, std::string_view handler, int status, std::string_view body) {
  const std::uint64_t bytes = content_length(exchange.request());
  exchange.respond(status, json_headers_, body);
  http_.record(handler, "POST", status, bytes, body.size(), {});
}

bool Generation::prepare(Api api, const HttpRequest& request, Stream& stream, Refusal& refusal) {
  const auto refuse = [&refusal](int status, std::string_view type, std::string_view message, std::string_view param) {
    refusal = {status, protocol::error_body(status, type, message, param)};
    return false;
  };
  if (!is_json(request)) {
    return refuse(400, "Bad Request", "['Unsupported Media Type: Only 'application/json' is allowed']", {});
  }
  auto parsed = protocol::parse_request(api, request.body);
  if (!parsed) return refuse(400, "Bad Request", parsed.error().message, {});
  const std::string& served = options_.model;
  if (!parsed->model.empty() && parsed->model != served) {
    return refuse(404, "NotFoundError", "The model `" + parsed->model + "` does not exist.", "model");
  }
  if (parsed->n != 1 || !parsed->more_prompts.empty() || parsed->token_prompts.size() > 1) {
    return refuse(400, "BadRequestError", "This simulated replica takes one prompt and n=1 per request.", "n");
  }
  if (!take_prompt(*parsed, stream, refusal)) return false;
  stream.api = api;
  stream.streaming = parsed->stream;
  stream.include_usage = parsed->include_usage;
  stream.continuous_usage = parsed->continuous_usage;
  stream.min_tokens = parsed->min_tokens;
  stream.ignore_eos = parsed->ignore_eos;
  stream.cache_salt = std::move(parsed->cache_salt);
  stream.identity.id = (api == Api::kChat ? "chatcmpl-" : "cmpl-") + request_id(request);
  stream.identity.model = served;
  stream.identity.created_unix_s = unix_seconds();
  stream.identity.system_fingerprint = options_.system_fingerprint;
  stream.received = loop_.now();
  stream.request_bytes = content_length(request);
  stream.response_started = stream.submitted = false;
  stream.text.clear();
  return true;
}

bool Generation::take_prompt(protocol::ParsedRequest& parsed, Stream& stream, Refusal& refusal) {
  const auto refuse = [&refusal](std::string_view message, std::string_view param) {
    refusal = {400, protocol::error_body(400, "BadRequestError", message, param)};
    return false;
  };
  stream.prompt.clear();
  if (parsed.token_prompts.empty()) {
    protocol::tokenize(parsed.prompt, stream.prompt);
  } else {
    stream.prompt.swap(parsed.token_prompts.front());
  }
  const std::uint32_t context = engine_->config().max_model_len;
  const std::size_t input = stream.prompt.size();
  const bool bounded = parsed.max_tokens != protocol::kUnknownCount;
  if (input == 0) return refuse("The decoder prompt cannot be empty", "prompt");
  if (input + (bounded ? parsed.max_tokens : 1) > context) {
    return refuse(too_long(context, bounded ? parsed.max_tokens : 1, input), "input_tokens");
  }
  stream.max_tokens = bounded ? parsed.max_tokens : kRestOfContext;
  const auto bytes = std::as_bytes(std::span(stream.prompt));
  // The same prompt gets the same answer, from any replica with this seed.
  stream.seed = core::xxh64({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options_.seed);
  return true;
}

std::string Generation::request_id(const HttpRequest& request) {
  const auto sent = core::net::find_header(request.headers, protocol::kRequestIdHeader);
  if (!sent.empty()) return std::string(sent);
  return core::hex64(rng_.next());
}

void Generation::on_step(const StepEvent& event) { engine_->observe_step_late(now_ - event.end); }

void Generation::pump() {
  if (pumping_) return;
  pumping_ = true;
  now_ = loop_.now();
  armed_for_ = {};
  for (const RequestId id : aborts_) engine_->abort(id);
  aborts_.clear();
  take_arrivals(now_);
  events_.clear();
  engine_->advance(now_, *this);
  for (const TokenEvent& event : events_) deliver(event);
  while (!outgoing_.empty() && outgoing_.first_due() <= now_) {
    Outgoing& next = outgoing_.front();
    apply(next.to, next.part, next.bytes);
    outgoing_.pop();
  }
  pumping_ = false;
  rearm();
}

void Generation::take_arrivals(TimePoint now) {
  for (; !arrivals_.empty() && arrivals_.first_due() <= now; arrivals_.pop()) {
    const StreamRef ref = arrivals_.front();
    Stream* stream = find(ref);
    if (stream == nullptr) continue;
    Work work;
    work.prompt = stream->prompt;
    work.cache_salt = stream->cache_salt;
    work.max_tokens = stream->max_tokens;
    work.min_tokens = stream->min_tokens;
    work.ignore_eos = stream->ignore_eos;
    work.seed = stream->seed;
    work.tag = tag_of(ref.slot, ref.generation);
    work.arrival = stream->received + options_.network_delay / 2;
    const auto id = engine_->submit(work, arrivals_.first_due());
    if (!id) {
      // take_prompt() let nothing through that the engine refuses; answer all the same.
      stream->streaming = false;
      apply(ref, Part::kWhole, protocol::error_body(500, "InternalServerError", id.error().message));
      continue;
    }
    stream->engine_id = *id;
    stream->submitted = true;
  }
}

void Generation::deliver(const TokenEvent& event) {
  const StreamRef ref{static_cast<std::uint32_t>(event.tag), static_cast<std::uint32_t>(event.tag >> 32)};
  Stream* stream = find(ref);
  if (stream == nullptr) return;
  if (faults_.stall_after_tokens && event.index >= *faults_.stall_after_tokens) return;
  if (faults_.cut_after_tokens && event.output_tokens > *faults_.cut_after_tokens) {
    send(ref, Part::kCut, event.at);
    return;
  }
  const bool direct = options_.network_delay.count() == 0;
  Outgoing* cell = direct ? nullptr : &outgoing_.push(event.at + options_.network_delay / 2);
  std::string& out = direct ? scratch_ : cell->bytes;
  out.clear();
  Part part = write_part(*stream, event, out);
  if (faults_.half_event && stream->streaming && event.index == 0) {
    out.resize(out.size() / 2);
    part = Part::kLastChunk;
    aborts_.push_back(event.id);
  }
  if (direct) {
    apply(ref, part, out);
  } else {
    cell->to = ref;
    cell->part = part;
  }
  if (faults_.cut_after_tokens && event.output_tokens == *faults_.cut_after_tokens) send(ref, Part::kCut, event.at);
}

void Generation::send(StreamRef to, Part part, TimePoint at) {
  if (options_.network_delay.count() == 0) {
    apply(to, part, {});
    return;
  }
  Outgoing& cell = outgoing_.push(at + options_.network_delay / 2);
  cell.to = to;
  cell.part = part;
  cell.bytes.clear();
}

Generation::Part Generation::write_part(Stream& stream, const TokenEvent& event, std::string& out) {
  const bool last = event.finish != FinishReason::kNone;
  const protocol::Usage usage{event.prompt_tokens, event.output_tokens,
                              options_.report_cached_tokens ? event.cached_tokens : protocol::kUnknownCount};
  if (!stream.streaming) {
    stream.text += event.text;
    if (last) protocol::append_response(stream.api, stream.identity, stream.text, name_of(event.finish), usage, out);
    return last ? Part::kWhole : Part::kChunk;
  }
  if (stream.api == Api::kChat && event.index == 0) protocol::append_role_chunk(stream.identity, out);
  protocol::append_chunk(stream.api, stream.identity, event.text, name_of(event.finish),
                         stream.continuous_usage ? &usage : nullptr, out);
  if (!last) return Part::kChunk;
  if (stream.include_usage) protocol::append_usage_chunk(stream.api, stream.identity, usage, out);
  out += protocol::kDoneEvent;
  return Part::kLastChunk;
}

void Generation::apply(StreamRef to, Part part, std::string_view bytes) {
  Stream* stream = find(to);
  if (stream == nullptr) return;
  HttpExchange& exchange = *stream->exchange;
  if (part == Part::kCut) {
    if (stream->submitted) aborts_.push_back(stream->engine_id);
    const int status = stream->response_started ? 200 : 500;
    exchange.cut();
    ended(to, status, 0);
    return;
  }
  if (!stream->streaming) {
    if (part == Part::kChunk) return;
    const bool failed = !stream->submitted;
    exchange.respond(failed ? 500 : 200, json_headers_, bytes);
    ended(to, failed ? 500 : 200, bytes.size());
    return;
  }
  if (!stream->response_started) {
    stream->response_started = true;
    exchange.start(200, stream_headers_);
  }
  // Either call may find the client gone, which ends the stream under our hands.
  exchange.write(bytes);
  if (part != Part::kLastChunk || find(to) == nullptr) return;
  exchange.finish();
  ended(to, 200, 0);
}

void Generation::ended(StreamRef ref, int status, std::uint64_t response_bytes) {
  Stream* stream = find(ref);
  if (stream == nullptr) return;
  http_.record(protocol::path_of(stream->api), "POST", status, stream->request_bytes, response_bytes,
               loop_.now() - stream->received);
  stream->exchange = nullptr;
  ++stream->generation;
  free_.push_back(ref.slot);
}

Generation::Stream* Generation::find(StreamRef ref) {
  if (ref.slot >= streams_.size()) return nullptr;
  Stream* stream = streams_[ref.slot].get();
  return stream->exchange != nullptr && stream->generation == ref.generation ? stream : nullptr;
}

void Generation::rearm() {
  if (pumping_) return;
  TimePoint due = aborts_.empty() ? engine_->next_due() : TimePoint{};
  if (!arrivals_.empty()) due = std::min(due, arrivals_.first_due());
  if (!outgoing_.empty()) due = std::min(due, outgoing_.first_due());
  if (due == Engine::kNothingDue) {
    timer_.cancel();
    armed_for_ = {};
    return;
  }
  if (due == armed_for_ && timer_.armed()) return;
  armed_for_ = due;
  timer_.arm(due);
}

}  // namespace simulator
