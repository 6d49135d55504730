// One layer of the attribution problem: events that replicas count (finishes, first tokens, request bodies) against the
// responses that a client saw. A plain value, made from a Run by attribution_problem.cc, solved by solve_layer().
// Nothing here may read RequestRecord::observed_replica.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace analyzers {

inline constexpr std::size_t kIntegerChannels = 3;  ///< finish: prompt, output, max_tokens; first token: prompt; body: bytes

/// Integers that an event adds to its replica, and the bucket of each in that replica's histograms.
struct LayerVector {
  std::array<std::int64_t, kIntegerChannels> value{};
  std::array<std::uint8_t, kIntegerChannels> bucket{};
};

/// Events per histogram bucket of each integer, not cumulative. Only buckets that moved are held: most did not.
class BucketCounts {
 public:
  void set(std::size_t channel, const std::vector<std::int32_t>& counts);
  [[nodiscard]] bool known(std::size_t channel) const { return buckets_[channel] > 0; }
  [[nodiscard]] std::vector<std::int32_t> of(std::size_t channel) const;
  /// Calls visit(bucket, count) for each bucket that moved.
  template <class Visit>
  void each(std::size_t channel, const Visit& visit) const {
    for (const auto& m : moved_) {
      if (m.channel == channel) visit(std::size_t{m.bucket}, m.count);
    }
  }

 private:
  struct Moved {
    std::uint8_t channel = 0, bucket = 0;
    std::int32_t count = 0;
  };
  std::vector<Moved> moved_;
  std::array<std::uint8_t, kIntegerChannels> buckets_{};  ///< 0: no histogram
};

/// One replica between two scrapes. The counters were read at some instant inside [sent, answered] of either scrape.
struct LayerWindow {
  std::uint16_t replica = 0;
  core::Duration open_sent{}, open_answered{}, close_sent{}, close_answered{};
  bool known = false;        ///< false: a reset or no scrape; it may have counted anything
  std::string_view why_unknown;  ///< "reset", "no scrape"
  std::int64_t count = 0;
  std::array<std::int64_t, kIntegerChannels> sum{};
  BucketCounts buckets;
  double latency_sum_s = 0;  ///< finish: e2e; first token: TTFT
};

/// Windows of all replicas between two instants at which every (living) replica was scraped.
struct LayerRound {
  std::vector<LayerWindow> windows;
  [[nodiscard]] bool all_known() const;
  [[nodiscard]] std::int64_t count() const;
};

/// An event of ours. Its replica counted it at `latest` less a delay of the DelayModel, never before `earliest`.
struct LayerCandidate {
  std::uint32_t record = 0;
  core::Duration earliest{}, latest{};
  LayerVector vector;
  double latency_s = 0;                           ///< as the client measured it
  std::uint64_t replicas = ~std::uint64_t{0};     ///< bits of replicas that another layer left possible
};

/// One of the normals whose mixture is the client's latency less the server's, of one event; `mean_s` is relative to the
/// overall bias, so the weighted means sum to 0.
struct LatencyNoise {
  double weight = 0, mean_s = 0, variance_s2 = 0;
};

/// Density of the summed noise of n events: one term per number of events that fall on the second normal.
struct NoiseSum {
  double log_scale = 0;                           ///< log of weight and of the normal's factor
  double mean_s = 0, precision = 0;
};

/// Delay between the replica's count and the client's sight: offset + exponential; with probability `held_share` a
/// uniform hold of up to `hold_limit` on top. Client latency less server latency: normal per event, plus the hold.
struct DelayModel {
  double offset_s = 0, mean_s = 1e-3;
  double held_share = 0.01, hold_limit_s = 0.045;
  bool latency_used = false;                      ///< false until calibrated
  double bias_s = 0, variance_s2 = 1;             ///< of (client - server), one event
  std::vector<double> replica_bias_s;             ///< added to bias_s for a replica; may be empty
  std::array<LatencyNoise, 2> noise{};
  std::vector<std::vector<NoiseSum>> sums;        ///< [n - 1]; made by prepare_sums()
  double foreign_per_s = 0;                       ///< per replica
  std::vector<double> replica_share;              ///< prior of each replica; empty: equal
};

struct LayerProblem {
  std::size_t replicas = 0;
  bool latency_known = false;                     ///< all replicas sum the layer's latency
  std::vector<LayerRound> rounds;                 ///< the first and the last are unknown: before and after all scrapes
  std::vector<LayerCandidate> candidates;         ///< ascending `latest`
  std::array<bool, kIntegerChannels> channel_used{};
  bool totals_known = false;                      ///< counters bracket the run without a reset
  std::int64_t extra = 0;                         ///< counted - ours over the run; foreign, or ours that we gave up on
  DelayModel model;
};

/// Budgets: over them a round is "too dense" and its responses stay ambiguous; nothing is ever cut short silently.
struct LayerLimits {
  std::size_t lists = std::size_t{1} << 16;       ///< entries of one half list of a window
  std::size_t nodes = 150'000;                    ///< steps of one round's search
  std::size_t steps = 400'000;                    ///< pairs of state and group at one boundary
  std::size_t states = 4096;                      ///< sets of straddling responses at one boundary
  double least_log_weight = -18;                  ///< options and solutions less likely than e^this are left out
};

enum class RoundStatus : std::uint8_t { kSolved, kInconsistent, kTooDense, kUnknown };

/// Events of a window, or of all windows of a round together, that are all but certain: what calibration learns from.
struct SettledWindow {
  static constexpr std::uint32_t kWholeRound = 0xffffffff;
  std::uint32_t round = 0, window = 0;
  std::vector<std::uint32_t> candidates;
};

struct LayerPosterior {
  std::size_t replicas = 0;
  std::vector<float> p;                           ///< candidate-major, `replicas` each; sums to 1, or all 0: nothing is known
  std::vector<std::uint8_t> settled;              ///< per candidate: 1: the integers and brackets alone leave one replica
  std::vector<std::uint8_t> blocked;              ///< per candidate: 1: next to a contradiction, nothing may be claimed
  std::vector<std::string_view> reason;              ///< per candidate: what stands in the way of certainty
  std::vector<RoundStatus> rounds;
  std::vector<SettledWindow> windows;             ///< filled on request
  std::size_t rounds_with_candidates = 0, inconsistent_rounds = 0, dense_rounds = 0;
  [[nodiscard]] float at(std::size_t candidate, std::size_t replica) const { return p[candidate * replicas + replica]; }
};

struct LayerOptions {
  std::uint32_t first_candidate = 0;              ///< decode only candidates [first, last) …
  std::uint32_t last_candidate = 0xffffffff;      ///< … and the rounds they can be in
  bool want_windows = false;
  LayerLimits limits;
};

/// Exact posterior of every event's replica given the counters, by listing the assignments of each round and running
/// forward-backward over the events that straddle scrapes.
[[nodiscard]] LayerPosterior solve_layer(const LayerProblem& problem, const LayerOptions& options = {});

/// Fits bias, noise, delay and holds to the first responses that are decided without them, then with them.
/// Leaves `latency_used` false where too little is decided.
void calibrate(LayerProblem& problem, const LayerLimits& limits);

}  // namespace analyzers
