// solve_round(): propagation, window lists, cheapest first, and their join. See attribution_round.h.
#include "analyzers/attribution_round.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace analyzers {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

/// Solutions grouped by the members they count; weights are summed relative to each group's largest.
class GroupCollector {
 public:
  GroupCollector(std::size_t members, std::size_t replicas) : members_(members), replicas_(replicas) {}

  void add(const Mask& counted, const std::vector<std::int16_t>& window_of, const LayerRound& round, double log_weight) {
    const auto found = index_.emplace(counted, groups_.size());
    if (found.second) {
      groups_.push_back({counted, log_weight, std::vector<double>(members_ * replicas_, 0.0), {}, 0});
      sums_.push_back({log_weight, 0, kNever});
    }
    RoundGroup& group = groups_[found.first->second];
    Sum& sum = sums_[found.first->second];
    if (log_weight > sum.scale) {
      const double shrink = std::exp(sum.scale - log_weight);
      for (double& share : group.share) share *= shrink;
      sum.total *= shrink;
      sum.scale = log_weight;
    }
    const double weight = std::exp(log_weight - sum.scale);
    sum.total += weight;
    for (std::size_t m = 0; m < members_; ++m) {
      if (window_of[m] >= 0) group.share[m * replicas_ + round.windows[static_cast<std::size_t>(window_of[m])].replica] += weight;
    }
    if (log_weight > sum.best) {
      sum.best = log_weight;
      group.best = window_of;
    }
  }

  std::vector<RoundGroup> finish() {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      for (double& share : groups_[g].share) share /= sums_[g].total;
      groups_[g].log_weight = sums_[g].scale + std::log(sums_[g].total);
      groups_[g].best_share = std::exp(sums_[g].best - groups_[g].log_weight);
    }
    return std::move(groups_);
  }

 private:
  struct Sum {
    double scale = 0, total = 0, best = kNever;
  };
  std::size_t members_, replicas_;
  std::map<Mask, std::size_t> index_;
  std::vector<RoundGroup> groups_;
  std::vector<Sum> sums_;
};

class RoundSearch {
 public:
  RoundSearch(const LayerProblem& problem, const LayerRound& round, std::int64_t foreign, const LayerLimits& limits, RoundSolution& out)
      : problem_(problem), round_(round), foreign_(foreign), limits_(limits), out_(out), windows_(round.windows.size()),
        lister_(problem, round, out, limits), collector_(out.members.size(), problem.replicas) {
    domain_.resize(windows_);
    lists_.resize(windows_);
    listed_.assign(windows_, false);
    for (std::size_t m = 0; m < out.members.size(); ++m) {
      all_ |= Mask::bit(m);
      if (!std::isfinite(out.members[m].outside_log)) required_ |= Mask::bit(m);
      for (std::size_t w = 0; w < windows_; ++w) {
        if (option(m, w).p > 0 && (!round.windows[w].known || round.windows[w].count > 0)) domain_[w] |= Mask::bit(m);
      }
    }
  }

  RoundStatus run() {
    if (!listing()) return status_;
    if (!order_windows()) return RoundStatus::kTooDense;
    window_of_.assign(out_.members.size(), -1);
    if (!join(0, {}, 0)) return RoundStatus::kTooDense;
    out_.groups = collector_.finish();
    return out_.groups.empty() ? RoundStatus::kInconsistent : RoundStatus::kSolved;
  }

 private:
  [[nodiscard]] const WindowOption& option(std::size_t m, std::size_t w) const { return out_.options[m * windows_ + w]; }
  [[nodiscard]] const LayerCandidate& candidate(std::size_t m) const { return problem_.candidates[out_.members[m].candidate]; }
  [[nodiscard]] bool loose(std::size_t w) const { return !round_.windows[w].known; }
  bool give_up(RoundStatus status) {
    status_ = status;
    return false;
  }

  /// Members that must be in window w: required ones with no other window left. False: one has none left at all.
  bool forced_into(std::size_t w, Mask& out) const {
    Mask elsewhere;
    for (std::size_t other = 0; other < windows_; ++other) {
      if (other != w) elsewhere |= domain_[other];
    }
    out = (required_ & domain_[w]).without(elsewhere);
    return required_.without(elsewhere | domain_[w]).none();
  }

  /// Lists windows, cheapest first; each list narrows what the others may hold. False: status_ says why not.
  bool listing() {
    std::size_t left = 0;
    for (std::size_t w = 0; w < windows_; ++w) left += !loose(w) && round_.windows[w].count > 0 ? 1 : 0;
    const bool last_by_rest = foreign_ == 0 && std::none_of(round_.windows.begin(), round_.windows.end(), [](const LayerWindow& w) { return !w.known; });
    while (left > 0) {
      std::size_t best = windows_;
      double best_cost = 0;
      for (std::size_t w = 0; w < windows_; ++w) {
        if (loose(w) || listed_[w] || round_.windows[w].count == 0) continue;
        WindowQuery query{static_cast<std::uint32_t>(w), domain_[w], {}};
        // With foreign events about, a required member may be in a window that no set fits: nothing is forced.
        if (!forced_into(w, query.forced)) return give_up(RoundStatus::kInconsistent);
        if (foreign_ > 0) query.forced = {};
        const double cost = lister_.cost(query);
        if (best == windows_ || cost < best_cost) {
          best = w;
          best_cost = cost;
        }
      }
      if (left == 1 && last_by_rest && best_cost > 8) {
        rest_window_ = best;
        return true;
      }
      if (!list_one(best)) return false;
      --left;
    }
    Mask nothing;
    return forced_into(0, nothing) || give_up(RoundStatus::kInconsistent);
  }

