// ChildProcess: a re-execution of this binary, or another program, that dies with its parent (PDEATHSIG) and reports over
// a pipe. Used by stack and demo, and for kubectl. Ends only the process it started, by pid.
#pragma once

#include <atomic>
#include <cstddef>
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
  /// Runs another program, found through PATH, with its stdout on the pipe that wait_ready() and read_all() read. Its
  /// stderr is kept: see errors(). A program that cannot be run ends with status 127.
  static Result<ChildProcess> run_program(const std::vector<std::string>& command);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();  ///< terminate(), then waits

  /// Waits for the child's one line of readiness (JSON) on the pipe; kTimeout, or kUnreachable with its exit status.
  Result<std::string> wait_ready(Duration timeout);
  /// Everything on the pipe until the child closes it, at most `max_bytes`, and its end: kTimeout; kUnreachable with what
  /// it wrote to stderr when its status is not 0 (kUnsupported when it is 127: there is no such program).
  /// kCancelled, and the program ended, once `stop` is set and a signal arrives.
  Result<std::string> read_all(Duration timeout, std::size_t max_bytes, const std::atomic<bool>* stop = nullptr);
  /// What the program has written to stderr so far; of more than 8 kB its beginning and its end.
  [[nodiscard]] std::string errors() const;
  /// SIGTERM, then SIGKILL after `grace`; reaps. Safe to call twice.
  void terminate(Duration grace = 2s);
  [[nodiscard]] bool running();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  ChildProcess(pid_t pid, int ready_fd, int errors_fd = -1) : pid_(pid), ready_fd_(ready_fd), errors_fd_(errors_fd) {}
  pid_t pid_ = -1;
  int ready_fd_ = -1, errors_fd_ = -1;
};

/// In the child: writes the one line and closes the descriptor. fd < 0: does nothing.
Status announce_ready(int ready_fd, const std::string& json_line);

}  // namespace core::net
