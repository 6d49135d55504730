// The client codec: bodies as a server reads them, chunks of every vLLM version, and hostile input.
#include <gtest/gtest.h>

#include "core/rng.h"
#include "protocol/openai.h"

namespace protocol {
namespace {

using Kind = ResponsePart::Kind;

TEST(RequestBody, CompletionsByteForByte) {
  RequestBody request;
  request.model = "m";
  request.prompt = "say \"hi\"\n";
  request.max_tokens = 50;
  request.min_tokens = 10;
  request.ignore_eos = true;
  request.continuous_usage = true;
  request.temperature = 0.0;
  request.user = "pad";
  request.cache_salt = "s1";
  request.extra_members = "\"n\":1";
  std::string body = "left over";
  write_request_body(request, body);
  EXPECT_EQ(body,
            R"({"model":"m","prompt":"say \"hi\"\n","max_tokens":50,"min_tokens":10,"ignore_eos":true,"temperature":0,)"
            R"("stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true},"user":"pad",)"
            R"("cache_salt":"s1","n":1})");
}

TEST(RequestBody, ChatWithoutStreamHasNoStreamOptions) {
  RequestBody request;
  request.api = Api::kChat;
  request.model = "m";
  request.prompt = "x";
  request.stream = false;
  std::string body;
  write_request_body(request, body);
  EXPECT_EQ(body, R"({"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":16,"stream":false})");
}

TEST(RequestBody, ServerReadsItBack) {
  RequestBody request;
  request.model = "Qwen/Qwen2.5-3B-Instruct";
  const std::string prompt = std::string("tab\t quote\" back\\ nul") + '\0' + " \x01 caf\xc3\xa9";
  request.prompt = prompt;
  request.max_tokens = 7;
  std::string body;
  write_request_body(request, body);
  const auto parsed = parse_request(Api::kCompletions, body);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ(parsed->prompt, prompt);
  EXPECT_EQ(parsed->max_tokens, 7u);
  EXPECT_TRUE(parsed->include_usage);
  EXPECT_TRUE(parsed->stream);
}

TEST(ResponseDecoder, OldAndNewCompletionsChunks) {
  ResponseDecoder decoder;
  const auto now = decoder.decode_event(
      R"({"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":" a","logprobs":null,"finish_reason":null}]})");
  EXPECT_EQ(now.kind, Kind::kTokens);
  EXPECT_EQ(now.text, " a");
  EXPECT_TRUE(now.has_choices);
  EXPECT_FALSE(now.finished);
  EXPECT_EQ(now.usage.completion_tokens, kUnknownCount);
  const auto old = decoder.decode_event(R"({"choices":[{"index":0,"text":"b","finish_reason":"length"}],"usage":null})");
  EXPECT_EQ(old.kind, Kind::kTokens);
  EXPECT_TRUE(old.finished);
  EXPECT_TRUE(old.finished_by_length);
}

TEST(ResponseDecoder, ChatRoleChunkIsNoTokenButHasChoices) {
  ResponseDecoder decoder;
  const auto role = decoder.decode_event(R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})");
  EXPECT_EQ(role.kind, Kind::kNoTokens);
  EXPECT_TRUE(role.has_choices);
  EXPECT_EQ(decoder.decode_event(R"({"choices":[{"delta":{"content":"x"}}]})").kind, Kind::kTokens);
  EXPECT_EQ(decoder.decode_event(R"({"choices":[{"delta":{"content":null,"reasoning_content":"why"}}]})").text, "why");
  EXPECT_EQ(decoder.decode_event(R"({"choices":[{"delta":{"reasoning":"why"}}]})").kind, Kind::kTokens);
  EXPECT_EQ(decoder.decode_event(R"({"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":""}}]}}]})").text, "f");
  EXPECT_EQ(decoder.decode_event(R"({"choices":[{"delta":{"tool_calls":[]}}]})").kind, Kind::kNoTokens);
}

TEST(ResponseDecoder, UsageChunk) {
  ResponseDecoder decoder;
  const auto part = decoder.decode_event(
      R"({"choices":[],"system_fingerprint":"pod-1","usage":{"prompt_tokens":115,"total_tokens":145,"completion_tokens":30,"prompt_tokens_details":{"cached_tokens":64}}})");
  EXPECT_EQ(part.kind, Kind::kNoTokens);
  EXPECT_FALSE(part.has_choices);
  EXPECT_EQ(part.usage.prompt_tokens, 115u);
  EXPECT_EQ(part.usage.completion_tokens, 30u);
  EXPECT_EQ(part.usage.cached_tokens, 64u);
  EXPECT_EQ(part.system_fingerprint, "pod-1");
  const auto bare = decoder.decode_event(R"({"usage":{"prompt_tokens":-1,"completion_tokens":4294967295}})");
  EXPECT_EQ(bare.kind, Kind::kNoTokens);
  EXPECT_EQ(bare.usage.prompt_tokens, kUnknownCount);
  EXPECT_EQ(bare.usage.completion_tokens, kUnknownCount);
  EXPECT_EQ(bare.usage.cached_tokens, kUnknownCount);
}

