// How requests spread over replicas and how prefix groups stick to them. Used by analyze() per scenario and arm.
// Counts are the replicas' own (exact), or, where there are none, the attributed responses; each row says which.
#pragma once

#include <string>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/attribution.h"

namespace analyzers {

/// (Σx)² / (k Σx²); 1 is perfectly even, 1/k all on one. Nothing for no load.
[[nodiscard]] std::optional<double> jain_index(const std::vector<double>& load);

/// One row per replica name of the arm, in the order of the first run's list.
[[nodiscard]] std::vector<ReplicaRow> replica_rows(const std::vector<const bench::Run*>& runs, const std::vector<const RunFacts*>& facts,
                                                   const std::vector<const RunAttribution*>& attributions,
                                                   const std::vector<Window>& windows);

/// Prefix groups with at least two requests, largest first, at most 200.
[[nodiscard]] std::vector<PrefixGroupRow> prefix_group_rows(const std::vector<const bench::Run*>& runs,
                                                            const std::vector<const RunAttribution*>& attributions,
                                                            const std::vector<ReplicaRow>& replicas);

/// Σ over groups of the largest replica's share, weighted by attributed requests.
[[nodiscard]] Estimate stickiness(const std::vector<PrefixGroupRow>& groups);

[[nodiscard]] SpreadAnalysis spread(const std::vector<ReplicaRow>& replicas, const std::vector<PrefixGroupRow>& groups);

/// How much n prompts over k replicas can prove: computed power against 60 % on one replica, and what 80 % power takes.
[[nodiscard]] std::string power_sentence(std::size_t n, std::size_t k);

}  // namespace analyzers
