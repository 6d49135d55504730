// Rules on the endpoint picker: its configuration through the router's own loader, its rights, replicas, probes. L38 to L44.
#include <algorithm>
#include <array>
#include <set>

#include "core/text.h"
#include "deploy/picker_config.h"
#include "deploy/rule_groups.h"
#include "router/core/config.h"

namespace deploy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

Position place(const PickerConfigText& config, int line) {
  return config.lines_known && line > 0 ? Position{config.at.line + line, 1} : config.at;
}

void add(const PickerConfigText& config, Findings& findings, Position at, std::string message) {
  if (config.object != nullptr) findings.add(*config.object, at, std::move(message));
  else findings.add(*config.document, at, std::move(message));
}

/// "@:3:5: what; what to do" as the loader says it, one per line.
/// What only this router lacks is no fault of the file: a warning that the rest was not judged.
void add_problems(const PickerConfigText& config, const core::Error& error, Findings& findings) {
  const bool lacking = error.code == core::ErrorCode::kUnsupported;
  for (const auto line : core::split(error.message, '\n')) {
    std::string_view text = line;
    int number = 0;
    if (text.rfind("@:", 0) == 0) {
      const auto second = text.find(':', 2);
      number = static_cast<int>(core::parse_integer(text.substr(2, second - 2)).value_or(0));
      const auto third = second == std::string_view::npos ? second : text.find(": ", second + 1);
      text = third == std::string_view::npos ? text : text.substr(third + 2);
    }
    if (text.empty()) continue;
    add(config, findings, place(config, number), "EndpointPickerConfig: " + std::string(text) + (lacking ? ": the rest of it was not judged" : ""));
    if (lacking) findings.last().severity = Severity::kWarning;
  }
}

void judge_for_image(const PickerConfigText& config, const router::PickerConfig& read, Findings& findings) {
  const PickerImage& image = config.image;
  for (const auto& scorer : read.scorers) {
    const bool llm_d_only = scorer.kind == router::ScorerKind::kLoadAware || scorer.kind == router::ScorerKind::kNoHitLru || scorer.kind == router::ScorerKind::kActiveRequest;
    if (image.origin == PickerImage::Origin::kInferenceExtension && llm_d_only) {
      add(config, findings, config.at, std::string(router::type_of(scorer.kind)) + " is unknown to the picker's image: it aborts at start");
    }
    const bool whole = scorer.weight == static_cast<double>(static_cast<std::int64_t>(scorer.weight));
    if (image.origin == PickerImage::Origin::kInferenceExtension && image.older_than(1, 4) && !whole) {
      add(config, findings, config.at, "a weight that is no whole number: pickers before v1.4 abort at start");
    }
  }
}

/// The group llm-d.ai is known to llm-d's router from v0.9 on; it still takes the old one.
void judge_dialect(const LintContext& context, const PickerConfigText& config, Findings& findings) {
  const bool new_group = config.text.find("llm-d.ai/v1") != std::string::npos;
  const bool old_image = config.image.origin == PickerImage::Origin::kInferenceExtension || (config.image.origin == PickerImage::Origin::kLlmD && config.image.older_than(0, 9));
  if (!new_group || (!old_image && context.options.pin != Pin::kEarly2026)) return;
  add(config, findings, config.at, std::string("apiVersion of the group llm-d.ai, which ") + (old_image ? "the picker's image" : "the pinned picker (early-2026)") + " does not know: write inference.networking.x-k8s.io/v1alpha1");
}

void configs_load(const LintContext& context, Findings& findings) {
  for (const auto& config : picker_configs(context.bundle)) {
    judge_dialect(context, config, findings);
    const auto read = router::load_picker_config(config.text, "@");
    if (!read) add_problems(config, read.error(), findings);
    else if (read->scorers.empty()) add(config, findings, config.at, "EndpointPickerConfig: no profile has a scorer, so every endpoint is as good as any");
    else judge_for_image(config, *read, findings);
  }
}

bool wants_prefix(const LintContext& context) {
  if (context.options.pattern) return *context.options.pattern == 3;
  return std::any_of(context.bundle.pods.begin(), context.bundle.pods.end(), [](const PodSet& p) { return p.role == PodRole::kModelServer && p.replicas >= 2; });
}

