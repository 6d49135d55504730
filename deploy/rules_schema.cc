// Rules on structure: fields, values and served versions. L01, L02, L04; the kinds' CEL rules (L03) are in rules_cel.cc.
#include <algorithm>
#include <array>

#include "core/text.h"

#include "deploy/rule_groups.h"
#include "deploy/schema_set.h"

namespace deploy {
namespace {

/// Given CRDs replace the built-in schema of their kind.
const Node& schema_of(const LintContext& context, const Object& object, const SchemaSet*& set) {
  set = context.options.crds;
  if (set != nullptr && set->knows_kind(object.group, object.kind)) return set->find(object.group, object.version, object.kind);
  set = &SchemaSet::builtin();
  return set->find(object.group, object.version, object.kind);
}

/// Where fields that never existed belong.
struct Misplaced {
  std::string_view kind, path, where;
};
constexpr std::array kMisplaced{
    Misplaced{"LLMInferenceService", "spec.extraArgs", "spec.template.containers[name=main].args"},
    Misplaced{"LLMInferenceService", "spec.args", "spec.template.containers[name=main].args"},
    Misplaced{"LLMInferenceService", "spec.image", "spec.template.containers[name=main].image"},
    Misplaced{"LLMInferenceService", "spec.env", "spec.template.containers[name=main].env"},
    Misplaced{"LLMInferenceService", "spec.resources", "spec.template.containers[name=main].resources"},
    Misplaced{"LLMInferenceService", "spec.router.scheduler.scorerWeights", "the scheduler's EndpointPickerConfig: --configText of its container, or scheduler.config.inline from v0.17 on"}};

void judge_fields(const LintContext& context, Findings& findings, bool unknown) {
  for (const auto& object : context.bundle.objects) {
    const SchemaSet* set = nullptr;
    const Node& schema = schema_of(context, object, set);
    if (!schema.exists()) continue;
    for (const auto& problem : set->validate(object.root(), schema)) {
      if (problem.unknown_field != unknown || (problem.unquoted && quoting_rule_judges(object.root(), problem.path))) continue;
      findings.add(object, problem.at, problem.message);
      for (const auto& field : kMisplaced) {
        if (unknown && field.kind == object.kind && field.path == problem.path) findings.last().fix = "write it in " + std::string(field.where);
      }
    }
  }
}

void fields_are_known(const LintContext& context, Findings& findings) { judge_fields(context, findings, true); }

/// Kinds of groups that grow slowly, with the versions that are served. Whatever else is written in these groups is a mistake.
struct Group {
  std::string_view group, versions, kinds;
};
constexpr std::array kGroups{
    Group{"", "v1", "Binding ComponentStatus Config ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount Template"},
    Group{"apps", "v1", "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet"},
    Group{"batch", "v1", "CronJob Job"},
    Group{"autoscaling", "v1 v2", "HorizontalPodAutoscaler Scale"},
    Group{"policy", "v1", "Eviction PodDisruptionBudget"},
    Group{"rbac.authorization.k8s.io", "v1", "ClusterRole ClusterRoleBinding Role RoleBinding"},
    Group{"networking.k8s.io", "v1 v1beta1", "ClusterTrustBundle IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR"},
    Group{"gateway.networking.k8s.io", "v1 v1beta1 v1alpha2 v1alpha3", "BackendTLSPolicy GRPCRoute Gateway GatewayClass HTTPRoute ListenerSet ReferenceGrant TCPRoute TLSRoute UDPRoute"},
    Group{"inference.networking.k8s.io", "v1", "InferencePool"},
    Group{"serving.kserve.io", "v1alpha1 v1alpha2 v1beta1",
          "ClusterServingRuntime ClusterStorageContainer InferenceGraph InferenceService LLMInferenceService LLMInferenceServiceConfig LocalModelCache LocalModelNamespaceCache LocalModelNode LocalModelNodeGroup ServingRuntime TrainedModel"}};

std::vector<std::string_view> words_of(std::string_view text) { return core::split(text, ' '); }

const Group* group_of(const Object& object) {
  const auto* const at = std::find_if(kGroups.begin(), kGroups.end(), [&](const Group& g) { return g.group == object.group; });
  return at == kGroups.end() ? nullptr : at;
}

bool known_kind(const Group& group, std::string_view kind) {
  const auto kinds = words_of(group.kinds);
  // A typed list that stayed whole is empty.
  if (kind.size() > 4 && kind.substr(kind.size() - 4) == "List") kind.remove_suffix(4);
  return kind.empty() || kind == "List" || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

/// What the API server wants of every object, whatever its kind.
void objects_are_whole(const LintContext& context, Findings& findings) {
  for (const auto& object : context.bundle.objects) {
    const Node& metadata = object.metadata();
    const bool list = object.kind.size() >= 4 && object.kind.substr(object.kind.size() - 4) == "List";
    // Config is kubectl's own file, which often lies beside manifests.
    if (group_of(object) == nullptr || list || object.kind.empty() || object.kind == "Config") continue;
    const bool named = !object.name.empty() || !metadata["generateName"].str().empty();
    if (!named) findings.add(object, metadata.exists() ? metadata.at : object.root().at, "metadata.name is missing");
  }
  for (const auto& values : context.bundle.values) {
    const Node& root = values.document->root;
    const Node& version = root["apiVersion"];
    // A chart's Chart.yaml has an apiVersion, and name and version of its own.
    const bool chart = version.str() == "v1" || version.str() == "v2" ? root["name"].exists() : false;
    if (version.exists() && !chart && (root["metadata"].exists() || root["spec"].exists() || root["data"].exists())) findings.add(*values.document, root.at, "has an apiVersion and no kind");
    else if (!version.exists() && root["kind"].is_string() && root["metadata"]["name"].is_string()) findings.add(*values.document, root.at, "is a " + std::string(root["kind"].str()) + " without apiVersion");
  }
}

void values_fit(const LintContext& context, Findings& findings) {
  judge_fields(context, findings, false);
  objects_are_whole(context, findings);
}

/// API versions that are gone, or not there yet, in a pinned set. `pin` none: in both.
struct Version {
  std::string_view group, version, kind;
  std::optional<Pin> missing_in;
  std::string_view instead;
};
const std::array kVersions{
    Version{"inference.networking.x-k8s.io", "v1alpha2", "InferencePool", Pin::kCurrent, "inference.networking.k8s.io/v1"},
    Version{"inference.networking.x-k8s.io", "v1alpha2", "InferenceObjective", Pin::kCurrent, "llm-d.ai/v1alpha2"},
    Version{"inference.networking.x-k8s.io", "v1alpha2", "InferenceModelRewrite", Pin::kCurrent, "llm-d.ai/v1alpha2"},
    Version{"inference.networking.x-k8s.io", "v1alpha2", "InferenceModel", std::nullopt, "InferenceObjective"},
    Version{"llm-d.ai", "v1alpha2", "InferenceObjective", Pin::kEarly2026, "inference.networking.x-k8s.io/v1alpha2"},
    Version{"llm-d.ai", "v1alpha2", "InferenceModelRewrite", Pin::kEarly2026, "inference.networking.x-k8s.io/v1alpha2"},
    Version{"serving.kserve.io", "v1alpha2", "LLMInferenceService", Pin::kEarly2026, "serving.kserve.io/v1alpha1"},
    Version{"gateway.networking.k8s.io", "v1alpha2", "HTTPRoute", std::nullopt, "gateway.networking.k8s.io/v1"},
    Version{"policy", "v1beta1", "PodDisruptionBudget", std::nullopt, "policy/v1"},
    Version{"autoscaling", "v2beta2", "HorizontalPodAutoscaler", std::nullopt, "autoscaling/v2"},
    Version{"batch", "v1beta1", "CronJob", std::nullopt, "batch/v1"},
    Version{"extensions", "v1beta1", "Deployment", std::nullopt, "apps/v1"}};

/// "no matches for kind" in a group whose kinds are known.
void judge_kind(const Object& object, Findings& findings) {
  const Group* group = group_of(object);
  const Node& kind = object.root()["kind"];
  if (kind.exists() && !kind.is_string()) return findings.add(object, kind.at, "kind is " + std::string(word_for(kind.kind)) + ", not a name");
  if (group == nullptr) return;
  const auto versions = words_of(group->versions);
  if (!known_kind(*group, object.kind)) {
    const auto kinds = words_of(group->kinds);
    const auto near = core::did_you_mean(object.kind, kinds);
    findings.add(object, kind.at, "there is no kind " + object.kind + " in " + object.api_version() + (near ? "; did you mean " + *near + "?" : ""));
    findings.last().fix = "correct the kind, or the group before it";
  } else if (std::find(versions.begin(), versions.end(), object.version) == versions.end()) {
    findings.add(object, object.root()["apiVersion"].at, "apiVersion " + object.api_version() + " is not served; use " + (group->group.empty() ? "" : std::string(group->group) + "/") + std::string(versions.front()));
  }
}

void versions_are_served(const LintContext& context, Findings& findings) {
  for (const auto& object : context.bundle.objects) {
    const Position at = object.root()["apiVersion"].at;
    const SchemaSet* crds = context.options.crds;
    if (crds != nullptr && crds->knows_kind(object.group, object.kind)) {
      if (!crds->find(object.group, object.version, object.kind).exists()) {
        findings.add(object, at, "apiVersion " + object.api_version() + " is not served: the CRD serves " + crds->versions_of(object.group, object.kind));
      }
      continue;
    }
    const bool listed = std::any_of(kVersions.begin(), kVersions.end(), [&](const Version& v) { return v.group == object.group && v.version == object.version && v.kind == object.kind; });
    if (!listed) judge_kind(object, findings);
    for (const auto& version : kVersions) {
      const bool is = version.group == object.group && version.version == object.version && version.kind == object.kind;
      if (!is || (version.missing_in && version.missing_in != context.options.pin)) continue;
      findings.add(object, at, "apiVersion " + object.api_version() + " is not served" + (version.missing_in ? " by the pinned versions (" + std::string(word_for(*version.missing_in)) + ")" : " any more") + "; use " + std::string(version.instead));
    }
  }
}

constexpr std::array kRules{
    Rule{"L01", Severity::kError, "no unknown fields", "the API server drops them silently, or a strict apply fails: the setting never takes effect", "remove it, or correct its name", "D4, extraArgs and image; D3, scorerWeights", fields_are_known},
    Rule{"L02", Severity::kError, "required fields, types, enums and limits fit the schema", "the API server refuses the object", "give the value that the schema asks for", "", values_fit},
    Rule{"L04", Severity::kError, "apiVersions are served", "no matches for kind: the object cannot be applied", "use the version that is served", "D2 and D3, KServe v0.15", versions_are_served}};

}  // namespace

std::span<const Rule> schema_rules() { return kRules; }

}  // namespace deploy
