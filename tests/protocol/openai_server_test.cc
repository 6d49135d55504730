#include <gtest/gtest.h>

#include "protocol/openai.h"

namespace protocol {
namespace {

std::string error_of(Api api, std::string_view body) {
  const auto request = parse_request(api, body);
  EXPECT_FALSE(request.has_value()) << body;
  if (request.has_value()) return {};
  EXPECT_EQ(request.error().code, core::ErrorCode::kInvalid);
  return request.error().message;
}

ResponseIdentity identity() { return {"cmpl-1", "m", 1700000000, ""}; }

TEST(ParseRequest, CompletionDefaults) {
  const auto request = parse_request(Api::kCompletions, R"({"prompt":"hi"})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->prompt, "hi");
  EXPECT_EQ(request->max_tokens, 16u);
  EXPECT_EQ(request->min_tokens, 0u);
  EXPECT_EQ(request->n, 1u);
  EXPECT_FALSE(request->stream || request->ignore_eos || request->include_usage || request->continuous_usage);
  EXPECT_TRUE(request->model.empty());
}

TEST(ParseRequest, EveryFieldAndIgnoredOnes) {
  const auto request = parse_request(Api::kCompletions, R"({"model":"m","prompt":"a\n\"b\"","max_tokens":50,
      "min_tokens":2.0,"n":1,"ignore_eos":true,"stream":true,
      "stream_options":{"include_usage":true,"continuous_usage_stats":true},"cache_salt":"s","user":"u",
      "temperature":0.7,"unknown":{"deep":[1,2,{"x":null}]}})");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(request->prompt, "a\n\"b\"");
  EXPECT_EQ(request->max_tokens, 50u);
  EXPECT_EQ(request->min_tokens, 2u);
  EXPECT_TRUE(request->ignore_eos && request->stream && request->include_usage && request->continuous_usage);
  EXPECT_EQ(request->cache_salt, "s");
  EXPECT_EQ(request->user, "u");
}

TEST(ParseRequest, RunningUsageNeedsUsage) {
  const auto request = parse_request(
      Api::kCompletions, R"({"prompt":"x","stream":true,"stream_options":{"continuous_usage_stats":true}})");
  ASSERT_TRUE(request.has_value());
  EXPECT_FALSE(request->continuous_usage);
}

TEST(ParseRequest, PromptForms) {
  auto request = parse_request(Api::kCompletions, R"({"prompt":["a","b"]})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->prompt, "a");
  EXPECT_EQ(request->more_prompts, std::vector<std::string>{"b"});
  request = parse_request(Api::kCompletions, R"({"prompt":[1,2,3]})");
  ASSERT_TRUE(request.has_value());
  ASSERT_EQ(request->token_prompts.size(), 1u);
  EXPECT_EQ(request->token_prompts[0], (std::vector<TokenId>{1, 2, 3}));
  request = parse_request(Api::kCompletions, R"({"prompt":[[1],[2,3]]})");
  ASSERT_TRUE(request.has_value());
  ASSERT_EQ(request->token_prompts.size(), 2u);
  EXPECT_EQ(request->token_prompts[1], (std::vector<TokenId>{2, 3}));
}

TEST(ParseRequest, ChatIsRenderedAndUnlimitedByDefault) {
  const auto request = parse_request(Api::kChat, R"({"messages":[{"role":"system","content":"S"},
      {"role":"user","content":[{"type":"text","text":"A"},{"type":"text","text":"B"}]},{"role":"assistant","content":null}]})");
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(request->prompt, "system\nS\nuser\nA\nB\nassistant\n\nassistant\n");
  EXPECT_EQ(request->max_tokens, kUnknownCount);
  ASSERT_EQ(request->messages.size(), 3u);
  EXPECT_EQ(request->messages[1].second, "A\nB");
}

TEST(ParseRequest, MaxCompletionTokensWinsInEitherOrder) {
  for (const char* body : {R"({"messages":[],"max_completion_tokens":5,"max_tokens":9})",
                           R"({"messages":[],"max_tokens":9,"max_completion_tokens":5})"}) {
    const auto request = parse_request(Api::kChat, body);
    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->max_tokens, 5u);
  }
}

