// Scrape cost: what reading the replicas' metrics does to the measurement, found by measuring it: short runs of the same
// scenario with scraping on and off, alternately, and the differences of their pairs with an interval.
// Used by `run --measure-scrape-cost`. Its runs are stored nowhere.
#pragma once

#include <span>
#include <string>

#include "bench/cli/terminal.h"
#include "bench/shell/runner.h"

namespace bench::cli {

/// What one short run showed; only what was measured.
struct ScrapeCostSample {
  double e2e_mean_ms = 0, tpot_mean_ms = 0, requests_per_s = 0;
  std::size_t requests = 0;
};

[[nodiscard]] ScrapeCostSample scrape_cost_sample(const Run& run);

/// Lines for stdout: relative differences on against off over the pairs, with 95 % t intervals, and what can be concluded.
/// on[i] and off[i] are a pair. Fewer than two pairs give no interval and say so.
[[nodiscard]] std::string describe_scrape_cost(std::span<const ScrapeCostSample> on, std::span<const ScrapeCostSample> off);

/// Runs `pairs` pairs of `phase` each, order swapped from pair to pair, after a short warm-up; the text of the above plus
/// what a scrape cost. An interruption ends it with kCancelled.
core::Result<std::string> measure_scrape_cost(const RunRequest& request, Duration phase, std::size_t pairs, Terminal& terminal);

}  // namespace bench::cli
