// What the demo sends and what it expects: its scenarios, arms, prices and gates. Data for verb_demo.cc alone.
#pragma once

#include <string>
#include <vector>

#include "analyzers/analyze.h"
#include "scenarios/scenario.h"

namespace bench::cli {

struct DemoPlan {
  std::vector<scenarios::Scenario> probes;      ///< on the three-replica arm, c = 1
  scenarios::Scenario seed_load;                ///< c = 15 × 50 tokens: does not saturate
  scenarios::Scenario saturating_load;          ///< prefill-bound: the ladder finds its concurrency
  core::Duration ladder_step{};
  std::uint32_t blocks = 6;
};

core::Result<DemoPlan> make_demo_plan(std::uint32_t blocks, bool quick);
/// Pattern 1 (one replica) and Pattern 3 (three), at the prices the project's source documents state.
[[nodiscard]] std::vector<analyzers::ArmInfo> demo_arms();
core::Result<std::vector<analyzers::Gate>> demo_gates();

}  // namespace bench::cli
