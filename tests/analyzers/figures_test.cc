// Windows, latencies, throughput, cost: figures worked out by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "analyzers/cost.h"
#include "analyzers/analyze.h"
#include "analyzers/latency.h"
#include "analyzers/statistics.h"
#include "analyzers/throughput.h"
#include "analyzers/window.h"
#include "tests/analyzers/made_runs.h"

namespace {

using namespace analyzers;
using namespace analyzers_test;

bench::RequestRecord sample_record() {
  auto r = plain_record(0, 1000, 40, 140, 100, 11);
  r.due = core::from_ms(990);
  return r;
}

TEST(Latency, DefinitionsByHand) {
  const auto r = sample_record();
  EXPECT_DOUBLE_EQ(*ttft_ms(r), 50);
  EXPECT_DOUBLE_EQ(*ttft_from_send_ms(r), 40);
  EXPECT_DOUBLE_EQ(*tpot_ms(r), 10);
  EXPECT_DOUBLE_EQ(*e2e_ms(r), 150);
  auto one = r;
  one.output_tokens = 1;
  EXPECT_FALSE(tpot_ms(one).has_value());
  one.first_token = core::kNever;
  EXPECT_FALSE(ttft_ms(one).has_value());
}

TEST(Latency, AChunkOfThreeTokensIsThreeGapsOfAThird) {
  bench::Run run;
  auto r = sample_record();
  r.token_events_begin = 0;
  r.token_events_count = 3;
  run.records.push_back(r);
  run.token_events = {{core::from_ms(1040), 1, true}, {core::from_ms(1070), 3, true}, {core::from_ms(1080), 1, true}};
  RunFacts facts;
  // Usage says 11 tokens, the chunks hold 5 as far as is known: nothing is claimed of gaps between tokens.
  const auto unknown = collect_latencies(run, facts, {0, 10, ""});
  EXPECT_TRUE(unknown[3].ms.empty());
  EXPECT_NE(unknown[3].reason.find("add up"), std::string::npos);
  EXPECT_EQ(unknown[4].ms, (std::vector<double>{30, 10}));
  run.records[0].output_tokens = 5;
  const auto samples = collect_latencies(run, facts, {0, 10, ""});
  EXPECT_EQ(samples[3].ms, (std::vector<double>{10, 10, 10, 10}));
  EXPECT_EQ(samples[4].ms, (std::vector<double>{30, 10}));
  EXPECT_NEAR(samples[6].ms.at(0), 150.0 / 5, 1e-9);
}

TEST(Latency, UnstreamedResponsesHaveNoTtftAndNoTpot) {
  bench::Run run;
  run.records.push_back(sample_record());
  RunFacts facts;
  facts.streamed = false;
  const auto samples = collect_latencies(run, facts, {0, 10, ""});
  EXPECT_TRUE(samples[0].ms.empty());
  EXPECT_TRUE(samples[2].ms.empty());
  EXPECT_NE(samples[0].reason.find("not streamed"), std::string::npos);
  EXPECT_EQ(samples[5].ms.size(), 1u);
}

TEST(Latency, QuantilesAppearOnlyWhenNSuffices) {
  LatencySamples samples{"ttft_ms", {}, {}};
  for (int i = 100; i >= 1; --i) samples.ms.push_back(i);
  const auto d = describe(samples, "within this run");
  EXPECT_EQ(*d.quantiles[0].estimate.value, 50);
  EXPECT_EQ(*d.quantiles[1].estimate.value, 90);
  EXPECT_EQ(*d.quantiles[2].estimate.value, 95);
  EXPECT_FALSE(d.quantiles[3].estimate.value.has_value());
  EXPECT_EQ(d.quantiles[3].estimate.reason, "needs 368 samples, has 100");
  EXPECT_NE(d.quantiles[0].estimate.method.find("within this run"), std::string::npos);
  EXPECT_EQ(*d.quantiles[0].estimate.low, 40);   // Binomial(100, 1/2): ranks 40 and 61
  EXPECT_EQ(*d.quantiles[0].estimate.high, 61);
  EXPECT_LE(d.survival.size(), 240u);
  EXPECT_DOUBLE_EQ(d.survival.front().first, 1);
  EXPECT_DOUBLE_EQ(d.survival.back().first, 100);
  EXPECT_DOUBLE_EQ(d.survival.back().second, 0);
  for (std::size_t i = 1; i < d.survival.size(); ++i) EXPECT_LT(d.survival[i].second, d.survival[i - 1].second);
  EXPECT_EQ(describe({"x", {}, "why"}, "").quantiles[0].estimate.reason, "why");
}

TEST(Window, ClosedLoopKeepsTheStretchAtFullConcurrency) {
  LoopWorld w;
  auto run = make_loop_run(w);
  // Slot 3 starts 30 us late; the first end of the last lap is at 4.000 s.
  const auto facts = facts_of(run);
  const auto window = measured_window(run, facts);
  EXPECT_EQ(window.start_s, 0.0);  // untrimmed: the opening requests, due at 0, belong to it
  EXPECT_NEAR(window.end_s, 4.0, 1e-6);
  EXPECT_NE(window.method.find("0.95"), std::string::npos);
  const auto counts = count_requests(run, facts, window);
  EXPECT_EQ(counts.succeeded, 160u);
  const auto rows = throughput_rows(run, window, counts);
  EXPECT_NEAR(*find_row(rows, "requests_per_s")->estimate.value, 40.0, 0.8);
  EXPECT_NEAR(*find_row(rows, "output_tokens_per_s")->estimate.value, 440.0, 9);
  EXPECT_NEAR(*find_row(rows, "in_flight_mean")->estimate.value, 4.0, 0.01);
  EXPECT_EQ(*find_row(rows, "failed_ratio")->estimate.value, 0.0);
  EXPECT_FALSE(find_row(rows, "goodput_requests_per_s")->estimate.value.has_value());
  EXPECT_LT(*littles_law_gap(run, window).value, 0.03);
}

TEST(Window, NeverReachingTheConcurrencyIsSaid) {
  LoopWorld w;
  auto run = make_loop_run(w);
  auto scenario = closed_scenario(50);
  run.manifest.scenario_json = scenarios::to_json(scenario);
  const auto window = measured_window(run, facts_of(run));
  EXPECT_NE(window.method.find("never reached"), std::string::npos);
}

TEST(Window, OpenLoopStartsAfterItsTrimAndEndsWithItsSchedule) {
  bench::Run run;
  auto scenario = closed_scenario(1);
  scenario.load.model = scenarios::LoadModel::kOpenConstant;
  scenario.load.rate_rps = 10;
  scenario.trim_start = core::from_seconds(1);
  scenario.stop.requests = 50;
  scenario.slo.ttft_ms = 60;
  run.manifest.scenario_json = scenarios::to_json(scenario);
  for (std::uint32_t i = 0; i < 50; ++i) {
    run.records.push_back(plain_record(i, 100.0 * i, i % 5 == 0 ? 80 : 40, 140, 100, 11));
    run.records.back().intended = run.records.back().due;
  }
  const auto facts = facts_of(run);
  ASSERT_TRUE(facts.scenario.has_value());
  const auto window = measured_window(run, facts);
  EXPECT_DOUBLE_EQ(window.start_s, 1.0);
  EXPECT_NEAR(window.end_s, 5.0, 1e-9);
  const auto counts = count_requests(run, facts, window);
  const auto rows = throughput_rows(run, window, counts);
  EXPECT_NEAR(*find_row(rows, "requests_per_s")->estimate.value, 10.0, 1e-6);
  EXPECT_NEAR(*find_row(rows, "goodput_requests_per_s")->estimate.value, 8.0, 1e-6);
  EXPECT_NEAR(*find_row(rows, "slo_attainment_ratio")->estimate.value, 0.8, 1e-9);
}

TEST(Throughput, AnOverloadedOpenLoopShowsWhatWasServedNotWhatWasOffered) {
  bench::Run run;
  auto scenario = closed_scenario(1);
  scenario.load.model = scenarios::LoadModel::kOpenConstant;
  scenario.load.rate_rps = 20;
  scenario.trim_start = core::Duration{0};
  scenario.stop.requests = 200;
  run.manifest.scenario_json = scenarios::to_json(scenario);
  // Offered 20 a second for 10 s; the server ends 10 a second and works the rest off afterwards.
  for (std::uint32_t i = 0; i < 200; ++i) {
    const double due = 50.0 * i;
    run.records.push_back(plain_record(i, due, 100.0 * (i + 1) - due - 50, 100.0 * (i + 1) - due, 100, 11));
    run.records.back().intended = run.records.back().due;
  }
  const auto facts = facts_of(run);
  const auto window = measured_window(run, facts);
  EXPECT_NEAR(window.end_s, 10.0, 1e-9);
  const auto rows = throughput_rows(run, window, count_requests(run, facts, window));
  EXPECT_NEAR(*find_row(rows, "requests_per_s")->estimate.value, 10.0, 0.2);
  EXPECT_NEAR(*find_row(rows, "output_tokens_per_s")->estimate.value, 110.0, 2.2);
  const auto validity = judge_validity(run);
  EXPECT_TRUE(std::any_of(validity.notes.begin(), validity.notes.end(), [](const std::string& note) { return note.find("fell behind") != std::string::npos; }));
}

TEST(Validity, ARunThatSentNothingAndScrapedNothingIsJudgedAllTheSame) {
  bench::Run run;
  run.manifest.scenario_json = scenarios::to_json(closed_scenario(4));
  run.manifest.replicas.resize(2);
  run.manifest.status = bench::RunStatus::kAborted;
  EXPECT_FALSE(scrapes_bracket_run(run, facts_of(run)));
  EXPECT_EQ(judge_validity(run).verdict, Verdict::kInvalid);
}

TEST(Throughput, MissingUsageIsNeverCountedAsZeroTokens) {
  auto run = make_loop_run({});
  run.records[50].output_tokens = bench::kUnknownCount;
  const auto facts = facts_of(run);
  const auto window = measured_window(run, facts);
  const auto rows = throughput_rows(run, window, count_requests(run, facts, window));
  EXPECT_FALSE(find_row(rows, "output_tokens_per_s")->estimate.value.has_value());
  EXPECT_NE(find_row(rows, "output_tokens_per_s")->estimate.reason.find("usage"), std::string::npos);
  EXPECT_TRUE(find_row(rows, "input_tokens_per_s")->estimate.value.has_value());
}

// The seeds' own arithmetic: $5.50/h at 7.5 req/s = $203.70, $15.74/h at 21 req/s = $208.20 per 1M requests.
TEST(Cost, SeedFiguresAreReproduced) {
  std::vector<MetricRow> summary{row("requests_per_s", measured(7.5, "x", 1)), row("output_tokens_per_s", unmeasured("no usage"))};
  auto rows = cost_rows(5.5, summary);
  EXPECT_NEAR(*find_row(rows, "usd_per_1m_requests")->estimate.value, 203.70, 0.005);
  EXPECT_EQ(find_row(rows, "usd_per_1m_output_tokens")->estimate.reason, "no usage");
  summary[0] = row("requests_per_s", measured(21, "x", 1));
  EXPECT_NEAR(*find_row(cost_rows(15.74, summary), "usd_per_1m_requests")->estimate.value, 208.20, 0.005);
  EXPECT_FALSE(find_row(cost_rows({}, summary), "usd_per_hour")->estimate.value.has_value());
}

}  // namespace
