// The engine's prefix-block chain over token ids. Called by the simulated KV cache and the analyzers' oracle.
// It must never be mixed with the picker's chain over bytes (prefix_blocks.cc): the two never agree.
#include <bit>

#include "core/hash.h"
#include "protocol/prefix_blocks.h"

namespace protocol {

static_assert(std::endian::native == std::endian::little, "block hashes are taken over little-endian token ids");

std::uint64_t engine_chain_start(std::string_view cache_salt) {
  constexpr std::uint64_t kNoParent = 0x67617465626e6368ULL;
  return cache_salt.empty() ? kNoParent : core::xxh64(cache_salt, kNoParent);
}

std::uint64_t engine_block_hash(std::uint64_t parent, std::span<const TokenId> block) {
  const auto bytes = std::as_bytes(block);
  return core::xxh64({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, parent);
}

void engine_block_hashes(std::span<const TokenId> tokens, std::size_t block_size_tokens, std::string_view cache_salt,
                         std::vector<std::uint64_t>& hashes) {
  hashes.clear();
  if (block_size_tokens == 0) return;
  std::uint64_t parent = engine_chain_start(cache_salt);
  for (; tokens.size() >= block_size_tokens; tokens = tokens.subspan(block_size_tokens)) {
    parent = engine_block_hash(parent, tokens.first(block_size_tokens));
    hashes.push_back(parent);
  }
}

}  // namespace protocol
