// Mask: a set of at most 128 members of a round, as bits. Used by the attribution decoder only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace analyzers {

struct Mask {
  static constexpr std::size_t kBits = 128;
  std::uint64_t low = 0, high = 0;

  [[nodiscard]] static Mask bit(std::size_t i) {
    Mask m;
    (i < 64 ? m.low : m.high) = std::uint64_t{1} << (i % 64);
    return m;
  }
  [[nodiscard]] bool test(std::size_t i) const { return (((i < 64 ? low : high) >> (i % 64)) & 1u) != 0; }
  [[nodiscard]] bool none() const { return (low | high) == 0; }
  [[nodiscard]] int count() const { return std::popcount(low) + std::popcount(high); }
  [[nodiscard]] Mask without(const Mask& other) const { return {low & ~other.low, high & ~other.high}; }
  Mask& operator|=(const Mask& other) {
    low |= other.low;
    high |= other.high;
    return *this;
  }
  friend Mask operator|(const Mask& a, const Mask& b) { return {a.low | b.low, a.high | b.high}; }
  friend Mask operator&(const Mask& a, const Mask& b) { return {a.low & b.low, a.high & b.high}; }
  friend bool operator==(const Mask& a, const Mask& b) = default;
  friend bool operator<(const Mask& a, const Mask& b) { return a.high != b.high ? a.high < b.high : a.low < b.low; }

  /// Calls visit(index) for each member, ascending.
  template <class Visit>
  void each(const Visit& visit) const {
    for (std::uint64_t rest = low; rest != 0; rest &= rest - 1) visit(static_cast<std::size_t>(std::countr_zero(rest)));
    for (std::uint64_t rest = high; rest != 0; rest &= rest - 1) visit(static_cast<std::size_t>(std::countr_zero(rest)) + 64);
  }
};

}  // namespace analyzers
