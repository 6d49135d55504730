// RunWriter: writes a run ahead on its own thread and connection, so that what ended more than a second ago survives the
// death of the process. Made by the command line, fed by run_load(). The loop's thread only ever queues.
#pragma once

#include <memory>
#include <string>

#include "bench/shell/run_store.h"
#include "bench/shell/runner.h"

namespace bench {

class RunWriter {
 public:
  /// Opens (creates, migrates) the store before it returns.
  static core::Result<std::unique_ptr<RunWriter>> open(const std::string& store_path);
  /// Waits for what is queued.
  ~RunWriter();

  /// Lets `request` feed this writer: its on_begin and on_batch are set. The writer must outlive the run.
  void attach(RunRequest& request);
  void begin(const RunManifest& manifest);
  void append(RunBatch&& batch);
  /// Waits until all queued parts are written; the first failure, if any. save_run() then replaces the parts.
  core::Status finish();

 private:
  struct Shared;
  explicit RunWriter(std::unique_ptr<Shared> shared);
  std::unique_ptr<Shared> shared_;
};

}  // namespace bench
