#include "simulator/server/replica_server.h"

#include <gtest/gtest.h>

#include "client.h"
#include "protocol/openai.h"
#include "protocol/vllm_metrics.h"

namespace simulator {
namespace {

using testing::Bench;
using testing::Call;

std::string words(std::uint64_t seed, std::size_t tokens) {
  std::string text;
  protocol::append_words(text, seed, tokens);
  return text;
}

std::string completion(const std::string& prompt, std::uint32_t max_tokens, bool stream,
                       const std::string& more = {}) {
  std::string body = "{\"model\":\"Qwen/Qwen2.5-3B-Instruct\",\"prompt\":\"";
  protocol::append_escaped(prompt, body);
  body += "\",\"max_tokens\":" + std::to_string(max_tokens);
  if (stream) body += ",\"stream\":true,\"stream_options\":{\"include_usage\":true" + more + "}";
  return body + "}";
}

/// What a client makes of a stream.
struct Heard {
  std::string text;
  std::uint32_t tokens = 0;
  bool done = false, finished = false;
  protocol::Usage usage;
};

Heard decode(const Call& call) {
  Heard heard;
  protocol::ResponseDecoder decoder;
  for (const auto& payload : call.events()) {
    std::string padded = payload;
    padded.reserve(padded.size() + core::SseParser::kPadding);
    const auto part = decoder.decode_event(padded);
    using Kind = protocol::ResponsePart::Kind;
    EXPECT_TRUE(part.kind == Kind::kTokens || part.kind == Kind::kNoTokens || part.kind == Kind::kDone) << payload;
    if (part.kind == Kind::kTokens) ++heard.tokens;
    heard.text += part.text;
    heard.done = heard.done || part.kind == Kind::kDone;
    heard.finished = heard.finished || part.finished;
    if (part.usage.prompt_tokens != protocol::kUnknownCount) heard.usage = part.usage;
  }
  return heard;
}

TEST(ReplicaServer, StreamsACompletion) {
  Bench bench;
  const auto call = bench.call("/v1/completions", completion(words(1, 30), 20, true));
  EXPECT_EQ(call->status, 200);
  EXPECT_EQ(call->curl_code, 0);
  EXPECT_EQ(call->pod, "pod-7");
  EXPECT_EQ(call->content_type, "text/event-stream; charset=utf-8");
  const Heard heard = decode(*call);
  EXPECT_EQ(heard.tokens, 20u);
  EXPECT_TRUE(heard.done && heard.finished);
  EXPECT_EQ(heard.usage.prompt_tokens, 30u);
  EXPECT_EQ(heard.usage.completion_tokens, 20u);
  EXPECT_EQ(heard.usage.cached_tokens, 0u);
  EXPECT_EQ(protocol::count_tokens(heard.text), 20u);
  EXPECT_EQ(call->events().back(), "[DONE]");
  EXPECT_EQ(call->events().size(), 22u) << "20 tokens, usage, [DONE]";
}

TEST(ReplicaServer, WholeAnswerHasTheStreamsText) {
  Bench bench;
  const auto stream = bench.call("/v1/completions", completion(words(1, 30), 20, true));
  const auto whole = bench.call("/v1/completions", completion(words(1, 30), 20, false));
  EXPECT_EQ(whole->status, 200);
  EXPECT_EQ(whole->content_type, "application/json");
  protocol::ResponseDecoder decoder;
  const auto part = decoder.decode_body(whole->answer);
  EXPECT_EQ(part.kind, protocol::ResponsePart::Kind::kTokens);
  EXPECT_TRUE(part.finished_by_length);
  EXPECT_EQ(part.usage.completion_tokens, 20u);
  EXPECT_EQ(std::string(part.text), decode(*stream).text);
}

TEST(ReplicaServer, ChatStreamsARoleFirstAndRunningUsage) {
  Bench bench;
  const auto call = bench.call("/v1/chat/completions",
                               R"({"messages":[{"role":"user","content":"What is Kubernetes?"}],"max_tokens":3,)"
                               R"("stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}})");
  EXPECT_EQ(call->status, 200);
  const auto events = call->events();
  ASSERT_EQ(events.size(), 6u);
  EXPECT_NE(events[0].find("\"role\":\"assistant\""), std::string::npos);
  EXPECT_NE(events[1].find("\"completion_tokens\":1"), std::string::npos);
  EXPECT_NE(events[3].find("\"finish_reason\":\"length\""), std::string::npos);
  EXPECT_NE(events[4].find("\"choices\":[]"), std::string::npos);
  EXPECT_EQ(events[5], "[DONE]");
}

