// See attribution_model.h.
#include "analyzers/attribution_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace analyzers {
namespace {

constexpr double kTwoPi = 6.283185307179586;
constexpr double kNever = -std::numeric_limits<double>::infinity();
/// Width (s) over which a foreign event's latency is taken to be uniform.
constexpr double kForeignLatencyRange_s = 5;
/// log of the share of integer vectors per channel that a foreign request of unknown shape falls on: about 2^12 values.
constexpr double kForeignLogDensity = -8.3;

double normal_cdf(double x) { return 0.5 * std::erfc(-x * 0.7071067811865476); }

/// Integral of P(exponential <= t) for t from -inf to x; x in units of the mean.
double exponential_integral(double x) { return x <= 0 ? 0 : x - 1 + std::exp(-x); }

/// Integral of P(d <= t) dt up to x for d = exponential(mean); seconds.
double core_integral(const DelayModel& m, double x) { return m.mean_s * exponential_integral((x - m.offset_s) / m.mean_s); }

/// Same for exponential + uniform(0, hold_limit): one more integration.
double held_integral(const DelayModel& m, double x) {
  const auto twice = [&](double y) {
    const double z = (y - m.offset_s) / m.mean_s;
    return z <= 0 ? 0 : m.mean_s * m.mean_s * (z * z / 2 - z + 1 - std::exp(-z));
  };
  return (twice(x) - twice(x - m.hold_limit_s)) / m.hold_limit_s;
}

struct Chance {
  double core = 0, held = 0;
};

/// P(counted after the snapshot) for a snapshot uniform in [latest - high, latest - low].
Chance after_snapshot(const DelayModel& m, double low, double high) {
  if (high - low < 1e-9) high = low + 1e-9;
  const double width = high - low;
  return {(core_integral(m, high) - core_integral(m, low)) / width, (held_integral(m, high) - held_integral(m, low)) / width};
}

double seconds_before(const LayerCandidate& c, core::Duration at) { return core::to_seconds(c.latest - at); }

/// Sums of up to this many events have a mixture of their own; beyond it they are as good as normal.
constexpr std::size_t kMixedSums = 24;
constexpr double kLeastTerm = -16;  ///< log weight of a term that is left out
/// Share of events, and factor on the spread, of what no calibration has seen: bounds what latencies can prove.
constexpr double kUnseenShare = 3e-4, kUnseenSpread = 6;

double log_choose(double n, double k) { return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1); }

NoiseSum normal_term(double log_weight, double mean_s, double variance_s2) {
  return {log_weight - 0.5 * std::log(kTwoPi * variance_s2), mean_s, 1 / variance_s2};
}

NoiseSum unseen_term(const DelayModel& model, double n) {
  return normal_term(std::log(kUnseenShare * n), 0, model.variance_s2 * n * kUnseenSpread * kUnseenSpread);
}

/// log density of the summed noise of n events that were not held.
double sum_log_density(const DelayModel& model, std::size_t n, double residual_s) {
  std::array<double, kMixedSums + 2> logs{};
  std::size_t used = 0;
  double best = kNever;
  const auto add = [&](const NoiseSum& t) {
    const double off = residual_s - t.mean_s;
    logs[used] = t.log_scale - 0.5 * t.precision * off * off;
    best = std::max(best, logs[used++]);
  };
  if (n <= model.sums.size()) {
    for (const auto& t : model.sums[n - 1]) add(t);
  } else {
    add(normal_term(0, 0, model.variance_s2 * static_cast<double>(n)));
    add(unseen_term(model, static_cast<double>(n)));
  }
  double sum = 0;
  for (std::size_t i = 0; i < used; ++i) sum += std::exp(logs[i] - best);
  return best + std::log(sum);
}

/// log density of noise of n events plus a shift that is uniform in [low, high].
double shifted_log_density(const DelayModel& model, std::size_t n, double residual_s, double low_s, double high_s) {
  const double width = std::max(high_s - low_s, 1e-6);
  const double scale = std::sqrt(model.variance_s2 * static_cast<double>(n));
  const double from = (residual_s - low_s - width) / scale, to = (residual_s - low_s) / scale;
  // Differences of tails far out on the right are taken on the left, where erfc keeps its digits.
  const double mass = from > 0 ? normal_cdf(-from) - normal_cdf(-to) : normal_cdf(to) - normal_cdf(from);
  return mass > 1e-290 ? std::log(mass / width) : kNever;
}

double log_sum(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kNever ? a : a + std::log1p(std::exp(b - a));
}

}  // namespace

double bias_of(const DelayModel& model, std::uint16_t replica) {
  return model.bias_s + (replica < model.replica_bias_s.size() ? model.replica_bias_s[replica] : 0);
}

