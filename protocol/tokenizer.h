// A deterministic word-piece-like tokenizer (about 5.4 bytes per token on English prose). The simulated replica counts
// and hashes with it, the planner sizes prompts with it. It imitates no model's vocabulary: token counts of a real
// server come from its `usage`, never from here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace protocol {

using TokenId = std::uint32_t;

/// Splits text into pieces: an optional leading space plus up to kMaxPieceLetters letters of a word; runs of up to 3
/// digits; single punctuation marks; runs of whitespace. Bytes >= 0x80 count as letters. The pieces concatenate to the
/// text. Appends one id per piece (31-bit hash of its bytes).
void tokenize(std::string_view text, std::vector<TokenId>& tokens);
[[nodiscard]] std::size_t count_tokens(std::string_view text);

/// The text a simulated replica emits for its n-th output token of a request: one piece each, deterministic.
[[nodiscard]] std::string_view output_piece(std::uint64_t request_seed, std::uint32_t n);

/// The id of that piece: what tokenize() gives for it when the reply comes back as part of a later prompt.
[[nodiscard]] TokenId output_token(std::uint64_t request_seed, std::uint32_t n);

/// Appends text of exactly `tokens` tokens, every one a word with its leading space, chosen by `seed`. Two different
/// seeds differ from the first few words on.
void append_words(std::string& text, std::uint64_t seed, std::size_t tokens);

inline constexpr std::size_t kMaxPieceLetters = 8;

}  // namespace protocol
