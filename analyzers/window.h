// The measured window of a run: fixed trim, and in a closed loop the stretch in which the asked concurrency was held.
// Used by latency, throughput, validity. Pure; the same rule for every arm, never adapted to one.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/run_facts.h"
#include "bench/run.h"

namespace analyzers {

/// In-flight requests as a step function: (seconds, level from then on), ascending.
[[nodiscard]] std::vector<std::pair<double, std::size_t>> in_flight_steps(const bench::Run& run);
/// Time mean of the step function over [start, end]; 0 for an empty span.
[[nodiscard]] double mean_in_flight(const std::vector<std::pair<double, std::size_t>>& steps, double start_s, double end_s);

/// Closed loop: from the first to the last instant, after the scenario's trim, at which in-flight >= 0.95 c.
/// Open loop: from the trim to the last scheduled time. Falls back to everything after the trim, and says so.
[[nodiscard]] Window measured_window(const bench::Run& run, const RunFacts& facts);

/// Due within the window (closed: `due`; open: scheduled time): the population of latencies.
[[nodiscard]] bool due_in(const Window& window, const bench::RequestRecord& record);
/// Ended within the window: what throughput counts. By completion in an open loop too: a target that falls behind serves
/// less than it is offered, and what it works off after the schedule's end was not served in that time.
[[nodiscard]] bool counts_in(const Window& window, const bench::RequestRecord& record);

[[nodiscard]] RequestCounts count_requests(const bench::Run& run, const RunFacts& facts, const Window& window);

}  // namespace analyzers
