#include "router/core/scorers.h"

#include <gtest/gtest.h>

#include <vector>

namespace router {
namespace {

/// A ScoringInput that owns its columns; every column has `n` entries.
struct Table {
  explicit Table(std::size_t n)
      : waiting(n), running(n), kv(n), stale(n), requests(n), tokens(n), matched(n), cold(n) {}
  std::vector<double> waiting, running, kv;
  std::vector<std::uint8_t> stale;
  std::vector<std::uint64_t> requests, tokens;
  std::vector<std::uint32_t> matched, cold;
  std::uint32_t total_blocks = 0, block_tokens = 1;
  std::uint64_t prompt_tokens = 0;

  [[nodiscard]] std::vector<double> run(const ScorerSpec& scorer) const {
    ScoringInput input{waiting, running, kv, stale, requests, tokens, matched, cold, total_blocks, block_tokens, prompt_tokens};
    std::vector<double> scores(waiting.size(), -1);
    score(scorer, input, scores);
    return scores;
  }
};

ScorerSpec spec(ScorerKind kind) {
  ScorerSpec scorer;
  scorer.kind = kind;
  return scorer;
}

void expect_scores(const std::vector<double>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-12) << "candidate " << i;
}

std::vector<double> queue_scores(ScorerKind kind, std::vector<double> values) {
  Table table(values.size());
  (kind == ScorerKind::kQueue ? table.waiting : table.running) = std::move(values);
  return table.run(spec(kind));
}

TEST(Scorers, QueueIsMinMaxAndAllEqualIsOne) {
  expect_scores(queue_scores(ScorerKind::kQueue, {10, 5, 0}), {0, .5, 1});
  expect_scores(queue_scores(ScorerKind::kQueue, {5, 5}), {1, 1});
  expect_scores(queue_scores(ScorerKind::kQueue, {0, 0}), {1, 1});
  expect_scores(queue_scores(ScorerKind::kQueue, {1, 0}), {0, 1});
  expect_scores(queue_scores(ScorerKind::kRunningRequests, {10, 5, 0}), {0, .5, 1});
}

TEST(Scorers, StaleCandidatesAreNeutralAndOutsideTheRange) {
  Table table(3);
  table.waiting = {1000, 4, 0};
  table.kv = {0, .25, .5};
  table.stale = {1, 0, 0};
  expect_scores(table.run(spec(ScorerKind::kQueue)), {.5, 0, 1});
  expect_scores(table.run(spec(ScorerKind::kKvCacheUtilization)), {.5, .75, .5});
  expect_scores(table.run(spec(ScorerKind::kLoadAware)), {.25, .5 * (1 - 4.0 / 128), .5});
  table.stale = {1, 1, 1};
  expect_scores(table.run(spec(ScorerKind::kQueue)), {.5, .5, .5});
}

TEST(Scorers, KvCacheUtilization) {
  Table three(3);
  three.kv = {.8, .5, 0};
  expect_scores(three.run(spec(ScorerKind::kKvCacheUtilization)), {.2, .5, 1});
  Table two(2);
  two.kv = {.6, .6};
  expect_scores(two.run(spec(ScorerKind::kKvCacheUtilization)), {.4, .4});
  two.kv = {1, .5};
  expect_scores(two.run(spec(ScorerKind::kKvCacheUtilization)), {0, .5});
}

TEST(Scorers, LoadAwareTopsOutAtOneHalf) {
  Table table(3);
  table.waiting = {2, 0, 15};
  auto scorer = spec(ScorerKind::kLoadAware);
  scorer.waiting_threshold = 10;
  expect_scores(table.run(scorer), {.4, .5, 0});
}

TEST(Scorers, PrefixRatioAndLengthTerm) {
  Table table(2);
  table.matched = {5, 2};
  table.total_blocks = 10;
  expect_scores(table.run(spec(ScorerKind::kPrefixCache)), {.5, .2});
  auto weighted = spec(ScorerKind::kPrefixCache);
  weighted.match_length_weight = .5;
  weighted.match_length_scale_tokens = 100;
  Table one(1);
  one.matched = {5};
  one.total_blocks = 10;
  expect_scores(one.run(weighted), {.25125});
  one.matched = {50};
  one.total_blocks = 100;
  expect_scores(one.run(weighted), {.375});
  one.total_blocks = 0;
  expect_scores(one.run(weighted), {0});
  expect_scores(one.run(spec(ScorerKind::kPrefixCache)), {0});
}

TEST(Scorers, ActiveRequest) {
  Table three(3);
  three.requests = {3, 0, 6};
  expect_scores(three.run(spec(ScorerKind::kActiveRequest)), {.5, 1, 0});
  three.requests = {4, 0, 1};
  expect_scores(three.run(spec(ScorerKind::kActiveRequest)), {0, 1, .75});
  Table two(2);
  expect_scores(two.run(spec(ScorerKind::kActiveRequest)), {1, 1});
  two.requests = {1, 0};
  auto strict = spec(ScorerKind::kActiveRequest);
  strict.max_busy_score = 0;
  expect_scores(two.run(strict), {0, 1});
}

TEST(Scorers, TokenLoadCountsOwnUncachedTokens) {
  Table table(3);
  table.tokens = {0, 500, 1000};
  auto scorer = spec(ScorerKind::kTokenLoad);
  scorer.queue_threshold_tokens = 1000;
  expect_scores(table.run(scorer), {1, .5, 0});
  table.tokens = {0, 0, 500};
  table.prompt_tokens = 250;
  table.matched = {0, 250, 0};
  expect_scores(table.run(scorer), {.75, 1, .25});
  table.tokens = {0, 250, 750};
  table.matched = {0, 0, 0};
  expect_scores(table.run(scorer), {.75, .5, 0});
  expect_scores(Table(1).run(scorer), {1});
}

TEST(Scorers, NoHitLruRanksColdRequests) {
  Table table(3);
  table.cold = {0, 1, 2};
  expect_scores(table.run(spec(ScorerKind::kNoHitLru)), {1, .5, 0});
  table.matched = {0, 1, 0};
  expect_scores(table.run(spec(ScorerKind::kNoHitLru)), {.5, .5, .5});
  expect_scores(Table(1).run(spec(ScorerKind::kNoHitLru)), {1});
}

TEST(Scorers, NoCandidatesIsNoWork) {
  for (const auto kind : {ScorerKind::kQueue, ScorerKind::kPrefixCache, ScorerKind::kNoHitLru, ScorerKind::kActiveRequest}) {
    EXPECT_TRUE(Table(0).run(spec(kind)).empty());
  }
}

}  // namespace
}  // namespace router
