// ULIDs for runs and experiments: sortable by the millisecond they were made in. Wall time names things here; it times nothing.
#include <sys/random.h>

#include <array>
#include <chrono>
#include <cstdint>

#include "bench/shell/run_store.h"

namespace bench {

std::string new_ulid() {
  constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const auto unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  std::array<unsigned char, 16> random{};
  std::size_t filled = 0;
  while (filled < random.size()) {
    const auto got = getrandom(random.data() + filled, random.size() - filled, 0);
    if (got > 0) filled += static_cast<std::size_t>(got);
  }
  std::string id(26, '0');
  auto time = static_cast<std::uint64_t>(unix_ms.count());
  for (std::size_t i = 10; i > 0; --i, time >>= 5) id[i - 1] = kCrockford[time & 31u];
  for (std::size_t i = 0; i < random.size(); ++i) id[10 + i] = kCrockford[random[i] & 31u];
  return id;
}

}  // namespace bench
