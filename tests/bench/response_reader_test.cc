// Responses as records: times, token events, usage, outcomes; the same however the bytes are cut.
#include "bench/engine/response_reader.h"

#include <gtest/gtest.h>

#include "core/rng.h"

namespace bench {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{500s};

std::string token(std::string_view text) {
  return "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\"" + std::string(text) + "\",\"finish_reason\":null}]}\n\n";
}
std::string counted_token(std::string_view text, int tokens) {
  return "data: {\"choices\":[{\"index\":0,\"text\":\"" + std::string(text) + "\",\"finish_reason\":null}],\"usage\":{\"prompt_tokens\":9," +
         "\"completion_tokens\":" + std::to_string(tokens) + "}}\n\n";
}
const std::string kUsage =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n";
const std::string kLast = "data: {\"choices\":[{\"index\":0,\"text\":\"z\",\"finish_reason\":\"length\"}]}\n\n";
const std::string kDone = "data: [DONE]\n\n";

TransportEnd end_of(int status = 200, int code = 0) {
  TransportEnd end;
  end.http_status = status;
  end.transport_code = code;
  end.done = kStart + 1s;
  end.message = "the transport's text";
  return end;
}

RequestRecord read(ResponseReader& reader, const std::vector<std::pair<Duration, std::string>>& reads, const TransportEnd& end,
                   bool stream = true, std::string_view content_type = "text/event-stream; charset=utf-8") {
  reader.start(kStart, stream);
  if (!content_type.empty()) reader.on_header("Content-Type", content_type);
  for (const auto& [at, bytes] : reads) reader.on_body(bytes, {kStart + at, true});
  RequestRecord record;
  reader.finish(end, false, record);
  return record;
}

TEST(ResponseReader, AStreamBecomesTimesCountsAndEvents) {
  ResponseReader reader;
  const auto record = read(reader, {{5ms, ": ping\n\n"}, {10ms, token("a")}, {20ms, token("b")}, {30ms, kLast}, {31ms, kUsage + kDone}}, end_of());
  EXPECT_EQ(record.outcome, Outcome::kOk);
  EXPECT_EQ(record.http_status, 200);
  EXPECT_EQ(record.first_byte, 5ms);
  EXPECT_EQ(record.first_token, 10ms);
  EXPECT_EQ(record.first_choice, 10ms);
  EXPECT_EQ(record.last_token, 30ms);
  EXPECT_EQ(record.prompt_tokens, 9u);
  EXPECT_EQ(record.cached_tokens, 4u);
  EXPECT_EQ(record.output_tokens, 3u);
  EXPECT_EQ(record.chunks, 3u);
  EXPECT_TRUE(record.finished_by_length);
  EXPECT_TRUE(record.first_token_exact);
  ASSERT_EQ(reader.events().size(), 3u);
  EXPECT_EQ(reader.events()[1].at, 20ms);
  EXPECT_EQ(reader.events()[1].tokens, 1);
  EXPECT_TRUE(reader.events()[1].exact);
}

TEST(ResponseReader, RoleChunkIsAFirstChoiceButNoToken) {
  ResponseReader reader;
  const std::string role = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
  const std::string content = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
  const auto record = read(reader, {{10ms, role}, {15ms, content}, {16ms, kDone}}, end_of());
  EXPECT_EQ(record.first_choice, 10ms);
  EXPECT_EQ(record.first_token, 15ms);
  RequestRecord by_chunk;
  reader.finish(end_of(), true, by_chunk);
  EXPECT_EQ(by_chunk.first_token, 10ms);
}

TEST(ResponseReader, ContinuousUsageTellsTokensPerChunk) {
  ResponseReader reader;
  const auto record = read(reader, {{10ms, counted_token("a", 1)}, {20ms, counted_token("", 2)}, {30ms, counted_token("bc", 4)},
                                    {40ms, counted_token("d", 4)}, {50ms, kDone}}, end_of());
  ASSERT_EQ(reader.events().size(), 3u);
  EXPECT_EQ(reader.events()[0].tokens, 1);
  EXPECT_EQ(reader.events()[1].tokens, 3);
  EXPECT_EQ(reader.events()[2].tokens, 1);
  EXPECT_EQ(record.output_tokens, 4u);
}

TEST(ResponseReader, OnlyTheLastTokenOfAMergedReadIsExact) {
  ResponseReader reader;
  auto record = read(reader, {{10ms, token("a") + token("b")}, {20ms, token("c")}, {20ms, token("d") + kDone}}, end_of());
  ASSERT_EQ(reader.events().size(), 4u);
  EXPECT_FALSE(reader.events()[0].exact);
  EXPECT_TRUE(reader.events()[1].exact);
  EXPECT_FALSE(reader.events()[2].exact);
  EXPECT_TRUE(reader.events()[3].exact);
  EXPECT_FALSE(record.first_token_exact);
}

TEST(ResponseReader, WithoutUsageNothingIsGuessed) {
  ResponseReader reader;
  const auto record = read(reader, {{10ms, token("a") + kDone}}, end_of());
  EXPECT_EQ(record.outcome, Outcome::kOk);
  EXPECT_EQ(record.output_tokens, kUnknownCount);
  EXPECT_EQ(record.prompt_tokens, kUnknownCount);
  EXPECT_EQ(record.cached_tokens, kUnknownCount);
  EXPECT_EQ(record.chunks, 1u);
}

TEST(ResponseReader, AnyCutGivesTheSameRecord) {
  const std::string stream = ": hello\r\n\r\n" + token("a") + token("\\u00e9 \\\"q\\\"") + "event: x\r\ndata: {\"choices\":\r\ndata: []}\r\n\r\n" +
                             kLast + kUsage + kDone;
  ResponseReader whole;
  const auto expected = read(whole, {{10ms, stream}}, end_of());
  EXPECT_EQ(expected.outcome, Outcome::kOk);
  EXPECT_EQ(expected.chunks, 3u);
  core::Rng rng(3);
  ResponseReader reader;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::pair<Duration, std::string>> reads;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t length = 1 + static_cast<std::size_t>(rng.below(round % 2 == 0 ? 7 : 200));
      reads.emplace_back(10ms, stream.substr(at, length));
      at += length;
    }
    const auto record = read(reader, reads, end_of());
    ASSERT_EQ(record.outcome, expected.outcome);
    ASSERT_EQ(record.first_token, expected.first_token);
    ASSERT_EQ(record.last_token, expected.last_token);
    ASSERT_EQ(record.output_tokens, expected.output_tokens);
    ASSERT_EQ(record.cached_tokens, expected.cached_tokens);
    ASSERT_EQ(record.chunks, expected.chunks);
    ASSERT_EQ(record.finished_by_length, expected.finished_by_length);
    ASSERT_EQ(record.first_token_exact, expected.first_token_exact);
  }
}

