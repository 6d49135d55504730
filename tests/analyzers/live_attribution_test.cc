// Attribution while a run goes on, fed in batches of a second of simulated gateways: what it says of the past must be true,
// a fault of the list must be said early, and what it keeps must not grow.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "analyzers/live_attribution.h"
#include "tests/support/simulated_gateway.h"

namespace {

using namespace analyzers;
using namespace std::chrono_literals;
using core::Duration;
using tests_support::GatewayRun;
using tests_support::GatewayWorld;

constexpr Duration kNow = 1s;

/// The run as the recorder would hand it over: what ended up to each full second. `stop_at`: none later.
LiveShares play(const GatewayRun& made, Duration stop_at = Duration::max(), Duration every = kNow) {
  LiveAttribution live(made.run.manifest.replicas, made.run.manifest.network_delay);
  auto records = made.run.records;
  std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.done < b.done; });
  auto scrapes = made.run.scrapes;
  std::stable_sort(scrapes.begin(), scrapes.end(), [](const auto& a, const auto& b) { return a.answered < b.answered; });
  std::size_t record = 0, scrape = 0;
  for (Duration until = every; (record < records.size() || scrape < scrapes.size()) && until <= stop_at; until += every) {
    std::vector<bench::RequestRecord> ended;
    std::vector<bench::ReplicaScrape> answered;
    while (record < records.size() && (records[record].done < until || records[record].done == core::kNever)) ended.push_back(records[record++]);
    while (scrape < scrapes.size() && scrapes[scrape].answered < until) answered.push_back(scrapes[scrape++]);
    live.add(ended, answered);
    live.decide();
    EXPECT_LE(live.shares().attributed, live.shares().decided);
  }
  return live.shares();
}

std::vector<std::size_t> truth_until(const GatewayRun& made, Duration until) {
  std::vector<std::size_t> out(made.run.manifest.replicas.size(), 0);
  for (std::size_t i = 0; i < made.truth.size(); ++i) {
    const auto& r = made.run.records[i];
    if (succeeded(r) && r.done < until && made.truth[i] >= 0) ++out[static_cast<std::size_t>(made.truth[i])];
  }
  return out;
}

GatewayWorld watermarked() {
  GatewayWorld world;
  world.requests = 4000;
  world.max_tokens_classes = true;
  return world;
}

TEST(LiveAttribution, SharesAreTheTruthUpToTheInstantThatTheyNameAtEachSecond) {
  const auto made = tests_support::simulate_gateway(watermarked());
  for (const Duration at : {3s, 10s, 40s, 120s}) {
    const LiveShares shares = play(made, at);
    EXPECT_EQ(shares.attributed, shares.decided) << core::to_seconds(at);
    EXPECT_EQ(shares.of_replica, truth_until(made, shares.as_of)) << core::to_seconds(at);
    EXPECT_EQ(shares.contradiction, "");
    // Two rounds of 100 ms and the hold of 60 ms, each round's answers included.
    EXPECT_GE(shares.as_of, at - 500ms);
    EXPECT_LT(shares.as_of, at - 200ms);
  }
}

TEST(LiveAttribution, EqualLengthsAreDecidedAsFarAsFinishesAloneAllow) {
  GatewayWorld world;
  world.requests = 6000;
  const auto made = tests_support::simulate_gateway(world);
  const LiveShares shares = play(made);
  std::printf("[ simulated ] live, equal lengths: %.2f %% of %zu attributed\n",
              100 * static_cast<double>(shares.attributed) / static_cast<double>(shares.decided), shares.decided);
  auto whole = attribution_problem(made.run, facts_of(made.run));
  calibrate(whole.finish, LayerLimits{});
  const auto afterwards = solve_layer(whole.finish);
  std::size_t certain = 0;
  for (std::size_t i = 0; i < whole.finish.candidates.size(); ++i) {
    for (std::size_t r = 0; r < whole.replicas; ++r) certain += afterwards.blocked[i] == 0 && afterwards.at(i, r) >= 0.99f ? 1 : 0;
  }
  EXPECT_GE(static_cast<double>(shares.attributed), 0.95 * static_cast<double>(certain));
  EXPECT_GE(shares.decided, 5900U);
  EXPECT_EQ(shares.contradiction, "");
}

