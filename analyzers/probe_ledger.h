// ProbeLedger: what a series of probes shows about the list of replicas and about the client's clock.
// Told of every round of scrapes and of every attempt, in order. Pure; a suspicion is only returned when the counters
// prove it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyzers/serial_probe.h"

namespace analyzers {

/// Start values for the decoder's model of (client latency - server e2e), and whether body sizes reach the replicas.
struct ProbeCalibration {
  std::size_t n = 0;
  std::optional<double> mean_ms, stddev_ms;      ///< of client latency - server e2e; stddev from two on
  std::size_t sizes_compared = 0, sizes_equal = 0;  ///< Content-Length counted by the replica against the body we sent
};

struct ReplicaTally {
  std::int64_t counted = 0;       ///< finishes between consecutive rounds without a restart
  std::int64_t ours = 0;          ///< exact claims
  std::int64_t foreign_least = 0; ///< finishes that cannot be ours, even if every unclaimed attempt was served here
  std::size_t rounds = 0, unreadable_rounds = 0, resets = 0;
  bool several_processes = false; ///< the URL answers for more than one process: its start times come and go
  bool counts_finishes = false;   ///< exports a counter of finished requests
  bool has_prompt = false, has_output = false, has_max_tokens = false, has_e2e = false, has_first_token = false,
       has_http_bytes = false;
  std::optional<std::uint32_t> block_size_tokens;
};

class ProbeLedger {
 public:
  explicit ProbeLedger(std::size_t replicas) : tallies_(replicas), last_(replicas), identities_(replicas) {}

  void round(const std::vector<std::optional<protocol::VllmSnapshot>>& round);
  /// One attempt: its judgement, and the rounds it was judged from. `body_bytes`: Content-Length as sent.
  void attempt(const ProbeJudgement& judgement, const ProbeVector& probe, const ProbeRound& before, const ProbeRound& after,
               std::uint32_t body_bytes);

  [[nodiscard]] std::vector<ReplicaTally> replicas() const;
  /// Pairs of replicas whose pages have been the same and have moved: one process under two names.
  [[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> same_process() const;
  [[nodiscard]] const ProbeCalibration& calibration() const { return calibration_; }
  [[nodiscard]] std::size_t attempts() const { return attempts_; }
  [[nodiscard]] std::size_t with(ProbeVerdict verdict) const;
  /// Of the uncounted attempts, those during which something was counted, but of another size.
  [[nodiscard]] std::size_t misfits() const { return misfits_; }
  /// The list cannot be that of the target's replicas: one is missing, is shown twice, is several behind one URL, or
  /// never gave metrics.
  /// Where probes went cannot be counted then.
  [[nodiscard]] bool list_is_wrong() const;

 private:
  struct Pair {
    std::size_t compared = 0, equal = 0, moved_together = 0;
    bool told_apart = false;
  };
  /// A body whose Content-Length is to be found in the next round: it is counted just after the last byte.
  struct PendingSize {
    std::size_t replica = 0;
    double bytes_before = 0, requests_before = 0;
    std::uint32_t body_bytes = 0;
  };
  void compare_pages(const std::vector<std::optional<protocol::VllmSnapshot>>& round);
  void compare_size(const std::vector<std::optional<protocol::VllmSnapshot>>& round);
  void note_identity(std::size_t replica, const protocol::VllmSnapshot& page);
  [[nodiscard]] Pair& pair(std::size_t a, std::size_t b);

  std::vector<ReplicaTally> tallies_;
  std::vector<std::optional<protocol::VllmSnapshot>> last_;
  std::vector<std::vector<double>> identities_;  ///< start times in order of appearance, without repeats in a row
  std::vector<Pair> pairs_;
  std::vector<std::pair<ProbeVerdict, std::size_t>> verdicts_;
  std::optional<PendingSize> pending_size_;
  ProbeCalibration calibration_;
  double sum_ms_ = 0, sum_squares_ = 0;
  std::size_t attempts_ = 0, unclaimed_ = 0, misfits_ = 0;
};

}  // namespace analyzers
