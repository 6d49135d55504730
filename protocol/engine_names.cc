// See engine_names.h. Sources: vLLM V1's and llm-d-inference-sim's expositions; SGLang's tokenizer-manager metrics, which
// move when a request finishes; TensorRT-LLM's per-request metrics (/prometheus/metrics), all recorded at the finish.
#include "protocol/engine_names.h"

#include <array>

#include "protocol/vllm_metrics.h"

namespace protocol {
namespace {

struct Rename {
  Engine engine;
  std::string_view theirs, ours;  ///< base names
};

constexpr std::array kRenames{
    Rename{Engine::kSglang, "sglang:num_running_reqs", "vllm:num_requests_running"},
    Rename{Engine::kSglang, "sglang:num_queue_reqs", "vllm:num_requests_waiting"},
    Rename{Engine::kSglang, "sglang:token_usage", "vllm:kv_cache_usage_perc"},
    Rename{Engine::kSglang, "sglang:num_requests", "vllm:request_success"},
    Rename{Engine::kSglang, "sglang:time_to_first_token_seconds", "vllm:time_to_first_token_seconds"},
    Rename{Engine::kSglang, "sglang:e2e_request_latency_seconds", "vllm:e2e_request_latency_seconds"},
    Rename{Engine::kSglang, "sglang:prompt_tokens_histogram", "vllm:request_prompt_tokens"},
    Rename{Engine::kSglang, "sglang:generation_tokens_histogram", "vllm:request_generation_tokens"},
    // Totals that SGLang adds to at the finish; the parser turns them into sums per finished request.
    Rename{Engine::kSglang, "sglang:prompt_tokens", "finished:prompt_tokens"},
    Rename{Engine::kSglang, "sglang:generation_tokens", "finished:generation_tokens"},
    Rename{Engine::kSglang, "sglang:cached_tokens", "vllm:prefix_cache_hits"},
    Rename{Engine::kTensorRtLlm, "trtllm_request_success", "vllm:request_success"},
    Rename{Engine::kTensorRtLlm, "trtllm_e2e_request_latency_seconds", "vllm:e2e_request_latency_seconds"},
    Rename{Engine::kTensorRtLlm, "trtllm_request_queue_time_seconds", "vllm:request_queue_time_seconds"},
    Rename{Engine::kTensorRtLlm, "trtllm_request_prefill_time_seconds", "vllm:request_prefill_time_seconds"},
    Rename{Engine::kTensorRtLlm, "trtllm_request_decode_time_seconds", "vllm:request_decode_time_seconds"},
    Rename{Engine::kTensorRtLlm, "trtllm_kv_cache_utilization", "vllm:kv_cache_usage_perc"},
    Rename{Engine::kTensorRtLlm, "trtllm_num_requests_running", "vllm:num_requests_running"},
    Rename{Engine::kTensorRtLlm, "trtllm_num_requests_waiting", "vllm:num_requests_waiting"},
};

/// Which samples of a metric are read. Buckets tell requests apart where the values are whole numbers; those of latencies
/// are most of a page, and nobody uses them.
enum class Samples { kValue, kSums, kBuckets };

/// What name_filter() asks for of vLLM and of what exports its names.
struct Wanted {
  std::string_view base;
  Samples samples;
};
constexpr std::array kWanted{
    Wanted{"vllm:num_requests_running", Samples::kValue}, Wanted{"vllm:num_requests_waiting", Samples::kValue},
    Wanted{metric::kKvUsage, Samples::kValue}, Wanted{metric::kKvUsageOld, Samples::kValue}, Wanted{metric::kCacheConfig, Samples::kValue},
    Wanted{"vllm:prefix_cache_queries", Samples::kValue}, Wanted{"vllm:prefix_cache_hits", Samples::kValue},
    Wanted{"vllm:gpu_prefix_cache_queries", Samples::kValue}, Wanted{"vllm:gpu_prefix_cache_hits", Samples::kValue},
    Wanted{"vllm:num_preemptions", Samples::kValue}, Wanted{"vllm:prompt_tokens", Samples::kValue},
    Wanted{"vllm:prompt_tokens_cached", Samples::kValue}, Wanted{"vllm:generation_tokens", Samples::kValue},
    Wanted{"vllm:request_success", Samples::kValue}, Wanted{metric::kRequestPromptTokens, Samples::kBuckets},
    Wanted{metric::kRequestGenerationTokens, Samples::kBuckets}, Wanted{metric::kRequestMaxTokens, Samples::kBuckets}, Wanted{metric::kTtft, Samples::kSums},
    Wanted{metric::kE2e, Samples::kSums}, Wanted{metric::kQueueTime, Samples::kSums}, Wanted{metric::kDecodeTime, Samples::kSums},
    Wanted{metric::kPrefillTime, Samples::kSums},
};

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

void ask(std::string& query, std::string_view base, std::string_view suffix) {
  if (!query.empty()) query += '&';
  query += "name%5B%5D=";
  for (const char c : base) {
    if (c == ':') query += "%3A";
    else query += c;
  }
  query += suffix;
}

void ask_all(std::string& query, std::string_view base, Samples samples) {
  if (samples == Samples::kValue) {
    ask(query, base, "");
    ask(query, base, "_total");
    return;
  }
  if (samples == Samples::kBuckets) ask(query, base, "_bucket");
  ask(query, base, "_count");
  ask(query, base, "_sum");
}

}  // namespace

std::string_view name_of(Engine engine) {
  switch (engine) {
    case Engine::kUnknown: return "";
    case Engine::kVllm: return "vLLM";
    case Engine::kLlmdSimulator: return "llm-d-inference-sim";
    case Engine::kGatebenchReplica: return "gatebench replica (simulated)";
    case Engine::kSglang: return "SGLang";
    case Engine::kTensorRtLlm: return "TensorRT-LLM";
  }
  return "";
}

Engine engine_of_metric(std::string_view name) {
  if (starts_with(name, "vllm:")) return Engine::kVllm;
  if (starts_with(name, "gatebench_sim_")) return Engine::kGatebenchReplica;
  if (starts_with(name, "sglang:")) return Engine::kSglang;
  if (starts_with(name, "trtllm_")) return Engine::kTensorRtLlm;
  return Engine::kUnknown;
}

std::optional<std::string_view> canonical_base(Engine engine, std::string_view base) {
  if (engine == Engine::kVllm || engine == Engine::kLlmdSimulator || engine == Engine::kGatebenchReplica) return base;
  for (const Rename& rename : kRenames) {
    if (rename.engine == engine && rename.theirs == base) return rename.ours;
  }
  return std::nullopt;
}

std::vector<std::string_view> absent_channels(const VllmSnapshot& snapshot) {
  std::vector<std::string_view> absent;
  if (!snapshot.success) absent.push_back("count of finished requests");
  if (!snapshot.request_prompt_tokens.present) absent.push_back("sums of prompt tokens");
  if (!snapshot.request_generation_tokens.present) absent.push_back("sums of output tokens");
  if (!snapshot.request_max_tokens.present) absent.push_back("sums and buckets of max_tokens");
  if (!snapshot.e2e.present) absent.push_back("sums of end-to-end latency");
  if (!snapshot.decode_time.present || !snapshot.prefill_time.present) absent.push_back("sums of prefill and decode time");
  if (!snapshot.prompt_tokens || !snapshot.ttft.present) absent.push_back("first-token counters");
  return absent;
}

std::string name_filter(Engine engine) {
  std::string query;
  if (engine == Engine::kUnknown) return query;
  if (engine == Engine::kSglang || engine == Engine::kTensorRtLlm) {
    for (const Rename& rename : kRenames) {
      if (rename.engine != engine) continue;
      const bool buckets = rename.theirs.find("_histogram") != std::string_view::npos;
      const bool sums = rename.ours.find("_seconds") != std::string_view::npos;
      ask_all(query, rename.theirs, buckets ? Samples::kBuckets : sums ? Samples::kSums : Samples::kValue);
    }
  } else {
    for (const Wanted& wanted : kWanted) ask_all(query, wanted.base, wanted.samples);
    if (engine == Engine::kGatebenchReplica) {
      ask_all(query, metric::kSimStep, Samples::kBuckets);
      ask_all(query, metric::kSimStepLate, Samples::kBuckets);
    }
    ask(query, "vllm:request_success_created", "");
  }
  ask(query, metric::kHttpRequestSize, "_sum");
  ask(query, metric::kHttpRequestSize, "_count");
  ask(query, metric::kProcessStart, "");
  return query;
}

}  // namespace protocol
