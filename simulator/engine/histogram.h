// Histogram: a Prometheus histogram with fixed upper bounds. Used by the engine's and the server's metrics.
// observe() allocates nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace simulator {

class Histogram {
 public:
  static constexpr std::size_t kMaxBounds = 38;  ///< readers hold 40 buckets, +Inf included

  /// `bounds` ascending, at most kMaxBounds, without +Inf; must outlive the histogram.
  explicit Histogram(std::span<const double> bounds) : bounds_(bounds.first(std::min(bounds.size(), kMaxBounds))) {}

  void observe(double value) {
    std::size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
    ++buckets_[bucket];
    ++count_;
    sum_ += value;
  }

  [[nodiscard]] std::span<const double> bounds() const { return bounds_; }
  /// Observations in bucket i alone; i == bounds().size() is the one up to +Inf.
  [[nodiscard]] std::uint64_t in_bucket(std::size_t i) const { return buckets_[i]; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::array<std::uint64_t, kMaxBounds + 1> buckets_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

}  // namespace simulator
