// Serial probing: what is exact, what stays ambiguous, and that nothing is ever claimed wrongly, whatever goes wrong.
#include "analyzers/serial_probe.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "analyzers/counter_move.h"
#include "tests/analyzers/probe_world.h"

namespace {

using namespace analyzers;
using analyzers_test::ProbeWorld;
using analyzers_test::ProbeWorldOptions;
using analyzers_test::run_probes;
using analyzers_test::Snapshots;

ProbeWorldOptions world_with(double foreign_rps, std::uint64_t seed = 1) {
  ProbeWorldOptions options;
  options.foreign_rps = foreign_rps;
  options.seed = seed;
  return options;
}

TEST(SerialProbe, OneFinishThatFitsIsExact) {
  ProbeWorld world({});
  const Snapshots before = world.scrape();
  const ProbeVector probe = world.serve(1, 80, 3, 4);
  const Snapshots after = world.scrape();
  const auto judged = judge_alone(view(before), view(after), probe);
  EXPECT_EQ(judged.verdict, ProbeVerdict::kExact);
  EXPECT_EQ(judged.replica, 1);
  EXPECT_EQ(judged.finishes, 1);
}

TEST(SerialProbe, OneFinishThatDoesNotFitIsNone) {
  ProbeWorld world({});
  const Snapshots before = world.scrape();
  const ProbeVector probe = world.serve(1, 80, 3, 4);
  const Snapshots after = world.scrape();
  const auto with = [&](auto change) {
    ProbeVector other = probe;
    change(other);
    return judge_alone(view(before), view(after), other).verdict;
  };
  EXPECT_EQ(with([](ProbeVector& p) { p.prompt_tokens = 81; }), ProbeVerdict::kNotYet);
  EXPECT_EQ(with([](ProbeVector& p) { p.output_tokens = 2; }), ProbeVerdict::kNotYet);
  EXPECT_EQ(with([](ProbeVector& p) { p.max_tokens = 3; }), ProbeVerdict::kNotYet);
  // The server cannot have taken longer than the client waited.
  EXPECT_EQ(with([](ProbeVector& p) { p.latency = core::from_ms(40); }), ProbeVerdict::kNotYet);
  // A cap lowers max_tokens, so a probe that asked for more fits.
  EXPECT_EQ(with([](ProbeVector& p) { p.max_tokens = 4000; }), ProbeVerdict::kExact);
  EXPECT_EQ(with([](ProbeVector& p) { p.prompt_tokens = p.output_tokens = protocol::kUnknownCount; }), ProbeVerdict::kExact);
}

TEST(SerialProbe, AResetAMissingScrapeAndTwoFinishesAreAmbiguous) {
  ProbeWorld world({});
  const Snapshots before = world.scrape();
  const ProbeVector probe = world.serve(2, 80, 3, 4);
  Snapshots after = world.scrape();
  Snapshots torn = after;
  torn[0].reset();
  EXPECT_EQ(judge_alone(view(before), view(torn), probe).verdict, ProbeVerdict::kNoScrape);
  EXPECT_EQ(judge_alone({}, {}, probe).verdict, ProbeVerdict::kNoScrape);
  Snapshots restarted = after;
  restarted[0]->created_unix_s = 7;
  EXPECT_EQ(judge_alone(view(before), view(restarted), probe).verdict, ProbeVerdict::kReset);
  world.serve(0, 400, 9, 50);
  EXPECT_EQ(judge_alone(view(before), view(world.scrape()), probe).verdict, ProbeVerdict::kForeign);
  Snapshots counterless = after;
  counterless[1]->success.reset();
  counterless[1]->request_prompt_tokens = {};
  counterless[1]->e2e = {};
  EXPECT_EQ(judge_alone(view(before), view(counterless), probe).verdict, ProbeVerdict::kNoScrape);
}

TEST(SerialProbe, CountedByTwoReplicasIsSaid) {
  ProbeWorldOptions options;
  options.retried = 1;
  ProbeWorld world(options);
  const auto series = run_probes(world, 20);
  EXPECT_EQ(series.exact, 0u);
  EXPECT_EQ(series.last.at(ProbeVerdict::kTwice), 20u);
  EXPECT_EQ(series.attempts, 40u);  // one repeat, not four
}

TEST(SerialProbe, ForeignTrafficMakesProbesAmbiguousNeverWrong) {
  // Without repeats, the share of ambiguous attempts follows from the rate; with them nearly all end exact below 1/s.
  for (const double rate : {0.0, 0.1, 1.0, 5.0, 20.0}) {
    ProbeWorld world(world_with(rate));
    const auto series = run_probes(world, 1000);
    EXPECT_EQ(series.wrong, 0u) << rate;
    if (rate == 0) {
      EXPECT_EQ(series.attempts, 1000u);
    }
    if (rate <= 1) {
      EXPECT_GE(series.exact, 998u) << rate;
    }
    if (rate >= 20) {
      EXPECT_LT(series.exact, 400u) << rate;
    }
  }
}

TEST(SerialProbe, EverythingAtOnceIsNeverWrong) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    ProbeWorldOptions options = world_with(2, seed);
    options.lag = 0.2;
    options.torn = 0.05;
    options.reset = 0.01;
    options.retried = 0.05;
    ProbeWorld world(options);
    const auto series = run_probes(world, 500);
    EXPECT_EQ(series.wrong, 0u) << seed;
    EXPECT_GT(series.exact, 350u) << seed;
  }
}