TEST(LiveAttribution, EveryImpairmentAtOnceIsNoContradiction) {
  GatewayWorld world = watermarked();
  world.scrape_jitter_ms = 5;
  world.rtt_base_ms = 3;
  world.rtt_mean_ms = 2;
  world.skew_mean_ms = 1;
  world.missed_share = 0.01;
  world.foreign_share = 0.02;
  world.held_share = 0.005;
  const auto made = tests_support::simulate_gateway(world);
  const LiveShares shares = play(made);
  EXPECT_EQ(shares.contradiction, "");
  EXPECT_GE(static_cast<double>(shares.attributed), 0.97 * static_cast<double>(shares.decided));
  const auto truth = truth_until(made, shares.as_of);
  for (std::size_t r = 0; r < truth.size(); ++r) EXPECT_LE(shares.of_replica[r], truth[r]) << r;
}

TEST(LiveAttribution, AReplicaMissingFromTheListIsSaidWithinSeconds) {
  GatewayWorld world = watermarked();
  world.hidden_replica = 1;
  const LiveShares shares = play(tests_support::simulate_gateway(world), 10s);
  EXPECT_NE(shares.contradiction.find("missing from the list"), std::string::npos) << shares.contradiction;
}

TEST(LiveAttribution, CountersOfAnotherServerAreAContradiction) {
  GatewayWorld world = watermarked();
  world.wrong_replica = 2;
  const LiveShares shares = play(tests_support::simulate_gateway(world), 30s);
  EXPECT_NE(shares.contradiction, "");
}

TEST(LiveAttribution, ARestartStopsNothing) {
  GatewayWorld world = watermarked();
  world.restart_replica = 0;
  const auto made = tests_support::simulate_gateway(world);
  const LiveShares shares = play(made);
  EXPECT_GE(shares.decided + shares.undecided, 3900U);
  EXPECT_LE(shares.undecided, 60U);
  EXPECT_GE(static_cast<double>(shares.attributed), 0.9 * static_cast<double>(shares.decided));
}

TEST(LiveAttribution, BatchesOfAnyLengthDecideTheSame) {
  const auto made = tests_support::simulate_gateway(watermarked());
  const LiveShares seconds = play(made, 100s), minutes = play(made, 100s, 20s);
  EXPECT_EQ(seconds.of_replica, minutes.of_replica);
  EXPECT_EQ(seconds.as_of, minutes.as_of);
}

TEST(LiveAttribution, WhatLagsTooFarBehindIsPassedOverNotGuessed) {
  GatewayWorld world = watermarked();
  world.requests = LiveAttribution::kMostUndecided + 5000;
  world.rate_rps = 100;
  const auto made = tests_support::simulate_gateway(world);
  const LiveShares shares = play(made, Duration::max(), 600s);
  EXPECT_GT(shares.passed_over, LiveAttribution::kMostUndecided);
  EXPECT_EQ(shares.attributed, 0U);
  EXPECT_EQ(shares.decided + shares.undecided, made.run.records.size());
}

TEST(LiveAttribution, WithoutReplicasOrScrapesNothingIsDecided) {
  const auto made = tests_support::simulate_gateway(watermarked());
  LiveAttribution none({}, Duration{0});
  none.add(made.run.records, made.run.scrapes);
  none.decide();
  EXPECT_EQ(none.shares().attributed, 0U);
  LiveAttribution blind(made.run.manifest.replicas, Duration{0});
  blind.decide();
  blind.add(made.run.records, {});
  blind.decide();
  EXPECT_EQ(blind.shares().attributed, 0U);
  EXPECT_EQ(blind.shares().contradiction, "");
}

TEST(LiveAttribution, AResponseThatComesLateIsCountedAndNotDecided) {
  const auto made = tests_support::simulate_gateway(watermarked());
  LiveAttribution live(made.run.manifest.replicas, Duration{0});
  auto records = made.run.records;
  const auto late = records.front();
  records.erase(records.begin());
  live.add(records, made.run.scrapes);
  live.decide();
  live.add({late}, {});
  EXPECT_EQ(live.shares().passed_over, 1U);
  EXPECT_EQ(live.shares().decided + live.shares().undecided, made.run.records.size());
}

}  // namespace
