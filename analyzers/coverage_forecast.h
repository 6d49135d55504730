// How much of a run's responses attribution will cover, from rates and lengths alone, before anything is sent. Pure.
// Used by `plan` and at the start of `run`. It is a forecast: rates of finishes, delays and the replicas' channels are
// assumed, and it is never printed without the word "predicted".
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/time.h"
#include "scenarios/watermark.h"

namespace analyzers {

struct ForecastInput {
  std::size_t replicas = 3;
  double rate_rps = 0;                     ///< finishes per second over all replicas
  core::Duration least_gap = std::chrono::milliseconds(20);  ///< between rounds of scrapes, as far as their cost allows
  double finishes_per_window = 0.2;        ///< what the scraper aims at when not every finish can have its round
  scenarios::LengthSpread lengths;
  bool fixed_interval = false;             ///< `least_gap` is the gap, finishes or not
  core::Duration page_cost{};              ///< of one scrape to a replica, as measured; 0: unknown. `least_gap` heeds it
  bool body_counted = false;               ///< the replicas count exactly the bytes of request bodies
  bool latency_sums = true;                ///< the servers export e2e and TTFT sums
};

struct CoverageForecast {
  double lambda = 0;                       ///< finishes per replica and round
  double lambda_limit = 0;                 ///< from there on the counters do not say enough
  double coverage_ratio = 0;
  core::Duration gap{};                    ///< between rounds
  bool event_driven = false;               ///< each finish gets its own round
};

/// attribution.md §3: bits that a round's assignment takes, against bits that its counters give.
[[nodiscard]] double bits_needed(double lambda, std::size_t replicas);
[[nodiscard]] double bits_supplied(double lambda, const ForecastInput& input);
[[nodiscard]] CoverageForecast forecast_coverage(const ForecastInput& input);
/// The highest rate at which coverage is predicted to reach `coverage_ratio`; 0: none.
[[nodiscard]] double rate_for_coverage(ForecastInput input, double coverage_ratio);

/// Something that would raise the predicted coverage, and to what.
struct CoverageLever {
  std::string what;
  double coverage_ratio = 0;
};
/// The most effective first; only what gains at least a hundredth. A known rate is required.
[[nodiscard]] std::vector<CoverageLever> coverage_levers(const ForecastInput& input, scenarios::WatermarkKind watermark);

/// What the forecast takes for granted, a sentence each.
[[nodiscard]] std::vector<std::string> forecast_basis(const ForecastInput& input);

/// "predicted attribution: about 97 % at 25 req/s …", with what would raise it when that is below 99 %.
[[nodiscard]] std::string describe_forecast(const ForecastInput& input, bool rate_known, scenarios::WatermarkKind watermark);

}  // namespace analyzers