TEST(ParseRequest, EveryBadBodyIsNamed) {
  EXPECT_NE(error_of(Api::kCompletions, "").find("JSON decode error"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":"x")").find("JSON decode error"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, "{\"prompt\":\"\xff\"}").find("JSON decode error"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, std::string(100000, '[')).find("JSON decode error"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, "[1]").find("dictionary"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, "{}").find("'prompt'), 'msg': 'Field required'"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":null})").find("Field required"), std::string::npos);
  EXPECT_NE(error_of(Api::kChat, "{}").find("'messages'), 'msg': 'Field required'"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":7})").find("'prompt'"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":[]})").find("at least 1"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":[1,"a"]})").find("token ids"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":[-1]})").find("token ids"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":["a",1]})").find("valid string"), std::string::npos);
  EXPECT_NE(error_of(Api::kChat, R"({"messages":[{"content":"x"}]})").find("role"), std::string::npos);
  EXPECT_NE(error_of(Api::kChat, R"({"messages":[{"role":"user","content":[{"type":"image"}]}]})").find("text parts"),
            std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":"x","max_tokens":"5"})").find("'max_tokens'"), std::string::npos);
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":"x","max_tokens":1.5})").find("'max_tokens'"), std::string::npos);
  EXPECT_EQ(error_of(Api::kCompletions, R"({"prompt":"x","max_tokens":0})"), "max_tokens must be at least 1, got 0.");
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":"x","stream":"yes"})").find("boolean"), std::string::npos);
  EXPECT_EQ(error_of(Api::kCompletions, R"({"prompt":"x","stream_options":{"include_usage":true}})"),
            "Stream options can only be defined when `stream=True`.");
  EXPECT_NE(error_of(Api::kCompletions, R"({"prompt":"x","min_tokens":20})").find("min_tokens"), std::string::npos);
}

TEST(ParseRequest, HugeCountsAreClampedBelowUnknown) {
  const auto request = parse_request(Api::kCompletions, R"({"prompt":"x","max_tokens":99999999999})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->max_tokens, kUnknownCount - 1);
}

TEST(WriteResponse, CompletionChunksAreVllms) {
  std::string out;
  append_chunk(Api::kCompletions, identity(), " a\"b", "", nullptr, out);
  EXPECT_EQ(out,
            "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1700000000,\"model\":\"m\","
            "\"choices\":[{\"index\":0,\"text\":\" a\\\"b\",\"logprobs\":null,\"finish_reason\":null,"
            "\"stop_reason\":null,\"token_ids\":null}]}\n\n");
  out.clear();
  const Usage usage{10, 3, kUnknownCount};
  append_chunk(Api::kCompletions, {"cmpl-1", "m", 1, "r0"}, "x", "length", &usage, out);
  EXPECT_EQ(out,
            "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1,\"model\":\"m\","
            "\"choices\":[{\"index\":0,\"text\":\"x\",\"logprobs\":null,\"finish_reason\":\"length\","
            "\"stop_reason\":null,\"token_ids\":null}],\"system_fingerprint\":\"r0\","
            "\"usage\":{\"prompt_tokens\":10,\"total_tokens\":13,\"completion_tokens\":3}}\n\n");
}

TEST(WriteResponse, ChatChunks) {
  std::string out;
  append_role_chunk(identity(), out);
  append_chunk(Api::kChat, identity(), " a", "", nullptr, out);
  append_usage_chunk(Api::kChat, identity(), {10, 3, 0}, out);
  EXPECT_EQ(out,
            "data: {\"id\":\"cmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\","
            "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
            "\"finish_reason\":null}],\"prompt_token_ids\":null}\n\n"
            "data: {\"id\":\"cmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\","
            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" a\"},\"logprobs\":null,\"finish_reason\":null,"
            "\"token_ids\":null}]}\n\n"
            "data: {\"id\":\"cmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\","
            "\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"total_tokens\":13,\"completion_tokens\":3,"
            "\"prompt_tokens_details\":{\"cached_tokens\":0}}}\n\n");
}

TEST(WriteResponse, WholeBodies) {
  std::string out;
  append_response(Api::kChat, identity(), "t", "stop", {1, 2, kUnknownCount}, out);
  EXPECT_EQ(out,
            "{\"id\":\"cmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"m\",\"choices\":"
            "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"t\"},\"logprobs\":null,"
            "\"finish_reason\":\"stop\",\"stop_reason\":null,\"token_ids\":null}],\"service_tier\":null,"
            "\"usage\":{\"prompt_tokens\":1,\"total_tokens\":3,\"completion_tokens\":2},\"kv_transfer_params\":null}");
  EXPECT_EQ(error_body(404, "NotFoundError", "The model `x` does not exist.", "model"),
            "{\"error\":{\"message\":\"The model `x` does not exist.\",\"type\":\"NotFoundError\",\"param\":\"model\","
            "\"code\":404}}");
  EXPECT_EQ(error_body(500, "E", ""), "{\"error\":{\"message\":\"\",\"type\":\"E\",\"param\":null,\"code\":500}}");
}

TEST(WriteResponse, EscapingReadsBackAsTheSameText) {
  const std::string text("a\"\\\n\r\t\x01\x1f\x7f\xc3\xa9 end\0z", 18);
  std::string body = "{\"prompt\":\"";
  append_escaped(text, body);
  body += "\"}";
  const auto request = parse_request(Api::kCompletions, body);
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(request->prompt, text);
}

}  // namespace
}  // namespace protocol
