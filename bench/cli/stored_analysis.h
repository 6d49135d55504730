// Stored runs into an Analysis: what report, gate and compare share. Works offline, on the store alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "analyzers/analyze.h"
#include "bench/shell/run_store.h"

namespace bench::cli {

/// "latest", an id, a unique prefix or a label; FILE:reference reads another store than `store_path`.
struct StoredReference {
  std::string store_path, reference;
};
[[nodiscard]] StoredReference split_reference(const std::string& text, const std::string& store_path);

struct LoadedRuns {
  std::vector<Run> runs;
  analyzers::ExperimentSpec spec;
};
/// The runs of an experiment, or the one run, with the stored arms and gates.
core::Result<LoadedRuns> load_runs(const StoredReference& reference);

/// A spec for runs that belong to no experiment: one arm per name, baseline first.
[[nodiscard]] analyzers::ExperimentSpec spec_of(const std::vector<Run>& runs, const std::string& name);

/// Gates from a file (empty: none) and from one-line forms, "ttft_ms.p99<=450" or "B/A ttft_ms.p99<=1.05". All errors.
core::Result<std::vector<analyzers::Gate>> read_gates(const std::string& file, const std::vector<std::string>& lines);

}  // namespace bench::cli
