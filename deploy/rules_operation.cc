// Rules on secrets, GKE policies, releases, images, operations. L55 to L68; those on text are in rules_text.cc.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/text.h"
#include "deploy/operation_rules.h"
#include "deploy/rule_groups.h"
#include "deploy/tpu.h"

namespace deploy {
namespace {

constexpr std::string_view kGke = "networking.gke.io";
constexpr std::int64_t kShortTimeout_s = 60;

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

struct SecretUse {
  const PodSet* pods = nullptr;
  std::string name, key;  ///< key empty: any
  Position at;
};

std::vector<SecretUse> secret_uses(const Bundle& bundle) {
  std::vector<SecretUse> out;
  for (const auto& pods : bundle.pods) {
    for (const auto& pull : (*pods.pod_spec)["imagePullSecrets"].items) out.push_back({&pods, std::string(pull["name"].str()), "", pull.at});
    for (const Node* container : containers_of(*pods.pod_spec, true)) {
      for (const auto& variable : (*container)["env"].items) {
        const Node& ref = variable.path({"valueFrom", "secretKeyRef"});
        if (ref.exists() && ref["optional"].str() != "true") out.push_back({&pods, std::string(ref["name"].str()), std::string(ref["key"].str()), ref.at});
      }
    }
    if (pods.values == nullptr) continue;
    const Node& auth = pods.values->root.path({"modelArtifacts", "authSecretName"});
    if (auth.is_string()) out.push_back({&pods, auth.text, "HF_TOKEN", auth.at});
  }
  return out;
}

bool has_key(const Object& secret, const std::string& key) {
  return secret.root()["data"][key].exists() || secret.root()["stringData"][key].exists();
}

/// Judged where the bundle holds a Secret of that name; a secret made by hand is not seen.
void secrets_are_there(const LintContext& context, Findings& findings) {
  for (const auto& use : secret_uses(context.bundle)) {
    const Object* here = nullptr;
    const Object* elsewhere = nullptr;
    for (const Object* secret : context.bundle.of_kind("Secret")) {
      if (secret->name != use.name) continue;
      (same_namespace(secret->name_space, use.pods->name_space) ? here : elsewhere) = secret;
    }
    if (here == nullptr && elsewhere != nullptr) {
      findings.add(*use.pods, use.at, "secret " + quoted(use.name) + " is in namespace " + elsewhere->name_space + ", the pods are in " + use.pods->name_space);
    } else if (here != nullptr && !use.key.empty() && !has_key(*here, use.key)) {
      findings.add(*use.pods, use.at, "secret " + quoted(use.name) + " has no key " + quoted(use.key));
    }
  }
}

std::vector<const Object*> policies_for(const Bundle& bundle, std::string_view kind, const Object& pool) {
  std::vector<const Object*> out;
  for (const Object* policy : bundle.of_kind(kGke, kind)) {
    const Node& target = policy->spec()["targetRef"];
    if (target["kind"].str() == "InferencePool" && target["name"].str() == pool.name && same_namespace(policy->name_space, pool.name_space)) out.push_back(policy);
  }
  return out;
}

void judge_health_check(const Object& policy, Findings& findings) {
  const Node& fields = policy.spec()["default"];
  const Node& config = fields["config"];
  const Node& http = config["httpHealthCheck"];
  if (config["type"].str() != "HTTP") findings.add(policy, config.exists() ? config.at : policy.spec().at, "config.type is " + quoted(config["type"].str()) + ", not HTTP");
  if (http["requestPath"].str() != "/health") {
    findings.add(policy, http.exists() ? http.at : config.at, "requestPath is " + quoted(http["requestPath"].exists() ? http["requestPath"].str() : "/") + ": vLLM answers /health, and 404 to /");
  }
  if (http["port"].integer().value_or(0) != 8000) findings.add(policy, http.exists() ? http.at : config.at, "port " + quoted(http["port"].str()) + ": vLLM listens on 8000");
  const auto interval = fields["checkIntervalSec"].integer().value_or(5), timeout = fields["timeoutSec"].integer().value_or(5);
  if (timeout > interval) findings.add(policy, fields.at, "timeoutSec " + std::to_string(timeout) + " is more than checkIntervalSec " + std::to_string(interval));
}

/// A policy for a pool, or for a Service that selects model servers; other applications have health checks of their own.
bool is_for_servers(const Bundle& bundle, const Object& policy) {
  const Node& target = policy.spec()["targetRef"];
  if (target["kind"].str() != "Service") return true;
  const Object* service = bundle.find("Service", policy.name_space, target["name"].str());
  if (service == nullptr) return false;
  const Labels selector = labels_of(service->spec()["selector"]);
  return !selector.empty() && std::any_of(bundle.pods.begin(), bundle.pods.end(), [&](const PodSet& pods) {
    return pods.role == PodRole::kModelServer && same_namespace(pods.name_space, service->name_space) && selects(selector, pods.labels);
  });
}

void pools_have_health_checks(const LintContext& context, Findings& findings) {
  if (context.variant != Variant::kGke) return;
  for (const Object* policy : context.bundle.of_kind(kGke, "HealthCheckPolicy")) {
    if (is_for_servers(context.bundle, *policy)) judge_health_check(*policy, findings);
  }
  for (const Object* pool : context.bundle.of_kind("InferencePool")) {
    if (policies_for(context.bundle, "HealthCheckPolicy", *pool).empty()) {
      findings.add(*pool, pool->root().at, "has no HealthCheckPolicy: GKE asks \"/\", gets 404, and takes the backend out");
    }
  }
}

void backends_may_take_their_time(const LintContext& context, Findings& findings) {
  if (context.variant != Variant::kGke) return;
  for (const Object* policy : context.bundle.of_kind(kGke, "GCPBackendPolicy")) {
    if (!is_for_servers(context.bundle, *policy)) continue;
    const Node& timeout = policy->spec().path({"default", "timeoutSec"});
    if (!timeout.exists()) findings.add(*policy, policy->spec().at, "no timeoutSec: GKE cuts responses after 30 s");
    else if (timeout.integer().value_or(0) < kShortTimeout_s) findings.add(*policy, timeout.at, "timeoutSec " + std::string(timeout.str()) + " cuts long generations");
  }
  for (const Object* pool : context.bundle.of_kind("InferencePool")) {
    if (policies_for(context.bundle, "GCPBackendPolicy", *pool).empty()) findings.add(*pool, pool->root().at, "has no GCPBackendPolicy: GKE cuts responses after 30 s");
  }
}

constexpr std::array<std::string_view, 8> kClusterWide{"Namespace", "ClusterRole", "ClusterRoleBinding", "GatewayClass", "CustomResourceDefinition",
                                                       "PriorityClass", "StorageClass", "ClusterPodMonitoring"};

void one_namespace(const LintContext& context, Findings& findings) {
  if (context.variant != Variant::kGke) return;
  std::map<std::string, std::size_t> seen;
  for (const auto& object : context.bundle.objects) {
    if (!object.name_space.empty() && std::find(kClusterWide.begin(), kClusterWide.end(), object.kind) == kClusterWide.end()) ++seen[object.name_space];
  }
  if (seen.size() < 2) return;
  const auto most = std::max_element(seen.begin(), seen.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const auto& object : context.bundle.objects) {
    // A secret elsewhere is L55's, with the pods that miss it.
    if (object.name_space.empty() || object.name_space == most->first || object.kind == "Secret") continue;
    if (std::find(kClusterWide.begin(), kClusterWide.end(), object.kind) != kClusterWide.end()) continue;
    findings.add(object, object.metadata()["namespace"].at, "is in namespace " + object.name_space + ", the rest of the release in " + most->first);
  }
}

void values_fit_tpu(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (pods.values == nullptr) continue;
    const Node& root = pods.values->root;
    const Node& type = root.path({"accelerator", "type"});
    if (type.exists() && type.str() != "google") findings.add(pods, type.at, "accelerator.type is " + quoted(type.str()) + ", not google");
    const Node& prefill = root["prefill"];
    if (prefill.exists() && prefill["create"].str() != "false") findings.add(pods, prefill.at, "prefill.create is not false: a second Deployment asks for TPUs");
    if (root.path({"routing", "proxy", "enabled"}).str() != "false") continue;
    for (const Node* container : containers_of(*pods.pod_spec)) {
      const auto port = flag_value(command_words(*container), "--port");
      if (port && port->text != "8000") findings.add(pods, port->at, "without the routing proxy vLLM itself must listen on 8000, not " + port->text);
    }
  }
}

std::string_view tag_of(std::string_view image) {
  const auto slash = image.rfind('/');
  const auto colon = image.find(':', slash == std::string_view::npos ? 0 : slash);
  return colon == std::string_view::npos ? std::string_view() : image.substr(colon + 1);
}

void images_are_pinned(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    for (const Node* container : containers_of(*pods.pod_spec, true)) {
      const Node& image = (*container)["image"];
      if (!image.is_string() || image.text.find("@sha256:") != std::string::npos) continue;
      const auto tag = tag_of(image.text);
      if (tag.empty()) findings.add(pods, image.at, "image " + quoted(image.text) + " has no tag");
      else if (tag == "latest" || (tag.size() > 7 && tag.substr(tag.size() - 7) == "-latest")) findings.add(pods, image.at, "image " + quoted(image.text) + " is not pinned");
    }
  }
}