TEST(ReplicaServer, RequestIdAndFingerprintComeBack) {
  Bench bench([](ReplicaOptions& options) { options.system_fingerprint = "fp-pod-7"; });
  auto call = bench.make("/v1/completions", completion("hi", 2, true));
  call->headers.emplace_back("X-Request-Id: abc");
  bench.begin(*call);
  bench.finish({call.get()});
  EXPECT_NE(call->events()[0].find("\"id\":\"cmpl-abc\""), std::string::npos);
  EXPECT_EQ(call->events()[0].find("fp-pod-7"), std::string::npos) << "the final chunks only";
  EXPECT_NE(call->events()[2].find("fp-pod-7"), std::string::npos);
}

TEST(ReplicaServer, SharedPagesHitAndAreReported) {
  Bench bench;
  const std::string prefix = words(5, 300);
  bench.call("/v1/completions", completion(prefix + words(6, 20), 2, true));
  const auto second = bench.call("/v1/completions", completion(prefix + words(7, 20), 2, true));
  EXPECT_EQ(decode(*second).usage.cached_tokens, 256u);
  EXPECT_EQ(bench.metric(R"(vllm:prefix_cache_hits_total{engine="0",model_name="Qwen/Qwen2.5-3B-Instruct"})"), 256.0);
  const auto reset = bench.call("/reset_prefix_cache", "{}");
  EXPECT_EQ(reset->answer, R"({"success":true})");
  const auto third = bench.call("/v1/completions", completion(prefix + words(8, 20), 2, true));
  EXPECT_EQ(decode(*third).usage.cached_tokens, 0u);
}

TEST(ReplicaServer, FinishMetricsAreThereWithTheLastByteAndHttpMetricsAfterIt) {
  Bench bench;
  const std::string body = completion(words(2, 40), 7, true);
  for (int i = 1; i <= 5; ++i) {
    // The scrape starts inside the callback that brings [DONE]; nothing may be missing from it.
    auto call = bench.make("/v1/completions", body);
    auto scrape = bench.make("/metrics");
    bool scraping = false;
    call->on_bytes = [&] {
      if (!scraping && call->answer.ends_with("data: [DONE]\n\n")) {
        scraping = true;
        bench.begin(*scrape);
      }
    };
    bench.begin(*call);
    bench.finish({call.get(), scrape.get()});
    const auto snapshot = protocol::parse_vllm_metrics(scrape->answer);
    ASSERT_TRUE(snapshot.has_value());
    EXPECT_TRUE(snapshot->consistent());
    EXPECT_EQ(snapshot->success, static_cast<double>(i));
    EXPECT_EQ(snapshot->request_generation_tokens.sum, 7.0 * i);
    EXPECT_EQ(snapshot->request_max_tokens.sum, 7.0 * i);
    EXPECT_EQ(snapshot->running, 0.0);
  }
  const auto snapshot = protocol::parse_vllm_metrics(bench.call("/metrics")->answer);
  EXPECT_EQ(snapshot->http_request_count, 5.0);
  EXPECT_EQ(snapshot->http_request_bytes_sum, 5.0 * static_cast<double>(body.size()));
  EXPECT_EQ(snapshot->sim_step_late.count, 35.0);
  EXPECT_EQ(snapshot->block_size_tokens, 128u);
}

