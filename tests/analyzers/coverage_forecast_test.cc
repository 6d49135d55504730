// The forecast of coverage: the table of information bounds, its edges, and simulated runs that it must foresee.
#include "analyzers/coverage_forecast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "analyzers/attribution.h"
#include "scenarios/token_buckets.h"
#include "tests/support/simulated_gateway.h"

namespace {

using namespace analyzers;
using namespace std::chrono_literals;
using scenarios::WatermarkKind;
using tests_support::GatewayWorld;

TEST(CoverageForecast, BitsNeededAreTheTables) {
  const std::pair<double, double> kTable[] = {{0.83, 1.4}, {1.67, 4.2}, {3.3, 10.7}, {5, 18.4}, {8.3, 33}, {10, 41}, {16.7, 72}};
  for (const auto& [lambda, bits] : kTable) EXPECT_NEAR(bits_needed(lambda, 3), bits, 0.06 * bits + 0.1) << lambda;
  EXPECT_EQ(bits_needed(0, 3), 0);
  EXPECT_NEAR(bits_needed(3, 1), 0, 1e-9);
}

ForecastInput input_of(double prompt_stddev, double collision, std::size_t buckets = 1, double max_tokens_stddev = 0) {
  ForecastInput input;
  input.lengths.prompt_stddev = prompt_stddev;
  input.lengths.collision = collision;
  input.lengths.max_tokens_buckets = buckets;
  input.lengths.max_tokens_stddev = max_tokens_stddev;
  return input;
}

TEST(CoverageForecast, LimitsAreTheTables) {
  const auto limit = [](ForecastInput input, std::size_t replicas) {
    input.replicas = replicas;
    return forecast_coverage(input).lambda_limit;
  };
  EXPECT_NEAR(limit(input_of(0, 1), 3), 2.6, 0.15);
  EXPECT_NEAR(limit(input_of(0, 1), 8), 1.9, 0.15);
  EXPECT_NEAR(limit(input_of(0, 1), 16), 1.5, 0.15);
  const ForecastInput p7 = input_of(37, 1.0 / 129);                       // +-64 prompt tokens
  const ForecastInput m12 = input_of(0, 1.0 / 4096, 1, 1182);             // 12 bits of max_tokens
  const ForecastInput p7_m12 = input_of(37, 1e-5, 1, 1182);
  const ForecastInput p7_classes = input_of(37, 1e-5, 8, 4500);           // max_tokens over 8 buckets, 51 to 20,000
  const struct {
    ForecastInput input;
    double of_3, of_8, of_16;
  } kTable[] = {{p7, 6.4, 4.5, 3.6}, {m12, 8.8, 6.1, 4.8}, {p7_m12, 12.6, 8.8, 7.0}, {p7_classes, 21, 15, 11.5}};
  for (const auto& row : kTable) {
    EXPECT_NEAR(limit(row.input, 3), row.of_3, 0.06 * row.of_3);
    EXPECT_NEAR(limit(row.input, 8), row.of_8, 0.06 * row.of_8);
    EXPECT_NEAR(limit(row.input, 16), row.of_16, 0.06 * row.of_16);
  }
  ForecastInput counts_only = input_of(0, 1);
  counts_only.latency_sums = false;
  EXPECT_LE(limit(counts_only, 3), 0.011);
}

TEST(CoverageForecast, BitsSuppliedAreTheTables) {
  const struct {
    ForecastInput input;
    double at_0_83, at_5, at_16_7;
  } kTable[] = {{input_of(0, 1), 8, 8, 8}, {input_of(37, 1), 22, 24, 26}, {input_of(0, 1, 1, 1182), 32, 34, 36}, {input_of(37, 1, 1, 1182), 45, 50, 54}};
  for (const auto& row : kTable) {
    EXPECT_NEAR(bits_supplied(0.83, row.input), row.at_0_83, 0.6);
    EXPECT_NEAR(bits_supplied(5, row.input), row.at_5, 0.6);
    EXPECT_NEAR(bits_supplied(16.7, row.input), row.at_16_7, 0.6);
  }
  ForecastInput one = input_of(37, 1);
  one.replicas = 1;
  EXPECT_EQ(bits_supplied(5, one), 0);
}

TEST(CoverageForecast, LeversAreSortedAndWorthPulling) {
  ForecastInput dense = input_of(0, 1);
  dense.fixed_interval = true;
  dense.least_gap = 100ms;
  dense.rate_rps = 60;
  const auto levers = coverage_levers(dense, WatermarkKind::kNone);
  ASSERT_GE(levers.size(), 2U);
  EXPECT_EQ(levers.front().what, "--watermark auto");
  const double now = forecast_coverage(dense).coverage_ratio;
  for (std::size_t i = 0; i < levers.size(); ++i) {
    EXPECT_GE(levers[i].coverage_ratio, now + 0.01) << levers[i].what;
    EXPECT_LE(levers[i].coverage_ratio, levers[i == 0 ? 0 : i - 1].coverage_ratio);
  }
  const auto marked = coverage_levers(dense, WatermarkKind::kNatural);
  for (const auto& lever : marked) EXPECT_EQ(lever.what.find("watermark"), std::string::npos) << lever.what;
  dense.rate_rps = 0.1;
  EXPECT_TRUE(coverage_levers(dense, WatermarkKind::kNone).empty());
}

TEST(CoverageForecast, AFixedIntervalIsKeptAndAMeasuredCostIsSaid) {
  ForecastInput input = input_of(0, 1);
  input.rate_rps = 1;
  input.fixed_interval = true;
  input.least_gap = 100ms;
  input.finishes_per_window = 4;
  EXPECT_EQ(forecast_coverage(input).gap, 100ms);
  EXPECT_FALSE(forecast_coverage(input).event_driven);
  EXPECT_EQ(forecast_basis(input).size(), 4U);
  input.fixed_interval = false;
  input.page_cost = 4600us;
  input.least_gap = 92ms;
  EXPECT_TRUE(forecast_coverage(input).event_driven);
  EXPECT_NE(describe_forecast(input, true, WatermarkKind::kNone).find("as a scrape costs 4.6 ms"), std::string::npos);
  EXPECT_NE(forecast_basis(input).back().find("4.6 ms, as measured"), std::string::npos);
  input.page_cost = {};
  EXPECT_NE(forecast_basis(input).back().find("unknown"), std::string::npos);
}

TEST(CoverageForecast, OneReplicaManyReplicasAndNoRate) {
  ForecastInput one = input_of(0, 1);
  one.replicas = 1;
  one.rate_rps = 1000;
  EXPECT_EQ(forecast_coverage(one).coverage_ratio, 1);
  ForecastInput none = input_of(0, 1);
  EXPECT_EQ(forecast_coverage(none).lambda, 0);
  EXPECT_EQ(forecast_coverage(none).coverage_ratio, 1);
  ForecastInput blind;
  blind.replicas = 0;
  EXPECT_NE(describe_forecast(blind, true, WatermarkKind::kNone).find("--replica"), std::string::npos);
  ForecastInput many = input_of(0, 1);
  many.replicas = 64;
  many.rate_rps = 1e6;
  EXPECT_LT(forecast_coverage(many).coverage_ratio, 0.01);
  EXPECT_TRUE(std::isfinite(forecast_coverage(many).lambda_limit));
}

TEST(CoverageForecast, SaysWhatWouldRaiseItOnlyWhereSomethingWould) {
  ForecastInput dense = input_of(0, 1);
  dense.rate_rps = 1000;
  const auto text = describe_forecast(dense, true, WatermarkKind::kNone);
  EXPECT_NE(text.find("predicted attribution: less than 10 % of responses"), std::string::npos) << text;
  EXPECT_NE(text.find("Only a lower rate would raise it"), std::string::npos) << text;
  dense.rate_rps = 5;
  const auto easy = describe_forecast(dense, true, WatermarkKind::kNone);
  EXPECT_NE(easy.find("at least 99 %"), std::string::npos) << easy;
  EXPECT_EQ(easy.find("raise"), std::string::npos) << easy;
  EXPECT_NE(describe_forecast(dense, false, WatermarkKind::kPrompt).find("closed loop"), std::string::npos);
}

TEST(CoverageForecast, RateAndCoverageAgree) {
  for (const double spread : {0.0, 12.6, 40.0}) {
    ForecastInput input = input_of(spread, spread > 0 ? 0.125 : 1);
    const double rate = rate_for_coverage(input, 0.99);
    ASSERT_GT(rate, 1) << spread;
    input.rate_rps = 0.98 * rate;
    EXPECT_GE(forecast_coverage(input).coverage_ratio, 0.99);
    input.rate_rps = 1.1 * rate;
    EXPECT_LT(forecast_coverage(input).coverage_ratio, 0.99);
  }
}

/// What plan and run would know of a made run's requests.
scenarios::LengthSpread spread_of(const bench::Run& run) {
  scenarios::LengthSpread out;
  double n = 0, prompt = 0, prompt_squares = 0, most = 0, most_squares = 0, body = 0, body_squares = 0;
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> seen;
  std::map<std::uint32_t, double> bodies;
  std::set<std::size_t> buckets;
  for (const auto& r : run.records) {
    ++n;
    ++seen[{r.prompt_tokens, r.max_tokens}];
    ++bodies[r.body_bytes];
    buckets.insert(scenarios::token_bucket(r.max_tokens));
    prompt += r.prompt_tokens, prompt_squares += double(r.prompt_tokens) * r.prompt_tokens;
    most += r.max_tokens, most_squares += double(r.max_tokens) * r.max_tokens;
    body += r.body_bytes, body_squares += double(r.body_bytes) * r.body_bytes;
  }
  const auto deviation = [n](double sum, double squares) { return std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n))); };
  out.prompt_stddev = deviation(prompt, prompt_squares);
  out.max_tokens_stddev = deviation(most, most_squares);
  out.body_stddev = deviation(body, body_squares);
  out.max_tokens_buckets = buckets.size();
  double pairs = 0, body_pairs = 0;
  for (const auto& [lengths, count] : seen) pairs += count * (count - 1);
  for (const auto& [bytes, count] : bodies) body_pairs += count * (count - 1);
  out.collision = pairs / (n * (n - 1));
  out.body_collision = body_pairs / (n * (n - 1));
  return out;
}

