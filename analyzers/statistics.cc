// Incomplete beta and what follows from it: Student's t, exact binomial, Clopper-Pearson; log-t and sign flips.
// Called by every analyzer that states an interval or a p value. No sampling, no clock, no I/O.
#include "analyzers/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace analyzers {
namespace {

constexpr double kTiny = 1e-300;

/// Continued fraction of the incomplete beta (Lentz's method; DLMF 8.17.22).
double beta_fraction(double a, double b, double x) {
  double c = 1.0;
  double d = 1.0 - (a + b) * x / (a + 1.0);
  if (std::fabs(d) < kTiny) d = kTiny;
  d = 1.0 / d;
  double h = d;
  for (int m = 1; m <= 500; ++m) {
    const double dm = m;
    const double even = dm * (b - dm) * x / ((a + 2 * dm - 1) * (a + 2 * dm));
    const double odd = -(a + dm) * (a + b + dm) * x / ((a + 2 * dm) * (a + 2 * dm + 1));
    for (const double term : {even, odd}) {
      d = 1.0 + term * d;
      if (std::fabs(d) < kTiny) d = kTiny;
      c = 1.0 + term / c;
      if (std::fabs(c) < kTiny) c = kTiny;
      d = 1.0 / d;
      h *= d * c;
    }
    if (std::fabs(d * c - 1.0) < 1e-16) break;
  }
  return h;
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  // The fraction converges fast below the mean only; above it the symmetric one is used.
  if (x < (a + 1) / (a + b + 2)) return std::clamp(front * beta_fraction(a, b, x) / a, 0.0, 1.0);
  return std::clamp(1.0 - front * beta_fraction(b, a, 1 - x) / b, 0.0, 1.0);
}

double inverse_incomplete_beta(double a, double b, double p) {
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  double low = 0;
  double high = 1;
  for (int i = 0; i < 200 && high - low > 1e-17; ++i) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) break;
    (incomplete_beta(a, b, middle) < p ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

double student_t_cdf(double t, double degrees) {
  const double tail = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
  return t > 0 ? 1 - tail : tail;
}

double student_t_quantile(double p, double degrees) {
  if (p == 0.5) return 0;
  const double tail = std::min(p, 1 - p);
  const double x = inverse_incomplete_beta(degrees / 2, 0.5, 2 * tail);
  const double t = x > 0 ? std::sqrt(degrees * (1 - x) / x) : 1e150;
  return p < 0.5 ? -t : t;
}

double binomial_cdf(std::size_t k, std::size_t n, double q) {
  if (k >= n) return 1;
  return incomplete_beta(static_cast<double>(n - k), static_cast<double>(k) + 1, 1 - q);
}

Interval clopper_pearson(std::size_t successes, std::size_t n, double confidence) {
  if (n == 0) return {0, 1};
  const double tail = (1 - confidence) / 2;
  const auto k = static_cast<double>(successes);
  const auto misses = static_cast<double>(n - std::min(successes, n));
  Interval interval{0, 1};
  if (successes > 0) interval.low = inverse_incomplete_beta(k, misses + 1, tail);
  if (successes < n) interval.high = inverse_incomplete_beta(k + 1, misses, 1 - tail);
  return interval;
}

Moments moments(std::span<const double> values) {
  Moments m;
  m.n = values.size();
  if (m.n == 0) return m;
  double sum = 0;
  for (const double v : values) sum += v;
  m.mean = sum / static_cast<double>(m.n);
  double squares = 0;
  for (const double v : values) squares += (v - m.mean) * (v - m.mean);
  if (m.n > 1) m.stddev = std::sqrt(squares / static_cast<double>(m.n - 1));
  return m;
}

std::optional<Interval> t_interval(const Moments& m, double confidence) {
  if (m.n < 2) return std::nullopt;
  const auto n = static_cast<double>(m.n);
  const double half = student_t_quantile(0.5 + confidence / 2, n - 1) * m.stddev / std::sqrt(n);
  return Interval{m.mean - half, m.mean + half};
}

Estimate over_blocks(std::span<const double> values, double confidence) {
  if (values.empty()) return unmeasured("no block has a value");
  const bool positive = std::all_of(values.begin(), values.end(), [](double v) { return v > 0; });
  std::vector<double> scaled(values.begin(), values.end());
  if (positive) {
    for (double& v : scaled) v = std::log(v);
  }
  const Moments m = moments(scaled);
  const auto interval = t_interval(m, confidence);
  Estimate out;
  out.n = values.size();
  out.value = values.size() == 1 ? values[0] : positive ? std::exp(m.mean) : m.mean;
  const std::string blocks = std::to_string(values.size()) + (values.size() == 1 ? " block" : " blocks");
  out.method = (positive ? "log_t over " : "t over ") + blocks;
  if (!interval) {
    out.method = "one block";
    out.reason = "one block gives no interval";
    return out;
  }
  out.low = positive ? std::exp(interval->low) : interval->low;
  out.high = positive ? std::exp(interval->high) : interval->high;
  return out;
}

std::optional<double> sign_flip_p(std::span<const double> differences) {
  const std::size_t n = differences.size();
  if (n == 0 || n > 20) return std::nullopt;
  double observed = 0;
  double scale = 0;
  for (const double d : differences) {
    observed += d;
    scale += std::fabs(d);
  }
  // Sums that are equal on paper must count as equal: the tolerance is far above rounding, far below any difference.
  const double threshold = std::fabs(observed) - 1e-12 * (scale > 0 ? scale : 1);
  std::size_t as_extreme = 0;
  const std::size_t patterns = std::size_t{1} << n;
  for (std::size_t mask = 0; mask < patterns; ++mask) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += ((mask >> i) & 1u) != 0 ? -differences[i] : differences[i];
    if (std::fabs(sum) >= threshold) ++as_extreme;
  }
  return static_cast<double>(as_extreme) / static_cast<double>(patterns);
}

std::optional<std::size_t> blocks_needed(double distance, double stddev, double confidence) {
  if (!(distance > 0)) return std::nullopt;
  for (std::size_t n = 2; n <= 1000; ++n) {
    const auto dn = static_cast<double>(n);
    if (student_t_quantile(confidence, dn - 1) * stddev / std::sqrt(dn) <= distance) return n;
  }
  return std::nullopt;
}

Estimate measured(double value, std::string method, std::size_t n) {
  if (!std::isfinite(value)) return unmeasured("not a finite number");
  Estimate out;
  out.value = value;
  out.method = std::move(method);
  out.n = n;
  return out;
}

Estimate unmeasured(std::string reason) {
  Estimate out;
  out.reason = std::move(reason);
  return out;
}

Estimate proportion(std::size_t successes, std::size_t n, const std::string& what) {
  if (n == 0) return unmeasured("no " + what);
  Estimate out = measured(static_cast<double>(successes) / static_cast<double>(n), "exact count; Clopper-Pearson", n);
  const Interval interval = clopper_pearson(successes, n);
  out.low = interval.low;
  out.high = interval.high;
  return out;
}

std::string figure(double value, int digits) {
  if (!std::isfinite(value)) return "unknown";
  std::array<char, 64> text{};
  const double size = std::fabs(value);
  const int before = size >= 1 ? static_cast<int>(std::floor(std::log10(size))) + 1 : 0;
  int decimals = std::max(0, digits - before);
  if (size > 0 && size < 1) decimals = std::min(9, digits - 1 - static_cast<int>(std::floor(std::log10(size))));
  if (value == std::floor(value) && size < 1e7) decimals = 0;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

}  // namespace analyzers
