// See host_probe.h.
#include "bench/shell/host_probe.h"

#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/text.h"

namespace bench {
namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return std::string(core::trim(line.substr(colon + 1)));
  }
  return "unknown";
}

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec); }

}  // namespace

HostFacts host_facts() {
  HostFacts facts;
  utsname name{};
  if (uname(&name) == 0) facts.kernel = std::string(name.sysname) + " " + name.release + " " + name.machine;
  facts.cpu_model = cpu_model();
  facts.cores = static_cast<std::uint32_t>(std::max(0L, sysconf(_SC_NPROCESSORS_ONLN)));
  double load = 0;
  if (getloadavg(&load, 1) == 1) facts.load_average_1m = load;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.fd_limit = limit.rlim_cur;
  facts.tcp_congestion = first_line("/proc/sys/net/ipv4/tcp_congestion_control");
  return facts;
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
  }
  return limit.rlim_cur;
}

CpuCounters cpu_counters() {
  CpuCounters counters;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    counters.user_s = seconds(usage.ru_utime);
    counters.system_s = seconds(usage.ru_stime);
  }
  // cpu user nice system idle iowait irq softirq steal (guest times are part of user)
  std::istringstream line(first_line("/proc/stat"));
  std::string label;
  line >> label;
  constexpr int kSteal = 7;
  std::uint64_t ticks = 0;
  for (int i = 0; i <= kSteal && line >> ticks; ++i) {
    counters.host_ticks += ticks;
    if (i == kSteal) counters.steal_ticks = ticks;
  }
  return counters;
}

Exhaustion probe_exhaustion(const std::string& host, const std::string& port) {
  Exhaustion found;
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* address = nullptr;
  const bool numeric = getaddrinfo(host.c_str(), port.c_str(), &hints, &address) == 0;
  const int fd = socket(numeric ? address->ai_family : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    found.descriptors = errno == EMFILE || errno == ENFILE;
  } else {
    found.ports = numeric && connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno == EADDRNOTAVAIL;
    close(fd);
  }
  if (numeric) freeaddrinfo(address);
  return found;
}

}  // namespace bench
