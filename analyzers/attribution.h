// Which replica finished which response, from counter deltas alone. The problem is a plain value, built once from a Run;
// a decoder turns it into claims. A better decoder replaces decode() and nothing else.
// Nothing here may read RequestRecord::observed_replica; truth_check.h compares with it afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/attribution_layer.h"
#include "analyzers/run_facts.h"
#include "bench/run.h"

namespace analyzers {

struct AttributionProblem {
  std::size_t replicas = 0;
  LayerProblem finish;                          ///< rounds: the first and the last are unknown
  std::optional<LayerProblem> first_token, body;  ///< none: the servers export no such counters, or they do not add up
  std::vector<std::uint32_t> boundary_round_ids;  ///< scrape rounds between the rounds of the layers
  core::Duration scrape_interval{};             ///< median between rounds
  std::string refusal;                          ///< not empty: no claim may be made, and why
};

/// Scrapes of `dropped_rounds` are not used: what they contradict is decided without them.
[[nodiscard]] AttributionProblem attribution_problem(const bench::Run& run, const RunFacts& facts,
                                                     const std::set<std::uint32_t>& dropped_rounds = {});

/// Probability from which a response is attributed.
inline constexpr double kClaimConfidence = 0.99;

struct Decoded {
  std::vector<Attribution> of_record;           ///< order of Run::records
  std::vector<std::uint32_t> inconsistent;      ///< rounds of the finish layer that no assignment explains
  std::size_t rounds_with_candidates = 0, dense_rounds = 0;
  double expected_wrong = 0;                    ///< sum of 1 - p over the claims
  std::string note;                             ///< layers that were left out, and why
};
/// Calibrates, solves the layers, lets each narrow the others by what is all but certain, and makes claims.
[[nodiscard]] Decoded decode(AttributionProblem& problem, std::size_t records);

/// Serial probing: one request between two rounds of scrapes. Order of the records; method "serial" where exact,
/// replica -1 with an empty reason where the record was not alone.
struct SerialResult {
  std::vector<Attribution> of_record;
  std::size_t probes = 0, uncounted = 0;  ///< uncounted: finished, yet no replica counted it
};
[[nodiscard]] SerialResult serial_probe(const bench::Run& run, const RunFacts& facts);

struct RunAttribution {
  bool by_header = false;              ///< as the user asked: of_record is what headers say, the rest still the counters'
  std::vector<Attribution> of_record;  ///< order of Run::records; failed requests: replica -1, no reason
  std::string refusal;                 ///< no claims at all, and why
  core::Duration scrape_interval{};
  double lambda = 0;                   ///< mean finishes per replica and round
  double expected_wrong = 0;           ///< sum of 1 - p over the claims
  std::string note;                    ///< what was left out of the evidence, and why
  bool totals_known = false;
  std::int64_t extra_finishes = 0, counted_finishes = 0;
};
[[nodiscard]] RunAttribution attribute_run(const bench::Run& run, const RunFacts& facts);

/// One row for a scenario on an arm, over all its runs.
[[nodiscard]] AttributionRow attribution_row(const std::vector<const bench::Run*>& runs,
                                             const std::vector<const RunFacts*>& facts,
                                             const std::vector<const RunAttribution*>& attributions);

}  // namespace analyzers
