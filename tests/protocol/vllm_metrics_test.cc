// vLLM metrics: every rename, engines summed, torn snapshots, hostile text.
#include "protocol/vllm_metrics.h"

#include <gtest/gtest.h>

#include <utility>

namespace protocol {
namespace {

constexpr std::string_view kPage = R"(# HELP vllm:num_requests_running Number
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="q"} 3.0
vllm:num_requests_running{engine="1",model_name="q"} 4.0
vllm:num_requests_waiting{engine="0",model_name="q"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="q"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="q"} 0.75
vllm:gpu_cache_usage_perc{engine="0",model_name="q"} 0.99
vllm:prefix_cache_queries_total{engine="0",model_name="q"} 1.2345678e+07
vllm:prefix_cache_queries_created{engine="0",model_name="q"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="q"} 128.0
vllm:gpu_prefix_cache_hits_total{engine="0",model_name="q"} 128.0
vllm:prompt_tokens_total{engine="0",model_name="q"} 300.0
vllm:prompt_tokens_cached_total{engine="0",model_name="q"} 17.0
vllm:generation_tokens_total{engine="0",model_name="q"} 60.0
vllm:iteration_tokens_total_sum{engine="0",model_name="q"} 999.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="q"} 1.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="q"} 2.0
vllm:request_success_total{engine="0",finished_reason="abort",model_name="q"} 0.0
vllm:request_success_created{engine="0",finished_reason="stop",model_name="q"} 1.75e+09
vllm:request_success_created{engine="0",finished_reason="error",model_name="q"} 1.76e+09
vllm:request_prompt_tokens_bucket{engine="0",le="100.0",model_name="q"} 2.0
vllm:request_prompt_tokens_bucket{engine="0",le="+Inf",model_name="q"} 3.0
vllm:request_prompt_tokens_count{engine="0",model_name="q"} 3.0
vllm:request_prompt_tokens_sum{engine="0",model_name="q"} 300.0
vllm:request_params_max_tokens_count{engine="0",model_name="q"} 3.0
vllm:request_params_max_tokens_sum{engine="0",model_name="q"} 150.0
vllm:e2e_request_latency_seconds_count{engine="0",model_name="q"} 3.0
vllm:cache_config_info{block_size="128",engine="0",num_gpu_blocks="1000"} 1.0
vllm:cache_config_info{block_size="128",engine="1",num_gpu_blocks="1000"} 1.0
http_request_size_bytes_sum{handler="/v1/completions"} 4096.0
http_request_size_bytes_count{handler="/v1/completions"} 3.0
http_request_size_bytes_sum{handler="/v1/models"} 7.0
http_request_size_bytes_sum{handler="/tokenize"} 9.0
process_start_time_seconds 1.7e+09
gatebench_sim_step_late_seconds_bucket{le="0.001"} 5.0
gatebench_sim_step_late_seconds_count 5.0
)";

TEST(VllmMetrics, ReadsAPage) {
  const auto parsed = parse_vllm_metrics(kPage);
  ASSERT_TRUE(parsed.has_value());
  const VllmSnapshot& s = *parsed;
  EXPECT_EQ(s.running, 7.0);
  EXPECT_EQ(s.waiting, 1.0);
  EXPECT_EQ(s.kv_used_fraction, 0.5);
  EXPECT_EQ(s.prefix_queries_tokens, 12345678.0);
  EXPECT_EQ(s.prefix_hits_tokens, 128.0);
  EXPECT_EQ(s.prompt_tokens, 300.0);
  EXPECT_EQ(s.prompt_tokens_cached, 17.0);
  EXPECT_EQ(s.generation_tokens, 60.0);
  EXPECT_EQ(s.preemptions, std::nullopt);
  EXPECT_EQ(s.success, 3.0);
  EXPECT_EQ(s.success_stop, 1.0);
  EXPECT_EQ(s.success_length, 2.0);
  EXPECT_EQ(s.success_abort, 0.0);
  EXPECT_EQ(s.created_unix_s, 1.75e9);
  EXPECT_EQ(s.process_start_unix_s, 1.7e9);
  EXPECT_EQ(s.block_size_tokens, 128u);
  EXPECT_EQ(s.num_gpu_blocks, 2000u);
  EXPECT_EQ(s.http_request_bytes_sum, 4096.0);
  EXPECT_EQ(s.http_request_count, 3.0);
  EXPECT_EQ(s.model_name, "q");
  ASSERT_TRUE(s.request_prompt_tokens.present);
  EXPECT_EQ(s.request_prompt_tokens.sum, 300.0);
  ASSERT_EQ(s.request_prompt_tokens.bucket_count, 2);
  EXPECT_EQ(s.request_prompt_tokens.upper[0], 100.0);
  EXPECT_EQ(s.request_prompt_tokens.cumulative[0], 2.0);
  EXPECT_EQ(s.request_max_tokens.sum, 150.0);
  EXPECT_FALSE(s.queue_time.present);
  EXPECT_TRUE(s.sim_step_late.present);
  EXPECT_FALSE(s.sim_step.present);
  EXPECT_TRUE(s.consistent());
}

TEST(VllmMetrics, OldNamesOnly) {
  const auto s = parse_vllm_metrics(
      "vllm:gpu_cache_usage_perc{engine=\"0\"} 0.5\nvllm:gpu_prefix_cache_queries_total 10\nvllm:gpu_prefix_cache_hits 4\n");
  ASSERT_TRUE(s.has_value());
  EXPECT_EQ(s->kv_used_fraction, 0.5);
  EXPECT_EQ(s->prefix_queries_tokens, 10.0);
  EXPECT_EQ(s->prefix_hits_tokens, 4.0);
}

