// Other engines' names: what maps, what must not, what a replica lacks, what a filtered scrape asks for.
#include "protocol/engine_names.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "protocol/vllm_metrics.h"

namespace protocol {
namespace {

TEST(EngineNames, SglangTotalsBecomeSumsPerFinish) {
  const auto s = parse_vllm_metrics(
      "sglang:num_running_reqs{model_name=\"q\"} 3\nsglang:num_requests_total{model_name=\"q\",is_streaming=\"true\"} 4\n"
      "sglang:num_requests_total{model_name=\"q\",is_streaming=\"false\"} 1\nsglang:prompt_tokens_total 500\n"
      "sglang:generation_tokens_total 250\nsglang:cached_tokens_total 128\nsglang:token_usage 0.5\n"
      "sglang:e2e_request_latency_seconds_sum 7.5\nsglang:e2e_request_latency_seconds_count 5\n");
  ASSERT_TRUE(s.has_value());
  EXPECT_EQ(s->engine, Engine::kSglang);
  EXPECT_EQ(s->model_name, "q");
  EXPECT_EQ(s->success, 5.0);
  EXPECT_EQ(s->running, 3.0);
  EXPECT_EQ(s->kv_used_fraction, 0.5);
  EXPECT_EQ(s->request_prompt_tokens.sum, 500.0);
  EXPECT_EQ(s->request_prompt_tokens.count, 5.0);
  EXPECT_EQ(s->request_generation_tokens.sum, 250.0);
  EXPECT_EQ(s->prefix_hits_tokens, 128.0);
  EXPECT_EQ(s->prefix_queries_tokens, 500.0);
  EXPECT_EQ(s->e2e.sum, 7.5);
  EXPECT_TRUE(s->consistent());
  // SGLang adds prompt tokens at the finish: no first-token counter may be made of them.
  EXPECT_FALSE(s->prompt_tokens.has_value());
}

TEST(EngineNames, TensorRtLlmRecordsTheFirstTokenAtTheFinish) {
  const auto s = parse_vllm_metrics(
      "trtllm_request_success_total{model_name=\"q\",finished_reason=\"stop\"} 2\ntrtllm_time_to_first_token_seconds_count 2\n"
      "trtllm_e2e_request_latency_seconds_bucket{le=\"+Inf\"} 2\ntrtllm_e2e_request_latency_seconds_count 2\n"
      "trtllm_request_decode_time_seconds_sum 0.5\ntrtllm_request_decode_time_seconds_count 2\n");
  ASSERT_TRUE(s.has_value());
  EXPECT_EQ(s->engine, Engine::kTensorRtLlm);
  EXPECT_EQ(s->success_stop, 2.0);
  EXPECT_EQ(s->e2e.count, 2.0);
  EXPECT_EQ(s->decode_time.sum, 0.5);
  EXPECT_FALSE(s->ttft.present);
  const auto absent = absent_channels(*s);
  EXPECT_NE(std::find(absent.begin(), absent.end(), "first-token counters"), absent.end());
  EXPECT_NE(std::find(absent.begin(), absent.end(), "sums of prompt tokens"), absent.end());
  EXPECT_EQ(std::find(absent.begin(), absent.end(), "count of finished requests"), absent.end());
}

TEST(EngineNames, ServersAreToldApartByWhatTheyExport) {
  const auto engine = [](std::string_view page) { return parse_vllm_metrics(page)->engine; };
  EXPECT_EQ(engine("python_info 1\nvllm:num_requests_running 0\n"), Engine::kVllm);
  EXPECT_EQ(engine("go_goroutines 9\nvllm:num_requests_running 0\n"), Engine::kLlmdSimulator);
  EXPECT_EQ(engine("vllm:num_requests_running 0\ngatebench_sim_step_seconds_count 0\n"), Engine::kGatebenchReplica);
  EXPECT_EQ(engine("node_load1 0.5\n"), Engine::kUnknown);
  EXPECT_EQ(name_of(Engine::kUnknown), "");
}

TEST(EngineNames, TheFilterAsksForSamplesOfTheEngineByName) {
  const std::string vllm = name_filter(Engine::kVllm);
  EXPECT_EQ(vllm.substr(0, 50), "name%5B%5D=vllm%3Anum_requests_running&name%5B%5D=");
  for (const char* name : {"vllm%3Arequest_success_total", "vllm%3Arequest_prompt_tokens_bucket", "vllm%3Ae2e_request_latency_seconds_sum",
                           "vllm%3Arequest_decode_time_seconds_sum", "http_request_size_bytes_sum", "process_start_time_seconds"}) {
    EXPECT_NE((vllm + "&").find(std::string("name%5B%5D=") + name + "&"), std::string::npos) << name;
  }
  EXPECT_EQ(vllm.find("latency_seconds_bucket"), std::string::npos);
  EXPECT_EQ(vllm.find("gatebench"), std::string::npos);
  EXPECT_NE(name_filter(Engine::kGatebenchReplica).find("gatebench_sim_step_seconds_sum"), std::string::npos);
  EXPECT_NE(name_filter(Engine::kSglang).find("sglang%3Anum_requests_total"), std::string::npos);
  EXPECT_EQ(name_filter(Engine::kUnknown), "");
}

}  // namespace
}  // namespace protocol
