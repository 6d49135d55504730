// Serial probing: a few requests of ours between two rounds of scrapes, and what the counters prove about them.
// attribution_serial.cc judges stored runs with it, verify drives live probes with it. Pure: it sees snapshots and the
// responses' own counts, never a header. It must never claim a probe that another explanation fits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "protocol/openai.h"
#include "protocol/vllm_metrics.h"

namespace analyzers {

/// What a finished probe adds to the counters of the replica that finished it.
struct ProbeVector {
  std::uint32_t prompt_tokens = protocol::kUnknownCount;  ///< from usage
  std::uint32_t output_tokens = protocol::kUnknownCount;  ///< from usage
  std::uint32_t max_tokens = 0;                           ///< as asked; the server may have capped it
  core::Duration latency = core::kNever;                  ///< request sent to stream closed: the server's e2e is no longer
};

/// One round of scrapes, by replica; null: no usable scrape (none, failed or torn).
using ProbeRound = std::vector<const protocol::VllmSnapshot*>;

enum class ProbeVerdict {
  kExact,      ///< one replica moved, by exactly this
  kNotYet,     ///< nothing has counted it: scrape again, a page may lag the last byte by a moment
  kUncounted,  ///< scraped often enough, and no listed replica's counters can hold it
  kForeign,    ///< other traffic moved the counters as well: repeat
  kTwice,      ///< two replicas counted exactly this: a retry, or one process under two names
  kReset,      ///< a replica restarted in between
  kNoScrape,   ///< a replica has no usable scrape on one side
  kFailed      ///< the request itself failed
};
/// A word for tables: "exact", "not counted", "foreign", …
[[nodiscard]] std::string_view to_string(ProbeVerdict verdict);

struct ProbeJudgement {
  ProbeVerdict verdict = ProbeVerdict::kNoScrape;
  std::int16_t replica = -1;    ///< kExact alone
  std::int64_t finishes = 0;    ///< counted by all replicas in between
  bool misfit = false;          ///< not counted (yet), though something was: of another size than the response says
};

/// One request was in flight between the rounds. Exact iff Σ_r Δcount = 1 and that replica's ΔP, ΔG, ΔM are the probe's
/// and its Δe2e fits into the latency.
[[nodiscard]] ProbeJudgement judge_alone(const ProbeRound& before, const ProbeRound& after, const ProbeVector& probe);

/// The probe's max_tokens lies in a histogram bucket in which nothing else moves: that bucket's Δ names the replica under
/// any other traffic. Exact iff the bucket moved by one in all, on a replica whose other sums leave a remainder that its
/// other buckets can hold. ProbeReservation says whether the bucket may still be believed.
[[nodiscard]] ProbeJudgement judge_reserved(const ProbeRound& before, const ProbeRound& after, const ProbeVector& probe);

/// Up to eight probes at once, in different max_tokens buckets, decoded by looking at the buckets. `reserved`: nothing
/// else moves in these buckets. Without it every probe is exact or none is: Σ_r Δcount is their number, each bucket moved
/// once, and each replica's sums are those of the probes it counted.
[[nodiscard]] std::vector<ProbeJudgement> judge_batch(const ProbeRound& before, const ProbeRound& after,
                                                      std::span<const ProbeVector> probes, bool reserved);

inline constexpr std::size_t kProbesAtOnce = 8;

/// A max_tokens histogram bucket in which nothing moved between two rounds, and the least value that falls into it.
struct FreeBucket {
  std::uint8_t bucket = 0;
  std::uint32_t max_tokens = 0;
};
/// Cheapest first, values up to `most_tokens`; empty when a replica was not read, restarted or has no such histogram, or
/// when the replicas' buckets differ.
[[nodiscard]] std::vector<FreeBucket> free_buckets(const ProbeRound& first, const ProbeRound& last, std::uint32_t most_tokens);

/// Whether reserved buckets are still ours. Told of every probe; one finish too many, or one too few, in them breaks it:
/// then somebody else uses a bucket, the server caps max_tokens, or a replica is missing, and no claim made with the
/// reservation may stand.
class ProbeReservation {
 public:
  explicit ProbeReservation(std::vector<FreeBucket> buckets) : buckets_(std::move(buckets)) {}
  [[nodiscard]] const std::vector<FreeBucket>& buckets() const { return buckets_; }
  /// The rounds right before the first and after the newest probe, and how many probes finished in between.
  [[nodiscard]] bool holds(const ProbeRound& first, const ProbeRound& newest, std::size_t finished) const;

 private:
  std::vector<FreeBucket> buckets_;
};

struct ProbeLimits {
  int scrapes_after = 3;  ///< rounds after the end in which the finish may turn up
  int attempts = 4;       ///< requests sent for one claim at most
  core::Duration scrape_gap = std::chrono::milliseconds(20);  ///< before the second and later rounds after the end
};

/// Whether an exact probe stays so in a later round: kExact; kTwice when it was counted once more, as far as the counters
/// can tell (a retry that showed late); kNoScrape, kReset when that round cannot say.
[[nodiscard]] ProbeVerdict confirm(const ProbeRound& after, const ProbeRound& later, const ProbeVector& probe, bool reserved);

/// The sequence of one probe: scrape, send, scrape until counted, judge, scrape once more to see that no second replica
/// counts it, repeat while ambiguous. The driver does what step() says and reports it.
class ProbeSequence {
 public:
  enum class Step { kScrapeBefore, kSend, kScrapeAfter, kWaitThenScrapeAfter, kConfirm, kDone };
  explicit ProbeSequence(const ProbeLimits& limits, bool reserved = false) : limits_(limits), reserved_(reserved) {}

  [[nodiscard]] Step step() const { return step_; }
  [[nodiscard]] core::Duration scrape_gap() const { return limits_.scrape_gap; }
  /// Attempts begun; a repeat had better carry another prompt.
  [[nodiscard]] int attempts() const { return attempts_; }
  /// A round was scraped: kScrapeBefore, kScrapeAfter, kWaitThenScrapeAfter or kConfirm.
  void scraped(std::vector<std::optional<protocol::VllmSnapshot>> round);
  /// kSend was done.
  void answered(const ProbeVector& probe);
  void failed();

  /// Judgement of the newest attempt; final when step() is kDone.
  [[nodiscard]] const ProbeJudgement& judgement() const { return judgement_; }
  [[nodiscard]] const ProbeVector& probe() const { return probe_; }
  /// Judgements of attempts that were repeated.
  [[nodiscard]] const std::vector<ProbeJudgement>& earlier() const { return earlier_; }
  [[nodiscard]] ProbeRound before() const;
  [[nodiscard]] ProbeRound after() const;

 private:
  void judge();
  void settle();

  ProbeLimits limits_;
  bool reserved_;
  Step step_ = Step::kScrapeBefore;
  int attempts_ = 0, scrapes_ = 0, confirmations_ = 0;
  ProbeVector probe_;
  ProbeJudgement judgement_;
  std::vector<ProbeJudgement> earlier_;
  std::vector<std::optional<protocol::VllmSnapshot>> before_, after_;
};

/// Pointers into a round that is held by value.
[[nodiscard]] ProbeRound view(const std::vector<std::optional<protocol::VllmSnapshot>>& round);

}  // namespace analyzers
