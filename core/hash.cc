#include "core/hash.h"

#include <xxhash.h>

#include <array>

namespace core {

std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed) {
  return XXH64(bytes.data(), bytes.size(), seed);
}

void Digest::add(std::string_view bytes) {
  add(static_cast<std::uint64_t>(bytes.size()));
  value_ = xxh64(bytes, value_);
}

void Digest::add(std::uint64_t value) {
  std::array<char, 8> le{};
  for (std::size_t i = 0; i < le.size(); ++i) le[i] = static_cast<char>((value >> (8 * i)) & 0xff);
  value_ = xxh64(std::string_view(le.data(), le.size()), value_);
}

std::string hex64(std::uint64_t value) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out(16, '0');
  for (std::size_t i = 0; i < 16; ++i) out[15 - i] = kDigits[(value >> (4 * i)) & 0xf];
  return out;
}

}  // namespace core