void prefix_is_scored(const LintContext& context, Findings& findings) {
  if (!wants_prefix(context)) return;
  for (const auto& config : picker_configs(context.bundle)) {
    const auto read = router::load_picker_config(config.text, "@");
    if (!read || read->scorers.empty()) continue;
    double prefix = 0, most = 0;
    for (const auto& scorer : read->scorers) {
      if (scorer.kind == router::ScorerKind::kPrefixCache) prefix = scorer.weight;
      else most = std::max(most, scorer.weight);
    }
    if (prefix <= 0) add(config, findings, config.at, "no prefix-cache-scorer with a weight above 0 under Pattern 3");
    else if (prefix < most) {
      add(config, findings, config.at, "prefix-cache-scorer weighs less than another scorer: load alone decides");
      findings.last().severity = Severity::kWarning;
    }
  }
}

void parameters_are_read(const LintContext& context, Findings& findings) {
  for (const auto& config : picker_configs(context.bundle)) {
    const PickerImage& image = config.image;
    const bool old_name = config.text.find("hashBlockSize") != std::string::npos;
    const bool new_name = config.text.find("blockSize:") != std::string::npos || config.text.find("\"blockSize\"") != std::string::npos;
    if (image.origin != PickerImage::Origin::kInferenceExtension) continue;
    if (image.older_than(1, 1) && new_name) add(config, findings, config.at, "blockSize is ignored by pickers before v1.1, which read hashBlockSize");
    if (!image.older_than(1, 1) && image.major > 0 && old_name) add(config, findings, config.at, "hashBlockSize is ignored since v1.1, which reads blockSize");
  }
}

void kv_metric_is_known(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kPicker) continue;
    const PickerImage image = picker_image(pods);
    if (image.origin != PickerImage::Origin::kInferenceExtension || !image.older_than(1, 3)) continue;
    for (const Node* container : containers_of(*pods.pod_spec)) {
      const auto words = command_words(*container);
      auto metric = flag_value(words, "--kv-cache-usage-percentage-metric");
      if (!metric) metric = flag_value(words, "--kvCacheUsagePercentageMetric");
      if (!metric) findings.add(pods, container->at, "a picker before v1.3 reads vllm:gpu_cache_usage_perc, which vLLM no longer exports");
      else if (metric->text != "vllm:kv_cache_usage_perc") findings.add(pods, metric->at, "reads " + metric->text + ", which vLLM no longer exports");
    }
  }
}

bool allows(const Object& role, std::string_view group, std::string_view resource) {
  return std::any_of(role.root()["rules"].items.begin(), role.root()["rules"].items.end(), [&](const Node& rule) {
    const auto has = [&rule](std::string_view list, std::string_view wanted) {
      const auto& items = rule[list].items;
      return std::any_of(items.begin(), items.end(), [&](const Node& n) { return n.text == wanted || n.text == "*"; });
    };
    return has("apiGroups", group) && has("resources", resource) && has("verbs", "get") && has("verbs", "list") && has("verbs", "watch");
  });
}

/// Roles that a service account is bound to in the bundle.
std::vector<const Object*> roles_of(const Bundle& bundle, std::string_view account, const std::string& name_space) {
  std::vector<const Object*> out;
  for (const auto& binding : bundle.objects) {
    if (binding.kind != "RoleBinding" && binding.kind != "ClusterRoleBinding") continue;
    const auto& subjects = binding.root()["subjects"].items;
    const bool bound = std::any_of(subjects.begin(), subjects.end(), [&](const Node& s) { return s["name"].str() == account && same_namespace(s["namespace"].str(), name_space); });
    const Object* role = bound ? bundle.find(binding.root().path({"roleRef", "kind"}).str(), name_space, binding.root().path({"roleRef", "name"}).str()) : nullptr;
    if (role != nullptr) out.push_back(role);
  }
  return out;
}

