// How numbers and untrusted words are shown. Every renderer of people's output uses it, so a number looks the same
// everywhere; the equality test formats the JSON's numbers with it and compares.
// Must never be used for JSON, which carries full precision.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace reports {

enum class Unit { kPlain, kCount, kMs, kSeconds, kPerSecond, kTimes, kPercent, kUsd };

/// "94.2", "1,234", "2.99×", "83.1 %", "$203.70": three significant digits, thousands grouped.
[[nodiscard]] std::string format_figure(double value, Unit unit);
/// The unit's name in data-unit attributes, and back (kPlain for an unknown one).
[[nodiscard]] std::string_view unit_key(Unit unit);
[[nodiscard]] Unit unit_from_key(std::string_view key);
/// The unit that a metric's name ends in: "ttft_ms.p50" → kMs, "requests_per_s" → kPerSecond.
[[nodiscard]] Unit unit_of_metric(std::string_view metric);
/// "ttft_ms.p50" → "TTFT p50"; unknown names stay as they are.
[[nodiscard]] std::string metric_label(std::string_view metric);
/// Shortest text that reads back to the same double.
[[nodiscard]] std::string exact(double value);

/// Rounded to six significant digits: points of curves, in the JSON and in the tables beside drawings.
[[nodiscard]] double six_digits(double value);

/// Untrusted text made fit to show: valid UTF-8, no control or direction-override characters (each becomes U+FFFD),
/// at most `max_characters` code points (then "…").
[[nodiscard]] std::string clean(std::string_view text, std::size_t max_characters);
/// Code points of valid UTF-8.
[[nodiscard]] std::size_t characters(std::string_view text);
/// For HTML text and attribute values.
[[nodiscard]] std::string escape(std::string_view text);

inline constexpr std::size_t kNameLength = 60;       ///< names of arms, scenarios, replicas as shown
inline constexpr std::size_t kSentenceLength = 700;  ///< reasons and sentences as shown

}  // namespace reports
