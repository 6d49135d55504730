// Rng: reproducible random numbers, equal on every compiler and library. Used by planners, simulator, router.
// std::random distributions differ between libraries and are never used; neither is global state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace core {

/// xoshiro256** 1.0 (Blackman, Vigna 2018), seeded through SplitMix64.
/// Draw one value per expression: two draws in one argument list have no defined order.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  /// An independent stream named `stream`; does not advance this one, so a new consumer shifts no other stream.
  [[nodiscard]] Rng fork(std::string_view stream) const;
  [[nodiscard]] Rng fork(std::uint64_t stream) const;

  [[nodiscard]] std::uint64_t next();
  /// Uniform in [0, bound); bound > 0. Unbiased (rejection).
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  /// Uniform in [0, 1) with 53 bits.
  [[nodiscard]] double uniform();
  /// Exponential with the given mean, by inversion.
  [[nodiscard]] double exponential(double mean);
  /// Standard normal, by inversion (Acklam's rational approximation, relative error < 1.2e-9).
  [[nodiscard]] double normal();
  /// Gamma(shape, scale): Marsaglia and Tsang 2000. shape > 0, scale > 0.
  [[nodiscard]] double gamma(double shape, double scale);

  /// Fisher–Yates over a random-access container.
  template <class Container>
  void shuffle(Container& items) {
    for (std::size_t i = items.size(); i > 1; --i) {
      const auto j = static_cast<std::size_t>(below(i));
      std::swap(items[i - 1], items[j]);
    }
  }

 private:
  std::uint64_t seed_;
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace core
