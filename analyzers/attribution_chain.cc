// Chains the rounds: a response whose finish bracket straddles a scrape is finished in exactly one of its rounds. Forward and
// backward over the sets of straddlers already consumed, so that a claim holds in every solution of the whole run.
// It must never turn "cannot tell" into a replica: an unsolved round lets everything through.
#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <utility>

#include "analyzers/attribution.h"
#include "analyzers/attribution_round.h"

namespace analyzers {
namespace {

using Ids = std::vector<std::uint32_t>;  ///< ascending candidate indices
using Status = RoundSolutions::Status;

/// Straddlers consumed before a boundary; `any`: nothing is known.
struct State {
  bool any = false;
  Ids consumed;
  bool operator<(const State& other) const { return std::tie(any, consumed) < std::tie(other.any, other.consumed); }
};

struct Step {
  std::size_t from = 0, to = 0;
  std::uint64_t mask = 0;
};

/// One round's place in the chain: states before it, and the steps through it.
struct Link {
  std::vector<State> states;
  std::vector<Step> steps;  ///< empty for an unsolved round: everything passes
  bool open = false;        ///< unsolved
};

bool contains(const Ids& ids, std::uint32_t id) { return std::binary_search(ids.begin(), ids.end(), id); }

class Chain {
 public:
  Chain(const AttributionProblem& problem, const DecodeLimits& limits) : problem_(problem), limits_(limits) {}

  Decoded run() {
    collect_members();
    solve_rounds();
    forward();
    backward();
    return claims();
  }

 private:
  void collect_members() {
    members_.resize(problem_.rounds.size());
    for (std::uint32_t i = 0; i < problem_.candidates.size(); ++i) {
      const auto& c = problem_.candidates[i];
      if (c.outside) continue;
      for (std::uint32_t k = c.first_round; k <= c.last_round; ++k) members_[k].push_back(i);
    }
  }

  /// Stretches end where no bracket crosses; there, counted minus ours is exactly the number of foreign finishes.
  void solve_rounds() {
    solved_.resize(problem_.rounds.size());
    std::size_t begin = 0;
    std::size_t budget = limits_.nodes_per_run;
    for (std::size_t k = 0; k < problem_.rounds.size(); ++k) {
      const bool crosses = std::any_of(members_[k].begin(), members_[k].end(),
                                       [&](std::uint32_t i) { return problem_.candidates[i].last_round > k; });
      if (crosses && k + 1 < problem_.rounds.size()) continue;
      solve_stretch(begin, k + 1, budget);
      begin = k + 1;
    }
  }

  void solve_stretch(std::size_t begin, std::size_t end, std::size_t& budget) {
    std::int64_t counted = 0;
    std::int64_t ours = 0;
    bool known = true;
    for (std::size_t k = begin; k < end; ++k) {
      known = known && problem_.rounds[k].all_known();
      counted += problem_.rounds[k].count();
      for (const std::uint32_t i : members_[k]) ours += problem_.candidates[i].first_round == k ? 1 : 0;
    }
    // Where a window is unknown, foreign finishes can be excluded only by the run's totals.
    std::int64_t slack = known ? counted - ours : counted;
    if (problem_.totals_known) slack = std::min(slack, problem_.extra_finishes);
    for (std::size_t k = begin; k < end; ++k) {
      if (known && counted < ours) {
        solved_[k].members = members_[k];
        solved_[k] = solve_round(problem_, static_cast<std::uint32_t>(k), members_[k], 0, 0, 0);
        solved_[k].status = Status::kInconsistent;
        solved_[k].groups.clear();
        continue;
      }
      const std::size_t nodes = std::min(budget, limits_.nodes_per_round);
      solved_[k] = solve_round(problem_, static_cast<std::uint32_t>(k), members_[k], std::max<std::int64_t>(0, slack), nodes,
                               limits_.candidates_per_round);
      budget -= std::min(budget, solved_[k].nodes);
    }
    slack_.insert(slack_.end(), end - begin, slack);
  }

