// Schedules: the same seed gives the same schedule on every compiler; arrivals, groups and texts are what was asked for.
#include "scenarios/schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/hash.h"
#include "protocol/tokenizer.h"

namespace scenarios {
namespace {

Scenario bundled(std::string_view name) { return *catalog_scenario(name); }

std::string prompt_of(const Scenario& scenario, const PlannedRequest& request) {
  std::string prompt = "left over";
  render_prompt(scenario, request, prompt);
  return prompt;
}

std::vector<PlannedRequest> requests_of(const Scenario& scenario, std::uint64_t seed) { return plan(scenario, seed)->requests; }

TEST(Schedule, PinnedDigests) {
  const std::map<std::string, std::string> pinned = {{"mix", "643a4bb3956f2faa"},
                                                     {"saturate", "177abf47b0c3f4e0"},
                                                     {"seed-throughput", "c7a82ced60b88b5a"},
                                                     {"shared-prefix", "a49d12643feae572"}};
  for (const auto& [name, digest] : pinned) {
    EXPECT_EQ(core::hex64(plan(bundled(name), 42)->digest), digest) << name;
  }
}

TEST(Schedule, SeedAndSaltChangeWhatTheyShould) {
  const Scenario mix = bundled("mix");
  const auto one = plan(mix, 1), again = plan(mix, 1), other = plan(mix, 2), salted = plan(mix, 1, 5);
  EXPECT_EQ(one->digest, again->digest);
  EXPECT_NE(one->digest, other->digest);
  EXPECT_NE(one->digest, salted->digest);
  ASSERT_EQ(one->requests.size(), salted->requests.size());
  for (std::size_t i = 0; i < one->requests.size(); ++i) {
    const PlannedRequest &a = one->requests[i], &b = salted->requests[i];
    EXPECT_EQ(a.intended, b.intended);
    EXPECT_EQ(a.workload, b.workload);
    EXPECT_EQ(a.prefix_group, b.prefix_group);
    EXPECT_NE(a.prompt_seed, b.prompt_seed);
  }
}

TEST(Schedule, ScenariosShareNoText) {
  const Scenario unique = bundled("unique"), serial = bundled("serial");
  const std::string longer = prompt_of(unique, requests_of(unique, 1)[0]), shorter = prompt_of(serial, requests_of(serial, 1)[0]);
  EXPECT_NE(longer.substr(0, 40), shorter.substr(0, 40));
}

TEST(Schedule, DurationOnlyClosedLoopIsPlannedInFull) {
  const auto schedule = plan(bundled("saturate"), 1);
  ASSERT_TRUE(schedule.has_value());
  EXPECT_EQ(schedule->requests.size(), kDurationOnlyRequests);
  EXPECT_EQ(schedule->requests.back().intended, Duration{-1});
  EXPECT_EQ(schedule->prefix_groups, 0u);
}

TEST(Schedule, ConstantArrivals) {
  Scenario s = bundled("unique");
  s.load = {LoadModel::kOpenConstant, 1, 8, 1, {}};
  s.stop = {std::nullopt, std::chrono::seconds(1)};
  const auto schedule = plan(s, 3);
  ASSERT_EQ(schedule->requests.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(schedule->requests[i].intended.count(), static_cast<std::int64_t>(i) * 125'000'000);
  s.stop.requests = 3;
  EXPECT_EQ(plan(s, 3)->requests.size(), 3u);
}

TEST(Schedule, PoissonArrivalsAscendWithTheRightMeanAndSpread) {
  Scenario s = bundled("unique");
  s.stop = {20'000u, std::nullopt};
  for (const double burstiness : {1.0, 4.0}) {
    s.load = {LoadModel::kOpenPoisson, 1, 100, burstiness, {}};
    const auto schedule = plan(s, 11);
    double sum = 0, squares = 0, previous = 0;
    for (const auto& request : schedule->requests) {
      const double at = core::to_seconds(request.intended);
      ASSERT_GE(at, previous);
      sum += at - previous;
      squares += (at - previous) * (at - previous);
      previous = at;
    }
    const double mean = sum / 20'000, variance = squares / 20'000 - mean * mean;
    EXPECT_NEAR(mean, 0.01, 0.0003);
    EXPECT_NEAR(variance / (mean * mean), 1 / burstiness, 0.06);
  }
}

TEST(Schedule, WeightsAreMet) {
  Scenario mix = bundled("mix");
  mix.stop = {10'000u, std::nullopt};
  std::map<int, int> counts;
  for (const auto& request : requests_of(mix, 9)) ++counts[request.workload];
  EXPECT_NEAR(counts[0], 5000, 200);
  EXPECT_NEAR(counts[1], 2000, 160);
  EXPECT_NEAR(counts[2], 3000, 180);
}

TEST(Schedule, PromptsHaveExactlyThePlannedTokens) {
  for (const auto name : {"mix", "unique", "shared-prefix", "serial"}) {
    Scenario s = bundled(name);
    s.stop = {60u, std::nullopt};
    std::set<std::string> texts;
    for (const auto& request : requests_of(s, 4)) {
      const PromptSpec& spec = s.workloads[request.workload].prompt;
      const std::string prompt = prompt_of(s, request);
      EXPECT_EQ(protocol::count_tokens(prompt), spec.tokens + spec.prefix_tokens + spec.suffix_tokens + request.extra_tokens);
      texts.insert(prompt);
    }
    EXPECT_EQ(texts.size(), 60u) << name;
  }
}

TEST(Schedule, GroupsShareTheirPrefixAndNothingElse) {
  const Scenario s = bundled("shared-prefix");
  const auto schedule = plan(s, 4);
  EXPECT_EQ(schedule->prefix_groups, 8u);
  std::map<int, std::string> prefix;
  std::map<int, int> size;
  for (const auto& request : schedule->requests) {
    std::string expected;
    protocol::append_words(expected, request.prefix_seed, 1024);
    const std::string prompt = prompt_of(s, request);
    ASSERT_EQ(prompt.substr(0, expected.size()), expected);
    const auto known = prefix.emplace(request.prefix_group, expected).first;
    EXPECT_EQ(known->second, expected);
    ++size[request.prefix_group];
  }
  ASSERT_EQ(prefix.size(), 8u);
  for (const auto& [group, count] : size) EXPECT_EQ(count, 30) << group;
  std::set<std::string> different;
  for (const auto& [group, text] : prefix) different.insert(text);
  EXPECT_EQ(different.size(), 8u);
}

TEST(Schedule, LiteralTextsInTurnWithTheirNumber) {
  const Scenario haiku = bundled("haiku");
  const auto schedule = plan(haiku, 1);
  ASSERT_EQ(schedule->requests.size(), 9u);
  EXPECT_EQ(prompt_of(haiku, schedule->requests[0]), "Write a haiku about the number 1");
  EXPECT_EQ(prompt_of(haiku, schedule->requests[8]), "Write a haiku about the number 9");
  EXPECT_EQ(schedule->requests[0].prefix_group, -1);
  Scenario cycled = haiku;
  cycled.workloads[0].prompt.texts = {"One text.", "Another, number {i} of {i}."};
  cycled.workloads[0].prompt.cycle_extra_tokens = {0, 5, 9};
  const auto six = plan(cycled, 1);
  EXPECT_EQ(prompt_of(cycled, six->requests[0]), "One text.");
  const std::string fourth = "Another, number 4 of 4.";
  EXPECT_EQ(prompt_of(cycled, six->requests[3]), fourth);
  EXPECT_EQ(six->requests[4].extra_tokens, 5u);
  EXPECT_EQ(protocol::count_tokens(prompt_of(cycled, six->requests[4])), protocol::count_tokens("One text.") + 5);
}

TEST(Schedule, PromptDigestsAreEqualExactlyForEqualTexts) {
  for (const auto name : {"seed-throughput", "mars-verbatim", "shared-prefix", "hello"}) {
    Scenario s = bundled(name);
    s.stop = {150u, std::nullopt};
    std::map<std::string, std::set<std::uint64_t>> digests;
    std::set<std::uint64_t> all;
    for (const auto& request : requests_of(s, 4)) {
      digests[prompt_of(s, request)].insert(request.prompt_digest);
      all.insert(request.prompt_digest);
    }
    for (const auto& [text, values] : digests) EXPECT_EQ(values.size(), 1u) << text.substr(0, 80);
    EXPECT_EQ(all.size(), digests.size()) << name;
  }
}

TEST(Schedule, MarsPrefixesAreBelowAndAboveAPage) {
  const Scenario verbatim = bundled("mars-verbatim"), prose = bundled("mars-long");
  const auto tokens_before_question = [](const Scenario& s) {
    const std::string& text = s.workloads[0].prompt.texts[0];
    return protocol::count_tokens(std::string_view(text).substr(0, text.find("Question")));
  };
  EXPECT_LT(tokens_before_question(verbatim), 128u);
  EXPECT_GE(tokens_before_question(prose), 6u * 128u);
  for (const Scenario* s : {&verbatim, &prose}) {
    for (const auto& request : requests_of(*s, 1)) EXPECT_EQ(request.prefix_group, 0);
  }
}

TEST(Schedule, OracleHitsByHand) {
  Scenario s = bundled("shared-prefix");
  s.workloads[0].prompt.groups = 2;
  s.workloads[0].prompt.prefix_tokens = 256;
  s.workloads[0].prompt.suffix_tokens = 10;
  s.workloads[0].prompt.cycle_extra_tokens = {};
  s.stop = {4u, std::nullopt};
  const auto schedule = plan(s, 4);
  std::vector<std::int32_t> spread;
  for (const auto& request : schedule->requests) spread.push_back(static_cast<std::int32_t>(request.index) % 2);
  const auto hits = oracle_hits(s, *schedule, 4, 128, {0, 0, 0, -1});
  EXPECT_EQ(hits.prompt_tokens, 4u * 266u);
  EXPECT_EQ(hits.shared_cache_hit_tokens, 2u * 256u);
  EXPECT_EQ(hits.per_replica_hit_tokens, 256u);
  EXPECT_EQ(oracle_hits(s, *schedule, 0, 128, spread).prompt_tokens, 0u);
  EXPECT_EQ(oracle_hits(s, *schedule, 4, 0, spread).prompt_tokens, 0u);
}

TEST(Schedule, OracleKnowsThatTheLastTokenIsAlwaysComputed) {
  Scenario s = bundled("hello");
  std::string text;
  protocol::append_words(text, 5, 256);
  s.workloads[0].prompt.texts = {text};
  s.stop = {2u, std::nullopt};
  const auto hits = oracle_hits(s, *plan(s, 1), 2, 128, {0, 0});
  EXPECT_EQ(hits.prompt_tokens, 512u);
  EXPECT_EQ(hits.shared_cache_hit_tokens, 128u);
  EXPECT_EQ(hits.per_replica_hit_tokens, 128u);
}

TEST(Schedule, MarsVerbatimCanHitNothingMarsLongCan) {
  const Scenario verbatim = bundled("mars-verbatim"), prose = bundled("mars-long");
  EXPECT_EQ(oracle_hits(verbatim, *plan(verbatim, 1), 5, 128, {}).shared_cache_hit_tokens, 0u);
  EXPECT_GE(oracle_hits(prose, *plan(prose, 1), 6, 128, {}).shared_cache_hit_tokens, 5u * 6u * 128u);
}

}  // namespace
}  // namespace scenarios
