#include "simulator/engine/engine_metrics.h"

#include "protocol/vllm_metrics.h"

namespace simulator {
namespace {

using Label = std::pair<std::string_view, std::string_view>;
namespace metric = protocol::metric;

constexpr double kTtftBounds[] = {.001, .005, .01, .02, .04, .06, .08, .1,  .25, .5,  .75,
                                  1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
constexpr double kTokenTimeBounds[] = {.01, .025, .05, .075, .1,  .15, .2, .3,  .4, .5,
                                       .75, 1,    2.5, 5,    7.5, 10,  20, 40, 80};
constexpr double kRequestTimeBounds[] = {.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,  15,
                                         20, 30, 40, 50, 60,  120, 240, 480, 960, 1920, 7680};
constexpr double kIterationBounds[] = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
constexpr double kParamsNBounds[] = {1, 2, 5, 10, 20};
constexpr double kStepBounds[] = {1e-5, 1.5e-5, 2e-5, 3e-5, 4e-5, 5e-5, 7e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 4e-4,
                                  5e-4, 7e-4,   1e-3, 1.5e-3, 2e-3, 3e-3, 4e-3, 5e-3, 7e-3, .01, .015, .02,
                                  .03,  .04,    .05,  .07,  .1,   .15,  .2,   .3,   .4,   .5,   .7,   1};
static_assert(std::size(kStepBounds) <= Histogram::kMaxBounds);

double real(std::uint64_t value) { return static_cast<double>(value); }

std::string with_suffix(std::string_view name, std::string_view suffix) { return std::string(name).append(suffix); }

/// "vllm:x_total" and "vllm:x" both give "vllm:x_created".
std::string created_name(std::string_view name) {
  if (name.ends_with("_total")) name.remove_suffix(6);
  return with_suffix(name, "_created");
}

}  // namespace

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kNone: break;
  }
  return {};
}

std::vector<double> token_bounds(std::uint32_t most) {
  std::vector<double> bounds;
  for (std::uint64_t power = 1; power <= most; power *= 10) {
    for (const std::uint64_t digit : {1u, 2u, 5u}) {
      if (digit * power <= most) bounds.push_back(real(digit * power));
    }
  }
  return bounds;
}

std::span<const double> step_bounds() { return kStepBounds; }

EngineMetrics::EngineMetrics(std::uint32_t max_model_len)
    : token_bounds_(token_bounds(max_model_len)),
      request_prompt_(token_bounds_),
      request_generation_(token_bounds_),
      iteration_(kIterationBounds),
      max_generation_(token_bounds_),
      params_n_(kParamsNBounds),
      params_max_tokens_(token_bounds_),
      ttft_(kTtftBounds),
      inter_token_(kTokenTimeBounds),
      time_per_output_(kTokenTimeBounds),
      e2e_(kRequestTimeBounds),
      queue_(kRequestTimeBounds),
      inference_(kRequestTimeBounds),
      prefill_(kRequestTimeBounds),
      decode_(kRequestTimeBounds),
      prefill_computed_(token_bounds_),
      step_late_(kStepBounds),
      step_(kStepBounds) {}

void EngineMetrics::set_gauges(std::uint32_t running, std::uint32_t waiting, double kv_usage) {
  running_ = running;
  waiting_ = waiting;
  kv_usage_ = kv_usage;
}

void EngineMetrics::count_prefix(std::uint64_t queried_tokens, std::uint64_t hit_tokens) {
  prefix_queries_ += queried_tokens;
  prefix_hits_ += hit_tokens;
}

void EngineMetrics::observe_step(core::Duration modelled) { step_.observe(core::to_seconds(modelled)); }

void EngineMetrics::observe_step_late(core::Duration late) { step_late_.observe(core::to_seconds(late)); }

void EngineMetrics::count_preemptions(std::uint32_t count) { preemptions_ += count; }

void EngineMetrics::observe_iteration(std::uint32_t computed_prompt_tokens, std::uint32_t generated_tokens) {
  generation_tokens_ += generated_tokens;
  iteration_.observe(real(computed_prompt_tokens) + generated_tokens);
}

void EngineMetrics::observe_inter_token(core::Duration gap) { inter_token_.observe(core::to_seconds(gap)); }

void EngineMetrics::first_token(std::uint32_t prompt_tokens, std::uint32_t cached_tokens, core::Duration since_arrival) {
  prompt_tokens_ += prompt_tokens;
  cached_tokens_ += cached_tokens;
  ttft_.observe(core::to_seconds(since_arrival));
}

