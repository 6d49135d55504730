// The way in: definition, Gateway, HTTPRoute, InferencePool. C2, C6, C7, C8.
#include <algorithm>
#include <array>
#include <map>

#include "core/text.h"
#include "deploy/live/checks.h"

namespace deploy {
namespace {

std::string number(std::int64_t n) { return std::to_string(n); }

/// One condition that must be True; says what it says otherwise. True when it is.
bool judge_condition(const Object& object, const Node& conditions, std::string_view type, const std::string& of, Judgement& judge, const std::string& remedy) {
  const Node& condition = condition_of(conditions, type);
  const std::string subject = object.title() + (of.empty() ? "" : ", " + of);
  const std::string wanted = std::string(type) + " is True";
  if (!condition.exists()) {
    judge.failed(subject, "has no condition " + std::string(type), wanted, remedy);
    return false;
  }
  if (condition["status"].str() != "True") {
    const std::string reason(condition["reason"].str()), message(condition["message"].str());
    judge.failed(subject, std::string(type) + " is " + std::string(condition["status"].str()) + ": " + reason + (message.empty() ? "" : ", " + message), wanted, remedy);
    return false;
  }
  const auto seen = condition["observedGeneration"].integer(), is = object.metadata()["generation"].integer();
  if (seen && is && *seen < *is) {
    judge.failed(subject, std::string(type) + " is True for generation " + number(*seen) + ", and the object is at " + number(*is), "the controller has seen the latest change", "wait; if it stays, the controller is stuck");
    return false;
  }
  return true;
}

std::string remedy_for_route(const Node& condition) {
  const auto reason = condition["reason"].str();
  const auto message = condition["message"].str();
  if (reason == "UnsupportedValue" || message.find("GWCER104") != std::string_view::npos) return "GKE takes no timeouts in a route: leave them out, and set them in a GCPBackendPolicy";
  if (reason == "BackendNotFound" || reason == "RefNotPermitted" || reason == "InvalidKind") return "the backend must be an InferencePool of the same namespace, group inference.networking.k8s.io, by its name";
  if (reason == "NotAllowedByListeners") return "the Gateway's listener must allow routes from this namespace";
  if (reason == "NoMatchingParent" || reason == "NoMatchingListenerHostname") return "parentRef and hostnames must fit a listener of the Gateway";
  return "kubectl describe httproute says more";
}

bool is_ours(const CheckContext& context, const Node& parent) {
  // Where a controller leaves the namespace out, the name has to do.
  const Node& ref = parent["parentRef"];
  return ref["name"].str() == context.want.names().gateway && same_namespace(ref["namespace"].str(), context.want.names().gateway_namespace);
}

/// Entries of a status's parents about our Gateway. Each controller has an entry of its own, also one that only attaches
/// policies: those that say Accepted are the Gateway's, unless none does.
std::vector<const Node*> parents_of(const CheckContext& context, const Object& object) {
  std::vector<const Node*> ours, accepting;
  for (const auto& parent : object.root().path({"status", "parents"}).items) {
    if (!is_ours(context, parent)) continue;
    ours.push_back(&parent);
    if (condition_of(parent["conditions"], "Accepted").exists()) accepting.push_back(&parent);
  }
  return accepting.empty() ? ours : accepting;
}

/// "" or the Gateways that took it instead of ours. The entry that the API server puts into a new InferencePool (kind Status,
/// name default) is nobody's.
std::string other_parents(const Object& object) {
  std::string names;
  for (const auto& parent : object.root().path({"status", "parents"}).items) {
    const Node& ref = parent["parentRef"];
    if (ref["kind"].str() == "Status" && ref["name"].str() == "default") continue;
    names += (names.empty() ? "" : ", ") + std::string(ref["namespace"].exists() ? ref["namespace"].str() : std::string_view(object.name_space)) + "/" + std::string(ref["name"].str());
  }
  return names;
}

std::string our_gateway(const CheckContext& context) { return context.want.names().gateway_namespace + "/" + context.want.names().gateway; }

/// An object that is about to go still has the status of one that stays.
bool judge_stays(const Object& object, Judgement& judge) {
  if (!object.metadata()["deletionTimestamp"].exists()) return true;
  judge.failed(object.title(), "is being deleted since " + std::string(object.metadata()["deletionTimestamp"].str()), "an object that stays", "apply it again once it is gone; finalizers that hold it: kubectl get -o yaml shows them");
  return false;
}

void judge_parents(const CheckContext& context, const Object& route, Judgement& judge) {
  const auto parents = parents_of(context, route);
  const auto others = other_parents(route);
  if (parents.empty() && !others.empty()) return judge.failed(route.title(), "its parents are " + others, our_gateway(context), "name the Gateway in its parentRefs, or give the values it was deployed with: -f values.yaml");
  if (parents.empty()) return judge.failed(route.title(), "no Gateway has taken it: its status has no parents", "one parent, " + our_gateway(context), "its parentRef must name the Gateway, with its namespace when that is another one");
  bool good = true;
  for (const Node* parent : parents) {
    const Node& conditions = (*parent)["conditions"];
    const std::string of = "parent " + std::string(parent->path({"parentRef", "name"}).str());
    for (const auto type : {"Accepted", "ResolvedRefs"}) {
      good = judge_condition(route, conditions, type, of, judge, remedy_for_route(condition_of(conditions, type))) && good;
    }
    if (context.want.variant() == Variant::kGke) good = judge_condition(route, conditions, "Reconciled", of, judge, "the load balancer could not be programmed: kubectl describe httproute says why") && good;
  }
  if (good) judge.passed(route.title(), "accepted by " + number(static_cast<std::int64_t>(parents.size())) + (parents.size() == 1 ? " parent" : " parents"));
}

std::int64_t weight_of(const Node& backend) { return backend["weight"].integer().value_or(1); }

/// What goes to a Service has no picker. KServe's routes have such rules, for paths that no pool serves.
void judge_other_backend(const CheckContext& context, const Object& route, const Node& backend, bool beside_pool, Judgement& judge) {
  if (weight_of(backend) == 0 || (!beside_pool && context.want.variant() == Variant::kIstioKserve)) return;
  const std::string kind(backend["kind"].exists() ? backend["kind"].str() : "Service");
  const std::string seen = beside_pool ? "shares a rule between the pool and " : "has a rule that leads to ";
  judge.failed(route.title(), seen + kind + " " + std::string(backend["name"].str()), "InferencePool " + context.want.names().pool + " alone", "take it away: those requests go past the picker");
}

void judge_pool_backend(const CheckContext& context, const Object& route, const Node& backend, Judgement& judge) {
  const std::string name(backend["name"].str());
  if (backend["port"].exists() && context.want.variant() == Variant::kGke) judge.failed(route.title(), "a backendRef to an InferencePool has port " + std::string(backend["port"].str()), "no port", "take it away: GKE refuses it");
  if (name != context.want.names().pool) judge.failed(route.title(), "routes to InferencePool " + name, context.want.names().pool, "two routes with one rule compete for it; see the backendRefs");
  else if (weight_of(backend) == 0) judge.failed(route.title(), "gives InferencePool " + name + " weight 0", "a weight above 0", "set weight: 1 in its backendRef: nothing reaches the pool");
}

void judge_backends(const CheckContext& context, const Object& route, Judgement& judge) {
  const auto is_pool = [](const Node& backend) { return backend["kind"].str() == "InferencePool"; };
  bool pool = false;
  for (const auto& rule : route.spec()["rules"].items) {
    for (const auto& backend : rule["backendRefs"].items) pool = pool || (is_pool(backend) && backend["name"].str() == context.want.names().pool);
  }
  for (const auto& rule : route.spec()["rules"].items) {
    const auto& backends = rule["backendRefs"].items;
    const bool beside = std::any_of(backends.begin(), backends.end(), is_pool);
    for (const auto& backend : backends) {
      if (is_pool(backend)) judge_pool_backend(context, route, backend, judge);
      else if (pool) judge_other_backend(context, route, backend, beside, judge);
    }
  }
  if (!pool) judge.failed(route.title(), "no rule leads to InferencePool " + context.want.names().pool, "a backendRef of kind InferencePool", "a Service as backend goes past the picker");
}

/// Pods behind the pool's selector: the number of backends, which no status has.
void judge_backends_of(const CheckContext& context, const Object& pool, Judgement& judge) {
  if (!judge.captured(context, "Pod")) return;
  const auto chosen = context.state.pods_selected(pool.spec()["selector"], context.want.name_space());
  const auto servers = server_pods(context);
  std::string foreign;
  std::int64_t ready = 0;
  for (const Object* pod : chosen) {
    ready += is_ready(*pod) ? 1 : 0;
    if (std::find(servers.begin(), servers.end(), pod) == servers.end()) foreign += (foreign.empty() ? "" : ", ") + pod->name;
  }
  const auto [least, most] = context.want.replicas();
  if (chosen.empty()) {
    judge.failed(pool.title(), "its selector matches no pod", replicas_words(context) + " backends", "compare it with kubectl get pods --show-labels; the pods should have " + context.want.names().server_selector);
  } else if (!foreign.empty()) {
    judge.failed(pool.title(), "its selector also matches " + foreign, "the pods of " + context.want.names().workload + " alone", "give each pattern a label of its own: requests for this model reach servers of another");
  } else if (ready < least || ready > most) {
    judge.failed(pool.title(), number(ready) + " ready backends", replicas_words(context), "the pods' own lines say why");
  } else {
    judge.passed(pool.title(), number(ready) + " ready backends");
  }
}

void judge_pool_ports(const Object& pool, Judgement& judge) {
  const Node& picker = pool.spec().path({"endpointPickerRef", "port", "number"});
  if (picker.exists() && picker.integer() != kPickerPort) judge.failed(pool.title(), "asks the picker on port " + std::string(picker.str()), "9002, where it answers ext_proc", "set spec.endpointPickerRef.port.number: 9003 is its health, 9090 its metrics");
  const Node& target = pool.spec()["targetPorts"][std::size_t{0}]["number"];
  if (target.exists() && target.integer() != kServerPort) judge.failed(pool.title(), "sends to port " + std::string(target.str()) + " of the servers", "8000, where they listen", "set spec.targetPorts[0].number");
}

/// GKE's health check: without a policy the load balancer asks for "/", which vLLM answers with 404.
void judge_gke_policies(const CheckContext& context, Judgement& judge) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kPolicies{
      {{"HealthCheckPolicy", "the load balancer asks for \"/\", which vLLM answers with 404, and finds every backend unhealthy"},
       {"GCPBackendPolicy", "answers that take longer than 30 s are cut"}}};
  for (const auto& [kind, why] : kPolicies) {
    if (!judge.captured(context, kind)) continue;
    const Object* found = nullptr;
    for (const Object* policy : context.state.objects().of_kind(kind)) {
      const Node& target = policy->spec()["targetRef"];
      if (target["kind"].str() == "InferencePool" && target["name"].str() == context.want.names().pool) found = policy;
    }
    const std::string subject(kind);
    if (found == nullptr) {
      judge.failed(subject, "none is for InferencePool " + context.want.names().pool, "one: else " + std::string(why), "apply policies.yaml of the bundle");
    } else if (condition_of(found->root()["status"]["conditions"], "Attached").exists()) {
      if (judge_condition(*found, found->root()["status"]["conditions"], "Attached", "", judge, "its targetRef must name group, kind and name of the pool")) judge.passed(found->title(), "attached");
    } else {
      judge.passed(found->title(), "there");
    }
  }
}

void judge_release(const CheckContext& context, const Object& definition, Judgement& judge) {
  const auto release = definition.metadata().path({"annotations", "inference.networking.k8s.io/bundle-version"}).str();
  const auto [first, last] = context.want.pool_minor_releases();
  const std::string wanted = last > 90 ? "v1." + number(first) + " or later" : "v1." + number(first) + " to v1." + number(last);
  const auto parts = core::split(release, '.');
  const auto minor = parts.size() >= 2 && parts[0] == "v1" ? core::parse_integer(parts[1]) : std::nullopt;
  if (!minor) return judge.warned(definition.title(), release.empty() ? "does not say which release it is of" : "is of release " + std::string(release), wanted, "find out who installed it; mixing releases is the commonest fault");
  const std::string subject = "CustomResourceDefinition";
  if (*minor < first || *minor > last) judge.warned(subject, "InferencePool is of release " + std::string(release), wanted + " goes with --pin " + std::string(word_for(context.want.values().key.pin)), "install that release, or check with the other --pin");
  else judge.passed(subject, "InferencePool v1, release " + std::string(release));
}

}  // namespace

