// The scan of a request body with simdjson on-demand: one forward pass, strings unescaped once.
// Called through PromptScanner; this file alone in the router knows simdjson.
// Everything it does not need is skipped unread.
#include "router/shell/prompt_scan.h"

#include <simdjson.h>

namespace router {
namespace {

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;

constexpr error_code kOk = simdjson::SUCCESS;

std::string not_json(error_code error) {
  return std::string("the request body is not valid JSON: ") + simdjson::error_message(error);
}

}  // namespace

struct PromptScanner::State {
  explicit State(protocol::PickerHashing family) : hashing(family) {}

  error_code read_field(std::string_view key, ondemand::value value);
  error_code read_prompt(ondemand::value value);
  error_code read_prompt_list(ondemand::array list);
  error_code read_messages(ondemand::value value);
  error_code read_message(ondemand::object message);
  error_code read_content(ondemand::value value);
  error_code read_part(ondemand::object part);
  error_code read_text(ondemand::value value, std::string& into);

  protocol::PickerHashing hashing;
  ondemand::parser parser;
  std::string padded, model, cache_salt, tools, bytes, role, content;
  std::vector<std::size_t> ends;
  bool model_found = false, chat = false;
};

/// Takes a string; other types are passed over.
error_code PromptScanner::State::read_text(ondemand::value value, std::string& into) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type); error != kOk) return error;
  if (type != ondemand::json_type::string) return kOk;
  std::string_view text;
  const auto error = value.get_string().get(text);
  if (error == kOk) into.append(text);
  return error;
}

error_code PromptScanner::State::read_field(std::string_view key, ondemand::value value) {
  if (key == "model") {
    ondemand::json_type type{};
    if (const auto error = value.type().get(type); error != kOk) return error;
    model.clear();
    model_found = type == ondemand::json_type::string;
    return read_text(value, model);
  }
  if (key == "cache_salt") {
    cache_salt.clear();
    return read_text(value, cache_salt);
  }
  if (key == "prompt" || key == "input") return read_prompt(value);
  if (key == "messages") return read_messages(value);
  if (key == "tools") {
    ondemand::array list;
    if (value.get_array().get(list) != kOk) return kOk;
    std::string_view raw;
    const auto error = list.raw_json().get(raw);
    if (error == kOk) tools.assign(raw);
    return error;
  }
  return kOk;
}

error_code PromptScanner::State::read_prompt(ondemand::value value) {
  bytes.clear();
  ends.clear();
  ondemand::array list;
  if (value.get_array().get(list) == kOk) return read_prompt_list(list);
  const auto error = read_text(value, bytes);
  ends.push_back(bytes.size());
  return error;
}

error_code PromptScanner::State::read_prompt_list(ondemand::array list) {
  for (auto element : list) {
    ondemand::value item;
    if (const auto error = element.get(item); error != kOk) return error;
    ondemand::json_type type{};
    if (const auto error = item.type().get(type); error != kOk) return error;
    if (type == ondemand::json_type::array) {
      ondemand::array ids;
      std::string_view raw;
      if (const auto error = item.get_array().get(ids); error != kOk) return error;
      if (const auto error = ids.raw_json().get(raw); error != kOk) return error;
      bytes.append(raw);
      ends.push_back(bytes.size());
    } else if (type == ondemand::json_type::number) {
      // One prompt of token ids: the ids' text stands for them; equal prefixes stay equal.
      bytes.append(item.raw_json_token());
      bytes.push_back(',');
      if (ends.empty()) ends.push_back(0);
      ends.back() = bytes.size();
    } else {
      if (const auto error = read_text(item, bytes); error != kOk) return error;
      ends.push_back(bytes.size());
    }
  }
  return kOk;
}

error_code PromptScanner::State::read_messages(ondemand::value value) {
  ondemand::array list;
  if (value.get_array().get(list) != kOk) return kOk;
  bytes.clear();
  ends.clear();
  for (auto element : list) {
    ondemand::value item;
    if (const auto error = element.get(item); error != kOk) return error;
    ondemand::object message;
    if (item.get_object().get(message) != kOk) continue;
    if (const auto error = read_message(message); error != kOk) return error;
  }
  protocol::finish_chat_bytes(hashing, bytes);
  ends.push_back(bytes.size());
  chat = true;
  return kOk;
}

error_code PromptScanner::State::read_message(ondemand::object message) {
  role.clear();
  content.clear();
  for (auto field : message) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key); error != kOk) return error;
    const bool is_role = key == "role";
    const bool is_content = key == "content";
    ondemand::value value;
    if (const auto error = field.value().get(value); error != kOk) return error;
    error_code error = kOk;
    if (is_role) error = read_text(value, role);
    if (is_content) error = read_content(value);
    if (error != kOk) return error;
  }
  protocol::append_chat_message(hashing, role, content, bytes);
  return kOk;
}

error_code PromptScanner::State::read_content(ondemand::value value) {
  ondemand::array parts;
  if (value.get_array().get(parts) != kOk) return read_text(value, content);
  for (auto element : parts) {
    ondemand::value item;
    if (const auto error = element.get(item); error != kOk) return error;
    ondemand::object part;
    if (item.get_object().get(part) != kOk) continue;
    if (const auto error = read_part(part); error != kOk) return error;
  }
  return kOk;
}

error_code PromptScanner::State::read_part(ondemand::object part) {
  for (auto field : part) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key); error != kOk) return error;
    const bool is_text = key == "text";
    ondemand::value value;
    if (const auto error = field.value().get(value); error != kOk) return error;
    if (!is_text) continue;
    if (const auto error = read_text(value, content); error != kOk) return error;
  }
  return kOk;
}

PromptScanner::PromptScanner(protocol::PickerHashing hashing) : state_(std::make_unique<State>(hashing)) {}
PromptScanner::~PromptScanner() = default;

std::string PromptScanner::scan(std::string_view body, ScannedPrompt& prompt) {
  State& state = *state_;
  for (auto* text : {&state.model, &state.cache_salt, &state.tools, &state.bytes}) text->clear();
  state.ends.clear();
  state.model_found = state.chat = false;
  state.padded.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  state.padded.assign(body);
  const simdjson::padded_string_view view(state.padded.data(), body.size(), body.size() + simdjson::SIMDJSON_PADDING);

  ondemand::document document;
  if (const auto error = state.parser.iterate(view).get(document); error != kOk) return not_json(error);
  ondemand::object object;
  if (document.get_object().get(object) != kOk) return "the request body is not a JSON object";
  for (auto field : object) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key); error != kOk) return not_json(error);
    ondemand::value value;
    if (const auto error = field.value().get(value); error != kOk) return not_json(error);
    if (const auto error = state.read_field(key, value); error != kOk) return not_json(error);
  }
  // At the end of the document there is no location any more.
  const char* location = nullptr;
  if (document.current_location().get(location) == kOk) return "the request body is not valid JSON: bytes follow the object";
  if (!state.model_found || state.model.empty()) return "model not found in request body";
  if (state.chat && !state.tools.empty() && state.hashing == protocol::PickerHashing::kRouter09) {
    state.bytes.insert(0, state.tools);
    state.ends.back() = state.bytes.size();
  }
  prompt.model = state.model;
  prompt.cache_salt = state.cache_salt;
  prompt.bytes = state.bytes;
  prompt.ends = &state.ends;
  return {};
}

}  // namespace router
