// LiveView: decides on its own thread, while a run goes on, which replica answered what, and puts it into a line of progress.
// Made by the verbs that draw progress, once per run. It never uses more than a twentieth of a core over time, and nothing
// that it says is stored.
#pragma once

#include <memory>
#include <string>

#include "analyzers/live_attribution.h"
#include "bench/shell/runner.h"

namespace bench::cli {

class LiveView {
 public:
  LiveView();
  ~LiveView();
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;

  /// Listens in on on_begin and on_batch, which must be set before if anyone else wants them. It must outlive the run.
  void attach(RunRequest& request);
  /// As of now; empty while there is nothing to say. `now`: since the run's start.
  [[nodiscard]] std::string line(Duration now) const;

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

/// "attributed 98.2 % of 1204 · r0 34 % · r1 33 % · r2 33 % · 0.4 s behind", or why nothing is attributed; empty before the
/// first decision. `names`: of the replicas.
[[nodiscard]] std::string describe_live(const analyzers::LiveShares& shares, const std::vector<std::string>& names, Duration now);

}  // namespace bench::cli
