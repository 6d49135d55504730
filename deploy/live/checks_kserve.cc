// What KServe and Istio add: the LLMInferenceService, its children, EnvoyFilters, NetworkPolicies. K1, K3, K4, K5.
// Policies and filters are judged by the linter's own rules, over what the cluster has.
#include <algorithm>
#include <array>
#include <set>

#include "deploy/lint.h"
#include "deploy/live/checks.h"

namespace deploy {
namespace {

const Object* service_of(const CheckContext& context) {
  return context.state.objects().find("LLMInferenceService", context.want.name_space(), context.want.values().text("service_name"));
}

std::string why_not(std::string_view condition) {
  if (condition == "PresetsCombined") return "a preset (LLMInferenceServiceConfig) is missing or does not fit the version";
  if (condition == "MainWorkloadReady" || condition == "WorkloadsReady") return "the model servers' lines (K2) say why";
  if (condition == "SchedulerWorkloadReady") return "the picker's lines (C5) say why";
  if (condition == "GatewaysReady") return "the Gateway of ConfigMap inferenceservice-config must exist and be programmed (C6)";
  if (condition == "HTTPRoutesReady") return "the route's lines (C7) say why";
  if (condition == "InferencePoolReady") return "the pool's lines (C8) say why";
  return "the other conditions say why";
}

void judge_conditions(const Object& service, Judgement& judge) {
  static constexpr std::array<std::string_view, 9> kConditions{"PresetsCombined", "MainWorkloadReady", "WorkloadsReady", "SchedulerWorkloadReady", "GatewaysReady", "HTTPRoutesReady", "InferencePoolReady", "RouterReady", "Ready"};
  const Node& conditions = service.root()["status"]["conditions"];
  std::size_t good = 0;
  for (const auto type : kConditions) {
    const Node& condition = condition_of(conditions, type);
    if (condition["status"].str() == "True") {
      ++good;
      continue;
    }
    const std::string message(condition["message"].str());
    const std::string seen = !condition.exists() ? "has no condition " + std::string(type)
                                                 : std::string(type) + " is " + std::string(condition["status"].str()) + ": " + std::string(condition["reason"].str()) + (message.empty() ? "" : ", " + message);
    judge.failed(service.title(), seen, std::string(type) + " is True", why_not(type));
  }
  if (good == kConditions.size()) judge.passed(service.title(), "all " + std::to_string(good) + " conditions are True");
}

bool has_owner(const Object& object, std::string_view kind, std::string_view name) {
  const auto& owners = object.metadata()["ownerReferences"].items;
  return std::any_of(owners.begin(), owners.end(), [&](const Node& o) { return o["kind"].str() == kind && o["name"].str() == name; });
}

/// Findings of one lint rule over some documents, as lines; at most one per object.
void judge_by_rule(const CheckContext& context, const Bundle& bundle, std::string_view id, Judgement& judge) {
  const LintOptions options{std::nullopt, std::nullopt, context.want.variant(), nullptr};
  for (const Rule& rule : rules()) {
    if (rule.id != id) continue;
    std::vector<Finding> found;
    Findings findings(rule, found);
    rule.check({bundle, options, context.want.variant()}, findings);
    std::set<std::string> seen;
    for (const auto& one : found) {
      if (!seen.insert(one.object + (id == "L47" ? one.message : "")).second) continue;
      const std::string wanted = std::string(rule.title) + " (" + std::string(rule.id) + ")";
      if (one.severity == Severity::kError) judge.failed(one.object, one.message, wanted, one.fix);
      else judge.warned(one.object, one.message, wanted, one.fix);
    }
  }
}

/// What the rules on policies need: the policies that select pods of ours, the Gateway, one pod of each kind, with the labels that
/// pods really have. Others' policies in the namespace are others' matter.
Bundle policy_scene(const CheckContext& context) {
  std::vector<Document> documents;
  const auto take = [&](const Object* object) {
    if (object != nullptr) documents.push_back(*object->document);
  };
  const auto servers = server_pods(context), pickers = picker_pods(context);
  const auto selects_any = [&](const Object& policy, const std::vector<const Object*>& pods) {
    return std::any_of(pods.begin(), pods.end(), [&](const Object* pod) { return label_selector_selects(policy.spec()["podSelector"], labels_of(pod->metadata()["labels"])); });
  };
  for (const Object* policy : context.state.objects().of_kind("networking.k8s.io", "NetworkPolicy")) {
    if (selects_any(*policy, servers) || selects_any(*policy, pickers)) take(policy);
  }
  take(context.state.objects().find("Gateway", context.want.names().gateway_namespace, context.want.names().gateway));
  take(servers.empty() ? nullptr : servers.front());
  take(pickers.empty() ? nullptr : pickers.front());
  return bundle_of(std::move(documents));
}

/// On which Gateways a filter acts: those it names, or all of its namespace; all of the mesh from Istio's root namespace.
bool acts_on_our_gateway(const CheckContext& context, const Object& filter) {
  if (filter.name_space != kMeshNamespace && !same_namespace(filter.name_space, context.want.names().gateway_namespace)) return false;
  const auto& targets = filter.spec()["targetRefs"].items;
  if (!targets.empty()) {
    return std::any_of(targets.begin(), targets.end(), [&](const Node& one) { return one["kind"].str() != "Gateway" || one["name"].str() == context.want.names().gateway; });
  }
  const auto gateway = filter.spec().path({"workloadSelector", "labels", "gateway.networking.k8s.io/gateway-name"}).str();
  return gateway.empty() || gateway == context.want.names().gateway;
}

/// Does a patch touch the picker's filter, or its entry for routes of ours or for all of them? On a shared Gateway other teams
/// have filters of their own.
bool touches_our_picker(const CheckContext& context, const Object& filter, const Node& patch) {
  if (!acts_on_our_gateway(context, filter)) return false;
  if (patch["applyTo"].str() == "HTTP_FILTER") return patch.path({"match", "listener", "filterChain", "filter", "subFilter", "name"}).str().find("ext_proc") != std::string_view::npos;
  const auto& config = patch.path({"patch", "value", "typed_per_filter_config"}).members;
  if (std::none_of(config.begin(), config.end(), [](const Member& m) { return m.key.find("ext_proc") != std::string::npos; })) return false;
  const auto route = patch.path({"match", "routeConfiguration", "vhost", "route", "name"}).str();
  return route.empty() || route.rfind(context.want.name_space() + ".", 0) == 0;
}

/// The filters that may take the picker out, and what the rule on them compares.
Bundle filter_scene(const CheckContext& context) {
  std::vector<Document> documents;
  for (const Object* filter : context.state.objects().of_kind("EnvoyFilter")) {
    const auto& patches = filter->spec()["configPatches"].items;
    if (std::any_of(patches.begin(), patches.end(), [&](const Node& patch) { return touches_our_picker(context, *filter, patch); })) documents.push_back(*filter->document);
  }
  for (const auto kind : {"Gateway", "HTTPRoute", "LLMInferenceService"}) {
    for (const Object* object : context.state.objects().of_kind(kind)) documents.push_back(*object->document);
  }
  return bundle_of(std::move(documents));
}

}  // namespace

void check_inference_service(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "LLMInferenceService")) return;
  const std::string& name = context.want.values().text("service_name");
  const Object* service = service_of(context);
  if (service == nullptr) {
    judge.failed("LLMInferenceService " + context.want.name_space() + "/" + name, found_instead(context, "LLMInferenceService"), name, "apply it, or give the values it was deployed with: -f values.yaml");
    return;
  }
  if (service->root()["status"]["conditions"].items.empty()) {
    judge.failed(service->title(), "its status is empty", "nine conditions, all True", "no controller has taken it: does kserve-controller-manager run, with LLMInferenceService enabled?");
    return;
  }
  judge_conditions(*service, judge);
  const std::string path = "/" + context.want.name_space() + "/" + name;
  const auto url = service->root().path({"status", "url"}).str();
  if (url.find(path) == std::string_view::npos) judge.failed(service->title(), url.empty() ? "its status has no URL" : "its URL is " + std::string(url), "a URL that ends with " + path, "the Gateway has no address yet, or the route is another one");
  const Node& replicas = service->spec()["replicas"];
  const auto [least, most] = context.want.replicas();
  const auto wanted = replicas.integer().value_or(1);
  if (wanted < least || wanted > most) judge.failed(service->title(), "asks for " + std::to_string(wanted) + " replicas", replicas_words(context), "scale it, or state yours as replicas");
}

