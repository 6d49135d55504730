// ChildProcess: a re-execution of this binary that dies with its parent (PDEATHSIG) and reports over a pipe.
// Used by stack and demo. Ends only the process it started, by pid.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace core::net {

class ChildProcess {
 public:
  /// Runs /proc/self/exe with `arguments` plus "--ready-fd N". stderr goes to `log_path` (empty: inherited).
  static Result<ChildProcess> spawn(const std::vector<std::string>& arguments, const std::string& log_path);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();  ///< terminate(), then waits

  /// Waits for the child's one line of readiness (JSON) on the pipe; kTimeout, or kUnreachable with its exit status.
  Result<std::string> wait_ready(Duration timeout);
  /// SIGTERM, then SIGKILL after `grace`; reaps. Safe to call twice.
  void terminate(Duration grace = 2s);
  [[nodiscard]] bool running();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  ChildProcess(pid_t pid, int ready_fd) : pid_(pid), ready_fd_(ready_fd) {}
  pid_t pid_ = -1;
  int ready_fd_ = -1;
};

/// In the child: writes the one line and closes the descriptor. fd < 0: does nothing.
Status announce_ready(int ready_fd, const std::string& json_line);

}  // namespace core::net
