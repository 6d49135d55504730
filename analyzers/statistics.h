// Statistics that verdicts rest on: Student's t, exact binomial, Clopper-Pearson, log-t over blocks, sign flips.
// Used by all analyzers. Exact or textbook formulas only; no sampling, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analyzers/analysis.h"

namespace analyzers {

/// Regularised incomplete beta I_x(a, b), a > 0, b > 0, by Lentz's continued fraction (relative error about 1e-14).
[[nodiscard]] double incomplete_beta(double a, double b, double x);
/// x with I_x(a, b) = p; bisection on the monotone function, to the last bits.
[[nodiscard]] double inverse_incomplete_beta(double a, double b, double p);

/// P(T <= t) and its inverse for Student's t with `degrees` > 0 degrees of freedom.
[[nodiscard]] double student_t_cdf(double t, double degrees);
[[nodiscard]] double student_t_quantile(double p, double degrees);

/// P(Binomial(n, q) <= k), through the incomplete beta.
[[nodiscard]] double binomial_cdf(std::size_t k, std::size_t n, double q);

struct Interval {
  double low = 0, high = 0;
};
/// Exact two-sided interval for a proportion; each tail (1 - confidence)/2. n = 0 gives [0, 1].
[[nodiscard]] Interval clopper_pearson(std::size_t successes, std::size_t n, double confidence = 0.95);

struct Moments {
  std::size_t n = 0;
  double mean = 0, stddev = 0;  ///< stddev with n - 1; 0 for n < 2
};
[[nodiscard]] Moments moments(std::span<const double> values);

/// mean ± t s/√n; nothing for n < 2. `confidence` is two-sided.
[[nodiscard]] std::optional<Interval> t_interval(const Moments& m, double confidence);

/// Geometric mean of positive block values with a log-t interval ("log_t over 6 blocks"); when a value is <= 0 the
/// arithmetic mean with a plain t interval ("t over 6 blocks"). One block: value without interval, with a reason.
[[nodiscard]] Estimate over_blocks(std::span<const double> values, double confidence = 0.95);

/// Two-sided exact sign-flip p of the mean of `differences`; nothing when empty or more than 20.
[[nodiscard]] std::optional<double> sign_flip_p(std::span<const double> differences);

/// Blocks needed so that a one-sided t bound at `confidence` clears `distance` (> 0) with deviation `stddev`; nothing
/// when more than 1,000 would be needed.
[[nodiscard]] std::optional<std::size_t> blocks_needed(double distance, double stddev, double confidence);

/// An Estimate with a value and a method, or without one and with a reason.
[[nodiscard]] Estimate measured(double value, std::string method, std::size_t n);
[[nodiscard]] Estimate unmeasured(std::string reason);
/// k of n with its Clopper-Pearson interval.
[[nodiscard]] Estimate proportion(std::size_t successes, std::size_t n, const std::string& what);

/// "12", "3.14", "0.0021": a figure for sentences, `digits` significant, never in exponent form for 1e-4..1e7.
[[nodiscard]] std::string figure(double value, int digits = 3);

}  // namespace analyzers
