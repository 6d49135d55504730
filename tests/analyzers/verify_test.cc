// The rows of verify: each verdict from observations made by hand or by the world of probes.
#include "analyzers/verify.h"

#include <gtest/gtest.h>

#include "analyzers/multinomial.h"
#include "tests/analyzers/probe_world.h"

namespace {

using namespace analyzers;
using analyzers_test::ProbeWorld;
using analyzers_test::ProbeWorldOptions;
using analyzers_test::run_probes;

ProbeObservation placed(int replica, std::uint32_t cached = protocol::kUnknownCount) {
  ProbeObservation probe;
  probe.judgement = {ProbeVerdict::kExact, static_cast<std::int16_t>(replica), 1, false};
  probe.prompt_tokens = 530;
  probe.cached_tokens = cached;
  return probe;
}

ApiObservation good_api(const char* id) {
  ApiObservation api;
  api.id = id;
  api.status = 200;
  api.text_bytes = 70;
  api.whole = api.finish_reason = true;
  api.prompt_tokens = 15;
  api.output_tokens = api.max_tokens = 16;
  return api;
}

/// Pattern 3 as it should be: 12 sticky probes on replica 1, 54 unrelated ones spread 18/18/18.
VerifyObservations good(std::size_t replicas = 3) {
  VerifyObservations o;
  o.pattern = replicas == 1 ? 1 : 3;
  o.health = {true, 200, ""};
  o.models = {true, 200, ""};
  o.model_ids = {"m"};
  o.model = "m";
  for (const char* id : {"completion", "completion-stream", "chat", "chat-stream"}) o.api.push_back(good_api(id));
  for (std::size_t r = 0; r < replicas; ++r) {
    ReplicaObservation replica;
    replica.name = std::string(1, static_cast<char>('a' + r));
    replica.health = {true, 200, ""};
    replica.hit_tokens = r == replicas - 1 ? 11 * 512 : 0;
    o.replicas.push_back(replica);
  }
  o.prefix_share = 0.97;
  o.sticky_wanted = 12;
  for (int i = 0; i < 12; ++i) o.sticky.push_back(placed(static_cast<int>(replicas) - 1));
  for (std::size_t i = 0; i < 54; ++i) o.spread.push_back(placed(static_cast<int>(i % replicas)));
  ProbeWorldOptions options;
  options.replicas = replicas;
  ProbeWorld world(options);
  o.ledger.emplace(replicas);
  run_probes(world, 66, &*o.ledger);
  return o;
}

VerifyCheck row(const VerifyObservations& o, const std::string& id) {
  for (const auto& check : verify_checks(o).checks) {
    if (check.id == id) return check;
  }
  ADD_FAILURE() << "no row " << id;
  return {};
}

CheckVerdict verdict(const VerifyObservations& o, const std::string& id) { return row(o, id).verdict; }

bool says(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Verify, AGoodPattern3Passes) {
  const VerifyResult result = verify_checks(good());
  EXPECT_EQ(result.verdict, CheckVerdict::kPass);
  EXPECT_EQ(result.checks.size(), 13u);
  for (const auto& check : result.checks) {
    EXPECT_EQ(check.verdict, CheckVerdict::kPass) << check.id << ": " << check.observed;
    EXPECT_FALSE(check.observed.empty()) << check.id;
    EXPECT_FALSE(check.expected.empty()) << check.id;
    EXPECT_TRUE(check.action.empty()) << check.id;
  }
}

TEST(Verify, AGoodPattern1PassesAndTwoUsedReplicasFail) {
  EXPECT_EQ(verify_checks(good(1)).verdict, CheckVerdict::kPass);
  VerifyObservations o = good();
  o.pattern = 1;
  EXPECT_EQ(verdict(o, "one-replica"), CheckVerdict::kFail);
  for (auto& probe : o.spread) probe.judgement.replica = 2;
  EXPECT_EQ(verdict(o, "one-replica"), CheckVerdict::kPass);  // others are listed and idle
  for (std::size_t i = 0; i < 20; ++i) o.spread[i].judgement = {ProbeVerdict::kForeign, -1, 2, false};
  EXPECT_EQ(verdict(o, "one-replica"), CheckVerdict::kInconclusive);
}

TEST(Verify, HealthFallsBackToTheModelRoute) {
  VerifyObservations o = good();
  o.health.status = 404;
  EXPECT_EQ(verdict(o, "health"), CheckVerdict::kPass);
  o.models.status = 404;
  EXPECT_EQ(verdict(o, "health"), CheckVerdict::kInconclusive);
  for (const int status : {0, 401, 500, 503}) {
    o.health.status = status;
    EXPECT_EQ(verdict(o, "health"), CheckVerdict::kFail) << status;
    EXPECT_FALSE(row(o, "health").action.empty());
  }
}

TEST(Verify, ReplicaHealthNamesWhatIsDown) {
  VerifyObservations o = good();
  o.replicas[1].health = {true, 503, ""};
  EXPECT_EQ(verdict(o, "replica-health"), CheckVerdict::kFail);
  EXPECT_TRUE(says(row(o, "replica-health").observed, "b: status 503"));
  o.replicas[1].health = {true, 404, ""};
  EXPECT_EQ(verdict(o, "replica-health"), CheckVerdict::kInconclusive);
}

TEST(Verify, ModelsMustListTheWantedOne) {
  VerifyObservations o = good();
  o.model = "other";
  EXPECT_EQ(verdict(o, "models"), CheckVerdict::kFail);
  EXPECT_TRUE(says(row(o, "models").expected, "other"));
  o.models.status = 404;
  EXPECT_EQ(verdict(o, "models"), CheckVerdict::kInconclusive);
  o.model.clear();
  EXPECT_EQ(verdict(o, "models"), CheckVerdict::kFail);
  o.models.status = 200;
  o.model_ids.clear();
  EXPECT_EQ(verdict(o, "models"), CheckVerdict::kFail);
}

TEST(Verify, CompletionsNeedTextUsageAndAFinishReason) {
  const auto broken = [](auto change) {
    VerifyObservations o = good();
    change(o.api[2]);
    return row(o, "chat");
  };
  EXPECT_TRUE(says(broken([](ApiObservation& a) { a.text_bytes = 0; }).observed, "no text"));
  EXPECT_TRUE(says(broken([](ApiObservation& a) { a.output_tokens = protocol::kUnknownCount; }).observed, "no usage"));
  EXPECT_TRUE(says(broken([](ApiObservation& a) { a.finish_reason = false; }).observed, "no finish_reason"));
  EXPECT_TRUE(says(broken([](ApiObservation& a) { a.whole = false; }).observed, "not whole"));
  EXPECT_TRUE(says(broken([](ApiObservation& a) { a.output_tokens = 17; }).observed, "more tokens"));
  EXPECT_TRUE(says(broken([](ApiObservation& a) { a.status = 400; }).action, "template"));
  EXPECT_TRUE(says(broken([](ApiObservation& a) { a.status = 401; }).action, "OPENAI_API_KEY"));
  for (const auto& check : {broken([](ApiObservation& a) { a.status = 0; }), broken([](ApiObservation& a) { a.output_tokens = 0; })}) {
    EXPECT_EQ(check.verdict, CheckVerdict::kFail);
  }
}

TEST(Verify, AProbeThatFailsIsSaid) {
  VerifyObservations o = good();
  EXPECT_EQ(row(o, "probes-answered").observed, "66 of 66 probes");
  o.spread[3].judgement = {ProbeVerdict::kFailed, -1, 0, false};
  EXPECT_EQ(row(o, "probes-answered").observed, "65 of 66 probes");
  EXPECT_EQ(verdict(o, "probes-answered"), CheckVerdict::kFail);
  o.sticky.clear();
  o.spread.clear();
  EXPECT_EQ(verdict(o, "probes-answered"), CheckVerdict::kSkipped);
}

TEST(Verify, StickinessFailsOnOneStrayAndNeedsEnoughProbes) {
  VerifyObservations o = good();
  EXPECT_TRUE(says(row(o, "stickiness").observed, "11 of 11"));
  o.sticky[7].judgement.replica = 0;
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kFail);
  EXPECT_TRUE(says(row(o, "stickiness").observed, "10 of 11"));
  o = good();
  o.sticky.resize(5);  // chance does that in 1 of 81 tests
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kInconclusive);
  o = good();
  for (std::size_t i = 3; i < 6; ++i) o.sticky[i].judgement = {ProbeVerdict::kForeign, -1, 3, false};
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kInconclusive);  // 9 of 12 known are too few
  o.sticky[3] = o.sticky[0];
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kPass);
}

