// Prefix-cache hits: what the replicas counted, what an unbounded shared cache would have had, and what cannot hit at all.
// Used by analyze() and findings. Pure; replans the schedule from scenario and seed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/run_facts.h"

namespace analyzers {

/// Block size that the replicas report; none when they do not, or disagree.
[[nodiscard]] std::optional<std::uint32_t> block_size_of(const std::vector<const bench::Run*>& runs);

/// Length of what all prompts of a run start with, in tokens: the common bytes' share of the shortest prompt, applied to
/// its measured prompt_tokens. For scenarios of literal prompts or shared prefixes; none otherwise.
struct SharedPrefix {
  double tokens = 0;         ///< shared by all (literal) or by a group (shared_prefix)
  double prompt_tokens = 0;  ///< of the shortest prompt, as measured
  bool measured = false;     ///< prompt_tokens came from usage
};
[[nodiscard]] std::optional<SharedPrefix> shared_prefix(const bench::Run& run, const RunFacts& facts);

[[nodiscard]] CacheAnalysis analyze_cache(const std::vector<const bench::Run*>& runs, const std::vector<const RunFacts*>& facts);

}  // namespace analyzers