void check_definition(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "CustomResourceDefinition")) return;
  const Object* definition = context.state.objects().find("CustomResourceDefinition", "", "inferencepools.inference.networking.k8s.io");
  const std::string subject = "CustomResourceDefinition inferencepools.inference.networking.k8s.io";
  if (definition == nullptr) {
    judge.failed(subject, "not installed", "v1, served", "install the InferencePool definition of the Gateway API inference extension; the group inference.networking.x-k8s.io is another one, and not enough");
    return;
  }
  const auto& versions = definition->spec()["versions"].items;
  const bool served = std::any_of(versions.begin(), versions.end(), [](const Node& v) { return v["name"].str() == "v1" && v["served"].is_true(); });
  if (!served) judge.failed(subject, "does not serve v1", "v1, served", "install a release that serves it");
  if (judge_condition(*definition, definition->root()["status"]["conditions"], "Established", "", judge, "kubectl describe crd says why") && served) judge_release(context, *definition, judge);
}

void check_gateway(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "Gateway")) return;
  const std::string& space = context.want.names().gateway_namespace;
  const Object* gateway = context.state.objects().find("Gateway", space, context.want.names().gateway);
  if (gateway == nullptr) {
    judge.failed("Gateway " + space + "/" + context.want.names().gateway, found_instead(context, "Gateway"), context.want.names().gateway, "apply it, or give the values it was deployed with: -f values.yaml");
    return;
  }
  const auto gateway_class = gateway->spec()["gatewayClassName"].str();
  const std::string& wanted_class = context.want.values().text("gateway_class");
  if (gateway_class != wanted_class) judge.failed(gateway->title(), "is of class " + std::string(gateway_class), wanted_class, "a class that supports InferencePool; on GKE one of the two regional ones");
  if (!judge_stays(*gateway, judge)) return;
  const Node& conditions = gateway->root()["status"]["conditions"];
  const std::string nobody = "no controller has taken it: is there a GatewayClass " + std::string(gateway_class) + ", and does its controller run?";
  const bool accepted = judge_condition(*gateway, conditions, "Accepted", "", judge, nobody);
  const bool programmed = accepted && judge_condition(*gateway, conditions, "Programmed", "", judge, "the load balancer is not there yet, or cannot be made: on GKE, is there a proxy-only subnet in the region?");
  const auto address = gateway->root().path({"status", "addresses"})[std::size_t{0}]["value"].str();
  if (programmed && address.empty()) judge.failed(gateway->title(), "has no address", "an address", "its Service is not of type LoadBalancer, or the cloud gives none: kubectl get svc -n " + space);
  std::int64_t attached = 0;   // one route may be attached to several listeners
  for (const auto& listener : gateway->root().path({"status", "listeners"}).items) attached = std::max(attached, listener["attachedRoutes"].integer().value_or(0));
  const bool shared = context.want.variant() == Variant::kIstioKserve;
  if (attached == 0) judge.failed(gateway->title(), "no route is attached", "one", "the route's parentRef, or the listener's allowedRoutes, does not fit");
  else if (attached > 1 && !shared) judge.failed(gateway->title(), number(attached) + " routes are attached", "one", "routes of other patterns compete for the same paths: kubectl get httproute -A");
  if (programmed && !address.empty() && attached > 0) judge.passed(gateway->title(), "programmed at " + std::string(address) + ", " + number(attached) + (attached == 1 ? " route" : " routes"));
}

