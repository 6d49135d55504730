#include "simulator/engine/kv_cache.h"

#include <gtest/gtest.h>

#include "core/rng.h"

namespace simulator {
namespace {

using Hashes = std::vector<std::uint64_t>;
using Blocks = std::vector<BlockId>;

void name_all(KvCache& cache, const Blocks& blocks, const Hashes& hashes) {
  for (std::size_t i = 0; i < hashes.size(); ++i) cache.name_block(blocks[i], hashes[i]);
}

TEST(KvCache, StartsWithEveryBlockButTheNullBlockFree) {
  const KvCache cache(5, 16, true);
  EXPECT_EQ(cache.free_list(), (Blocks{1, 2, 3, 4}));
  EXPECT_EQ(cache.usable_blocks(), 4u);
  EXPECT_EQ(cache.usage(), 0.0);
  EXPECT_EQ(cache.blocks_for(0), 0u);
  EXPECT_EQ(cache.blocks_for(16), 1u);
  EXPECT_EQ(cache.blocks_for(17), 2u);
}

TEST(KvCache, ReleasePutsTheTailFirstAndUnnamedBlocksInFront) {
  KvCache cache(7, 16, true);
  Blocks blocks;
  ASSERT_TRUE(cache.take_free(4, blocks));
  EXPECT_EQ(blocks, (Blocks{1, 2, 3, 4}));
  EXPECT_EQ(cache.usage(), 1.0 - 2.0 / 6.0);
  name_all(cache, blocks, {101, 102, 103});  // block 4 is a partial one
  cache.release(blocks);
  EXPECT_TRUE(blocks.empty());
  EXPECT_EQ(cache.free_list(), (Blocks{4, 5, 6, 3, 2, 1}));
  EXPECT_EQ(cache.usage(), 0.0);
  EXPECT_TRUE(cache.consistent());
}

TEST(KvCache, EvictionTakesTheTailOfAPrefixFirst) {
  KvCache cache(4, 16, true);
  Blocks blocks;
  ASSERT_TRUE(cache.take_free(3, blocks));
  const Hashes hashes{11, 12, 13};
  name_all(cache, blocks, hashes);
  cache.release(blocks);
  EXPECT_EQ(cache.cached_prefix_blocks(hashes, 49), 3u);
  ASSERT_TRUE(cache.take_free(1, blocks));
  EXPECT_EQ(cache.cached_prefix_blocks(hashes, 49), 2u);
  ASSERT_TRUE(cache.take_free(1, blocks));
  EXPECT_EQ(cache.cached_prefix_blocks(hashes, 49), 1u);
  EXPECT_TRUE(cache.consistent());
}

TEST(KvCache, HitLengthLeavesTheLastTokenToCompute) {
  KvCache cache(6, 4, true);
  Blocks blocks;
  ASSERT_TRUE(cache.take_free(2, blocks));
  const Hashes hashes{21, 22};
  name_all(cache, blocks, hashes);
  EXPECT_EQ(cache.cached_prefix_blocks(hashes, 0), 0u);
  EXPECT_EQ(cache.cached_prefix_blocks(hashes, 4), 0u);
  EXPECT_EQ(cache.cached_prefix_blocks(hashes, 5), 1u);
  EXPECT_EQ(cache.cached_prefix_blocks(hashes, 8), 1u);
  EXPECT_EQ(cache.cached_prefix_blocks(hashes, 9), 2u);
  EXPECT_EQ(cache.cached_prefix_blocks(Hashes{22, 21}, 9), 2u) << "any order of known names is contiguous";
  EXPECT_EQ(cache.cached_prefix_blocks(Hashes{21, 99, 22}, 13), 1u);
  EXPECT_EQ(cache.cached_prefix_blocks(Hashes{99, 21}, 9), 0u);
}

TEST(KvCache, SharedBlocksComeFreeWithTheirLastHolder) {
  KvCache cache(4, 4, true);
  Blocks first, second;
  ASSERT_TRUE(cache.take_free(1, first));
  const Hashes hashes{31};
  name_all(cache, first, hashes);
  EXPECT_EQ(cache.free_among(hashes), 0u);
  cache.take_cached(hashes, second);
  EXPECT_EQ(second, first);
  EXPECT_EQ(cache.references(first[0]), 2u);
  cache.release(first);
  EXPECT_EQ(cache.free_blocks(), 2u);
  cache.release(second);
  EXPECT_EQ(cache.free_blocks(), 3u);
  EXPECT_EQ(cache.free_among(hashes), 1u);
  cache.take_cached(hashes, second);
  EXPECT_EQ(cache.free_list(), (Blocks{2, 3}));
}

TEST(KvCache, EqualBlocksAreKeptAndTheFirstNamedIsHit) {
  KvCache cache(4, 4, true);
  Blocks all, hit;
  ASSERT_TRUE(cache.take_free(3, all));
  for (const BlockId block : all) cache.name_block(block, 7);
  cache.take_cached(Hashes{7}, hit);
  EXPECT_EQ(hit, Blocks{1});
  cache.release(hit);
  cache.release(all);  // free: 3, 2, 1
  ASSERT_TRUE(cache.take_free(2, all));
  EXPECT_TRUE(cache.consistent());
  EXPECT_EQ(cache.cached_prefix_blocks(Hashes{7}, 5), 1u);
  ASSERT_TRUE(cache.take_free(1, all));
  EXPECT_EQ(cache.cached_prefix_blocks(Hashes{7}, 5), 0u);
}

TEST(KvCache, TooManyTakesNothing) {
  KvCache cache(4, 4, true);
  Blocks blocks;
  EXPECT_FALSE(cache.take_free(4, blocks));
  EXPECT_TRUE(blocks.empty());
  EXPECT_EQ(cache.free_blocks(), 3u);
}

TEST(KvCache, ResetOnlyWhenNothingIsHeld) {
  KvCache cache(4, 4, true);
  Blocks blocks;
  ASSERT_TRUE(cache.take_free(1, blocks));
  cache.name_block(blocks[0], 5);
  EXPECT_FALSE(cache.reset());
  EXPECT_EQ(cache.cached_prefix_blocks(Hashes{5}, 5), 1u);
  cache.release(blocks);
  EXPECT_TRUE(cache.reset());
  EXPECT_EQ(cache.cached_prefix_blocks(Hashes{5}, 5), 0u);
  EXPECT_TRUE(cache.consistent());
}

TEST(KvCache, WithoutCachingNothingHits) {
  KvCache cache(4, 4, false);
  Blocks blocks;
  ASSERT_TRUE(cache.take_free(1, blocks));
  cache.name_block(blocks[0], 5);
  EXPECT_EQ(cache.cached_prefix_blocks(Hashes{5}, 5), 0u);
}

TEST(KvCache, RandomOperationsConserveBlocks) {
  core::Rng rng(11);
  KvCache cache(40, 4, true);
  struct Holder {
    Hashes hashes;
    Blocks blocks;
  };
  std::vector<Holder> holders;
  for (int step = 0; step < 20000; ++step) {
    if (holders.size() < 8 && rng.below(2) == 0) {
      Holder holder;
      const std::uint64_t family = rng.below(12);
      const std::uint64_t length = 1 + rng.below(9);
      // Names collide in their low bits on purpose, so that probe sequences are long.
      for (std::uint64_t i = 0; i < length; ++i) holder.hashes.push_back((family << 40) + i);
      const auto tokens = static_cast<std::uint32_t>(length * 4 + rng.below(3));
      const std::uint32_t hits = cache.cached_prefix_blocks(holder.hashes, tokens);
      const auto cached = std::span<const std::uint64_t>(holder.hashes).first(hits);
      const std::uint32_t missing = cache.blocks_for(tokens) - hits;
      if (missing + cache.free_among(cached) <= cache.free_blocks()) {
        cache.take_cached(cached, holder.blocks);
        ASSERT_TRUE(cache.take_free(missing, holder.blocks));
        for (std::size_t i = hits; i < tokens / 4; ++i) cache.name_block(holder.blocks[i], holder.hashes[i]);
        holders.push_back(std::move(holder));
      }
    } else if (!holders.empty()) {
      const auto i = static_cast<std::size_t>(rng.below(holders.size()));
      cache.release(holders[i].blocks);
      holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(i));
    }
    ASSERT_TRUE(cache.consistent()) << "step " << step;
    std::vector<std::uint32_t> held(40, 0);
    for (const auto& holder : holders) {
      for (const BlockId block : holder.blocks) ++held[block];
    }
    for (BlockId block = 0; block < 40; ++block) ASSERT_EQ(cache.references(block), held[block]) << "step " << step;
  }
  for (auto& holder : holders) cache.release(holder.blocks);
  EXPECT_EQ(cache.free_blocks(), 39u);
}

}  // namespace
}  // namespace simulator
