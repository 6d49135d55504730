// The word-piece-like tokenizer. Called by the simulated replica, the planner and the oracle; it must never be taken
// for a real model's tokenizer.
#include "protocol/tokenizer.h"

#include <array>

#include "core/hash.h"

namespace protocol {
namespace {

constexpr std::size_t kMaxPieceDigits = 3;
constexpr std::size_t kWordBits = 10;
constexpr std::size_t kWords = 1u << kWordBits;
/// So many 10-bit words spell a whole 64-bit seed: two seeds differ within them, always.
constexpr std::size_t kSeedWords = 7;

enum class ByteClass : std::uint8_t { kPunctuation, kLetter, kDigit, kSpace };

constexpr ByteClass class_of(unsigned char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80) return ByteClass::kLetter;
  if (c >= '0' && c <= '9') return ByteClass::kDigit;
  if (c == ' ' || (c >= '\t' && c <= '\r')) return ByteClass::kSpace;
  return ByteClass::kPunctuation;
}

constexpr std::array<ByteClass, 256> make_classes() {
  std::array<ByteClass, 256> classes{};
  for (std::size_t c = 0; c < classes.size(); ++c) classes[c] = class_of(static_cast<unsigned char>(c));
  return classes;
}

constexpr auto kClasses = make_classes();

ByteClass class_at(std::string_view text, std::size_t i) { return kClasses[static_cast<unsigned char>(text[i])]; }

/// End of the run of `wanted` bytes that starts at `from`, at most `limit` bytes long.
std::size_t run_end(std::string_view text, std::size_t from, ByteClass wanted, std::size_t limit) {
  std::size_t end = from;
  while (end < text.size() && end - from < limit && class_at(text, end) == wanted) ++end;
  return end;
}

/// Length of the first piece of a non-empty text.
std::size_t first_piece(std::string_view text) {
  switch (class_at(text, 0)) {
    case ByteClass::kLetter:
      return run_end(text, 0, ByteClass::kLetter, kMaxPieceLetters);
    case ByteClass::kDigit:
      return run_end(text, 0, ByteClass::kDigit, kMaxPieceDigits);
    case ByteClass::kPunctuation:
      return 1;
    case ByteClass::kSpace:
      break;
  }
  const std::size_t end = run_end(text, 0, ByteClass::kSpace, text.size());
  const bool leads_word = text[end - 1] == ' ' && end < text.size() && class_at(text, end) == ByteClass::kLetter;
  if (!leads_word) return end;
  if (end > 1) return end - 1;
  return run_end(text, 1, ByteClass::kLetter, kMaxPieceLetters);
}

TokenId id_of(std::string_view piece) { return static_cast<TokenId>(core::xxh64(piece) & 0x7fffffffu); }

/// One word with its leading space.
struct Word {
  std::array<char, 8> bytes{};
  std::uint8_t size = 0;
  [[nodiscard]] constexpr std::string_view view() const { return {bytes.data(), size}; }
};

/// 1,024 different words: consonant, vowel, consonant and an ending, 5.5 bytes on average with the space.
constexpr std::array<Word, kWords> make_words() {
  constexpr std::string_view kOnsets = "bcdfghjklmnprstv", kVowels = "aeio", kCodas = "bdgklmnprstvxzfc";
  constexpr std::array<std::string_view, 4> kEndings = {"", "o", "er", "ium"};
  std::array<Word, kWords> words{};
  for (std::size_t i = 0; i < kWords; ++i) {
    Word& word = words[i];
    const auto put = [&word](char c) { word.bytes[word.size++] = c; };
    put(' ');
    put(kOnsets[i & 15u]);
    put(kVowels[(i >> 4) & 3u]);
    put(kCodas[i >> 6]);
    for (const char c : kEndings[(i ^ (i >> 4) ^ (i >> 7)) & 3u]) put(c);
  }
  return words;
}

constexpr auto kVocabulary = make_words();

/// A bijection of 64-bit values (the finalizer of SplitMix64).
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

const Word& word_at(std::uint64_t seed, std::uint64_t n) {
  const std::uint64_t spelled = mix(seed + 0x9e3779b97f4a7c15ULL);
  if (n < kSeedWords) return kVocabulary[(spelled >> (kWordBits * n)) & (kWords - 1)];
  return kVocabulary[mix(spelled + n * 0x9e3779b97f4a7c15ULL) >> (64 - kWordBits)];
}

}  // namespace

void tokenize(std::string_view text, std::vector<TokenId>& tokens) {
  while (!text.empty()) {
    const std::size_t size = first_piece(text);
    tokens.push_back(id_of(text.substr(0, size)));
    text.remove_prefix(size);
  }
}

std::size_t count_tokens(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(first_piece(text));
  return count;
}

std::string_view output_piece(std::uint64_t request_seed, std::uint32_t n) {
  // Another stream than append_words, so that a reply never repeats a prompt made from the same seed.
  return word_at(request_seed ^ 0xa0761d6478bd642fULL, n).view();
}

TokenId output_token(std::uint64_t request_seed, std::uint32_t n) { return id_of(output_piece(request_seed, n)); }

void append_words(std::string& text, std::uint64_t seed, std::size_t tokens) {
  for (std::size_t n = 0; n < tokens; ++n) text += word_at(seed, n).view();
}

}  // namespace protocol
