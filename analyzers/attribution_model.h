// Probabilities of the attribution problem: when a replica counted an event, and how well latency sums fit a set of
// events. Pure arithmetic; used by the round solver, by calibration and by the brute-force test that checks both.
#pragma once

#include <array>
#include <cstddef>

#include "analyzers/attribution_layer.h"

namespace analyzers {

/// Prior of "candidate was counted in window", and what it says about a hold.
struct WindowOption {
  double p = 0;                       ///< P(counted in the window), replica's prior share included
  double held = 0;                    ///< of that, the share in which the response was held back
  double hold_low_s = 0, hold_high_s = 0;  ///< and for how long then
  double log_p = 0;                   ///< log of p, if that is positive
  double log_held = 0;                ///< log of `held` where that is over a half, else of 1 - held
};

/// P(delay <= x), averaged over a snapshot instant that is uniform in [sent, answered], is what both ends of a window
/// contribute; windows before the first and after the last scrape have one end only.
[[nodiscard]] WindowOption window_option(const DelayModel& model, const LayerCandidate& candidate, const LayerWindow& window,
                                         std::size_t replicas);

/// Sums over the members of a window: what the likelihood of its latency sums depends on.
struct WindowMembers {
  std::size_t n = 0;
  double latency_s = 0;
  double log_not_held = 0;            ///< sum of log(1 - held) over the members that are rather not held
  std::size_t surely_held = 0;        ///< members whose option requires a hold
  double log_held = 0;                ///< sum of log(held) over those
  double low_s = 0, high_s = 0;       ///< sum of their hold ranges
  double one_held = 0;                ///< sum of held/(1 - held) over the others
  double one_low_s = 0, one_high_s = 0;  ///< mean hold range over the others, weighted by that

  void add(const LayerCandidate& candidate, const WindowOption& option);
};

/// Fills model.sums from model.noise.
void prepare_sums(DelayModel& model);

/// log density (per second) of the window's latency sum, given its members and no foreign event.
[[nodiscard]] double latency_log_likelihood(const LayerProblem& problem, const LayerWindow& window, const WindowMembers& members);

/// log weight of `foreign` events of others that leave the remainder of the window's sums; -infinity where the integers
/// forbid it.
[[nodiscard]] double foreign_log_weight(const LayerProblem& problem, const LayerWindow& window, std::int64_t foreign,
                                        const std::array<std::int64_t, kIntegerChannels>& remainder,
                                        double latency_remainder_s);

/// Residual (client - server - bias) beyond which a window of `n` members is not considered; {low, high} in seconds.
struct LatencyBounds {
  double low_s = 0, high_s = 0;
};
[[nodiscard]] LatencyBounds latency_bounds(const LayerProblem& problem, std::size_t n);
[[nodiscard]] double bias_of(const DelayModel& model, std::uint16_t replica);

}  // namespace analyzers