/// Pods that a PodDisruptionBudget or HPA is about.
std::int64_t selected_replicas(const Bundle& bundle, const Object& object, const Node& selector) {
  std::int64_t out = 0;
  for (const auto& pods : bundle.pods) {
    if (same_namespace(pods.name_space, object.name_space) && label_selector_selects(selector, pods.labels)) out += pods.replicas;
  }
  return out;
}

void judge_budget(const Bundle& bundle, const Object& budget, Findings& findings) {
  const Node& least = budget.spec()["minAvailable"];
  const Node& most = budget.spec()["maxUnavailable"];
  if (least.exists() == most.exists()) findings.add(budget, budget.spec().at, least.exists() ? "has minAvailable and maxUnavailable: one of them" : "has neither minAvailable nor maxUnavailable");
  const auto replicas = selected_replicas(bundle, budget, budget.spec()["selector"]);
  const bool all = least.str() == "100%" || (least.integer() && replicas > 0 && *least.integer() >= replicas);
  if (least.exists() && all) findings.add(budget, least.at, "minAvailable " + std::string(least.str()) + " of " + std::to_string(replicas) + " pods: no node can ever be drained");
  if (most.exists() && (most.str() == "0" || most.str() == "0%")) findings.add(budget, most.at, "maxUnavailable " + std::string(most.str()) + ": no node can ever be drained");
}