TEST(Verify, CacheHitsAreDueInWholeBlocks) {
  VerifyObservations o = good();
  EXPECT_TRUE(says(row(o, "cache-hits").expected, "5632 tokens"));  // 11 × floor(0.97 × 530 / 16) × 16 = 11 × 512
  o.replicas[2].hit_tokens = 0;
  EXPECT_EQ(verdict(o, "cache-hits"), CheckVerdict::kFail);
  o.replicas[2].hit_tokens.reset();
  EXPECT_EQ(verdict(o, "cache-hits"), CheckVerdict::kInconclusive);
  for (auto& probe : o.sticky) probe.cached_tokens = 512;  // the responses' own account goes first
  EXPECT_EQ(verdict(o, "cache-hits"), CheckVerdict::kPass);
  for (std::size_t i = 0; i < o.sticky.size(); ++i) o.sticky[i].cached_tokens = i % 2 == 0 ? 512 : 0;
  EXPECT_EQ(verdict(o, "cache-hits"), CheckVerdict::kFail);
}

TEST(Verify, SpreadStatesItsPowerAndFailsOnSkew) {
  VerifyObservations o = good();
  EXPECT_TRUE(says(row(o, "spread").observed, "a 18, b 18, c 18"));
  EXPECT_TRUE(says(row(o, "spread").observed, "85.1 % certainty"));
  for (std::size_t i = 0; i < o.spread.size(); ++i) o.spread[i].judgement.replica = i % 5 < 3 ? 0 : static_cast<std::int16_t>(1 + i % 2);
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kFail);
  o = good();
  o.spread.resize(9);  // three each, as the guides expect, prove nothing
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kInconclusive);
  EXPECT_TRUE(says(row(o, "spread").action, "--probes"));
  o = good();
  for (std::size_t i = 0; i < 10; ++i) o.spread[i].judgement = {ProbeVerdict::kForeign, -1, 2, false};
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kInconclusive);
}