TEST(ResponseDecoder, Errors) {
  ResponseDecoder decoder;
  const auto nested = decoder.decode_event(R"({"error":{"message":"engine dead","type":"InternalServerError","code":500}})");
  EXPECT_EQ(nested.kind, Kind::kError);
  EXPECT_EQ(nested.error_message, "engine dead");
  EXPECT_EQ(decoder.decode_body(R"({"error":"Unauthorized"})").error_message, "Unauthorized");
  EXPECT_EQ(decoder.decode_body(R"({"object":"error","message":"too long","code":400})").error_message, "too long");
  EXPECT_EQ(decoder.decode_body(R"({"error":null,"choices":[]})").kind, Kind::kNoTokens);
}

TEST(ResponseDecoder, Malformed) {
  ResponseDecoder decoder;
  for (const std::string_view text : {"", "{", "[]", "42", "hello", "<html>", "{\"choices\":[{\"text\":\"a\"}]", "{\"a\":1}",
                                      "{\"choices\":[{\"text\":\"\xff\"}]}"}) {
    EXPECT_EQ(decoder.decode_event(text).kind, Kind::kMalformed) << text;
  }
  EXPECT_EQ(decoder.decode_event(std::string(100'000, '[')).kind, Kind::kMalformed);
  EXPECT_EQ(decoder.decode_event(" [DONE]\t").kind, Kind::kDone);
}

TEST(ResponseDecoder, WholeBody) {
  ResponseDecoder decoder;
  const auto chat = decoder.decode_body(
      R"({"choices":[{"message":{"role":"assistant","content":"a \"b\""},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}})");
  EXPECT_EQ(chat.kind, Kind::kTokens);
  EXPECT_EQ(chat.text, "a \\\"b\\\"");
  EXPECT_TRUE(chat.finished);
  EXPECT_FALSE(chat.finished_by_length);
  EXPECT_EQ(chat.usage.completion_tokens, 2u);
}

// The fast path must not accept what simdjson refuses, nor see another text: each chunk is decoded by a decoder that
// remembers an earlier chunk and by a fresh one.
TEST(ResponseDecoder, RememberedChunkAgreesWithAFreshParse) {
  const std::string_view shapes[] = {
      R"({"id":"c","choices":[{"index":0,"text":"@","finish_reason":null}]})",
      R"({"id":"c","choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}]})",
      R"({"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"@"}}],"x":{"content":"@"}})",
      R"({"choices":[{"text" : "@"}],"other":[{"text":"@"}]})",
      R"({"choices":[{"logprobs":{"text":"@"},"text":"@"}]})"};
  const std::string_view texts[] = {"a",    "",        " word", "\\n", "\\\\",   "\\\"", "\\",    "\\u0041", "\\x",
                                    "\"",   "\x01",    "\xff",  "é",   "\"}],[{", "a\\",  "a\\\\\"", "[DONE]"};
  for (const auto shape : shapes) {
    for (const auto first : texts) {
      for (const auto second : texts) {
        const auto fill = [&](std::string_view text) {
          std::string payload;
          for (const char c : shape) c == '@' ? payload.append(text) : payload.append(1, c);
          return payload;
        };
        ResponseDecoder remembering, fresh;
        const std::string one = fill(first), two = fill(second);
        remembering.decode_event(one);
        const auto fast = remembering.decode_event(two);
        const auto slow = fresh.decode_event(two);
        ASSERT_EQ(fast.kind, slow.kind) << two;
        ASSERT_EQ(fast.finished, slow.finished) << two;
        ASSERT_EQ(fast.has_choices, slow.has_choices) << two;
        if (second == "\\u0041") continue;  // both decode to A; only the spelling differs
        ASSERT_EQ(fast.text, slow.text) << two;
      }
    }
  }
}

TEST(ResponseDecoder, RandomBytesNeverCrash) {
  core::Rng rng(7);
  ResponseDecoder decoder;
  const std::string seed = R"({"id":"c","choices":[{"index":0,"delta":{"content":"abc"},"finish_reason":null}]})";
  for (int i = 0; i < 20'000; ++i) {
    std::string payload = seed;
    const auto edits = rng.below(4);
    for (std::uint64_t k = 0; k < edits; ++k) {
      const auto at = rng.below(payload.size());
      payload[at] = static_cast<char>(rng.below(256));
    }
    payload.resize(rng.below(payload.size() + 1));
    ResponseDecoder fresh;
    ASSERT_EQ(decoder.decode_event(payload).kind, fresh.decode_event(payload).kind) << payload;
    decoder.decode_event(seed);
  }
}

TEST(ResponseDecoder, MovesKeepWorking) {
  ResponseDecoder one;
  ResponseDecoder two(std::move(one));
  EXPECT_EQ(two.decode_event("[DONE]").kind, Kind::kDone);
  ResponseDecoder three;
  three = std::move(two);
  EXPECT_EQ(three.decode_event("[DONE]").kind, Kind::kDone);
}

}  // namespace
}  // namespace protocol
