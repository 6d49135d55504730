// analyze(): Runs in, Analysis out; and the experiment's description that it needs. Pure functions, no I/O.
// Called by the command line for a single run, an experiment, and when a stored one is judged again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analyzers/analysis.h"
#include "bench/run.h"
#include "core/result.h"

namespace analyzers {

struct ArmInfo {
  std::string name, role;                 ///< role: "baseline" or "candidate"
  std::uint32_t replicas = 0;             ///< 0: unknown
  std::optional<double> usd_per_hour;     ///< all its nodes together; none: no cost figures
};

/// One acceptance gate as configured (reports.md §3.2). metric names: MetricRow::metric of an arm's summary, or
/// "scaling.throughput_ratio", "scaling.efficiency_ratio", "attribution.coverage_ratio", "attribution.wrong",
/// "stickiness_ratio", "prefix_hit_ratio", "failed_ratio", "spread.uniformity_p"; known_metrics() lists all.
struct Gate {
  std::string id, scenario, arm, baseline;  ///< baseline non-empty: candidate/baseline ratio
  std::string metric, op;                   ///< "<=", "<", ">=", ">"
  double limit = 0;
  double confidence = 0.95, guard_ratio = 0.0;
  std::string rule;                         ///< "run_t", "run_sign", "paired_t", "binomial_exact", "point"
  std::optional<Verdict> expect;
  bool warn_only = false;
  std::uint32_t min_repeats = 0;            ///< blocks wanted; 0: the rule's own (run_t and run_sign 5, paired_t 3)
};

struct ExperimentSpec {
  std::string id, name;
  std::vector<ArmInfo> arms;
  std::vector<Gate> gates;
};

/// Every metric name that a gate may use, sorted.
[[nodiscard]] const std::vector<std::string>& known_metrics();

/// Strict parse of a gates file; all errors with their JSON path.
core::Result<std::vector<Gate>> parse_gates(std::string_view json, std::string_view source);
/// JSON of a spec and back, for the run store.
[[nodiscard]] std::string to_json(const ExperimentSpec& spec);
core::Result<ExperimentSpec> parse_experiment_spec(std::string_view json, std::string_view source);

/// Analyses the runs of one experiment. Runs may be in any order; a cell with a higher attempt supersedes lower ones.
[[nodiscard]] Analysis analyze(std::span<const bench::Run> runs, const ExperimentSpec& spec);

/// Attributes each record of a run (same order) from counter deltas alone; headers are never looked at.
[[nodiscard]] std::vector<Attribution> attribute(const bench::Run& run);

/// The limits of validity, in one table (printed by docs and report).
struct ValidityLimit {
  std::string_view id, op, meaning;
  double limit = 0;
  MetricFamily family = MetricFamily::kAll;
};
[[nodiscard]] std::span<const ValidityLimit> validity_limits();

/// Validity of one run on its own: the demo decides with it whether to repeat a cell.
[[nodiscard]] Validity judge_validity(const bench::Run& run);

}  // namespace analyzers
