// solve_layer(): places candidates in rounds, solves each round and chains them. A response whose bracket straddles a
// scrape is counted in exactly one of its rounds; forward-backward runs over the sets of straddlers already counted.
// It must never turn "cannot tell" into a replica: a round that is not solved lets everything through.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "analyzers/attribution_layer.h"
#include "analyzers/attribution_round.h"

namespace analyzers {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
/// States this much (log) below the likeliest are left out. A foreign event costs about 45, and where it was counted may
/// show only rounds later.
constexpr double kLeastState = -160;
/// Chance that a round holds more foreign events than the solver allows for, and the most that it ever does.
constexpr double kForeignTail = 1e-5;
constexpr std::int64_t kMaxForeign = 6;

/// Least count that a Poisson variable of this mean exceeds with a chance below kForeignTail.
std::int64_t most_foreign(double mean) {
  double term = std::exp(-mean), tail = 1 - term;
  std::int64_t n = 0;
  for (; tail > kForeignTail && n < kMaxForeign; ++n) {
    term *= mean / static_cast<double>(n + 1);
    tail -= term;
  }
  return std::max<std::int64_t>(n, 1);
}

double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kNever ? a : a + std::log1p(std::exp(b - a));
}

/// Members counted before a round (bits in the order of its members), and how likely.
struct State {
  Mask counted;
  double log_forward = kNever, log_backward = kNever;
};

struct Link {
  std::vector<State> before;
  std::vector<std::size_t> next_index;  ///< per member: its bit in the next round; kGone where it ends here
};
constexpr std::size_t kGone = static_cast<std::size_t>(-1);

struct Placement {
  std::uint32_t first = 0, last = 0;    ///< rounds with an option
  double best_log = kNever;
  bool placed = false;
};

class Chain {
 public:
  Chain(const LayerProblem& problem, const LayerOptions& options) : problem_(problem), options_(options) {}

  LayerPosterior run() {
    const std::size_t n = problem_.candidates.size();
    out_.replicas = problem_.replicas;
    out_.p.assign(n * problem_.replicas, 0.0f);
    out_.settled.assign(n, 0);
    out_.blocked.assign(n, 0);
    out_.reason.assign(n, "");
    out_.rounds.assign(problem_.rounds.size(), RoundStatus::kUnknown);
    place();
    solve();
    forward();
    backward();
    collect();
    return std::move(out_);
  }

 private:
  /// Rounds whose windows may hold an event between `earliest` and `latest`.
  [[nodiscard]] std::size_t first_round(core::Duration earliest) const {
    return static_cast<std::size_t>(std::partition_point(closes_.begin(), closes_.end(), [&](core::Duration close) { return close < earliest; }) - closes_.begin());
  }

  void place() {
    for (const auto& round : problem_.rounds) {
      core::Duration close = core::Duration::min();
      for (const auto& w : round.windows) close = std::max(close, w.close_answered);
      closes_.push_back(close);
    }
    const std::size_t end = std::min<std::size_t>(options_.last_candidate, problem_.candidates.size());
    solved_.resize(problem_.rounds.size());
    placements_.resize(problem_.candidates.size());
    for (std::size_t i = options_.first_candidate; i < end; ++i) place_one(static_cast<std::uint32_t>(i));
  }

  void place_one(std::uint32_t i) {
    const LayerCandidate& c = problem_.candidates[i];
    const DelayModel& m = problem_.model;
    const auto reach = core::from_seconds(m.hold_limit_s + std::max(0.0, m.offset_s) + 30 * m.mean_s);
    Placement& placement = placements_[i];
    struct Found {
      std::uint32_t round = 0;
      std::vector<WindowOption> options;
      double best = kNever;
    };
    std::vector<Found> found;
    for (std::size_t k = first_round(std::max(c.earliest, c.latest - reach)); k < problem_.rounds.size(); ++k) {
      Found f{static_cast<std::uint32_t>(k), {}, kNever};
      bool later = true;
      for (const auto& w : problem_.rounds[k].windows) {
        f.options.push_back(window_option(m, c, w, problem_.replicas));
        if (f.options.back().p > 0) f.best = std::max(f.best, std::log(f.options.back().p));
        later = later && w.open_sent > c.latest + core::from_seconds(std::max(0.0, -m.offset_s));
      }
      if (later) break;
      if (f.best == kNever) continue;
      placement.best_log = std::max(placement.best_log, f.best);
      found.push_back(std::move(f));
    }
    std::erase_if(found, [&](const Found& f) { return f.best < placement.best_log + options_.limits.least_log_weight; });
    if (found.empty()) return;
    placement.placed = true;
    placement.first = found.front().round;
    placement.last = found.back().round;
    for (std::size_t at = 0; at < found.size(); ++at) {
      double outside = kNever;
      for (std::size_t other = 0; other < found.size(); ++other) {
        if (other != at) outside = std::max(outside, found[other].best);
      }
      RoundSolution& round = solved_[found[at].round];
      round.members.push_back({i, at > 0, at + 1 < found.size(), placement.best_log, outside});
      round.options.insert(round.options.end(), found[at].options.begin(), found[at].options.end());
    }
  }

