// Unit propagation, then depth-first search over candidates with capacity pruning on counts, sums and histogram buckets.
// Called by decode() once per round. It must never stop early and still call itself solved.
#include "analyzers/attribution_round.h"

#include <algorithm>
#include <bit>

namespace analyzers {
namespace {

constexpr std::size_t kChannels = FinishVector::kChannels;

/// What a known window still has to be given.
struct Remaining {
  std::int64_t count = 0;
  std::array<std::int64_t, kChannels> sum{};
  std::array<std::vector<std::int32_t>, kChannels> buckets;
};

class RoundSearch {
 public:
  RoundSearch(const AttributionProblem& problem, std::uint32_t round, RoundSolutions& out, std::int64_t slack, std::size_t budget)
      : problem_(problem), round_(problem.rounds[round]), out_(out), slack_(slack), budget_(budget) {
    for (const auto& w : round_.windows) rest_.push_back({w.count, w.sum, w.buckets});
    for (std::size_t m = 0; m < out.members.size(); ++m) {
      const auto& c = candidate(m);
      required_.push_back(c.first_round == round && c.last_round == round ? 1 : 0);
      std::uint64_t windows = 0;
      for (std::size_t w = 0; w < round_.windows.size(); ++w) {
        const auto& window = round_.windows[w];
        if (c.latest > window.opens && c.earliest <= window.closes) windows |= std::uint64_t{1} << w;
      }
      domain_.push_back(windows);
    }
    chosen_.assign(out.members.size(), -1);
  }

  /// False: the round allows no assignment at all, already by propagation.
  bool propagate() {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t m = 0; m < domain_.size(); ++m) {
        if (chosen_[m] >= 0) continue;
        for (std::size_t w = 0; w < rest_.size(); ++w) {
          if (((domain_[m] >> w) & 1u) != 0 && !fits(m, w, true)) domain_[m] &= ~(std::uint64_t{1} << w);
        }
        if (required_[m] == 0) continue;
        if (domain_[m] == 0) return false;
        if (std::has_single_bit(domain_[m])) {
          settle(m, static_cast<std::size_t>(std::countr_zero(domain_[m])));
          changed = true;
        }
      }
      if (slack_ == 0 && !force_full_windows(changed)) return false;
    }
    return true;
  }

