// Loop: one libuv event loop, its exact clock, absolute timers (timerfd) and its own lag.
// Owned by a composition root; everything that hangs on a loop is used from its thread only.
// Loop time (uv_now) is a cached millisecond: it steers nothing and stamps nothing here.
#pragma once

#include <functional>
#include <memory>

#include "core/clock.h"
#include "core/quantiles.h"
#include "core/result.h"
#include "core/time.h"

struct uv_loop_s;
struct uv_poll_s;

namespace core::net {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs until stop() or until nothing is left to wait for. Callbacks must not throw.
  void run();
  /// Makes run() return after the current callback. Callable from a callback of this loop.
  void stop();
  [[nodiscard]] TimePoint now() const { return clock_.now(); }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] uv_loop_s* raw() { return loop_.get(); }

  /// Runs `task` on the loop's thread soon. The only member that other threads may call.
  void post(std::function<void()> task);

 private:
  struct Posted;
  SteadyClock clock_;
  std::unique_ptr<uv_loop_s> loop_;
  std::unique_ptr<Posted> posted_;
};

/// One-shot timer at an absolute time, by timerfd: a uv_timer rounds to whole milliseconds.
/// arm() replaces an earlier deadline; a deadline in the past fires at the next turn of the loop.
class Timer {
 public:
  /// `on_due(TimePoint deadline)` runs on the loop's thread.
  Timer(Loop& loop, std::function<void(TimePoint)> on_due);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(TimePoint deadline);
  void cancel();
  [[nodiscard]] bool armed() const { return armed_; }

 private:
  static void on_poll(uv_poll_s* poll, int status, int events);
  Loop& loop_;
  std::function<void(TimePoint)> on_due_;
  uv_poll_s* poll_ = nullptr;
  int fd_ = -1;
  bool armed_ = false;
  TimePoint deadline_{};
};

/// Measures how late the loop serves a deadline: a Timer every `period`, its lateness in a histogram.
class LoopLag {
 public:
  explicit LoopLag(Loop& loop, Duration period = 5ms);
  void start();
  void stop();
  [[nodiscard]] const DurationHistogram& lateness() const { return lateness_; }

 private:
  Loop& loop_;
  Duration period_;
  Timer timer_;
  DurationHistogram lateness_;
};

/// Calls back on SIGINT and SIGTERM, on the loop's thread. Keeps no loop alive.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, std::function<void(int signal)> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct Handles;
  Handles* handles_;
};

}  // namespace core::net