  /// Between boundaries that no bracket crosses, counted less ours is exactly the number of foreign events.
  void solve() {
    std::size_t begin = 0;
    for (std::size_t k = 0; k < problem_.rounds.size(); ++k) {
      const bool crosses = std::any_of(solved_[k].members.begin(), solved_[k].members.end(), [](const RoundMember& m) { return m.goes_on; });
      if (crosses && k + 1 < problem_.rounds.size()) continue;
      solve_stretch(begin, k + 1);
      begin = k + 1;
    }
  }

  void solve_stretch(std::size_t begin, std::size_t end) {
    std::int64_t counted = 0, ours = 0;
    bool known = true;
    for (std::size_t k = begin; k < end; ++k) {
      known = known && problem_.rounds[k].all_known();
      counted += problem_.rounds[k].count();
      for (const auto& m : solved_[k].members) ours += m.came_in ? 0 : 1;
    }
    std::int64_t foreign = known ? counted - ours : problem_.model.foreign_per_s > 0 ? 1 : 0;
    if (problem_.totals_known) foreign = std::min(foreign, problem_.extra);
    foreign = std::max<std::int64_t>(foreign, 0);
    for (std::size_t k = begin; k < end; ++k) {
      RoundSolution& round = solved_[k];
      foreign_.push_back(std::min({foreign, problem_.rounds[k].count(), most_foreign_in(k)}));
      if (known && counted < ours) round.status = RoundStatus::kInconsistent;
      else if (!round.members.empty() || problem_.rounds[k].count() > 0) {
        solve_round(problem_, static_cast<std::uint32_t>(k), foreign_.back(), options_.limits, round);
      } else {
        round.status = RoundStatus::kSolved;
        round.groups.push_back({{}, 0, {}, {}, 1});
      }
      // Rounds outside the part that is decoded hold others' events; they must not be read as contradictions.
      if (partial() && round.members.empty()) round.status = RoundStatus::kUnknown;
    }
  }

  [[nodiscard]] std::int64_t most_foreign_in(std::size_t k) const {
    const auto& windows = problem_.rounds[k].windows;
    double seconds = 0;
    for (const auto& w : windows) seconds += core::to_seconds(w.close_answered - w.open_sent);
    return most_foreign(problem_.model.foreign_per_s * std::clamp(seconds, 0.0, 60.0));
  }

  [[nodiscard]] bool partial() const { return options_.first_candidate > 0 || options_.last_candidate < problem_.candidates.size(); }

  /// Bits of round k's members in round k + 1 (a member that skips k + 1 is carried by none: brackets are contiguous).
  [[nodiscard]] std::vector<std::size_t> bits_after(std::size_t k) const {
    std::vector<std::size_t> out(solved_[k].members.size(), kGone);
    if (k + 1 == solved_.size()) return out;
    const auto& next = solved_[k + 1].members;
    for (std::size_t m = 0; m < out.size(); ++m) {
      const std::uint32_t candidate = solved_[k].members[m].candidate;
      const auto at = std::lower_bound(next.begin(), next.end(), candidate, [](const RoundMember& a, std::uint32_t c) { return a.candidate < c; });
      if (at != next.end() && at->candidate == candidate && at->came_in) out[m] = static_cast<std::size_t>(at - next.begin());
    }
    return out;
  }

  [[nodiscard]] static Mask carry(const Mask& counted, const std::vector<std::size_t>& bits) {
    Mask out;
    counted.each([&](std::size_t m) {
      if (bits[m] != kGone) out |= Mask::bit(bits[m]);
    });
    return out;
  }

  [[nodiscard]] Mask ends_in(std::size_t k) const {
    Mask out;
    for (std::size_t m = 0; m < solved_[k].members.size() && m < Mask::kBits; ++m) {
      if (!solved_[k].members[m].goes_on) out |= Mask::bit(m);
    }
    return out;
  }

