// KvCache: paged key-value blocks with prefix caching, as vLLM V1's block pool keeps them. Called by the Batcher only.
// It must never allocate memory after construction and never hand out a block that somebody holds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace simulator {

using BlockId = std::uint32_t;
inline constexpr BlockId kNullBlock = 0;

/// Blocks 1 … num_blocks-1; block 0 is the null block and is never given out. Free blocks form one doubly linked LRU
/// list: taken from the head, put back at the tail. A free block keeps its hash and can be hit until it is taken.
class KvCache {
 public:
  /// num_blocks >= 2, block_size_tokens >= 1.
  KvCache(std::uint32_t num_blocks, std::uint32_t block_size_tokens, bool enable_prefix_caching);

  /// How many leading blocks of a sequence of `num_tokens` tokens are cached without a gap. At most
  /// floor((num_tokens - 1) / block_size): the last token is always computed, and with it its whole block.
  [[nodiscard]] std::uint32_t cached_prefix_blocks(std::span<const std::uint64_t> hashes, std::uint32_t num_tokens) const;
  /// How many of these cached blocks nobody holds: taking them uses up that many free blocks.
  [[nodiscard]] std::uint32_t free_among(std::span<const std::uint64_t> cached_hashes) const;

  /// Takes a reference on each cached block and appends the ids. Every hash must be cached.
  void take_cached(std::span<const std::uint64_t> cached_hashes, std::vector<BlockId>& blocks);
  /// Takes `count` blocks from the head of the free list, dropping what they cached. False, and nothing taken, when
  /// there are not enough.
  bool take_free(std::uint32_t count, std::vector<BlockId>& blocks);
  /// Names a held block by its content, so that it can be hit. Blocks of equal content are all kept; the one that was
  /// named first is hit. Does nothing when caching is off or the block has a name.
  void name_block(BlockId block, std::uint64_t hash);
  /// Gives back a sequence's blocks, last block first, so that a prefix loses its tail before its head. Blocks without
  /// a name go to the head of the free list: they are of no more use. Clears `blocks`.
  void release(std::vector<BlockId>& blocks);
  /// Forgets every name. False, and nothing forgotten, while any block is held.
  bool reset();

  [[nodiscard]] std::uint32_t blocks_for(std::uint32_t tokens) const { return (tokens + block_size_ - 1) / block_size_; }
  [[nodiscard]] std::uint32_t block_size_tokens() const { return block_size_; }
  [[nodiscard]] std::uint32_t usable_blocks() const { return static_cast<std::uint32_t>(blocks_.size()) - 1; }
  [[nodiscard]] std::uint32_t free_blocks() const { return free_count_; }
  [[nodiscard]] std::uint32_t references(BlockId block) const { return blocks_[block].references; }
  /// 1 - free / (num_blocks - 1): cached blocks that nobody holds count as free.
  [[nodiscard]] double usage() const;
  /// Free blocks from head (next to be taken) to tail. For inspection; it allocates.
  [[nodiscard]] std::vector<BlockId> free_list() const;
  /// True when lists, counts and names agree with each other. For tests; it walks everything.
  [[nodiscard]] bool consistent() const;

 private:
  struct Block {
    std::uint64_t hash = 0;
    std::uint32_t references = 0;
    BlockId previous_free = kNullBlock, next_free = kNullBlock;
    BlockId previous_equal = kNullBlock, next_equal = kNullBlock;  ///< ring of blocks with the same name
    bool named = false;
  };

  [[nodiscard]] std::size_t home(std::uint64_t hash) const { return (hash * 0x9e3779b97f4a7c15ULL) >> shift_; }
  [[nodiscard]] std::size_t find_entry(std::uint64_t hash) const;
  [[nodiscard]] BlockId find(std::uint64_t hash) const;
  void erase_entry(std::size_t entry);
  void unname(BlockId block);
  void link_free(BlockId block, BlockId before);
  void unlink_free(BlockId block);

  std::uint32_t block_size_;
  bool caching_;
  std::uint32_t free_count_ = 0;
  std::vector<Block> blocks_;     ///< the null block is the list's sentinel
  std::vector<BlockId> entries_;  ///< open addressing by hash: first block of that name, or kNullBlock
  unsigned shift_ = 0;
};

}  // namespace simulator