  bool list_one(std::size_t w) {
    WindowQuery query{static_cast<std::uint32_t>(w), domain_[w], {}};
    if (!forced_into(w, query.forced)) return give_up(RoundStatus::kInconsistent);
    if (foreign_ > 0) query.forced = {};
    if (!lister_.list(query, lists_[w], out_.latency_decided, out_.nodes)) return give_up(RoundStatus::kTooDense);
    listed_[w] = true;
    if (foreign_ > 0) return true;
    if (lists_[w].empty()) return give_up(RoundStatus::kInconsistent);
    Mask some, each = lists_[w].front().members;
    for (const auto& set : lists_[w]) {
      some |= set.members;
      each = each & set.members;
    }
    domain_[w] = some;
    for (std::size_t other = 0; other < windows_; ++other) {
      if (other != w) domain_[other] = domain_[other].without(each);
    }
    return true;
  }

  bool order_windows() {
    for (std::size_t w = 0; w < windows_; ++w) {
      if (listed_[w]) order_.push_back(w);
    }
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) { return lists_[a].size() < lists_[b].size(); });
    reach_.assign(order_.size() + 1, {});
    for (std::size_t w = 0; w < windows_; ++w) {
      if (loose(w) || w == rest_window_ || (foreign_ > 0 && round_.windows[w].count > 0)) reach_.back() |= domain_[w];
    }
    for (std::size_t d = order_.size(); d-- > 0;) {
      reach_[d] = reach_[d + 1];
      for (const auto& set : lists_[order_[d]]) reach_[d] |= set.members;
    }
    return true;
  }

  void assign(const Mask& members, std::int16_t window) {
    members.each([&](std::size_t m) { window_of_[m] = window; });
  }

  /// False: over the budget.
  bool join(std::size_t depth, const Mask& used, double log_weight) {
    if (!required_.without(used | reach_[depth]).none()) return true;
    if (depth == order_.size()) return close(used, log_weight);
    const std::size_t w = order_[depth];
    for (const auto& set : lists_[w]) {
      if (++out_.nodes > limits_.nodes) return false;
      if (!(set.members & used).none()) continue;
      assign(set.members, static_cast<std::int16_t>(w));
      const bool within = join(depth + 1, used | set.members, log_weight + set.log_weight);
      assign(set.members, -1);
      if (!within) return false;
    }
    if (static_cast<std::int64_t>(open_.size()) >= foreign_) return true;
    open_.push_back(w);
    const bool within = join(depth + 1, used, log_weight);
    open_.pop_back();
    return within;
  }

  /// What no listed window holds goes to the window that was not listed, to those that count foreign events, to the unknown.
  bool close(const Mask& used, double log_weight) {
    std::vector<std::size_t> takers = open_;
    for (std::size_t w = 0; w < windows_; ++w) {
      if (loose(w) || w == rest_window_) takers.push_back(w);
    }
    if (takers.empty()) {
      if (required_.without(used).none()) record(used, log_weight);
      return true;
    }
    Mask reachable;
    for (const std::size_t w : takers) reachable |= domain_[w];
    const Mask left = all_.without(used);
    if (!required_.without(used | reachable).none()) return true;
    std::vector<std::size_t> rest;
    (left & reachable & required_).each([&](std::size_t m) { rest.push_back(m); });
    (left & reachable).without(required_).each([&](std::size_t m) { rest.push_back(m); });
    return deal({rest, takers, log_weight}, 0, used, 0);
  }

  struct Deal {
    const std::vector<std::size_t>& rest;
    const std::vector<std::size_t>& takers;
    double log_weight = 0;
  };

  /// Gives each member of `rest` to one of the takers, or to none where it may be counted in another round.
  bool deal(const Deal& d, std::size_t at, const Mask& used, double penalty) {
    if (++out_.nodes > limits_.nodes) return false;
    if (penalty > -limits_.least_log_weight) return true;
    if (at == d.rest.size()) {
      settle_takers(used, d);
      return true;
    }
    const std::size_t m = d.rest[at];
    const RoundMember& member = out_.members[m];
    for (const std::size_t w : d.takers) {
      if (!domain_[w].test(m) || room(w) <= 0) continue;
      window_of_[m] = static_cast<std::int16_t>(w);
      const bool within = deal(d, at + 1, used | Mask::bit(m), penalty + std::max(0.0, member.best_log - option(m, w).log_p));
      window_of_[m] = -1;
      if (!within) return false;
    }
    return required_.test(m) || deal(d, at + 1, used, penalty + std::max(0.0, member.best_log - member.outside_log));
  }

  [[nodiscard]] std::int64_t room(std::size_t w) const {
    if (loose(w)) return 1;
    const auto held = std::count(window_of_.begin(), window_of_.end(), static_cast<std::int16_t>(w));
    return round_.windows[w].count - held - (w == rest_window_ ? 0 : 1);
  }

  void settle_takers(const Mask& used, const Deal& d) {
    double log_weight = d.log_weight;
    std::int64_t foreign = 0;
    for (const std::size_t w : open_) foreign += room(w) + 1;
    if (foreign > foreign_) return;
    for (const std::size_t w : d.takers) {
      const double own = taker_log_weight(w);
      if (own == kNever) return;
      log_weight += own;
    }
    record(used, log_weight);
  }

  [[nodiscard]] double taker_log_weight(std::size_t w) {
    const LayerWindow& window = round_.windows[w];
    WindowMembers sums;
    std::array<std::int64_t, kIntegerChannels> remainder = window.sum;
    std::uint64_t key = window_key(problem_, window);
    double log_weight = 0;
    for (std::size_t m = 0; m < window_of_.size(); ++m) {
      if (window_of_[m] != static_cast<std::int16_t>(w)) continue;
      const LayerVector& v = candidate(m).vector;
      for (std::size_t c = 0; c < kIntegerChannels; ++c) remainder[c] -= v.value[c];
      if (w == rest_window_) key -= vector_key(problem_, window, v);
      sums.add(candidate(m), option(m, w));
      log_weight += option(m, w).log_p;
    }
    if (!window.known) return log_weight;
    if (w == rest_window_) {
      if (key != 0) return kNever;
      const double fit = latency_log_likelihood(problem_, window, sums);
      if (!std::isfinite(fit)) out_.latency_decided = true;
      return log_weight + fit;
    }
    const double latency = window.latency_sum_s - sums.latency_s + static_cast<double>(sums.n) * bias_of(problem_.model, window.replica);
    if (!buckets_remain(w)) return kNever;
    return log_weight + sums.log_not_held + sums.log_held +
           foreign_log_weight(problem_, window, window.count - static_cast<std::int64_t>(sums.n), remainder, latency);
  }

  /// No bucket may hold fewer events than the members given to the window bring.
  [[nodiscard]] bool buckets_remain(std::size_t w) const {
    const LayerWindow& window = round_.windows[w];
    for (std::size_t c = 0; c < kIntegerChannels; ++c) {
      if (!problem_.channel_used[c] || !window.buckets.known(c)) continue;
      std::vector<std::int32_t> left = window.buckets.of(c);
      for (std::size_t m = 0; m < window_of_.size(); ++m) {
        if (window_of_[m] != static_cast<std::int16_t>(w)) continue;
        const std::size_t b = candidate(m).vector.bucket[c];
        if (b >= left.size() || --left[b] < 0) return false;
      }
    }
    return true;
  }

  void record(const Mask& counted, double log_weight) {
    double penalty = 0;
    all_.without(counted | required_).each([&](std::size_t m) { penalty += std::max(0.0, out_.members[m].best_log - out_.members[m].outside_log); });
    if (penalty > -limits_.least_log_weight) return;
    if (std::isfinite(log_weight)) collector_.add(counted, window_of_, round_, log_weight);
  }

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  const LayerProblem& problem_;
  const LayerRound& round_;
  std::int64_t foreign_;
  const LayerLimits& limits_;
  RoundSolution& out_;
  std::size_t windows_;
  WindowLister lister_;
  GroupCollector collector_;
  std::vector<Mask> domain_;
  std::vector<std::vector<WindowSet>> lists_;
  std::vector<bool> listed_;
  std::vector<std::size_t> order_, open_;
  std::vector<Mask> reach_;
  std::vector<std::int16_t> window_of_;
  std::size_t rest_window_ = kNone;
  Mask all_, required_;
  RoundStatus status_ = RoundStatus::kSolved;
};

}  // namespace

void solve_round(const LayerProblem& problem, std::uint32_t round, std::int64_t foreign, const LayerLimits& limits, RoundSolution& out) {
  const LayerRound& r = problem.rounds[round];
  out.groups.clear();
  out.nodes = 0;
  out.latency_decided = false;
  if (std::none_of(r.windows.begin(), r.windows.end(), [](const LayerWindow& w) { return w.known; })) {
    out.status = RoundStatus::kUnknown;
    out.why = r.windows.empty() ? "no scrape" : r.windows.front().why_unknown;
    return;
  }
  if (out.members.size() > Mask::kBits) {
    out.status = RoundStatus::kTooDense;
    return;
  }
  out.status = RoundSearch(problem, r, foreign, limits, out).run();
  if (out.status != RoundStatus::kSolved) out.groups.clear();
}

}  // namespace analyzers