TEST(ReplicaServer, ErrorsAreVllms) {
  Bench bench;
  const auto error_of = [&](const std::string& path, const std::string& body) {
    const auto call = bench.call(path, body);
    return std::to_string(call->status) + " " + call->answer;
  };
  EXPECT_EQ(error_of("/v1/completions", R"({"model":"other","prompt":"x"})"),
            "404 {\"error\":{\"message\":\"The model `other` does not exist.\",\"type\":\"NotFoundError\","
            "\"param\":\"model\",\"code\":404}}");
  EXPECT_TRUE(error_of("/v1/completions", "{\"prompt\":").starts_with("400 {\"error\":{\"message\":\"[{'type': 'json_invalid'"));
  EXPECT_TRUE(error_of("/v1/completions", R"({"prompt":""})").starts_with("400 "));
  EXPECT_TRUE(error_of("/v1/completions", R"({"prompt":"x","n":2})").starts_with("400 "));
  EXPECT_TRUE(error_of("/v1/completions", R"({"prompt":["x","y"]})").starts_with("400 "));
  EXPECT_TRUE(error_of("/v1/completions", completion(words(1, 2000), 49, true))
                  .starts_with("400 {\"error\":{\"message\":\"This model's maximum context length is 2048 tokens. However, you "
                               "requested 49 output tokens and your prompt contains 2000 input tokens"));
  EXPECT_TRUE(error_of("/v1/completions", completion(words(1, 2048), 1, true)).starts_with("400 "));
  EXPECT_TRUE(error_of("/nowhere", "{}").starts_with("404 "));
  EXPECT_TRUE(error_of("/v1/models", "{}").starts_with("405 "));
  auto plain = bench.make("/v1/completions", completion("x", 1, false));
  plain->headers = {"Content-Type: text/plain"};
  bench.begin(*plain);
  bench.finish({plain.get()});
  EXPECT_EQ(plain->status, 400);
  EXPECT_EQ(bench.metric(R"(http_requests_total{handler="/v1/completions",method="POST",status="4xx"})"), 8.0);
  EXPECT_EQ(bench.metric(R"(vllm:e2e_request_latency_seconds_count{engine="0",model_name="Qwen/Qwen2.5-3B-Instruct"})"), 0.0);
}

TEST(ReplicaServer, SmallRoutes) {
  Bench bench;
  EXPECT_EQ(bench.call("/health")->status, 200);
  EXPECT_EQ(bench.call("/ping")->status, 200);
  EXPECT_EQ(bench.call("/load")->answer, R"({"server_load":0})");
  EXPECT_NE(bench.call("/version")->answer.find("simulated"), std::string::npos);
  EXPECT_NE(bench.call("/v1/models")->answer.find(R"("id":"Qwen/Qwen2.5-3B-Instruct")"), std::string::npos);
  EXPECT_NE(bench.call("/v1/models")->answer.find(R"("max_model_len":2048)"), std::string::npos);
  const auto tokens = bench.call("/tokenize", R"({"prompt":"Hello, world"})");
  EXPECT_NE(tokens->answer.find(R"("count":3)"), std::string::npos) << tokens->answer;
  EXPECT_EQ(bench.call("/detokenize", R"({"tokens":[1]})")->status, 404);
}

TEST(ReplicaServer, MetricsCanBeAskedForByName) {
  Bench bench;
  const auto scrape = bench.call("/metrics?name[]=vllm:num_requests_running&name%5B%5D=vllm%3Anum_preemptions_total");
  EXPECT_EQ(scrape->answer,
            "# HELP vllm:num_requests_running Number of requests in model execution batches.\n"
            "# TYPE vllm:num_requests_running gauge\n"
            "vllm:num_requests_running{engine=\"0\",model_name=\"Qwen/Qwen2.5-3B-Instruct\"} 0.0\n"
            "# HELP vllm:num_preemptions_total Preemptions of the engine.\n"
            "# TYPE vllm:num_preemptions_total counter\n"
            "vllm:num_preemptions_total{engine=\"0\",model_name=\"Qwen/Qwen2.5-3B-Instruct\"} 0.0\n");
  EXPECT_EQ(scrape->content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(bench.call("/metrics?name[]=none")->answer, "");
}

TEST(ReplicaServer, TokenPromptsAreExact) {
  Bench bench;
  const auto call = bench.call("/v1/completions", R"({"prompt":[5,6,7],"max_tokens":2})");
  EXPECT_NE(call->answer.find("\"prompt_tokens\":3,\"total_tokens\":5"), std::string::npos) << call->answer;
}

TEST(ReplicaServer, ClientThatLeavesAbortsItsRequest) {
  Bench bench;
  auto leaver = bench.make("/v1/completions", completion(words(1, 30), 1500, true));
  core::net::TransferId id{};
  leaver->on_bytes = [&] { bench.loop.stop(); };
  id = bench.begin(*leaver);
  bench.loop.run();
  bench.client->cancel(id);
  EXPECT_TRUE(leaver->over);
  // A request that starts afterwards shares no step with it for long: the other's blocks are free again.
  bench.call("/v1/completions", completion(words(2, 30), 50, true));
  const auto snapshot = protocol::parse_vllm_metrics(bench.call("/metrics")->answer);
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->success, 1.0) << "an abort is in no finish metric";
  EXPECT_EQ(snapshot->running, 0.0);
  EXPECT_EQ(snapshot->kv_used_fraction, 0.0);
  EXPECT_LT(*snapshot->generation_tokens, 1500.0);
  EXPECT_EQ(snapshot->http_request_count, 2.0);
}

