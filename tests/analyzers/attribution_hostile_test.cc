// What must never become a claim: hidden replicas, other servers' metrics, one replica under two names, no metrics.
#include <gtest/gtest.h>

#include "analyzers/analyze.h"
#include "analyzers/attribution.h"
#include "tests/analyzers/simulated_counters.h"

namespace {

using namespace analyzers;
using namespace analyzers_test;

std::size_t claims_of(const bench::Run& run) {
  std::size_t n = 0;
  for (const auto& a : attribute(run)) n += a.replica >= 0 ? 1 : 0;
  return n;
}

AttributionRow row_of(const bench::Run& run) {
  const auto facts = facts_of(run);
  const auto result = attribute_run(run, facts);
  return attribution_row({&run}, {&facts}, {&result});
}

TEST(AttributionHostile, AHiddenReplicaGivesNoClaims) {
  for (const double rate : {5.0, 30.0, 80.0}) {
    CounterWorld world;
    world.rate_rps = rate;
    world.requests = 800;
    world.listed = {0, 1};
    const auto made = make_counter_run(world);
    const auto row = row_of(made.run);
    EXPECT_EQ(row.attributed, 0u);
    EXPECT_EQ(row.verdict, "none");
    EXPECT_NE(row.reason.find("missing from the list"), std::string::npos) << row.reason;
  }
}

TEST(AttributionHostile, AHiddenReplicaBehindForeignTrafficGivesNoClaims) {
  for (const double foreign : {0.5, 1.0}) {
    CounterWorld world;
    world.requests = 800;
    world.listed = {0, 1};
    world.foreign_share = foreign;
    const auto made = make_counter_run(world);
    EXPECT_EQ(claims_of(made.run), 0u) << foreign;
  }
}

// A listed URL is another cluster's pod with traffic like ours: the totals add up, the rounds do not.
TEST(AttributionHostile, AnotherServersMetricsGiveNoClaims) {
  for (const double rate : {5.0, 30.0, 80.0}) {
    CounterWorld ours;
    ours.rate_rps = rate;
    ours.requests = 600;
    auto made = make_counter_run(ours);
    CounterWorld theirs = ours;
    theirs.seed = 99;
    const auto other = make_counter_run(theirs);
    for (auto& s : made.run.scrapes) {
      if (s.replica != 2) continue;
      const bench::ReplicaScrape* nearest = nullptr;
      for (const auto& o : other.run.scrapes) {
        if (o.replica == 2 && o.answered <= s.answered) nearest = &o;
      }
      if (nearest != nullptr) s.values = nearest->values;
      else s.values = other.run.scrapes.front().values;
      s.values.created_unix_s = 77.5;
      s.values.process_start_unix_s = 77.5;
    }
    const auto row = row_of(made.run);
    EXPECT_EQ(row.attributed, 0u) << "rate " << rate;
    EXPECT_EQ(row.verdict, "none");
    EXPECT_FALSE(row.reason.empty());
  }
}

TEST(AttributionHostile, TwoNamesForOneUrlGiveNoClaims) {
  for (const bool same_urls : {true, false}) {
    for (const auto& listed : {std::vector<std::size_t>{0, 1, 2, 0}, std::vector<std::size_t>{0, 0, 2}}) {
      for (const double rate : {5.0, 30.0, 80.0}) {
        CounterWorld world;
        world.rate_rps = rate;
        world.requests = 600;
        world.listed = listed;
        world.same_urls = same_urls;
        const auto made = make_counter_run(world);
        const auto row = row_of(made.run);
        EXPECT_EQ(row.attributed, 0u) << same_urls << " " << listed.size() << " " << rate;
        EXPECT_EQ(row.verdict, "none");
      }
    }
  }
}

TEST(AttributionHostile, NoMetricsGiveNoneWithAReason) {
  CounterWorld world;
  world.requests = 20;
  auto made = make_counter_run(world);
  made.run.manifest.replicas.clear();
  made.run.scrapes.clear();
  auto row = row_of(made.run);
  EXPECT_EQ(row.verdict, "none");
  EXPECT_EQ(row.responses, 20u);
  EXPECT_EQ(row.ambiguous, 20u);
  EXPECT_FALSE(row.wrong.has_value());
  EXPECT_NE(row.reason.find("no replica's metrics"), std::string::npos);
  EXPECT_EQ(row.ambiguous_reasons.at("no scrape"), 20u);

  made = make_counter_run(world);
  for (auto& s : made.run.scrapes) s.ok = false;
  EXPECT_EQ(row_of(made.run).verdict, "none");

  made = make_counter_run(world);
  for (auto& s : made.run.scrapes) s.values = protocol::VllmSnapshot{};
  EXPECT_EQ(row_of(made.run).verdict, "none");
}

TEST(AttributionHostile, EmptyRunsAndGarbageScrapesDoNotCrash) {
  bench::Run empty;
  EXPECT_TRUE(attribute(empty).empty());
  CounterWorld world;
  world.requests = 40;
  auto made = make_counter_run(world);
  for (std::size_t i = 0; i < made.run.scrapes.size(); i += 3) {
    made.run.scrapes[i].replica = 60000;
    made.run.scrapes[i / 2].answered = made.run.scrapes[i / 2].sent - core::from_ms(5);
  }
  for (auto& s : made.run.scrapes) s.round = s.round % 7;
  EXPECT_EQ(attribute(made.run).size(), 40u);
  for (auto& r : made.run.records) r.done = core::kNever;
  for (const auto& a : attribute(made.run)) EXPECT_EQ(a.replica, -1);
}

TEST(AttributionHostile, SixtyFourReplicasAreDecodedAndSixtyFiveRefused) {
  CounterWorld world;
  world.replicas = 64;
  world.requests = 300;
  auto made = make_counter_run(world);
  std::size_t wrong = 0;
  std::size_t claimed = 0;
  const auto claims = attribute(made.run);
  for (std::size_t i = 0; i < claims.size(); ++i) {
    claimed += claims[i].replica >= 0 ? 1 : 0;
    wrong += claims[i].replica >= 0 && claims[i].replica != made.truth[i] ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(claimed, 270u);
  world.replicas = 65;
  EXPECT_EQ(claims_of(make_counter_run(world).run), 0u);
}

TEST(AttributionHostile, FailedRequestsAreNeverAttributedAndMayHaveFinishedOnTheServer) {
  CounterWorld world;
  world.requests = 400;
  auto made = make_counter_run(world);
  // The client gave up on every tenth; the server finished half of them all the same (their counts stay).
  for (std::size_t i = 0; i < made.run.records.size(); i += 10) {
    made.run.records[i].outcome = bench::Outcome::kTimeout;
    made.run.records[i].output_tokens = bench::kUnknownCount;
    made.run.records[i].prompt_tokens = bench::kUnknownCount;
  }
  const auto facts = facts_of(made.run);
  const auto result = attribute_run(made.run, facts);
  const auto row = attribution_row({&made.run}, {&facts}, {&result});
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < result.of_record.size(); ++i) {
    if (i % 10 == 0) {
      EXPECT_EQ(result.of_record[i].replica, -1);
    } else wrong += result.of_record[i].replica >= 0 && result.of_record[i].replica != made.truth[i] ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(row.responses, 360u);
  EXPECT_GT(row.attributed, 300u);
  EXPECT_EQ(result.extra_finishes, 40);
  EXPECT_DOUBLE_EQ(*row.foreign_ratio.value, 0.0);
}

TEST(AttributionHostile, DenseTrafficIsAmbiguousInBoundedWork) {
  CounterWorld world;
  world.rate_rps = 1500;
  world.requests = 4000;
  world.extra_tokens = {0};
  const auto made = make_counter_run(world);
  const auto row = row_of(made.run);
  EXPECT_EQ(row.wrong.value_or(0), 0u);
  EXPECT_EQ(row.verdict, row.attributed == 0 ? "none" : "partial");
  EXPECT_GT(row.ambiguous_reasons.at("too dense"), 3000u);
  double total = 0;
  for (const auto& t : row.replica_totals) total += t.second;
  EXPECT_EQ(total, 4000.0);
}

}  // namespace
