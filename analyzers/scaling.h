// How much more the candidate's replicas serve than the baseline's, and whether the load allows the claim at all.
// Used by analyze() and scaling gates.
#pragma once

#include "analyzers/experiment.h"

namespace analyzers {

/// ratio = X_N / X_1 over paired blocks (log-t); efficiency = ratio · R_base / R_cand. "shown" needs saturation of both
/// arms and valid throughput; else "not shown" ("invalid" when throughput is), with one sentence on what the load did.
[[nodiscard]] ScalingRow analyze_scaling(const ArmCells& baseline, const SaturationAnalysis& baseline_saturation, const ArmCells& candidate,
                                         const SaturationAnalysis& candidate_saturation);

}  // namespace analyzers