TEST(SerialProbe, AFinishThatIsCountedLateIsWaitedFor) {
  ProbeWorldOptions options;
  options.lag = 1;
  ProbeWorld world(options);
  const auto series = run_probes(world, 50);
  EXPECT_EQ(series.exact, 50u);
  EXPECT_EQ(series.attempts, 50u);
  EXPECT_EQ(series.wrong, 0u);
}

TEST(SerialProbe, AHiddenReplicaIsNeverBlamedOnAnother) {
  for (const double rate : {0.0, 1.0, 10.0}) {
    ProbeWorldOptions options = world_with(rate);
    options.listed = {{0}, {1}};
    ProbeWorld world(options);
    const auto series = run_probes(world, 300, nullptr, {}, 2);
    EXPECT_EQ(series.exact, 0u) << rate;
    if (rate == 0) {
      EXPECT_EQ(series.last.at(ProbeVerdict::kUncounted), 300u);
    }
  }
}

TEST(SerialProbe, TheMetricsOfAWrongPodGiveNoClaims) {
  // Name 1 shows replica 3, which serves somebody else; our requests go to 0, 1, 2.
  ProbeWorldOptions options = world_with(3);
  options.replicas = 4;
  options.listed = {{0}, {3}, {2}};
  ProbeWorld world(options);
  EXPECT_EQ(run_probes(world, 400, nullptr, {}, 1).exact, 0u);
  const auto mixed = run_probes(world, 400, nullptr, {}, -1, 3);
  EXPECT_EQ(mixed.wrong, 0u);
  for (const auto& judged : mixed.judgements) EXPECT_NE(judged.replica, 1);
}

TEST(SerialProbe, TwoReplicasBehindOneUrlGiveNoWrongClaims) {
  ProbeWorldOptions options;
  options.listed = {{0}, {1, 2}};
  ProbeWorld world(options);
  const auto series = run_probes(world, 200);
  EXPECT_EQ(series.exact, 0u);  // whichever answers, the other has always "restarted" in between
  EXPECT_EQ(series.last.at(ProbeVerdict::kReset), 200u);
}

TEST(ReservedBucket, NamesTheReplicaUnderAnyForeignLoad) {
  for (const double rate : {0.0, 5.0, 50.0, 300.0}) {
    ProbeWorld world(world_with(rate));
    const Snapshots first = world.scrape();
    world.idle(60);
    const auto free = free_buckets(view(first), view(world.scrape()), 128);
    ASSERT_FALSE(free.empty());
    EXPECT_EQ(free.front().max_tokens, 1u);  // the cheapest; (20, 50] is in use when there is other traffic
    for (const auto& bucket : free) EXPECT_TRUE(rate == 0 || bucket.max_tokens != 21) << rate;
    const auto series = run_probes(world, 300, nullptr, free.front().max_tokens);
    EXPECT_EQ(series.exact, 300u) << rate;
    EXPECT_EQ(series.wrong, 0u) << rate;
  }
}

