// Parses one scrape of a vLLM /metrics page into a VllmSnapshot. Called by the bench scraper and the router's poller.
// It knows every rename between vLLM 0.9 and now; it must never turn an absent metric into a zero.
#include "protocol/vllm_metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include "core/prom_text.h"

namespace protocol {
namespace {

using core::PromSample;
using Field = std::optional<double> VllmSnapshot::*;
using HistogramField = HistogramTotals VllmSnapshot::*;

/// Sums over engines; names without `_total`.
struct SummedMetric {
  std::string_view name;
  Field field;
};
constexpr std::array kSummed{
    SummedMetric{"vllm:num_requests_running", &VllmSnapshot::running},
    SummedMetric{"vllm:num_requests_waiting", &VllmSnapshot::waiting},
    SummedMetric{"vllm:prefix_cache_queries", &VllmSnapshot::prefix_queries_tokens},
    SummedMetric{"vllm:prefix_cache_hits", &VllmSnapshot::prefix_hits_tokens},
    SummedMetric{"vllm:prompt_tokens", &VllmSnapshot::prompt_tokens},
    SummedMetric{"vllm:prompt_tokens_cached", &VllmSnapshot::prompt_tokens_cached},
    SummedMetric{"vllm:generation_tokens", &VllmSnapshot::generation_tokens},
    SummedMetric{"vllm:num_preemptions", &VllmSnapshot::preemptions},
};

struct HistogramMetric {
  std::string_view name;
  HistogramField field;
};
constexpr std::array kHistograms{
    HistogramMetric{metric::kRequestPromptTokens, &VllmSnapshot::request_prompt_tokens},
    HistogramMetric{metric::kRequestGenerationTokens, &VllmSnapshot::request_generation_tokens},
    HistogramMetric{metric::kRequestMaxTokens, &VllmSnapshot::request_max_tokens},
    HistogramMetric{metric::kTtft, &VllmSnapshot::ttft},
    HistogramMetric{metric::kE2e, &VllmSnapshot::e2e},
    HistogramMetric{metric::kQueueTime, &VllmSnapshot::queue_time},
    HistogramMetric{metric::kDecodeTime, &VllmSnapshot::decode_time},
    HistogramMetric{metric::kPrefillTime, &VllmSnapshot::prefill_time},
    HistogramMetric{metric::kSimStepLate, &VllmSnapshot::sim_step_late},
    HistogramMetric{metric::kSimStep, &VllmSnapshot::sim_step},
};

constexpr std::string_view kSuccessBase = "vllm:request_success";

bool drop_suffix(std::string_view& text, std::string_view suffix) {
  if (text.size() <= suffix.size() || text.substr(text.size() - suffix.size()) != suffix) return false;
  text.remove_suffix(suffix.size());
  return true;
}

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

void add_to(std::optional<double>& total, double value) { total = total.value_or(0) + value; }

/// A label that must be a whole number; nothing for "None" and the like.
std::optional<std::uint32_t> whole_number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> bucket_bound(std::string_view text) {
  if (text == "+Inf" || text == "Inf") return std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void add_bucket(HistogramTotals& histogram, double upper, double cumulative) {
  std::size_t i = 0;
  while (i < histogram.bucket_count && histogram.upper[i] != upper) ++i;
  if (i == HistogramTotals::kMaxBuckets) return;
  if (i == histogram.bucket_count) {
    histogram.upper[i] = upper;
    histogram.cumulative[i] = 0;
    ++histogram.bucket_count;
  }
  histogram.cumulative[i] += cumulative;
}

/// True when the sample belongs to `histogram` called `name`.
bool read_histogram(const PromSample& sample, std::string_view name, HistogramTotals& histogram) {
  if (!starts_with(sample.name, name)) return false;
  const std::string_view suffix = sample.name.substr(name.size());
  if (suffix == "_bucket") {
    const auto upper = bucket_bound(sample.label("le"));
    if (upper) add_bucket(histogram, *upper, sample.value);
  } else if (suffix == "_count") {
    histogram.count += sample.value;
  } else if (suffix == "_sum") {
    histogram.sum += sample.value;
  } else {
    return false;
  }
  histogram.present = true;
  return true;
}

/// Collects one exposition. Gauges that are fractions are averaged over engines, old names are kept apart from new ones
/// (vLLM 0.9.2 to 0.10.2 export both).
class Collector {
 public:
  void add(const PromSample& sample) {
    if (!std::isfinite(sample.value)) return;
    if (starts_with(sample.name, "vllm:")) {
      note_engine(Engine::kVllm);
      add_vllm(sample);
    } else if (const Engine engine = engine_of_metric(sample.name); engine == Engine::kSglang || engine == Engine::kTensorRtLlm) {
      note_engine(engine);
      add_renamed(sample, engine);
    } else if (starts_with(sample.name, "go_")) {
      go_process_ = true;
    } else if (starts_with(sample.name, metric::kHttpRequestSize)) {
      add_http(sample);
    } else if (sample.name == metric::kProcessStart) {
      snapshot_.process_start_unix_s = sample.value;
    } else if (starts_with(sample.name, "gatebench_sim_")) {
      snapshot_.engine = Engine::kGatebenchReplica;
      add_histogram(sample);
    }
  }

  VllmSnapshot finish() {
    // vLLM is a Python process: its names beside a Go runtime's metrics are the simulator's.
    if (snapshot_.engine == Engine::kVllm && go_process_) snapshot_.engine = Engine::kLlmdSimulator;
    finish_sums(finished_prompt_tokens_, snapshot_.request_prompt_tokens);
    finish_sums(finished_generation_tokens_, snapshot_.request_generation_tokens);
    if (finished_prompt_tokens_ && snapshot_.prefix_hits_tokens) snapshot_.prefix_queries_tokens = finished_prompt_tokens_;
    if (usage_count_ > 0) {
      snapshot_.kv_used_fraction = usage_sum_ / usage_count_;
    } else if (old_usage_count_ > 0) {
      snapshot_.kv_used_fraction = old_usage_sum_ / old_usage_count_;
    }
    if (!snapshot_.prefix_queries_tokens) snapshot_.prefix_queries_tokens = old_queries_;
    if (!snapshot_.prefix_hits_tokens) snapshot_.prefix_hits_tokens = old_hits_;
    return std::move(snapshot_);
  }

 private:
  void note_engine(Engine engine) {
    if (snapshot_.engine == Engine::kUnknown) snapshot_.engine = engine;
  }

  /// A total that moves at the finish, beside the count of finishes, is a histogram's sum without its buckets.
  void finish_sums(const std::optional<double>& total, HistogramTotals& histogram) const {
    if (!total || histogram.present || !snapshot_.success) return;
    histogram.present = true;
    histogram.sum = *total;
    histogram.count = *snapshot_.success;
  }

  /// A sample of another engine under vLLM's name for it, or nothing.
  void add_renamed(PromSample sample, Engine engine) {
    if (snapshot_.model_name.empty()) snapshot_.model_name = sample.label("model_name");
    std::string_view base = sample.name, suffix;
    for (const std::string_view known : {"_total", "_bucket", "_count", "_sum", "_created"}) {
      if (!drop_suffix(base, known)) continue;
      suffix = known;
      break;
    }
    const auto canonical = canonical_base(engine, base);
    if (!canonical) return;
    if (*canonical == "finished:prompt_tokens" && suffix == "_total") return add_to(finished_prompt_tokens_, sample.value);
    if (*canonical == "finished:generation_tokens" && suffix == "_total") return add_to(finished_generation_tokens_, sample.value);
    renamed_.assign(*canonical).append(suffix);
    sample.name = renamed_;
    add_vllm(sample);
  }

  void add_vllm(const PromSample& sample) {
    if (snapshot_.model_name.empty()) snapshot_.model_name = sample.label("model_name");
    if (sample.name == metric::kKvUsage) {
      usage_sum_ += sample.value;
      ++usage_count_;
      return;
    }
    if (sample.name == metric::kKvUsageOld) {
      old_usage_sum_ += sample.value;
      ++old_usage_count_;
      return;
    }
    if (sample.name == metric::kCacheConfig) return add_cache_config(sample);
    if (starts_with(sample.name, kSuccessBase)) return add_success(sample);
    if (add_histogram(sample)) return;
    std::string_view name = sample.name;
    drop_suffix(name, "_total");
    for (const auto& summed : kSummed) {
      if (name == summed.name) return add_to(snapshot_.*summed.field, sample.value);
    }
    if (name == "vllm:gpu_prefix_cache_queries") return add_to(old_queries_, sample.value);
    if (name == "vllm:gpu_prefix_cache_hits") return add_to(old_hits_, sample.value);
  }

  bool add_histogram(const PromSample& sample) {
    for (const auto& histogram : kHistograms) {
      if (read_histogram(sample, histogram.name, snapshot_.*histogram.field)) return true;
    }
    return false;
  }

  void add_success(const PromSample& sample) {
    std::string_view name = sample.name;
    if (drop_suffix(name, "_created")) {
      // Children appear one after another; the earliest stays the same for the life of the process.
      if (!snapshot_.created_unix_s || sample.value < *snapshot_.created_unix_s) snapshot_.created_unix_s = sample.value;
      return;
    }
    drop_suffix(name, "_total");
    if (name != kSuccessBase) return;
    add_to(snapshot_.success, sample.value);
    const std::string_view reason = sample.label("finished_reason");
    if (reason == "stop") add_to(snapshot_.success_stop, sample.value);
    if (reason == "length") add_to(snapshot_.success_length, sample.value);
    if (reason == "abort") add_to(snapshot_.success_abort, sample.value);
  }

  void add_cache_config(const PromSample& sample) {
    if (const auto size = whole_number(sample.label("block_size"))) snapshot_.block_size_tokens = size;
    if (const auto blocks = whole_number(sample.label("num_gpu_blocks"))) {
      snapshot_.num_gpu_blocks = snapshot_.num_gpu_blocks.value_or(0) + *blocks;
    }
  }

  void add_http(const PromSample& sample) {
    const std::string_view handler = sample.label("handler");
    const std::string_view method = sample.label("method");
    if (!starts_with(handler, "/v1/") || handler == "/v1/models" || (!method.empty() && method != "POST")) return;
    const std::string_view suffix = sample.name.substr(metric::kHttpRequestSize.size());
    if (suffix == "_sum") add_to(snapshot_.http_request_bytes_sum, sample.value);
    if (suffix == "_count") add_to(snapshot_.http_request_count, sample.value);
  }

  VllmSnapshot snapshot_;
  std::optional<double> old_queries_, old_hits_, finished_prompt_tokens_, finished_generation_tokens_;
  std::string renamed_;
  bool go_process_ = false;
  double usage_sum_ = 0, old_usage_sum_ = 0;
  int usage_count_ = 0, old_usage_count_ = 0;
};

/// vLLM reads a histogram's buckets before its sum: +Inf and _count of one scrape may differ when it was torn.
bool buckets_match_count(const HistogramTotals& histogram) {
  if (histogram.bucket_count == 0) return true;
  const std::size_t last = histogram.bucket_count - 1u;
  return !std::isinf(histogram.upper[last]) || histogram.cumulative[last] == histogram.count;
}

}  // namespace

bool VllmSnapshot::consistent() const {
  std::optional<double> expected = success;
  for (const HistogramTotals* histogram :
       {&request_prompt_tokens, &request_generation_tokens, &request_max_tokens, &e2e, &queue_time,
        &decode_time, &prefill_time}) {
    if (!histogram->present) continue;
    if (!buckets_match_count(*histogram)) return false;
    if (expected && *expected != histogram->count) return false;
    expected = histogram->count;
  }
  return true;
}

bool VllmSnapshot::reset_since(const VllmSnapshot& earlier) const {
  for (const auto start : {&VllmSnapshot::created_unix_s, &VllmSnapshot::process_start_unix_s}) {
    if (this->*start && earlier.*start && *(this->*start) != *(earlier.*start)) return true;
  }
  for (const auto counter : {&VllmSnapshot::success, &VllmSnapshot::prompt_tokens, &VllmSnapshot::generation_tokens}) {
    if (this->*counter && earlier.*counter && *(this->*counter) < *(earlier.*counter)) return true;
  }
  return (request_prompt_tokens.present && earlier.request_prompt_tokens.present &&
          request_prompt_tokens.count < earlier.request_prompt_tokens.count) ||
         (e2e.present && earlier.e2e.present && e2e.count < earlier.e2e.count);
}

void VllmSnapshot::share_with(const VllmSnapshot& earlier) {
  for (const auto& histogram : kHistograms) {
    HistogramTotals& mine = this->*histogram.field;
    mine.upper.share_with((earlier.*histogram.field).upper);
    mine.cumulative.share_with((earlier.*histogram.field).cumulative);
  }
}

core::Result<VllmSnapshot> parse_vllm_metrics(std::string_view text) {
  Collector collector;
  const auto parsed = core::parse_prom_text(text, [&collector](const PromSample& sample) { collector.add(sample); });
  if (!parsed) return parsed.error();
  VllmSnapshot snapshot = collector.finish();
  snapshot.page_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(text.size(), 0xffffffffu));
  return snapshot;
}

}  // namespace protocol
