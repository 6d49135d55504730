// Prefix-block hashing: the endpoint picker's (bytes, XXH64 chain) and the engine's (token blocks).
// The router, the simulated KV cache and the analyzers' oracle share it. No I/O, no state.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/tokenizer.h"

namespace protocol {

/// Which release family's hashing (reference: endpoint picker sources, see DECISIONS).
enum class PickerHashing {
  kRouter09,  ///< llm-d-router >= 0.9: h_i = XXH64(LE64(XXH64(block, zero-padded to 4)) ‖ LE64 h_{i-1}); partial tail kept
  kGie14      ///< inference extension 1.1-1.5: h_i = XXH64(block ‖ LE64 h_{i-1}); partial tail dropped
};

/// The bytes the picker hashes for a chat request.
[[nodiscard]] std::string chat_bytes(PickerHashing hashing, std::span<const std::pair<std::string, std::string>> messages);

/// The same piece by piece, for callers that reuse `bytes`: one call per message in order, then finish_chat_bytes.
void append_chat_message(PickerHashing hashing, std::string_view role, std::string_view text, std::string& bytes);
void finish_chat_bytes(PickerHashing hashing, std::string& bytes);

/// Replaces `hashes` with the chain over `bytes` in blocks of `block_bytes`, at most `max_blocks` (0: no cap).
/// h_{-1} = XXH64(model ‖ cache_salt).
void picker_block_hashes(PickerHashing hashing, std::string_view model, std::string_view cache_salt, std::string_view bytes,
                         std::size_t block_bytes, std::size_t max_blocks, std::vector<std::uint64_t>& hashes);

/// Replaces `hashes` with the engine's chain over full token blocks; the salt enters the first block only.
void engine_block_hashes(std::span<const TokenId> tokens, std::size_t block_size_tokens, std::string_view cache_salt,
                         std::vector<std::uint64_t>& hashes);

/// The same chain block by block: h_{-1} of a sequence with this salt, and h_i from h_{i-1} and one full block.
[[nodiscard]] std::uint64_t engine_chain_start(std::string_view cache_salt);
[[nodiscard]] std::uint64_t engine_block_hash(std::uint64_t parent, std::span<const TokenId> block);

}  // namespace protocol
