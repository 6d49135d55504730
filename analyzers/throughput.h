// Throughput, goodput, attainment, failures, Little's law and the time series of one run.
// Used by analyze() and judge_validity(). Successful requests only; every row says how it was counted.
#pragma once

#include <string>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/run_facts.h"
#include "analyzers/window.h"

namespace analyzers {

/// requests_per_s, input_tokens_per_s, output_tokens_per_s, total_tokens_per_s, goodput_requests_per_s,
/// slo_attainment_ratio, failed_ratio, in_flight_mean, cached_prompt_tokens_ratio.
[[nodiscard]] std::vector<MetricRow> throughput_rows(const bench::Run& run, const Window& window,
                                                     const RequestCounts& counts);

/// |L - λW| / L over the window: mean in-flight against completions per s × mean time in flight. None without requests.
[[nodiscard]] Estimate littles_law_gap(const bench::Run& run, const Window& window);

/// in_flight, requests_per_s, output_tokens_per_s, ttft_ms_p50 and, per replica, waiting and running over time.
[[nodiscard]] std::vector<Series> time_series(const bench::Run& run);

/// A row with the unit that its name ends in.
[[nodiscard]] MetricRow row(std::string metric, Estimate estimate);
[[nodiscard]] const MetricRow* find_row(const std::vector<MetricRow>& rows, std::string_view metric);
/// The unit of a metric by its name: "ms", "1/s", "ratio", "usd", …
[[nodiscard]] std::string unit_of(std::string_view metric);
/// Whether smaller is better: latencies, failures and cost.
[[nodiscard]] bool lower_is_better(std::string_view metric);

}  // namespace analyzers
