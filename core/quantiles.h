// Quantiles as gatebench defines them (nearest rank), and a log-bucket histogram for health figures.
// Used by analyzers, health probes and live progress. Percentiles are never averaged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "core/time.h"

namespace core {

/// Nearest-rank quantile x_(ceil(q n)) of an ascending, non-empty sample (Hyndman–Fan type 1); 0 < q <= 1.
[[nodiscard]] double quantile_sorted(std::span<const double> ascending, double q);

/// Smallest n for which the order statistics give a two-sided 95 % interval for quantile q: the least n with
/// P(Binomial(n,q) is 0 or n) small enough; p50 6, p90 36, p95 72, p99 368, p99.9 3,688.
[[nodiscard]] std::size_t min_samples_for_quantile(double q);

/// 1-based ranks (l, u) of the 95 % order-statistic interval for quantile q, or nothing when n is too small.
[[nodiscard]] std::optional<std::pair<std::size_t, std::size_t>> quantile_interval_ranks(std::size_t n, double q);

/// Fixed-size histogram of durations with 1.6 % resolution from 1 ns to ~17 min; add() allocates nothing.
class DurationHistogram {
 public:
  void add(Duration value, std::uint64_t count = 1);
  void merge(const DurationHistogram& other);
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] Duration max() const { return max_; }
  [[nodiscard]] Duration mean() const;
  /// Nearest-rank quantile, as the upper edge of its bucket (never below the true value); zero when empty.
  [[nodiscard]] Duration quantile(double q) const;

 private:
  static constexpr std::size_t kSubBits = 6;
  static constexpr std::size_t kBuckets = (40 - kSubBits + 1) << kSubBits;
  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  Duration max_{0};
  double sum_ns_ = 0;
};

}  // namespace core
