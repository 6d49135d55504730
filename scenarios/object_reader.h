// ObjectReader: takes the members of one JSON object by name and type, and collects every problem with its JSON path.
// Used by the scenario parser. After the last take, finish() reports the members that nobody asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "scenarios/json_tree.h"
#include "scenarios/scenario.h"

namespace scenarios {

class ObjectReader {
 public:
  enum class Need { kOptional, kRequired };
  struct Range {
    double low = 0, high = 0;
  };

  /// `value` may be of any kind: a non-object is reported once and then reads as an empty one.
  ObjectReader(const JsonValue& value, std::string path, std::vector<Problem>& problems);

  /// The member, or nullptr (absent or null). Marks the key as known.
  const JsonValue* take(std::string_view key, Need need = Need::kOptional);

  /// A required text must not be empty.
  void text(std::string_view key, Need need, std::string& out);
  void boolean(std::string_view key, bool& out);
  /// Whole number in [low, high].
  void count(std::string_view key, Need need, std::uint32_t low, std::uint32_t high, std::uint32_t& out);
  void count(std::string_view key, std::uint32_t low, std::uint32_t high, std::optional<std::uint32_t>& out);
  void number(std::string_view key, Need need, Range range, double& out);
  void number(std::string_view key, Range range, std::optional<double>& out);
  /// Seconds in [low, high].
  void seconds(std::string_view key, Range range, Duration& out);
  void counts(std::string_view key, std::uint32_t low, std::uint32_t high, std::vector<std::uint32_t>& out);
  void texts(std::string_view key, Need need, std::vector<std::string>& out);
  /// The index of the member's text in `choices`; `fallback` when absent or wrong.
  std::size_t choice(std::string_view key, Need need, const std::vector<std::string_view>& choices, std::size_t fallback);

  /// Reports unknown members with did-you-mean.
  void finish();
  void report(std::string_view key, std::string message, std::string hint = {});
  [[nodiscard]] std::string path_of(std::string_view key) const;

 private:
  void report_kind(std::string_view key, const JsonValue& value, std::string_view expected);
  std::optional<std::uint32_t> read_count(const JsonValue& value, const std::string& path, std::uint32_t low, std::uint32_t high);
  std::optional<double> read_number(std::string_view key, const JsonValue& value, Range range);

  const JsonValue& value_;
  std::string path_;
  std::vector<Problem>& problems_;
  std::vector<std::string_view> known_;
};

}  // namespace scenarios
