// Chain: a layer's rounds, solved one by one and joined over the responses that straddle scrapes. Made and used by
// solve_layer() only; attribution_chain.cc lists and joins, attribution_posterior.cc reads the result off.
// It must never turn "cannot tell" into a replica: a round that is not solved lets everything through.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "analyzers/attribution_layer.h"
#include "analyzers/attribution_round.h"

namespace analyzers {

class Chain {
 public:
  Chain(const LayerProblem& problem, const LayerOptions& options) : problem_(problem), options_(options) {}
  LayerPosterior run();

 private:
  static constexpr double kNever = -std::numeric_limits<double>::infinity();
  static constexpr std::size_t kGone = static_cast<std::size_t>(-1);

  /// Members counted before a round (bits in the order of its members), and how likely.
  struct State {
    Mask counted;
    double log_forward = kNever, log_backward = kNever;
  };
  struct Link {
    std::vector<State> before;
    std::vector<std::size_t> next_index;          ///< per member: its bit in the next round; kGone where it ends here
    Mask ends, came_in;                           ///< members that must be counted by the round's end; that may have been before
    std::vector<std::pair<Mask, std::uint32_t>> by_need;  ///< groups by the entered members that they count and that end here
  };
  struct Placement {
    std::uint32_t first = 0, last = 0;            ///< rounds with an option
    double best_log = kNever;
    bool placed = false;
  };

  [[nodiscard]] std::size_t first_round(core::Duration earliest) const;
  void place();
  void place_one(std::uint32_t i);
  void limit_foreign();
  void limit_foreign(std::size_t begin, std::size_t end);
  void solve_one(std::size_t k);
  [[nodiscard]] LayerLimits limits_now() const;
  [[nodiscard]] std::int64_t most_foreign_in(std::size_t k) const;
  [[nodiscard]] bool partial() const { return options_.first_candidate > 0 || options_.last_candidate < problem_.candidates.size(); }
  [[nodiscard]] std::vector<std::size_t> bits_after(std::size_t k) const;
  void prepare_link(std::size_t k);
  [[nodiscard]] static Mask carry(const Mask& counted, const std::vector<std::size_t>& bits);
  /// Calls visit(state, group, state after) for each way through a solved round, until it says false. False: it did.
  template <class Visit>
  bool steps(std::size_t k, const Visit& visit) const;
  void forward(std::size_t k);
  [[nodiscard]] RoundStatus step_forward(std::size_t k, std::map<Mask, double>& after) const;
  static void take_states(const std::map<Mask, double>& after, std::vector<State>& out);
  bool open_states(std::size_t k, std::map<Mask, double>& out) const;
  [[nodiscard]] double here_log(std::size_t k, std::size_t m) const;
  void backward(std::size_t end);
  void finish_block(std::size_t end, std::size_t upto);
  [[nodiscard]] const State* find_state(std::size_t k, const Mask& counted) const;

  void collect(std::size_t k);
  void collect_round(std::size_t k);
  void settle_round(std::size_t k, const Mask& counted);
  void settle_windows(std::size_t k, const RoundGroup& group);
  void collect_open(std::size_t k);
  void normalise();
  void explain();
  [[nodiscard]] bool settled(std::uint32_t i) const;
  [[nodiscard]] bool near_contradiction(const Placement& at) const;
  [[nodiscard]] bool has_twin(std::uint32_t i) const;
  [[nodiscard]] std::string_view why_uncertain(std::uint32_t i) const;

  const LayerProblem& problem_;
  const LayerOptions& options_;
  LayerPosterior out_;
  std::vector<float> open_;                       ///< as out_.p: mass that unsolved rounds may hold
  std::vector<core::Duration> closes_;
  std::vector<Placement> placements_;
  std::vector<RoundSolution> solved_;
  std::vector<std::int64_t> foreign_;
  std::vector<Link> links_;
  std::size_t dense_in_a_row_ = 0, collected_ = 0, held_bytes_ = 0;
};

[[nodiscard]] double log_add(double a, double b);

template <class Visit>
bool Chain::steps(std::size_t k, const Visit& visit) const {
  const Link& link = links_[k];
  const Mask decided = link.ends & link.came_in;
  for (std::size_t s = 0; s < link.before.size(); ++s) {
    const Mask& before = link.before[s].counted;
    // A member that came in and ends here is counted either before or here: groups are looked up by which.
    const Mask need = decided.without(before);
    auto at = std::lower_bound(link.by_need.begin(), link.by_need.end(), need, [](const auto& entry, const Mask& m) { return entry.first < m; });
    for (; at != link.by_need.end() && at->first == need; ++at) {
      const Mask& here = solved_[k].groups[at->second].counted;
      if (!(here & before).none() || !link.ends.without(here | before).none()) continue;
      if (!visit(s, static_cast<std::size_t>(at->second), carry(here | before, link.next_index))) return false;
    }
  }
  return true;
}

}  // namespace analyzers
