// Which replica finished which response, from counter deltas alone. The problem is a plain value, built once from a Run;
// a decoder turns it into claims. A better decoder replaces decode() and nothing else.
// Nothing here may read RequestRecord::observed_replica; compare_with_headers() reports against it, and only that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/run_facts.h"
#include "bench/run.h"

namespace analyzers {

/// Integers that a request adds to the replica that finishes it: prompt, output and max_tokens, and the bucket of each
/// in that replica's histograms.
struct FinishVector {
  static constexpr std::size_t kChannels = 3;
  std::array<std::int64_t, kChannels> value{};
  std::array<std::uint8_t, kChannels> bucket{};
};

/// One replica between two consistent scrapes: so many finishes, adding up to these integers.
struct FinishWindow {
  std::uint16_t replica = 0;
  core::Duration opens{}, closes{};  ///< widest: sent of the first scrape, answered of the second
  bool known = false;                ///< false: a reset or no scrape; it may have taken anything
  std::string why_unknown;           ///< "reset", "no scrape"
  std::int64_t count = 0;
  std::array<std::int64_t, FinishVector::kChannels> sum{};
  std::array<std::vector<std::int32_t>, FinishVector::kChannels> buckets;  ///< not cumulative; may be empty
};

/// Windows of all replicas between two instants at which every (living) replica was scraped.
struct FinishRound {
  std::vector<FinishWindow> windows;
  [[nodiscard]] bool all_known() const;
  [[nodiscard]] std::int64_t count() const;
};

/// A response of ours and when its replica may have counted it: [latest - horizon, latest]; `latest` is the end of the
/// response less 0.9 of the way back through a simulated network, if there is one.
struct FinishCandidate {
  std::uint32_t record = 0;
  core::Duration earliest{}, latest{};
  FinishVector vector;
  std::uint32_t first_round = 0, last_round = 0;
  bool outside = false;  ///< no round at all
};

struct AttributionProblem {
  std::size_t replicas = 0;
  std::vector<FinishRound> rounds;            ///< the first and the last are unknown: before and after all scrapes
  std::vector<FinishCandidate> candidates;    ///< ascending `latest`
  std::array<bool, FinishVector::kChannels> channel_used{};
  core::Duration horizon{};
  core::Duration scrape_interval{};           ///< median between rounds
  bool totals_known = false;                  ///< counters bracket the run without a reset
  std::int64_t extra_finishes = 0;            ///< counted - ours; foreign, or ours that we gave up on
  std::string refusal;                        ///< not empty: no claim may be made, and why
};

struct DecodeLimits {
  std::size_t nodes_per_round = 30'000, nodes_per_run = 6'000'000;
  std::size_t candidates_per_round = 40, states = 512, steps_per_round = 40'000;
};

/// `least_horizon`: widens the finish brackets beyond what the joint counts prove.
[[nodiscard]] AttributionProblem attribution_problem(const bench::Run& run, const RunFacts& facts, core::Duration least_horizon = {});

struct Decoded {
  std::vector<Attribution> of_candidate;  ///< in the problem's order
  std::size_t rounds_with_candidates = 0, inconsistent_rounds = 0;
};
/// Exact list decoding of each round and of the chain of rounds: a response is claimed only if every assignment that the
/// integers allow puts it on the same replica.
[[nodiscard]] Decoded decode(const AttributionProblem& problem, const DecodeLimits& limits = {});

/// Serial probing: one request between two rounds of scrapes. Order of the records; method "serial" where exact,
/// replica -1 with an empty reason where the record was not alone.
struct SerialResult {
  std::vector<Attribution> of_record;
  std::size_t probes = 0, uncounted = 0;  ///< uncounted: finished, yet no replica counted it
};
[[nodiscard]] SerialResult serial_probe(const bench::Run& run, const RunFacts& facts);

struct RunAttribution {
  std::vector<Attribution> of_record;  ///< order of Run::records; failed requests: replica -1, no reason
  std::string refusal;                 ///< no claims at all, and why
  core::Duration scrape_interval{};
  double lambda = 0;                   ///< mean finishes per replica and round
  bool totals_known = false;
  std::int64_t extra_finishes = 0, counted_finishes = 0;
};
[[nodiscard]] RunAttribution attribute_run(const bench::Run& run, const RunFacts& facts);

/// Header names mapped one to one to replicas, most votes of claimed responses first, and the claims that disagree.
struct HeaderComparison {
  std::size_t compared = 0, wrong = 0;
  bool comparable = true;                            ///< false: one name for several replicas: it names something else
  std::map<std::string, std::string> name_of_replica;  ///< replica's name -> header value
};
/// Pooled over the runs of one arm, so that the same name must mean the same replica (metrics URL) in all of them.
[[nodiscard]] HeaderComparison compare_with_headers(const std::vector<const bench::Run*>& runs,
                                                    const std::vector<const RunAttribution*>& attributions);

/// One row for a scenario on an arm, over all its runs.
[[nodiscard]] AttributionRow attribution_row(const std::vector<const bench::Run*>& runs,
                                             const std::vector<const RunFacts*>& facts,
                                             const std::vector<const RunAttribution*>& attributions);

}  // namespace analyzers
