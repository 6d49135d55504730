// Experiment: arms × scenarios × interleaved blocks on live targets. Runs the cells one after the other, repeats an
// invalid one once, stores each run. Called by demo; the analysis of its runs is somebody else's.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "analyzers/analyze.h"
#include "bench/shell/run_store.h"
#include "bench/shell/runner.h"

namespace bench::cli {

struct ExperimentArm {
  std::string name, target_url, model;
  std::vector<ReplicaTarget> replicas;
};

/// What the experiment is doing now, for progress.
struct CellProgress {
  std::string what;            ///< "block 2/6 · saturate · pattern3"
  std::uint32_t cell = 0, cells = 0;
  LiveStats live;
  Duration elapsed{};
  std::string attributed;      ///< the live view's line; may be empty
};

struct ExperimentContext {
  std::string id;
  std::vector<ExperimentArm> arms;
  std::uint64_t seed = 1;
  std::vector<std::string> command;
  std::string router_mode;
  Duration network_delay{};
  RunStore* store = nullptr;                 ///< may be null: runs are only returned
  std::string store_path;                    ///< of the same store: runs are written ahead while they go on
  const std::atomic<bool>* interrupted = nullptr;
  std::function<void(const CellProgress&)> on_progress;
  std::function<void(const std::string&)> on_note;
  std::function<bool()> may_go_on;           ///< asked before each cell; false stops the experiment as cancelled
  std::uint32_t cells_total = 0;
};

class ExperimentRunner {
 public:
  explicit ExperimentRunner(ExperimentContext context) : context_(std::move(context)) {}

  /// One probe run of a scenario on one arm.
  core::Status probe(const scenarios::Scenario& scenario, std::size_t arm);
  /// Short ladder on every arm, every step of it: whether it is flat is the analysis' to say, over its own windows.
  /// Returns the last step's concurrency, at which the load is then measured.
  core::Result<std::uint32_t> ladder(const scenarios::Scenario& scenario, Duration step_duration);
  /// `blocks` blocks of every scenario on every arm; the order of arms alternates (AB BA AB …).
  core::Status blocks(const std::vector<scenarios::Scenario>& scenarios, std::uint32_t blocks);

  [[nodiscard]] const std::vector<Run>& runs() const { return runs_; }
  [[nodiscard]] bool interrupted() const { return context_.interrupted != nullptr && context_.interrupted->load(); }

 private:
  core::Result<const Run*> run_cell(const scenarios::Scenario& scenario, std::size_t arm, CellRef cell, const std::string& what);

  ExperimentContext context_;
  std::vector<Run> runs_;
  std::uint32_t cells_done_ = 0;
};

}  // namespace bench::cli
