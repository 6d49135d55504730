// ArrivalClock: the kernel's receive stamps (SO_TIMESTAMPNS) as times on the steady clock.
// Used by HttpClient before it lets curl read a socket. Why: a busy loop stamps late, the kernel does not.
#pragma once

#include "core/net/http_client.h"
#include "core/time.h"

namespace core::net {

class ArrivalClock {
 public:
  /// Asks the kernel to stamp what arrives on `fd`. A socket that refuses gives fallback stamps.
  static void enable(int fd);

  /// Stamp of the newest byte that a read would return now, without consuming anything. `now` is the fallback and the
  /// upper bound. Kernel contract (since 4.13): the stamp belongs to the last byte returned.
  ArrivalStamp peek(int fd, TimePoint now);

 private:
  /// Offset steady - realtime in ns, from the tightest of a few brackets; sampled again when older than a second.
  std::int64_t offset_ns(TimePoint now);

  std::int64_t offset_ns_ = 0;
  TimePoint sampled_at_{Duration{-10'000'000'000}};
};

}  // namespace core::net
