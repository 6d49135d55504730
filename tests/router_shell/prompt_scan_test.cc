#include "router/shell/prompt_scan.h"

#include <gtest/gtest.h>

#include <string>

namespace router {
namespace {

using protocol::PickerHashing;

struct Outcome {
  std::string error, model, salt, bytes;
  std::vector<std::size_t> ends;
};

Outcome scan(std::string_view body, PickerHashing hashing = PickerHashing::kRouter09) {
  PromptScanner scanner(hashing);
  ScannedPrompt prompt;
  Outcome out;
  out.error = scanner.scan(body, prompt);
  if (!out.error.empty()) return out;
  out.model = prompt.model;
  out.salt = prompt.cache_salt;
  out.bytes = prompt.bytes;
  out.ends = *prompt.ends;
  return out;
}

TEST(PromptScanner, Completions) {
  const auto out = scan(R"({"prompt":"a\nb\u00e9","max_tokens":5,"model":"m","cache_salt":"s","x":{"y":[1,2,{"z":null}]}})");
  EXPECT_EQ(out.error, "");
  EXPECT_EQ(out.model, "m");
  EXPECT_EQ(out.salt, "s");
  EXPECT_EQ(out.bytes, "a\nb\xc3\xa9");
  EXPECT_EQ(out.ends, (std::vector<std::size_t>{4 + 1}));
}

TEST(PromptScanner, PromptListsAreSeparatePrompts) {
  const auto texts = scan(R"({"model":"m","prompt":["ab","cde"]})");
  EXPECT_EQ(texts.bytes, "abcde");
  EXPECT_EQ(texts.ends, (std::vector<std::size_t>{2, 5}));
  const auto ids = scan(R"({"model":"m","prompt":[11,12,13]})");
  EXPECT_EQ(ids.bytes, "11,12,13,");
  EXPECT_EQ(ids.ends, (std::vector<std::size_t>{9}));
  const auto lists = scan(R"({"model":"m","prompt":[[1,2],[3]]})");
  EXPECT_EQ(lists.bytes, "[1,2][3]");
  EXPECT_EQ(lists.ends, (std::vector<std::size_t>{5, 8}));
}

TEST(PromptScanner, ChatBytesPerFamily) {
  constexpr std::string_view kBody =
      R"({"messages":[{"content":"You are.","role":"system"},{"role":"user","content":[{"type":"text","text":"Hi "},)"
      R"({"type":"image_url","image_url":{"url":"data:x"}},{"type":"text","text":"there"}]},{"role":"assistant","content":null},)"
      R"("odd",{"role":"tool","content":{"unknown":1}}],"model":"m"})";
  EXPECT_EQ(scan(kBody).bytes, "systemYou are.userHi thereassistanttool");
  const auto gie = scan(kBody, PickerHashing::kGie14);
  EXPECT_EQ(gie.bytes.substr(0, 43), R"([{"role":"system","content":"You are."},{"r)");
  EXPECT_EQ(gie.bytes.back(), ']');
}

TEST(PromptScanner, ToolsComeFirst) {
  const auto out = scan(R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"a":1}]})");
  EXPECT_EQ(out.bytes, R"([{"a":1}]userx)");
  EXPECT_EQ(out.ends, (std::vector<std::size_t>{14}));
}

TEST(PromptScanner, WhatIsRefused) {
  EXPECT_EQ(scan(R"({"prompt":"x"})").error, "model not found in request body");
  EXPECT_EQ(scan(R"({"model":7,"prompt":"x"})").error, "model not found in request body");
  EXPECT_EQ(scan(R"({"model":"","prompt":"x"})").error, "model not found in request body");
  EXPECT_EQ(scan("[1]").error, "the request body is not a JSON object");
  for (const auto* body : {"", " ", "nope", R"({"model":"m")", R"({"model":"m"}})", R"({"model":"m"} x)", R"({"model" "m"})",
                           R"({"model":"m","prompt":"\ud800"})", "{\"model\":\"m\",\"prompt\":\"\xff\"}"}) {
    EXPECT_NE(scan(body).error, "") << body;
  }
}

TEST(PromptScanner, MissingPromptsAreTheReplicasBusiness) {
  const auto out = scan(R"({"model":"m","prompt":null,"messages":5})");
  EXPECT_EQ(out.error, "");
  EXPECT_EQ(out.bytes, "");
}

TEST(PromptScanner, IsReusableAndForgetsTheLastBody) {
  PromptScanner scanner(PickerHashing::kRouter09);
  ScannedPrompt prompt;
  EXPECT_EQ(scanner.scan(R"({"model":"m","cache_salt":"s","prompt":"long prompt","tools":[1]})", prompt), "");
  EXPECT_NE(scanner.scan(R"({"prompt":"x"})", prompt), "");
  EXPECT_EQ(scanner.scan(R"({"model":"n","messages":[{"role":"user","content":"y"}]})", prompt), "");
  EXPECT_EQ(prompt.model, "n");
  EXPECT_EQ(prompt.cache_salt, "");
  EXPECT_EQ(prompt.bytes, "usery");
}

TEST(PromptScanner, CutAndMutatedBodiesNeverCrash) {
  const std::string body = R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a\u00e9b"}]}],"prompt":[[1],2,"x"],"tools":[{}]})";
  PromptScanner scanner(PickerHashing::kGie14);
  ScannedPrompt prompt;
  for (std::size_t cut = 0; cut < body.size(); ++cut) EXPECT_NE(scanner.scan(body.substr(0, cut), prompt), "") << cut;
  for (std::size_t at = 0; at < body.size(); ++at) {
    for (const char c : {'"', '{', ']', '\\', '\0', '\xff', '7'}) {
      auto mutated = body;
      mutated[at] = c;
      static_cast<void>(scanner.scan(mutated, prompt));
    }
  }
}

}  // namespace
}  // namespace router
