// Is an arm saturated at the load that was measured? Waiting requests on every replica, and a flat ladder.
// Used by scaling and gates: without it no scaling claim.
#pragma once

#include "analyzers/experiment.h"

namespace analyzers {

/// Share of a replica's in-window scrapes that must show a waiting request.
inline constexpr double kMinWaitingFraction = 0.9;
/// Gain of throughput that a doubling of the concurrency may still bring on the last step of the ladder.
inline constexpr double kMaxGainPerDoubling = 0.05;

/// kPass: every replica had requests waiting in at least 90 % of the in-window scrapes, and the last step of the ladder
/// brought at most 5 % per doubling. kFail: one of the two is clearly broken (a replica waiting in less than half of
/// them, or a gain above 10 %). kInconclusive: in between, or something was not measured.
[[nodiscard]] SaturationAnalysis analyze_saturation(const ArmCells& arm);

}  // namespace analyzers