/// Forecast and decoder on the same simulated world, scraped at a fixed interval.
void agree(GatewayWorld world, double within) {
  world.requests = 3000;
  const auto made = tests_support::simulate_gateway(world);
  const auto result = attribute_run(made.run, facts_of(made.run));
  std::size_t claimed = 0, wrong = 0;
  for (std::size_t i = 0; i < result.of_record.size(); ++i) {
    claimed += result.of_record[i].replica >= 0 ? 1 : 0;
    wrong += result.of_record[i].replica >= 0 && result.of_record[i].replica != made.truth[i] ? 1 : 0;
  }
  const double observed = static_cast<double>(claimed) / static_cast<double>(result.of_record.size());
  ForecastInput input;
  input.replicas = world.replicas;
  input.lengths = spread_of(made.run);
  input.body_counted = world.body_sizes;
  input.rate_rps = world.rate_rps;
  input.fixed_interval = true;
  input.least_gap = core::from_ms(world.scrape_interval_ms);
  const double predicted = forecast_coverage(input).coverage_ratio;
  std::printf("[ simulated ] %zu replicas, %g req/s, every %g ms: predicted %.3f, observed %.3f, %zu wrong\n", world.replicas, world.rate_rps,
              world.scrape_interval_ms, predicted, observed, wrong);
  EXPECT_NEAR(predicted, observed, within) << world.replicas << " " << world.rate_rps << " " << world.scrape_interval_ms;
}

