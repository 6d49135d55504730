// The client's half of the OpenAI codec: request bodies out, response chunks in. Called by the load engine per token.
// JSON comes through simdjson; a chunk that differs from the last verified one in its text alone is not parsed again.
// It must never guess a token count and never accept a chunk that simdjson would refuse.
#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>

#include "core/text.h"
#include "protocol/openai.h"

namespace protocol {
namespace {

void append_number(std::uint64_t value, std::string& out) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_number(double value, std::string& out) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_string_member(std::string_view key_with_colon, std::string_view value, std::string& out) {
  if (value.empty()) return;
  out += key_with_colon;
  out += '"';
  append_escaped(value, out);
  out += '"';
}

/// What a remembered chunk looks like around its text: equal surroundings and a plain text need no second parse.
class ChunkMemo {
 public:
  void clear() { prefix_.clear(); }

  /// The text of `payload` when it is the remembered chunk with another, plainly valid text; else no value.
  [[nodiscard]] std::optional<std::string_view> match(std::string_view payload) const {
    if (prefix_.empty() || payload.size() < prefix_.size() + suffix_.size()) return std::nullopt;
    if (std::memcmp(payload.data(), prefix_.data(), prefix_.size()) != 0) return std::nullopt;
    const std::size_t length = payload.size() - prefix_.size() - suffix_.size();
    const std::string_view text = payload.substr(prefix_.size(), length);
    if (std::memcmp(text.data() + length, suffix_.data(), suffix_.size()) != 0) return std::nullopt;
    if (!is_plain_text(text)) return std::nullopt;
    return text;
  }

  /// Remembers a chunk that simdjson accepted, has one choice, text, no usage and no finish reason. Only a text whose
  /// place is beyond doubt is remembered: no bracket closes between `"choices":[{` and its key.
  void remember(std::string_view payload) {
    clear();
    constexpr std::string_view kChoices = "\"choices\":[{";
    const auto choices = payload.find(kChoices);
    if (choices == std::string_view::npos) return;
    const std::string_view inside = payload.substr(choices + kChoices.size());
    const auto text = text_offset(inside);
    if (!text) return;
    const std::size_t begin = choices + kChoices.size() + *text;
    std::size_t end = begin;
    while (end < payload.size() && payload[end] != '"') end += payload[end] == '\\' ? 2 : 1;
    if (end >= payload.size()) return;
    prefix_.assign(payload.substr(0, begin));
    suffix_.assign(payload.substr(end));
  }

 private:
  /// Offset of the text's first byte in what follows `"choices":[{`.
  static std::optional<std::size_t> text_offset(std::string_view inside) {
    constexpr std::string_view kText = "\"text\":\"", kContent = "\"content\":\"", kDelta = "\"delta\":{";
    const auto closing = inside.find_first_of("}]");
    const auto brace = inside.find('{');
    const auto text = inside.find(kText);
    if (text < closing && text < brace) return text + kText.size();
    const auto content = inside.find(kContent);
    const auto delta = inside.find(kDelta);
    const bool in_delta = delta != std::string_view::npos && brace == delta + kDelta.size() - 1 &&
                          inside.find('{', brace + 1) > content && content > delta;
    if (content < closing && in_delta) return content + kContent.size();
    return std::nullopt;
  }

  /// ASCII without control characters; the two-character escapes are let through, \u is not.
  static bool is_plain_text(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c == '"' || c < 0x20 || c >= 0x80) return false;
      if (c != '\\') continue;
      ++i;
      if (i == text.size() || std::memchr("\"\\/bfnrt", text[i], 8) == nullptr) return false;
    }
    return true;
  }

  std::string prefix_, suffix_;
};

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

std::string_view string_or_empty(const object& parent, std::string_view key) {
  std::string_view text;
  return parent[key].get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

std::uint32_t count_or_unknown(const object& parent, std::string_view key) {
  std::uint64_t count = 0;
  if (parent[key].get(count) != simdjson::SUCCESS || count >= kUnknownCount) return kUnknownCount;
  return static_cast<std::uint32_t>(count);
}

bool read_usage(const object& root, Usage& usage) {
  object found;
  if (root["usage"].get(found) != simdjson::SUCCESS) return false;
  usage.prompt_tokens = count_or_unknown(found, "prompt_tokens");
  usage.completion_tokens = count_or_unknown(found, "completion_tokens");
  object details;
  if (found["prompt_tokens_details"].get(details) == simdjson::SUCCESS) {
    usage.cached_tokens = count_or_unknown(details, "cached_tokens");
  }
  return true;
}

/// {"error": {…}}, {"error": "text"} or vLLM <= 0.10.0's flat {"object": "error", "message": …}.
bool read_error(const object& root, std::string_view& message) {
  element error;
  if (root["error"].get(error) == simdjson::SUCCESS && !error.is_null()) {
    object body;
    if (error.get(body) == simdjson::SUCCESS) {
      message = string_or_empty(body, "message");
    } else if (error.get(message) != simdjson::SUCCESS) {
      message = {};
    }
    return true;
  }
  if (string_or_empty(root, "object") != "error") return false;
  message = string_or_empty(root, "message");
  return true;
}

std::string_view tool_call_text(const object& message) {
  array calls;
  if (message["tool_calls"].get(calls) != simdjson::SUCCESS) return {};
  for (const element call : calls) {
    object function;
    if (call["function"].get(function) != simdjson::SUCCESS) continue;
    for (const std::string_view key : {"arguments", "name"}) {
      const auto text = string_or_empty(function, key);
      if (!text.empty()) return text;
    }
  }
  return {};
}

std::string_view choice_text(const object& choice) {
  const auto text = string_or_empty(choice, "text");
  if (!text.empty()) return text;
  for (const std::string_view holder : {"delta", "message"}) {
    object message;
    if (choice[holder].get(message) != simdjson::SUCCESS) continue;
    for (const std::string_view key : {"content", "reasoning_content", "reasoning"}) {
      const auto content = string_or_empty(message, key);
      if (!content.empty()) return content;
    }
    const auto call = tool_call_text(message);
    if (!call.empty()) return call;
  }
  return {};
}

}  // namespace

