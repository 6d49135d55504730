// Exact enumeration of counts over cells, and seeded Monte Carlo where there are too many of them.
// Called for spread, affinity and the power of small tests. It must never draw from an unseeded source.
#include "analyzers/multinomial.h"

#include <algorithm>
#include <cmath>

namespace analyzers {
namespace {

constexpr std::size_t kExactOutcomes = 1'000'000;
constexpr std::size_t kPowerOutcomes = 200'000;
constexpr std::size_t kLargestOutcomes = 20'000;
constexpr std::uint64_t kSeed = 20'260'101;

class LogFactorials {
 public:
  explicit LogFactorials(std::size_t n) : table_(n + 1, 0.0) {
    for (std::size_t i = 2; i <= n; ++i) table_[i] = table_[i - 1] + std::log(static_cast<double>(i));
  }
  [[nodiscard]] double operator[](std::size_t i) const { return table_[i]; }

 private:
  std::vector<double> table_;
};

/// Calls visit(counts) for every way to put n into k cells.
template <class Visit>
void each_composition(std::size_t n, std::vector<std::size_t>& counts, std::size_t cell, const Visit& visit) {
  if (cell + 1 == counts.size()) {
    counts[cell] = n;
    visit(counts);
    return;
  }
  for (std::size_t x = 0; x <= n; ++x) {
    counts[cell] = x;
    each_composition(n - x, counts, cell + 1, visit);
  }
}

/// Log of the multinomial coefficient up to its constant: larger is likelier under equal cells.
double log_weight(const std::vector<std::size_t>& counts, const LogFactorials& log_factorial) {
  double sum = 0;
  for (const std::size_t x : counts) sum -= log_factorial[x];
  return sum;
}

/// Binomial by inversion outward from the mode: O(sqrt(n p)) per draw, exact to rounding.
std::size_t draw_binomial(core::Rng& rng, std::size_t n, double p) {
  if (n == 0 || p <= 0) return 0;
  if (p >= 1) return n;
  const auto dn = static_cast<double>(n);
  const auto mode = std::min(n, static_cast<std::size_t>((dn + 1) * p));
  const auto dm = static_cast<double>(mode);
  const double at_mode =
      std::exp(std::lgamma(dn + 1) - std::lgamma(dm + 1) - std::lgamma(dn - dm + 1) + dm * std::log(p) + (dn - dm) * std::log1p(-p));
  const double odds = p / (1 - p);
  double u = rng.uniform() - at_mode;
  if (u < 0) return mode;
  std::size_t up = mode;
  std::size_t down = mode;
  double p_up = at_mode;
  double p_down = at_mode;
  while (up < n || down > 0) {
    if (up < n) {
      p_up *= odds * static_cast<double>(n - up) / static_cast<double>(up + 1);
      ++up;
      u -= p_up;
      if (u < 0) return up;
    }
    if (down > 0) {
      p_down *= static_cast<double>(down) / (odds * static_cast<double>(n - down + 1));
      --down;
      u -= p_down;
      if (u < 0) return down;
    }
  }
  return mode;
}

std::vector<double> skewed(std::size_t k, double skew) {
  std::vector<double> p(k, k > 1 ? (1 - skew) / static_cast<double>(k - 1) : 1.0);
  p[0] = k > 1 ? skew : 1.0;
  return p;
}

/// Share of the alternative that falls where the null's p value is at most alpha. Outcomes are (null weight, alternative).
double rejected_share(std::vector<std::pair<double, double>>& outcomes, double null_constant, double alpha) {
  std::sort(outcomes.begin(), outcomes.end());
  double p = 0;
  double share = 0;
  for (std::size_t i = 0; i < outcomes.size();) {
    // Outcomes that are equally likely on paper enter the p value together.
    std::size_t end = i;
    double tied_null = 0;
    double tied_alternative = 0;
    while (end < outcomes.size() && outcomes[end].first <= outcomes[i].first + 1e-9) {
      tied_null += std::exp(outcomes[end].first + null_constant);
      tied_alternative += outcomes[end].second;
      ++end;
    }
    p += tied_null;
    if (p > alpha) break;
    share += tied_alternative;
    i = end;
  }
  return share;
}

double exact_power(std::size_t n, std::size_t k, double skew, double alpha) {
  const LogFactorials log_factorial(n);
  const auto dn = static_cast<double>(n);
  const double null_constant = log_factorial[n] - dn * std::log(static_cast<double>(k));
  const double log_skew = std::log(skew);
  const double log_rest = std::log((1 - skew) / static_cast<double>(k - 1));
  std::vector<std::pair<double, double>> outcomes;
  std::vector<std::size_t> counts(k);
  each_composition(n, counts, 0, [&](const std::vector<std::size_t>& x) {
    const double weight = log_weight(x, log_factorial);
    const auto first = static_cast<double>(x[0]);
    outcomes.emplace_back(weight, std::exp(log_factorial[n] + weight + first * log_skew + (dn - first) * log_rest));
  });
  return rejected_share(outcomes, null_constant, alpha);
}

double simulated_power(std::size_t n, std::size_t k, double skew, double alpha) {
  constexpr std::size_t kDraws = 4000;
  const LogFactorials log_factorial(n);
  core::Rng rng(kSeed);
  std::vector<std::size_t> counts;
  const std::vector<double> even(k, 1.0 / static_cast<double>(k));
  std::vector<double> null_weights;
  for (std::size_t i = 0; i < kDraws; ++i) {
    draw_multinomial(rng, n, even, counts);
    null_weights.push_back(log_weight(counts, log_factorial));
  }
  std::sort(null_weights.begin(), null_weights.end());
  const double critical = null_weights[static_cast<std::size_t>(alpha * kDraws)];
  const auto alternative = skewed(k, skew);
  std::size_t rejected = 0;
  for (std::size_t i = 0; i < kDraws; ++i) {
    draw_multinomial(rng, n, alternative, counts);
    rejected += log_weight(counts, log_factorial) < critical ? 1 : 0;
  }
  return static_cast<double>(rejected) / kDraws;
}

}  // namespace

std::size_t compositions(std::size_t n, std::size_t k, std::size_t cap) {
  if (k == 0) return 0;
  double product = 1;
  for (std::size_t i = 1; i < k; ++i) {
    product = product * static_cast<double>(n + i) / static_cast<double>(i);
    if (product > static_cast<double>(cap)) return cap;
  }
  return static_cast<std::size_t>(std::llround(product));
}

void draw_multinomial(core::Rng& rng, std::size_t n, const std::vector<double>& probabilities, std::vector<std::size_t>& counts) {
  counts.assign(probabilities.size(), 0);
  double left = 1;
  for (std::size_t i = 0; i + 1 < probabilities.size() && n > 0; ++i) {
    const std::size_t x = draw_binomial(rng, n, std::min(1.0, probabilities[i] / left));
    counts[i] = x;
    n -= x;
    left -= probabilities[i];
  }
  if (!counts.empty()) counts.back() += n;
}

UniformityTest uniformity(const std::vector<std::size_t>& counts) {
  std::size_t n = 0;
  for (const std::size_t x : counts) n += x;
  const std::size_t k = counts.size();
  if (k < 2 || n == 0) return {1.0, "nothing to test"};
  const LogFactorials log_factorial(n);
  const double observed = log_weight(counts, log_factorial);
  if (compositions(n, k, kExactOutcomes + 1) <= kExactOutcomes) {
    const double constant = log_factorial[n] - static_cast<double>(n) * std::log(static_cast<double>(k));
    double p = 0;
    std::vector<std::size_t> cells(k);
    each_composition(n, cells, 0, [&](const std::vector<std::size_t>& x) {
      const double weight = log_weight(x, log_factorial);
      if (weight <= observed + 1e-9) p += std::exp(weight + constant);
    });
    return {std::min(1.0, p), "exact multinomial"};
  }
  // Many replicas cost a draw each; a tenth of the draws still resolves p to 0.0001.
  const std::size_t draws = k <= 16 ? 99'999 : 9'999;
  core::Rng rng(kSeed);
  const std::vector<double> even(k, 1.0 / static_cast<double>(k));
  std::vector<std::size_t> drawn;
  std::size_t hits = 0;
  for (std::size_t i = 0; i < draws; ++i) {
    draw_multinomial(rng, n, even, drawn);
    hits += log_weight(drawn, log_factorial) <= observed + 1e-9 ? 1 : 0;
  }
  return {static_cast<double>(1 + hits) / static_cast<double>(draws + 1),
          k <= 16 ? "Monte Carlo, 99,999 draws" : "Monte Carlo, 9,999 draws"};
}

double power_against_skew(std::size_t n, std::size_t k, double skew, double alpha) {
  if (k < 2 || n == 0) return 0;
  const double bounded = std::clamp(skew, 1e-9, 1 - 1e-9);
  return compositions(n, k, kPowerOutcomes + 1) <= kPowerOutcomes ? exact_power(n, k, bounded, alpha)
                                                                 : simulated_power(n, k, bounded, alpha);
}

std::optional<std::size_t> items_needed(std::size_t k, double skew, double alpha, double power, std::size_t max_n) {
  if (k < 2) return std::nullopt;
  // Steps grow with n: the answer is for a sentence ("about 40"), the power of an exact test is a saw anyway.
  for (std::size_t n = k; n <= max_n; n += std::max<std::size_t>(1, n / 20)) {
    if (power_against_skew(n, k, skew, alpha) >= power) return n;
  }
  return std::nullopt;
}

double expected_largest_share(std::size_t n, std::size_t k) {
  if (n == 0 || k == 0) return 0;
  const auto dn = static_cast<double>(n);
  std::vector<std::size_t> counts(k);
  if (compositions(n, k, kLargestOutcomes + 1) <= kLargestOutcomes) {
    const LogFactorials log_factorial(n);
    const double constant = log_factorial[n] - dn * std::log(static_cast<double>(k));
    double mean = 0;
    each_composition(n, counts, 0, [&](const std::vector<std::size_t>& x) {
      mean += std::exp(log_weight(x, log_factorial) + constant) * static_cast<double>(*std::max_element(x.begin(), x.end())) / dn;
    });
    return mean;
  }
  constexpr std::size_t kDraws = 4000;
  core::Rng rng(kSeed);
  const std::vector<double> even(k, 1.0 / static_cast<double>(k));
  double sum = 0;
  for (std::size_t i = 0; i < kDraws; ++i) {
    draw_multinomial(rng, n, even, counts);
    sum += static_cast<double>(*std::max_element(counts.begin(), counts.end())) / dn;
  }
  return sum / kDraws;
}

}  // namespace analyzers
