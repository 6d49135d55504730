#include "bench/cli/demo_plan.h"

namespace bench::cli {
namespace {

using namespace std::chrono_literals;

// Every gate says which verdict is expected: at a load that saturates nothing, "inconclusive" is the right answer, and
// a pass there would be the failure.
constexpr std::string_view kPattern3Gates = R"json({
  "schema": "gatebench.gates", "schema_version": "1.0",
  "gates": [
    {"id": "scaling at saturation", "metric": "scaling.throughput_ratio", "op": ">=", "value": 2.5,
     "scope": {"scenario": "saturate", "arm": "pattern3"}, "relative_to": "pattern1", "confidence": {"rule": "paired_t"}},
    {"id": "efficiency at saturation", "metric": "scaling.efficiency_ratio", "op": ">=", "value": 0.85,
     "scope": {"scenario": "saturate", "arm": "pattern3"}, "relative_to": "pattern1", "confidence": {"rule": "paired_t"}},
    {"id": "scaling at the documents' load", "metric": "scaling.throughput_ratio", "op": ">=", "value": 2.5, "expect": "inconclusive",
     "scope": {"scenario": "seed-throughput", "arm": "pattern3"}, "relative_to": "pattern1", "confidence": {"rule": "paired_t"}},
    {"id": "no failures at saturation", "metric": "failed_ratio", "op": "<=", "value": 0.001,
     "scope": {"scenario": "saturate", "arm": "pattern3"}, "confidence": {"rule": "run_sign"}},
    {"id": "no failures at the documents' load", "metric": "failed_ratio", "op": "<=", "value": 0.001,
     "scope": {"scenario": "seed-throughput", "arm": "pattern3"}, "confidence": {"rule": "run_sign"}},
    {"id": "a long shared prefix sticks", "metric": "stickiness_ratio", "op": ">=", "value": 1.0,
     "scope": {"scenario": "mars-long", "arm": "pattern3"}, "confidence": {"rule": "point"}},
    {"id": "a long shared prefix hits", "metric": "prefix_hit_ratio", "op": ">=", "value": 0.5,
     "scope": {"scenario": "mars-long", "arm": "pattern3"}, "confidence": {"rule": "point"}},
    {"id": "a prefix below one page cannot hit", "metric": "prefix_hit_ratio", "op": "<=", "value": 0.0,
     "scope": {"scenario": "mars-verbatim", "arm": "pattern3"}, "confidence": {"rule": "point"}},
    {"id": "no response attributed wrongly", "metric": "attribution.wrong", "op": "<=", "value": 0,
     "scope": {"scenario": "seed-throughput", "arm": "pattern3"}, "confidence": {"rule": "point"}},
    {"id": "most responses attributed", "metric": "attribution.coverage_ratio", "op": ">=", "value": 0.6,
     "scope": {"scenario": "seed-throughput", "arm": "pattern3"}, "confidence": {"rule": "point"}}
  ]
})json";

}  // namespace

core::Result<DemoPlan> make_demo_plan(std::uint32_t blocks, bool quick) {
  DemoPlan plan;
  plan.blocks = blocks;
  plan.ladder_step = quick ? 1500ms : 2500ms;
  for (const char* name : {"hello", "serial", "mars-verbatim", "mars-long", "haiku"}) {
    auto scenario = scenarios::catalog_scenario(name);
    if (!scenario) return scenario.error();
    plan.probes.push_back(std::move(*scenario));
  }
  auto seed_load = scenarios::catalog_scenario("seed-throughput");
  if (!seed_load) return seed_load.error();
  plan.seed_load = std::move(*seed_load);
  auto saturating = scenarios::catalog_scenario("saturate");
  if (!saturating) return saturating.error();
  plan.saturating_load = std::move(*saturating);
  plan.saturating_load.stop = {std::nullopt, quick ? core::Duration(2500ms) : core::Duration(4500ms)};
  return plan;
}

std::vector<analyzers::ArmInfo> demo_arms() {
  analyzers::ArmInfo one, three;
  one.name = "pattern1";
  one.role = "baseline";
  one.replicas = 1;
  // Source documents: $5.00 an hour for a node of four TPU v6e chips, $0.12 an hour for the CPU node.
  one.usd_per_hour = 5.00 + 0.12;
  three.name = "pattern3";
  three.role = "candidate";
  three.replicas = 3;
  three.usd_per_hour = 3 * 5.00 + 0.12;
  return {one, three};
}

core::Result<std::vector<analyzers::Gate>> demo_gates() { return analyzers::parse_gates(kPattern3Gates, "the demo's gates"); }

}  // namespace bench::cli
