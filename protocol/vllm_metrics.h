// vLLM's Prometheus metrics: names by version, when each moves, and one scrape as a value.
// Read by the bench scraper and the router's poller, written by the simulated replica. No I/O.
// Moments ([S]tep, [T]oken first, [F]inish) follow vLLM V1: finish metrics move before the last chunk leaves the server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "protocol/engine_names.h"
#include "protocol/histogram_totals.h"

namespace protocol {

namespace metric {
inline constexpr std::string_view kRunning = "vllm:num_requests_running";                     // S
inline constexpr std::string_view kWaiting = "vllm:num_requests_waiting";                     // S
inline constexpr std::string_view kKvUsage = "vllm:kv_cache_usage_perc";                      // S
inline constexpr std::string_view kKvUsageOld = "vllm:gpu_cache_usage_perc";                  // S, <= 0.10
inline constexpr std::string_view kPrefixQueries = "vllm:prefix_cache_queries_total";         // S, tokens
inline constexpr std::string_view kPrefixHits = "vllm:prefix_cache_hits_total";               // S, tokens
inline constexpr std::string_view kPrefixQueriesOld = "vllm:gpu_prefix_cache_queries_total";
inline constexpr std::string_view kPrefixHitsOld = "vllm:gpu_prefix_cache_hits_total";
inline constexpr std::string_view kPreemptions = "vllm:num_preemptions_total";                // I
inline constexpr std::string_view kPromptTokens = "vllm:prompt_tokens_total";                 // T
inline constexpr std::string_view kPromptTokensCached = "vllm:prompt_tokens_cached_total";    // T
inline constexpr std::string_view kGenerationTokens = "vllm:generation_tokens_total";         // I
inline constexpr std::string_view kIterationTokens = "vllm:iteration_tokens_total";           // I, a histogram
inline constexpr std::string_view kSuccess = "vllm:request_success_total";                    // F {finished_reason}
inline constexpr std::string_view kRequestPromptTokens = "vllm:request_prompt_tokens";        // F histogram
inline constexpr std::string_view kRequestGenerationTokens = "vllm:request_generation_tokens";  // F histogram
inline constexpr std::string_view kRequestMaxTokens = "vllm:request_params_max_tokens";       // F histogram
inline constexpr std::string_view kTtft = "vllm:time_to_first_token_seconds";                 // T histogram
inline constexpr std::string_view kItl = "vllm:inter_token_latency_seconds";                  // I histogram
inline constexpr std::string_view kE2e = "vllm:e2e_request_latency_seconds";                  // F histogram
inline constexpr std::string_view kQueueTime = "vllm:request_queue_time_seconds";             // F histogram
inline constexpr std::string_view kPrefillTime = "vllm:request_prefill_time_seconds";         // F histogram
inline constexpr std::string_view kDecodeTime = "vllm:request_decode_time_seconds";           // F histogram
inline constexpr std::string_view kInferenceTime = "vllm:request_inference_time_seconds";     // F histogram
inline constexpr std::string_view kCacheConfig = "vllm:cache_config_info";                    // {block_size,num_gpu_blocks}
inline constexpr std::string_view kHttpRequestSize = "http_request_size_bytes";               // after the response {handler}
inline constexpr std::string_view kProcessStart = "process_start_time_seconds";
// Only a simulated replica exports these: how late its steps were against their absolute deadlines.
inline constexpr std::string_view kSimStepLate = "gatebench_sim_step_late_seconds";           // histogram
inline constexpr std::string_view kSimStep = "gatebench_sim_step_seconds";                    // histogram
}  // namespace metric

/// One scrape of one replica. Counters are summed over `engine` labels; absent ones are nullopt, never 0.
struct VllmSnapshot {
  std::optional<double> running, waiting, kv_used_fraction;
  std::optional<double> prefix_queries_tokens, prefix_hits_tokens;
  std::optional<double> prompt_tokens, prompt_tokens_cached, generation_tokens, preemptions;
  std::optional<double> success;            ///< sum over reasons
  std::optional<double> success_stop, success_length, success_abort;
  HistogramTotals request_prompt_tokens, request_generation_tokens, request_max_tokens;
  HistogramTotals ttft, e2e, queue_time, decode_time, prefill_time;
  HistogramTotals sim_step_late, sim_step;
  std::optional<double> http_request_bytes_sum, http_request_count;  ///< over POST handlers under /v1
  std::optional<double> created_unix_s;     ///< any `_created` of request_success: a change means a restart
  std::optional<double> process_start_unix_s;
  std::optional<std::uint32_t> block_size_tokens, num_gpu_blocks;
  std::string model_name;
  std::uint32_t page_bytes = 0;             ///< of the text that was parsed; 0: unknown
  Engine engine = Engine::kUnknown;         ///< by the names on the page; not kept in stored scrapes

  /// All at-finish counts equal each other and the sum of request_success; false: the scrape tore an update apart.
  [[nodiscard]] bool consistent() const;
  /// Shares bucket lists that are equal in both: what a keeper of many scrapes of one replica does to each.
  void share_with(const VllmSnapshot& earlier);
  /// Between `earlier` and this one the process started anew: its start times differ, or a counter fell.
  [[nodiscard]] bool reset_since(const VllmSnapshot& earlier) const;
};

/// Parses exposition text, all renames accepted (engine_names.h), with or without `_total`. kProtocol for text that is no exposition;
/// an exposition of no engine that is known gives an empty snapshot.
core::Result<VllmSnapshot> parse_vllm_metrics(std::string_view text);

}  // namespace protocol