TEST(VllmMetrics, WithoutTotalSuffix) {
  const auto s = parse_vllm_metrics("vllm:request_success{finished_reason=\"stop\"} 2\nvllm:prompt_tokens 5\n");
  ASSERT_TRUE(s.has_value());
  EXPECT_EQ(s->success, 2.0);
  EXPECT_EQ(s->prompt_tokens, 5.0);
}

TEST(VllmMetrics, TornSnapshotsAreInconsistent) {
  const std::string base = "vllm:request_success_total{finished_reason=\"stop\"} 2\n";
  EXPECT_TRUE(parse_vllm_metrics(base + "vllm:e2e_request_latency_seconds_count 2\n")->consistent());
  EXPECT_FALSE(parse_vllm_metrics(base + "vllm:e2e_request_latency_seconds_count 1\n")->consistent());
  EXPECT_FALSE(parse_vllm_metrics(base + "vllm:request_params_max_tokens_count 3\n")->consistent());
  EXPECT_FALSE(parse_vllm_metrics("vllm:request_prompt_tokens_bucket{le=\"+Inf\"} 2\nvllm:request_prompt_tokens_count 1\n")->consistent());
  EXPECT_TRUE(parse_vllm_metrics("")->consistent());
}

TEST(VllmMetrics, AbsentIsNotZero) {
  const auto s = parse_vllm_metrics("up 1\nvllm:num_requests_running NaN\n");
  ASSERT_TRUE(s.has_value());
  EXPECT_EQ(s->running, std::nullopt);
  EXPECT_EQ(s->success, std::nullopt);
  EXPECT_FALSE(s->e2e.present);
}

TEST(VllmMetrics, BucketsOfTwoEnginesAddUpAndMoreThanTheyHoldAreLeftOut) {
  std::string page;
  for (const char* engine : {"0", "1"}) {
    for (int i = 0; i < 60; ++i) {
      page += "vllm:request_prompt_tokens_bucket{engine=\"" + std::string(engine) + "\",le=\"" + std::to_string(i) + "\"} 2\n";
    }
  }
  const auto s = parse_vllm_metrics(page);
  ASSERT_TRUE(s.has_value());
  EXPECT_EQ(s->request_prompt_tokens.bucket_count, HistogramTotals::kMaxBuckets);
  EXPECT_EQ(s->request_prompt_tokens.cumulative[39], 4.0);
}

TEST(VllmMetrics, DecodeAndPrefillTimesAreReadAndJudgedWithTheOthers) {
  std::string page = "vllm:request_success_total{finished_reason=\"stop\"} 2\nvllm:request_decode_time_seconds_count 2\n"
                     "vllm:request_decode_time_seconds_sum 0.75\nvllm:request_prefill_time_seconds_sum 0.5\n";
  auto s = parse_vllm_metrics(page + "vllm:request_prefill_time_seconds_count 2\n");
  ASSERT_TRUE(s.has_value());
  EXPECT_EQ(s->decode_time.sum, 0.75);
  EXPECT_EQ(s->prefill_time.sum, 0.5);
  EXPECT_TRUE(s->consistent());
  s = parse_vllm_metrics(page + "vllm:request_prefill_time_seconds_count 1\n");
  EXPECT_FALSE(s->consistent());
}

TEST(HistogramTotals, CopiesShareTheirBucketsUntilOneIsWrittenTo) {
  HistogramTotals first;
  first.upper = {1, 2};
  first.cumulative[first.bucket_count++] = 3;
  HistogramTotals second = first;
  EXPECT_TRUE(second.upper.shares_with(first.upper));
  second.cumulative[0] += 1;
  EXPECT_EQ(first.cumulative[0], 3);
  EXPECT_EQ(second.cumulative[0], 4);
  EXPECT_FALSE(second.cumulative.shares_with(first.cumulative));
  EXPECT_EQ(std::as_const(second).cumulative[7], 0);
}

TEST(VllmMetrics, SuccessiveScrapesShareWhatDidNotChange) {
  const auto page = [](int finished) {
    return "vllm:e2e_request_latency_seconds_bucket{le=\"1\"} " + std::to_string(finished) +
           "\nvllm:time_to_first_token_seconds_bucket{le=\"2\"} 5\n";
  };
  const auto first = parse_vllm_metrics(page(1));
  auto second = parse_vllm_metrics(page(2));
  second->share_with(*first);
  EXPECT_TRUE(second->e2e.upper.shares_with(first->e2e.upper));
  EXPECT_FALSE(second->e2e.cumulative.shares_with(first->e2e.cumulative));
  EXPECT_TRUE(second->ttft.cumulative.shares_with(first->ttft.cumulative));
  EXPECT_EQ(second->e2e.cumulative[0], 2);
}

TEST(VllmMetrics, OtherTextIsAProtocolError) {
  for (const std::string_view text : {"<html><body>404</body></html>", "{\"error\":1}", "OK", "vllm:x{le=\"1 2"}) {
    const auto s = parse_vllm_metrics(text);
    ASSERT_FALSE(s.has_value()) << text;
    EXPECT_EQ(s.error().code, core::ErrorCode::kProtocol);
  }
}

}  // namespace
}  // namespace protocol
