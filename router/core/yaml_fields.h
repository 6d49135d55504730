// Reading YAML mappings strictly: every problem noted with its place, every unknown field found.
// Private to the configuration loader (config_yaml.cc); it is the one header that names yaml-cpp.
// It must never throw for a wrong document, and never stop at the first problem.
#pragma once

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/text.h"

namespace router {

inline std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 100)) + "\""; }

inline std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  const auto near = core::did_you_mean(word, candidates);
  return near ? "; did you mean " + quoted(*near) + "?" : std::string();
}

/// All problems of one document, in document order.
class Problems {
 public:
  explicit Problems(std::string_view file) : file_(file) {}
  void add(const YAML::Mark& mark, std::string message) {
    list_.push_back({mark.line + 1, mark.column + 1, std::move(message)});
  }
  /// What the real picker takes and this router does not.
  void add_unsupported(const YAML::Mark& mark, const std::string& what) {
    ++unsupported_;
    add(mark, what + " is known but not supported here");
  }
  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] bool any_unsupported() const { return unsupported_ > 0; }
  /// kUnsupported when nothing is wrong but what this router lacks.
  [[nodiscard]] core::Error error() {
    std::stable_sort(list_.begin(), list_.end(), [](const Problem& a, const Problem& b) {
      return a.line != b.line ? a.line < b.line : a.column < b.column;
    });
    std::string text;
    for (const auto& problem : list_) {
      if (!text.empty()) text.push_back('\n');
      text += file_ + ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": " + problem.message;
    }
    if (unsupported_ == list_.size()) return core::fail(core::ErrorCode::kUnsupported, std::move(text), "leave it out for this router; the real endpoint picker may take it");
    return core::fail(core::ErrorCode::kInvalid, std::move(text),
                      "correct the EndpointPickerConfig; the real endpoint picker is as strict at start-up");
  }

 private:
  struct Problem {
    int line, column;
    std::string message;
  };
  std::string file_;
  std::size_t unsupported_ = 0;
  std::vector<Problem> list_;
};

/// One mapping of the document, read field by field; what was not asked for is an unknown field.
class Fields {
 public:
  /// `node` may be null or absent: then every field is absent.
  Fields(const YAML::Node& node, std::string where, Problems& problems)
      : node_(node), where_(std::move(where)), problems_(problems) {
    if (!node_.IsDefined() || node_.IsNull()) return;
    if (!node_.IsMap()) {
      problems_.add(node_.Mark(), where_ + " must be a mapping");
      return;
    }
    for (const auto& entry : node_) {
      if (!entry.first.IsScalar()) {
        problems_.add(entry.first.Mark(), "a field name in " + where_ + " must be text");
      } else if (!fields_.emplace(entry.first.Scalar(), entry).second) {
        problems_.add(entry.first.Mark(), "field " + quoted(entry.first.Scalar()) + " appears twice in " + where_);
      }
    }
  }

  /// The field's value; an undefined node when absent or null.
  YAML::Node take(std::string_view key) {
    asked_.push_back(key);
    const auto found = fields_.find(std::string(key));
    if (found == fields_.end() || found->second.second.IsNull()) return YAML::Node(YAML::NodeType::Undefined);
    return found->second.second;
  }
  std::optional<std::string> text(std::string_view key) {
    const auto node = take(key);
    if (!node.IsDefined()) return std::nullopt;
    // Plain 12 or true is a number or a bool to the picker's strict decoder.
    const bool plain = node.IsScalar() && node.Tag() != "!";
    if (!node.IsScalar() ||
        (plain && (core::parse_number(node.Scalar()) || node.Scalar() == "true" || node.Scalar() == "false"))) {
      return wrong<std::string>(node, key, "text");
    }
    return node.Scalar();
  }
  std::optional<double> number(std::string_view key) {
    const auto node = take(key);
    if (!node.IsDefined()) return std::nullopt;
    const auto value = plain_number(node);
    if (!value || !std::isfinite(*value)) return wrong<double>(node, key, "a number");
    return value;
  }
  std::optional<std::size_t> count(std::string_view key, std::int64_t least = 0) {
    const auto node = take(key);
    if (!node.IsDefined()) return std::nullopt;
    const bool plain = node.IsScalar() && node.Tag() != "!";
    const auto value = plain ? core::parse_integer(node.Scalar()) : std::nullopt;
    if (!value || *value < least) {
      return wrong<std::size_t>(node, key, "a whole number of at least " + std::to_string(least));
    }
    return static_cast<std::size_t>(*value);
  }
  std::optional<bool> boolean(std::string_view key) {
    const auto node = take(key);
    if (!node.IsDefined()) return std::nullopt;
    if (!node.IsScalar() || node.Tag() == "!" || (node.Scalar() != "true" && node.Scalar() != "false")) {
      return wrong<bool>(node, key, "true or false");
    }
    return node.Scalar() == "true";
  }
  /// The items of a list field, none when absent.
  std::vector<YAML::Node> list(std::string_view key) {
    const auto node = take(key);
    std::vector<YAML::Node> items;
    if (!node.IsDefined()) return items;
    if (!node.IsSequence()) {
      problems_.add(node.Mark(), std::string(key) + " in " + where_ + " must be a list");
      return items;
    }
    for (const auto& item : node) items.push_back(item);
    return items;
  }
  /// A field the real picker has and this router does not act on.
  void refuse(std::string_view key) {
    const auto node = take(key);
    if (node.IsDefined()) problems_.add_unsupported(node.Mark(), std::string(key) + " in " + where_);
  }
  /// Reports every field that was not asked for.
  void finish() {
    for (const auto& [key, entry] : fields_) {
      if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
      problems_.add(entry.first.Mark(), "unknown field " + quoted(key) + " in " + where_ + suggestion(key, asked_));
    }
  }
  [[nodiscard]] YAML::Mark mark_of(std::string_view key) const {
    const auto found = fields_.find(std::string(key));
    return found == fields_.end() ? node_.Mark() : found->second.second.Mark();
  }

 private:
  static std::optional<double> plain_number(const YAML::Node& node) {
    if (!node.IsScalar() || node.Tag() == "!") return std::nullopt;
    return core::parse_number(node.Scalar());
  }
  template <class T>
  std::optional<T> wrong(const YAML::Node& node, std::string_view key, std::string_view expected) {
    problems_.add(node.Mark(), std::string(key) + " in " + where_ + " must be " + std::string(expected));
    return std::nullopt;
  }

  YAML::Node node_;
  std::string where_;
  Problems& problems_;
  std::map<std::string, YAML::const_iterator::value_type> fields_;
  std::vector<std::string_view> asked_;
};

}  // namespace router