TEST(ResponseReader, EveryCutStreamIsABadResponse) {
  const std::string stream = token("a") + kUsage + kDone;
  ResponseReader reader;
  for (std::size_t length = 0; length + 1 < stream.size(); ++length) {
    const auto record = read(reader, {{10ms, stream.substr(0, length)}}, end_of());
    EXPECT_EQ(record.outcome, Outcome::kBadResponse) << length;
    EXPECT_FALSE(reader.problem().empty());
  }
}

struct OutcomeCase {
  std::string name, body, content_type;
  TransportEnd end;
  bool stream;
  Outcome outcome;
  std::string problem;
};

TEST(ResponseReader, Outcomes) {
  TransportEnd timed_out = end_of(200, 28), cancelled = end_of(0, 42);
  timed_out.timed_out = true;
  cancelled.cancelled = true;
  const std::string json = "{\"choices\":[{\"text\":\"abc\",\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3}}";
  const std::string error = "{\"error\":{\"message\":\"boom\",\"code\":500}}";
  const std::string sse = "text/event-stream", app_json = "application/json";
  const OutcomeCase cases[] = {
      {"cancelled", token("a"), sse, cancelled, true, Outcome::kCancelled, ""},
      {"timeout", token("a"), sse, timed_out, true, Outcome::kTimeout, "no complete answer within the request's timeout"},
      {"reset", token("a") + kDone, sse, end_of(200, 56), true, Outcome::kTransportError, "the transport's text"},
      {"refused", "", "", end_of(0, 7), true, Outcome::kTransportError, "the transport's text"},
      {"429", error, app_json, end_of(429), true, Outcome::kHttpError, "boom"},
      {"503 html", "<html>", "text/html", end_of(503), true, Outcome::kHttpError, ""},
      {"error event", token("a") + "data: " + error + "\n\n" + kDone, sse, end_of(), true, Outcome::kServerError, "boom"},
      {"error event and no done", "data: " + error + "\n\n", sse, end_of(), true, Outcome::kServerError, "boom"},
      {"no done", token("a"), sse, end_of(), true, Outcome::kBadResponse, "the stream ends without [DONE]"},
      {"half event", token("a") + "data: {\"cho", sse, end_of(), true, Outcome::kBadResponse, "the stream ends in the middle of an event"},
      {"broken event", "data: {oops}\n\n" + kDone, sse, end_of(), true, Outcome::kBadResponse, "an event of the stream is no JSON of this API"},
      {"json instead of stream", json, app_json, end_of(), true, Outcome::kBadResponse, "asked for a stream, got one JSON document"},
      {"error json with 200", error, app_json, end_of(), true, Outcome::kServerError, "boom"},
      {"html with 200", "<html>", "text/html", end_of(), true, Outcome::kBadResponse, "the answer is no JSON of this API"},
      {"empty stream", "", sse, end_of(), true, Outcome::kBadResponse, "the stream ends without [DONE]"},
      {"no content type", token("a") + kDone, "", end_of(), true, Outcome::kOk, ""},
      {"whole json", json, app_json, end_of(), false, Outcome::kOk, ""},
      {"half json", json.substr(0, 30), app_json, end_of(), false, Outcome::kBadResponse, "the answer is no JSON of this API"},
      {"empty json", "", app_json, end_of(), false, Outcome::kBadResponse, "the answer is no JSON of this API"}};
  ResponseReader reader;
  for (const auto& c : cases) {
    const auto record = read(reader, {{10ms, c.body}}, c.end, c.stream, c.content_type);
    EXPECT_EQ(record.outcome, c.outcome) << c.name;
    EXPECT_EQ(reader.problem(), c.problem) << c.name;
  }
}

