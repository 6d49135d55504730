// What the host and this process are and do: facts for the manifest, counters for the client's health.
// Used by the runner before and after a run. Reads /proc and getrusage; takes microseconds.
#pragma once

#include <cstdint>
#include <string>

#include "bench/run.h"

namespace bench {

[[nodiscard]] HostFacts host_facts();
/// Raises the soft limit of file descriptors to the hard one; returns the limit that now holds.
std::uint64_t raise_descriptor_limit();

struct CpuCounters {
  double user_s = 0, system_s = 0;             ///< of this process
  std::uint64_t host_ticks = 0, steal_ticks = 0;
};
[[nodiscard]] CpuCounters cpu_counters();

/// Whether a socket cannot be had, or finds no local port towards this numeric address, right now. For after a failed
/// connect; a host name is not looked up.
struct Exhaustion {
  bool descriptors = false, ports = false;
};
[[nodiscard]] Exhaustion probe_exhaustion(const std::string& host, const std::string& port);

}  // namespace bench
