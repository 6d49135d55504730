#include "simulator/engine/kv_cache.h"

#include <bit>

namespace simulator {

KvCache::KvCache(std::uint32_t num_blocks, std::uint32_t block_size_tokens, bool enable_prefix_caching)
    : block_size_(block_size_tokens), caching_(enable_prefix_caching), blocks_(num_blocks) {
  const std::size_t capacity = std::bit_ceil(std::size_t{num_blocks} * 2);
  entries_.assign(capacity, kNullBlock);
  shift_ = 64u - static_cast<unsigned>(std::countr_zero(capacity));
  for (BlockId block = 1; block < num_blocks; ++block) link_free(block, kNullBlock);
}

std::uint32_t KvCache::cached_prefix_blocks(std::span<const std::uint64_t> hashes, std::uint32_t num_tokens) const {
  if (!caching_ || num_tokens == 0) return 0;
  const std::uint32_t most = (num_tokens - 1) / block_size_;
  std::uint32_t hits = 0;
  while (hits < most && hits < hashes.size() && find(hashes[hits]) != kNullBlock) ++hits;
  return hits;
}

std::uint32_t KvCache::free_among(std::span<const std::uint64_t> cached_hashes) const {
  std::uint32_t count = 0;
  for (const auto hash : cached_hashes) count += blocks_[find(hash)].references == 0 ? 1 : 0;
  return count;
}

void KvCache::take_cached(std::span<const std::uint64_t> cached_hashes, std::vector<BlockId>& blocks) {
  for (const auto hash : cached_hashes) {
    const BlockId block = find(hash);
    if (blocks_[block].references++ == 0) unlink_free(block);
    blocks.push_back(block);
  }
}

bool KvCache::take_free(std::uint32_t count, std::vector<BlockId>& blocks) {
  if (count > free_count_) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const BlockId block = blocks_[kNullBlock].next_free;
    unlink_free(block);
    unname(block);
    blocks_[block].references = 1;
    blocks.push_back(block);
  }
  return true;
}

void KvCache::name_block(BlockId block, std::uint64_t hash) {
  Block& self = blocks_[block];
  if (!caching_ || self.named) return;
  self.named = true;
  self.hash = hash;
  std::size_t entry = find_entry(hash);
  const BlockId first = entries_[entry];
  if (first == kNullBlock) {
    entries_[entry] = block;
    self.previous_equal = self.next_equal = block;
    return;
  }
  const BlockId last = blocks_[first].previous_equal;
  self.previous_equal = last;
  self.next_equal = first;
  blocks_[last].next_equal = block;
  blocks_[first].previous_equal = block;
}

void KvCache::release(std::vector<BlockId>& blocks) {
  for (auto it = blocks.rbegin(); it != blocks.rend(); ++it) {
    Block& block = blocks_[*it];
    if (--block.references > 0) continue;
    link_free(*it, block.named ? kNullBlock : blocks_[kNullBlock].next_free);
  }
  blocks.clear();
}

bool KvCache::reset() {
  if (free_count_ != usable_blocks()) return false;
  for (BlockId block = 1; block < blocks_.size(); ++block) unname(block);
  return true;
}

double KvCache::usage() const { return 1.0 - static_cast<double>(free_count_) / static_cast<double>(usable_blocks()); }

std::size_t KvCache::find_entry(std::uint64_t hash) const {
  std::size_t entry = home(hash);
  while (entries_[entry] != kNullBlock && blocks_[entries_[entry]].hash != hash) {
    entry = (entry + 1) & (entries_.size() - 1);
  }
  return entry;
}

BlockId KvCache::find(std::uint64_t hash) const { return entries_[find_entry(hash)]; }

/// Removes an entry and closes the gap, so that no probe sequence is broken (Knuth 6.4, algorithm R).
void KvCache::erase_entry(std::size_t entry) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t gap = entry;
  for (std::size_t next = (gap + 1) & mask; entries_[next] != kNullBlock; next = (next + 1) & mask) {
    const std::size_t wanted = home(blocks_[entries_[next]].hash);
    if (((next - wanted) & mask) < ((next - gap) & mask)) continue;
    entries_[gap] = entries_[next];
    gap = next;
  }
  entries_[gap] = kNullBlock;
}

void KvCache::unname(BlockId block) {
  Block& self = blocks_[block];
  if (!self.named) return;
  self.named = false;
  const std::size_t entry = find_entry(self.hash);
  if (self.next_equal == block) {
    erase_entry(entry);
    return;
  }
  if (entries_[entry] == block) entries_[entry] = self.next_equal;
  blocks_[self.previous_equal].next_equal = self.next_equal;
  blocks_[self.next_equal].previous_equal = self.previous_equal;
}

void KvCache::link_free(BlockId block, BlockId before) {
  const BlockId previous = blocks_[before].previous_free;
  blocks_[block].previous_free = previous;
  blocks_[block].next_free = before;
  blocks_[previous].next_free = block;
  blocks_[before].previous_free = block;
  ++free_count_;
}

void KvCache::unlink_free(BlockId block) {
  blocks_[blocks_[block].previous_free].next_free = blocks_[block].next_free;
  blocks_[blocks_[block].next_free].previous_free = blocks_[block].previous_free;
  --free_count_;
}

std::vector<BlockId> KvCache::free_list() const {
  std::vector<BlockId> list;
  for (BlockId block = blocks_[kNullBlock].next_free; block != kNullBlock; block = blocks_[block].next_free) {
    list.push_back(block);
  }
  return list;
}

bool KvCache::consistent() const {
  std::uint32_t listed = 0;
  for (BlockId block = blocks_[kNullBlock].next_free; block != kNullBlock; block = blocks_[block].next_free) {
    if (blocks_[block].references != 0 || blocks_[blocks_[block].next_free].previous_free != block) return false;
    if (++listed > usable_blocks()) return false;
  }
  std::uint32_t unheld = 0;
  for (BlockId block = 1; block < blocks_.size(); ++block) {
    const Block& self = blocks_[block];
    unheld += self.references == 0 ? 1 : 0;
    if (!self.named) continue;
    const BlockId first = find(self.hash);
    if (first == kNullBlock || blocks_[first].hash != self.hash || !blocks_[first].named) return false;
    if (blocks_[self.next_equal].previous_equal != block || blocks_[self.next_equal].hash != self.hash) return false;
  }
  std::size_t entries = 0;
  for (const BlockId block : entries_) entries += block != kNullBlock ? 1 : 0;
  return listed == free_count_ && unheld == free_count_ && entries <= usable_blocks();
}

}  // namespace simulator