TEST(ReservedBucket, SurvivesLagAndTornScrapesAndRefusesResetsAndRetries) {
  ProbeWorldOptions options = world_with(20);
  options.lag = 0.2;
  options.torn = 0.05;
  options.reset = 0.01;
  options.retried = 0.05;
  ProbeWorld world(options);
  const auto series = run_probes(world, 1000, nullptr, 1);
  EXPECT_EQ(series.wrong, 0u);
  EXPECT_GT(series.exact, 900u);
}

TEST(ReservedBucket, ACapOfTheServerGivesNoClaims) {
  ProbeWorldOptions options = world_with(5);
  options.cap = 60;  // 101 tokens were asked for and land in (50, 100]
  ProbeWorld world(options);
  const auto series = run_probes(world, 100, nullptr, 101);
  EXPECT_EQ(series.exact, 0u);
}

TEST(ReservedBucket, AnIntruderBreaksTheReservation) {
  ProbeWorld world({});
  const Snapshots first = world.scrape();
  const ProbeReservation reservation(free_buckets(view(first), view(first), 1));
  ASSERT_EQ(reservation.buckets().size(), 1u);
  world.serve(0, 80, 1, 1);
  world.serve(2, 81, 1, 1);
  const Snapshots later = world.scrape();
  EXPECT_TRUE(reservation.holds(view(first), view(later), 2));
  EXPECT_FALSE(reservation.holds(view(first), view(later), 1));  // somebody else's
  EXPECT_FALSE(reservation.holds(view(first), view(later), 3));  // one of ours was counted elsewhere
}

TEST(ReservedBucket, AForeignFinishInItDoesNotPassForOurs) {
  // Ours went to a hidden replica; replica 0 finishes somebody's request of the same bucket, but not of our size.
  ProbeWorldOptions options;
  options.listed = {{0}, {1}};
  ProbeWorld world(options);
  const Snapshots before = world.scrape();
  const ProbeVector probe = world.serve(2, 80, 1, 1);
  world.serve(0, 500, 1, 1);
  EXPECT_NE(judge_reserved(view(before), view(world.scrape()), probe).verdict, ProbeVerdict::kExact);
}

TEST(FreeBuckets, DifferingOrMissingHistogramsGiveNone) {
  ProbeWorld world({});
  const Snapshots first = world.scrape();
  EXPECT_EQ(free_buckets(view(first), view(first), 200).size(), 8u);
  EXPECT_EQ(free_buckets(view(first), view(first), 5).size(), 3u);  // 1, 2, 3
  Snapshots other = first;
  other[1]->request_max_tokens.upper[2] = 6;
  EXPECT_TRUE(free_buckets(view(other), view(other), 200).empty());
  other = first;
  other[1]->request_max_tokens = {};
  EXPECT_TRUE(free_buckets(view(other), view(other), 200).empty());
  other[1].reset();
  EXPECT_TRUE(free_buckets(view(first), view(other), 200).empty());
  EXPECT_TRUE(free_buckets({}, {}, 200).empty());
}

struct Batch {
  Snapshots before, after;
  std::vector<ProbeVector> probes;
  std::vector<std::size_t> truth;
};

Batch eight(ProbeWorld& world, std::size_t among = 3) {
  Batch batch;
  batch.before = world.scrape();
  const auto buckets = free_buckets(view(batch.before), view(batch.before), 200);
  for (std::size_t i = 0; i < kProbesAtOnce; ++i) {
    batch.truth.push_back(static_cast<std::size_t>(world.rng().below(among)));
    batch.probes.push_back(world.serve(batch.truth.back(), 70 + static_cast<std::uint32_t>(i), 1, buckets[i].max_tokens));
  }
  batch.after = world.scrape();
  return batch;
}

TEST(EightAtOnce, AreDecodedByInspection) {
  ProbeWorld world({});
  for (int times = 0; times < 200; ++times) {
    const Batch batch = eight(world);
    const auto judged = judge_batch(view(batch.before), view(batch.after), batch.probes, false);
    for (std::size_t i = 0; i < kProbesAtOnce; ++i) {
      ASSERT_EQ(judged[i].verdict, ProbeVerdict::kExact);
      ASSERT_EQ(judged[i].replica, static_cast<int>(batch.truth[i]));
    }
  }
}

