// See writer_identity.h. Reads /proc only.
#include "bench/shell/writer_identity.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "core/text.h"

namespace bench {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Field 22 of /proc/PID/stat; empty when there is no such process.
std::string start_time_of(std::string_view pid) {
  const std::string line = first_line(fmt::format("/proc/{}/stat", pid));
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos || name_end + 2 > line.size()) return {};
  const std::string_view rest = std::string_view(line).substr(name_end + 2);
  // A zombie has ended; it only waits to be reaped.
  if (rest.substr(0, 1) == "Z") return {};
  const auto fields = core::split(rest, ' ');
  return fields.size() > 19 ? std::string(fields[19]) : std::string();
}

std::string boot_id() { return first_line("/proc/sys/kernel/random/boot_id"); }

}  // namespace

std::string this_writer() {
  const std::string pid = std::to_string(getpid());
  return fmt::format("{}/{}/{}", boot_id(), pid, start_time_of(pid));
}

bool writer_alive(std::string_view writer) {
  const auto parts = core::split(writer, '/');
  if (parts.size() != 3) return false;
  return parts[0] == boot_id() && !parts[2].empty() && start_time_of(parts[1]) == parts[2];
}

}  // namespace bench
