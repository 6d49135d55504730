// Latency samples and their distributions: TTFT, TPOT, ITL, ICL, E2E, normalised, as the project defines them.
// Used by analyze() per run and per arm. Percentiles are nearest rank and appear only when n suffices.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/run_facts.h"
#include "bench/run.h"

namespace analyzers {

/// A latency's samples in ms, unsorted. No samples: `reason` says why.
struct LatencySamples {
  std::string metric;
  std::vector<double> ms;
  std::string reason;
};

/// TTFT = first token - due (headline); nothing when a time is missing.
[[nodiscard]] std::optional<double> ttft_ms(const bench::RequestRecord& r);
[[nodiscard]] std::optional<double> ttft_from_send_ms(const bench::RequestRecord& r);
/// (last token - first token)/(n - 1), n >= 2 output tokens by usage.
[[nodiscard]] std::optional<double> tpot_ms(const bench::RequestRecord& r);
/// E2E = last token - due; without token times (not streamed) done - due.
[[nodiscard]] std::optional<double> e2e_ms(const bench::RequestRecord& r);
/// Met every limit that is set; a limit whose latency is unknown is not met.
[[nodiscard]] bool meets_slo(const bench::RequestRecord& r, const scenarios::Slo& slo);

/// Samples of the successful requests due in the window, in the fixed order ttft_ms, ttft_from_send_ms, tpot_ms,
/// itl_ms, icl_ms, e2e_ms, normalised_latency_ms.
[[nodiscard]] std::vector<LatencySamples> collect_latencies(const bench::Run& run, const RunFacts& facts, const Window& window);

/// Sorts `samples` and describes them. `label` qualifies the intervals: "within this run", "within these runs".
[[nodiscard]] Distribution describe(LatencySamples samples, const std::string& label);

/// The quantile points of every distribution, name and q.
[[nodiscard]] const std::vector<std::pair<std::string, double>>& quantile_points();

}  // namespace analyzers