TEST(Verify, SpreadPromptsCarryTheirPower) {
  for (const std::size_t k : {2u, 3u, 4u, 8u}) {
    const std::size_t n = spread_prompts(k);
    EXPECT_GE(n, 4 * k);
    EXPECT_GE(power_against_skew(n, k, spread_skew(k), kSpreadLevel), kSpreadPower) << k;
    EXPECT_LE(n, 100u) << k;
  }
  EXPECT_EQ(spread_prompts(3), 54u);
  EXPECT_EQ(spread_prompts(0), 60u);
}

TEST(Verify, PrefixesAreLongerThanBlocks) {
  std::vector<ReplicaTally> replicas(2);
  EXPECT_EQ(prefix_tokens(replicas), 512u);  // unknown: 128-token pages are assumed
  replicas[0].block_size_tokens = replicas[1].block_size_tokens = 16;
  EXPECT_EQ(prefix_tokens(replicas), 512u);
  replicas[1].block_size_tokens = 256;
  EXPECT_EQ(prefix_tokens(replicas), 1024u);
}

TEST(Verify, AWrongListMakesPlacementInconclusive) {
  VerifyObservations o = good();
  ProbeWorldOptions options;
  options.listed = {{0}, {1}, {0}};
  ProbeWorld world(options);
  o.ledger.emplace(3);
  run_probes(world, 30, &*o.ledger, {}, -1, 3);
  EXPECT_EQ(verdict(o, "replica-list"), CheckVerdict::kFail);
  EXPECT_TRUE(says(row(o, "replica-list").observed, "a and c show the same process"));
  EXPECT_TRUE(says(row(o, "replica-list").observed, "a replica is missing from your list"));
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kInconclusive);
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kInconclusive);
  EXPECT_EQ(verdict(o, "attribution"), CheckVerdict::kInconclusive);
  o.spread.clear();
  EXPECT_TRUE(says(row(o, "spread").observed, "list of replicas is wrong"));
}

TEST(Verify, AReplicaThatCountsOnlyOthersIsNamed) {
  VerifyObservations o = good();
  ProbeWorld world({});
  o.ledger.emplace(3);
  run_probes(world, 40, &*o.ledger, {}, 0);
  for (int i = 0; i < 5; ++i) world.serve(1, 300, 9, 50);
  o.ledger->round(world.scrape());
  EXPECT_EQ(verdict(o, "replica-list"), CheckVerdict::kInconclusive);
  EXPECT_TRUE(says(row(o, "replica-list").observed, "b counts what is not ours (5 finishes)"));
}

TEST(Verify, SizesThatNeverFitAccuseNobody) {
  VerifyObservations o = good();
  ProbeWorld world({});
  o.ledger.emplace(3);
  for (int i = 0; i < 6; ++i) {
    const auto before = world.scrape();
    ProbeVector probe = world.serve(0, 80, 3, 4);
    probe.prompt_tokens += 5;  // a gateway that adds to the prompt, or rewrites usage
    const auto after = world.scrape();
    auto judged = judge_alone(view(before), view(after), probe);
    EXPECT_TRUE(judged.misfit);
    judged.verdict = ProbeVerdict::kUncounted;
    o.ledger->round(before);
    o.ledger->round(after);
    o.ledger->attempt(judged, probe, view(before), view(after), 0);
  }
  const auto check = row(o, "replica-list");
  EXPECT_EQ(check.verdict, CheckVerdict::kInconclusive);
  EXPECT_FALSE(says(check.observed, "missing"));
  EXPECT_TRUE(says(check.action, "rewrite"));
}

