// Kubectl: one call of kubectl and what its failure means. Used by `gatebench deploy check` and `deploy lint --crds cluster`.
// It must never change a cluster: get, get --raw and port-forward are all that is asked of it.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/child_process.h"
#include "core/result.h"
#include "deploy/live/cluster_state.h"

namespace bench::cli {

class Kubectl {
 public:
  /// An empty context: kubectl's current one. `interrupted`: ends a call that waits.
  explicit Kubectl(std::string context, const std::atomic<bool>* interrupted = nullptr, std::string program = "kubectl")
      : context_(std::move(context)), program_(std::move(program)), interrupted_(interrupted) {}

  /// kubectl's stdout, at most 64 MB. kInvalid when there is no kubectl or no such context; kUnreachable when no API server
  /// answers or the login is refused; kCancelled; kProtocol with kubectl's telling line for anything else.
  [[nodiscard]] core::Result<std::string> read(const std::vector<std::string>& arguments) const;
  /// A child that goes on, such as a port-forward.
  [[nodiscard]] core::Result<core::net::ChildProcess> start(const std::vector<std::string>& arguments) const;

 private:
  std::string context_, program_;
  const std::atomic<bool>* interrupted_;
};

/// What a kProtocol error of read() says about what was asked for.
[[nodiscard]] deploy::AbsenceReason absence_reason(const core::Error& error);
/// Of what kubectl wrote to stderr the line that says what went wrong, shortened: it repeats discovery's troubles before, and
/// gives advice after. Where none begins as such lines do, the last.
[[nodiscard]] std::string telling_line(std::string_view text);

}  // namespace bench::cli
