// The runs of an experiment sorted into cells and arms: what analyze()'s parts hand to each other.
// Used inside analyzers only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/analyze.h"
#include "analyzers/attribution.h"
#include "analyzers/latency.h"
#include "analyzers/run_facts.h"

namespace analyzers {

struct Cell {
  const bench::Run* run = nullptr;
  RunFacts facts;
  RunAttribution attribution;
  std::vector<LatencySamples> latencies;
  CellAnalysis analysis;
};

/// The used cells of one scenario on one arm, by block; and its ladder, by concurrency.
struct ArmCells {
  std::string scenario, arm;
  ArmInfo info;
  std::vector<const Cell*> cells, ladder;
};

struct BlockValue {
  std::uint32_t block = 0;
  double value = 0;
};
/// A metric's values by block, from cells that are valid for its family.
struct BlockValues {
  std::vector<BlockValue> values;
  std::size_t invalid = 0;  ///< cells left out because the client or the simulator was the bottleneck
  std::size_t missing = 0;  ///< valid cells without this figure
  std::string reason;       ///< of the last one left out
};
[[nodiscard]] BlockValues block_values(const ArmCells& arm, std::string_view metric);
/// Blocks that both arms have: log(candidate / baseline). Values must be positive; others count as missing.
struct PairedLogs {
  std::vector<double> logs;
  std::size_t invalid = 0, missing = 0;
  std::string reason;
};
[[nodiscard]] PairedLogs paired_logs(const ArmCells& baseline, const ArmCells& candidate, std::string_view metric);

/// Which validity a metric needs: latencies their own, rates and cost throughput, counts only what concerns all.
[[nodiscard]] MetricFamily family_of(std::string_view metric);
[[nodiscard]] bool valid_for(const Validity& validity, MetricFamily family);
/// Reasons of the failed checks that concern a family, joined.
[[nodiscard]] std::string why_invalid(const Validity& validity, MetricFamily family);

}  // namespace analyzers
