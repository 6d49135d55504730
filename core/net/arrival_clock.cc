#include "core/net/arrival_clock.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <limits>

namespace core::net {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec spec{};
  clock_gettime(id, &spec);
  return static_cast<std::int64_t>(spec.tv_sec) * 1'000'000'000 + spec.tv_nsec;
}

}  // namespace

void ArrivalClock::enable(int fd) {
  const int on = 1;
  // A refusal shows later as a missing stamp, which is counted.
  (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

std::int64_t ArrivalClock::offset_ns(TimePoint now) {
  if (now - sampled_at_ < 1s) return offset_ns_;
  std::int64_t tightest = std::numeric_limits<std::int64_t>::max();
  // A preemption between two clock reads widens the bracket; the tightest of several is kept.
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::int64_t before = read_clock(CLOCK_MONOTONIC);
    const std::int64_t real = read_clock(CLOCK_REALTIME);
    const std::int64_t after = read_clock(CLOCK_MONOTONIC);
    if (after - before < tightest) {
      tightest = after - before;
      offset_ns_ = before + (after - before) / 2 - real;
    }
  }
  sampled_at_ = now;
  return offset_ns_;
}

ArrivalStamp ArrivalClock::peek(int fd, TimePoint now) {
  char byte = 0;
  // MSG_TRUNC on TCP moves over the bytes without copying them; with MSG_PEEK they stay in the queue.
  iovec vector{&byte, 1u << 20};
  alignas(cmsghdr) std::array<char, 256> control{};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  // Not recvmsg(): sanitizers' wrappers take iov_len for bytes that will be written, and nothing is.
  const auto size = syscall(SYS_recvmsg, fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  if (size <= 0) return {now, false, false};
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SO_TIMESTAMPNS) continue;
    timespec spec{};
    std::memcpy(&spec, CMSG_DATA(item), sizeof spec);
    const std::int64_t real = static_cast<std::int64_t>(spec.tv_sec) * 1'000'000'000 + spec.tv_nsec;
    const TimePoint at{Duration{real + offset_ns(now)}};
    // A stamp in the future means the wall clock was stepped since the offset was taken.
    if (at > now || now - at > 60s) return {now, false, false};
    return {at, true, true};
  }
  return {now, false, false};
}

}  // namespace core::net
