// EngineMetrics: the counters, gauges and histograms of one engine, named, labelled and ordered as vLLM's.
// Moved by the Engine at the end of each step, before anybody hears of the step's tokens; rendered by the server.
// observe and count allocate nothing; render does.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/prom_text.h"
#include "core/time.h"
#include "simulator/engine/config.h"
#include "simulator/engine/histogram.h"

namespace simulator {

enum class FinishReason : std::uint8_t { kNone, kStop, kLength };
[[nodiscard]] std::string_view name_of(FinishReason reason);  ///< "stop", "length"; empty for kNone

/// What rendering needs beside the figures.
struct MetricsIdentity {
  std::string model_name;
  double created_unix_s = 0;        ///< start of the process, and of every series
  EngineConfig config;
};

/// Bounds 1, 2, 5 × 10^k up to `most`, as vLLM's token histograms have them.
[[nodiscard]] std::vector<double> token_bounds(std::uint32_t most);

class EngineMetrics {
 public:
  explicit EngineMetrics(std::uint32_t max_model_len);
  EngineMetrics(const EngineMetrics&) = delete;
  EngineMetrics& operator=(const EngineMetrics&) = delete;

  // ---- S: every step ----
  void set_gauges(std::uint32_t running, std::uint32_t waiting, double kv_usage);
  void count_prefix(std::uint64_t queried_tokens, std::uint64_t hit_tokens);
  void observe_step(core::Duration modelled);
  /// How long after its absolute deadline a step was served; the driver reports it.
  void observe_step_late(core::Duration late);

  // ---- I: every step with outputs ----
  void count_preemptions(std::uint32_t count);
  void observe_iteration(std::uint32_t computed_prompt_tokens, std::uint32_t generated_tokens);
  void observe_inter_token(core::Duration gap);

  // ---- T: first token ----
  void first_token(std::uint32_t prompt_tokens, std::uint32_t cached_tokens, core::Duration since_arrival);

  // ---- F: finish ----
  struct Finish {
    FinishReason reason = FinishReason::kLength;
    std::uint32_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0, max_tokens = 0;
    core::Duration e2e{}, queue{}, prefill{}, decode{}, inference{};
  };
  void finished(const Finish& finish);

  /// Appends every family in vLLM's order.
  void render(const MetricsIdentity& identity, core::PromWriter& writer) const;

  // ---- read by tests and virtual runs ----
  [[nodiscard]] std::uint64_t prompt_tokens() const { return prompt_tokens_; }
  [[nodiscard]] std::uint64_t cached_prompt_tokens() const { return cached_tokens_; }
  [[nodiscard]] std::uint64_t generation_tokens() const { return generation_tokens_; }
  [[nodiscard]] std::uint64_t prefix_queries() const { return prefix_queries_; }
  [[nodiscard]] std::uint64_t prefix_hits() const { return prefix_hits_; }
  [[nodiscard]] std::uint64_t preemptions() const { return preemptions_; }
  [[nodiscard]] std::uint64_t success() const { return success_stop_ + success_length_; }
  [[nodiscard]] std::uint32_t running() const { return running_; }
  [[nodiscard]] std::uint32_t waiting() const { return waiting_; }
  [[nodiscard]] double kv_usage() const { return kv_usage_; }
  [[nodiscard]] const Histogram& step_late() const { return step_late_; }
  [[nodiscard]] const Histogram& ttft() const { return ttft_; }
  [[nodiscard]] const Histogram& e2e() const { return e2e_; }

 private:
  void render_counters(const MetricsIdentity& identity, core::PromWriter& writer) const;
  void render_histograms(const MetricsIdentity& identity, core::PromWriter& writer) const;

  std::uint32_t running_ = 0, waiting_ = 0;
  double kv_usage_ = 0;
  std::uint64_t prefix_queries_ = 0, prefix_hits_ = 0, preemptions_ = 0;
  std::uint64_t prompt_tokens_ = 0, cached_tokens_ = 0, generation_tokens_ = 0;
  std::uint64_t success_stop_ = 0, success_length_ = 0;
  std::vector<double> token_bounds_;
  Histogram request_prompt_, request_generation_, iteration_, max_generation_, params_n_, params_max_tokens_;
  Histogram ttft_, inter_token_, time_per_output_;
  Histogram e2e_, queue_, inference_, prefill_, decode_;
  Histogram prefill_computed_;
  Histogram step_late_, step_;
};

/// Appends one histogram family with its `_created`, as prometheus_client lays it out. `labels` sorted by name; `le`
/// goes to its place among them.
void render_histogram(std::string_view name, std::string_view help, core::PromWriter::Labels labels,
                      const Histogram& histogram, double created_unix_s, core::PromWriter& writer);
/// Appends `name` ("…_total") as a counter with one sample per row, then its `_created` rows.
struct CounterRow {
  core::PromWriter::Labels labels;
  double value = 0;
};
void render_counter(std::string_view name, std::string_view help, std::span<const CounterRow> rows,
                    double created_unix_s, core::PromWriter& writer);

/// 36 bounds from 10 us to 1 s, seven or eight per decade: step times and their lateness.
[[nodiscard]] std::span<const double> step_bounds();

}  // namespace simulator
