// The truth check: attribution from counters against names that responses carry (a header, a fingerprint).
// Called once all claims are made. Header values enter here and in header_attribution(), and nothing else may read them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/attribution.h"

namespace analyzers {

/// Replica's name -> header value, by majority over the responses that the counters decide exactly (over all claims where
/// none is exact); one to one. Pooled over the runs of one arm, so that a name must mean the same replica in all of them.
[[nodiscard]] std::map<std::string, std::string> names_of_replicas(const std::vector<const bench::Run*>& runs,
                                                                   const std::vector<const RunAttribution*>& attributions);

/// Nothing is compared, and the reason is given, where one name stands for several replicas (it is a proxy's, or the
/// list of replicas is wrong) or where the header is the source of the attribution itself.
[[nodiscard]] TruthCheck check_truth(const std::vector<const bench::Run*>& runs, const std::vector<const RunAttribution*>& attributions);

/// What the headers say, as a claim for each response that carries one; method "header", confidence 1. Values are
/// matched to replicas by name, by the address in the metrics URL, else by names_of_replicas() of `by_metrics`. Counters'
/// totals stay. A refusal when no response names a replica of the list.
[[nodiscard]] RunAttribution header_attribution(const bench::Run& run, const RunAttribution& by_metrics);

}  // namespace analyzers
