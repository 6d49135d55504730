// The server's side of the OpenAI codec: requests read with simdjson, responses written by hand in vLLM's key order.
// Called by the simulated replica (all of it) and the router (model and prompt). It must never throw on any input.
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "protocol/openai.h"

#include <simdjson.h>

namespace protocol {
namespace {

namespace dom = simdjson::dom;

/// A validation failure in the words of the framework vLLM answers with.
core::Error invalid(std::string_view type, std::string_view where, std::string_view what) {
  std::string text = "[{'type': '";
  text.append(type).append("', 'loc': ('body', '").append(where).append("'), 'msg': '").append(what).append("'}]");
  return core::fail(core::ErrorCode::kInvalid, std::move(text), "send the JSON body that the OpenAI API describes");
}

core::Error invalid_value(std::string_view message) {
  return core::fail(core::ErrorCode::kInvalid, std::string(message), "correct the request");
}

/// Integers, and floats with an integral value, as the framework's lax mode takes them.
std::optional<std::int64_t> integer_of(dom::element value) {
  std::int64_t integer = 0;
  if (value.get_int64().get(integer) == simdjson::SUCCESS) return integer;
  double real = 0;
  if (value.is<double>() && value.get_double().get(real) == simdjson::SUCCESS && std::trunc(real) == real &&
      std::fabs(real) < 9e15) {
    return static_cast<std::int64_t>(real);
  }
  return std::nullopt;
}

core::Status read_count(dom::element value, std::string_view key, std::int64_t least, std::uint32_t& out) {
  const auto integer = integer_of(value);
  if (!integer) return invalid("int_type", key, "Input should be a valid integer");
  if (*integer < least) {
    return invalid_value(std::string(key) + " must be at least " + std::to_string(least) + ", got " +
                         std::to_string(*integer) + ".");
  }
  constexpr std::int64_t kMost = kUnknownCount - 1;
  out = static_cast<std::uint32_t>(*integer < kMost ? *integer : kMost);
  return {};
}

core::Status read_flag(dom::element value, std::string_view key, bool& out) {
  if (value.get_bool().get(out) != simdjson::SUCCESS) return invalid("bool_type", key, "Input should be a valid boolean");
  return {};
}

core::Status read_text(dom::element value, std::string_view key, std::string& out) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) {
    return invalid("string_type", key, "Input should be a valid string");
  }
  out = text;
  return {};
}

core::Status read_token_ids(dom::array array, std::vector<TokenId>& out) {
  for (const dom::element item : array) {
    const auto id = integer_of(item);
    if (!id || *id < 0 || *id > std::numeric_limits<std::int32_t>::max()) {
      return invalid("int_type", "prompt", "Input should be a valid list of token ids");
    }
    out.push_back(static_cast<TokenId>(*id));
  }
  return {};
}

core::Status read_prompt_list(dom::array array, ParsedRequest& out) {
  if (array.size() == 0) return invalid("too_short", "prompt", "List should have at least 1 item");
  if (array.at(0).is_string()) {
    for (std::size_t i = 0; i < array.size(); ++i) {
      std::string& text = i == 0 ? out.prompt : out.more_prompts.emplace_back();
      if (auto status = read_text(array.at(i), "prompt", text); !status) return status;
    }
    return {};
  }
  if (!array.at(0).is_array()) return read_token_ids(array, out.token_prompts.emplace_back());
  for (const dom::element item : array) {
    dom::array inner;
    if (item.get_array().get(inner) != simdjson::SUCCESS) {
      return invalid("list_type", "prompt", "Input should be a valid list");
    }
    if (auto status = read_token_ids(inner, out.token_prompts.emplace_back()); !status) return status;
  }
  return {};
}

core::Status read_prompt(dom::element value, ParsedRequest& out) {
  if (value.is_string()) return read_text(value, "prompt", out.prompt);
  dom::array array;
  if (value.get_array().get(array) != simdjson::SUCCESS) {
    return invalid("string_type", "prompt", "Input should be a valid string or list");
  }
  return read_prompt_list(array, out);
}

/// A message's content: a text, or text parts joined by a line feed; null is empty.
core::Status read_content(dom::element value, std::string& out) {
  if (value.is_null()) return {};
  if (value.is_string()) return read_text(value, "content", out);
  dom::array parts;
  if (value.get_array().get(parts) != simdjson::SUCCESS) {
    return invalid("string_type", "content", "Input should be a valid string or list of parts");
  }
  for (const dom::element part : parts) {
    std::string_view text;
    if (part["text"].get_string().get(text) != simdjson::SUCCESS) {
      return invalid("missing", "content", "Only text parts are supported");
    }
    if (!out.empty()) out += '\n';
    out += text;
  }
  return {};
}

