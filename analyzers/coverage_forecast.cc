// See coverage_forecast.h.
#include "analyzers/coverage_forecast.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "analyzers/statistics.h"

namespace analyzers {
namespace {

/// A latency spread of 20 times the noise between client's and server's clock of it: what streamed answers of equal length
/// show. Half a bit per doubling.
constexpr double kLatencyBits = 4;
/// Two responses whose latencies differ by less than three deviations of the noise look alike: 1.69/20.
constexpr double kLatencyTwins = 0.086;
/// First tokens group responses otherwise: both layers must be fooled. Fitted, with the wall, to simulated runs of equal
/// lengths; where latencies spread more it is pessimistic.
constexpr double kFirstTokenTwins = 0.3;
/// Steepness of the wall at lambda_limit, fitted to the regime map of docs/attribution.md.
constexpr double kWall = 10;
/// A response may have been held back by this, so these many of them may belong to either side of a scrape. The decoder
/// gives up where that makes too many sets; more where lengths say more. Fitted to simulated runs at 20 ms.
constexpr double kHold_s = 0.045, kMostStraddling = 17, kMostStraddlingRich = 20.3, kStraddlingWall = 18, kRichLimit = 8;
constexpr double kLeastSpread = 1e-9;

/// E log2(n!), n Poisson with the given mean.
double mean_log2_factorial(double mean) {
  if (mean <= 0) return 0;
  const auto last = static_cast<std::size_t>(mean + 12 * std::sqrt(mean) + 20);
  double sum = 0;
  for (std::size_t n = 2; n <= last; ++n) {
    const auto x = static_cast<double>(n);
    const double log_p = x * std::log(mean) - mean - std::lgamma(x + 1);
    sum += std::exp(log_p) * std::lgamma(x + 1) / std::numbers::ln2;
  }
  return sum;
}

/// Entropy of the sum of a window's integers that have this deviation (normal approximation), never negative.
double sum_bits(double variance_of_sum) {
  return variance_of_sum <= kLeastSpread ? 0 : std::max(0.0, 0.5 * std::log2(2 * std::numbers::pi * std::numbers::e * variance_of_sum));
}

}  // namespace

double bits_needed(double lambda, std::size_t replicas) {
  const auto r = static_cast<double>(replicas);
  return mean_log2_factorial(lambda * r) - r * mean_log2_factorial(lambda);
}

double bits_supplied(double lambda, const ForecastInput& input) {
  if (input.replicas < 2) return 0;
  const auto r = static_cast<double>(input.replicas);
  const double others = lambda * (1 - 1 / r);
  const auto& lengths = input.lengths;
  double per_window = input.latency_sums ? kLatencyBits : 0;
  per_window += sum_bits(others * lengths.prompt_stddev * lengths.prompt_stddev);
  per_window += sum_bits(others * lengths.max_tokens_stddev * lengths.max_tokens_stddev);
  if (input.body_counted) per_window += sum_bits(others * lengths.body_stddev * lengths.body_stddev);
  const auto classes = static_cast<double>(lengths.max_tokens_buckets);
  if (classes > 1) per_window += (classes - 1) * sum_bits(others / classes);
  return (r - 1) * per_window;
}

CoverageForecast forecast_coverage(const ForecastInput& input) {
  CoverageForecast out;
  const auto r = static_cast<double>(std::max<std::size_t>(1, input.replicas));
  const double least_s = core::to_seconds(input.least_gap);
  out.event_driven = !input.fixed_interval && input.rate_rps * least_s <= 1;
  double gap_s = least_s;
  if (!out.event_driven && !input.fixed_interval) gap_s = std::clamp(input.finishes_per_window * r / input.rate_rps, least_s, std::max(least_s, 1.0));
  out.gap = core::from_seconds(gap_s);
  out.lambda = input.rate_rps * gap_s / r;
  if (input.replicas < 2) {
    out.coverage_ratio = 1;
    out.lambda_limit = HUGE_VAL;
    return out;
  }
  double low = 0.01, high = 200;
  for (int i = 0; i < 60; ++i) {
    const double middle = std::sqrt(low * high);
    (bits_supplied(middle, input) > bits_needed(middle, input.replicas) ? low : high) = middle;
  }
  out.lambda_limit = low;
  const double collision = input.lengths.collision * (input.body_counted ? input.lengths.body_collision : 1);
  const double twins = out.lambda * r * (1 - 1 / r) * collision * (input.latency_sums ? kLatencyTwins * kFirstTokenTwins : 1);
  const double straddling = input.rate_rps * kHold_s / (out.lambda_limit < kRichLimit ? kMostStraddling : kMostStraddlingRich);
  out.coverage_ratio = std::exp(-twins) / (1 + std::pow(out.lambda / out.lambda_limit, kWall)) / (1 + std::pow(straddling, kStraddlingWall));
  return out;
}

double rate_for_coverage(ForecastInput input, double coverage_ratio) {
  double low = 0, high = 1e5;
  for (int i = 0; i < 60; ++i) {
    const double middle = low == 0 ? high / 2 : (low + high) / 2;
    input.rate_rps = middle;
    (forecast_coverage(input).coverage_ratio >= coverage_ratio ? low : high) = middle;
  }
  return low < 0.01 ? 0 : low;
}

std::vector<CoverageLever> coverage_levers(const ForecastInput& input, scenarios::WatermarkKind watermark) {
  using scenarios::WatermarkKind;
  std::vector<CoverageLever> out;
  const double now = forecast_coverage(input).coverage_ratio;
  const auto add = [&](std::string what, const ForecastInput& changed) {
    const double then = forecast_coverage(changed).coverage_ratio;
    if (then >= now + 0.01) out.push_back({std::move(what), then});
  };
  const auto with_lengths = [&input](double stddev, double lengths, double finishes) {
    ForecastInput changed = input;
    changed.lengths.prompt_stddev = std::hypot(input.lengths.prompt_stddev, stddev);
    changed.lengths.collision = input.lengths.collision / lengths;
    changed.finishes_per_window = finishes;
    return changed;
  };
  // Deviations of the 8 and of the 14 marks (scenarios/watermark.cc).
  if (watermark == WatermarkKind::kNone) add("--watermark auto", with_lengths(12.6, 8, 0.8));
  if (watermark == WatermarkKind::kPrompt && input.lengths.collision > 1.0 / 12) add("prompt lengths that differ more", with_lengths(39.5, 14, 2));
  ForecastInput sooner = input;
  sooner.least_gap = input.least_gap / 2;
  sooner.finishes_per_window = input.finishes_per_window / 2;
  const auto gap_ms = core::to_ms(forecast_coverage(sooner).gap);
  add("scrapes every " + figure(gap_ms, 2) + " ms (--scrape-interval)", sooner);
  ForecastInput slower = input;
  slower.rate_rps = input.rate_rps / 2;
  add("half the rate", slower);
  std::stable_sort(out.begin(), out.end(), [](const CoverageLever& a, const CoverageLever& b) { return a.coverage_ratio > b.coverage_ratio; });
  return out;
}

std::vector<std::string> forecast_basis(const ForecastInput& input) {
  std::vector<std::string> out;
  out.push_back("Poisson arrivals, finishes as frequent as arrivals, spread evenly over the replicas");
  out.push_back("vLLM's counters: finishes, prompt tokens, output tokens and max_tokens with their buckets" +
                std::string(input.latency_sums ? ", sums of E2E and TTFT" : "") + (input.body_counted ? ", sizes of request bodies" : ""));
  out.push_back("output lengths that vary are not counted on");
  out.push_back("the network and the gateway hold responses back by no more than " + figure(1000 * kHold_s, 2) + " ms");
  if (input.fixed_interval) return out;
  out.push_back(input.page_cost > core::Duration{0}
                    ? "a scrape costs a replica " + figure(core::to_ms(input.page_cost), 2) + " ms, as measured"
                    : "a scrape's cost is unknown: a round every " + figure(core::to_ms(input.least_gap), 2) + " ms is taken to be affordable");
  return out;
}

namespace {

std::string share_text(double coverage) {
  if (coverage >= 0.99) return "at least 99 %";
  return coverage < 0.1 ? "less than 10 %" : "about " + figure(std::floor(100 * coverage), 3) + " %";
}

std::string finishes_text(double lambda) { return lambda < 0.01 ? "less than 0.01" : figure(lambda, 2); }

}  // namespace

std::string describe_forecast(const ForecastInput& input, bool rate_known, scenarios::WatermarkKind watermark) {
  if (input.replicas == 0) return "predicted attribution: none, as no replica's metrics are known; give --replica NAME=URL";
  if (input.replicas == 1) return "predicted attribution: one replica serves all";
  const double limit = rate_for_coverage(input, 0.99);
  const std::string up_to = limit > 0 ? "99 % up to about " + figure(limit, 2) + " req/s" : "99 % at no rate";
  const std::string cost = input.page_cost > core::Duration{0} ? ", as a scrape costs " + figure(core::to_ms(input.page_cost), 2) + " ms" : "";
  std::string out = "predicted attribution: ";
  if (!rate_known) {
    return out + up_to + " over " + std::to_string(input.replicas) + " replicas, scraped every " + figure(core::to_ms(input.least_gap), 2) +
           " ms at most" + cost + "; the rate of a closed loop is the target's";
  }
  const auto forecast = forecast_coverage(input);
  out += share_text(forecast.coverage_ratio) + " of responses at " + figure(input.rate_rps, 3) + " req/s (" + finishes_text(forecast.lambda) +
         " finishes per replica and scrape, " + (forecast.event_driven ? "after finishes, every " : "every ") + figure(core::to_ms(forecast.gap), 3) + " ms" +
         (forecast.event_driven ? " at most" : "") + cost + "); " + up_to;
  if (forecast.coverage_ratio >= 0.99) return out;
  const auto levers = coverage_levers(input, watermark);
  out += levers.empty() ? ". Only a lower rate would raise it" : ". What would raise it: ";
  for (std::size_t i = 0; i < levers.size(); ++i) {
    out += (i > 0 ? ", " : "") + levers[i].what + " (" + share_text(levers[i].coverage_ratio) + ")";
  }
  return out;
}

}  // namespace analyzers
