// --watermark: which watermark a run gets, what is probed for it, and what coverage to expect. Used by run and plan.
#pragma once

#include <string>
#include <vector>

#include "analyzers/coverage_forecast.h"
#include "bench/cli/option_table.h"
#include "bench/cli/terminal.h"
#include "bench/shell/runner.h"
#include "scenarios/watermark.h"

namespace bench::cli {

/// A scenario as it will be sent, why, and what its attribution will be like.
struct MarkedScenario {
  scenarios::WatermarkChoice choice;
  scenarios::WatermarkKind kind = scenarios::WatermarkKind::kNone;  ///< natural where lengths differ enough by themselves
  scenarios::WatermarkFacts facts;
  scenarios::LengthSpread lengths;
  analyzers::ForecastInput forecast;
};

/// Answers longer than their workload's own max_tokens, and by how much: work that only a raised max_tokens makes. Empty
/// where no answer's length is known.
[[nodiscard]] std::string work_beyond(const Run& run, const std::vector<std::uint32_t>& own_max_tokens);

class WatermarkOptions {
 public:
  void declare(OptionTable& options);
  /// kInvalid for an unknown name.
  [[nodiscard]] core::Status check() const;
  /// Chooses (probing the target where the choice depends on it: at most five requests, before the load), changes the
  /// request's scenario, its scraper's target and its labels, and says so, with the predicted coverage.
  core::Status apply(RunRequest& request, Terminal& terminal);
  /// As apply(), without a target: what is not known is not chosen. `replicas` 0: none will be read.
  core::Result<MarkedScenario> apply_offline(scenarios::Scenario& scenario, std::uint64_t seed, std::size_t replicas, const ScrapeOptions& scrape) const;
  /// After a run: the work that the watermark of apply() made beyond the scenario's own, as counted; empty: none can be told.
  [[nodiscard]] std::string work_done(const Run& run) const { return own_max_tokens_.empty() ? "" : work_beyond(run, own_max_tokens_); }

 private:
  core::Result<MarkedScenario> choose(scenarios::Scenario& scenario, std::uint64_t seed, std::uint64_t salt, std::size_t replicas,
                                      const ScrapeOptions& scrape, const RunRequest* target) const;

  std::string watermark_;
  std::vector<std::uint32_t> own_max_tokens_;  ///< by workload, where the watermark raised them
};

/// Rates and lengths of a scenario as the forecast takes them.
[[nodiscard]] analyzers::ForecastInput forecast_input(const scenarios::Scenario& scenario, const scenarios::LengthSpread& lengths,
                                                      std::size_t replicas, const ScrapeOptions& scrape);

/// What `facts` a target gives: requests of the scenario one by one, each between scrapes.
core::Result<scenarios::WatermarkFacts> probe_watermark_facts(const RunRequest& request, const scenarios::Scenario& scenario);

}  // namespace bench::cli