void EngineMetrics::finished(const Finish& finish) {
  ++(finish.reason == FinishReason::kStop ? success_stop_ : success_length_);
  e2e_.observe(core::to_seconds(finish.e2e));
  queue_.observe(core::to_seconds(finish.queue));
  prefill_.observe(core::to_seconds(finish.prefill));
  decode_.observe(core::to_seconds(finish.decode));
  inference_.observe(core::to_seconds(finish.inference));
  request_prompt_.observe(finish.prompt_tokens);
  prefill_computed_.observe(finish.prompt_tokens - finish.cached_tokens);
  request_generation_.observe(finish.output_tokens);
  max_generation_.observe(finish.output_tokens);
  params_n_.observe(1);
  params_max_tokens_.observe(finish.max_tokens);
  time_per_output_.observe(finish.output_tokens > 1 ? core::to_seconds(finish.decode) / (finish.output_tokens - 1) : 0.0);
}

void EngineMetrics::render(const MetricsIdentity& identity, core::PromWriter& writer) const {
  writer.family(metric::kProcessStart, "gauge", "Start time of the process since unix epoch in seconds.");
  writer.sample(metric::kProcessStart, {}, identity.created_unix_s);
  render_counters(identity, writer);
  render_histograms(identity, writer);

  const std::string block_size = std::to_string(identity.config.block_size_tokens);
  const std::string blocks = std::to_string(identity.config.num_gpu_blocks);
  const std::string tokens =
      std::to_string(std::uint64_t{identity.config.num_gpu_blocks} * identity.config.block_size_tokens);
  const Label cache_labels[] = {{"block_size", block_size},
                                {"cache_dtype", "auto"},
                                {"enable_prefix_caching", identity.config.enable_prefix_caching ? "True" : "False"},
                                {"engine", "0"},
                                {"kv_cache_size_tokens", tokens},
                                {"num_gpu_blocks", blocks}};
  writer.family(metric::kCacheConfig, "gauge", "Configuration of the KV cache.");
  writer.sample(metric::kCacheConfig, cache_labels, 1.0);

  const Label labels[] = {{"engine", "0"}, {"model_name", identity.model_name}};
  render_histogram(metric::kSimStepLate, "Lateness of simulated steps against their absolute deadlines.", labels,
                   step_late_, identity.created_unix_s, writer);
  render_histogram(metric::kSimStep, "Modelled duration of simulated steps.", labels, step_, identity.created_unix_s,
                   writer);
}

void EngineMetrics::render_counters(const MetricsIdentity& identity, core::PromWriter& writer) const {
  const std::string_view model = identity.model_name;
  const double created = identity.created_unix_s;
  const Label labels[] = {{"engine", "0"}, {"model_name", model}};
  const auto gauge = [&](std::string_view name, std::string_view help, double value) {
    writer.family(name, "gauge", help);
    writer.sample(name, labels, value);
  };
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    const CounterRow row{labels, real(value)};
    render_counter(name, help, {&row, 1}, created, writer);
  };
  gauge(metric::kRunning, "Number of requests in model execution batches.", running_);
  gauge(metric::kWaiting, "Number of requests waiting to be processed.", waiting_);
  const Label capacity[] = {{"engine", "0"}, {"model_name", model}, {"reason", "capacity"}};
  const Label deferred[] = {{"engine", "0"}, {"model_name", model}, {"reason", "deferred"}};
  writer.family("vllm:num_requests_waiting_by_reason", "gauge", "Number of requests waiting, by reason.");
  writer.sample("vllm:num_requests_waiting_by_reason", capacity, waiting_);
  writer.sample("vllm:num_requests_waiting_by_reason", deferred, 0.0);
  gauge(metric::kKvUsage, "KV-cache usage. 1 means 100 percent usage.", kv_usage_);
  counter(metric::kPrefixQueries, "Prefix cache queries, in tokens.", prefix_queries_);
  counter(metric::kPrefixHits, "Prefix cache hits, in tokens.", prefix_hits_);
  counter(metric::kPreemptions, "Preemptions of the engine.", preemptions_);
  counter(metric::kPromptTokens, "Prefill tokens processed.", prompt_tokens_);
  const Label computed[] = {{"engine", "0"}, {"model_name", model}, {"source", "local_compute"}};
  const Label hit[] = {{"engine", "0"}, {"model_name", model}, {"source", "local_cache_hit"}};
  const Label transferred[] = {{"engine", "0"}, {"model_name", model}, {"source", "external_kv_transfer"}};
  const CounterRow by_source[] = {
      {computed, real(prompt_tokens_ - cached_tokens_)}, {hit, real(cached_tokens_)}, {transferred, 0.0}};
  render_counter("vllm:prompt_tokens_by_source_total", "Prefill tokens by source.", by_source, created, writer);
  counter(metric::kPromptTokensCached, "Prefill tokens found in a cache.", cached_tokens_);
  counter(metric::kGenerationTokens, "Generation tokens processed.", generation_tokens_);

  std::array<std::array<Label, 3>, 5> reason_labels{};
  std::array<CounterRow, 5> reasons{};
  constexpr std::string_view kReasons[] = {"stop", "length", "abort", "error", "repetition"};
  const std::uint64_t values[] = {success_stop_, success_length_, 0, 0, 0};
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    reason_labels[i] = {{{"engine", "0"}, {"finished_reason", kReasons[i]}, {"model_name", model}}};
    reasons[i] = {reason_labels[i], real(values[i])};
  }
  render_counter(metric::kSuccess, "Requests that finished, by reason.", reasons, created, writer);
}

