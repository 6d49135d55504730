// From runs to cells and from cells to arms: the middle of analyze().
// Used by analyze.cc only.
#pragma once

#include <span>
#include <vector>

#include "analyzers/experiment.h"

namespace analyzers {

/// One Cell per run, in the order scenario, arm, block, position, attempt; `used` decided; figures filled.
[[nodiscard]] std::vector<Cell> make_cells(std::span<const bench::Run> runs);
/// Used cells by (scenario, arm), in order of first appearance in the experiment; ladders beside them.
[[nodiscard]] std::vector<ArmCells> sort_into_arms(const std::vector<Cell>& cells, const ExperimentSpec& spec);
/// All of an arm's figures but its saturation-dependent ones.
[[nodiscard]] ArmAnalysis analyze_arm(const ArmCells& arm);
[[nodiscard]] AttributionRow attribute_arm(const ArmCells& arm);
/// Worst of several: per check the worst one.
[[nodiscard]] Validity worst_validity(const std::vector<const Validity*>& parts);

}  // namespace analyzers
