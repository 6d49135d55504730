// Scenario: what load to send, as an immutable value read from JSON. The planner turns it into a Schedule.
// Bundled scenarios live in scenarios/catalog/*.json and are compiled in. Nothing here does I/O but catalog lookups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "protocol/openai.h"

namespace scenarios {

using core::Duration;

enum class LoadModel { kClosed, kOpenConstant, kOpenPoisson };

struct Load {
  LoadModel model = LoadModel::kClosed;
  std::uint32_t concurrency = 1;                 ///< closed loop
  double rate_rps = 0;                           ///< open loop
  double burstiness = 1.0;                       ///< open Poisson: 1; gamma inter-arrivals with this shape otherwise
  std::optional<std::uint32_t> max_concurrency;  ///< open loop: a cap; what it delays shows as send lag
};

/// When to stop. At least one is set; whichever comes first ends the dispatching.
struct StopRule {
  std::optional<std::uint32_t> requests;
  std::optional<Duration> duration;
};

enum class PromptKind {
  kLiteral,       ///< `texts` in turn; "{i}" is replaced by the 1-based request number of the workload
  kUnique,        ///< `tokens` tokens (+ cycled offset), different for each request
  kSharedPrefix   ///< `groups` prefixes of `prefix_tokens`, each followed by `suffix_tokens` of its own
};

struct PromptSpec {
  PromptKind kind = PromptKind::kUnique;
  std::vector<std::string> texts;
  std::uint32_t tokens = 0;
  std::uint32_t groups = 0, prefix_tokens = 0, suffix_tokens = 0;
  bool one_group = false;                         ///< literal: all of them form one prefix group (they start alike)
  std::vector<std::uint32_t> cycle_extra_tokens;  ///< added in turn: a watermark by length; empty: none
};

struct OutputSpec {
  std::uint32_t max_tokens = 16;
  std::vector<std::uint32_t> max_tokens_cycle;    ///< overrides max_tokens in turn; empty: none
  std::optional<std::uint32_t> min_tokens;
  bool ignore_eos = true;
};

struct Workload {
  std::string name;
  double weight = 1.0;
  PromptSpec prompt;
  OutputSpec output;
  Duration think_time{};          ///< closed loop: pause after a response before its slot is due again
};

struct Slo {
  std::optional<double> ttft_ms, tpot_ms, e2e_ms;
};

struct Scenario {
  std::string name, description;
  protocol::Api api = protocol::Api::kCompletions;
  bool stream = true;
  bool continuous_usage = false;
  Load load;
  StopRule stop;
  Duration trim_start{};          ///< fixed warm-up trim of the measured window
  std::vector<Workload> workloads;
  Slo slo;
  Duration request_timeout = std::chrono::seconds(60);
  Duration connect_timeout = std::chrono::seconds(5);
  Duration drain_timeout = std::chrono::seconds(10);  ///< how long stragglers may take once dispatching has ended
  std::vector<std::uint32_t> ladder;  ///< concurrencies of a short ladder; empty: none
  bool serial_probe = false;          ///< c = 1 with scrapes around each request: attribution is exact
  std::vector<std::uint32_t> pad_body_bytes_cycle;  ///< bytes of the `user` text of each request in turn; empty: none
  std::string watermark = "none";     ///< "none", "prompt-length", "max-tokens", "body": which cycle is there for attribution
};

/// Values from the command line that replace those of the file.
struct Overrides {
  std::optional<std::uint32_t> concurrency, requests, max_tokens;
  std::optional<double> rate_rps, burstiness;
  std::optional<Duration> duration, trim_start;
  std::optional<bool> ignore_eos;
};

/// One problem in a scenario file.
struct Problem {
  std::string path;     ///< JSON path, "$.load.concurrency", or "line 3, column 7" for a syntax error
  std::string message;
  std::string hint;
};

/// Strict: unknown keys, wrong types and contradictions are errors; ALL of them are listed in `problems`.
/// On failure the Error's message joins them, one per line, prefixed by `source` ("file.json").
core::Result<Scenario> parse_scenario(std::string_view json, std::string_view source, std::vector<Problem>* problems = nullptr);

/// Canonical JSON of a scenario (all keys, fixed order); parse_scenario reads it back to an equal value.
[[nodiscard]] std::string to_json(const Scenario& scenario);

/// Applies overrides; kInvalid when one does not fit the load model (a rate on a closed loop).
core::Result<Scenario> apply(Scenario scenario, const Overrides& overrides);

/// Names of the bundled scenarios, in alphabetical order, and their JSON text.
[[nodiscard]] std::vector<std::string_view> catalog_names();
[[nodiscard]] std::optional<std::string_view> catalog_json(std::string_view name);
/// A bundled scenario by name; kInvalid with did-you-mean otherwise.
core::Result<Scenario> catalog_scenario(std::string_view name);

}  // namespace scenarios
