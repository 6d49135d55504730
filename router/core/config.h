// PickerConfig: an EndpointPickerConfig document after parsing, checks and defaults; the one input of the pipeline.
// Loaded by `gatebench router`, by the fleet simulator and by the manifest linter. Loading does no I/O.
// It must take exactly what the real endpoint picker takes, refuse what that refuses, and say what is not supported here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "protocol/prefix_blocks.h"

namespace router {

enum class ScorerKind {
  kPrefixCache,
  kKvCacheUtilization,
  kQueue,
  kRunningRequests,
  kLoadAware,
  kActiveRequest,
  kTokenLoad,
  kNoHitLru
};
enum class PickerKind { kMaxScore, kRandom, kWeightedRandom };

/// The plugin type as the document writes it, "queue-scorer".
[[nodiscard]] std::string_view type_of(ScorerKind kind);
[[nodiscard]] std::string_view type_of(PickerKind kind);

/// A scorer with its weight and parameters; each kind reads its own, the rest stay at their defaults.
struct ScorerSpec {
  ScorerKind kind = ScorerKind::kQueue;
  std::string name;
  double weight = 1.0;
  double match_length_weight = 0.0;             ///< prefix-cache-scorer
  double match_length_scale_tokens = 8192;      ///< prefix-cache-scorer
  double waiting_threshold = 128;               ///< load-aware-scorer `threshold`
  double idle_threshold = 0;                    ///< active-request-scorer
  double max_busy_score = 1.0;                  ///< active-request-scorer
  double queue_threshold_tokens = 4194304;      ///< token-load-scorer
  std::size_t lru_size = 1024;                  ///< no-hit-lru-scorer
};

struct PickerSpec {
  PickerKind kind = PickerKind::kMaxScore;
  std::string name = "max-score-picker";
  std::size_t max_endpoints = 1;
};

/// The approximate prefix index's parameters, whichever plugin carried them.
struct PrefixSettings {
  protocol::PickerHashing hashing = protocol::PickerHashing::kRouter09;
  std::size_t block_tokens = 16;
  std::size_t block_chars = 0;        ///< old releases count characters; 0: block_tokens × 4 bytes
  bool auto_tune = true;              ///< take block size and capacity from the endpoints' cache_config_info
  std::size_t max_prefix_tokens = 131072;  ///< 0: max_prefix_blocks rules
  std::size_t max_prefix_blocks = 2048;    ///< 0: unlimited
  std::size_t lru_blocks_per_server = 31250;
};

/// How the endpoints' metrics are read (metrics-data-source).
struct MetricsSource {
  std::string scheme = "http", path = "/metrics";
  std::uint16_t port = 0;  ///< 0: the endpoint's own
};

struct PickerConfig {
  std::string source;        ///< file name or built-in name
  std::string api_version;
  std::string profile = "default";
  std::vector<ScorerSpec> scorers;  ///< in profile order: sums are taken in this order
  PickerSpec picker;
  PrefixSettings prefix;
  MetricsSource metrics;
  std::vector<std::string> warnings;

  [[nodiscard]] bool needs_prefix() const;
  /// Effective settings as text, one line per part; equal text, equal routing.
  [[nodiscard]] std::string canonical() const;
  [[nodiscard]] std::uint64_t digest() const;
};

/// Parses a document. kInvalid with *all* errors, one "file:line:column: what; what to do" per line.
[[nodiscard]] core::Result<PickerConfig> load_picker_config(std::string_view yaml, std::string_view file);

/// Names of the configurations that ship with the binary: "default" (prefix 3, kv 2, queue 2) and "kserve" (prefix 2,
/// load-aware 1; the KServe v0.16 preset).
[[nodiscard]] std::span<const std::string_view> builtin_config_names();
/// The YAML of a built-in configuration, or an empty view.
[[nodiscard]] std::string_view builtin_config_text(std::string_view name);
[[nodiscard]] core::Result<PickerConfig> load_builtin_config(std::string_view name);

}  // namespace router