void check_children(const CheckContext& context, Judgement& judge) {
  const BundleNames& names = context.want.names();
  const std::string& service = context.want.values().text("service_name");
  for (const auto& [kind, name] : {std::pair<std::string, std::string>{"HTTPRoute", names.route}, {"InferencePool", names.pool}, {"Deployment", names.workload}, {"Deployment", names.picker}}) {
    if (!judge.captured(context, kind)) continue;
    const Object* child = context.state.objects().find(kind, context.want.name_space(), name);
    if (child == nullptr) judge.failed(kind + " " + context.want.name_space() + "/" + name, found_instead(context, kind), name, "the controller makes it from the LLMInferenceService: are route, gateway and scheduler set under spec.router?");
    else if (!has_owner(*child, "LLMInferenceService", service)) judge.failed(child->title(), "is not owned by LLMInferenceService " + service, "an ownerReference to it", "somebody made it by hand: delete it, and let the controller make it");
    else judge.passed(child->title(), "owned by " + service);
  }
}

void check_envoy_filters(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "EnvoyFilter")) return;
  judge_by_rule(context, filter_scene(context), "L47", judge);
  const Object* route = context.state.objects().find("HTTPRoute", context.want.name_space(), context.want.names().route);
  const auto rules_there = route == nullptr ? 0 : static_cast<std::int64_t>(route->spec()["rules"].items.size());
  std::size_t touching = 0;
  for (const Object* filter : context.state.objects().of_kind("EnvoyFilter")) {
    for (const auto& patch : filter->spec()["configPatches"].items) {
      if (!touches_our_picker(context, *filter, patch)) continue;
      ++touching;
      // <namespace>.<route>.<rule>
      const auto name = patch.path({"match", "routeConfiguration", "vhost", "route", "name"}).str();
      const std::string prefix = context.want.name_space() + "." + context.want.names().route + ".";
      if (route == nullptr || name.rfind(prefix, 0) != 0) continue;
      Node index;
      index.kind = NodeKind::kString;
      index.text = std::string(name.substr(prefix.size()));
      const auto rule = index.integer();
      if (rule && (*rule < 0 || *rule >= rules_there)) judge.failed(filter->title(), "names rule " + std::to_string(*rule) + " of the route", "rules 0 to " + std::to_string(rules_there - 1), "the controller's release makes another number of rules: name those that lead to the pool");
    }
  }
  std::string words = touching == 0 ? "none touches the picker" : std::to_string(touching) + " patches of the picker read";
  // Who may not read the mesh's own namespace need not fail for it: K9 sees what such a filter does.
  if (const auto mesh = context.state.absence(kMeshFiltersFile); mesh.reason == AbsenceReason::kForbidden) words += "; those of " + std::string(kMeshNamespace) + " may not be read";
  judge.passed("EnvoyFilters", words);
}

void check_network_policies(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "NetworkPolicy") || !judge.captured(context, "Pod")) return;
  const std::string& name = context.want.values().text("name");
  const Bundle scene = policy_scene(context);
  std::size_t good = 0;
  for (const auto begin : {"allow-gateway-to-epp-scheduler-", "allow-gateway-to-vllm-", "allow-vllm-egress-", "allow-istio-control-plane-"}) {
    const Object* policy = context.state.objects().find("NetworkPolicy", context.want.name_space(), begin + name);
    if (policy == nullptr) {
      judge.failed("NetworkPolicy " + context.want.name_space() + "/" + begin + name, "not there", "applied", "apply networkpolicies.yaml of the bundle");
    } else if (context.state.pods_selected(policy->spec()["podSelector"], context.want.name_space()).empty()) {
      judge.failed(policy->title(), "its podSelector matches no pod", "at least one", "use the labels that pods carry: kubectl get pods -n " + context.want.name_space() + " --show-labels");
    } else {
      ++good;
    }
  }
  for (const auto id : {"L49", "L51", "L52", "L53", "L54"}) judge_by_rule(context, scene, id, judge);
  judge.passed("NetworkPolicies", std::to_string(good) + " of 4 are there and select pods");
}

}  // namespace deploy
