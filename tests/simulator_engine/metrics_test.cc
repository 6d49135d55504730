#include "simulator/engine/engine_metrics.h"

#include <gtest/gtest.h>

#include "protocol/vllm_metrics.h"
#include "simulator/engine/engine.h"

namespace simulator {
namespace {

/// Sample lines of one family, or of all when the name is empty.
std::vector<std::string> lines_of(const std::string& text, std::string_view start) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  while (from < text.size()) {
    const auto end = text.find('\n', from);
    const std::string line = text.substr(from, end - from);
    if (line.starts_with(start)) lines.push_back(line);
    from = end + 1;
  }
  return lines;
}

std::string render(const EngineMetrics& metrics, const EngineConfig& config = {}) {
  MetricsIdentity identity;
  identity.config = config;
  identity.model_name = "m";
  identity.created_unix_s = 1700000000.5;
  core::PromWriter writer;
  metrics.render(identity, writer);
  return writer.take();
}

TEST(TokenBounds, OneTwoFiveUpToTheMost) {
  EXPECT_EQ(token_bounds(2048), (std::vector<double>{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000}));
  EXPECT_EQ(token_bounds(5), (std::vector<double>{1, 2, 5}));
  EXPECT_EQ(token_bounds(1), (std::vector<double>{1}));
}

TEST(HistogramOf, BoundsAreInclusiveAndTheRestGoesToInf) {
  constexpr double kBounds[] = {1, 2};
  Histogram histogram(kBounds);
  for (const double value : {0.0, 1.0, 1.5, 2.0, 3.0}) histogram.observe(value);
  EXPECT_EQ(histogram.in_bucket(0), 2u);
  EXPECT_EQ(histogram.in_bucket(1), 2u);
  EXPECT_EQ(histogram.in_bucket(2), 1u);
  EXPECT_EQ(histogram.count(), 5u);
  EXPECT_EQ(histogram.sum(), 7.5);
}

TEST(StepBounds, FitTheReadersTable) {
  EXPECT_EQ(step_bounds().size(), 36u);
  EXPECT_LT(step_bounds().size(), protocol::HistogramTotals::kMaxBuckets);
  EXPECT_EQ(step_bounds().front(), 1e-5);
  EXPECT_EQ(step_bounds().back(), 1.0);
  for (std::size_t i = 1; i < step_bounds().size(); ++i) EXPECT_LT(step_bounds()[i - 1], step_bounds()[i]);
}

TEST(EngineMetrics, FamiliesInVllmsOrder) {
  const EngineMetrics metrics(2048);
  std::vector<std::string> types;
  for (const auto& line : lines_of(render(metrics), "# TYPE ")) {
    const std::string family = line.substr(7);
    if (family.find("_created ") == std::string::npos) types.push_back(family);
  }
  EXPECT_EQ(types, (std::vector<std::string>{
                       "process_start_time_seconds gauge",
                       "vllm:num_requests_running gauge",
                       "vllm:num_requests_waiting gauge",
                       "vllm:num_requests_waiting_by_reason gauge",
                       "vllm:kv_cache_usage_perc gauge",
                       "vllm:prefix_cache_queries_total counter",
                       "vllm:prefix_cache_hits_total counter",
                       "vllm:num_preemptions_total counter",
                       "vllm:prompt_tokens_total counter",
                       "vllm:prompt_tokens_by_source_total counter",
                       "vllm:prompt_tokens_cached_total counter",
                       "vllm:generation_tokens_total counter",
                       "vllm:request_success_total counter",
                       "vllm:request_prompt_tokens histogram",
                       "vllm:request_generation_tokens histogram",
                       "vllm:iteration_tokens_total histogram",
                       "vllm:request_max_num_generation_tokens histogram",
                       "vllm:request_params_n histogram",
                       "vllm:request_params_max_tokens histogram",
                       "vllm:time_to_first_token_seconds histogram",
                       "vllm:inter_token_latency_seconds histogram",
                       "vllm:request_time_per_output_token_seconds histogram",
                       "vllm:e2e_request_latency_seconds histogram",
                       "vllm:request_queue_time_seconds histogram",
                       "vllm:request_inference_time_seconds histogram",
                       "vllm:request_prefill_time_seconds histogram",
                       "vllm:request_decode_time_seconds histogram",
                       "vllm:request_prefill_kv_computed_tokens histogram",
                       "vllm:cache_config_info gauge",
                       "gatebench_sim_step_late_seconds histogram",
                       "gatebench_sim_step_seconds histogram"}));
}

TEST(EngineMetrics, SuccessAndPromptTokensGolden) {
  EngineMetrics metrics(100);
  EngineMetrics::Finish finish;
  finish.reason = FinishReason::kStop;
  finish.prompt_tokens = 30;
  finish.output_tokens = 5;
  metrics.finished(finish);
  finish.reason = FinishReason::kLength;
  finish.prompt_tokens = 7;
  metrics.finished(finish);
  const std::string text = render(metrics);
  EXPECT_EQ(lines_of(text, "vllm:request_success"), (std::vector<std::string>{
      R"(vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"} 1.0)",
      R"(vllm:request_success_total{engine="0",finished_reason="length",model_name="m"} 1.0)",
      R"(vllm:request_success_total{engine="0",finished_reason="abort",model_name="m"} 0.0)",
      R"(vllm:request_success_total{engine="0",finished_reason="error",model_name="m"} 0.0)",
      R"(vllm:request_success_total{engine="0",finished_reason="repetition",model_name="m"} 0.0)",
      R"(vllm:request_success_created{engine="0",finished_reason="stop",model_name="m"} 1.7000000005e+09)",
      R"(vllm:request_success_created{engine="0",finished_reason="length",model_name="m"} 1.7000000005e+09)",
      R"(vllm:request_success_created{engine="0",finished_reason="abort",model_name="m"} 1.7000000005e+09)",
      R"(vllm:request_success_created{engine="0",finished_reason="error",model_name="m"} 1.7000000005e+09)",
      R"(vllm:request_success_created{engine="0",finished_reason="repetition",model_name="m"} 1.7000000005e+09)"}));
  EXPECT_EQ(lines_of(text, "vllm:request_prompt_tokens"), (std::vector<std::string>{
      R"(vllm:request_prompt_tokens_bucket{engine="0",le="1.0",model_name="m"} 0.0)",
      R"(vllm:request_prompt_tokens_bucket{engine="0",le="2.0",model_name="m"} 0.0)",
      R"(vllm:request_prompt_tokens_bucket{engine="0",le="5.0",model_name="m"} 0.0)",
      R"(vllm:request_prompt_tokens_bucket{engine="0",le="10.0",model_name="m"} 1.0)",
      R"(vllm:request_prompt_tokens_bucket{engine="0",le="20.0",model_name="m"} 1.0)",
      R"(vllm:request_prompt_tokens_bucket{engine="0",le="50.0",model_name="m"} 2.0)",
      R"(vllm:request_prompt_tokens_bucket{engine="0",le="100.0",model_name="m"} 2.0)",
      R"(vllm:request_prompt_tokens_bucket{engine="0",le="+Inf",model_name="m"} 2.0)",
      R"(vllm:request_prompt_tokens_count{engine="0",model_name="m"} 2.0)",
      R"(vllm:request_prompt_tokens_sum{engine="0",model_name="m"} 37.0)",
      R"(vllm:request_prompt_tokens_created{engine="0",model_name="m"} 1.7000000005e+09)"}));
}