TEST(ResponseReader, WholeJsonHasCountsAndNoTokenTimes) {
  ResponseReader reader;
  const auto record = read(reader, {{10ms, "{\"choices\":[{\"text\":\"abc\",\"finish_reason\":\"length\"}],\"system_fingerprint\":\"pod-9\","},
                                    {12ms, "\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3}}"}}, end_of(), false, "application/json");
  EXPECT_EQ(record.outcome, Outcome::kOk);
  EXPECT_EQ(record.first_byte, 10ms);
  EXPECT_EQ(record.first_token, kNever);
  EXPECT_EQ(record.output_tokens, 3u);
  EXPECT_TRUE(record.finished_by_length);
  ObservedSource source = ObservedSource::kNone;
  EXPECT_EQ(reader.observed(source), "pod-9");
  EXPECT_EQ(source, ObservedSource::kSystemFingerprint);
}

TEST(ResponseReader, ObservedReplicaByPrecedence) {
  ResponseReader reader;
  ObservedSource source = ObservedSource::kNone;
  reader.start(kStart, true);
  EXPECT_EQ(reader.observed(source), "");
  EXPECT_EQ(source, ObservedSource::kNone);
  reader.on_header("X-Inference-Pod", "pod-1");
  EXPECT_EQ(reader.observed(source), "pod-1");
  EXPECT_EQ(source, ObservedSource::kInferencePodHeader);
  reader.on_header("x-gateway-destination-endpoint-served", "10.0.0.1:8000");
  EXPECT_EQ(reader.observed(source), "10.0.0.1:8000");
  EXPECT_EQ(source, ObservedSource::kServedEndpointHeader);
  reader.start(kStart, true);
  EXPECT_EQ(reader.observed(source), "");
}

TEST(ResponseReader, AnEndlessEventIsABadResponse) {
  ResponseReader reader;
  reader.start(kStart, true);
  const std::string block(1u << 20, 'x');
  reader.on_body("data: ", {kStart, true});
  for (int i = 0; i < 18; ++i) reader.on_body(block, {kStart, true});
  RequestRecord record;
  reader.finish(end_of(), false, record);
  EXPECT_EQ(record.outcome, Outcome::kBadResponse);
}

}  // namespace
}  // namespace bench
