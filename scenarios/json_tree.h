// JSON as a small tree that keeps what strict reading needs: key order, and a refusal of duplicate keys and deep nesting.
// Used by the scenario parser only; nlohmann stays inside json_tree.cc. It must never recurse on hostile input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace scenarios {

struct JsonValue {
  enum class Kind { kNull, kBoolean, kInteger, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool boolean = false;
  bool negative = false;           ///< kInteger: the magnitude is `integer`
  std::uint64_t integer = 0;
  double number = 0;               ///< also set for kInteger
  std::string text;
  std::vector<JsonValue> items;
  std::vector<std::pair<std::string, JsonValue>> members;

  [[nodiscard]] const JsonValue* find(std::string_view key) const;
  /// "a number", "an object", … for messages.
  [[nodiscard]] std::string_view kind_name() const;
};

struct JsonProblem {
  std::string place;  ///< "line 3, column 7"
  std::string message;
};

inline constexpr std::size_t kMaxJsonBytes = 1u << 20;
inline constexpr std::size_t kMaxJsonDepth = 32;

/// Reads one JSON document. On failure `problem` says where and what; the tree is then of no use.
bool read_json(std::string_view text, JsonValue& root, JsonProblem& problem);

}  // namespace scenarios