void pickers_may_look(const LintContext& context, Findings& findings) {
  const bool accounts = !context.bundle.of_kind("ServiceAccount").empty() || !context.bundle.of_kind("Role").empty();
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kPicker || pods.object == nullptr || pods.object->kind != "Deployment" || !accounts) continue;
    const Node& account = (*pods.pod_spec)["serviceAccountName"];
    const std::string name(account.exists() ? account.str() : "default");
    const Position at = account.exists() ? account.at : pods.at;
    if (account.exists() && context.bundle.find("ServiceAccount", pods.name_space, name) == nullptr) findings.add(pods, at, "ServiceAccount " + quoted(name) + " is not in the bundle");
    const auto roles = roles_of(context.bundle, name, pods.name_space);
    std::string group = "inference.networking.k8s.io";
    for (const Node* container : containers_of(*pods.pod_spec)) {
      if (const auto flag = flag_value(command_words(*container), "--pool-group")) group = flag->text;
    }
    const auto may = [&](std::string_view g, std::string_view r) { return std::any_of(roles.begin(), roles.end(), [&](const Object* role) { return allows(*role, g, r); }); };
    if (!may("", "pods")) findings.add(pods, at, "ServiceAccount " + quoted(name) + " may not get, list and watch pods");
    if (!may(group, "inferencepools")) findings.add(pods, at, "ServiceAccount " + quoted(name) + " may not get, list and watch inferencepools of " + group);
  }
}

void one_picker_decides(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kPicker || pods.object == nullptr || pods.object->kind != "Deployment") continue;
    const bool elects = elects_leader(*pods.pod_spec);
    const Node& strategy = pods.object->spec()["strategy"];
    if (pods.replicas > 1 && !elects) findings.add(pods, pods.object->spec().at_key("replicas"), std::to_string(pods.replicas) + " replicas without --ha-enable-leader-election");
    if (pods.replicas <= 1 && !elects && strategy["type"].str() != "Recreate") findings.add(pods, strategy.exists() ? strategy.at : pods.at, "strategy is not Recreate: two pickers decide during a rollout");
  }
}

void picker_probes_ask_grpc(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kPicker || pods.object == nullptr || pods.object->kind != "Deployment") continue;
    for (const Node* container : containers_of(*pods.pod_spec)) {
      for (const auto name : {"livenessProbe", "readinessProbe"}) {
        const Node& probe = (*container)[std::string_view(name)];
        if (!probe.exists()) continue;
        const Node& grpc = probe["grpc"];
        const auto service = grpc["service"].str();
        const bool known = service == "inference-extension" || service == "liveness" || service == "readiness" || service == "envoy.service.ext_proc.v3.ExternalProcessor";
        if (!grpc.exists()) findings.add(pods, probe.at, std::string(name) + " is no gRPC probe");
        else if (grpc["port"].integer() != 9003) findings.add(pods, grpc.at, std::string(name) + " asks port " + std::string(grpc["port"].str()) + ", health is on 9003");
        else if (!known) findings.add(pods, grpc.at, std::string(name) + " asks for service " + quoted(service));
      }
    }
  }
}

constexpr std::array kRules{
    Rule{"L38", Severity::kError, "the picker's configuration loads", "the picker aborts at start: it decodes strictly", "correct the EndpointPickerConfig", "D2 and D3, scorer weights", configs_load},
    Rule{"L39", Severity::kError, "Pattern 3 scores prefixes", "requests spread by load, and caches miss", "a prefix-cache-scorer of weight 3 beside queue and KV scorers of 2", "D3, scorer weights", prefix_is_scored},
    Rule{"L40", Severity::kWarning, "prefix parameters have their version's names", "plugin parameters are decoded loosely: a wrong name is silently ignored", "hashBlockSize up to v1.0, blockSize from v1.1", "", parameters_are_read},
    Rule{"L41", Severity::kError, "the picker reads the KV metric that vLLM exports", "KV usage counts as 0 on every endpoint: the scorer says nothing", "--kv-cache-usage-percentage-metric vllm:kv_cache_usage_perc, or a picker from v1.3 on", "", kv_metric_is_known},
    Rule{"L42", Severity::kError, "the picker may see pods and its pool", "it finds no endpoints: 503 for every request", "a Role with get, list and watch on pods and inferencepools, bound to the picker's ServiceAccount", "", pickers_may_look},
    Rule{"L43", Severity::kError, "one picker decides at a time", "each has its own idea of who caches what", "replicas: 1 with strategy Recreate, or --ha-enable-leader-election", "", one_picker_decides},
    Rule{"L44", Severity::kWarning, "the picker's probes ask its health service", "the pod restarts, or counts as ready when it is not", "grpc: {port: 9003, service: inference-extension}", "", picker_probes_ask_grpc}};

}  // namespace

std::span<const Rule> picker_rules() { return kRules; }

}  // namespace deploy
