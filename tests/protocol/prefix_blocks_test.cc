#include "protocol/prefix_blocks.h"

#include <gtest/gtest.h>

#include "core/hash.h"

namespace protocol {
namespace {

constexpr std::string_view kModel = "meta-llama/Llama-3.1-8B";

std::string golden_prompt() {
  std::string prompt;
  for (int i = 0; i < 600; ++i) prompt.push_back(static_cast<char>(65 + i % 26));
  return prompt;
}

std::vector<std::uint64_t> hashes_of(PickerHashing hashing, std::string_view model, std::string_view salt,
                                     std::string_view bytes, std::size_t block_bytes, std::size_t max_blocks = 0) {
  std::vector<std::uint64_t> hashes{1, 2, 3};
  picker_block_hashes(hashing, model, salt, bytes, block_bytes, max_blocks, hashes);
  return hashes;
}

TEST(PrefixBlocks, Xxh64PublishedVectors) {
  EXPECT_EQ(core::hex64(core::xxh64("")), "ef46db3751d8e999");
  EXPECT_EQ(core::hex64(core::xxh64("a")), "d24ec4f1a98c6e5b");
  EXPECT_EQ(core::hex64(core::xxh64("abc")), "44bc2cf5ad770999");
}

TEST(PrefixBlocks, Router09GoldenKeepsThePartialTail) {
  const auto hashes = hashes_of(PickerHashing::kRouter09, kModel, "", golden_prompt(), 256);
  ASSERT_EQ(hashes.size(), 3u);
  EXPECT_EQ(core::hex64(hashes[0]), "21fbe0b5e13bd993");
  EXPECT_EQ(core::hex64(hashes[1]), "bd9d5e3575001f1b");
  EXPECT_EQ(core::hex64(hashes[2]), "f223db17a3bce1e9");
}

TEST(PrefixBlocks, Router09SaltEntersTheSeedHash) {
  const auto salted = hashes_of(PickerHashing::kRouter09, kModel, "s1", golden_prompt(), 256);
  ASSERT_EQ(salted.size(), 3u);
  EXPECT_EQ(core::hex64(salted[0]), "dc4228019dc8032c");
  const auto plain = hashes_of(PickerHashing::kRouter09, kModel, "", golden_prompt(), 256);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NE(salted[i], plain[i]) << i;
}

TEST(PrefixBlocks, Router09ShortPromptIsPaddedToATokenEstimate) {
  const auto hashes = hashes_of(PickerHashing::kRouter09, "m", "", "hi", 256);
  ASSERT_EQ(hashes.size(), 1u);
  EXPECT_EQ(core::hex64(hashes[0]), "5bee1f62236b0fad");
  EXPECT_EQ(hashes, hashes_of(PickerHashing::kRouter09, "m", "", std::string_view("hi\0\0", 4), 256));
}

TEST(PrefixBlocks, Gie14GoldenDropsThePartialTail) {
  const auto hashes = hashes_of(PickerHashing::kGie14, kModel, "", golden_prompt(), 64);
  ASSERT_EQ(hashes.size(), 9u);
  EXPECT_EQ(core::hex64(hashes[0]), "41ae7474410a28d8");
  EXPECT_EQ(core::hex64(hashes[1]), "f4a0a71759f3b586");
  EXPECT_EQ(core::hex64(hashes[2]), "a75f2e9e79e0db81");
  EXPECT_TRUE(hashes_of(PickerHashing::kGie14, "m", "", "hi", 64).empty());
}

TEST(PrefixBlocks, CapAndDegenerateInput) {
  const auto prompt = golden_prompt();
  const auto all = hashes_of(PickerHashing::kRouter09, kModel, "", prompt, 100);
  ASSERT_EQ(all.size(), 6u);
  const auto capped = hashes_of(PickerHashing::kRouter09, kModel, "", prompt, 100, 2);
  ASSERT_EQ(capped.size(), 2u);
  EXPECT_EQ(capped[0], all[0]);
  EXPECT_EQ(capped[1], all[1]);
  EXPECT_TRUE(hashes_of(PickerHashing::kRouter09, kModel, "", "", 256).empty());
  EXPECT_TRUE(hashes_of(PickerHashing::kRouter09, kModel, "", prompt, 0).empty());
}

TEST(PrefixBlocks, PrefixPropertyHoldsUpToTheFirstDifference) {
  auto a = golden_prompt();
  auto b = a;
  b[520] = '!';
  const auto ha = hashes_of(PickerHashing::kRouter09, kModel, "", a, 64);
  const auto hb = hashes_of(PickerHashing::kRouter09, kModel, "", b, 64);
  ASSERT_EQ(ha.size(), hb.size());
  for (std::size_t i = 0; i < ha.size(); ++i) EXPECT_EQ(ha[i] == hb[i], i < 520 / 64) << i;
}

TEST(PrefixBlocks, ChatBytesPerFamily) {
  const std::vector<std::pair<std::string, std::string>> messages{{"system", "a<b"}, {"user", "x\n\"y\" \xe2\x80\xa8 \xff é"}};
  EXPECT_EQ(chat_bytes(PickerHashing::kRouter09, messages), "systema<buserx\n\"y\" \xe2\x80\xa8 \xff é");
  EXPECT_EQ(chat_bytes(PickerHashing::kGie14, messages),
            "[{\"role\":\"system\",\"content\":\"a\\u003cb\"},"
            "{\"role\":\"user\",\"content\":\"x\\n\\\"y\\\" \\u2028 \\ufffd é\"}]");
  EXPECT_EQ(chat_bytes(PickerHashing::kGie14, {}), "[]");
  EXPECT_EQ(chat_bytes(PickerHashing::kRouter09, {}), "");
}

TEST(PrefixBlocks, GoEscapesControlAndTruncatedUtf8) {
  const std::vector<std::pair<std::string, std::string>> messages{{"user", std::string("\x01\x7f\t&>\\\xe2\x82", 8)}};
  EXPECT_EQ(chat_bytes(PickerHashing::kGie14, messages),
            "[{\"role\":\"user\",\"content\":\"\\u0001\x7f\\t\\u0026\\u003e\\\\\\ufffd\\ufffd\"}]");
}

}  // namespace
}  // namespace protocol
