#include "analyzers/attribution.h"

#include <gtest/gtest.h>

#include <set>

#include "analyzers/analyze.h"
#include "analyzers/attribution_round.h"
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

}  // namespace