std::string_view path_of(Api api) { return api == Api::kCompletions ? "/v1/completions" : "/v1/chat/completions"; }

void write_request_body(const RequestBody& request, std::string& out) {
  out.clear();
  out += "{\"model\":\"";
  append_escaped(request.model, out);
  out += request.api == Api::kCompletions ? "\",\"prompt\":\"" : "\",\"messages\":[{\"role\":\"user\",\"content\":\"";
  append_escaped(request.prompt, out);
  out += request.api == Api::kCompletions ? "\",\"max_tokens\":" : "\"}],\"max_tokens\":";
  append_number(std::uint64_t{request.max_tokens}, out);
  if (request.min_tokens) {
    out += ",\"min_tokens\":";
    append_number(std::uint64_t{*request.min_tokens}, out);
  }
  if (request.ignore_eos) out += ",\"ignore_eos\":true";
  if (request.temperature && std::isfinite(*request.temperature)) {
    out += ",\"temperature\":";
    append_number(*request.temperature, out);
  }
  if (request.stream) {
    out += ",\"stream\":true";
    if (request.include_usage) {
      out += ",\"stream_options\":{\"include_usage\":true";
      if (request.continuous_usage) out += ",\"continuous_usage_stats\":true";
      out += '}';
    }
  } else {
    out += ",\"stream\":false";
  }
  append_string_member(",\"user\":", request.user, out);
  append_string_member(",\"cache_salt\":", request.cache_salt, out);
  if (!request.extra_members.empty()) {
    out += ',';
    out += request.extra_members;
  }
  out += '}';
}

struct ResponseDecoder::State {
  simdjson::dom::parser parser;
  std::string padded;   ///< the payload with simdjson's padding behind it
  std::string text, message;
  ChunkMemo memo;

  ResponsePart decode(std::string_view payload);
  void read_choices(const array& choices, ResponsePart& part, std::size_t& count);
};

void ResponseDecoder::State::read_choices(const array& choices, ResponsePart& part, std::size_t& count) {
  std::string_view found;
  for (const element item : choices) {
    ++count;
    object choice;
    if (item.get(choice) != simdjson::SUCCESS) continue;
    if (found.empty()) found = choice_text(choice);
    const auto reason = string_or_empty(choice, "finish_reason");
    if (!reason.empty()) part.finished = true;
    if (reason == "length") part.finished_by_length = true;
  }
  part.has_choices = count > 0;
  if (found.empty()) return;
  part.kind = ResponsePart::Kind::kTokens;
  text.clear();
  append_escaped(found, text);
  part.text = text;
}

ResponsePart ResponseDecoder::State::decode(std::string_view payload) {
  ResponsePart part;
  part.kind = ResponsePart::Kind::kMalformed;
  const std::size_t needed = payload.size() + simdjson::SIMDJSON_PADDING;
  if (padded.size() < needed) padded.resize(needed);
  std::memcpy(padded.data(), payload.data(), payload.size());
  std::memset(padded.data() + payload.size(), 0, simdjson::SIMDJSON_PADDING);
  element document;
  object root;
  if (parser.parse(padded.data(), payload.size(), false).get(document) != simdjson::SUCCESS) return part;
  if (document.get(root) != simdjson::SUCCESS) return part;
  std::string_view error;
  if (read_error(root, error)) {
    message.assign(error);
    part.kind = ResponsePart::Kind::kError;
    part.error_message = message;
    return part;
  }
  const bool has_usage = read_usage(root, part.usage);
  part.system_fingerprint = string_or_empty(root, "system_fingerprint");
  array choices;
  if (root["choices"].get(choices) != simdjson::SUCCESS) {
    if (has_usage) part.kind = ResponsePart::Kind::kNoTokens;
    return part;
  }
  part.kind = ResponsePart::Kind::kNoTokens;
  std::size_t count = 0;
  read_choices(choices, part, count);
  const bool plain = part.kind == ResponsePart::Kind::kTokens && count == 1 && !part.finished && !has_usage &&
                     part.system_fingerprint.empty();
  if (plain) memo.remember(payload);
  return part;
}

ResponseDecoder::ResponseDecoder() : state_(new State) {}
ResponseDecoder::~ResponseDecoder() { delete state_; }
ResponseDecoder::ResponseDecoder(ResponseDecoder&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
ResponseDecoder& ResponseDecoder::operator=(ResponseDecoder&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

ResponsePart ResponseDecoder::decode_event(std::string_view payload) {
  ResponsePart part;
  if (const auto text = state_->memo.match(payload)) {
    part.kind = text->empty() ? ResponsePart::Kind::kNoTokens : ResponsePart::Kind::kTokens;
    part.has_choices = true;
    part.text = *text;
    return part;
  }
  payload = core::trim(payload);
  if (payload == "[DONE]") {
    part.kind = ResponsePart::Kind::kDone;
    return part;
  }
  return state_->decode(payload);
}

ResponsePart ResponseDecoder::decode_body(std::string_view body) {
  ResponsePart part = state_->decode(core::trim(body));
  state_->memo.clear();
  return part;
}

void ResponseDecoder::reset() { state_->memo.clear(); }

}  // namespace protocol