  /// States after round k for one state and one group; false: the group contradicts the state.
  bool successors(std::size_t k, const State& state, std::uint64_t mask, std::vector<State>& out) const {
    const auto& members = solved_[k].members;
    Ids taken;
    Ids free;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const auto& c = problem_.candidates[members[m]];
      const bool here = ((mask >> m) & 1u) != 0;
      const bool came_in = c.first_round < k;
      const bool before = came_in && !state.any && contains(state.consumed, members[m]);
      if (here && before) return false;
      if (!here && c.last_round == k && !before && !(came_in && state.any)) return false;
      if (c.last_round == k) continue;
      if (here || before) taken.push_back(members[m]);
      else if (came_in && state.any) free.push_back(members[m]);
    }
    if (free.size() > 6) {
      out.push_back({true, {}});
      return true;
    }
    for (std::uint32_t subset = 0; subset < (1u << free.size()); ++subset) {
      State next{false, taken};
      for (std::size_t f = 0; f < free.size(); ++f) {
        if (((subset >> f) & 1u) != 0) next.consumed.push_back(free[f]);
      }
      std::sort(next.consumed.begin(), next.consumed.end());
      out.push_back(std::move(next));
    }
    return true;
  }

  /// Fills the steps of round k and returns the states after it; empty: nothing fits or there are too many.
  std::map<State, std::size_t> walk(std::size_t k, bool& too_many) {
    std::map<State, std::size_t> after;
    Link& link = links_[k];
    std::vector<State> next;
    for (std::size_t s = 0; s < link.states.size(); ++s) {
      for (const auto& group : solved_[k].groups) {
        next.clear();
        if (!successors(k, link.states[s], group.first, next)) continue;
        for (auto& state : next) {
          const auto at = after.emplace(std::move(state), after.size()).first;
          link.steps.push_back({s, at->second, group.first});
        }
        if (link.steps.size() > limits_.steps_per_round || after.size() > limits_.states) {
          too_many = true;
          link.steps.clear();
          return {};
        }
      }
    }
    return after;
  }

  void forward() {
    links_.resize(problem_.rounds.size() + 1);
    links_[0].states.push_back({false, {}});
    for (std::size_t k = 0; k < problem_.rounds.size(); ++k) {
      bool too_many = false;
      std::map<State, std::size_t> after;
      if (solved_[k].status == Status::kSolved) {
        after = walk(k, too_many);
        if (too_many) solved_[k].status = Status::kTooDense;
        else if (after.empty()) solved_[k].status = Status::kInconsistent;
      }
      if (after.empty()) {
        links_[k].open = true;
        links_[k].steps.clear();
        const bool passes = std::any_of(members_[k].begin(), members_[k].end(),
                                        [&](std::uint32_t i) { return problem_.candidates[i].last_round > k; });
        links_[k + 1].states.push_back({passes, {}});
        continue;
      }
      links_[k + 1].states.resize(after.size());
      for (const auto& entry : after) links_[k + 1].states[entry.second] = entry.first;
    }
  }

  void backward() {
    std::vector<char> alive(links_.back().states.size(), 1);
    for (std::size_t k = problem_.rounds.size(); k-- > 0;) {
      Link& link = links_[k];
      std::vector<char> before(link.states.size(), link.open ? 1 : 0);
      if (!link.open) {
        std::erase_if(link.steps, [&](const Step& step) { return alive[step.to] == 0; });
        for (const auto& step : link.steps) before[step.from] = 1;
      }
      alive = std::move(before);
    }
  }

  /// Around a contradiction something is not as modelled (a response held back, a scrape torn unseen): no claims next to it.
  [[nodiscard]] bool near_contradiction(const FinishCandidate& c) const {
    const std::size_t from = c.first_round == 0 ? 0 : c.first_round - 1;
    for (std::size_t k = from; k <= c.last_round + 1 && k < solved_.size(); ++k) {
      if (solved_[k].status == Status::kInconsistent) return true;
    }
    return false;
  }