void EngineMetrics::render_histograms(const MetricsIdentity& identity, core::PromWriter& writer) const {
  const Label labels[] = {{"engine", "0"}, {"model_name", identity.model_name}};
  const auto put = [&](std::string_view name, std::string_view help, const Histogram& histogram) {
    render_histogram(name, help, labels, histogram, identity.created_unix_s, writer);
  };
  put(metric::kRequestPromptTokens, "Prefill tokens of a request.", request_prompt_);
  put(metric::kRequestGenerationTokens, "Generation tokens of a request.", request_generation_);
  put(metric::kIterationTokens, "Tokens per engine step.", iteration_);
  put("vllm:request_max_num_generation_tokens", "Most generation tokens asked for.", max_generation_);
  put("vllm:request_params_n", "The n request parameter.", params_n_);
  put(metric::kRequestMaxTokens, "The max_tokens request parameter.", params_max_tokens_);
  put(metric::kTtft, "Time to first token in seconds.", ttft_);
  put(metric::kItl, "Inter-token latency in seconds.", inter_token_);
  put("vllm:request_time_per_output_token_seconds", "Mean time per output token of a request.", time_per_output_);
  put(metric::kE2e, "End-to-end latency of a request in seconds.", e2e_);
  put(metric::kQueueTime, "Time in the WAITING phase.", queue_);
  put(metric::kInferenceTime, "Time in the RUNNING phase.", inference_);
  put(metric::kPrefillTime, "Time in the PREFILL phase.", prefill_);
  put(metric::kDecodeTime, "Time in the DECODE phase.", decode_);
  put("vllm:request_prefill_kv_computed_tokens", "KV tokens computed during prefill.", prefill_computed_);
}

void render_histogram(std::string_view name, std::string_view help, core::PromWriter::Labels labels,
                      const Histogram& histogram, double created_unix_s, core::PromWriter& writer) {
  std::vector<Label> with_le(labels.begin(), labels.end());
  auto place = with_le.begin();
  while (place != with_le.end() && place->first < "le") ++place;
  const auto le = static_cast<std::size_t>(place - with_le.begin());
  with_le.insert(place, Label{"le", ""});

  writer.family(name, "histogram", help);
  const std::string bucket = with_suffix(name, "_bucket");
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
    cumulative += histogram.in_bucket(i);
    const std::string bound =
        i < histogram.bounds().size() ? core::PromWriter::number(histogram.bounds()[i]) : std::string("+Inf");
    with_le[le].second = bound;
    writer.sample(bucket, with_le, real(cumulative));
  }
  writer.sample(with_suffix(name, "_count"), labels, real(histogram.count()));
  writer.sample(with_suffix(name, "_sum"), labels, histogram.sum());
  const std::string created = created_name(with_suffix(name, ""));
  writer.family(created, "gauge", help);
  writer.sample(created, labels, created_unix_s);
}

void render_counter(std::string_view name, std::string_view help, std::span<const CounterRow> rows,
                    double created_unix_s, core::PromWriter& writer) {
  writer.family(name, "counter", help);
  for (const auto& row : rows) writer.sample(name, row.labels, row.value);
  const std::string created = created_name(name);
  writer.family(created, "gauge", help);
  for (const auto& row : rows) writer.sample(created, row.labels, created_unix_s);
}

}  // namespace simulator
