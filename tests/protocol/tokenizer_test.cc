#include "protocol/tokenizer.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "protocol/prefix_blocks.h"

namespace protocol {
namespace {

constexpr std::string_view kMarsPrefix =
    "In the distant future, humanity has colonized the solar system. Mars has become a thriving hub of commerce and "
    "innovation, with towering biodomes housing millions of inhabitants. The asteroid belt is dotted with mining "
    "stations extracting precious minerals, while Jupiter's moons serve as research outposts studying the mysteries of "
    "the outer planets. Earth, once the cradle of civilization, now serves as a historical monument and cultural "
    "center. Advanced AI systems manage the complex logistics of interplanetary trade, while quantum communication "
    "networks enable instantaneous coordination across billions of kilometers.";

std::vector<TokenId> ids(std::string_view text) {
  std::vector<TokenId> tokens;
  tokenize(text, tokens);
  return tokens;
}

std::vector<TokenId> joined(std::initializer_list<std::string_view> pieces) {
  std::vector<TokenId> tokens;
  for (const auto piece : pieces) {
    const auto one = ids(piece);
    EXPECT_EQ(one.size(), 1u) << piece;
    tokens.insert(tokens.end(), one.begin(), one.end());
  }
  return tokens;
}

TEST(Tokenizer, SplitsAsTheHeaderSays) {
  EXPECT_EQ(ids("Hello, world"), joined({"Hello", ",", " world"}));
  EXPECT_EQ(ids("interplanetary"), joined({"interpla", "netary"}));
  EXPECT_EQ(ids(" interplanetary"), joined({" interpla", "netary"}));
  EXPECT_EQ(ids("12345 7"), joined({"123", "45", " ", "7"}));
  EXPECT_EQ(ids("a\n\n  b"), joined({"a", "\n\n ", " b"}));
  EXPECT_EQ(ids("a\n\nb  "), joined({"a", "\n\n", "b", "  "}));
  EXPECT_EQ(ids("!?"), joined({"!", "?"}));
  EXPECT_EQ(ids("na\xc3\xafve"), joined({"na\xc3\xafve"}));
}

TEST(Tokenizer, EmptyAndHostileTextIsCounted) {
  EXPECT_EQ(count_tokens(""), 0u);
  EXPECT_EQ(count_tokens(std::string(3, '\0')), 3u);
  EXPECT_EQ(count_tokens("\xff\xfe\x80"), 1u);
  EXPECT_EQ(count_tokens(std::string(1 << 20, ' ')), 1u);
  EXPECT_EQ(count_tokens(std::string(1 << 20, 'x')), (1u << 20) / kMaxPieceLetters);
}

TEST(Tokenizer, IdsFitIn31BitsAndCountMatches) {
  const auto tokens = ids(kMarsPrefix);
  EXPECT_EQ(tokens.size(), count_tokens(kMarsPrefix));
  for (const TokenId id : tokens) EXPECT_LT(id, 0x80000000u);
}

TEST(Tokenizer, ThePublishedPrefixIsBelowOnePageOf128) {
  ASSERT_EQ(kMarsPrefix.size(), 624u);
  const auto tokens = count_tokens(kMarsPrefix);
  EXPECT_GE(tokens, 111u);
  EXPECT_LE(tokens, 119u);
}

TEST(Tokenizer, OutputPiecesAreOneTokenEachInSequence) {
  std::string text = "assistant\n";
  const auto before = ids(text).size();
  std::vector<TokenId> expected;
  for (std::uint32_t n = 0; n < 500; ++n) {
    const auto piece = output_piece(7, n);
    EXPECT_EQ(count_tokens(piece), 1u);
    expected.push_back(output_token(7, n));
    text += piece;
  }
  const auto all = ids(text);
  ASSERT_EQ(all.size(), before + 500);
  EXPECT_EQ(std::vector<TokenId>(all.begin() + static_cast<std::ptrdiff_t>(before), all.end()), expected);
}

TEST(Tokenizer, AppendWordsAddsExactlyThatManyTokens) {
  for (const std::string_view start : {"", "word", "Question 1:", "end.", "7", "line\n", "blank "}) {
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{127}, std::size_t{1600}}) {
      std::string text(start);
      append_words(text, 42, n);
      EXPECT_EQ(count_tokens(text), count_tokens(start) + n) << start << " + " << n;
    }
  }
}

TEST(Tokenizer, AppendWordsIsAboutAsLongAsProse) {
  std::string text;
  append_words(text, 3, 10000);
  EXPECT_NEAR(static_cast<double>(text.size()) / 10000.0, 5.4, 0.3);
}

TEST(Tokenizer, DifferentSeedsDifferWithinSevenWords) {
  std::set<std::string> starts;
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    std::string text;
    append_words(text, seed, 7);
    starts.insert(text);
  }
  EXPECT_EQ(starts.size(), 5000u);
}

TEST(Tokenizer, SameSeedSameText) {
  std::string a, b;
  append_words(a, 9, 50);
  append_words(b, 9, 50);
  EXPECT_EQ(a, b);
  EXPECT_EQ(output_piece(9, 3), output_piece(9, 3));
}

TEST(EngineBlocks, ChainCoversFullBlocksOnly) {
  std::vector<std::uint64_t> hashes{1, 2, 3};
  const std::array<TokenId, 9> tokens{1, 2, 3, 4, 5, 6, 7, 8, 9};
  engine_block_hashes(tokens, 4, "", hashes);
  ASSERT_EQ(hashes.size(), 2u);
  EXPECT_EQ(hashes[0], engine_block_hash(engine_chain_start(""), std::span(tokens).first(4)));
  EXPECT_EQ(hashes[1], engine_block_hash(hashes[0], std::span(tokens).subspan(4, 4)));
  engine_block_hashes(std::span(tokens).first(3), 4, "", hashes);
  EXPECT_TRUE(hashes.empty());
}

TEST(EngineBlocks, SaltAndParentChangeEveryHash) {
  const std::array<TokenId, 8> tokens{1, 2, 3, 4, 1, 2, 3, 4};
  std::vector<std::uint64_t> plain, salted;
  engine_block_hashes(tokens, 4, "", plain);
  engine_block_hashes(tokens, 4, "tenant", salted);
  EXPECT_NE(plain[0], plain[1]);
  EXPECT_NE(plain[0], salted[0]);
  EXPECT_NE(plain[1], salted[1]);
}

}  // namespace
}  // namespace protocol
