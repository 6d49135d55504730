// One round of an attribution layer: which assignments of its members to its windows do the counters allow, and how
// likely is each? Called by solve_layer() only. Over a budget the round says so and proves nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "analyzers/attribution_layer.h"
#include "analyzers/attribution_mask.h"
#include "analyzers/attribution_model.h"

namespace analyzers {

/// A candidate whose bracket reaches into the round.
struct RoundMember {
  std::uint32_t candidate = 0;
  bool came_in = false, goes_on = false;  ///< it may have been counted in an earlier, a later round
  double best_log = 0;                    ///< log of its likeliest option in any round
  double outside_log = 0;                 ///< of its likeliest option outside this round; -infinity: none
};

/// All solutions of a round in which the same members were counted.
struct RoundGroup {
  Mask counted;
  double log_weight = 0;                  ///< log of the summed weights of its solutions
  std::vector<double> share;              ///< member-major, `replicas` each: share of the group's weight; rows sum to 0 or 1
  std::vector<std::int16_t> best;         ///< window per member (-1: not counted here) of its likeliest solution
  double best_share = 0;                  ///< that solution's share of the group's weight
};

struct RoundSolution {
  RoundStatus status = RoundStatus::kUnknown;
  std::string_view why;                   ///< kUnknown: "reset" or "no scrape"
  std::vector<RoundMember> members;
  std::vector<WindowOption> options;      ///< member-major, one per window
  std::vector<RoundGroup> groups;
  bool latency_decided = false;           ///< an assignment was dropped because latencies do not fit: not by integers alone
  std::size_t nodes = 0;
};

/// `foreign`: events in this round that need not be ours, at most.
void solve_round(const LayerProblem& problem, std::uint32_t round, std::int64_t foreign, const LayerLimits& limits, RoundSolution& out);

/// Sets of members that make up one window exactly.
struct WindowSet {
  Mask members;
  double log_weight = 0;
};

/// What the lister needs to know of a window: the members that may be in it, those that must.
struct WindowQuery {
  std::uint32_t window = 0;
  Mask domain, forced;
};

/// Additive 64-bit hashes of integer vectors: equal sums mean equal counts, sums and buckets but for a chance of 2^-64 a
/// comparison.
[[nodiscard]] std::uint64_t vector_key(const LayerProblem& problem, const LayerWindow& window, const LayerVector& vector);
[[nodiscard]] std::uint64_t window_key(const LayerProblem& problem, const LayerWindow& window);

class WindowLister {
 public:
  WindowLister(const LayerProblem& problem, const LayerRound& round, const RoundSolution& members, const LayerLimits& limits)
      : problem_(problem), round_(round), in_(members), limits_(limits) {}

  /// log2 of the work of listing; more than log2(limits.lists) and list() refuses.
  [[nodiscard]] double cost(const WindowQuery& query);
  /// All sets that fit the window. False: over the budget. `dropped`: some fitted the integers and not the latencies.
  bool list(const WindowQuery& query, std::vector<WindowSet>& out, bool& dropped, std::size_t& nodes);

 private:
  struct Item {
    std::uint32_t member = 0;
    std::size_t group = 0;   ///< class: bucket of the most telling histogram
    std::uint64_t key = 0;
    double latency_s = 0, penalty = 0;
  };
  struct Partial {
    std::uint64_t key = 0;
    double latency_s = 0, penalty = 0;
    Mask members;
  };
  struct Plan {
    bool possible = true;
    std::size_t cut = 0;
    double log2_cost = 0;
  };
  Plan plan(const WindowQuery& query);
  bool choose_classes(const LayerWindow& window, const std::vector<std::uint32_t>& free, const Mask& forced);
  bool enumerate(std::size_t begin, std::size_t end, std::vector<Partial>& out, std::size_t& nodes);
  bool descend(std::size_t at, std::size_t end, const Partial& so_far, std::vector<Partial>& out, std::size_t& nodes);
  void match(const WindowQuery& query, std::vector<WindowSet>& out, bool& dropped, std::size_t& nodes);
  void accept(const WindowQuery& query, const Mask& members, std::vector<WindowSet>& out, bool& dropped) const;

  const LayerProblem& problem_;
  const LayerRound& round_;
  const RoundSolution& in_;
  const LayerLimits& limits_;
  std::vector<Item> items_;                ///< by class
  std::vector<std::int64_t> need_;         ///< per class
  std::vector<std::int64_t> taken_;        ///< per class, while descending
  std::vector<std::size_t> class_end_;     ///< index behind the class's last item
  std::uint64_t want_ = 0;
  double want_latency_s_ = 0;
  std::vector<Partial> left_, right_;
};

}  // namespace analyzers
