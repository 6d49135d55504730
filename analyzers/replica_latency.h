// Latency per replica, of responses whose replica is known at least in probability. Used by analyze() per arm.
#pragma once

#include <vector>

#include "analyzers/experiment.h"

namespace analyzers {

/// Fills `latencies` and `weighed_ratio` of the rows. Every response in the measured windows counts for each of its
/// candidates by that one's probability, so that ambiguous responses neither vanish nor are guessed; the mean is
/// unbiased as far as the probabilities are true. Cells that are not valid for a latency are left out of it.
void add_replica_latencies(const std::vector<const Cell*>& cells, std::vector<ReplicaRow>& rows);

}  // namespace analyzers
