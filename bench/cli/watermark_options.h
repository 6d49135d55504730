// --watermark: which watermark a run gets, what is probed for it, and what coverage to expect. Used by run and plan.
#pragma once

#include <string>

#include "analyzers/coverage_forecast.h"
#include "bench/cli/option_table.h"
#include "bench/cli/terminal.h"
#include "bench/shell/runner.h"
#include "scenarios/watermark.h"

namespace bench::cli {

class WatermarkOptions {
 public:
  void declare(OptionTable& options);
  /// kInvalid for an unknown name.
  [[nodiscard]] core::Status check() const;
  /// Chooses (probing the target where the choice depends on it: at most four requests, before the load), changes the
  /// request's scenario, its scraper's target and its labels, and says so, with the predicted coverage.
  core::Status apply(RunRequest& request, Terminal& terminal) const;
  /// As apply(), without a target: what is not known is not chosen.
  core::Result<scenarios::WatermarkChoice> apply_offline(scenarios::Scenario& scenario, std::uint64_t seed) const;

 private:
  struct Chosen {
    scenarios::WatermarkChoice choice;
    scenarios::WatermarkFacts facts;
  };
  core::Result<Chosen> choose(scenarios::Scenario& scenario, std::uint64_t seed, std::uint64_t salt, const RunRequest* target) const;

  std::string watermark_;
};

/// Rates and lengths of a scenario as the forecast takes them.
[[nodiscard]] analyzers::ForecastInput forecast_input(const scenarios::Scenario& scenario, const scenarios::Schedule& schedule,
                                                      std::size_t replicas, const ScrapeOptions& scrape);
/// Fixed lengths are natural ones when they differ enough.
[[nodiscard]] scenarios::WatermarkKind effective_kind(const scenarios::WatermarkChoice& choice, const scenarios::LengthSpread& lengths);

/// What `facts` a target gives: requests of the scenario one by one, each between scrapes.
core::Result<scenarios::WatermarkFacts> probe_watermark_facts(const RunRequest& request, const scenarios::Scenario& scenario);

}  // namespace bench::cli