core::Status read_messages(dom::element value, ParsedRequest& out) {
  dom::array messages;
  if (value.get_array().get(messages) != simdjson::SUCCESS) {
    return invalid("list_type", "messages", "Input should be a valid list");
  }
  for (const dom::element item : messages) {
    dom::object message;
    std::string_view role;
    if (item.get_object().get(message) != simdjson::SUCCESS || message["role"].get_string().get(role) != simdjson::SUCCESS) {
      return invalid("missing", "messages", "Each message needs a role");
    }
    auto& [to_role, to_text] = out.messages.emplace_back();
    to_role = role;
    dom::element content;
    if (message["content"].get(content) != simdjson::SUCCESS) continue;
    if (auto status = read_content(content, to_text); !status) return status;
  }
  return {};
}

core::Status read_stream_options(dom::element value, ParsedRequest& out) {
  dom::object options;
  if (value.get_object().get(options) != simdjson::SUCCESS) {
    return invalid("model_type", "stream_options", "Input should be a valid object");
  }
  for (const auto [key, item] : options) {
    if (item.is_null()) continue;
    core::Status status;
    if (key == "include_usage") status = read_flag(item, key, out.include_usage);
    if (key == "continuous_usage_stats") status = read_flag(item, key, out.continuous_usage);
    if (!status) return status;
  }
  // vLLM reports running usage only where usage was asked for.
  out.continuous_usage = out.continuous_usage && out.include_usage;
  return {};
}

/// What was present, for the checks that span several members.
struct Seen {
  bool prompt = false, messages = false, stream_options = false, max_completion_tokens = false;
};

core::Status read_member(std::string_view key, dom::element value, ParsedRequest& out, Seen& seen) {
  const bool null = value.is_null();
  if (key == "prompt" && out.api == Api::kCompletions && !null) {
    seen.prompt = true;
    return read_prompt(value, out);
  }
  if (key == "messages" && out.api == Api::kChat) {
    seen.messages = true;
    return read_messages(value, out);
  }
  if (key == "max_tokens" && !seen.max_completion_tokens) {
    if (!null) return read_count(value, key, 1, out.max_tokens);
    out.max_tokens = kUnknownCount;
    return {};
  }
  if (null) return {};
  if (key == "max_completion_tokens" && out.api == Api::kChat) {
    seen.max_completion_tokens = true;
    return read_count(value, key, 1, out.max_tokens);
  }
  if (key == "min_tokens") return read_count(value, key, 0, out.min_tokens);
  if (key == "n") return read_count(value, key, 1, out.n);
  if (key == "model") return read_text(value, key, out.model);
  if (key == "user") return read_text(value, key, out.user);
  if (key == "cache_salt") return read_text(value, key, out.cache_salt);
  if (key == "stream") return read_flag(value, key, out.stream);
  if (key == "ignore_eos") return read_flag(value, key, out.ignore_eos);
  if (key == "stream_options") {
    seen.stream_options = true;
    return read_stream_options(value, out);
  }
  return {};
}

void render_chat(ParsedRequest& request) {
  for (const auto& [role, text] : request.messages) {
    request.prompt.append(role).append("\n").append(text).append("\n");
  }
  request.prompt += "assistant\n";
}

void append_number(std::int64_t value, std::string& out) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_quoted(std::string_view text, std::string& out) {
  out += '"';
  append_escaped(text, out);
  out += '"';
}

void append_head(const ResponseIdentity& identity, std::string_view object, std::string& out) {
  out += "{\"id\":";
  append_quoted(identity.id, out);
  out.append(",\"object\":\"").append(object).append("\",\"created\":");
  append_number(identity.created_unix_s, out);
  out += ",\"model\":";
  append_quoted(identity.model, out);
}

void append_usage(const Usage& usage, std::string& out) {
  out += ",\"usage\":{\"prompt_tokens\":";
  append_number(usage.prompt_tokens, out);
  out += ",\"total_tokens\":";
  append_number(std::int64_t{usage.prompt_tokens} + usage.completion_tokens, out);
  out += ",\"completion_tokens\":";
  append_number(usage.completion_tokens, out);
  if (usage.cached_tokens != kUnknownCount) {
    out += ",\"prompt_tokens_details\":{\"cached_tokens\":";
    append_number(usage.cached_tokens, out);
    out += '}';
  }
  out += '}';
}

void append_finish_reason(std::string_view finish_reason, std::string& out) {
  out += "\"logprobs\":null,\"finish_reason\":";
  if (finish_reason.empty()) {
    out += "null";
  } else {
    append_quoted(finish_reason, out);
    out += ",\"stop_reason\":null";
  }
}

void append_fingerprint(const ResponseIdentity& identity, std::string& out) {
  if (identity.system_fingerprint.empty()) return;
  out += ",\"system_fingerprint\":";
  append_quoted(identity.system_fingerprint, out);
}

