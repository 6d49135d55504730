// The account of probes: a missing replica, one process under two names, several behind one URL, what is not ours, and
// the calibration figures.
#include "analyzers/probe_ledger.h"

#include <gtest/gtest.h>

#include "tests/analyzers/probe_world.h"

namespace {

using namespace analyzers;
using analyzers_test::ProbeWorld;
using analyzers_test::ProbeWorldOptions;
using analyzers_test::run_probes;

TEST(ProbeLedger, AGoodListIsNotAccused) {
  for (const double rate : {0.0, 2.0, 20.0}) {
    ProbeWorldOptions options;
    options.foreign_rps = rate;
    ProbeWorld world(options);
    ProbeLedger ledger(world.names());
    const auto series = run_probes(world, 60, &ledger);
    EXPECT_TRUE(ledger.same_process().empty());
    EXPECT_EQ(ledger.with(ProbeVerdict::kUncounted), 0u);
    EXPECT_EQ(ledger.with(ProbeVerdict::kExact), series.exact);
    EXPECT_EQ(ledger.attempts(), series.attempts);
    EXPECT_FALSE(ledger.list_is_wrong());
    std::int64_t ours = 0;
    for (const auto& replica : ledger.replicas()) {
      EXPECT_FALSE(replica.several_processes);
      EXPECT_EQ(replica.resets, 0u);
      if (rate == 0) {
        EXPECT_EQ(replica.foreign_least, 0);
      }
      if (rate == 20) {
        EXPECT_GT(replica.foreign_least, 0);
      }
      EXPECT_EQ(replica.block_size_tokens, 16u);
      ours += replica.ours;
    }
    EXPECT_EQ(ours, static_cast<std::int64_t>(series.exact));
  }
}

TEST(ProbeLedger, ReplicasThatHaveNotMovedYetAreNotTheSame) {
  ProbeWorld world({});
  for (std::size_t r = 0; r < 3; ++r) world.replica(r) = world.replica(0);  // equal pages, equal start times
  ProbeLedger ledger(3);
  for (int i = 0; i < 10; ++i) ledger.round(world.scrape());
  EXPECT_TRUE(ledger.same_process().empty());
  run_probes(world, 10, &ledger);
  EXPECT_TRUE(ledger.same_process().empty());
}

TEST(ProbeLedger, OneProcessUnderTwoNamesIsFoundUnderTrafficToo) {
  for (const double rate : {0.0, 5.0}) {
    ProbeWorldOptions options;
    options.listed = {{0}, {1}, {0}};
    options.foreign_rps = rate;
    ProbeWorld world(options);
    ProbeLedger ledger(3);
    const auto series = run_probes(world, 30, &ledger, {}, -1, 2);
    const std::vector<std::pair<std::size_t, std::size_t>> expected{{0, 2}};
    EXPECT_EQ(ledger.same_process(), expected);
    EXPECT_TRUE(ledger.list_is_wrong());
    EXPECT_EQ(series.wrong, 0u);
    EXPECT_EQ(ledger.replicas()[0].ours, 0);
  }
}

TEST(ProbeLedger, SeveralProcessesBehindOneUrlAreNoRestarts) {
  ProbeWorldOptions options;
  options.listed = {{0}, {1, 2}};
  ProbeWorld world(options);
  ProbeLedger ledger(2);
  run_probes(world, 5, &ledger);
  EXPECT_FALSE(ledger.replicas()[0].several_processes);
  EXPECT_TRUE(ledger.replicas()[1].several_processes);
  EXPECT_TRUE(ledger.list_is_wrong());

  ProbeWorldOptions restarting;
  restarting.reset = 0.2;
  ProbeWorld other(restarting);
  ProbeLedger restarts(3);
  run_probes(other, 20, &restarts);
  for (const auto& replica : restarts.replicas()) {
    EXPECT_FALSE(replica.several_processes);
    EXPECT_GT(replica.resets, 0u);
  }
  EXPECT_FALSE(restarts.list_is_wrong());
}

TEST(ProbeLedger, AMissingReplicaIsFoundWithForeignTrafficToo) {
  for (const double rate : {0.0, 1.0}) {
    ProbeWorldOptions options;
    options.listed = {{0}, {1}};
    options.foreign_rps = rate;
    ProbeWorld world(options);
    ProbeLedger ledger(2);
    run_probes(world, 30, &ledger, {}, -1, 3);
    EXPECT_GT(ledger.with(ProbeVerdict::kUncounted), 10u) << rate;
    EXPECT_TRUE(ledger.list_is_wrong());
  }
}

TEST(ProbeLedger, WhatIsNotOursIsCountedFromBelow) {
  ProbeWorld world({});
  ProbeLedger ledger(3);
  run_probes(world, 5, &ledger, {}, 0);
  ledger.round(world.scrape());
  for (int i = 0; i < 4; ++i) world.serve(1, 300, 9, 50);
  ledger.round(world.scrape());
  const auto replicas = ledger.replicas();
  EXPECT_EQ(replicas[0].ours, 5);
  EXPECT_EQ(replicas[0].foreign_least, 0);
  EXPECT_EQ(replicas[1].counted, 4);
  EXPECT_EQ(replicas[1].foreign_least, 4);
}

TEST(ProbeLedger, CalibrationIsClientLessServerAndBodySizes) {
  ProbeWorld world({});
  ProbeLedger ledger(3);
  run_probes(world, 20, &ledger);
  ledger.round(world.scrape());
  EXPECT_EQ(ledger.calibration().n, 20u);
  EXPECT_NEAR(*ledger.calibration().mean_ms, 1.0, 1e-6);  // the world's network takes one
  EXPECT_NEAR(*ledger.calibration().stddev_ms, 0.0, 1e-3);
  EXPECT_EQ(ledger.calibration().sizes_compared, 20u);
  EXPECT_EQ(ledger.calibration().sizes_equal, 20u);

  ProbeLedger rewritten(3);
  const auto before = world.scrape();
  const auto probe = world.serve(0, 80, 1, 1);
  const auto after = world.scrape();
  rewritten.round(before);
  rewritten.round(after);
  rewritten.attempt({ProbeVerdict::kExact, 0, 1, false}, probe, view(before), view(after), ProbeWorld::kBody + 9);
  rewritten.round(world.scrape());
  EXPECT_EQ(rewritten.calibration().sizes_compared, 1u);
  EXPECT_EQ(rewritten.calibration().sizes_equal, 0u);
}

}  // namespace
