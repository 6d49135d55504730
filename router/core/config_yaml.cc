// The EndpointPickerConfig loader: with yaml_fields.h the only user of yaml-cpp in the router.
// Called through load_picker_config by the command line, the fleet simulator and the manifest linter.
// It must never stop at the first error, and never take a document that the real picker refuses.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>

#include "router/core/config.h"
#include "router/core/plugin_catalogue.h"
#include "router/core/yaml_fields.h"

namespace router {
namespace {

constexpr std::size_t kMaxDocumentBytes = 1u << 20;
constexpr std::array<std::string_view, 3> kApiVersions{"inference.networking.x-k8s.io/v1alpha1",
                                                       "llm-d.ai/v1alpha1", "llm-d.ai/v1"};
constexpr std::array<std::string_view, 3> kFeatureGates{"flowControl", "dataLayer", "prepareDataPlugins"};

class Loader {
 public:
  Loader(std::string_view file, Problems& problems) : problems_(problems) { config_.source = file; }

  void load(const YAML::Node& document);
  [[nodiscard]] PickerConfig take() { return std::move(config_); }

 private:
  struct Plugin {
    std::string name;
    const PluginType* type = nullptr;  ///< null: reported already
    YAML::Mark mark;
    ScorerSpec scorer;
    PickerSpec picker;
    bool referenced = false;
  };

  void read_api(Fields& top, const YAML::Node& document);
  void read_feature_gates(Fields& top);
  void read_plugins(Fields& top);
  void read_plugin(const YAML::Node& node);
  void read_parameters(Plugin& plugin, const YAML::Node& node);
  void read_scorer(ScorerSpec& scorer, Fields& fields);
  void read_prefix_scorer(ScorerSpec& scorer, Fields& fields);
  void read_prefix_settings(Fields& fields, bool on_scorer);
  void read_profiles(Fields& top, const YAML::Node& document);
  void read_profile(const YAML::Node& node);
  void read_reference(const YAML::Node& node, bool& has_picker);
  void imply_profile();
  void use(Plugin& plugin, std::optional<double> weight, const YAML::Mark& mark, bool& has_picker);
  void read_data_layer(Fields& top);
  void read_ignored_sections(Fields& top);
  void check_profile_handlers();
  void warn_about_effects();
  Plugin* find(std::string_view name);
  void require_plugin(const YAML::Node& reference, std::string_view name);
  void warn(std::string text) { config_.warnings.push_back(std::move(text)); }

