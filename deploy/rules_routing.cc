// Rules on what routes to what: HTTPRoute, Gateway, InferencePool, picker's Service. L26 to L32.
#include <algorithm>
#include <array>
#include <set>

#include "deploy/routing.h"
#include "deploy/rule_groups.h"

namespace deploy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

constexpr std::array<std::string_view, 2> kGkeClasses{"gke-l7-regional-external-managed", "gke-l7-rilb"};

bool granted(const Bundle& bundle, const Object& from, const BackendRef& ref) {
  return std::any_of(bundle.objects.begin(), bundle.objects.end(), [&](const Object& grant) {
    if (grant.kind != "ReferenceGrant" || !same_namespace(grant.name_space, ref.name_space)) return false;
    const auto& froms = grant.spec()["from"].items;
    const auto& tos = grant.spec()["to"].items;
    const bool may = std::any_of(froms.begin(), froms.end(), [&](const Node& f) { return f["kind"].str() == from.kind && f["namespace"].str() == from.name_space; });
    return may && std::any_of(tos.begin(), tos.end(), [&](const Node& t) { return t["kind"].str() == ref.kind && t["group"].str() == ref.group; });
  });
}

void backends_resolve(const LintContext& context, Findings& findings) {
  const auto pools = context.bundle.of_kind("InferencePool");
  for (const auto& ref : pool_refs(context.bundle)) {
    const Object* found = nullptr;
    for (const Object* pool : pools) {
      if (pool->name == ref.name && same_namespace(pool->name_space, ref.name_space)) found = pool;
    }
    if (ref.group.empty()) findings.add(*ref.route, ref.at, "the backendRef to InferencePool " + ref.name + " has no group: it means a core object");
    else if (found != nullptr && found->group != ref.group) findings.add(*ref.route, ref.at, "the backendRef's group is " + ref.group + ", the pool's " + found->group);
    else if (found == nullptr && !pools.empty()) findings.add(*ref.route, ref.at, "InferencePool " + quoted(ref.name) + " is not in the bundle" + (ref.name_space.empty() ? "" : ", namespace " + ref.name_space));
    if (!ref.name_space.empty() && ref.name_space != ref.route->name_space && !ref.route->name_space.empty() && !granted(context.bundle, *ref.route, ref)) {
      findings.add(*ref.route, ref.at, "the pool is in namespace " + ref.name_space + ", and no ReferenceGrant there allows the route");
    }
  }
}

void no_port_on_pools(const LintContext& context, Findings& findings) {
  for (const auto& ref : pool_refs(context.bundle)) {
    if (!(*ref.node)["port"].exists()) continue;
    findings.add(*ref.route, (*ref.node)["port"].at, "the backendRef to InferencePool " + ref.name + " has a port");
    if (context.variant != Variant::kGke) findings.last().severity = Severity::kNote;
  }
}

void no_timeouts_on_gke(const LintContext& context, Findings& findings) {
  if (context.variant != Variant::kGke) return;
  for (const Object* route : context.bundle.of_kind("HTTPRoute")) {
    for (const auto& rule : route->spec()["rules"].items) {
      if (rule["timeouts"].exists()) findings.add(*route, rule.at_key("timeouts"), "rules[].timeouts");
    }
  }
}

/// May a route of this namespace attach to the listener?
bool listener_allows(const Node& listener, const Object& gateway, const std::string& route_namespace) {
  const Node& from = listener.path({"allowedRoutes", "namespaces", "from"});
  if (from.str() == "All" || from.str() == "Selector") return true;
  return same_namespace(gateway.name_space, route_namespace);
}

void judge_parent(const LintContext& context, const Object& route, const Node& parent, Findings& findings) {
  const auto kind = parent["kind"].exists() ? parent["kind"].str() : "Gateway";
  const auto gateways = context.bundle.of_kind("Gateway");
  if (kind != "Gateway" || gateways.empty()) return;
  const std::string name_space(parent["namespace"].exists() ? parent["namespace"].str() : route.name_space);
  const Object* gateway = nullptr;
  for (const Object* g : gateways) {
    if (g->name == parent["name"].str() && same_namespace(g->name_space, name_space)) gateway = g;
  }
  if (gateway == nullptr) return findings.add(route, parent.at, "Gateway " + quoted(parent["name"].str()) + (name_space.empty() ? "" : " in namespace " + name_space) + " is not in the bundle");
  const auto& listeners = gateway->spec()["listeners"].items;
  const Node& section = parent["sectionName"];
  const bool exists = !section.exists() || std::any_of(listeners.begin(), listeners.end(), [&](const Node& l) { return l["name"].str() == section.str(); });
  if (!exists) return findings.add(route, section.at, gateway->title() + " has no listener " + quoted(section.str()));
  const bool allowed = std::any_of(listeners.begin(), listeners.end(), [&](const Node& l) {
    return (!section.exists() || l["name"].str() == section.str()) && listener_allows(l, *gateway, route.name_space);
  });
  if (!listeners.empty() && !allowed) findings.add(route, parent.at, gateway->title() + " takes no routes of namespace " + route.name_space + " (allowedRoutes)");
}

void parents_resolve(const LintContext& context, Findings& findings) {
  for (const Object* route : context.bundle.of_kind("HTTPRoute")) {
    const auto& parents = route->spec()["parentRefs"].items;
    if (parents.empty()) findings.add(*route, route->spec().at, "has no parentRefs: it is attached to no Gateway");
    for (const auto& parent : parents) judge_parent(context, *route, parent, findings);
  }
}