void judge_autoscaler(const Bundle& bundle, const Object& scaler, Findings& findings) {
  const Node& target = scaler.spec()["scaleTargetRef"];
  const Object* workload = bundle.find(target["kind"].str(), scaler.name_space, target["name"].str());
  if (workload == nullptr) return;
  if (workload->spec()["replicas"].exists()) {
    findings.add(scaler, target.at, "scales " + workload->title() + ", which also states replicas: each apply sets them back");
  }
}

void budgets_and_scalers(const LintContext& context, Findings& findings) {
  for (const Object* budget : context.bundle.of_kind("PodDisruptionBudget")) judge_budget(context.bundle, *budget, findings);
  for (const Object* scaler : context.bundle.of_kind("HorizontalPodAutoscaler")) judge_autoscaler(context.bundle, *scaler, findings);
}

void load_jobs_are_tame(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kLoad || pods.object == nullptr) continue;
    if (node_selector_of(pods)[kAcceleratorLabel].exists()) findings.add(pods, node_selector_of(pods).at, "runs on a TPU node: it takes the room of a replica");
    for (const Node* container : containers_of(*pods.pod_spec)) {
      if (resource_of(*container, kTpu)) findings.add(pods, (*container)["resources"].at, "asks for TPU chips");
      const auto words = command_words(*container);
      const bool loads = std::any_of(words.begin(), words.end(), [](const CommandWord& w) { return w.text == "run" || w.text == "verify"; });
      if (loads && !flag_value(words, "--target")) findings.add(pods, container->at, "has no --target");
      const bool job = pods.object->kind == "Job" || pods.object->kind == "CronJob";
      const Node& spec = pods.object->kind == "CronJob" ? pods.object->spec().path({"jobTemplate", "spec"}) : pods.object->spec();
      const bool ends = flag_value(words, "--num-prompts") || flag_value(words, "--duration") || flag_value(words, "--time-limit") || spec["activeDeadlineSeconds"].exists();
      if (!job) findings.add(pods, pods.at, "load from a " + pods.object->kind + " never ends: use a Job");
      else if (!ends) findings.add(pods, container->at, "nothing bounds the load: no --num-prompts, --duration or activeDeadlineSeconds");
      if (job && spec["backoffLimit"].integer().value_or(6) != 0) findings.add(pods, spec.at, "backoffLimit is not 0: a failed run is sent again, six times by default");
    }
  }
}

void servers_reserve(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kModelServer && pods.role != PodRole::kPicker) continue;
    for (const Node* container : containers_of(*pods.pod_spec)) {
      if (!(*container)["image"].exists() && !(*container)["args"].exists()) continue;
      // A scheduler's template without an image is laid over the controller's preset, which brings the requests.
      if (pods.role == PodRole::kPicker && pods.object != nullptr && pods.object->kind == "LLMInferenceService" && !(*container)["image"].exists()) continue;
      for (const auto what : {"cpu", "memory"}) {
        if (!container->path({"resources", "requests", what}).exists()) findings.add(pods, container->at, "container " + std::string((*container)["name"].str()) + " requests no " + what);
      }
    }
  }
}

bool has_port(const PodSet& pods, const Node& port) {
  // What an LLMInferenceService leaves out comes from the controller's presets, which name their ports.
  bool stated = false;
  for (const Node* container : containers_of(*pods.pod_spec)) stated = stated || (*container)["ports"].exists();
  if (!stated && pods.object != nullptr && pods.object->kind == "LLMInferenceService") return true;
  for (const Node* container : containers_of(*pods.pod_spec)) {
    for (const auto& known : (*container)["ports"].items) {
      if (known["name"].str() == port.str() || (port.integer() && known["containerPort"].integer() == port.integer())) return true;
    }
  }
  return false;
}

