// The approximate prefix index: one LRU of block hashes per server, and the two ways to match and to add.
// Called by the pipeline once per pick; no I/O, no clock.
// Its order of insertion decides what is evicted first: head to tail loses heads, tail to head loses tails.
#include "router/core/prefix_index.h"

#include <algorithm>

#include "router/core/mode.h"

namespace router {

void BlockLru::set_capacity(std::size_t blocks) {
  capacity_ = blocks;
  while (size_ > capacity_) evict_oldest();
}

std::uint32_t BlockLru::find(std::uint64_t hash) const {
  if (buckets_.empty()) return kNone;
  std::uint32_t node = buckets_[bucket_of(hash)];
  while (node != kNone && nodes_[node].hash != hash) node = nodes_[node].next_in_bucket;
  return node;
}

bool BlockLru::contains(std::uint64_t hash) const { return find(hash) != kNone; }

void BlockLru::touch(std::uint64_t hash) {
  if (capacity_ == 0) return;
  std::uint32_t node = find(hash);
  if (node != kNone) {
    unlink(node);
    link_newest(node);
    return;
  }
  if (size_ == capacity_) evict_oldest();
  if (size_ >= buckets_.size()) grow_buckets();
  node = new_node();
  nodes_[node].hash = hash;
  auto& bucket = buckets_[bucket_of(hash)];
  nodes_[node].next_in_bucket = bucket;
  bucket = node;
  link_newest(node);
  ++size_;
}

std::uint32_t BlockLru::new_node() {
  if (free_ != kNone) {
    const auto node = free_;
    free_ = nodes_[node].older;
    return node;
  }
  nodes_.emplace_back();
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

void BlockLru::evict_oldest() {
  const auto node = oldest_;
  unlink(node);
  leave_bucket(node);
  nodes_[node].older = free_;
  free_ = node;
  --size_;
}

void BlockLru::link_newest(std::uint32_t node) {
  nodes_[node].newer = kNone;
  nodes_[node].older = newest_;
  if (newest_ != kNone) nodes_[newest_].newer = node;
  newest_ = node;
  if (oldest_ == kNone) oldest_ = node;
}

void BlockLru::unlink(std::uint32_t node) {
  const auto newer = nodes_[node].newer;
  const auto older = nodes_[node].older;
  (newer == kNone ? newest_ : nodes_[newer].older) = older;
  (older == kNone ? oldest_ : nodes_[older].newer) = newer;
}

void BlockLru::leave_bucket(std::uint32_t node) {
  std::uint32_t* link = &buckets_[bucket_of(nodes_[node].hash)];
  while (*link != node) link = &nodes_[*link].next_in_bucket;
  *link = nodes_[node].next_in_bucket;
}

void BlockLru::grow_buckets() {
  buckets_.assign(std::max<std::size_t>(64, buckets_.size() * 2), kNone);
  nodes_.reserve(std::min(buckets_.size(), capacity_));
  for (std::uint32_t node = oldest_; node != kNone; node = nodes_[node].newer) {
    auto& bucket = buckets_[bucket_of(nodes_[node].hash)];
    nodes_[node].next_in_bucket = bucket;
    bucket = node;
  }
}

void BlockLru::clear() {
  nodes_.clear();
  std::fill(buckets_.begin(), buckets_.end(), kNone);
  newest_ = oldest_ = free_ = kNone;
  size_ = 0;
}

void PrefixIndex::resize(std::size_t servers) { servers_.resize(servers); }

void PrefixIndex::match(std::span<const std::uint64_t> hashes, std::span<std::uint32_t> matched) const {
  std::fill(matched.begin(), matched.end(), 0u);
  const std::size_t n = std::min(servers_.size(), matched.size());
  if (mode_ == RouterMode::kImproved) {
    for (std::size_t s = 0; s < n; ++s) {
      while (matched[s] < hashes.size() && servers_[s].contains(hashes[matched[s]])) ++matched[s];
    }
    return;
  }
  for (const auto hash : hashes) {
    bool held = false;
    for (std::size_t s = 0; s < n; ++s) {
      if (!servers_[s].contains(hash)) continue;
      ++matched[s];
      held = true;
    }
    if (!held) return;
  }
}

void PrefixIndex::add(std::size_t server, std::span<const std::uint64_t> hashes) {
  auto& lru = servers_[server];
  if (mode_ == RouterMode::kEpp) {
    for (const auto hash : hashes) lru.touch(hash);
    return;
  }
  // Tail first, so that the head is the most recent and the tail goes first, as the engine's cache evicts.
  for (std::size_t i = std::min(hashes.size(), lru.capacity()); i > 0; --i) lru.touch(hashes[i - 1]);
}

void PrefixIndex::set_capacity(std::size_t server, std::size_t blocks) {
  auto& lru = servers_[server];
  if (mode_ == RouterMode::kEpp && lru.capacity() != 0) return;
  if (lru.capacity() != blocks) lru.set_capacity(blocks);
}

void PrefixIndex::clear(std::size_t server) { servers_[server].clear(); }

}  // namespace router
