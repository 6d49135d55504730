#include "router/core/config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/text.h"

namespace router {
namespace {

constexpr std::string_view kHead = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n";

PickerConfig good(const std::string& yaml) {
  auto config = load_picker_config(yaml, "good.yaml");
  EXPECT_TRUE(config.has_value()) << (config ? "" : config.error().message);
  return config ? *config : PickerConfig{};
}

std::string bad(const std::string& yaml) {
  auto config = load_picker_config(yaml, "bad.yaml");
  EXPECT_FALSE(config.has_value()) << yaml;
  return config ? "" : config.error().message;
}

std::string with_head(std::string_view rest) { return std::string(kHead) + std::string(rest); }

testing::AssertionResult has(const std::string& text, std::string_view part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no \"" << part << "\" in:\n" << text;
}

TEST(PickerConfigLoader, BuiltinDefault) {
  const auto config = *load_builtin_config("default");
  ASSERT_EQ(config.scorers.size(), 3u);
  EXPECT_EQ(config.scorers[0].kind, ScorerKind::kPrefixCache);
  EXPECT_EQ(config.scorers[0].weight, 3);
  EXPECT_EQ(config.scorers[1].kind, ScorerKind::kKvCacheUtilization);
  EXPECT_EQ(config.scorers[1].weight, 2);
  EXPECT_EQ(config.scorers[2].kind, ScorerKind::kQueue);
  EXPECT_EQ(config.scorers[2].weight, 2);
  EXPECT_EQ(config.picker.kind, PickerKind::kMaxScore);
  EXPECT_EQ(config.prefix.hashing, protocol::PickerHashing::kRouter09);
  EXPECT_TRUE(config.warnings.empty());
}

TEST(PickerConfigLoader, BuiltinKserveWarnsOfItsEffectiveRatio) {
  const auto config = *load_builtin_config("kserve");
  ASSERT_EQ(config.scorers.size(), 2u);
  EXPECT_EQ(config.scorers[1].kind, ScorerKind::kLoadAware);
  EXPECT_EQ(config.scorers[1].waiting_threshold, 128);
  EXPECT_EQ(config.prefix.hashing, protocol::PickerHashing::kGie14);
  EXPECT_EQ(config.prefix.block_chars, 64u);
  ASSERT_EQ(config.warnings.size(), 1u);
  EXPECT_EQ(config.warnings[0], "load-aware-scorer never exceeds 0.5: prefix to load is effective 4:1");
  EXPECT_FALSE(load_builtin_config("kserv").has_value());
  EXPECT_EQ(load_builtin_config("kserv").error().hint, "did you mean \"kserve\"?");
}

TEST(PickerConfigLoader, EveryApiVersionLoads) {
  for (const auto api : {"inference.networking.x-k8s.io/v1alpha1", "llm-d.ai/v1alpha1", "llm-d.ai/v1"}) {
    const auto config = good("apiVersion: " + std::string(api) + "\nkind: EndpointPickerConfig\nplugins:\n- type: queue-scorer\n");
    EXPECT_EQ(config.api_version, api);
    EXPECT_EQ(config.profile, "default");
    ASSERT_EQ(config.scorers.size(), 1u);
    EXPECT_EQ(config.scorers[0].weight, 1.0);  // injected
    EXPECT_EQ(config.picker.kind, PickerKind::kMaxScore);
  }
}

TEST(PickerConfigLoader, OldPlacementsOnTheScorer) {
  const auto chars = good("apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n"
                          "- type: prefix-cache-scorer\n  parameters: {blockSize: 32, maxPrefixBlocksToMatch: 7, lruCapacityPerServer: 9}\n");
  EXPECT_EQ(chars.prefix.hashing, protocol::PickerHashing::kGie14);
  EXPECT_EQ(chars.prefix.block_chars, 32u);
  EXPECT_TRUE(chars.prefix.auto_tune);
  EXPECT_EQ(chars.prefix.max_prefix_tokens, 0u);
  EXPECT_EQ(chars.prefix.max_prefix_blocks, 7u);
  EXPECT_EQ(chars.prefix.lru_blocks_per_server, 9u);
  const auto tokens = good("apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n"
                           "- type: prefix-cache-scorer\n  parameters: {blockSizeTokens: 16}\n");
  EXPECT_EQ(tokens.prefix.hashing, protocol::PickerHashing::kGie14);
  EXPECT_EQ(tokens.prefix.block_tokens, 16u);
  EXPECT_EQ(tokens.prefix.max_prefix_blocks, 256u);
}

TEST(PickerConfigLoader, NewPlacementOnTheProducer) {
  const auto config = good(with_head(
      "plugins:\n- type: prefix-cache-scorer\n  parameters: {prefixMatchInfoProducerName: p}\n"
      "- name: p\n  type: approx-prefix-cache-producer\n"
      "  parameters: {autoTune: false, blockSizeTokens: 128, maxPrefixTokensToMatch: 40960, lruCapacityPerServer: 10}\n"));
  EXPECT_EQ(config.prefix.hashing, protocol::PickerHashing::kRouter09);
  EXPECT_FALSE(config.prefix.auto_tune);
  EXPECT_EQ(config.prefix.block_tokens, 128u);
  EXPECT_EQ(config.prefix.max_prefix_tokens, 40960u);
  const auto both = good(with_head("plugins:\n- type: prefix-cache-scorer\n- type: approx-prefix-cache-producer\n"
                                   "  parameters: {maxPrefixBlocksToMatch: 5}\n"));
  EXPECT_EQ(both.prefix.max_prefix_tokens, 131072u);
  ASSERT_EQ(both.warnings.size(), 1u);
  EXPECT_TRUE(has(both.warnings[0], "maxPrefixBlocksToMatch has no effect"));
}

TEST(PickerConfigLoader, ParametersOfEveryScorer) {
  const auto config = good(with_head(R"(plugins:
- {type: load-aware-scorer, parameters: {threshold: 10}}
- {type: active-request-scorer, parameters: {idleThreshold: 2, maxBusyScore: 0.5, requestTimeout: 2m}}
- {type: token-load-scorer, parameters: {queueThresholdTokens: 1000}}
- {type: no-hit-lru-scorer, parameters: {lruSize: 5}}
- {type: prefix-cache-scorer, parameters: {matchLengthWeight: 0.5, matchLengthScaleTokens: 100}}
- {type: running-requests-size-scorer}
- {type: metrics-data-source, parameters: {scheme: http, path: /m, port: 9000, insecureSkipVerify: true}}
- {type: core-metrics-extractor}
- {type: inflight-load-producer}
- {type: random-picker, parameters: {maxNumOfEndpoints: 3}}
featureGates: [dataLayer, "flowControl=false"]
dataLayer:
  injectDefaults: false
  sources: [{pluginRef: metrics-data-source, extractors: [{pluginRef: core-metrics-extractor}]}]
)"));
  ASSERT_EQ(config.scorers.size(), 6u);
  EXPECT_EQ(config.scorers[0].waiting_threshold, 10);
  EXPECT_EQ(config.scorers[1].idle_threshold, 2);
  EXPECT_EQ(config.scorers[1].max_busy_score, .5);
  EXPECT_EQ(config.scorers[2].queue_threshold_tokens, 1000);
  EXPECT_EQ(config.scorers[3].lru_size, 5u);
  EXPECT_EQ(config.scorers[4].match_length_weight, .5);
  EXPECT_EQ(config.scorers[4].match_length_scale_tokens, 100);
  EXPECT_EQ(config.picker.kind, PickerKind::kRandom);
  EXPECT_EQ(config.picker.max_endpoints, 3u);
  EXPECT_EQ(config.metrics.path, "/m");
  EXPECT_EQ(config.metrics.port, 9000);
}

TEST(PickerConfigLoader, AllErrorsAtOnceWithPlaces) {
  const auto message = bad(R"(apiVersion: llm-d.ai/v2
kind: EndpointPickerConfig
featureGates: [flowControll, flowControl]
plugins:
- type: queue-scorer
- type: queue-scorer
- type: que-scorer
- type: lora-affinity-scorer
- name: p
  type: prefix-cache-scorer
  parameters: {blockSizeTokens: "16", lruCapacity: 5}
- type: max-score-picker
- type: random-picker
- type: single-profile-handler
- {name: h2, type: single-profile-handler}
schedulingProfiles:
- name: default
  plugins:
  - {pluginRef: queue-scorer, weight: high}
  - {pluginRef: queue-scorr}
  - {pluginRef: max-score-picker}
  - {pluginRef: random-picker}
  - {pluginRef: single-profile-handler}
colour: red
)");
  const auto lines = core::split(message, '\n');
  EXPECT_EQ(lines.size(), 14u) << message;
  EXPECT_TRUE(has(message, "bad.yaml:1:13: unknown apiVersion \"llm-d.ai/v2\"; did you mean \"llm-d.ai/v1\"?"));
  EXPECT_TRUE(has(message, "bad.yaml:3:16: unknown feature gate \"flowControll\"; did you mean \"flowControl\"?"));
  EXPECT_TRUE(has(message, "bad.yaml:3:30: feature gate \"flowControl\" is known but not supported here"));
  EXPECT_TRUE(has(message, "bad.yaml:6:3: plugin name \"queue-scorer\" is used twice"));
  EXPECT_TRUE(has(message, "bad.yaml:7:9: unknown plugin type \"que-scorer\"; did you mean \"queue-scorer\"?"));
  EXPECT_TRUE(has(message, "bad.yaml:8:9: plugin type \"lora-affinity-scorer\" is known but not supported here"));
  EXPECT_TRUE(has(message, "bad.yaml:11:33: blockSizeTokens in the parameters of \"p\" must be a whole number"));
  EXPECT_TRUE(has(message, "bad.yaml:11:39: unknown field \"lruCapacity\" in the parameters of \"p\""));
  EXPECT_TRUE(has(message, "bad.yaml:15:3: a second profile handler, \"h2\""));
  EXPECT_TRUE(has(message, "bad.yaml:19:39: weight in a profile's plugin must be a number"));
  EXPECT_TRUE(has(message, "bad.yaml:20:17: pluginRef \"queue-scorr\" names no plugin; did you mean \"queue-scorer\"?"));
  EXPECT_TRUE(has(message, "bad.yaml:22:17: a second picker, \"random-picker\""));
  EXPECT_TRUE(has(message, "bad.yaml:23:17: plugin \"single-profile-handler\" is a profile handler and cannot stand"));
  EXPECT_TRUE(has(message, "bad.yaml:24:1: unknown field \"colour\" in the document"));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto line_of = [](std::string_view line) { return core::parse_integer(core::split(line, ':')[1]).value(); };
    EXPECT_LE(line_of(lines[i - 1]), line_of(lines[i])) << message;
  }
}

TEST(PickerConfigLoader, WrongShapes) {
  EXPECT_TRUE(has(bad(""), "bad.yaml:1:1: no EndpointPickerConfig"));
  EXPECT_TRUE(has(bad("- a\n- b\n"), "the document is no mapping"));
  EXPECT_TRUE(has(bad("a: [1\nb: 2\n"), "not YAML"));
  EXPECT_TRUE(has(bad("\t: x"), "not YAML"));
  EXPECT_TRUE(has(bad(with_head("plugins: {type: queue-scorer}\n")), "plugins in the document must be a list"));
  EXPECT_TRUE(has(bad(with_head("plugins: [queue-scorer]\n")), "a plugin must be a mapping"));
  EXPECT_TRUE(has(bad(with_head("plugins: [{name: x}]\n")), "a plugin has no type"));
  EXPECT_TRUE(has(bad(with_head("plugins: [{type: 12}]\n")), "type in a plugin must be text"));
  EXPECT_TRUE(has(bad(with_head("plugins: [{type: queue-scorer, parameters: 3}]\n")), "must be a mapping"));
  EXPECT_TRUE(has(bad(with_head("plugins: [{type: queue-scorer}]\nschedulingProfiles: [{plugins: [{weight: 2}]}]\n")), "has no pluginRef"));
  EXPECT_TRUE(has(bad(with_head("plugins: [{type: queue-scorer}]\nplugins: []\n")), "\"plugins\" appears twice"));
  EXPECT_TRUE(has(bad("kind: Pod\nplugins: [{type: queue-scorer}]\n"), "expected \"EndpointPickerConfig\""));
  EXPECT_TRUE(has(bad("kind: EndpointPickerConfig\nplugins: [{type: queue-scorer}]\n"), "apiVersion is missing"));
  EXPECT_TRUE(has(bad(with_head("plugins: []\n")), "no scorer is used"));
  EXPECT_TRUE(has(bad(with_head("plugins: [{type: queue-scorer}]\n---\na: b\n")), "second YAML document"));
  EXPECT_TRUE(has(bad(with_head("plugins: [{type: load-aware-scorer, parameters: {threshold: 0}}]\n")), "threshold must be above 0"));
  EXPECT_TRUE(has(bad(std::string((1u << 20) + 1, ' ')), "larger than 1 MiB"));
  EXPECT_TRUE(has(bad(std::string(100000, '[')), "bad.yaml"));
}

TEST(PickerConfigLoader, TwoProfilesAndTwiceGivenParametersAreRefused) {
  EXPECT_TRUE(has(bad(with_head("plugins: [{type: queue-scorer}]\nschedulingProfiles:\n- {name: a, plugins: [{pluginRef: queue-scorer}]}\n"
                                "- {name: b, plugins: [{pluginRef: queue-scorer}]}\n")),
                  "bad.yaml:6:3: single-profile-handler takes one scheduling profile"));
  EXPECT_TRUE(has(bad(with_head("plugins:\n- {type: prefix-cache-scorer, parameters: {autoTune: true}}\n"
                                "- {type: approx-prefix-cache-producer, parameters: {autoTune: true}}\n")),
                  "given twice"));
  EXPECT_TRUE(has(bad(with_head("plugins:\n- {type: prefix-cache-scorer, parameters: {prefixMatchInfoProducerName: nobody}}\n")),
                  "names no approx-prefix-cache-producer"));
}

TEST(PickerConfigLoader, TopLevelSaturationDetectorIsGoneInV1) {
  EXPECT_TRUE(has(bad("apiVersion: llm-d.ai/v1\nkind: EndpointPickerConfig\nplugins: [{type: queue-scorer}]\nsaturationDetector: {queueDepthThreshold: 5}\n"),
                  "is gone in llm-d.ai/v1"));
  const auto config = good(with_head("plugins: [{type: queue-scorer}]\nsaturationDetector: {queueDepthThreshold: 5}\n"));
  ASSERT_EQ(config.warnings.size(), 1u);
}

TEST(PickerConfigLoader, DigestFollowsTheEffectOnly) {
  const auto a = good(with_head("plugins:\n- {name: q, type: queue-scorer}\n"));
  const auto b = good(with_head("# a comment\nplugins:\n- {type: queue-scorer}\nschedulingProfiles:\n- name: x\n  plugins: [{pluginRef: queue-scorer, weight: 1.0}]\n"));
  const auto c = good(with_head("plugins:\n- {type: queue-scorer}\nschedulingProfiles:\n- name: x\n  plugins: [{pluginRef: queue-scorer, weight: 2}]\n"));
  EXPECT_EQ(a.digest(), b.digest());
  EXPECT_NE(a.digest(), c.digest());
  EXPECT_EQ(a.canonical(), "scorer queue-scorer weight=1.0\npicker max-score-picker maxNumOfEndpoints=1\n");
}

TEST(PickerConfigLoader, TruncatedAndMutatedDocumentsNeverCrash) {
  const std::string yaml(builtin_config_text("kserve"));
  for (std::size_t cut = 0; cut < yaml.size(); cut += 3) static_cast<void>(load_picker_config(yaml.substr(0, cut), "cut").has_value());
  for (std::size_t at = 0; at < yaml.size(); ++at) {
    for (const char c : {'{', ':', '\t', '\0', '&', '-'}) {
      auto mutated = yaml;
      mutated[at] = c;
      static_cast<void>(load_picker_config(mutated, "mutated").has_value());
    }
  }
}

// Sample files of the real picker; they are not part of this repository.
TEST(PickerConfigLoader, SampleFilesOfThePicker) {
  const char* given = std::getenv("GATEBENCH_EPP_CONFIGS");
  if (given == nullptr) GTEST_SKIP() << "set GATEBENCH_EPP_CONFIGS to the folder of the picker's sample configurations";
  const std::filesystem::path folder(given);
  const auto load = [&](const char* name) {
    std::ifstream in(folder / name);
    std::ostringstream text;
    text << in.rdbuf();
    return load_picker_config(text.str(), name);
  };
  for (const auto* name : {"epp-config.yaml", "epp-estimate-prefix-cache-config.yaml", "sim-epp-config.yaml"}) {
    const auto config = load(name);
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->scorers[0].kind, ScorerKind::kPrefixCache) << name;
  }
  EXPECT_EQ(load("sim-epp-config.yaml")->prefix.max_prefix_blocks, 256u);
  for (const auto* name : {"sim-epp-kvcache-config.yaml", "sim-epp-no-hit-lru.yaml", "sim-pd-epp-config.yaml"}) {
    const auto config = load(name);
    ASSERT_FALSE(config.has_value()) << name;
    EXPECT_TRUE(has(config.error().message, "is known but not supported here"));
    EXPECT_FALSE(has(config.error().message, "names no plugin")) << config.error().message;
    EXPECT_FALSE(has(config.error().message, "unknown")) << config.error().message;
  }
}

}  // namespace
}  // namespace router
