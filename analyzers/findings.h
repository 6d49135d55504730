// Plain-language findings of the small seed tests: what was sent, what came, what it proves.
// Used by analyze() per scenario and arm. A finding never claims more than its figures carry.
#pragma once

#include <vector>

#include "analyzers/experiment.h"

namespace analyzers {

/// "stickiness" (few requests sharing a prefix), "spread" (few unrelated prompts), "serial-attribution" (probes); none
/// for load scenarios. Stickiness and spread only where there is more than one replica.
[[nodiscard]] std::vector<Finding> find_findings(const ArmCells& cells, const ArmAnalysis& arm, const AttributionRow& attribution);

}  // namespace analyzers
