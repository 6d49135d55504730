// The live line in words, and the view fed by a run's callbacks on their thread.
#include "bench/cli/live_view.h"

#include <gtest/gtest.h>

#include <chrono>

namespace bench::cli {
namespace {

using namespace std::chrono_literals;

analyzers::LiveShares shares_of(std::vector<std::size_t> of_replica, std::size_t decided) {
  analyzers::LiveShares out;
  out.decided = decided;
  for (const auto n : of_replica) out.attributed += n;
  out.of_replica = std::move(of_replica);
  out.as_of = 9600ms;
  return out;
}

TEST(LiveView, SaysCoverageSharesAndHowFarBehindItIs) {
  EXPECT_EQ(describe_live(shares_of({50, 25, 24}, 100), {"a", "b", "c"}, 10s), "attributed 99.0 % of 100 · a 51 % · b 25 % · c 24 % · 0.4 s behind");
  EXPECT_EQ(describe_live(shares_of({9996, 3}, 10000), {"a", "b"}, 10s).substr(0, 25), "attributed 99.9 % of 1000");
  EXPECT_EQ(describe_live(shares_of({0, 0}, 7), {"a", "b"}, 10s), "attributed 0.0 % of 7 · 0.4 s behind");
  EXPECT_EQ(describe_live({}, {"a", "b"}, 10s), "");
}

TEST(LiveView, NamesOnlyTheExtremesOfManyReplicas) {
  EXPECT_EQ(describe_live(shares_of({10, 10, 10, 40, 10, 5, 15}, 100), {"a", "b", "c", "d", "e", "f", "g"}, 10s),
            "attributed 100.0 % of 100 · of 7 replicas least f 5 %, most d 40 % · 0.4 s behind");
}

TEST(LiveView, WhatWasPassedOverCountsForNothingAndIsSaid) {
  auto shares = shares_of({5, 5}, 30);
  shares.passed_over = 20;
  EXPECT_EQ(describe_live(shares, {"a", "b"}, 10s), "attributed 100.0 % of 10 · a 50 % · b 50 % · 0.4 s behind · 20 passed over");
  shares.contradiction = "a replica is missing";
  EXPECT_EQ(describe_live(shares, {"a", "b"}, 10s), "nothing is attributed: a replica is missing");
}

TEST(LiveView, PassesOnWhatItHearsAndStopsWithoutARun) {
  LiveView view;
  RunRequest request;
  request.replicas.push_back({"a", "http://127.0.0.1:1/metrics", {}});
  int begun = 0, batches = 0;
  request.on_begin = [&](const RunManifest&) { ++begun; };
  request.on_batch = [&](RunBatch&& batch) { batches += static_cast<int>(batch.records.size()); };
  view.attach(request);
  RunManifest manifest;
  manifest.replicas.resize(1);
  request.on_begin(manifest);
  RunBatch batch;
  batch.records.resize(3);
  request.on_batch(std::move(batch));
  EXPECT_EQ(begun, 1);
  EXPECT_EQ(batches, 3);
  EXPECT_EQ(view.line(1s), "");
}

TEST(LiveView, WithoutReplicasNothingIsHooked) {
  LiveView view;
  RunRequest request;
  view.attach(request);
  EXPECT_FALSE(request.on_begin);
  EXPECT_FALSE(request.on_batch);
}

}  // namespace
}  // namespace bench::cli
