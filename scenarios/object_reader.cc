// See object_reader.h. Each problem says what is wrong, where, and what would be right.
#include "scenarios/object_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace scenarios {

ObjectReader::ObjectReader(const JsonValue& value, std::string path, std::vector<Problem>& problems)
    : value_(value), path_(std::move(path)), problems_(problems) {
  if (value_.kind != JsonValue::Kind::kObject) {
    problems_.push_back({path_, fmt::format("must be an object, is {}", value_.kind_name()), ""});
  }
}

std::string ObjectReader::path_of(std::string_view key) const { return fmt::format("{}.{}", path_, key.substr(0, 60)); }

void ObjectReader::report(std::string_view key, std::string message, std::string hint) {
  problems_.push_back({path_of(key), std::move(message), std::move(hint)});
}

void ObjectReader::report_kind(std::string_view key, const JsonValue& value, std::string_view expected) {
  report(key, fmt::format("must be {}, is {}", expected, value.kind_name()));
}

const JsonValue* ObjectReader::take(std::string_view key, Need need) {
  known_.push_back(key);
  const JsonValue* found = value_.find(key);
  if (found != nullptr && found->kind != JsonValue::Kind::kNull) return found;
  if (need == Need::kRequired && value_.kind == JsonValue::Kind::kObject) report(key, "is required, but missing");
  return nullptr;
}

void ObjectReader::text(std::string_view key, Need need, std::string& out) {
  const JsonValue* value = take(key, need);
  if (value == nullptr) return;
  if (value->kind != JsonValue::Kind::kString) return report_kind(key, *value, "a string");
  if (need == Need::kRequired && value->text.empty()) report(key, "must not be empty");
  out = value->text;
}

void ObjectReader::boolean(std::string_view key, bool& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (value->kind != JsonValue::Kind::kBoolean) return report_kind(key, *value, "true or false");
  out = value->boolean;
}

std::optional<std::uint32_t> ObjectReader::read_count(const JsonValue& value, const std::string& path, std::uint32_t low,
                                                      std::uint32_t high) {
  if (value.kind != JsonValue::Kind::kInteger) {
    problems_.push_back({path, fmt::format("must be a whole number, is {}", value.kind_name()), ""});
    return std::nullopt;
  }
  if (value.negative || value.integer < low || value.integer > high) {
    problems_.push_back({path, fmt::format("must be between {} and {}, is {}{}", low, high, value.negative ? "-" : "",
                                           value.integer), ""});
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(value.integer);
}

void ObjectReader::count(std::string_view key, Need need, std::uint32_t low, std::uint32_t high, std::uint32_t& out) {
  const JsonValue* value = take(key, need);
  if (value == nullptr) return;
  if (const auto read = read_count(*value, path_of(key), low, high)) out = *read;
}

void ObjectReader::count(std::string_view key, std::uint32_t low, std::uint32_t high, std::optional<std::uint32_t>& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (const auto read = read_count(*value, path_of(key), low, high)) out = *read;
}

std::optional<double> ObjectReader::read_number(std::string_view key, const JsonValue& value, Range range) {
  if (value.kind != JsonValue::Kind::kInteger && value.kind != JsonValue::Kind::kNumber) {
    report_kind(key, value, "a number");
    return std::nullopt;
  }
  if (!std::isfinite(value.number) || value.number < range.low || value.number > range.high) {
    report(key, fmt::format("must be between {} and {}, is {}", range.low, range.high, value.number));
    return std::nullopt;
  }
  return value.number;
}

void ObjectReader::number(std::string_view key, Need need, Range range, double& out) {
  const JsonValue* value = take(key, need);
  if (value == nullptr) return;
  if (const auto read = read_number(key, *value, range)) out = *read;
}

void ObjectReader::number(std::string_view key, Range range, std::optional<double>& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (const auto read = read_number(key, *value, range)) out = *read;
}

void ObjectReader::seconds(std::string_view key, Range range, Duration& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (const auto read = read_number(key, *value, range)) out = core::from_seconds(*read);
}

void ObjectReader::counts(std::string_view key, std::uint32_t low, std::uint32_t high, std::vector<std::uint32_t>& out) {
  const JsonValue* value = take(key);
  if (value == nullptr) return;
  if (value->kind != JsonValue::Kind::kArray) return report_kind(key, *value, "an array of whole numbers");
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    if (const auto read = read_count(value->items[i], fmt::format("{}[{}]", path_of(key), i), low, high)) out.push_back(*read);
  }
}

void ObjectReader::texts(std::string_view key, Need need, std::vector<std::string>& out) {
  const JsonValue* value = take(key, need);
  if (value == nullptr) return;
  if (value->kind != JsonValue::Kind::kArray) return report_kind(key, *value, "an array of strings");
  if (value->items.empty()) report(key, "must hold at least one text");
  for (std::size_t i = 0; i < value->items.size(); ++i) {
    const JsonValue& item = value->items[i];
    if (item.kind == JsonValue::Kind::kString && !item.text.empty()) {
      out.push_back(item.text);
    } else {
      problems_.push_back({fmt::format("{}[{}]", path_of(key), i), "must be a non-empty string", ""});
    }
  }
}

std::size_t ObjectReader::choice(std::string_view key, Need need, const std::vector<std::string_view>& choices,
                                 std::size_t fallback) {
  const JsonValue* value = take(key, need);
  if (value == nullptr) return fallback;
  const std::string allowed = fmt::format("one of \"{}\"", fmt::join(choices, "\", \""));
  if (value->kind != JsonValue::Kind::kString) {
    report_kind(key, *value, allowed);
    return fallback;
  }
  const auto found = std::find(choices.begin(), choices.end(), value->text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  const auto near = core::did_you_mean(value->text, choices);
  report(key, fmt::format("must be {}, is \"{}\"", allowed, value->text.substr(0, 60)),
         near ? fmt::format("did you mean \"{}\"?", *near) : "");
  return fallback;
}

void ObjectReader::finish() {
  for (const auto& [key, value] : value_.members) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const auto near = core::did_you_mean(std::string_view(key).substr(0, 60), known_);
    report(key, "unknown key",
           near ? fmt::format("did you mean \"{}\"?", *near) : fmt::format("known here: {}", fmt::join(known_, ", ")));
  }
}

}  // namespace scenarios
