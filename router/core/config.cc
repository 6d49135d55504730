// What a PickerConfig says about itself, and the built-in documents. Used by loaders, the pipeline and admin pages.
// The built-in documents go through the same loader as a user's file; nothing is configured behind its back.
#include "router/core/config.h"

#include <array>

#include "core/hash.h"
#include "core/prom_text.h"
#include "core/text.h"

namespace router {
namespace {

constexpr std::string_view kDefaultYaml = R"(apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: prefix-cache-scorer
- type: kv-cache-utilization-scorer
- type: queue-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: prefix-cache-scorer, weight: 3.0}
  - {pluginRef: kv-cache-utilization-scorer, weight: 2.0}
  - {pluginRef: queue-scorer, weight: 2.0}
  - {pluginRef: max-score-picker}
)";

// The preset's release hashes 64-character blocks and caps a prompt at 256 of them.
constexpr std::string_view kKserveYaml = R"(apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: single-profile-handler
- type: prefix-cache-scorer
  parameters: {hashBlockSize: 64, maxPrefixBlocksToMatch: 256, lruCapacityPerServer: 31250}
- type: load-aware-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: prefix-cache-scorer, weight: 2.0}
  - {pluginRef: load-aware-scorer, weight: 1.0}
  - {pluginRef: max-score-picker}
)";

constexpr std::array<std::string_view, 2> kBuiltinNames{"default", "kserve"};

void put(std::string& out, std::string_view key, double value) {
  out.append(" ").append(key).append("=").append(core::PromWriter::number(value));
}

void put(std::string& out, std::string_view key, std::size_t value) {
  out.append(" ").append(key).append("=").append(std::to_string(value));
}

void put_parameters(std::string& out, const ScorerSpec& scorer) {
  switch (scorer.kind) {
    case ScorerKind::kPrefixCache:
      put(out, "matchLengthWeight", scorer.match_length_weight);
      put(out, "matchLengthScaleTokens", scorer.match_length_scale_tokens);
      break;
    case ScorerKind::kLoadAware: put(out, "threshold", scorer.waiting_threshold); break;
    case ScorerKind::kActiveRequest:
      put(out, "idleThreshold", scorer.idle_threshold);
      put(out, "maxBusyScore", scorer.max_busy_score);
      break;
    case ScorerKind::kTokenLoad: put(out, "queueThresholdTokens", scorer.queue_threshold_tokens); break;
    case ScorerKind::kNoHitLru: put(out, "lruSize", scorer.lru_size); break;
    case ScorerKind::kKvCacheUtilization:
    case ScorerKind::kQueue:
    case ScorerKind::kRunningRequests: break;
  }
}

}  // namespace

std::string_view type_of(ScorerKind kind) {
  switch (kind) {
    case ScorerKind::kPrefixCache: return "prefix-cache-scorer";
    case ScorerKind::kKvCacheUtilization: return "kv-cache-utilization-scorer";
    case ScorerKind::kQueue: return "queue-scorer";
    case ScorerKind::kRunningRequests: return "running-requests-size-scorer";
    case ScorerKind::kLoadAware: return "load-aware-scorer";
    case ScorerKind::kActiveRequest: return "active-request-scorer";
    case ScorerKind::kTokenLoad: return "token-load-scorer";
    case ScorerKind::kNoHitLru: return "no-hit-lru-scorer";
  }
  return "unknown";
}

std::string_view type_of(PickerKind kind) {
  switch (kind) {
    case PickerKind::kMaxScore: return "max-score-picker";
    case PickerKind::kRandom: return "random-picker";
    case PickerKind::kWeightedRandom: return "weighted-random-picker";
  }
  return "unknown";
}

bool PickerConfig::needs_prefix() const {
  for (const auto& scorer : scorers) {
    if (scorer.kind == ScorerKind::kPrefixCache || scorer.kind == ScorerKind::kTokenLoad ||
        scorer.kind == ScorerKind::kNoHitLru) {
      return true;
    }
  }
  return false;
}

std::string PickerConfig::canonical() const {
  std::string out;
  for (const auto& scorer : scorers) {
    out.append("scorer ").append(type_of(scorer.kind));
    put(out, "weight", scorer.weight);
    put_parameters(out, scorer);
    out.push_back('\n');
  }
  out.append("picker ").append(type_of(picker.kind));
  put(out, "maxNumOfEndpoints", picker.max_endpoints);
  out.push_back('\n');
  if (!needs_prefix()) return out;
  out.append("prefix hashing=");
  out.append(prefix.hashing == protocol::PickerHashing::kRouter09 ? "router-0.9" : "gie-1.4");
  put(out, "blockTokens", prefix.block_tokens);
  put(out, "blockChars", prefix.block_chars);
  put(out, "autoTune", std::size_t{prefix.auto_tune});
  put(out, "maxPrefixTokens", prefix.max_prefix_tokens);
  put(out, "maxPrefixBlocks", prefix.max_prefix_blocks);
  put(out, "lruCapacityPerServer", prefix.lru_blocks_per_server);
  out.push_back('\n');
  return out;
}

std::uint64_t PickerConfig::digest() const {
  core::Digest digest;
  digest.add(std::string_view(canonical()));
  return digest.value();
}

std::span<const std::string_view> builtin_config_names() { return kBuiltinNames; }

std::string_view builtin_config_text(std::string_view name) {
  if (name == "default") return kDefaultYaml;
  if (name == "kserve") return kKserveYaml;
  return {};
}

core::Result<PickerConfig> load_builtin_config(std::string_view name) {
  const auto text = builtin_config_text(name);
  if (!text.empty()) return load_picker_config(text, name);
  std::string hint = "built in are: default, kserve";
  if (const auto near = core::did_you_mean(name, kBuiltinNames)) hint = "did you mean \"" + *near + "\"?";
  return core::fail(core::ErrorCode::kInvalid,
                    "there is no built-in router configuration \"" + std::string(name) + "\"", std::move(hint));
}

}  // namespace router
