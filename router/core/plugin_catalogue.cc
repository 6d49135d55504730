// The table of plugin types by release, from the endpoint picker's registries up to the 2026-08 sources.
// Called by the configuration loader; pure lookups over constants.
// Extending it here is not enough: a supported type needs its scorer, picker or stated no-effect as well.
#include "router/core/plugin_catalogue.h"

#include <algorithm>
#include <array>

namespace router {
namespace {

constexpr PluginType scorer(ScorerKind kind, std::string_view name) {
  return PluginType{name, PluginRole::kScorer, kind, PickerKind::kMaxScore};
}
constexpr PluginType picker(PickerKind kind, std::string_view name) {
  return PluginType{name, PluginRole::kPicker, ScorerKind::kQueue, kind};
}
constexpr PluginType other(PluginRole role, std::string_view name) {
  return PluginType{name, role, ScorerKind::kQueue, PickerKind::kMaxScore};
}

constexpr std::array kSupported{
    scorer(ScorerKind::kPrefixCache, "prefix-cache-scorer"),
    scorer(ScorerKind::kKvCacheUtilization, "kv-cache-utilization-scorer"),
    scorer(ScorerKind::kQueue, "queue-scorer"),
    scorer(ScorerKind::kRunningRequests, "running-requests-size-scorer"),
    scorer(ScorerKind::kLoadAware, "load-aware-scorer"),
    scorer(ScorerKind::kActiveRequest, "active-request-scorer"),
    scorer(ScorerKind::kTokenLoad, "token-load-scorer"),
    scorer(ScorerKind::kNoHitLru, "no-hit-lru-scorer"),
    picker(PickerKind::kMaxScore, "max-score-picker"),
    picker(PickerKind::kRandom, "random-picker"),
    picker(PickerKind::kWeightedRandom, "weighted-random-picker"),
    other(PluginRole::kProfileHandler, "single-profile-handler"),
    other(PluginRole::kPrefixProducer, "approx-prefix-cache-producer"),
    other(PluginRole::kProducer, "inflight-load-producer"),
    other(PluginRole::kMetricsSource, "metrics-data-source"),
    other(PluginRole::kExtractor, "core-metrics-extractor"),
    // Keeps endpoints whose role label allows decoding; endpoints here carry no labels, and no label passes.
    other(PluginRole::kFilter, "decode-filter"),
};

constexpr std::array<std::string_view, 44> kElsewhere{
    "lora-affinity-scorer", "session-affinity-scorer", "session-affinity-filter", "context-length-aware",
    "latency-scorer", "topology-scorer", "header-label-affinity-scorer", "mm-cache-affinity-scorer",
    "precise-prefix-cache-scorer", "precise-prefix-cache-producer", "prefix-cache-affinity-filter",
    "label-selector-filter", "by-label", "by-label-selector", "prefill-filter", "encode-filter", "utilization-filter",
    "sloheadroomtier", "slo-headroom-tier-filter", "disagg-profile-handler", "pd-profile-handler",
    "data-parallel-profile-handler", "prefill-header-handler", "disagg-headers-handler", "prefix-based-pd-decider",
    "always-disagg-pd-decider", "token-producer", "tokenizer", "session-id-producer", "mm-embeddings-cache-producer",
    "predicted-latency-producer", "openai-parser", "anthropic-parser", "vllmhttp-parser", "passthrough-parser",
    "fcfs-ordering-policy", "edf-ordering-policy", "global-strict-fairness-policy", "round-robin-fairness-policy",
    "static-usage-limit-policy", "utilization-detector", "concurrency-detector", "file-discovery",
    "model-server-protocol-metrics"};

constexpr auto kAllNames = [] {
  std::array<std::string_view, kSupported.size() + kElsewhere.size()> names{};
  std::size_t n = 0;
  for (const auto& type : kSupported) names[n++] = type.name;
  for (const auto name : kElsewhere) names[n++] = name;
  return names;
}();

}  // namespace

const PluginType* find_plugin_type(std::string_view name) {
  const auto found = std::find_if(kSupported.begin(), kSupported.end(), [&](const auto& t) { return t.name == name; });
  return found == kSupported.end() ? nullptr : &*found;
}

bool known_elsewhere(std::string_view name) {
  return std::find(kElsewhere.begin(), kElsewhere.end(), name) != kElsewhere.end();
}

std::span<const std::string_view> plugin_type_names() { return kAllNames; }

std::string_view describe(PluginRole role) {
  switch (role) {
    case PluginRole::kScorer: return "scorer";
    case PluginRole::kPicker: return "picker";
    case PluginRole::kFilter: return "filter";
    case PluginRole::kProfileHandler: return "profile handler";
    case PluginRole::kPrefixProducer:
    case PluginRole::kProducer: return "data producer";
    case PluginRole::kMetricsSource: return "metrics source";
    case PluginRole::kExtractor: return "metrics extractor";
  }
  return "plugin";
}

}  // namespace router
