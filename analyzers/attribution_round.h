// One round of the attribution problem: which assignments of its candidates to its windows do the integers allow?
// Called by decode() only. Exhaustive within a node budget; over it the round says so and proves nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "analyzers/attribution.h"

namespace analyzers {

/// All solutions of a round, grouped by which candidates (bits, in the order of `members`) were finished in it; for each
/// group and member, the replicas (bits) that some solution puts it on.
struct RoundSolutions {
  enum class Status { kSolved, kInconsistent, kTooDense, kUnknown };
  Status status = Status::kUnknown;
  std::string why;                         ///< kUnknown: "reset" or "no scrape"
  std::vector<std::uint32_t> members;      ///< indices into AttributionProblem::candidates
  std::vector<std::uint64_t> time_domain;  ///< per member: replicas that its finish bracket allows, counters ignored
  std::vector<char> propagated;            ///< per member: settled without a search
  std::map<std::uint64_t, std::vector<std::uint64_t>> groups;
  std::size_t nodes = 0;
};

/// `slack`: finishes in this round that need not be ours, at most.
[[nodiscard]] RoundSolutions solve_round(const AttributionProblem& problem, std::uint32_t round,
                                         const std::vector<std::uint32_t>& members, std::int64_t slack, std::size_t node_budget,
                                         std::size_t max_members);

}  // namespace analyzers