  /// False: over budget.
  bool search() {
    for (std::size_t m = 0; m < domain_.size(); ++m) {
      if (chosen_[m] < 0 && domain_[m] != 0) order_.push_back(m);
    }
    // Few choices first, long requests first: both close windows early.
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      const int options_a = std::popcount(domain_[a]) + (required_[a] == 0 ? 1 : 0);
      const int options_b = std::popcount(domain_[b]) + (required_[b] == 0 ? 1 : 0);
      if (options_a != options_b) return options_a < options_b;
      return candidate(a).vector.value[0] > candidate(b).vector.value[0];
    });
    return descend(0);
  }

 private:
  [[nodiscard]] const FinishCandidate& candidate(std::size_t m) const { return problem_.candidates[out_.members[m]]; }

  [[nodiscard]] bool fits(std::size_t m, std::size_t w, bool closing) const {
    if (!round_.windows[w].known) return true;
    const Remaining& rest = rest_[w];
    if (rest.count <= 0) return false;
    const auto& v = candidate(m).vector;
    // The last finish that a window wants must bring exactly what is missing, unless a foreign one may.
    const bool exact = closing && rest.count == 1;
    for (std::size_t c = 0; c < kChannels; ++c) {
      if (!problem_.channel_used[c]) continue;
      if (v.value[c] > rest.sum[c] || (exact && v.value[c] != rest.sum[c])) return false;
      const auto& buckets = rest.buckets[c];
      if (!buckets.empty() && (v.bucket[c] >= buckets.size() || buckets[v.bucket[c]] <= 0)) return false;
    }
    return true;
  }

  void take(std::size_t m, std::size_t w, std::int64_t sign) {
    if (!round_.windows[w].known) return;
    Remaining& rest = rest_[w];
    const auto& v = candidate(m).vector;
    rest.count -= sign;
    for (std::size_t c = 0; c < kChannels; ++c) {
      rest.sum[c] -= sign * v.value[c];
      auto& buckets = rest.buckets[c];
      if (v.bucket[c] < buckets.size()) buckets[v.bucket[c]] -= static_cast<std::int32_t>(sign);
    }
  }

  void settle(std::size_t m, std::size_t w) {
    chosen_[m] = static_cast<int>(w);
    domain_[m] = std::uint64_t{1} << w;
    take(m, w, 1);
    out_.propagated[m] = 1;
  }

  /// Without foreign finishes a window with as many possible members as it wants takes them all.
  bool force_full_windows(bool& changed) {
    for (std::size_t w = 0; w < rest_.size(); ++w) {
      if (!round_.windows[w].known || rest_[w].count == 0) continue;
      std::int64_t possible = 0;
      for (std::size_t m = 0; m < domain_.size(); ++m) possible += chosen_[m] < 0 && ((domain_[m] >> w) & 1u) != 0 ? 1 : 0;
      if (possible < rest_[w].count) return false;
      if (possible > rest_[w].count) continue;
      for (std::size_t m = 0; m < domain_.size(); ++m) {
        if (chosen_[m] >= 0 || ((domain_[m] >> w) & 1u) == 0) continue;
        if (!fits(m, w, true)) return false;
        settle(m, w);
      }
      changed = true;
    }
    return true;
  }

  [[nodiscard]] bool closed_well(std::size_t w) const {
    if (!round_.windows[w].known) return true;
    const Remaining& rest = rest_[w];
    if (rest.count < 0) return false;
    for (std::size_t c = 0; c < kChannels; ++c) {
      if (!problem_.channel_used[c]) continue;
      if (rest.sum[c] < 0 || (rest.count == 0 && rest.sum[c] != 0)) return false;
    }
    return true;
  }

  [[nodiscard]] std::int64_t open_count() const {
    std::int64_t sum = 0;
    for (std::size_t w = 0; w < rest_.size(); ++w) sum += round_.windows[w].known ? rest_[w].count : 0;
    return sum;
  }

  void record() {
    if (open_count() > slack_) return;
    for (std::size_t w = 0; w < rest_.size(); ++w) {
      if (!round_.windows[w].known) continue;
      if (!closed_well(w)) return;
      // A foreign request has at least one prompt token and a max_tokens of at least one.
      for (const std::size_t c : {std::size_t{0}, std::size_t{2}}) {
        if (problem_.channel_used[c] && rest_[w].sum[c] < rest_[w].count) return;
      }
    }
    std::uint64_t mask = 0;
    for (std::size_t m = 0; m < chosen_.size(); ++m) mask |= chosen_[m] >= 0 ? std::uint64_t{1} << m : 0;
    auto& options = out_.groups[mask];
    options.resize(chosen_.size(), 0);
    for (std::size_t m = 0; m < chosen_.size(); ++m) {
      if (chosen_[m] >= 0) options[m] |= std::uint64_t{1} << round_.windows[static_cast<std::size_t>(chosen_[m])].replica;
    }
  }

  bool descend(std::size_t depth) {
    if (++out_.nodes > budget_) return false;
    const auto left = static_cast<std::int64_t>(order_.size() - depth);
    if (open_count() > left + slack_) return true;
    if (depth == order_.size()) {
      record();
      return true;
    }
    const std::size_t m = order_[depth];
    for (std::size_t w = 0; w < rest_.size(); ++w) {
      if (((domain_[m] >> w) & 1u) == 0 || !fits(m, w, slack_ == 0)) continue;
      take(m, w, 1);
      chosen_[m] = static_cast<int>(w);
      const bool within = !closed_well(w) || descend(depth + 1);
      chosen_[m] = -1;
      take(m, w, -1);
      if (!within) return false;
    }
    return required_[m] != 0 || descend(depth + 1);
  }

  const AttributionProblem& problem_;
  const FinishRound& round_;
  RoundSolutions& out_;
  std::int64_t slack_;
  std::size_t budget_;
  std::vector<Remaining> rest_;
  std::vector<std::uint64_t> domain_;
  std::vector<char> required_;
  std::vector<int> chosen_;  ///< window per member; -1: not in this round
  std::vector<std::size_t> order_;
};

void fill_time_domains(const AttributionProblem& problem, std::uint32_t round, RoundSolutions& out) {
  for (const std::uint32_t member : out.members) {
    const auto& c = problem.candidates[member];
    std::uint64_t replicas = 0;
    for (const auto& w : problem.rounds[round].windows) {
      if (c.latest > w.opens && c.earliest <= w.closes) replicas |= std::uint64_t{1} << w.replica;
    }
    out.time_domain.push_back(replicas);
  }
}

}  // namespace

RoundSolutions solve_round(const AttributionProblem& problem, std::uint32_t round, const std::vector<std::uint32_t>& members,
                           std::int64_t slack, std::size_t node_budget, std::size_t max_members) {
  RoundSolutions out;
  out.members = members;
  out.propagated.assign(members.size(), 0);
  fill_time_domains(problem, round, out);
  const auto& windows = problem.rounds[round].windows;
  if (std::none_of(windows.begin(), windows.end(), [](const FinishWindow& w) { return w.known; })) {
    out.why = windows.empty() ? "no scrape" : windows.front().why_unknown;
    return out;
  }
  if (members.size() > std::min<std::size_t>(max_members, 64) || windows.size() > 64) {
    out.status = RoundSolutions::Status::kTooDense;
    return out;
  }
  RoundSearch search(problem, round, out, slack, node_budget);
  if (!search.propagate()) {
    out.status = RoundSolutions::Status::kInconsistent;
    return out;
  }
  if (!search.search()) {
    out.status = RoundSolutions::Status::kTooDense;
    out.groups.clear();
    return out;
  }
  out.status = out.groups.empty() ? RoundSolutions::Status::kInconsistent : RoundSolutions::Status::kSolved;
  return out;
}

}  // namespace analyzers
