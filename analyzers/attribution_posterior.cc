// What a solved chain says of each event: its posterior over replicas, and what stands in the way of certainty.
// Part of solve_layer(). It must never claim more than the rounds proved.
#include <algorithm>
#include <cmath>

#include "analyzers/attribution_chain.h"

namespace analyzers {

const Chain::State* Chain::find_state(std::size_t k, const Mask& counted) const {
  const auto& states = links_[k].before;
  const auto at = std::lower_bound(states.begin(), states.end(), counted, [](const State& s, const Mask& m) { return s.counted < m; });
  return at != states.end() && at->counted == counted ? &*at : nullptr;
}

void Chain::collect(std::size_t k) {
  out_.rounds[k] = solved_[k].status;
  out_.rounds_with_candidates += solved_[k].members.empty() ? 0 : 1;
  out_.inconsistent_rounds += solved_[k].status == RoundStatus::kInconsistent ? 1 : 0;
  out_.dense_rounds += solved_[k].status == RoundStatus::kTooDense ? 1 : 0;
  if (solved_[k].status == RoundStatus::kSolved) collect_round(k);
  else collect_open(k);
}

void Chain::collect_round(std::size_t k) {
  const RoundSolution& round = solved_[k];
  std::vector<double> weight(round.groups.size(), kNever);
  double total = kNever;
  steps(k, [&](std::size_t s, std::size_t g, const Mask& next) {
    const State* after = find_state(k + 1, next);
    if (after == nullptr) return true;
    const double w = links_[k].before[s].log_forward + round.groups[g].log_weight + after->log_backward;
    weight[g] = log_add(weight[g], w);
    total = log_add(total, w);
    return true;
  });
  const std::size_t r = problem_.replicas;
  for (std::size_t g = 0; g < round.groups.size(); ++g) {
    const double p = std::exp(weight[g] - total);
    if (!(p > 0)) continue;
    for (std::size_t m = 0; m < round.members.size(); ++m) {
      float* row = &out_.p[round.members[m].candidate * r];
      for (std::size_t replica = 0; replica < r; ++replica) row[replica] += static_cast<float>(p * round.groups[g].share[m * r + replica]);
    }
    if (!options_.want_windows) continue;
    if (p * round.groups[g].best_share > 0.99) settle_windows(k, round.groups[g]);
    else if (p > 0.95) settle_round(k, round.groups[g].counted);
  }
}

/// Who was counted is certain, not by whom.
void Chain::settle_round(std::size_t k, const Mask& counted) {
  if (!problem_.rounds[k].all_known() || counted.count() != problem_.rounds[k].count()) return;
  SettledWindow settled{static_cast<std::uint32_t>(k), SettledWindow::kWholeRound, {}};
  counted.each([&](std::size_t m) { settled.candidates.push_back(solved_[k].members[m].candidate); });
  if (!settled.candidates.empty()) out_.windows.push_back(std::move(settled));
}

void Chain::settle_windows(std::size_t k, const RoundGroup& group) {
  const auto& windows = problem_.rounds[k].windows;
  for (std::size_t w = 0; w < windows.size(); ++w) {
    if (!windows[w].known || windows[w].count == 0) continue;
    SettledWindow settled{static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(w), {}};
    for (std::size_t m = 0; m < group.best.size(); ++m) {
      if (group.best[m] == static_cast<std::int16_t>(w)) settled.candidates.push_back(solved_[k].members[m].candidate);
    }
    if (static_cast<std::int64_t>(settled.candidates.size()) == windows[w].count) out_.windows.push_back(std::move(settled));
  }
}

/// A round that proves nothing gives its members what their brackets and the other rounds leave.
void Chain::collect_open(std::size_t k) {
  const RoundSolution& round = solved_[k];
  const auto& windows = problem_.rounds[k].windows;
  for (std::size_t m = 0; m < round.members.size(); ++m) {
    float* row = &open_[round.members[m].candidate * problem_.replicas];
    for (std::size_t w = 0; w < windows.size(); ++w) {
      row[windows[w].replica] += static_cast<float>(round.options[m * windows.size() + w].p);
    }
  }
}

/// What solved rounds leave open of an event's mass lies in its unsolved ones.
void Chain::normalise() {
  for (std::size_t i = 0; i < placements_.size(); ++i) {
    float *row = &out_.p[i * problem_.replicas], *open = &open_[i * problem_.replicas], solved_mass = 0, open_mass = 0;
    for (std::size_t r = 0; r < problem_.replicas; ++r) {
      solved_mass += row[r];
      open_mass += open[r];
    }
    const float rest = std::max(0.0f, 1 - solved_mass);
    float sum = 0;
    for (std::size_t r = 0; r < problem_.replicas; ++r) {
      if (open_mass > 0) row[r] += rest * open[r] / open_mass;
      sum += row[r];
    }
    for (std::size_t r = 0; r < problem_.replicas && sum > 0; ++r) row[r] /= sum;
  }
}

void Chain::explain() {
  for (std::uint32_t i = 0; i < placements_.size(); ++i) {
    if (i < options_.first_candidate || i >= options_.last_candidate) continue;
    const Placement& at = placements_[i];
    if (!at.placed) {
      out_.reason[i] = "no scrape";
      continue;
    }
    out_.settled[i] = settled(i) ? 1 : 0;
    out_.reason[i] = why_uncertain(i);
    out_.blocked[i] = near_contradiction(at) ? 1 : 0;
  }
}

bool Chain::settled(std::uint32_t i) const {
  const float* row = &out_.p[i * problem_.replicas];
  if (std::count_if(row, row + problem_.replicas, [](float p) { return p > 0; }) != 1) return false;
  for (std::uint32_t k = placements_[i].first; k <= placements_[i].last; ++k) {
    if (solved_[k].status != RoundStatus::kSolved || solved_[k].latency_decided) return false;
  }
  return true;
}

/// Around a contradiction something is not as modelled (a response held back for long, a scrape torn unseen): no claims there.
bool Chain::near_contradiction(const Placement& at) const {
  const std::size_t from = at.first == 0 ? 0 : at.first - 1;
  for (std::size_t k = from; k <= at.last + 1 && k < solved_.size(); ++k) {
    if (solved_[k].status == RoundStatus::kInconsistent) return true;
  }
  return false;
}

bool Chain::has_twin(std::uint32_t i) const {
  const LayerVector& own = problem_.candidates[i].vector;
  for (std::uint32_t k = placements_[i].first; k <= placements_[i].last; ++k) {
    for (const auto& member : solved_[k].members) {
      if (member.candidate == i) continue;
      bool equal = true;
      for (std::size_t c = 0; c < kIntegerChannels; ++c) {
        equal = equal && (!problem_.channel_used[c] || problem_.candidates[member.candidate].vector.value[c] == own.value[c]);
      }
      if (equal) return true;
    }
  }
  return false;
}

std::string_view Chain::why_uncertain(std::uint32_t i) const {
  const Placement& at = placements_[i];
  for (std::uint32_t k = at.first; k <= at.last; ++k) {
    switch (solved_[k].status) {
      case RoundStatus::kSolved: break;
      case RoundStatus::kInconsistent: return "inconsistent";
      case RoundStatus::kTooDense: return "too dense";
      case RoundStatus::kUnknown: return solved_[k].why.empty() ? "no scrape" : solved_[k].why;
    }
    for (const auto& w : problem_.rounds[k].windows) {
      if (!w.known) return w.why_unknown;
    }
  }
  if (near_contradiction(at)) return "inconsistent";
  if (foreign_[at.first] > 0) return "foreign";
  return has_twin(i) ? "twins" : "several assignments fit";
}

}  // namespace analyzers
