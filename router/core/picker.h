// The pickers: totals to a ranking of candidates. Called by the pipeline; no clock, no lock, no allocation.
// epp mode breaks ties at random as the picker does (shuffle, then stable order); improved mode rotates.
// A ranking always holds every candidate: what the proxy falls back to.
#pragma once

#include <cstdint>
#include <span>

#include "core/rng.h"
#include "router/core/config.h"
#include "router/core/mode.h"

namespace router {

/// Among equals, the endpoint after the last one that a tie chose comes first.
class Rotation {
 public:
  /// Reorders `ties` (endpoint numbers) to start after the last choice, and notes the new first.
  void order(std::span<std::uint32_t> ties);

 private:
  std::uint32_t last_ = 0xffffffffu;
};

/// Working space of rank(), indexed by endpoint number; as large as `totals`.
struct RankScratch {
  std::span<double> keys;
  std::span<std::uint32_t> places;
};

/// Ranks `candidates` (endpoint numbers) in place, best first. `totals` is indexed by endpoint number.
void rank(const PickerSpec& picker, RouterMode mode, std::span<const double> totals, core::Rng& rng, Rotation& rotation,
          RankScratch scratch, std::span<std::uint32_t> candidates);

}  // namespace router