  Problems& problems_;
  PickerConfig config_;
  std::vector<Plugin> plugins_;
  std::set<std::string> failed_names_;  ///< plugins refused already: references to them are not errors again
  std::optional<bool> prefix_on_scorer_;
  std::vector<std::pair<std::string, YAML::Mark>> producer_names_;
};

void Loader::load(const YAML::Node& document) {
  Fields top(document, "the document", problems_);
  read_api(top, document);
  read_feature_gates(top);
  read_plugins(top);
  check_profile_handlers();
  for (const auto& [name, mark] : producer_names_) {
    const auto* producer = find(name);
    const bool injected = name == "approx-prefix-cache-producer";
    if (!injected && (producer == nullptr || producer->type->role != PluginRole::kPrefixProducer)) {
      problems_.add(mark, "prefixMatchInfoProducerName " + quoted(name) + " names no approx-prefix-cache-producer");
    }
  }
  read_profiles(top, document);
  read_data_layer(top);
  read_ignored_sections(top);
  top.finish();
  warn_about_effects();
}

void Loader::read_api(Fields& top, const YAML::Node& document) {
  const auto api = top.text("apiVersion");
  if (api && std::find(kApiVersions.begin(), kApiVersions.end(), *api) == kApiVersions.end()) {
    problems_.add(top.mark_of("apiVersion"), "unknown apiVersion " + quoted(*api) + suggestion(*api, kApiVersions) +
                                                 " (known: inference.networking.x-k8s.io/v1alpha1, llm-d.ai/v1alpha1, llm-d.ai/v1)");
  } else if (!api && !top.take("apiVersion").IsDefined()) {
    problems_.add(document.Mark(), "apiVersion is missing; write apiVersion: llm-d.ai/v1alpha1");
  }
  config_.api_version = api.value_or("");
  const auto kind = top.text("kind");
  if (kind && *kind != "EndpointPickerConfig") {
    problems_.add(top.mark_of("kind"), "kind is " + quoted(*kind) + ", expected \"EndpointPickerConfig\"");
  } else if (!kind && !top.take("kind").IsDefined()) {
    problems_.add(document.Mark(), "kind is missing; write kind: EndpointPickerConfig");
  }
}

void Loader::read_feature_gates(Fields& top) {
  for (const auto& node : top.list("featureGates")) {
    if (!node.IsScalar()) {
      problems_.add(node.Mark(), "a feature gate must be text, \"name\" or \"name=true|false\"");
      continue;
    }
    std::string_view gate = node.Scalar();
    bool on = true;
    if (const auto equals = gate.find('='); equals != std::string_view::npos) {
      const auto value = gate.substr(equals + 1);
      if (value != "true" && value != "false") {
        problems_.add(node.Mark(), "feature gate " + quoted(gate) + " must end in =true or =false");
      }
      on = value == "true";
      gate = gate.substr(0, equals);
    }
    if (std::find(kFeatureGates.begin(), kFeatureGates.end(), gate) == kFeatureGates.end()) {
      problems_.add(node.Mark(), "unknown feature gate " + quoted(gate) + suggestion(gate, kFeatureGates));
    } else if (gate == "flowControl" && on) {
      problems_.add_unsupported(node.Mark(), "feature gate \"flowControl\"");
    }
  }
}

void Loader::read_plugins(Fields& top) {
  const auto nodes = top.list("plugins");
  for (const auto& node : nodes) read_plugin(node);
}

void Loader::read_plugin(const YAML::Node& node) {
  if (!node.IsMap()) {
    problems_.add(node.Mark(), "a plugin must be a mapping with at least a type");
    return;
  }
  Fields fields(node, "a plugin", problems_);
  const auto type = fields.text("type");
  Plugin plugin;
  plugin.name = fields.text("name").value_or(type.value_or(""));
  plugin.mark = node.Mark();
  const auto parameters = fields.take("parameters");
  fields.finish();
  if (!type) {
    if (!fields.take("type").IsDefined()) problems_.add(node.Mark(), "a plugin has no type");
    failed_names_.insert(plugin.name);
    return;
  }
  if (find(plugin.name) != nullptr || failed_names_.count(plugin.name) != 0) {
    problems_.add(node.Mark(), "plugin name " + quoted(plugin.name) + " is used twice; give one of them another name");
    return;
  }
  plugin.type = find_plugin_type(*type);
  if (plugin.type == nullptr) {
    failed_names_.insert(plugin.name);
    if (known_elsewhere(*type)) problems_.add_unsupported(fields.mark_of("type"), "plugin type " + quoted(*type));
    else problems_.add(fields.mark_of("type"), "unknown plugin type " + quoted(*type) + suggestion(*type, plugin_type_names()));
    return;
  }
  read_parameters(plugin, parameters);
  plugins_.push_back(std::move(plugin));
}

void Loader::read_parameters(Plugin& plugin, const YAML::Node& node) {
  Fields fields(node, "the parameters of " + quoted(plugin.name), problems_);
  switch (plugin.type->role) {
    case PluginRole::kScorer:
      plugin.scorer.kind = plugin.type->scorer;
      plugin.scorer.name = plugin.name;
      read_scorer(plugin.scorer, fields);
      break;
    case PluginRole::kPicker:
      plugin.picker.kind = plugin.type->picker;
      plugin.picker.name = plugin.name;
      plugin.picker.max_endpoints = fields.count("maxNumOfEndpoints", 1).value_or(1);
      break;
    case PluginRole::kPrefixProducer: read_prefix_settings(fields, false); break;
    case PluginRole::kMetricsSource:
      config_.metrics.scheme = fields.text("scheme").value_or("http");
      if (config_.metrics.scheme != "http") {
        problems_.add_unsupported(fields.mark_of("scheme"), "metrics scheme " + quoted(config_.metrics.scheme));
      }
      config_.metrics.path = fields.text("path").value_or("/metrics");
      if (const auto port = fields.count("port", 1)) {
        if (*port > 65535) problems_.add(fields.mark_of("port"), "port must be at most 65535");
        config_.metrics.port = static_cast<std::uint16_t>(std::min<std::size_t>(*port, 65535));
      }
      static_cast<void>(fields.boolean("insecureSkipVerify"));
      fields.refuse("interval");
      break;
    case PluginRole::kExtractor:
      for (const auto key : {"engineConfigs", "engineLabelKey", "defaultEngine"}) fields.refuse(key);
      break;
    case PluginRole::kProducer:
      static_cast<void>(fields.number("outputRatio"));
      if (fields.boolean("addEstimatedOutputTokens").value_or(false)) {
        problems_.add_unsupported(fields.mark_of("addEstimatedOutputTokens"), "addEstimatedOutputTokens: true");
      }
      break;
    case PluginRole::kFilter:
    case PluginRole::kProfileHandler: break;
  }
  fields.finish();
}

void Loader::read_scorer(ScorerSpec& scorer, Fields& fields) {
  const auto positive = [&](std::string_view key, double& value) {
    const auto given = fields.number(key);
    if (given && *given <= 0) problems_.add(fields.mark_of(key), std::string(key) + " must be above 0");
    value = given.value_or(value);
  };
  switch (scorer.kind) {
    case ScorerKind::kPrefixCache: read_prefix_scorer(scorer, fields); break;
    case ScorerKind::kLoadAware: positive("threshold", scorer.waiting_threshold); break;
    case ScorerKind::kActiveRequest:
      scorer.idle_threshold = fields.number("idleThreshold").value_or(0);
      scorer.max_busy_score = fields.number("maxBusyScore").value_or(1);
      static_cast<void>(fields.take("requestTimeout"));  // accepted and without effect there, too
      break;
    case ScorerKind::kTokenLoad: positive("queueThresholdTokens", scorer.queue_threshold_tokens); break;
    case ScorerKind::kNoHitLru:
      scorer.lru_size = fields.count("lruSize", 1).value_or(1024);
      if (const auto name = fields.text("prefixMatchInfoProducerName")) {
        producer_names_.emplace_back(*name, fields.mark_of("prefixMatchInfoProducerName"));
      }
      break;
    case ScorerKind::kKvCacheUtilization:
    case ScorerKind::kQueue:
    case ScorerKind::kRunningRequests: break;
  }
}

void Loader::read_prefix_scorer(ScorerSpec& scorer, Fields& fields) {
  scorer.match_length_weight = fields.number("matchLengthWeight").value_or(0);
  if (scorer.match_length_weight < 0 || scorer.match_length_weight > 1) {
    problems_.add(fields.mark_of("matchLengthWeight"), "matchLengthWeight must lie in 0..1");
  }
  scorer.match_length_scale_tokens = fields.number("matchLengthScaleTokens").value_or(8192);
  if (scorer.match_length_scale_tokens <= 0) {
    problems_.add(fields.mark_of("matchLengthScaleTokens"), "matchLengthScaleTokens must be above 0");
  }
  if (const auto name = fields.text("prefixMatchInfoProducerName")) {
    producer_names_.emplace_back(*name, fields.mark_of("prefixMatchInfoProducerName"));
  }
  read_prefix_settings(fields, true);
}

void Loader::read_prefix_settings(Fields& fields, bool on_scorer) {
  const auto hash_block_size = fields.count("hashBlockSize", 1);
  const auto block_size = fields.count("blockSize", 1);
  const auto block_tokens = fields.count("blockSizeTokens", 1);
  const auto max_blocks = fields.count("maxPrefixBlocksToMatch");
  const auto max_tokens = fields.count("maxPrefixTokensToMatch");
  const auto lru = fields.count("lruCapacityPerServer", 1);
  const auto auto_tune = fields.boolean("autoTune");
  const bool any = hash_block_size || block_size || block_tokens || max_blocks || max_tokens || lru || auto_tune;
  if (on_scorer && !any) return;
  if (prefix_on_scorer_) {
    problems_.add(fields.mark_of("autoTune"), "prefix index parameters are given twice; keep them on one plugin");
    return;
  }
  prefix_on_scorer_ = on_scorer;
  PrefixSettings& prefix = config_.prefix;
  const bool chars = hash_block_size || block_size;
  const bool old_family = chars || (on_scorer && config_.api_version == kApiVersions[0]);
  if (old_family) prefix.hashing = protocol::PickerHashing::kGie14;
  if (chars) prefix.block_chars = block_size.value_or(hash_block_size.value_or(64));
  prefix.block_tokens = block_tokens.value_or(prefix.block_tokens);
  prefix.auto_tune = auto_tune.value_or(!hash_block_size);
  prefix.lru_blocks_per_server = lru.value_or(prefix.lru_blocks_per_server);
  if (max_tokens) {
    prefix.max_prefix_tokens = *max_tokens;
  } else if (on_scorer && (max_blocks || old_family)) {
    prefix.max_prefix_tokens = 0;
  }
  prefix.max_prefix_blocks = max_blocks.value_or(old_family ? 256 : 2048);
  if (max_blocks && prefix.max_prefix_tokens > 0) {
    warn("maxPrefixBlocksToMatch has no effect while maxPrefixTokensToMatch is " +
         std::to_string(prefix.max_prefix_tokens));
  }
}

void Loader::read_profiles(Fields& top, const YAML::Node& document) {
  const auto profiles = top.list("schedulingProfiles");
  if (profiles.empty()) {
    imply_profile();
  } else {
    read_profile(profiles.front());
    for (std::size_t i = 1; i < profiles.size(); ++i) {
      // Several profiles need a handler for them, which this router does not have: naming one is no mistake.
      if (problems_.any_unsupported()) problems_.add_unsupported(profiles[i].Mark(), "a second scheduling profile");
      else problems_.add(profiles[i].Mark(), "single-profile-handler takes one scheduling profile; several are not supported here");
    }
  }
  if (config_.scorers.empty() && problems_.empty() && config_.picker.kind != PickerKind::kRandom) {
    problems_.add(document.Mark(), "no scorer is used: every endpoint would score 0; list a scorer or use random-picker");
  }
}

void Loader::imply_profile() {
  bool has_picker = false;
  for (auto& plugin : plugins_) {
    const auto role = plugin.type->role;
    if (role == PluginRole::kScorer || role == PluginRole::kPicker || role == PluginRole::kFilter) {
      use(plugin, std::nullopt, plugin.mark, has_picker);
    }
  }
}

void Loader::read_profile(const YAML::Node& node) {
  if (!node.IsMap()) {
    problems_.add(node.Mark(), "a scheduling profile must be a mapping with name and plugins");
    return;
  }
  Fields fields(node, "a scheduling profile", problems_);
  const auto name = fields.text("name");
  if (!name && !fields.take("name").IsDefined()) problems_.add(node.Mark(), "a scheduling profile has no name");
  config_.profile = name.value_or("default");
  bool has_picker = false;
  for (const auto& reference : fields.list("plugins")) read_reference(reference, has_picker);
  fields.finish();
}

void Loader::read_reference(const YAML::Node& node, bool& has_picker) {
  if (!node.IsMap()) {
    problems_.add(node.Mark(), "a profile's plugin must be a mapping with pluginRef");
    return;
  }
  Fields fields(node, "a profile's plugin", problems_);
  const auto name = fields.text("pluginRef");
  const auto weight = fields.number("weight");
  fields.finish();
  if (!name) {
    if (!fields.take("pluginRef").IsDefined()) problems_.add(node.Mark(), "a profile's plugin has no pluginRef");
    return;
  }
  Plugin* plugin = find(*name);
  if (plugin != nullptr) {
    use(*plugin, weight, fields.mark_of("pluginRef"), has_picker);
  } else {
    require_plugin(fields.take("pluginRef"), *name);
  }
}

void Loader::use(Plugin& plugin, std::optional<double> weight, const YAML::Mark& mark, bool& has_picker) {
  if (weight && plugin.type->role != PluginRole::kScorer) {
    warn("the weight of " + quoted(plugin.name) + " has no effect: it is a " + std::string(describe(plugin.type->role)));
  }
  switch (plugin.type->role) {
    case PluginRole::kScorer:
      if (plugin.referenced) {
        problems_.add(mark, "plugin " + quoted(plugin.name) + " is listed twice in the profile");
        return;
      }
      plugin.scorer.weight = weight.value_or(1.0);
      config_.scorers.push_back(plugin.scorer);
      break;
    case PluginRole::kPicker:
      if (has_picker) problems_.add(mark, "a second picker, " + quoted(plugin.name) + ", in the profile; keep one");
      has_picker = true;
      config_.picker = plugin.picker;
      break;
    case PluginRole::kFilter:
      warn(plugin.name + " keeps every endpoint here: the endpoints carry no role labels");
      break;
    default:
      problems_.add(mark, "plugin " + quoted(plugin.name) + " is a " + std::string(describe(plugin.type->role)) +
                              " and cannot stand in a scheduling profile");
  }
  plugin.referenced = true;
}

void Loader::read_data_layer(Fields& top) {
  Fields layer(top.take("dataLayer"), "dataLayer", problems_);
  static_cast<void>(layer.boolean("injectDefaults"));
  layer.refuse("discovery");
  for (const auto key : {"crossReplica", "crossReplicaSyncerPluginRef"}) layer.refuse(key);
  for (const auto& node : layer.list("sources")) {
    Fields source(node, "a data source", problems_);
    if (const auto name = source.text("pluginRef")) require_plugin(source.take("pluginRef"), *name);
    for (const auto& extractor : source.list("extractors")) {
      Fields fields(extractor, "an extractor", problems_);
      if (const auto name = fields.text("pluginRef")) require_plugin(fields.take("pluginRef"), *name);
      fields.finish();
    }
    source.finish();
  }
  layer.finish();
}

void Loader::read_ignored_sections(Fields& top) {
  Fields flow(top.take("flowControl"), "flowControl", problems_);
  for (const auto key : {"maxBytes", "maxRequests", "defaultRequestTTL", "noEndpointRequestTTL", "defaultPriorityBand",
                         "defaultNegativePriorityBand", "priorityBands", "usageLimitPolicyPluginRef",
                         "saturationDetector", "enableEviction"}) {
    static_cast<void>(flow.take(key));
  }
  flow.finish();
  if (top.take("flowControl").IsDefined()) warn("flowControl has no effect while its feature gate is off");
  Fields handler(top.take("requestHandler"), "requestHandler", problems_);
  for (const auto key : {"parsers", "propagatePriority"}) static_cast<void>(handler.take(key));
  handler.finish();
  if (top.take("requestHandler").IsDefined()) warn("requestHandler has no effect here: OpenAI requests are read");
  for (const auto key : {"saturationDetector", "parser"}) {
    const auto node = top.take(key);
    if (!node.IsDefined()) continue;
    if (config_.api_version == "llm-d.ai/v1") {
      problems_.add(node.Mark(), std::string(key) + " at the top level is gone in llm-d.ai/v1");
    } else {
      warn(std::string(key) + " has no effect here: requests carry no priority, and all are admitted");
    }
  }
}

void Loader::check_profile_handlers() {
  const Plugin* first = nullptr;
  const Plugin* producer = nullptr;
  for (const auto& plugin : plugins_) {
    if (plugin.type->role == PluginRole::kProfileHandler) {
      if (first != nullptr) {
        problems_.add(plugin.mark, "a second profile handler, " + quoted(plugin.name) + "; keep one");
      }
      first = &plugin;
    }
    if (plugin.type->role == PluginRole::kPrefixProducer) {
      if (producer != nullptr) {
        problems_.add_unsupported(plugin.mark, "a second approx-prefix-cache-producer, " + quoted(plugin.name) + ",");
      }
      producer = &plugin;
    }
  }
}

void Loader::warn_about_effects() {
  double prefix = 0;
  for (const auto& scorer : config_.scorers) {
    if (scorer.kind == ScorerKind::kPrefixCache) prefix += scorer.weight;
    if (scorer.weight < 0) warn("the weight of " + quoted(scorer.name) + " is negative: it turns the scorer round");
  }
  for (const auto& scorer : config_.scorers) {
    if (scorer.kind != ScorerKind::kLoadAware || scorer.weight <= 0 || prefix <= 0) continue;
    const double ratio = std::round(prefix / (0.5 * scorer.weight) * 100) / 100;
    std::string text = std::to_string(ratio);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    warn("load-aware-scorer never exceeds 0.5: prefix to load is effective " + text + ":1");
  }
  for (const auto& plugin : plugins_) {
    if (plugin.type->role == PluginRole::kScorer && !plugin.referenced) {
      warn("scorer " + quoted(plugin.name) + " is defined but not used in the profile");
    }
  }
}

Loader::Plugin* Loader::find(std::string_view name) {
  const auto found = std::find_if(plugins_.begin(), plugins_.end(), [&](const Plugin& p) { return p.name == name; });
  return found == plugins_.end() ? nullptr : &*found;
}

void Loader::require_plugin(const YAML::Node& reference, std::string_view name) {
  if (find(name) != nullptr || failed_names_.count(std::string(name)) != 0) return;
  std::vector<std::string_view> names;
  for (const auto& plugin : plugins_) names.push_back(plugin.name);
  problems_.add(reference.Mark(), "pluginRef " + quoted(name) + " names no plugin" + suggestion(name, names));
}

}  // namespace

core::Result<PickerConfig> load_picker_config(std::string_view yaml, std::string_view file) {
  Problems problems(file);
  if (yaml.size() > kMaxDocumentBytes) {
    return core::fail(core::ErrorCode::kInvalid, std::string(file) + ": larger than 1 MiB", "this is no EndpointPickerConfig");
  }
  try {
    const auto documents = YAML::LoadAll(std::string(yaml));
    if (documents.empty() || !documents.front().IsMap()) {
      problems.add(YAML::Mark(), "no EndpointPickerConfig: the document is no mapping");
      return problems.error();
    }
    if (documents.size() > 1) problems.add(documents[1].Mark(), "a second YAML document; only one is read");
    Loader loader(file, problems);
    loader.load(documents.front());
    if (!problems.empty()) return problems.error();
    return loader.take();
  } catch (const YAML::Exception& e) {
    problems.add(e.mark, "not YAML: " + e.msg);
    return problems.error();
  }
}

}  // namespace router
