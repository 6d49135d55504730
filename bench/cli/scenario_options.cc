// See scenario_options.h.
#include "bench/cli/scenario_options.h"

#include "bench/cli/files.h"

namespace bench::cli {
namespace {

core::Result<scenarios::Scenario> find_scenario(const std::string& reference) {
  if (scenarios::catalog_json(reference)) return scenarios::catalog_scenario(reference);
  const bool looks_like_file = reference.find('/') != std::string::npos || reference.find(".json") != std::string::npos;
  if (!looks_like_file) return scenarios::catalog_scenario(reference);
  const auto text = read_file(reference);
  if (!text) return text.error();
  return scenarios::parse_scenario(*text, reference);
}

}  // namespace

void ScenarioOptions::declare(OptionTable& o) {
  std::string names;
  for (const auto known : scenarios::catalog_names()) names += (names.empty() ? "" : ", ") + std::string(known);
  o.positional("SCENARIO", "a scenario file, or a bundled one: " + names, &scenario_);
  o.option("seed", "N", "seed of the schedule (default 1)", &seed_);
  o.option("request-rate", "RPS", "open loop: requests per second", &overrides_.rate_rps);
  o.option("burstiness", "SHAPE", "open loop: gamma shape of the arrivals, 1 is Poisson", &overrides_.burstiness);
  o.option("max-concurrency", "N", "closed loop: requests in flight", &overrides_.concurrency);
  o.option("num-prompts", "N", "how many requests to send", &overrides_.requests);
  o.option("duration", "DURATION", "how long to send", &overrides_.duration);
  o.option("max-tokens", "N", "output tokens per request", &overrides_.max_tokens);
  o.option("ignore-eos", "", "ask for full-length outputs", &ignore_eos_);
}

core::Result<scenarios::Scenario> ScenarioOptions::resolve() {
  auto scenario = find_scenario(scenario_);
  if (!scenario) return scenario.error();
  if (ignore_eos_) overrides_.ignore_eos = true;
  return scenarios::apply(std::move(*scenario), overrides_);
}

}  // namespace bench::cli
