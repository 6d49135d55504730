// LiveAttribution: which replica answered what, while the run is still going. Fed with what has ended, about once a second.
// It decides from finish counters alone, two rounds of scrapes behind; the analysis after the run has all evidence and may
// attribute more. Called by bench/cli's live view. It must never read headers, and its figures are never stored.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "analyzers/attribution.h"
#include "bench/run.h"

namespace analyzers {

struct LiveShares {
  std::size_t decided = 0, attributed = 0;  ///< successful responses that had their turn; of those, what got a replica
  std::size_t undecided = 0;                ///< ended, but too recent for the scrapes
  std::size_t passed_over = 0;              ///< of `decided`: not tried, as deciding lagged too far behind
  std::vector<std::size_t> of_replica;      ///< attributed, per replica in the manifest's order
  core::Duration as_of{};                   ///< what ended before this had its turn
  std::string contradiction;                ///< not empty: the counters cannot be those of the replicas that served, and why
};

class LiveAttribution {
 public:
  /// More undecided responses than this are passed over by the next decide().
  static constexpr std::size_t kMostUndecided = 20'000;

  /// `network_delay`: as RunManifest::network_delay.
  LiveAttribution(const std::vector<bench::ReplicaInfo>& replicas, core::Duration network_delay);

  /// What has ended since the last call. Everything that ends later has a later time.
  void add(const std::vector<bench::RequestRecord>& records, const std::vector<bench::ReplicaScrape>& scrapes);
  /// Decides what the scrapes allow. Costs CPU in proportion to the undecided responses, and a fit now and then.
  void decide();
  [[nodiscard]] const LiveShares& shares() const { return shares_; }

 private:
  void take_scrapes();
  void judge_totals();
  [[nodiscard]] double ended_before(core::Duration when) const;
  [[nodiscard]] std::vector<double> shares_of_counters() const;
  [[nodiscard]] bench::Run part_from(core::Duration begin) const;
  [[nodiscard]] core::Duration context_begin() const;
  void fit_when_due();
  void decide_until(core::Duration until, const AttributionProblem& problem, const bench::Run& part);
  void pass_over();
  void forget();

  bench::RunManifest manifest_;               ///< replicas and delay only
  std::deque<bench::RequestRecord> records_;  ///< successful ones
  std::deque<bench::ReplicaScrape> scrapes_, fresh_;  ///< usable ones; fresh_: not taken into account yet
  DelayModel model_;
  std::size_t succeeded_ = 0, next_fit_ = 0;  ///< next_fit_: of succeeded_
  core::Duration decided_until_, now_, first_scrape_;  ///< now_: of what came last
  std::vector<bench::ReplicaScrape> latest_;  ///< per replica; not ok: none yet
  std::vector<double> counted_;               ///< finishes per replica since its first scrape
  bool totals_known_ = true;                  ///< all replicas were scraped before the first response ended, none reset
  std::size_t rounds_ = 0, contradicting_ = 0;
  LiveShares shares_;
};

}  // namespace analyzers
