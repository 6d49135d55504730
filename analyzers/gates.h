// Judging acceptance gates: a one-sided interval against a limit, with the reason and what to do next.
// Used by analyze(). A metric without data is INVALID, never a pass.
#pragma once

#include <span>
#include <vector>

#include "analyzers/experiment.h"

namespace analyzers {

/// All that gates are judged on; spans are parallel: arms[i] belongs to cells[i].
struct GateEvidence {
  std::span<const ArmCells> cells;
  std::span<const ArmAnalysis> arms;
  std::span<const ScalingRow> scaling;
  std::span<const AttributionRow> attribution;
};

/// One result per gate and matching (scenario, arm); "" or "*" matches all. No match: one INVALID result.
[[nodiscard]] std::vector<GateResult> judge_gates(std::span<const Gate> gates, const GateEvidence& evidence);

/// Over hard gates: INVALID > FAIL > INCONCLUSIVE > PASS; a gate whose author expects its verdict counts as a pass.
[[nodiscard]] Verdict overall_verdict(std::span<const GateResult> results);

}  // namespace analyzers
