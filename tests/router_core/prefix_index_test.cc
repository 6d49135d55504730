#include "router/core/prefix_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <vector>

#include "core/rng.h"
#include "router/core/mode.h"

namespace router {
namespace {

using Hashes = std::vector<std::uint64_t>;

std::vector<std::uint32_t> match(const PrefixIndex& index, const Hashes& hashes) {
  std::vector<std::uint32_t> matched(index.servers(), 99);
  index.match(hashes, matched);
  return matched;
}

PrefixIndex two_servers(RouterMode mode, std::size_t capacity) {
  PrefixIndex index(mode);
  index.resize(2);
  index.set_capacity(0, capacity);
  index.set_capacity(1, capacity);
  return index;
}

TEST(PrefixIndex, EppCountsBlocksAfterAGapWhileAnyServerHoldsThem) {
  auto index = two_servers(RouterMode::kEpp, 100);
  index.add(0, Hashes{1, 2, 3, 4});
  index.add(1, Hashes{3, 4});
  EXPECT_EQ(match(index, {1, 2, 3, 4, 5}), (std::vector<std::uint32_t>{4, 2}));
  EXPECT_EQ(match(index, {9, 1, 2}), (std::vector<std::uint32_t>{0, 0}));
}

TEST(PrefixIndex, ImprovedCountsTheUnbrokenRunOnly) {
  auto index = two_servers(RouterMode::kImproved, 100);
  index.add(0, Hashes{1, 2, 3, 4});
  index.add(1, Hashes{3, 4});
  EXPECT_EQ(match(index, {1, 2, 3, 4, 5}), (std::vector<std::uint32_t>{4, 0}));
}

TEST(PrefixIndex, EppEvictsTheHeadOfAPromptFirst) {
  auto index = two_servers(RouterMode::kEpp, 3);
  index.add(0, Hashes{1, 2, 3, 4});
  EXPECT_EQ(index.size(0), 3u);
  EXPECT_EQ(match(index, {1, 2, 3, 4})[0], 0u);  // the head is gone, so the walk stops at once
  EXPECT_EQ(match(index, {2, 3, 4})[0], 3u);
}

TEST(PrefixIndex, ImprovedEvictsTheTailFirst) {
  auto index = two_servers(RouterMode::kImproved, 3);
  index.add(0, Hashes{1, 2, 3, 4});
  EXPECT_EQ(match(index, {1, 2, 3, 4})[0], 3u);
  index.add(0, Hashes{7});
  EXPECT_EQ(match(index, {1, 2, 3, 4})[0], 2u);
  EXPECT_EQ(match(index, {7})[0], 1u);
}

TEST(PrefixIndex, CapacityIsFixedForEverInEppAndFollowsInImproved) {
  auto epp = two_servers(RouterMode::kEpp, 4);
  epp.set_capacity(0, 2);
  EXPECT_EQ(epp.capacity(0), 4u);
  auto improved = two_servers(RouterMode::kImproved, 4);
  improved.add(0, Hashes{1, 2, 3, 4});
  improved.set_capacity(0, 2);
  EXPECT_EQ(improved.size(0), 2u);
  EXPECT_EQ(match(improved, {1, 2, 3, 4})[0], 2u);
}

TEST(PrefixIndex, ClearForgetsOneServerAndZeroCapacityHoldsNothing) {
  auto index = two_servers(RouterMode::kImproved, 4);
  index.add(0, Hashes{1, 2});
  index.add(1, Hashes{1, 2});
  index.clear(0);
  EXPECT_EQ(match(index, {1, 2}), (std::vector<std::uint32_t>{0, 2}));
  index.add(0, Hashes{1});
  EXPECT_EQ(match(index, {1, 2}), (std::vector<std::uint32_t>{1, 2}));
  PrefixIndex empty(RouterMode::kEpp);
  empty.resize(1);
  empty.add(0, Hashes{1});
  EXPECT_EQ(empty.size(0), 0u);
}

TEST(BlockLru, AgreesWithANaiveModelOverRandomOperations) {
  core::Rng rng(7);
  BlockLru lru;
  std::list<std::uint64_t> model;  // newest first
  std::size_t capacity = 50;
  lru.set_capacity(capacity);
  for (int step = 0; step < 20000; ++step) {
    // Equal low bits on purpose: they share a bucket.
    const std::uint64_t hash = rng.below(120) << 32 | rng.below(2);
    lru.touch(hash);
    model.remove(hash);
    model.push_front(hash);
    while (model.size() > capacity) model.pop_back();
    if (step % 5000 == 4999) {
      capacity = 20 + rng.below(60);
      lru.set_capacity(capacity);
    }
    while (model.size() > capacity) model.pop_back();
    ASSERT_EQ(lru.size(), model.size());
    const std::uint64_t probe = rng.below(120) << 32 | rng.below(2);
    const bool held = std::find(model.begin(), model.end(), probe) != model.end();
    ASSERT_EQ(lru.contains(probe), held) << "step " << step;
  }
}

}  // namespace
}  // namespace router
