// Duration and TimePoint: the only types for time in gatebench. Used by all folders.
// TimePoint counts on the steady clock (or on a virtual clock with the same type); never wall time.
#pragma once

#include <chrono>
#include <cstdint>

namespace core {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

using namespace std::chrono_literals;

/// "Has not happened": the value of a RequestRecord's time that was never reached.
inline constexpr Duration kNever{-1};

[[nodiscard]] constexpr double to_seconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }
[[nodiscard]] constexpr double to_ms(Duration d) { return static_cast<double>(d.count()) / 1e6; }
/// Seconds to Duration, rounded to the nearest nanosecond. `seconds` must be finite and within ±9e9.
[[nodiscard]] constexpr Duration from_seconds(double seconds) {
  return Duration{static_cast<std::int64_t>(seconds * 1e9 + (seconds < 0 ? -0.5 : 0.5))};
}
[[nodiscard]] constexpr Duration from_ms(double ms) { return from_seconds(ms * 1e-3); }

}  // namespace core
