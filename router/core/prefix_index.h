// PrefixIndex: which server is thought to hold which prefix blocks, one LRU per server.
// Owned by the pipeline. Two behaviours: as the endpoint picker has it, and improved (per-server contiguous match,
// tail-first eviction). Not imitated: the picker's ghost entries of prompts longer than its LRU.
// It allocates only while a server's LRU is still growing towards its capacity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace router {

enum class RouterMode;

/// An LRU set of block hashes with a capacity: open hashing over one node array.
class BlockLru {
 public:
  /// 0: not set yet. A smaller capacity than before evicts the oldest.
  void set_capacity(std::size_t blocks);
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool contains(std::uint64_t hash) const;
  /// Inserts or refreshes as the most recent; evicts the oldest when full.
  void touch(std::uint64_t hash);
  void clear();

 private:
  static constexpr std::uint32_t kNone = 0xffffffffu;
  struct Node {
    std::uint64_t hash = 0;
    std::uint32_t newer = kNone, older = kNone, next_in_bucket = kNone;
  };
  [[nodiscard]] std::size_t bucket_of(std::uint64_t hash) const { return static_cast<std::size_t>(hash) & (buckets_.size() - 1); }
  [[nodiscard]] std::uint32_t find(std::uint64_t hash) const;
  [[nodiscard]] std::uint32_t new_node();
  void evict_oldest();
  void link_newest(std::uint32_t node);
  void unlink(std::uint32_t node);
  void leave_bucket(std::uint32_t node);
  void grow_buckets();

  std::size_t capacity_ = 0, size_ = 0;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> buckets_;
  std::uint32_t newest_ = kNone, oldest_ = kNone, free_ = kNone;
};

class PrefixIndex {
 public:
  explicit PrefixIndex(RouterMode mode) : mode_(mode) {}

  void resize(std::size_t servers);
  [[nodiscard]] std::size_t servers() const { return servers_.size(); }
  /// Sets matched[s] to the number of leading blocks server s holds. epp: walks while any server holds h_i and counts
  /// each holder, so a server may lack early blocks; improved: each server's own unbroken run.
  void match(std::span<const std::uint64_t> hashes, std::span<std::uint32_t> matched) const;
  /// Notes that `server` will hold the prompt's blocks.
  void add(std::size_t server, std::span<const std::uint64_t> hashes);
  /// Blocks the server can hold. epp: the first value stays for ever; improved: follows.
  void set_capacity(std::size_t server, std::size_t blocks);
  void clear(std::size_t server);
  [[nodiscard]] std::size_t size(std::size_t server) const { return servers_[server].size(); }
  [[nodiscard]] std::size_t capacity(std::size_t server) const { return servers_[server].capacity(); }

 private:
  RouterMode mode_;
  std::vector<BlockLru> servers_;
};

}  // namespace router
