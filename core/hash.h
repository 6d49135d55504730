// XXH64, the hash the endpoint picker uses for prefix blocks and gatebench for digests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace core {

[[nodiscard]] std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed = 0);

/// Accumulates values into one 64-bit digest; the order matters. For schedule and run digests.
class Digest {
 public:
  void add(std::string_view bytes);
  void add(std::uint64_t value);
  void add(std::int64_t value) { add(static_cast<std::uint64_t>(value)); }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0x9e3779b97f4a7c15ULL;
};

/// 16 lower-case hex digits.
[[nodiscard]] std::string hex64(std::uint64_t value);

}  // namespace core
