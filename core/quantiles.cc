#include "core/quantiles.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace core {
namespace {

/// log P(Binomial(n,q) = k).
double log_binomial(std::size_t n, std::size_t k, double q) {
  const auto dn = static_cast<double>(n);
  const auto dk = static_cast<double>(k);
  return std::lgamma(dn + 1) - std::lgamma(dk + 1) - std::lgamma(dn - dk + 1) + dk * std::log(q) +
         (dn - dk) * std::log1p(-q);
}

std::size_t bucket_of(std::uint64_t ns, std::size_t sub_bits, std::size_t buckets) {
  if (ns < (std::uint64_t{1} << sub_bits)) return static_cast<std::size_t>(ns);
  const auto exponent = static_cast<std::size_t>(std::bit_width(ns)) - 1 - sub_bits;
  const auto sub = static_cast<std::size_t>(ns >> exponent) & ((std::size_t{1} << sub_bits) - 1);
  return std::min(((exponent + 1) << sub_bits) + sub, buckets - 1);
}

std::uint64_t upper_edge(std::size_t bucket, std::size_t sub_bits) {
  const auto group = bucket >> sub_bits;
  const auto sub = bucket & ((std::size_t{1} << sub_bits) - 1);
  if (group == 0) return sub;
  const auto exponent = group - 1;
  return (((std::uint64_t{1} << sub_bits) + sub + 1) << exponent) - 1;
}

}  // namespace

double quantile_sorted(std::span<const double> ascending, double q) {
  const auto n = static_cast<double>(ascending.size());
  // The tolerance keeps q·n that is whole in decimals (0.9 × 10) from being pushed to the next rank by rounding.
  const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(q * n - 1e-9)));
  return ascending[std::min(rank, ascending.size()) - 1];
}

std::optional<std::pair<std::size_t, std::size_t>> quantile_interval_ranks(std::size_t n, double q) {
  // Largest l with P(X < l) <= 0.025 and smallest u with P(X >= u) <= 0.025, X ~ Binomial(n, q): [x_(l), x_(u)].
  constexpr double kTail = 0.025;
  if (n == 0) return std::nullopt;
  double below = 0;
  std::size_t lower = 0;
  for (std::size_t k = 0; k < n; ++k) {
    below += std::exp(log_binomial(n, k, q));
    if (below > kTail) break;
    lower = k + 1;
  }
  double above = 0;
  std::size_t upper = n + 1;
  for (std::size_t k = n; k > 0; --k) {
    above += std::exp(log_binomial(n, k, q));
    if (above > kTail) break;
    upper = k;
  }
  if (lower < 1 || upper > n) return std::nullopt;
  return std::pair{lower, upper};
}

std::size_t min_samples_for_quantile(double q) {
  std::size_t n = 1;
  // Both extreme outcomes must fit in their tail of 2.5 %: q^n and (1-q)^n.
  const double tighter = std::max(q, 1.0 - q);
  n = static_cast<std::size_t>(std::ceil(std::log(0.025) / std::log(tighter)));
  return n;
}

void DurationHistogram::add(Duration value, std::uint64_t count) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.count()));
  buckets_[bucket_of(ns, kSubBits, kBuckets)] += count;
  count_ += count;
  max_ = std::max(max_, value);
  sum_ns_ += static_cast<double>(ns) * static_cast<double>(count);
}

void DurationHistogram::merge(const DurationHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ns_ += other.sum_ns_;
}

Duration DurationHistogram::mean() const {
  if (count_ == 0) return Duration{0};
  return Duration{static_cast<std::int64_t>(sum_ns_ / static_cast<double>(count_))};
}

Duration DurationHistogram::quantile(double q) const {
  if (count_ == 0) return Duration{0};
  const auto rank = static_cast<std::uint64_t>(std::max(1.0, std::ceil(q * static_cast<double>(count_) - 1e-9)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(max_, Duration{static_cast<std::int64_t>(upper_edge(i, kSubBits))});
  }
  return max_;
}

}  // namespace core
