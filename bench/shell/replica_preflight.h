// Replica preflight: reads every replica's metrics once before a run and says what is wrong, all of it at once: not
// reachable, TLS, refused, no Prometheus text, an engine that is not known, two URLs of one process.
// Used by the command line. It blocks; it must never be called while load is on, and never shows the token.
#pragma once

#include <string>
#include <vector>

#include "bench/shell/runner.h"
#include "core/result.h"
#include "protocol/vllm_metrics.h"

namespace bench {

struct PreflightReplica {
  protocol::VllmSnapshot values;
  Duration round_trip{};          ///< least of a few trivial requests to the same server; 0: none answered
  std::string problem, hint;      ///< empty: readable, and of a known engine
  bool reached = false;           ///< an HTTP answer came
};

struct Preflight {
  std::vector<PreflightReplica> replicas;  ///< in the order given
  std::vector<std::string> conflicts;      ///< pairs that are evidently one process
  /// What is worth saying although the run may go on: engines, channels that are absent.
  [[nodiscard]] std::vector<std::string> notes(const std::vector<ReplicaTarget>& targets) const;
  /// All problems as one error, a line each: kUnreachable when nothing else is wrong than that, else kInvalid.
  [[nodiscard]] core::Status verdict(const std::vector<ReplicaTarget>& targets) const;
};

core::Result<Preflight> preflight_replicas(const std::vector<ReplicaTarget>& targets, const MetricsAccess& access);

}  // namespace bench