TEST(ReplicaServer, ManyAtOnceShareSteps) {
  Bench bench;
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<Call*> all;
  for (std::uint64_t i = 0; i < 40; ++i) {
    calls.push_back(bench.make("/v1/completions", completion(words(i, 100), 10, i % 2 == 0)));
    all.push_back(calls.back().get());
  }
  for (Call* call : all) bench.begin(*call);
  bench.finish(all);
  for (const Call* call : all) EXPECT_EQ(call->status, 200);
  const auto snapshot = protocol::parse_vllm_metrics(bench.call("/metrics")->answer);
  EXPECT_TRUE(snapshot->consistent());
  EXPECT_EQ(snapshot->success, 40.0);
  EXPECT_EQ(snapshot->generation_tokens, 400.0);
  EXPECT_LT(snapshot->sim_step.count, 400.0);
  EXPECT_EQ(snapshot->sim_step.count, snapshot->sim_step_late.count);
}

TEST(ReplicaServer, NetworkAndFixedTimeAreOutsideAndInsideOfTheServersView) {
  Bench bench([](ReplicaOptions& options) {
    options.network_delay = std::chrono::milliseconds(20);
    options.profile.fixed = std::chrono::milliseconds(5);
  });
  const auto start = bench.loop.now();
  const auto call = bench.call("/v1/completions", completion(words(1, 30), 3, true));
  const auto took = bench.loop.now() - start;
  EXPECT_EQ(decode(*call).tokens, 3u);
  EXPECT_GE(took, std::chrono::milliseconds(25));
  const auto snapshot = protocol::parse_vllm_metrics(bench.call("/metrics")->answer);
  // 5 ms in the server, a prefill of 30 tokens padded to 32, two decodes padded to 16: modelled times, whatever the
  // machine's punctuality.
  const double steps_us = (200 + 4.5 * 32 + 0.0112 * 30) + (200 + 4.5 * 16 + 75 + 0.0112 * 31) + (200 + 4.5 * 16 + 75 + 0.0112 * 32);
  EXPECT_NEAR(snapshot->e2e.sum, 0.005 + steps_us * 1e-6, 5e-9);
  EXPECT_EQ(snapshot->queue_time.sum, 0.0);
}

TEST(ReplicaServer, TwoServersCannotShareAPort) {
  Bench bench;
  ReplicaOptions options;
  options.profile = *load_profile(kDefaultProfile);
  options.port = bench.server->port();
  const auto second = ReplicaServer::start(bench.loop, options);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, core::ErrorCode::kIo);
}

TEST(ReplicaServer, BadOptionsAreRefused) {
  core::net::Loop loop;
  EXPECT_FALSE(ReplicaServer::start(loop, ReplicaOptions{}).has_value());
  ReplicaOptions options;
  options.profile = *load_profile(kDefaultProfile);
  options.network_delay = core::Duration{-1};
  EXPECT_FALSE(ReplicaServer::start(loop, options).has_value());
  options.network_delay = {};
  options.profile.engine.num_gpu_blocks = 3;
  EXPECT_FALSE(ReplicaServer::start(loop, options).has_value());
}

TEST(ReplicaServer, DrainEndsAfterTheLastAnswer) {
  Bench bench;
  auto call = bench.make("/v1/completions", completion(words(1, 30), 50, true));
  bool idle = false, draining = false;
  call->on_bytes = [&] {
    if (draining) return;
    draining = true;
    bench.server->drain([&] { idle = true; });
  };
  bench.begin(*call);
  bench.finish({call.get()});
  EXPECT_EQ(decode(*call).tokens, 50u);
  EXPECT_TRUE(idle);
}

}  // namespace
}  // namespace simulator