class Nothing final : public EngineSink {
 public:
  explicit Nothing(Engine*& engine) : engine_(engine) {}
  void on_token(const TokenEvent& event) override {
    if (event.finish == FinishReason::kNone) return;
    // Whoever hears of a finish finds it counted.
    EXPECT_EQ(engine_->metrics().success(), ++finished_);
  }

 private:
  Engine*& engine_;
  std::uint64_t finished_ = 0;
};

TEST(EngineMetrics, MomentsOfTwoRequestsByHand) {
  EngineConfig config;
  config.block_size_tokens = 4;
  config.num_gpu_blocks = 51;
  config.max_model_len = 100;
  config.max_num_seqs = 4;
  StepConstants constants;
  constants.base_us = 100000;  // 0.1 s a step
  auto made = Engine::create(config, constants, 1);
  ASSERT_TRUE(made.has_value());
  Engine* engine = made->get();
  Nothing sink(engine);
  const std::vector<protocol::TokenId> prompt{1, 2, 3, 4, 5, 6};
  Work work;
  work.prompt = prompt;
  work.max_tokens = 3;
  for (int i = 0; i < 2; ++i) {
    work.arrival = core::TimePoint{} + i * core::from_ms(1000);
    ASSERT_TRUE(engine->submit(work, work.arrival + core::from_ms(50)).has_value());
    engine->advance(work.arrival + core::from_ms(50), sink);
    EXPECT_EQ(engine->metrics().generation_tokens(), 3u * static_cast<unsigned>(i)) << "nothing moves before a step ends";
    engine->advance(work.arrival + core::from_ms(900), sink);
  }
  const std::string text = render(engine->metrics(), config);
  const auto parsed = protocol::parse_vllm_metrics(text);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_TRUE(parsed->consistent());
  EXPECT_EQ(parsed->success_length, 2.0);
  EXPECT_EQ(parsed->prompt_tokens, 12.0);
  EXPECT_EQ(parsed->prompt_tokens_cached, 4.0);
  EXPECT_EQ(parsed->prefix_queries_tokens, 12.0);
  EXPECT_EQ(parsed->prefix_hits_tokens, 4.0);
  EXPECT_EQ(parsed->generation_tokens, 6.0);
  EXPECT_EQ(parsed->request_max_tokens.sum, 6.0);
  EXPECT_EQ(parsed->request_generation_tokens.count, 2.0);
  EXPECT_EQ(parsed->ttft.count, 2.0);
  EXPECT_NEAR(parsed->ttft.sum, 2 * 0.15, 1e-9);
  EXPECT_NEAR(parsed->e2e.sum, 2 * 0.35, 1e-9);
  EXPECT_EQ(parsed->queue_time.sum, 0.0);
  EXPECT_EQ(parsed->running, 0.0);
  EXPECT_EQ(parsed->kv_used_fraction, 0.0);
  EXPECT_EQ(parsed->block_size_tokens, 4u);
  EXPECT_EQ(parsed->sim_step.count, 6.0);
  EXPECT_EQ(parsed->model_name, "m");
  EXPECT_EQ(lines_of(text, "vllm:iteration_tokens_total_sum"),
            std::vector<std::string>{R"(vllm:iteration_tokens_total_sum{engine="0",model_name="m"} 14.0)"})
      << "6 + 1 and 2 + 1 for the prefills, 4 decodes";
  EXPECT_EQ(lines_of(text, "vllm:inter_token_latency_seconds_count"),
            std::vector<std::string>{R"(vllm:inter_token_latency_seconds_count{engine="0",model_name="m"} 4.0)"});
  EXPECT_EQ(lines_of(text, "vllm:request_prefill_kv_computed_tokens_sum"),
            std::vector<std::string>{R"(vllm:request_prefill_kv_computed_tokens_sum{engine="0",model_name="m"} 8.0)"});
}

}  // namespace
}  // namespace simulator