WindowOption window_option(const DelayModel& model, const LayerCandidate& candidate, const LayerWindow& window, std::size_t replicas) {
  WindowOption out;
  if (((candidate.replicas >> window.replica) & 1u) == 0) return out;
  if (candidate.earliest > window.close_answered || candidate.latest + std::chrono::nanoseconds(static_cast<std::int64_t>(
          std::max(0.0, -model.offset_s) * 1e9)) < window.open_sent) return out;
  const double longest = 2 * model.hold_limit_s + 40 * model.mean_s + std::max(0.0, model.offset_s) + 1;
  // Ends half an infinity away are clamped: beyond the longest delay nothing changes.
  const auto clamp = [&](core::Duration at) { return std::clamp(seconds_before(candidate, at), -longest, longest); };
  const double opened_low = clamp(window.open_answered), opened_high = clamp(window.open_sent);
  const double closed_low = clamp(window.close_answered), closed_high = clamp(window.close_sent);
  const Chance opened = after_snapshot(model, opened_low, opened_high);
  const Chance closed = after_snapshot(model, closed_low, closed_high);
  const double share = window.replica < model.replica_share.size() ? model.replica_share[window.replica] : 1 / static_cast<double>(replicas);
  const double core = (1 - model.held_share) * std::max(0.0, opened.core - closed.core);
  const double held = model.held_share * std::max(0.0, opened.held - closed.held);
  out.p = share * (core + held);
  if (!(out.p > 0)) return {};
  out.held = std::clamp(held / (core + held), 0.0, 1.0);
  out.log_p = std::log(out.p);
  out.log_held = out.held > 0.5 ? std::log(out.held) : std::log1p(-out.held);
  out.hold_low_s = std::clamp(closed_low - model.offset_s - model.mean_s, 0.0, model.hold_limit_s);
  out.hold_high_s = std::clamp(opened_high - model.offset_s, out.hold_low_s, model.hold_limit_s);
  return out;
}

void WindowMembers::add(const LayerCandidate& candidate, const WindowOption& option) {
  ++n;
  latency_s += candidate.latency_s;
  if (option.held > 0.5) {
    ++surely_held;
    log_held += option.log_held;
    low_s += option.hold_low_s;
    high_s += option.hold_high_s;
    return;
  }
  log_not_held += option.log_held;
  const double odds = option.held / (1 - option.held);
  one_held += odds;
  one_low_s += odds * option.hold_low_s;
  one_high_s += odds * option.hold_high_s;
}

double latency_log_likelihood(const LayerProblem& problem, const LayerWindow& window, const WindowMembers& members) {
  const DelayModel& model = problem.model;
  if (!model.latency_used || members.n == 0) return 0;
  const double residual = members.latency_s - window.latency_sum_s - static_cast<double>(members.n) * bias_of(model, window.replica);
  if (members.surely_held > 0) {
    return members.log_not_held + members.log_held + shifted_log_density(model, members.n, residual, members.low_s, members.high_s);
  }
  double out = sum_log_density(model, members.n, residual);
  if (members.one_held > 0) {
    const double low = members.one_low_s / members.one_held, high = members.one_high_s / members.one_held;
    out = log_sum(out, std::log(members.one_held) + shifted_log_density(model, members.n, residual, low, high));
  }
  return members.log_not_held + out;
}

void prepare_sums(DelayModel& model) {
  model.sums.clear();
  const LatencyNoise& a = model.noise[0];
  const LatencyNoise& b = model.noise[1];
  for (std::size_t n = 1; n <= kMixedSums; ++n) {
    const double k = static_cast<double>(n);
    std::vector<NoiseSum> terms;
    for (std::size_t second = 0; second <= n; ++second) {
      const double j = static_cast<double>(second);
      if ((second > 0 && !(b.weight > 0)) || (second < n && !(a.weight > 0))) continue;
      const double log_weight = log_choose(k, j) + (second < n ? (k - j) * std::log(a.weight) : 0) + (second > 0 ? j * std::log(b.weight) : 0);
      if (log_weight < kLeastTerm) continue;
      terms.push_back(normal_term(log_weight, (k - j) * a.mean_s + j * b.mean_s, (k - j) * a.variance_s2 + j * b.variance_s2));
    }
    terms.push_back(unseen_term(model, k));
    model.sums.push_back(std::move(terms));
  }
}

LatencyBounds latency_bounds(const LayerProblem& problem, std::size_t n) {
  const double sigma = std::sqrt(problem.model.variance_s2 * static_cast<double>(std::max<std::size_t>(n, 1)));
  return {-12 * sigma, 12 * sigma + 2 * problem.model.hold_limit_s};
}

double foreign_log_weight(const LayerProblem& problem, const LayerWindow& window, std::int64_t foreign,
                          const std::array<std::int64_t, kIntegerChannels>& remainder,
                          double latency_remainder_s) {
  const double f = static_cast<double>(foreign);
  const double length = std::clamp(core::to_seconds(window.close_sent - window.open_sent), 1e-3, 60.0);
  double out = f * std::log(std::max(problem.model.foreign_per_s, 1e-6) * length) - std::lgamma(f + 1);
  for (std::size_t c = 0; c < kIntegerChannels; ++c) {
    if (!problem.channel_used[c]) continue;
    // A request has at least one token of each kind, and a prompt to be counted at all.
    if (remainder[c] < foreign) return kNever;
    out += f * kForeignLogDensity;
  }
  if (problem.model.latency_used) {
    if (latency_remainder_s < -0.05 || latency_remainder_s > kForeignLatencyRange_s * 20 * f) return kNever;
    out -= std::log(kForeignLatencyRange_s);
  }
  return out;
}

}  // namespace analyzers
