// RunStore: runs in one SQLite file (WAL). The only user of sqlite3. Written by one thread, in batches.
// After kill -9 everything committed up to ~1 s before is there and the run reads back as aborted.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/run.h"
#include "core/result.h"

namespace bench {

struct RunSummary {
  std::string id, started_at, scenario, arm, experiment_id, label, target_url, purpose;
  std::uint32_t block = 0, attempt = 1;
  RunStatus status = RunStatus::kRunning;
  std::uint64_t requests = 0, succeeded = 0;
  double duration_s = 0;
};

/// Part of a run that is still going: what has ended since the last part.
struct RunBatch {
  std::vector<RequestRecord> records;      ///< final ones
  std::vector<TokenEvent> token_events;    ///< those of `records`, in their order
  std::vector<ReplicaScrape> scrapes;
  std::uint64_t scrapes_before = 0;        ///< how many scrapes earlier batches held
  std::vector<std::string> observed_names; ///< all so far
};

struct ExperimentInfo {
  std::string id, name, started_at, config_json;  ///< config: arms, scenarios, blocks, prices, gates: what the verbs need to re-run offline
};

class RunStore {
 public:
  enum class Mode { kReadOnly, kReadWrite };
  /// Opens or (read-write) creates and migrates. A file of a newer version or no database: kInvalid, says which.
  static core::Result<std::unique_ptr<RunStore>> open(const std::string& path, Mode mode);
  virtual ~RunStore() = default;

  /// Inserts the manifest with status running, so that an interrupted run is listed.
  virtual core::Status begin_run(const RunManifest& manifest) = 0;
  /// Writes ahead: a run whose process dies keeps what was appended. save_run() replaces it all.
  virtual core::Status append(std::string_view id, const RunBatch& batch) = 0;
  /// Writes a finished run (manifest, records, token events, scrapes, health), replacing what begin_run left.
  virtual core::Status save_run(const Run& run) = 0;
  virtual core::Result<Run> load_run(std::string_view id) = 0;
  /// Newest first; optionally only those of one experiment.
  virtual core::Result<std::vector<RunSummary>> list(std::string_view experiment_id = {}) = 0;
  virtual core::Status set_label(std::string_view id, std::string_view label) = 0;
  /// A run, or an experiment with all its runs.
  virtual core::Status remove(std::string_view id) = 0;

  virtual core::Status save_experiment(const ExperimentInfo& experiment) = 0;
  virtual core::Result<ExperimentInfo> load_experiment(std::string_view id) = 0;
  virtual core::Result<std::vector<ExperimentInfo>> list_experiments() = 0;

  /// A run or experiment by id, unique prefix, label or "latest" (the newest experiment or run outside of any). kInvalid lists the candidates when not unique.
  struct Reference {
    bool is_experiment = false;
    std::string id;
  };
  virtual core::Result<Reference> resolve(std::string_view reference) = 0;
};

/// A ULID: 48 bits of unix milliseconds, 80 random bits, Crockford base 32.
[[nodiscard]] std::string new_ulid();

}  // namespace bench
