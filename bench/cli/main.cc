// gatebench's entry: installs the signal flag, lists the verbs, turns whatever escapes into one line and exit code 1.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>

#include "bench/cli/verb.h"

namespace {

// Signal handlers reach nothing but statics; this flag is the only one and is handed on by reference.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) { interrupted.store(true, std::memory_order_relaxed); }

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action {};
  action.sa_handler = on_signal;
  // A second signal ends the process the ordinary way.
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return bench::cli::dispatch(argc, argv, bench::cli::make_verbs(), interrupted);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gatebench: internal error: %s\n", error.what());
    return 1;
  }
}