  /// Calls visit(state, group, state after) for each way through a solved round.
  template <class Visit>
  void steps(std::size_t k, const Visit& visit) const {
    const Mask ends = ends_in(k);
    for (std::size_t s = 0; s < links_[k].before.size(); ++s) {
      const Mask& before = links_[k].before[s].counted;
      for (std::size_t g = 0; g < solved_[k].groups.size(); ++g) {
        const Mask& here = solved_[k].groups[g].counted;
        if (!(here & before).none() || !ends.without(here | before).none()) continue;
        visit(s, g, carry(here | before, links_[k].next_index));
      }
    }
  }

  void forward() {
    links_.resize(problem_.rounds.size() + 1);
    links_[0].before.push_back({{}, 0, kNever});
    for (std::size_t k = 0; k < problem_.rounds.size(); ++k) {
      links_[k].next_index = bits_after(k);
      std::map<Mask, double> after;
      if (solved_[k].status == RoundStatus::kSolved) {
        steps(k, [&](std::size_t s, std::size_t g, const Mask& next) {
          const double w = links_[k].before[s].log_forward + solved_[k].groups[g].log_weight;
          const auto at = after.emplace(next, w);
          if (!at.second) at.first->second = log_add(at.first->second, w);
        });
        if (after.empty()) solved_[k].status = RoundStatus::kInconsistent;
        else if (after.size() > options_.limits.states) {
          solved_[k].status = RoundStatus::kTooDense;
          after.clear();
        }
      }
      if (solved_[k].status != RoundStatus::kSolved && !open_states(k, after) && k + 1 < solved_.size()) {
        // Too many ways to enter the next round: it cannot be solved either.
        solved_[k + 1].status = RoundStatus::kTooDense;
      }
      take_states(after, links_[k + 1].before);
    }
  }

  static void take_states(const std::map<Mask, double>& after, std::vector<State>& out) {
    double best = kNever;
    for (const auto& entry : after) best = std::max(best, entry.second);
    for (const auto& entry : after) {
      // Relative to the best: a long chain must not run out of exponents.
      if (entry.second >= best + kLeastState) out.push_back({entry.first, entry.second - best, kNever});
    }
  }