TEST(Verify, UnreadableMetricsAndCounterlessServersAreSaid) {
  VerifyObservations o = good();
  o.ledger.emplace(3);
  ProbeWorld world({});
  auto round = world.scrape();
  round[1].reset();
  round[2]->success.reset();
  round[2]->request_prompt_tokens = {};
  round[2]->e2e = {};
  o.ledger->round(round);
  o.replicas[1].metrics_problem = "GET http://b/metrics failed";
  const auto check = row(o, "replica-list");
  EXPECT_EQ(check.verdict, CheckVerdict::kFail);
  EXPECT_TRUE(says(check.observed, "GET http://b/metrics failed"));
  EXPECT_TRUE(says(check.observed, "c counts no finished requests"));
  EXPECT_EQ(verdict(o, "attribution"), CheckVerdict::kInconclusive);
}

TEST(Verify, WithoutReplicasPlacementIsInconclusiveUnlessTheHeaderIsTrusted) {
  VerifyObservations o = good();
  o.replicas.clear();
  o.ledger.reset();
  for (auto* probes : {&o.sticky, &o.spread}) {
    for (std::size_t i = 0; i < probes->size(); ++i) {
      (*probes)[i].observed_name = "10.0.0." + std::to_string((*probes)[i].judgement.replica);
      (*probes)[i].judgement = {};
    }
  }
  const VerifyResult result = verify_checks(o);
  EXPECT_EQ(result.verdict, CheckVerdict::kInconclusive);
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kInconclusive);
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kInconclusive);
  EXPECT_EQ(verdict(o, "replica-list"), CheckVerdict::kSkipped);
  EXPECT_EQ(verdict(o, "attribution"), CheckVerdict::kSkipped);
  o.use_header = true;
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kPass);
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kPass);
  for (auto& probe : o.spread) probe.observed_name = "10.0.0.0";  // two of the three replicas get nothing
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kFail);
  for (auto& probe : o.sticky) probe.observed_name.clear();
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kInconclusive);
}

TEST(Verify, HeadersThatContradictTheCountersFail) {
  VerifyObservations o = good();
  for (auto& probe : o.spread) probe.observed_name = "pod-" + std::to_string(probe.judgement.replica);
  EXPECT_TRUE(says(row(o, "attribution").observed, "agrees in 54 of 54"));
  o.spread[5].observed_name = "pod-0";
  EXPECT_EQ(verdict(o, "attribution"), CheckVerdict::kFail);
  for (auto& probe : o.spread) probe.observed_name = "proxy";  // names no replica: nothing to compare
  EXPECT_EQ(verdict(o, "attribution"), CheckVerdict::kPass);
  EXPECT_FALSE(says(row(o, "attribution").observed, "agrees"));
}

TEST(Verify, WithdrawnReservationsPlaceNothing) {
  VerifyObservations o = good();
  for (auto& probe : o.spread) probe.reserved = true;
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kPass);
  o.reservation_broken = true;
  EXPECT_EQ(verdict(o, "spread"), CheckVerdict::kInconclusive);
  EXPECT_EQ(verdict(o, "stickiness"), CheckVerdict::kPass);  // those were alone
}

TEST(Verify, WhatWasCutShortHasNotPassed) {
  VerifyObservations o = good();
  o.cut_short = true;
  o.why_cut = "interrupted";
  EXPECT_EQ(verify_checks(o).verdict, CheckVerdict::kInconclusive);
  o.spread.clear();
  EXPECT_TRUE(says(row(o, "spread").observed, "interrupted"));
  o.api.pop_back();
  EXPECT_EQ(verdict(o, "chat-stream"), CheckVerdict::kInconclusive);
  o.api[0].status = 500;
  EXPECT_EQ(verify_checks(o).verdict, CheckVerdict::kFail);
}

TEST(Verify, FewerReplicasThanExpectedIsInconclusive) {
  VerifyObservations o = good();
  o.expected_replicas = 4;
  EXPECT_EQ(verdict(o, "replica-list"), CheckVerdict::kInconclusive);
  EXPECT_TRUE(says(row(o, "replica-list").observed, "3 are listed, 4 expected"));
  VerifyObservations one = good(1);
  one.pattern = 3;
  EXPECT_EQ(verdict(one, "stickiness"), CheckVerdict::kInconclusive);
  EXPECT_EQ(verdict(one, "spread"), CheckVerdict::kInconclusive);
}

}  // namespace
