#include "core/net/loop.h"

#include <csignal>
#include <mutex>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>
#include <vector>

#include "core/check.h"

namespace core::net {

// ---- Loop ----

struct Loop::Posted {
  uv_async_t async{};
  std::mutex mutex;  // guards tasks
  std::vector<std::function<void()>> tasks;
};

Loop::Loop() : loop_(std::make_unique<uv_loop_t>()), posted_(std::make_unique<Posted>()) {
  // libuv writes without MSG_NOSIGNAL: a peer that has gone must be an error of that write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  check(uv_loop_init(loop_.get()) == 0, "uv_loop_init");
  posted_->async.data = posted_.get();
  const auto on_async = [](uv_async_t* async) {
    auto* posted = static_cast<Posted*>(async->data);
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard<std::mutex> lock(posted->mutex);
      tasks.swap(posted->tasks);
    }
    for (auto& task : tasks) task();
  };
  check(uv_async_init(loop_.get(), &posted_->async, on_async) == 0, "uv_async_init");
  // The wake-up handle alone keeps no loop alive.
  uv_unref(reinterpret_cast<uv_handle_t*>(&posted_->async));
}

Loop::~Loop() {
  uv_close(reinterpret_cast<uv_handle_t*>(&posted_->async), nullptr);
  // Handles that owners closed still need a turn for their close callbacks.
  while (uv_run(loop_.get(), UV_RUN_NOWAIT) != 0) {
  }
  uv_run(loop_.get(), UV_RUN_NOWAIT);
  check(uv_loop_close(loop_.get()) == 0, "a handle outlived its loop");
}

void Loop::run() { uv_run(loop_.get(), UV_RUN_DEFAULT); }

void Loop::stop() { uv_stop(loop_.get()); }

void Loop::post(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(posted_->mutex);
    posted_->tasks.push_back(std::move(task));
  }
  uv_async_send(&posted_->async);
}

// ---- Timer ----

Timer::Timer(Loop& loop, std::function<void(TimePoint)> on_due)
    : loop_(loop), on_due_(std::move(on_due)), poll_(new uv_poll_t{}) {
  fd_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  check(fd_ >= 0, "timerfd_create: out of file descriptors?");
  check(uv_poll_init(loop_.raw(), poll_, fd_) == 0, "uv_poll_init on a timerfd");
  poll_->data = this;
}

Timer::~Timer() {
  uv_poll_stop(poll_);
  poll_->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(poll_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  close(fd_);
}

void Timer::arm(TimePoint deadline) {
  deadline_ = deadline;
  // An all-zero it_value would disarm the timer: the earliest deadline is 1 ns.
  const auto ns = std::max<std::int64_t>(1, deadline.time_since_epoch().count());
  itimerspec spec{};
  spec.it_value.tv_sec = ns / 1'000'000'000;
  spec.it_value.tv_nsec = ns % 1'000'000'000;
  check(timerfd_settime(fd_, TFD_TIMER_ABSTIME, &spec, nullptr) == 0, "timerfd_settime");
  if (!armed_) {
    armed_ = true;
    check(uv_poll_start(poll_, UV_READABLE, &Timer::on_poll) == 0, "uv_poll_start on a timerfd");
  }
}

void Timer::cancel() {
  if (!armed_) return;
  armed_ = false;
  const itimerspec spec{};
  check(timerfd_settime(fd_, 0, &spec, nullptr) == 0, "timerfd_settime");
  uv_poll_stop(poll_);
}

void Timer::on_poll(uv_poll_s* poll, int, int) {
  auto* self = static_cast<Timer*>(poll->data);
  if (self == nullptr || !self->armed_) return;
  std::uint64_t expirations = 0;
  // EAGAIN: the timer was re-armed between wake-up and read.
  if (read(self->fd_, &expirations, sizeof expirations) != static_cast<ssize_t>(sizeof expirations)) return;
  self->armed_ = false;
  uv_poll_stop(poll);
  self->on_due_(self->deadline_);
}

// ---- LoopLag ----

LoopLag::LoopLag(Loop& loop, Duration period)
    : loop_(loop), period_(period), timer_(loop, [this](TimePoint deadline) {
        const TimePoint now = loop_.now();
        lateness_.add(now - deadline);
        // Deadlines missed while the loop was blocked are skipped, not replayed: one stall is one lateness.
        timer_.arm(std::max(deadline + period_, now));
      }) {}

void LoopLag::start() { timer_.arm(loop_.now() + period_); }
void LoopLag::stop() { timer_.cancel(); }

// ---- SignalWatch ----

struct SignalWatch::Handles {
  uv_signal_t interrupt{}, terminate{};
  std::function<void(int)> on_signal;
  int open = 2;
};

SignalWatch::SignalWatch(Loop& loop, std::function<void(int)> on_signal) : handles_(new Handles) {
  handles_->on_signal = std::move(on_signal);
  for (auto* handle : {&handles_->interrupt, &handles_->terminate}) {
    check(uv_signal_init(loop.raw(), handle) == 0, "uv_signal_init");
    handle->data = handles_;
    const auto forward = [](uv_signal_t* watch, int signal) { static_cast<Handles*>(watch->data)->on_signal(signal); };
    check(uv_signal_start(handle, forward, handle == &handles_->interrupt ? SIGINT : SIGTERM) == 0, "uv_signal_start");
    uv_unref(reinterpret_cast<uv_handle_t*>(handle));
  }
}

SignalWatch::~SignalWatch() {
  const auto on_close = [](uv_handle_t* handle) {
    auto* handles = static_cast<Handles*>(handle->data);
    if (--handles->open == 0) delete handles;
  };
  uv_close(reinterpret_cast<uv_handle_t*>(&handles_->interrupt), on_close);
  uv_close(reinterpret_cast<uv_handle_t*>(&handles_->terminate), on_close);
}

}  // namespace core::net
