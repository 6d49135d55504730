// Counts over replicas against "every replica equally likely": exact where that is affordable, else seeded Monte Carlo.
// Used by distribution.cc and findings.cc. Equal input gives equal output on every compiler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/rng.h"

namespace analyzers {

/// Number of ways to put n into k cells, capped at `cap`.
[[nodiscard]] std::size_t compositions(std::size_t n, std::size_t k, std::size_t cap);

/// One draw of n items into cells with these probabilities (sum 1), by conditional binomials.
void draw_multinomial(core::Rng& rng, std::size_t n, const std::vector<double>& probabilities, std::vector<std::size_t>& counts);

struct UniformityTest {
  double p = 1;
  std::string method;  ///< "exact multinomial", "Monte Carlo, 99,999 draws"
};
/// P(an outcome at most as likely as this one), all cells equally likely. Exact when there are at most 1e6 outcomes.
[[nodiscard]] UniformityTest uniformity(const std::vector<std::size_t>& counts);

/// How often the uniformity test at level `alpha` rejects n items over k cells when one cell gets share `skew` and the
/// others the rest in equal parts. Exact up to 2e5 outcomes, else 4,000 seeded draws.
[[nodiscard]] double power_against_skew(std::size_t n, std::size_t k, double skew, double alpha);
/// Least n with that power >= `power`; none up to `max_n`.
[[nodiscard]] std::optional<std::size_t> items_needed(std::size_t k, double skew, double alpha, double power, std::size_t max_n);

/// Mean share of the largest cell when n items fall at random into k equally likely cells.
[[nodiscard]] double expected_largest_share(std::size_t n, std::size_t k);

}  // namespace analyzers
