#include "router/core/pipeline.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "alloc_count.h"

namespace router {
namespace {

constexpr core::TimePoint kNow{core::Duration{5'000'000'000}};

PickerConfig builtin(std::string_view name) {
  auto config = load_builtin_config(name);
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return *config;
}

PickerConfig parsed(std::string_view scorers) {
  std::string yaml = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n";
  yaml += scorers;
  auto config = load_picker_config(yaml, "test.yaml");
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return *config;
}

PipelineOptions options(RouterMode mode, Policy policy = Policy::kConfig, std::uint64_t seed = 1) {
  PipelineOptions result;
  result.mode = mode;
  result.policy = policy;
  result.seed = seed;
  return result;
}

std::vector<EndpointState> fresh(std::size_t n) {
  std::vector<EndpointState> endpoints(n);
  for (auto& endpoint : endpoints) {
    endpoint.sampled = true;
    endpoint.sampled_at = kNow;
  }
  return endpoints;
}

RoutingRequest request_of(const std::vector<std::uint64_t>& hashes) { return RoutingRequest{"m", hashes, 640}; }

// Makes endpoint `e` the holder of `hashes` by letting it be the only healthy candidate.
void teach(Pipeline& pipeline, std::vector<EndpointState> endpoints, std::uint32_t e, const std::vector<std::uint64_t>& hashes) {
  for (std::size_t i = 0; i < endpoints.size(); ++i) endpoints[i].draining = i != e;
  ASSERT_EQ(pipeline.route(request_of(hashes), endpoints, kNow).endpoint, e);
}

TEST(Pipeline, WorkedExampleOfThreeTwoTwo) {
  Pipeline pipeline(builtin("default"), options(RouterMode::kEpp));
  auto endpoints = fresh(2);
  const std::vector<std::uint64_t> hashes{1, 2, 3};
  teach(pipeline, endpoints, 0, hashes);
  endpoints[0].kv_used_fraction = .9;
  endpoints[1].kv_used_fraction = .1;
  auto pick = pipeline.route(request_of(hashes), endpoints, kNow);
  EXPECT_EQ(pick.endpoint, 0u);
  EXPECT_DOUBLE_EQ(pick.totals[0], 5.2);
  EXPECT_DOUBLE_EQ(pick.totals[1], 3.8);
  EXPECT_EQ(pick.matched_blocks, 3u);
  EXPECT_EQ(pick.total_blocks, 3u);
  EXPECT_DOUBLE_EQ(pick.scores.at(0, 0), 1);
  EXPECT_NEAR(pick.scores.at(1, 0), .1, 1e-12);
  EXPECT_DOUBLE_EQ(pick.scores.at(2, 1), 1);

  endpoints[0].waiting = 1;  // one queued request flips it
  pick = pipeline.route(request_of(hashes), endpoints, kNow);
  EXPECT_EQ(pick.endpoint, 1u);
  EXPECT_DOUBLE_EQ(pick.totals[0], 3.2);
  EXPECT_DOUBLE_EQ(pick.totals[1], 3.8);
  EXPECT_EQ(pick.ranked.size(), 2u);
  EXPECT_EQ(pick.ranked[1], 0u);
}

TEST(Pipeline, LoadAwareCannotMoveTrafficOnceAQuarterHits) {
  Pipeline pipeline(builtin("kserve"), options(RouterMode::kEpp));
  auto endpoints = fresh(2);
  std::vector<std::uint64_t> hashes;
  for (std::uint64_t i = 0; i < 10; ++i) hashes.push_back(100 + i);
  teach(pipeline, endpoints, 0, {hashes.begin(), hashes.begin() + 3});
  endpoints[0].waiting = 128;
  auto pick = pipeline.route(request_of(hashes), endpoints, kNow);
  EXPECT_EQ(pick.endpoint, 0u);
  EXPECT_NEAR(pick.totals[0], .6, 1e-12);
  EXPECT_NEAR(pick.totals[1], .5, 1e-12);
}

TEST(Pipeline, HermeticTableOfThePicker) {
  // Queue, kv and prefix with weight 1, no hits: (3,.2) (0,.1) (10,.2) → the second.
  Pipeline pipeline(parsed("- type: queue-scorer\n- type: kv-cache-utilization-scorer\n- type: prefix-cache-scorer\n"),
                    options(RouterMode::kEpp));
  auto endpoints = fresh(3);
  const std::array<std::pair<double, double>, 3> loads{{{3, .2}, {0, .1}, {10, .2}}};
  for (std::size_t i = 0; i < 3; ++i) {
    endpoints[i].waiting = loads[i].first;
    endpoints[i].kv_used_fraction = loads[i].second;
  }
  EXPECT_EQ(pipeline.route(request_of({}), endpoints, kNow).endpoint, 1u);
}

TEST(Pipeline, ScoresAreClampedBeforeWeighting) {
  Pipeline pipeline(parsed("- type: kv-cache-utilization-scorer\n"), options(RouterMode::kEpp));
  auto endpoints = fresh(2);
  endpoints[0].kv_used_fraction = 1.5;   // 1 − 1.5 < 0
  endpoints[1].kv_used_fraction = -0.5;  // 1 + 0.5 > 1
  const auto pick = pipeline.route(request_of({}), endpoints, kNow);
  EXPECT_EQ(pick.totals[0], 0);
  EXPECT_EQ(pick.totals[1], 1);
}

TEST(Pipeline, NobodyToPick) {
  Pipeline pipeline(builtin("default"), options(RouterMode::kImproved));
  EXPECT_FALSE(pipeline.route(request_of({}), {}, kNow).found());
  auto endpoints = fresh(2);
  endpoints[0].healthy = false;
  endpoints[1].draining = true;
  EXPECT_FALSE(pipeline.route(request_of({}), endpoints, kNow).found());
}

TEST(Pipeline, EppRoutesToTheUnhealthyAsThePickerDoes) {
  Pipeline pipeline(builtin("default"), options(RouterMode::kEpp));
  auto endpoints = fresh(1);
  endpoints[0].healthy = false;
  EXPECT_EQ(pipeline.route(request_of({}), endpoints, kNow).endpoint, 0u);
}

TEST(Pipeline, ImprovedRotatesAmongTies) {
  Pipeline pipeline(builtin("default"), options(RouterMode::kImproved));
  const auto endpoints = fresh(3);
  std::vector<std::uint32_t> picks;
  for (int i = 0; i < 6; ++i) picks.push_back(pipeline.route(request_of({}), endpoints, kNow).endpoint);
  EXPECT_EQ(picks, (std::vector<std::uint32_t>{0, 1, 2, 0, 1, 2}));
}

TEST(Pipeline, EppBreaksTiesAtRandomAndReproducibly) {
  const auto endpoints = fresh(3);
  const auto run = [&](std::uint64_t seed) {
    Pipeline pipeline(builtin("default"), options(RouterMode::kEpp, Policy::kConfig, seed));
    std::vector<std::uint32_t> picks;
    for (int i = 0; i < 300; ++i) picks.push_back(pipeline.route(request_of({}), endpoints, kNow).endpoint);
    return picks;
  };
  const auto picks = run(1);
  EXPECT_EQ(picks, run(1));
  EXPECT_NE(picks, run(2));
  std::array<int, 3> counts{};
  for (const auto pick : picks) ++counts[pick];
  for (const auto count : counts) EXPECT_GT(count, 60);  // 100 expected, deviation 8.2
}

TEST(Pipeline, ABurstBetweenScrapesSpreadsInImprovedMode) {
  Pipeline pipeline(builtin("default"), options(RouterMode::kImproved));
  auto endpoints = fresh(3);
  endpoints[2].kv_used_fraction = .01;  // no ties: without own counts everything would herd
  std::array<int, 3> counts{};
  for (int i = 0; i < 30; ++i) {
    const auto pick = pipeline.route(request_of({}), endpoints, kNow);
    static_cast<void>(begin_request(endpoints[pick.endpoint], pick.uncached_tokens));
    ++counts[pick.endpoint];
  }
  EXPECT_EQ(counts, (std::array<int, 3>{10, 10, 10}));
}

TEST(Pipeline, ABurstHerdsInEppMode) {
  Pipeline pipeline(builtin("default"), options(RouterMode::kEpp));
  auto endpoints = fresh(3);
  endpoints[1].kv_used_fraction = .01;
  endpoints[2].kv_used_fraction = .01;
  for (int i = 0; i < 10; ++i) {
    const auto pick = pipeline.route(request_of({}), endpoints, kNow);
    static_cast<void>(begin_request(endpoints[pick.endpoint], pick.uncached_tokens));
    EXPECT_EQ(pick.endpoint, 0u);
  }
}

TEST(Pipeline, StaleMetricsCountAsUnknownInImprovedModeOnly) {
  auto endpoints = fresh(2);
  endpoints[0].sampled_at = kNow - core::Duration{1'500'000'000};  // died looking idle
  endpoints[1].kv_used_fraction = .2;
  Pipeline epp(builtin("default"), options(RouterMode::kEpp));
  EXPECT_EQ(epp.route(request_of({}), endpoints, kNow).endpoint, 0u);
  Pipeline improved(builtin("default"), options(RouterMode::kImproved));
  const auto pick = improved.route(request_of({}), endpoints, kNow);
  EXPECT_EQ(pick.endpoint, 1u);
  EXPECT_DOUBLE_EQ(pick.totals[0], 2 * .5 + 2 * .5);
  EXPECT_DOUBLE_EQ(pick.totals[1], 2 * .8 + 2);
}

TEST(Pipeline, UncachedTokensAreWhatThePickMustCompute) {
  Pipeline pipeline(builtin("default"), options(RouterMode::kImproved));
  const auto endpoints = fresh(1);
  EXPECT_EQ(pipeline.route(request_of({1, 2, 3, 4}), endpoints, kNow).uncached_tokens, 640u);
  EXPECT_EQ(pipeline.route(request_of({1, 2, 9, 8}), endpoints, kNow).uncached_tokens, 640u - 2 * 64);
}

TEST(Pipeline, NoHitLruRotatesColdRequests) {
  Pipeline pipeline(parsed("- type: no-hit-lru-scorer\n- type: prefix-cache-scorer\n"), options(RouterMode::kEpp));
  const auto endpoints = fresh(3);
  std::vector<std::uint32_t> picks;
  for (std::uint64_t i = 0; i < 4; ++i) {
    const std::vector<std::uint64_t> cold{1000 + i};
    const auto pick = pipeline.route(request_of(cold), endpoints, kNow);
    picks.push_back(pick.endpoint);
    if (i == 1) {
      // After A was used: A 0, B 1, C .5.
      EXPECT_EQ(pick.scores.at(0, 0), 0);
      EXPECT_EQ(pick.scores.at(0, 1), 1);
      EXPECT_EQ(pick.scores.at(0, 2), .5);
    }
  }
  EXPECT_EQ(picks, (std::vector<std::uint32_t>{0, 1, 2, 0}));
}

TEST(Pipeline, CapacityIsInTokensInImprovedModeAndInEngineBlocksInEpp) {
  auto endpoints = fresh(1);
  endpoints[0].num_gpu_blocks = 400;
  endpoints[0].block_size_tokens = 16;
  Pipeline improved(builtin("default"), options(RouterMode::kImproved));
  static_cast<void>(improved.route(request_of({1}), endpoints, kNow));
  EXPECT_EQ(improved.prefix_index().capacity(0), 400u * 16 / 64);
  Pipeline epp(builtin("default"), options(RouterMode::kEpp));
  static_cast<void>(epp.route(request_of({1}), endpoints, kNow));
  EXPECT_EQ(epp.prefix_index().capacity(0), 400u);
  Pipeline unknown(builtin("default"), options(RouterMode::kEpp));
  static_cast<void>(unknown.route(request_of({1}), fresh(1), kNow));
  EXPECT_EQ(unknown.prefix_index().capacity(0), 31250u);
}

TEST(Pipeline, CacheLostAndRemovedByMode) {
  const auto endpoints = fresh(2);
  const std::vector<std::uint64_t> hashes{1, 2};
  Pipeline improved(builtin("default"), options(RouterMode::kImproved));
  teach(improved, endpoints, 1, hashes);
  improved.cache_lost(1);
  EXPECT_EQ(improved.prefix_index().size(1), 0u);
  Pipeline epp(builtin("default"), options(RouterMode::kEpp));
  teach(epp, endpoints, 1, hashes);
  epp.cache_lost(1);
  EXPECT_EQ(epp.prefix_index().size(1), 2u);
  epp.removed(1);
  auto gone = endpoints;
  gone[1].draining = true;
  static_cast<void>(epp.route(request_of({7}), gone, kNow + std::chrono::seconds(119)));
  EXPECT_EQ(epp.prefix_index().size(1), 2u);
  static_cast<void>(epp.route(request_of({7}), gone, kNow + std::chrono::seconds(120)));
  EXPECT_EQ(epp.prefix_index().size(1), 0u);
}

TEST(Pipeline, AFallbackThatServedHoldsTheBlocks) {
  const auto endpoints = fresh(2);
  const std::vector<std::uint64_t> hashes{1, 2, 3};
  Pipeline pipeline(builtin("default"), options(RouterMode::kImproved));
  teach(pipeline, endpoints, 0, hashes);
  pipeline.served_elsewhere(1, request_of(hashes), endpoints);
  EXPECT_EQ(pipeline.prefix_index().size(1), 3u);
}

TEST(Pipeline, ModeAndPolicyNames) {
  for (const auto mode : {RouterMode::kEpp, RouterMode::kImproved}) EXPECT_EQ(router_mode_of(name_of(mode)), mode);
  for (const auto policy : {Policy::kConfig, Policy::kRandom, Policy::kRoundRobin}) EXPECT_EQ(policy_of(name_of(policy)), policy);
  EXPECT_FALSE(policy_of("roundrobin").has_value());
  EXPECT_FALSE(router_mode_of("EPP").has_value());
}

TEST(Pipeline, PoliciesIgnoreTheConfiguration) {
  const auto endpoints = fresh(3);
  Pipeline robin(builtin("default"), options(RouterMode::kImproved, Policy::kRoundRobin));
  std::vector<std::uint32_t> picks;
  for (int i = 0; i < 4; ++i) picks.push_back(robin.route(request_of({1, 2}), endpoints, kNow).endpoint);
  EXPECT_EQ(picks, (std::vector<std::uint32_t>{0, 1, 2, 0}));
  Pipeline random(builtin("default"), options(RouterMode::kImproved, Policy::kRandom));
  std::array<int, 3> counts{};
  for (int i = 0; i < 300; ++i) ++counts[random.route(request_of({1, 2}), endpoints, kNow).endpoint];
  for (const auto count : counts) EXPECT_GT(count, 60);
}

TEST(Pipeline, WeightedRandomFollowsTheScoresAndSkipsZero) {
  Pipeline pipeline(parsed("- type: kv-cache-utilization-scorer\n- type: weighted-random-picker\n"), options(RouterMode::kEpp));
  auto endpoints = fresh(3);
  endpoints[0].kv_used_fraction = .25;
  endpoints[1].kv_used_fraction = .75;
  endpoints[2].kv_used_fraction = 1;
  std::array<int, 3> counts{};
  for (int i = 0; i < 1000; ++i) ++counts[pipeline.route(request_of({}), endpoints, kNow).endpoint];
  EXPECT_EQ(counts[2], 0);
  EXPECT_NEAR(counts[0], 750, 60);  // four standard deviations
}

TEST(Pipeline, GeometryPerReleaseFamily) {
  PrefixSettings router09;
  EXPECT_EQ(block_geometry(router09, 0).block_bytes, 256u);
  EXPECT_EQ(block_geometry(router09, 128).block_bytes, 512u);
  EXPECT_EQ(block_geometry(router09, 0).max_blocks, 2048u);
  router09.auto_tune = false;
  EXPECT_EQ(block_geometry(router09, 128).block_tokens, 64u);
  const auto kserve = builtin("kserve").prefix;
  EXPECT_EQ(block_geometry(kserve, 128).block_bytes, 64u);
  EXPECT_EQ(block_geometry(kserve, 128).block_tokens, 16u);
  EXPECT_EQ(block_geometry(kserve, 128).max_blocks, 256u);
}

TEST(Pipeline, HashPromptHonoursTheGeometry) {
  Pipeline pipeline(builtin("default"), options(RouterMode::kImproved));
  const auto endpoints = fresh(2);
  std::vector<std::uint64_t> hashes;
  pipeline.hash_prompt("m", "", std::string(600, 'x'), endpoints, hashes);
  EXPECT_EQ(hashes.size(), 3u);
  Pipeline random(builtin("default"), options(RouterMode::kImproved, Policy::kRandom));
  random.hash_prompt("m", "", std::string(600, 'x'), endpoints, hashes);
  EXPECT_TRUE(hashes.empty());
}

TEST(Pipeline, RouteAllocatesNothingOnceWarm) {
  for (const auto mode : {RouterMode::kEpp, RouterMode::kImproved}) {
    Pipeline pipeline(parsed("- type: prefix-cache-scorer\n- type: kv-cache-utilization-scorer\n- type: queue-scorer\n"
                             "- type: running-requests-size-scorer\n- type: load-aware-scorer\n- type: active-request-scorer\n"
                             "- type: token-load-scorer\n- type: no-hit-lru-scorer\n"),
                      options(mode));
    auto endpoints = fresh(8);
    for (auto& endpoint : endpoints) {
      endpoint.num_gpu_blocks = 256;
      endpoint.block_size_tokens = 128;
    }
    std::vector<std::uint64_t> hashes;
    const std::string prompt(20000, 'y');
    std::uint64_t salt = 0;
    const auto turn = [&] {
      const std::array<char, 4> text{static_cast<char>('a' + salt % 26), static_cast<char>('a' + salt / 26 % 26),
                                     static_cast<char>('a' + salt / 676 % 26), 'z'};
      ++salt;
      pipeline.hash_prompt("model", std::string_view(text.data(), text.size()), prompt, endpoints, hashes);
      const auto pick = pipeline.route(RoutingRequest{"model", hashes, estimated_tokens(prompt.size())}, endpoints, kNow);
      auto charge = begin_request(endpoints[pick.endpoint], pick.uncached_tokens);
      end_request(endpoints[pick.endpoint], charge);
    };
    for (int i = 0; i < 2000; ++i) turn();
    const auto before = test::allocations();
    for (int i = 0; i < 2000; ++i) turn();
    EXPECT_EQ(test::allocations(), before) << name_of(mode);
  }
}

}  // namespace
}  // namespace router