void classes_are_legal(const LintContext& context, Findings& findings) {
  for (const Object* gateway : context.bundle.of_kind("Gateway")) {
    const Node& node = gateway->spec()["gatewayClassName"];
    const auto name = node.str();
    if (!node.exists() || gateway->group != "gateway.networking.k8s.io") continue;
    const bool gke_legal = std::find(kGkeClasses.begin(), kGkeClasses.end(), name) != kGkeClasses.end();
    if (name.rfind("gke-l7-global", 0) == 0 || name.rfind("gke-l7-gxlb", 0) == 0) findings.add(*gateway, node.at, "class " + std::string(name) + ": global load balancers do not serve InferencePools");
    else if (context.variant == Variant::kGke && !gke_legal) findings.add(*gateway, node.at, "class " + std::string(name) + " on GKE");
    else if (context.variant == Variant::kIstioKserve && name != "istio") findings.add(*gateway, node.at, "class " + std::string(name) + " under Istio");
  }
}

void pools_have_routes(const LintContext& context, Findings& findings) {
  const auto refs = pool_refs(context.bundle);
  // A route made by KServe is not in the bundle; a bundle of pools alone may be routed elsewhere.
  const bool whole = !context.bundle.of_kind("Gateway").empty() || !context.bundle.of_kind("HTTPRoute").empty();
  if (!whole) return;
  for (const Object* pool : context.bundle.of_kind("InferencePool")) {
    const bool routed = std::any_of(refs.begin(), refs.end(), [&](const BackendRef& r) { return r.name == pool->name && same_namespace(r.name_space, pool->name_space); });
    if (!routed) findings.add(*pool, pool->root().at, "no HTTPRoute of the bundle sends to it");
  }
}

void judge_picker_service(const LintContext& context, const Object& pool, const Object& service, const PickerRef& ref, Findings& findings) {
  const auto& ports = service.spec()["ports"].items;
  const bool listed = std::any_of(ports.begin(), ports.end(), [&](const Node& p) { return p["port"].integer() == ref.port; });
  if (ref.port && !listed) findings.add(pool, ref.at, "the picker's " + service.title() + " has no port " + std::to_string(*ref.port));
  const Labels selector = labels_of(service.spec()["selector"]);
  if (selector.empty() || context.bundle.pods.empty()) return;
  const bool any = std::any_of(context.bundle.pods.begin(), context.bundle.pods.end(), [&](const PodSet& pods) {
    return same_namespace(pods.name_space, service.name_space) && selects(selector, pods.labels);
  });
  if (!any) findings.add(service, service.spec()["selector"].at, "selects no pod of the bundle, so the picker is never reached");
}

void pickers_resolve(const LintContext& context, Findings& findings) {
  const auto services = context.bundle.of_kind("Service");
  for (const Object* pool : context.bundle.of_kind("InferencePool")) {
    const PickerRef ref = picker_ref(*pool);
    if (ref.name.empty()) {
      if (context.options.pin == Pin::kEarly2026) findings.add(*pool, pool->spec().at, "has no endpointPickerRef");
      continue;
    }
    const Object* service = context.bundle.find("Service", pool->name_space, ref.name);
    if (service != nullptr) judge_picker_service(context, *pool, *service, ref, findings);
    else if (!services.empty()) findings.add(*pool, ref.at, "Service " + quoted(ref.name) + " is not in the bundle");
  }
}

constexpr std::array kRules{
    Rule{"L26", Severity::kError, "routes' backends are pools of the bundle", "ResolvedRefs is False and requests get 500, or \"fault filter abort\"",
         "backendRefs: [{group: inference.networking.k8s.io, kind: InferencePool, name: the pool's}], in the route's namespace", "", backends_resolve},
    Rule{"L27", Severity::kError, "no port on a backendRef to a pool", "GKE refuses it; elsewhere it is ignored, the pool's targetPorts rule", "remove the port", "D1, step 7", no_port_on_pools},
    Rule{"L28", Severity::kError, "no timeouts in routes on GKE", "GKE sets Accepted to False (UnsupportedValue) and drops the route", "use GCPBackendPolicy default.timeoutSec", "", no_timeouts_on_gke},
    Rule{"L29", Severity::kError, "routes are attached to a Gateway that takes them", "the route is not Accepted; Attached Routes stays 0", "name a Gateway and listener of the bundle, and allow the route's namespace", "", parents_resolve},
    Rule{"L30", Severity::kError, "the Gateway's class serves InferencePools", "the Gateway is never Programmed, or answers 404", "gke-l7-regional-external-managed or gke-l7-rilb on GKE; istio under Istio", "D1, fifth problem", classes_are_legal},
    Rule{"L31", Severity::kError, "each pool has a route", "requests return \"fault filter abort\": the helmfile makes no HTTPRoute", "add an HTTPRoute whose backendRef is the pool", "D1, sixth adjustment", pools_have_routes},
    Rule{"L32", Severity::kError, "the pool's picker can be reached", "every request fails, or with FailOpen none is picked", "endpointPickerRef: the picker's Service and its port 9002; the Service selects the picker's pods", "D0, picker labels", pickers_resolve}};

}  // namespace

std::span<const Rule> routing_rules() { return kRules; }

}  // namespace deploy
