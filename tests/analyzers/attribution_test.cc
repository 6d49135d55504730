#include "analyzers/attribution.h"

#include <gtest/gtest.h>

#include <set>

#include "analyzers/analyze.h"
#include "tests/analyzers/simulated_counters.h"

namespace {

using namespace analyzers;
using namespace analyzers_test;

struct Score {
  std::size_t claimed = 0, wrong = 0, of = 0;
  [[nodiscard]] double coverage() const { return static_cast<double>(claimed) / static_cast<double>(of); }
};

Score score(const CounterRun& world, const std::vector<Attribution>& claims) {
  Score s;
  s.of = claims.size();
  for (std::size_t i = 0; i < claims.size(); ++i) {
    if (claims[i].replica < 0) continue;
    ++s.claimed;
    s.wrong += claims[i].replica == world.truth[i] ? 0 : 1;
  }
  return s;
}

Score run_world(const CounterWorld& world, const char* what) {
  const auto made = make_counter_run(world);
  const auto s = score(made, attribute(made.run));
  std::printf("[ coverage ] %s seed %llu: %.2f %% of %zu, %zu wrong\n", what, static_cast<unsigned long long>(world.seed),
              100 * s.coverage(), s.of, s.wrong);
  return s;
}

TEST(Attribution, CycledLengthsAt30RequestsPerSecond) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CounterWorld world;
    world.seed = seed;
    const auto s = run_world(world, "30/s");
    EXPECT_GE(s.coverage(), 0.9);
    EXPECT_EQ(s.wrong, 0u);
  }
}

TEST(Attribution, CycledLengthsAt80RequestsPerSecond) {
  for (const std::uint64_t seed : {4, 5, 6}) {
    CounterWorld world;
    world.seed = seed;
    world.rate_rps = 80;
    world.requests = 4000;
    const auto s = run_world(world, "80/s");
    EXPECT_GE(s.coverage(), 0.6);
    EXPECT_EQ(s.wrong, 0u);
  }
}

TEST(Attribution, EqualLengthsAreMostlyAmbiguousYetNeverWrong) {
  CounterWorld world;
  world.rate_rps = 80;
  world.extra_tokens = {0};
  const auto s = run_world(world, "80/s fixed");
  EXPECT_EQ(s.wrong, 0u);
  EXPECT_LT(s.coverage(), 0.9);
  EXPECT_GT(s.claimed, 0u);
}

TEST(Attribution, ForeignTrafficMissedScrapesHoldsAndARestartMakeNothingWrong) {
  struct Case {
    const char* name;
    double foreign, missed, held;
    int restart;
    double least;
  };
  for (const Case& c : {Case{"foreign 5 %", 0.05, 0, 0, -1, 0.3}, Case{"foreign 20 %", 0.2, 0, 0, -1, 0.1}, Case{"missed 5 %", 0, 0.05, 0, -1, 0.5},
                        Case{"missed 20 %", 0, 0.2, 0, -1, 0.2}, Case{"held 1 % by 30 ms", 0, 0, 0.01, -1, 0.0},
                        Case{"restart", 0, 0, 0, 1, 0.5}, Case{"all", 0.02, 0.01, 0.005, 2, 0.0}}) {
    for (const double rate : {30.0, 80.0}) {
      CounterWorld world;
      world.seed = 17;
      world.rate_rps = rate;
      world.requests = 3000;
      world.foreign_share = c.foreign;
      world.missed_scrapes = c.missed;
      world.held_share = c.held;
      world.restart_replica = c.restart;
      const auto s = run_world(world, c.name);
      EXPECT_EQ(s.wrong, 0u) << c.name << " at " << rate;
      EXPECT_GE(s.coverage(), c.least) << c.name << " at " << rate;
    }
  }
}

// A gateway that sits on some responses for longer than any default bracket: brackets widen, claims stay right.
TEST(Attribution, LongHoldsWidenTheBracketsInsteadOfMovingClaims) {
  for (const bool fixed : {false, true}) {
    CounterWorld world;
    world.seed = 103;
    world.rate_rps = 30;
    world.held_share = 0.02;
    world.held_ms = 60;
    if (fixed) world.extra_tokens = {0};
    const auto s = run_world(world, fixed ? "held 60 ms, fixed" : "held 60 ms");
    EXPECT_GT(s.claimed, 500u);
    // Without a watermark and without latency sums a swap over a scrape may look like two punctual responses.
    if (fixed) EXPECT_LE(static_cast<double>(s.wrong), 0.001 * static_cast<double>(s.claimed));
    else EXPECT_EQ(s.wrong, 0u);
  }
}

// The local stack's simulated network: every response arrives 100 ms after its replica counted it.
TEST(Attribution, AKnownNetworkDelayIsTakenOut) {
  CounterWorld world;
  world.rate_rps = 60;
  auto made = make_counter_run(world);
  const auto late = core::from_ms(100);
  for (auto& r : made.run.records) r.done += late;
  made.run.manifest.network_delay = 2 * late;
  // Scrapes follow the ends that the client sees, so they come later too; counters of then are those of 100 ms before.
  for (auto& s : made.run.scrapes) {
    s.sent += s.round == 0 ? core::Duration{0} : core::from_ms(1);
    s.answered += s.round == 0 ? core::Duration{0} : core::from_ms(1);
  }
  made.run.scrapes.push_back(made.run.scrapes.back());
  for (std::uint16_t r = 0; r < 3; ++r) {
    bench::ReplicaScrape last;
    for (const auto& s : made.run.scrapes) if (s.replica == r) last = s;
    last.round = 1'000'000;
    last.sent = made.run.records.back().done + core::from_ms(5);
    last.answered = last.sent + core::from_ms(1);
    made.run.scrapes.push_back(last);
  }
  const auto s = score(made, attribute(made.run));
  EXPECT_EQ(s.wrong, 0u);
  EXPECT_GT(s.coverage(), 0.9);
}

}  // namespace
