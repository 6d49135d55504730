// The scorers: what each endpoint is worth to a request, in 0..1, by the endpoint picker's formulas.
// Called by the pipeline for every pick. Pure; no clock, no lock, no allocation.
// A formula must never be "improved" here: the modes differ in inputs, which ScoringInput carries.
#pragma once

#include <cstdint>
#include <span>

#include "router/core/config.h"

namespace router {

/// Everything the scorers read, per candidate of this cycle, in candidate order.
struct ScoringInput {
  std::span<const double> waiting, running, kv_used_fraction;
  std::span<const std::uint8_t> stale;             ///< 1: the scraped values are too old to be believed
  std::span<const std::uint64_t> in_flight_requests, in_flight_tokens;
  std::span<const std::uint32_t> matched_blocks;
  std::span<const std::uint32_t> cold_rank;        ///< 0: least recently given a cold request, or never
  std::uint32_t total_blocks = 0;
  std::uint32_t block_tokens = 0;
  std::uint64_t prompt_tokens = 0;                 ///< the picker's estimate, bytes / 4

  [[nodiscard]] std::size_t size() const { return waiting.size(); }
};

/// This request's prompt tokens that candidate i would have to compute.
[[nodiscard]] std::uint64_t uncached_tokens(const ScoringInput& input, std::size_t i);

/// Writes one score per candidate, before clamping and weighting. Stale candidates get the middle of the scorer's range
/// and are left out of its minimum and maximum.
void score(const ScorerSpec& scorer, const ScoringInput& input, std::span<double> scores);

}  // namespace router