void check_route(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "HTTPRoute")) return;
  const Object* route = context.state.objects().find("HTTPRoute", context.want.name_space(), context.want.names().route);
  if (route == nullptr) {
    judge.failed("HTTPRoute " + context.want.name_space() + "/" + context.want.names().route, found_instead(context, "HTTPRoute"), context.want.names().route, "apply it; KServe makes it for an LLMInferenceService with router.route");
    return;
  }
  if (!judge_stays(*route, judge)) return;
  judge_parents(context, *route, judge);
  judge_backends(context, *route, judge);
}

void check_pool(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "InferencePool")) return;
  const Object* pool = context.state.objects().find("InferencePool", context.want.name_space(), context.want.names().pool);
  if (pool == nullptr) {
    judge.failed("InferencePool " + context.want.name_space() + "/" + context.want.names().pool, found_instead(context, "InferencePool"), context.want.names().pool, "apply it, or give the values it was deployed with: -f values.yaml");
    return;
  }
  if (!judge_stays(*pool, judge)) return;
  judge_pool_ports(*pool, judge);
  const auto picker = pool->spec().path({"endpointPickerRef", "name"}).str();
  if (picker != context.want.names().picker_service) judge.failed(pool->title(), picker.empty() ? "names no endpoint picker" : "names endpoint picker " + std::string(picker), context.want.names().picker_service, "set spec.endpointPickerRef");
  const auto parents = parents_of(context, *pool);
  const auto others = other_parents(*pool);
  if (parents.empty() && !others.empty()) judge.failed(pool->title(), "is used by " + others + " alone", our_gateway(context), "no accepted route of that Gateway leads to it (C7)");
  else if (parents.empty()) judge.failed(pool->title(), "no Gateway uses it: its status names no parent", "one parent", "no accepted route leads to it, or the Gateway's controller knows no InferencePool (Istio before 1.27, a global GKE class)");
  for (const Node* parent : parents) {
    const Node& conditions = (*parent)["conditions"];
    const std::string of = "parent " + std::string(parent->path({"parentRef", "name"}).str());
    judge_condition(*pool, conditions, "Accepted", of, judge, "the route that leads to it must be accepted first (C7)");
    judge_condition(*pool, conditions, "ResolvedRefs", of, judge, "endpointPickerRef must name a Service that exists, with its port 9002");
  }
  judge_backends_of(context, *pool, judge);
  if (context.want.variant() == Variant::kGke) judge_gke_policies(context, judge);
}

}  // namespace deploy