/// Pickers of a chart behind helm values: the chart labels their pods, after the release's name, which values do not hold.
bool is_of_a_chart(const Bundle& bundle, const Node& selector) {
  const bool charts = std::any_of(bundle.values.begin(), bundle.values.end(), [](const Values& v) { return v.kind == ValuesKind::kInferencePool; });
  const Node& labels = selector["matchLabels"];
  return charts && (labels["inferencepool"].exists() || labels["llm-d-router-gateway"].exists());
}

void monitors_see_something(const LintContext& context, Findings& findings) {
  for (const auto kind : {"PodMonitoring", "PodMonitor"}) {
    for (const Object* monitor : context.bundle.of_kind(kind)) {
      if (context.variant == Variant::kGke && monitor->kind == "PodMonitor") findings.add(*monitor, monitor->root().at, "GKE's managed Prometheus reads PodMonitoring, not PodMonitor");
      std::vector<const PodSet*> selected;
      for (const auto& pods : context.bundle.pods) {
        if (same_namespace(pods.name_space, monitor->name_space) && label_selector_selects(monitor->spec()["selector"], pods.labels)) selected.push_back(&pods);
      }
      if (context.bundle.pods.empty() || is_of_a_chart(context.bundle, monitor->spec()["selector"])) continue;
      if (selected.empty()) findings.add(*monitor, monitor->spec()["selector"].at, "selects no pod of the bundle");
      const Node& endpoints = monitor->spec()[monitor->kind == "PodMonitor" ? "podMetricsEndpoints" : "endpoints"];
      for (const auto& endpoint : endpoints.items) {
        const bool reached = selected.empty() || std::any_of(selected.begin(), selected.end(), [&](const PodSet* p) { return has_port(*p, endpoint["port"]); });
        if (!reached) findings.add(*monitor, endpoint["port"].at, "port " + quoted(endpoint["port"].str()) + " is none of the selected pods'");
      }
    }
  }
}

constexpr std::array kRules{
    Rule{"L55", Severity::kError, "secrets are in the pods' namespace, with the keys that are read", "pods stay in CreateContainerConfigError, or the download gets 401",
         "create the secret in the pods' namespace with the keys token and HF_TOKEN", "D1, namespaces; D1, sixth problem", secrets_are_there},
    Rule{"L57", Severity::kError, "pools have a working health check on GKE", "GKE marks the backends UNHEALTHY and answers 503",
         "a HealthCheckPolicy per pool: type HTTP, portSpecification USE_FIXED_PORT, port 8000, requestPath /health", "", pools_have_health_checks},
    Rule{"L58", Severity::kWarning, "backends may take as long as a generation", "GKE cuts responses after 30 s by default", "GCPBackendPolicy default.timeoutSec: 300", "", backends_may_take_their_time},
    Rule{"L59", Severity::kError, "a release is in one namespace", "secrets, metrics and scripts look where nothing is", "put all objects of the release into one namespace", "D1, llm-d and llm-d-inference-scheduling", one_namespace},
    Rule{"L62", Severity::kWarning, "helm values fit TPUs", "the chart deploys for GPUs, or a prefill Deployment takes the chips", "accelerator.type: google, prefill.create: false, vLLM on 8000 without the proxy", "", values_fit_tpu},
    Rule{"L63", Severity::kError, "images are pinned", "replicas of one Deployment run different versions after a restart", "give a version or a digest", "D3, v0.15-latest", images_are_pinned},
    Rule{"L64", Severity::kWarning, "disruption budgets and autoscalers leave room", "drains hang, or replicas jump back with each apply", "maxUnavailable: 1; no replicas where an autoscaler scales", "D2, deferred to production", budgets_and_scalers},
    Rule{"L65", Severity::kError, "load jobs end, once, off the TPUs", "load that never ends, or runs again unseen, spoils every figure after it", "a Job with backoffLimit 0, --target, a bound, and no TPU", "", load_jobs_are_tame},
    Rule{"L66", Severity::kWarning, "servers and pickers reserve CPU and memory", "they are evicted first, and starve beside others", "state resources.requests.cpu and memory", "D3, resource limits deferred", servers_reserve},
    Rule{"L67", Severity::kWarning, "monitors select pods and ports that exist", "dashboards stay empty", "use the pods' labels and a container port's name", "D0, labels that match nothing", monitors_see_something}};

}  // namespace

std::span<const Rule> operation_rules() { return kRules; }

}  // namespace deploy