  [[nodiscard]] std::uint64_t options_of(std::uint32_t i, bool& propagated) const {
    const auto& c = problem_.candidates[i];
    std::uint64_t options = 0;
    propagated = true;
    for (std::uint32_t k = c.first_round; k <= c.last_round; ++k) {
      const auto& round = solved_[k];
      const auto m = static_cast<std::size_t>(std::lower_bound(round.members.begin(), round.members.end(), i) - round.members.begin());
      if (links_[k].open) {
        options |= round.time_domain[m];
        propagated = false;
        continue;
      }
      for (const auto& step : links_[k].steps) {
        if (((step.mask >> m) & 1u) == 0) continue;
        options |= round.groups.at(step.mask)[m];
        propagated = propagated && round.propagated[m] != 0;
      }
    }
    return options;
  }

  [[nodiscard]] bool has_twin(std::uint32_t i) const {
    const auto& c = problem_.candidates[i];
    for (std::uint32_t k = c.first_round; k <= c.last_round; ++k) {
      for (const std::uint32_t other : members_[k]) {
        if (other == i) continue;
        bool equal = true;
        for (std::size_t ch = 0; ch < FinishVector::kChannels; ++ch) {
          equal = equal && (!problem_.channel_used[ch] || problem_.candidates[other].vector.value[ch] == c.vector.value[ch]);
        }
        if (equal) return true;
      }
    }
    return false;
  }

  [[nodiscard]] std::string why_ambiguous(std::uint32_t i) const {
    const auto& c = problem_.candidates[i];
    for (std::uint32_t k = c.first_round; k <= c.last_round; ++k) {
      switch (solved_[k].status) {
        case Status::kSolved: break;
        case Status::kInconsistent: return "inconsistent";
        case Status::kTooDense: return "too dense";
        case Status::kUnknown: return solved_[k].why;
      }
      for (const auto& w : problem_.rounds[k].windows) {
        if (!w.known) return w.why_unknown;
      }
    }
    if (near_contradiction(c)) return "inconsistent";
    if (slack_[c.first_round] > 0) return "foreign";
    return has_twin(i) ? "twins" : "several assignments fit";
  }

  [[nodiscard]] Attribution claim(std::uint32_t i) const {
    const auto& c = problem_.candidates[i];
    Attribution out;
    if (c.outside) {
      out.reason = "no scrape";
      return out;
    }
    bool propagated = false;
    const std::uint64_t options = options_of(i, propagated);
    for (std::uint16_t r = 0; r < problem_.replicas; ++r) {
      if (((options >> r) & 1u) != 0) out.candidates.push_back({r, 0});
    }
    if (out.candidates.size() != 1 || near_contradiction(c)) {
      out.reason = why_ambiguous(i);
      return out;
    }
    out.replica = static_cast<std::int16_t>(out.candidates.front().replica);
    out.confidence = out.candidates.front().p = 1;
    const bool alone = c.first_round == c.last_round && problem_.rounds[c.first_round].count() == 1;
    out.method = alone || propagated ? "exact" : "elimination";
    return out;
  }

  Decoded claims() {
    Decoded out;
    for (std::uint32_t i = 0; i < problem_.candidates.size(); ++i) out.of_candidate.push_back(claim(i));
    for (std::size_t k = 0; k < solved_.size(); ++k) {
      out.rounds_with_candidates += members_[k].empty() ? 0 : 1;
      out.inconsistent_rounds += solved_[k].status == Status::kInconsistent ? 1 : 0;
    }
    return out;
  }

  const AttributionProblem& problem_;
  const DecodeLimits& limits_;
  std::vector<Ids> members_;             ///< per round, ascending
  std::vector<RoundSolutions> solved_;
  std::vector<std::int64_t> slack_;      ///< per round
  std::vector<Link> links_;
};

}  // namespace

Decoded decode(const AttributionProblem& problem, const DecodeLimits& limits) {
  if (!problem.refusal.empty()) {
    Decoded out;
    Attribution refused;
    refused.reason = problem.replicas == 0 ? "no scrape" : "inconsistent";
    out.of_candidate.assign(problem.candidates.size(), refused);
    return out;
  }
  return Chain(problem, limits).run();
}

}  // namespace analyzers
