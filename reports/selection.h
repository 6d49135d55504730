// Which scenarios are load and which are tests of a few requests. Used by the HTML and text renderers alike.
// Must never drop a scenario: it only says where it is shown.
#pragma once

#include <algorithm>
#include <string_view>

#include "analyzers/analysis.h"

namespace reports {

/// Fewer requests than a p90 needs on every arm, beside a scenario that has more: such figures share one short table.
[[nodiscard]] inline bool is_small_test(const analyzers::Analysis& analysis, std::string_view scenario) {
  constexpr std::size_t kEnoughForP90 = 36;
  const auto enough = [](const analyzers::ArmAnalysis& arm) { return arm.counts.scheduled >= kEnoughForP90; };
  const auto mine = [&](const analyzers::ArmAnalysis& arm) { return arm.scenario == scenario; };
  const auto& arms = analysis.arms;
  return std::any_of(arms.begin(), arms.end(), enough) && std::any_of(arms.begin(), arms.end(), mine) &&
         std::none_of(arms.begin(), arms.end(), [&](const auto& arm) { return mine(arm) && enough(arm); });
}

}  // namespace reports
