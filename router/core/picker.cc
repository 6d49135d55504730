// max-score, random and weighted-random pickers. Called by the pipeline with its own scratch.
// Deterministic per seed: one random draw per statement, exact comparison of totals.
// std::stable_sort is not used: it allocates. Totals are never NaN: the pipeline clamps every score.
#include "router/core/picker.h"

#include <algorithm>
#include <cmath>

namespace router {
namespace {

/// Descending by key; equal keys keep their order.
void sort_by(std::span<const double> keys, std::span<std::uint32_t> places, std::span<std::uint32_t> candidates) {
  for (std::size_t i = 0; i < candidates.size(); ++i) places[candidates[i]] = static_cast<std::uint32_t>(i);
  std::sort(candidates.begin(), candidates.end(), [&](std::uint32_t a, std::uint32_t b) {
    return keys[a] != keys[b] ? keys[a] > keys[b] : places[a] < places[b];
  });
}

}  // namespace

void Rotation::order(std::span<std::uint32_t> ties) {
  if (ties.empty()) return;
  std::sort(ties.begin(), ties.end());
  const auto next = std::find_if(ties.begin(), ties.end(), [&](auto e) { return last_ != 0xffffffffu && e > last_; });
  if (next != ties.end()) std::rotate(ties.begin(), next, ties.end());
  last_ = ties.front();
}

void rank(const PickerSpec& picker, RouterMode mode, std::span<const double> totals, core::Rng& rng, Rotation& rotation,
          RankScratch scratch, std::span<std::uint32_t> candidates) {
  const bool by_score = picker.kind == PickerKind::kMaxScore;
  if (!by_score || mode == RouterMode::kEpp) rng.shuffle(candidates);
  if (picker.kind == PickerKind::kRandom) return;
  if (picker.kind == PickerKind::kWeightedRandom) {
    // A-Res (Efraimidis, Spirakis 2006): key U^(1/score); a score of 0 never beats a positive one.
    for (const auto candidate : candidates) {
      const double u = rng.uniform();
      scratch.keys[candidate] = totals[candidate] > 0 ? std::pow(u, 1 / totals[candidate]) : -1;
    }
    sort_by(scratch.keys, scratch.places, candidates);
    return;
  }
  sort_by(totals, scratch.places, candidates);
  if (mode == RouterMode::kEpp || candidates.empty()) return;
  std::size_t equal = 1;
  while (equal < candidates.size() && totals[candidates[equal]] == totals[candidates.front()]) ++equal;
  if (equal > 1) rotation.order(candidates.first(equal));
}

}  // namespace router