GatewayWorld world_at(double rate_rps, double interval_ms, std::size_t replicas = 3) {
  GatewayWorld world;
  world.rate_rps = rate_rps;
  world.scrape_interval_ms = interval_ms;
  world.replicas = replicas;
  return world;
}

TEST(AttributionTargets, ForecastForeseesWhereTooManyResponsesStraddleScrapes) {
  for (const double rate : {200.0, 300.0, 400.0, 500.0}) {
    GatewayWorld world = world_at(rate, 20);
    world.extra_prompt_tokens = {0, 1, 4, 9, 15, 22, 32, 34};
    agree(world, 0.12);
    world.extra_prompt_tokens.clear();
    world.max_tokens_classes = world.random_prompt_tokens = true;
    agree(world, 0.12);
  }
}

TEST(AttributionTargets, ForecastForeseesFixedLengths) {
  for (const auto& [rate, interval] : {std::pair{25.0, 50.0}, {25.0, 100.0}, {25.0, 250.0}, {25.0, 500.0}, {100.0, 50.0}, {100.0, 100.0}, {300.0, 50.0}}) {
    agree(world_at(rate, interval), 0.10);
  }
  for (const std::size_t replicas : {2, 8, 16}) agree(world_at(25, 100, replicas), 0.10);
}

TEST(AttributionTargets, ForecastForeseesPromptLengths) {
  for (const auto& [rate, interval] : {std::pair{25.0, 100.0}, {25.0, 250.0}, {100.0, 50.0}, {100.0, 100.0}, {100.0, 250.0}}) {
    GatewayWorld world = world_at(rate, interval);
    world.extra_prompt_tokens = {0, 1, 4, 9, 15, 22, 32, 34};
    agree(world, 0.10);
    world.extra_prompt_tokens = {0, 4, 6, 20, 35, 52, 59, 77, 78, 86, 89, 99, 122, 127};
    agree(world, 0.10);
  }
  for (const std::size_t replicas : {8, 16}) {
    GatewayWorld world = world_at(100, 100, replicas);
    world.extra_prompt_tokens = {0, 1, 4, 9, 15, 22, 32, 34};
    agree(world, 0.10);
  }
}

}  // namespace
