// What attribution from counters must reach on simulated gateways: coverage and correctness with every impairment, never a
// claim without counters, and confidences that are true. The tests print what they measured; all of it is simulated.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "analyzers/attribution.h"
#include "tests/support/simulated_gateway.h"

namespace {

using namespace analyzers;
using tests_support::GatewayWorld;

const std::vector<std::uint32_t> kGolomb8{0, 1, 4, 9, 15, 22, 32, 34};
const std::vector<std::uint32_t> kGolomb14{0, 4, 6, 20, 35, 52, 59, 77, 78, 86, 89, 99, 122, 127};

struct Score {
  std::size_t responses = 0, claimed = 0, wrong = 0, likeliest_wrong = 0;
  double expected_wrong = 0, expected_likeliest_wrong = 0, variance = 0;
  std::string refusal, note;
  [[nodiscard]] double coverage() const { return static_cast<double>(claimed) / static_cast<double>(responses); }
  [[nodiscard]] double right() const { return claimed == 0 ? 0 : 1 - static_cast<double>(wrong) / static_cast<double>(claimed); }
};

void add_world(const GatewayWorld& world, Score& s) {
  const auto made = tests_support::simulate_gateway(world);
  const auto result = attribute_run(made.run, facts_of(made.run));
  s.refusal = result.refusal;
  s.note = result.note;
  for (std::size_t i = 0; i < made.truth.size(); ++i) {
    const Attribution& a = result.of_record[i];
    ++s.responses;
    if (!a.candidates.empty()) {
      const double p = static_cast<double>(a.candidates.front().p);
      s.expected_likeliest_wrong += 1 - p;
      s.variance += p * (1 - p);
      s.likeliest_wrong += a.candidates.front().replica == made.truth[i] ? 0 : 1;
    }
    if (a.replica < 0) continue;
    ++s.claimed;
    s.expected_wrong += 1 - static_cast<double>(a.confidence);
    s.wrong += a.replica == made.truth[i] ? 0 : 1;
  }
}

Score run_worlds(GatewayWorld world, std::initializer_list<std::uint64_t> seeds, const char* what) {
  Score s;
  for (const std::uint64_t seed : seeds) {
    world.seed = seed;
    add_world(world, s);
  }
  std::printf("[ simulated ] %s: %.2f %% of %zu attributed, %zu wrong, %.2f expected\n", what, 100 * s.coverage(), s.responses, s.wrong,
              s.expected_wrong);
  return s;
}

GatewayWorld impaired(GatewayWorld world) {
  world.scrape_jitter_ms = 5;
  world.rtt_base_ms = 3;
  world.rtt_mean_ms = 2;
  world.skew_mean_ms = 1;
  world.missed_share = 0.01;
  world.foreign_share = 0.02;
  world.held_share = 0.005;
  return world;
}

GatewayWorld fixed_lengths() { return {}; }

GatewayWorld golomb() {
  GatewayWorld w;
  w.extra_prompt_tokens = kGolomb8;
  return w;
}

GatewayWorld classes() {
  GatewayWorld w;
  w.max_tokens_classes = true;
  return w;
}

TEST(AttributionTargets, WatermarkedWithEveryImpairmentAtOnce) {
  const auto s = run_worlds(impaired(golomb()), {1, 2, 3}, "25/s, 100 ms, watermark, impaired");
  EXPECT_EQ(s.responses, 30000u);
  EXPECT_GE(s.coverage(), 0.999);
  EXPECT_EQ(s.wrong, 0u);
}

TEST(AttributionTargets, NoWatermarkWithEveryImpairmentAtOnce) {
  GatewayWorld w = impaired(fixed_lengths());
  w.requests = 5000;  // six worlds: how far replicas' speeds differ decides much here
  const auto s = run_worlds(w, {1, 2, 3, 4, 5, 6}, "25/s, 100 ms, fixed, impaired");
  EXPECT_GE(s.coverage(), 0.94);
  EXPECT_GE(s.right(), 0.999);
}

TEST(AttributionTargets, EventDrivenScrapesNeedNoWatermark) {
  GatewayWorld w;
  w.event_driven = true;
  w.scrape_interval_ms = 20;
  w.requests = 5000;
  const auto s = run_worlds(w, {1, 2, 3, 4, 5, 6}, "25/s, event-driven, fixed");
  EXPECT_GE(s.coverage(), 0.995);
  EXPECT_EQ(s.wrong, 0u);
}

TEST(AttributionTargets, HundredPerSecond) {
  GatewayWorld w;
  w.rate_rps = 100;
  w.scrape_interval_ms = 50;
  w.extra_prompt_tokens = kGolomb14;
  EXPECT_GE(run_worlds(w, {1}, "100/s, 50 ms, watermark").coverage(), 0.999);
  w.requests = 4000;
  const auto s = run_worlds(impaired(w), {1}, "100/s, 50 ms, watermark, impaired");
  EXPECT_GE(s.coverage(), 0.99);
  EXPECT_GE(s.right(), 0.999);
}

// Two finishes per replica and scrape: nothing is decided without latencies, and their noise must be learned all the same.
TEST(AttributionTargets, NoiseIsLearnedWhereNothingIsDecidedWithoutIt) {
  GatewayWorld w;
  w.scrape_interval_ms = 250;
  w.requests = 3000;
  const auto s = run_worlds(w, {11}, "25/s, 250 ms, fixed");
  EXPECT_GE(s.coverage(), 0.8);
  EXPECT_GE(s.right(), 0.999);
}

TEST(AttributionTargets, ThreeHundredPerSecondWithClasses) {
  GatewayWorld w = classes();
  w.rate_rps = 300;
  w.scrape_interval_ms = 50;
  w.random_prompt_tokens = true;
  const auto s = run_worlds(w, {1}, "300/s, 50 ms, classes");
  EXPECT_GE(s.coverage(), 0.999);
  EXPECT_EQ(s.wrong, 0u);
  w.replicas = 16;
  w.scrape_interval_ms = 100;
  const auto wide = run_worlds(w, {1}, "300/s, 100 ms, 16 replicas, classes");
  EXPECT_GE(wide.coverage(), 0.999);
  EXPECT_EQ(wide.wrong, 0u);
}

struct Stress {
  const char* name;
  void (*impair)(GatewayWorld&);
  double least_fixed, least_golomb, least_classes;  ///< coverage
};

class AttributionStress : public testing::TestWithParam<Stress> {};

TEST_P(AttributionStress, ClaimsStayRight) {
  const Stress& stress = GetParam();
  const std::pair<GatewayWorld, double> worlds[] = {{fixed_lengths(), stress.least_fixed}, {golomb(), stress.least_golomb}, {classes(), stress.least_classes}};
  for (auto [world, least] : worlds) {
    world.requests = 3000;
    stress.impair(world);
    const auto s = run_worlds(world, {3, 5}, stress.name);
    EXPECT_GE(s.coverage(), least);
    EXPECT_GE(s.right(), 0.999);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, AttributionStress,
    testing::Values(Stress{"Jitter10", [](GatewayWorld& w) { w.scrape_jitter_ms = 10; }, 0.95, 0.999, 0.999},
                    Stress{"Jitter40", [](GatewayWorld& w) { w.scrape_jitter_ms = 40; }, 0.95, 0.999, 0.99},
                    Stress{"Skew2", [](GatewayWorld& w) { w.skew_mean_ms = 2; }, 0.9, 0.999, 0.999},
                    Stress{"SlowScrapes", [](GatewayWorld& w) { w.rtt_base_ms = 15; w.rtt_mean_ms = 5; }, 0.93, 0.999, 0.999},
                    Stress{"Missed1", [](GatewayWorld& w) { w.missed_share = 0.01; }, 0.95, 0.999, 0.999},
                    Stress{"Missed5", [](GatewayWorld& w) { w.missed_share = 0.05; }, 0.95, 0.999, 0.999},
                    Stress{"Missed20", [](GatewayWorld& w) { w.missed_share = 0.2; }, 0.94, 0.999, 0.999},
                    Stress{"Restart", [](GatewayWorld& w) { w.restart_replica = 1; }, 0.95, 0.999, 0.999},
                    Stress{"Foreign5", [](GatewayWorld& w) { w.foreign_share = 0.05; }, 0.94, 0.995, 0.99},
                    Stress{"Foreign20", [](GatewayWorld& w) { w.foreign_share = 0.2; }, 0.85, 0.95, 0.95},
                    Stress{"Affinity90", [](GatewayWorld& w) { w.affinity = 0.9; }, 0.99, 0.999, 0.999},
                    Stress{"Held1", [](GatewayWorld& w) { w.held_share = 0.01; }, 0.95, 0.999, 0.999},
                    Stress{"Held5", [](GatewayWorld& w) { w.held_share = 0.05; }, 0.94, 0.999, 0.995},
                    Stress{"Held5Beyond", [](GatewayWorld& w) { w.held_share = 0.05; w.held_high_ms = 90; }, 0.9, 0.99, 0.99},
                    Stress{"Torn1", [](GatewayWorld& w) { w.torn_share = 0.01; }, 0.95, 0.999, 0.999},
                    Stress{"Retried1", [](GatewayWorld& w) { w.retried_share = 0.01; }, 0.95, 0.999, 0.999},
                    Stress{"ApiServers", [](GatewayWorld& w) { w.process_metrics = false; }, 0.95, 0.999, 0.999},
                    Stress{"PrefillElsewhere", [](GatewayWorld& w) { w.prefill_elsewhere = true; }, 0.8, 0.995, 0.999}),
    [](const testing::TestParamInfo<Stress>& each) { return each.param.name; });

TEST(AttributionTargets, PrefillElsewhereIsNoticedAndNotUsed) {
  GatewayWorld w = golomb();
  w.requests = 2000;
  w.prefill_elsewhere = true;
  EXPECT_EQ(run_worlds(w, {2}, "prefill elsewhere").note.find("disaggregated") != std::string::npos, true);
}

TEST(AttributionTargets, NoClaimsWithoutTheRightCounters) {
  const std::pair<const char*, std::function<void(GatewayWorld&)>> cases[] = {
      {"missing from the list", [](GatewayWorld& w) { w.hidden_replica = 1; }},
      {"another server's", [](GatewayWorld& w) { w.wrong_replica = 1; }},
      {"listed twice", [](GatewayWorld& w) { w.doubled_replica = 1; w.foreign_share = 0.05; }},
  };
  for (const auto& [words, impair] : cases) {
    for (const bool watermark : {false, true}) {
      GatewayWorld w = watermark ? golomb() : fixed_lengths();
      w.requests = 1500;
      impair(w);
      for (const std::uint64_t seed : {1, 2, 3}) {
        const auto s = run_worlds(w, {seed}, words);
        EXPECT_EQ(s.claimed, 0u) << words;
        EXPECT_NE(s.refusal.find(words), std::string::npos) << s.refusal;
      }
    }
  }
}

// Expected wrong, from the stated probabilities alone, against what was wrong, over 50 runs with impairments that differ.
TEST(AttributionTargets, ConfidencesAreTrue) {
  Score all;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    GatewayWorld w = seed % 2 == 0 ? impaired(fixed_lengths()) : fixed_lengths();
    w.requests = 1500;
    w.seed = 1000 + seed;
    w.foreign_share = seed % 5 == 0 ? 0.05 : w.foreign_share;
    w.missed_share = seed % 7 == 0 ? 0.05 : w.missed_share;
    add_world(w, all);
  }
  std::printf("[ simulated ] 50 runs: %zu claims, %zu wrong, %.1f expected; likeliest of all: %zu wrong, %.1f expected\n", all.claimed, all.wrong,
              all.expected_wrong, all.likeliest_wrong, all.expected_likeliest_wrong);
  // Errors come in pairs (two responses swapped), so variances are doubled.
  EXPECT_NEAR(static_cast<double>(all.wrong), all.expected_wrong, 1.96 * std::sqrt(2 * all.expected_wrong) + 1);
  EXPECT_NEAR(static_cast<double>(all.likeliest_wrong), all.expected_likeliest_wrong, 1.96 * std::sqrt(2 * all.variance));
}

}  // namespace