TEST(EightAtOnce, OtherTrafficMakesAllAmbiguousUnlessTheBucketsAreReserved) {
  ProbeWorldOptions options = world_with(10);
  options.foreign_max_tokens = 1000;  // none of the eight buckets
  ProbeWorld world(options);
  std::size_t ambiguous = 0;
  std::size_t exact = 0;
  for (int times = 0; times < 100; ++times) {
    const Batch batch = eight(world);
    const auto strict = judge_batch(view(batch.before), view(batch.after), batch.probes, false);
    const auto reserved = judge_batch(view(batch.before), view(batch.after), batch.probes, true);
    for (std::size_t i = 0; i < kProbesAtOnce; ++i) {
      ambiguous += strict[i].verdict == ProbeVerdict::kForeign ? 1 : 0;
      exact += reserved[i].replica == static_cast<int>(batch.truth[i]) ? 1 : 0;
      EXPECT_TRUE(reserved[i].replica < 0 || reserved[i].replica == static_cast<int>(batch.truth[i]));
      EXPECT_TRUE(strict[i].replica < 0 || strict[i].replica == static_cast<int>(batch.truth[i]));
    }
  }
  EXPECT_GT(ambiguous, 700u);
  EXPECT_EQ(exact, 800u);
}

TEST(EightAtOnce, AHiddenReplicaACapOrARetryGivesNoClaimAtAll) {
  ProbeWorldOptions hidden;
  hidden.listed = {{0}, {1}};
  ProbeWorldOptions capped;
  capped.cap = 15;
  ProbeWorldOptions retried;
  retried.retried = 0.5;
  for (const auto& options : {hidden, capped, retried}) {
    ProbeWorld world(options);
    for (int times = 0; times < 50; ++times) {
      const Batch batch = eight(world);
      const bool hit_hidden = std::count(batch.truth.begin(), batch.truth.end(), 2u) > 0;
      const auto judged = judge_batch(view(batch.before), view(batch.after), batch.probes, false);
      for (std::size_t i = 0; i < kProbesAtOnce; ++i) {
        if (options.listed.empty() || hit_hidden) {
          EXPECT_NE(judged[i].verdict, ProbeVerdict::kExact);
        }
      }
    }
  }
}

TEST(CounterMove, ARemainderMustFitItsBuckets) {
  ProbeWorld world({});
  const Snapshots before = world.scrape();
  const ProbeVector ours = world.serve(0, 80, 3, 4);
  world.serve(0, 400, 30, 50);
  const Snapshots after = world.scrape();
  const CounterMove move = counter_move(&*before[0], &*after[0]);
  EXPECT_EQ(move.finishes, 2);
  const ProbeVector* one[] = {&ours};
  EXPECT_TRUE(can_hold(move, one, true));
  ProbeVector other = ours;
  other.prompt_tokens = 150;  // in no bucket that moved
  const ProbeVector* two[] = {&other};
  EXPECT_FALSE(can_hold(move, two, true));
  other = ours;
  other.prompt_tokens = 60;  // the other's would be 420: both buckets stay possible
  EXPECT_TRUE(can_hold(move, two, true));
  const ProbeVector* thrice[] = {&ours, &ours, &ours};
  EXPECT_FALSE(can_hold(move, thrice, true));
}

TEST(ProbeSequence, AFailedRequestEndsItWithoutAClaim) {
  ProbeSequence sequence(ProbeLimits{});
  ProbeWorld world({});
  EXPECT_EQ(sequence.step(), ProbeSequence::Step::kScrapeBefore);
  sequence.scraped(world.scrape());
  EXPECT_EQ(sequence.step(), ProbeSequence::Step::kSend);
  sequence.failed();
  EXPECT_EQ(sequence.step(), ProbeSequence::Step::kDone);
  EXPECT_EQ(sequence.judgement().verdict, ProbeVerdict::kFailed);
}

}  // namespace
