// Small text helpers: did-you-mean, trimming, number and duration formatting. Used by parsers and renderers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace core {

/// The candidate nearest to `word` (Levenshtein), if it is near enough to be a slip of the pen.
[[nodiscard]] std::optional<std::string> did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] std::string to_lower(std::string_view text);
/// Others' text for a terminal: control characters, escape sequences among them, and marks that turn the
/// direction become spaces; other UTF-8 stays.
[[nodiscard]] std::string printable(std::string_view text);
[[nodiscard]] bool equals_ignore_case(std::string_view a, std::string_view b);

/// "250ms", "10s", "5m", "1.5h"; a bare number is refused, because its unit would be a guess.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
/// RFC 3339 UTC with milliseconds from a unix time in seconds.
[[nodiscard]] std::string rfc3339_utc(double unix_seconds);
/// Strict decimal; the whole text must be a finite number.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

}  // namespace core
