// The forecast of coverage: the table of information bounds, its edges, and simulated runs that it must foresee.
#include "analyzers/coverage_forecast.h"

#include <gtest/gtest.h>

#include <cmath>

#include "analyzers/attribution.h"
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
  EXPECT_NEAR(limit(input_of(37, 1.0 / 129), 3), 6.4, 0.3);          // +-64 prompt tokens
  EXPECT_NEAR(limit(input_of(0, 1.0 / 4096, 1, 1182), 3), 8.8, 0.4);  // 12 bits of max_tokens
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
  EXPECT_NE(text.find("predicted attribution: hardly any"), std::string::npos) << text;
  EXPECT_NE(text.find("--watermark auto"), std::string::npos) << text;
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

/// Forecast and decoder on the same simulated world, scraped at a fixed interval.
void agree(GatewayWorld world, const ForecastInput& lengths, double within) {
  world.requests = 3000;
  const auto made = tests_support::simulate_gateway(world);
  const auto result = attribute_run(made.run, facts_of(made.run));
  std::size_t claimed = 0;
  for (const auto& claim : result.of_record) claimed += claim.replica >= 0 ? 1 : 0;
  const double observed = static_cast<double>(claimed) / static_cast<double>(result.of_record.size());
  ForecastInput input = lengths;
  input.rate_rps = world.rate_rps;
  input.finishes_per_window = world.rate_rps * world.scrape_interval_ms / 1000 / 3;
  input.least_gap = core::from_ms(world.scrape_interval_ms);
  const double predicted = forecast_coverage(input).coverage_ratio;
  std::printf("[ simulated ] %g req/s, every %g ms: predicted %.3f, observed %.3f\n", world.rate_rps, world.scrape_interval_ms, predicted, observed);
  EXPECT_NEAR(predicted, observed, within) << world.rate_rps << " " << world.scrape_interval_ms;
}

TEST(AttributionTargets, ForecastForeseesWhereTooManyResponsesStraddleScrapes) {
  for (const double rate : {200.0, 300.0, 400.0, 500.0}) {
    GatewayWorld world;
    world.rate_rps = rate;
    world.scrape_interval_ms = 20;
    world.extra_prompt_tokens = {0, 1, 4, 9, 15, 22, 32, 34};
    agree(world, input_of(12.6, 0.125), 0.12);
    world.extra_prompt_tokens.clear();
    world.max_tokens_classes = world.random_prompt_tokens = true;
    agree(world, input_of(37, 0.001, 8, 4000), 0.12);
  }
}

TEST(AttributionTargets, ForecastForeseesSimulatedRunsWithinTenPoints) {
  for (const auto& [rate, interval] : {std::pair{25.0, 50.0}, {25.0, 100.0}, {25.0, 250.0}, {25.0, 500.0}, {100.0, 50.0}, {100.0, 100.0}, {300.0, 50.0}}) {
    GatewayWorld world;
    world.rate_rps = rate;
    world.scrape_interval_ms = interval;
    agree(world, input_of(0, 1), 0.10);
  }
  for (const auto& [rate, interval] : {std::pair{25.0, 100.0}, {25.0, 250.0}, {100.0, 50.0}, {100.0, 100.0}, {100.0, 250.0}}) {
    GatewayWorld world;
    world.rate_rps = rate;
    world.scrape_interval_ms = interval;
    world.extra_prompt_tokens = {0, 1, 4, 9, 15, 22, 32, 34};
    agree(world, input_of(12.6, 0.125), 0.10);
  }
}

}  // namespace