constexpr std::string_view object_name(Api api, bool chunk) {
  if (api == Api::kCompletions) return "text_completion";
  return chunk ? "chat.completion.chunk" : "chat.completion";
}

}  // namespace

core::Result<ParsedRequest> parse_request(Api api, std::string_view body) {
  dom::parser parser;
  dom::element root;
  if (const auto error = parser.parse(body.data(), body.size()).get(root); error != simdjson::SUCCESS) {
    return invalid("json_invalid", "0", std::string("JSON decode error: ") + simdjson::error_message(error));
  }
  dom::object object;
  if (root.get_object().get(object) != simdjson::SUCCESS) {
    return invalid("model_attributes_type", "0", "Input should be a valid dictionary or object");
  }
  ParsedRequest request;
  request.api = api;
  if (api == Api::kChat) request.max_tokens = kUnknownCount;
  Seen seen;
  for (const auto [key, value] : object) {
    if (auto status = read_member(key, value, request, seen); !status) return status.error();
  }
  if (api == Api::kCompletions && !seen.prompt) return invalid("missing", "prompt", "Field required");
  if (api == Api::kChat && !seen.messages) return invalid("missing", "messages", "Field required");
  if (seen.stream_options && !request.stream) {
    return invalid_value("Stream options can only be defined when `stream=True`.");
  }
  if (request.max_tokens != kUnknownCount && request.min_tokens > request.max_tokens) {
    return invalid_value("min_tokens must be less than or equal to max_tokens=" + std::to_string(request.max_tokens) +
                         ", got " + std::to_string(request.min_tokens) + ".");
  }
  if (api == Api::kChat) render_chat(request);
  return request;
}

void append_chunk(Api api, const ResponseIdentity& identity, std::string_view text, std::string_view finish_reason,
                  const Usage* usage, std::string& out) {
  out += "data: ";
  append_head(identity, object_name(api, true), out);
  out += ",\"choices\":[{\"index\":0,";
  if (api == Api::kCompletions) {
    out += "\"text\":";
    append_quoted(text, out);
    out += ',';
  } else {
    out += "\"delta\":{\"content\":";
    append_quoted(text, out);
    out += "},";
  }
  append_finish_reason(finish_reason, out);
  if (api == Api::kCompletions) {
    out += finish_reason.empty() ? ",\"stop_reason\":null,\"token_ids\":null}]" : ",\"token_ids\":null}]";
  } else {
    out += ",\"token_ids\":null}]";
  }
  if (!finish_reason.empty()) append_fingerprint(identity, out);
  if (usage != nullptr) append_usage(*usage, out);
  out += "}\n\n";
}

void append_role_chunk(const ResponseIdentity& identity, std::string& out) {
  out += "data: ";
  append_head(identity, object_name(Api::kChat, true), out);
  out += ",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
         "\"finish_reason\":null}],\"prompt_token_ids\":null}\n\n";
}

void append_usage_chunk(Api api, const ResponseIdentity& identity, const Usage& usage, std::string& out) {
  out += "data: ";
  append_head(identity, object_name(api, true), out);
  out += ",\"choices\":[]";
  append_fingerprint(identity, out);
  append_usage(usage, out);
  out += "}\n\n";
}

void append_response(Api api, const ResponseIdentity& identity, std::string_view text, std::string_view finish_reason,
                     const Usage& usage, std::string& out) {
  append_head(identity, object_name(api, false), out);
  out += ",\"choices\":[{\"index\":0,";
  if (api == Api::kCompletions) {
    out += "\"text\":";
    append_quoted(text, out);
    out += ',';
  } else {
    out += "\"message\":{\"role\":\"assistant\",\"content\":";
    append_quoted(text, out);
    out += "},";
  }
  append_finish_reason(finish_reason, out);
  if (finish_reason.empty()) out += ",\"stop_reason\":null";
  out += ",\"token_ids\":null}],\"service_tier\":null";
  append_fingerprint(identity, out);
  append_usage(usage, out);
  out += ",\"kv_transfer_params\":null}";
}

std::string error_body(int status, std::string_view type, std::string_view message, std::string_view param) {
  std::string out = "{\"error\":{\"message\":";
  append_quoted(message, out);
  out += ",\"type\":";
  append_quoted(type, out);
  out += ",\"param\":";
  if (param.empty()) {
    out += "null";
  } else {
    append_quoted(param, out);
  }
  out += ",\"code\":";
  append_number(status, out);
  out += "}}";
  return out;
}

void append_escaped(std::string_view text, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte >= 0x20) {
          out += c;
        } else {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 15u];
        }
    }
  }
}

}  // namespace protocol
