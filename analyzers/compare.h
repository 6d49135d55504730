// Candidate against baseline over paired blocks: log-t interval, sign-flip p, words from the interval.
// Used by analyze(). The unit is the block; requests are never pooled for a claim.
#pragma once

#include <string>
#include <vector>

#include "analyzers/experiment.h"

namespace analyzers {

/// Ratio that counts as "no difference that matters": tails 1.05, medians 1.03, throughput 1.02.
[[nodiscard]] double equivalence_ratio(std::string_view metric);

/// "better", "worse": the 95 % interval lies wholly beyond the equivalence ratio; "equivalent": the 90 % interval lies
/// wholly within; else "unclear".
[[nodiscard]] ComparisonRow compare_metric(const ArmCells& baseline, const ArmCells& candidate, const std::string& metric);

/// All metrics that both arms have figures for.
[[nodiscard]] std::vector<ComparisonRow> compare_arms(const ArmCells& baseline, const ArmCells& candidate);

}  // namespace analyzers