  /// After a round that proves nothing: what goes on may have been counted by then or not, each by its own prior. False:
  /// too many combinations.
  bool open_states(std::size_t k, std::map<Mask, double>& out) const {
    out = {{Mask{}, 0.0}};
    const auto& members = solved_[k].members;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const std::size_t bit = links_[k].next_index[m];
      if (bit == kGone) continue;
      const double here = std::exp(here_log(k, m)), later = std::exp(std::min(0.0, members[m].outside_log));
      std::map<Mask, double> next;
      for (const auto& entry : out) {
        const double counted = entry.second + std::log(here / (here + later));
        const double open = entry.second + std::log(later / (here + later));
        if (open >= kLeastState) next[entry.first] = open;
        if (counted >= kLeastState) next[entry.first | Mask::bit(bit)] = counted;
      }
      if (bit >= Mask::kBits || next.size() > options_.limits.states) {
        out = {{Mask{}, 0.0}};
        return false;
      }
      out = std::move(next);
    }
    return true;
  }

  [[nodiscard]] double here_log(std::size_t k, std::size_t m) const {
    const std::size_t windows = problem_.rounds[k].windows.size();
    double p = 0;
    for (std::size_t w = 0; w < windows; ++w) p += solved_[k].options[m * windows + w].p;
    return std::log(p);
  }

  void backward() {
    for (auto& state : links_.back().before) state.log_backward = 0;
    for (std::size_t k = problem_.rounds.size(); k-- > 0;) {
      auto& before = links_[k].before;
      if (solved_[k].status != RoundStatus::kSolved) {
        for (auto& state : before) state.log_backward = 0;
        continue;
      }
      steps(k, [&](std::size_t s, std::size_t g, const Mask& next) {
        const State* after = find_state(k + 1, next);
        if (after != nullptr) before[s].log_backward = log_add(before[s].log_backward, solved_[k].groups[g].log_weight + after->log_backward);
      });
      double best = kNever;
      for (const auto& state : before) best = std::max(best, state.log_backward);
      if (best == kNever) {
        // Nothing after this round fits what it left open: the contradiction is here.
        solved_[k].status = RoundStatus::kInconsistent;
        for (auto& state : before) state.log_backward = 0;
        continue;
      }
      for (auto& state : before) state.log_backward -= best;
    }
  }

  [[nodiscard]] const State* find_state(std::size_t k, const Mask& counted) const {
    const auto& states = links_[k].before;
    const auto at = std::lower_bound(states.begin(), states.end(), counted, [](const State& s, const Mask& m) { return s.counted < m; });
    return at != states.end() && at->counted == counted ? &*at : nullptr;
  }

  void collect() {
    open_.assign(out_.p.size(), 0.0f);
    for (std::size_t k = 0; k < problem_.rounds.size(); ++k) {
      out_.rounds[k] = solved_[k].status;
      out_.rounds_with_candidates += solved_[k].members.empty() ? 0 : 1;
      out_.inconsistent_rounds += solved_[k].status == RoundStatus::kInconsistent ? 1 : 0;
      out_.dense_rounds += solved_[k].status == RoundStatus::kTooDense ? 1 : 0;
      if (solved_[k].status == RoundStatus::kSolved) collect_round(k);
      else collect_open(k);
    }
    normalise();
    explain();
  }

  void collect_round(std::size_t k) {
    const RoundSolution& round = solved_[k];
    std::vector<double> weight(round.groups.size(), kNever);
    double total = kNever;
    steps(k, [&](std::size_t s, std::size_t g, const Mask& next) {
      const State* after = find_state(k + 1, next);
      if (after == nullptr) return;
      const double w = links_[k].before[s].log_forward + round.groups[g].log_weight + after->log_backward;
      weight[g] = log_add(weight[g], w);
      total = log_add(total, w);
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
  void settle_round(std::size_t k, const Mask& counted) {
    if (!problem_.rounds[k].all_known() || counted.count() != problem_.rounds[k].count()) return;
    SettledWindow settled{static_cast<std::uint32_t>(k), SettledWindow::kWholeRound, {}};
    counted.each([&](std::size_t m) { settled.candidates.push_back(solved_[k].members[m].candidate); });
    if (!settled.candidates.empty()) out_.windows.push_back(std::move(settled));
  }

  void settle_windows(std::size_t k, const RoundGroup& group) {
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
  void collect_open(std::size_t k) {
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
  void normalise() {
    for (std::size_t i = 0; i < placements_.size(); ++i) {
      float* row = &out_.p[i * problem_.replicas];
      const float* open = &open_[i * problem_.replicas];
      float solved_mass = 0, open_mass = 0;
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

  void explain() {
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

  [[nodiscard]] bool settled(std::uint32_t i) const {
    const float* row = &out_.p[i * problem_.replicas];
    if (std::count_if(row, row + problem_.replicas, [](float p) { return p > 0; }) != 1) return false;
    for (std::uint32_t k = placements_[i].first; k <= placements_[i].last; ++k) {
      if (solved_[k].status != RoundStatus::kSolved || solved_[k].latency_decided) return false;
    }
    return true;
  }

  /// Around a contradiction something is not as modelled (a response held back for long, a scrape torn unseen): no claims there.
  [[nodiscard]] bool near_contradiction(const Placement& at) const {
    const std::size_t from = at.first == 0 ? 0 : at.first - 1;
    for (std::size_t k = from; k <= at.last + 1 && k < solved_.size(); ++k) {
      if (solved_[k].status == RoundStatus::kInconsistent) return true;
    }
    return false;
  }

  [[nodiscard]] bool has_twin(std::uint32_t i) const {
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

  [[nodiscard]] std::string why_uncertain(std::uint32_t i) const {
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

  const LayerProblem& problem_;
  const LayerOptions& options_;
  LayerPosterior out_;
  std::vector<float> open_;             ///< as out_.p: mass that unsolved rounds may hold
  std::vector<core::Duration> closes_;
  std::vector<Placement> placements_;
  std::vector<RoundSolution> solved_;
  std::vector<std::int64_t> foreign_;
  std::vector<Link> links_;
};

}  // namespace

bool LayerRound::all_known() const {
  return std::all_of(windows.begin(), windows.end(), [](const LayerWindow& w) { return w.known; });
}

std::int64_t LayerRound::count() const {
  std::int64_t sum = 0;
  for (const auto& w : windows) sum += w.known ? w.count : 0;
  return sum;
}

LayerPosterior solve_layer(const LayerProblem& problem, const LayerOptions& options) { return Chain(problem, options).run(); }

}  // namespace analyzers
