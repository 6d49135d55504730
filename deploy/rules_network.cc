// Rules on NetworkPolicies: the flows that serving needs, played through the policies of the bundle. L49 to L54.
// Union semantics as in networking.k8s.io/v1: a pod that any policy selects for a direction may do what any of them allows.
#include <algorithm>
#include <array>
#include <optional>

#include "core/text.h"
#include "deploy/rule_groups.h"

namespace deploy {
namespace {

enum class Direction { kIngress, kEgress };


/// The other end of a flow: pods with labels in a namespace, or an address outside.
struct Peer {
  std::string name;
  std::string name_space;
  Labels labels;
  bool outside = false;
};

struct Flow {
  Direction direction = Direction::kIngress;
  Peer peer;
  std::int64_t port = 0;
  std::string_view protocol = "TCP";
};

bool has_direction(const Object& policy, Direction direction) {
  const Node& types = policy.spec()["policyTypes"];
  const std::string_view wanted = direction == Direction::kIngress ? "Ingress" : "Egress";
  if (!types.exists()) return direction == Direction::kIngress || policy.spec()["egress"].exists();
  return std::any_of(types.items.begin(), types.items.end(), [&](const Node& t) { return t.str() == wanted; });
}

bool policy_selects(const Object& policy, const PodSet& pods) {
  return same_namespace(policy.name_space, pods.name_space) && label_selector_selects(policy.spec()["podSelector"], pods.labels);
}

Labels namespace_labels(const Bundle& bundle, const std::string& name) {
  Labels out{{"kubernetes.io/metadata.name", name}};
  for (const Object* space : bundle.of_kind("Namespace")) {
    if (space->name == name) out.merge(labels_of(space->metadata()["labels"]));
  }
  return out;
}

bool port_fits(const Node& port, const Flow& flow, const PodSet& pods) {
  const auto protocol = port["protocol"].exists() ? port["protocol"].str() : "TCP";
  if (protocol != flow.protocol) return false;
  const Node& number = port["port"];
  if (!number.exists()) return true;
  if (const auto first = number.integer()) {
    const auto last = port["endPort"].integer().value_or(*first);
    return flow.port >= *first && flow.port <= last;
  }
  for (const Node* container : containers_of(*pods.pod_spec)) {
    for (const auto& known : (*container)["ports"].items) {
      if (known["name"].str() == number.str() && known["containerPort"].integer() == flow.port) return true;
    }
  }
  return false;
}

bool peer_fits(const Bundle& bundle, const Object& policy, const Node& entry, const Peer& peer) {
  if (entry["ipBlock"].exists()) {
    // What runs in the cluster may have any address; only "everything" is known to hold it.
    const auto cidr = entry.path({"ipBlock", "cidr"}).str();
    return cidr == "0.0.0.0/0" || (peer.outside && !cidr.empty());
  }
  if (peer.outside) return false;
  const Node& spaces = entry["namespaceSelector"];
  const bool space_fits = spaces.exists() ? label_selector_selects(spaces, namespace_labels(bundle, peer.name_space)) : same_namespace(policy.name_space, peer.name_space);
  return space_fits && (!entry["podSelector"].exists() || label_selector_selects(entry["podSelector"], peer.labels));
}

bool rule_allows(const Bundle& bundle, const Object& policy, const Node& rule, const Flow& flow, const PodSet& port_owner) {
  const auto& ports = rule["ports"].items;
  if (!ports.empty() && std::none_of(ports.begin(), ports.end(), [&](const Node& p) { return port_fits(p, flow, port_owner); })) return false;
  const auto& peers = rule[flow.direction == Direction::kIngress ? "from" : "to"].items;
  return peers.empty() || std::any_of(peers.begin(), peers.end(), [&](const Node& entry) { return peer_fits(bundle, policy, entry, flow.peer); });
}

/// A policy that selects the pods for the direction, when none of those that do allows the flow; null: it passes.
const Object* blocked_by(const Bundle& bundle, const PodSet& pods, const Flow& flow, const PodSet& port_owner) {
  const Object* selecting = nullptr;
  for (const Object* policy : bundle.of_kind("networking.k8s.io", "NetworkPolicy")) {
    if (!policy_selects(*policy, pods) || !has_direction(*policy, flow.direction)) continue;
    selecting = policy;
    const auto& rules = policy->spec()[flow.direction == Direction::kIngress ? "ingress" : "egress"].items;
    if (std::any_of(rules.begin(), rules.end(), [&](const Node& r) { return rule_allows(bundle, *policy, r, flow, port_owner); })) return nullptr;
  }
  return selecting;
}

/// Gateway pods carry the Gateway's name; where the bundle has no Gateway, nobody can be named.
std::vector<Peer> gateway_pods(const Bundle& bundle) {
  std::vector<Peer> out;
  for (const Object* gateway : bundle.of_kind("Gateway")) {
    if (gateway->spec()["gatewayClassName"].str().rfind("gke-", 0) == 0) continue;  // load balancers outside the cluster
    out.push_back({"gateway " + gateway->name, gateway->name_space, {{"gateway.networking.k8s.io/gateway-name", gateway->name}}, false});
  }
  return out;
}

void report(const Bundle& bundle, const PodSet& pods, const Flow& flow, const PodSet& port_owner, Findings& findings) {
  const Object* policy = blocked_by(bundle, pods, flow, port_owner);
  if (policy == nullptr) return;
  const bool in = flow.direction == Direction::kIngress;
  findings.add(*policy, policy->spec().at, std::string("selects ") + pods.owner + ", and no policy lets it " + (in ? "be reached from " : "reach ") + flow.peer.name + " on " + std::to_string(flow.port));
}

/// Servers and picker of different LLMInferenceServices have nothing to say to each other.
bool of_another_service(const PodSet& servers, const PodSet& picker) {
  const auto service = [](const PodSet& p) { return p.object != nullptr && p.object->kind == "LLMInferenceService"; };
  return service(servers) && service(picker) && servers.object != picker.object;
}

void flows_pass(const LintContext& context, Findings& findings) {
  const Bundle& bundle = context.bundle;
  if (bundle.of_kind("networking.k8s.io", "NetworkPolicy").empty()) return;
  const auto gateways = gateway_pods(bundle);
  for (const auto& pods : bundle.pods) {
    if (pods.role != PodRole::kModelServer && pods.role != PodRole::kPicker) continue;
    const bool picker = pods.role == PodRole::kPicker;
    for (const auto& gateway : gateways) report(bundle, pods, {Direction::kIngress, gateway, picker ? 9002 : 8000}, pods, findings);
    for (const auto& other : bundle.pods) {
      if (picker || other.role != PodRole::kPicker || of_another_service(pods, other)) continue;
      report(bundle, pods, {Direction::kIngress, {"its picker (" + other.owner + ")", other.name_space, other.labels, false}, 8000}, pods, findings);
      report(bundle, other, {Direction::kEgress, {"its servers (" + pods.owner + ")", pods.name_space, pods.labels, false}, 8000}, pods, findings);
    }
    report(bundle, pods, {Direction::kEgress, {picker ? "the API server" : "the model's registry", "", {}, true}, 443}, pods, findings);
  }
}

void policies_select_something(const LintContext& context, Findings& findings) {
  if (context.bundle.pods.empty()) return;
  for (const Object* policy : context.bundle.of_kind("networking.k8s.io", "NetworkPolicy")) {
    const bool any = std::any_of(context.bundle.pods.begin(), context.bundle.pods.end(), [&](const PodSet& p) { return policy_selects(*policy, p); });
    const auto gateways = gateway_pods(context.bundle);
    const bool gateway = std::any_of(gateways.begin(), gateways.end(), [&](const Peer& g) { return same_namespace(policy->name_space, g.name_space) && label_selector_selects(policy->spec()["podSelector"], g.labels); });
    // Of a namespace in which the bundle runs nothing, nothing is known.
    const bool empty = std::none_of(context.bundle.pods.begin(), context.bundle.pods.end(), [&](const PodSet& p) { return same_namespace(policy->name_space, p.name_space); });
    if (!any && !gateway && !empty) findings.add(*policy, policy->spec()["podSelector"].at, "its podSelector matches no pod of the bundle");
  }
}

void dns_is_open(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    for (const auto protocol : {std::string_view("UDP"), std::string_view("TCP")}) {
      const Flow flow{Direction::kEgress, {"kube-dns", "kube-system", {{"k8s-app", "kube-dns"}}, false}, 53, protocol};
      const Object* policy = blocked_by(context.bundle, pods, flow, pods);
      if (policy == nullptr) continue;
      findings.add(*policy, policy->spec().at, "selects " + pods.owner + ", and no policy lets it ask DNS (53 " + std::string(protocol) + ")");
      if (pods.role == PodRole::kOther) findings.last().severity = Severity::kWarning;
    }
  }
}

bool in_mesh(const PodSet& pods) {
  const auto inject = pods.labels.find("sidecar.istio.io/inject");
  return inject != pods.labels.end() && inject->second == "true";
}

bool namespace_injects(const Bundle& bundle, const std::string& name) {
  const Labels labels = namespace_labels(bundle, name);
  const auto at = labels.find("istio-injection");
  return at != labels.end() && at->second == "enabled";
}

void istiod_is_open(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (!in_mesh(pods) && !namespace_injects(context.bundle, pods.name_space)) continue;
    const Flow flow{Direction::kEgress, {"istiod", "istio-system", {{"app", "istiod"}}, false}, 15012};
    const Object* policy = blocked_by(context.bundle, pods, flow, pods);
    if (policy != nullptr) findings.add(*policy, policy->spec().at, "selects " + pods.owner + ", whose sidecar cannot reach istiod on 15012");
  }
}

void no_open_egress(const LintContext& context, Findings& findings) {
  for (const Object* policy : context.bundle.of_kind("networking.k8s.io", "NetworkPolicy")) {
    for (const auto& rule : policy->spec()["egress"].items) {
      if (rule.kind == NodeKind::kNull || (rule.is_map() && rule.members.empty())) findings.add(*policy, rule.at, "an empty egress rule allows everything");
    }
  }
}

void servers_are_not_open(const LintContext& context, Findings& findings) {
  for (const Object* policy : context.bundle.of_kind("networking.k8s.io", "NetworkPolicy")) {
    const bool servers = std::any_of(context.bundle.pods.begin(), context.bundle.pods.end(), [&](const PodSet& p) { return p.role == PodRole::kModelServer && policy_selects(*policy, p); });
    if (!servers) continue;
    for (const auto& rule : policy->spec()["ingress"].items) {
      const auto& from = rule["from"].items;
      const bool all = from.empty() || std::any_of(from.begin(), from.end(), [](const Node& e) {
        const Node& spaces = e["namespaceSelector"];
        return spaces.is_map() && spaces.members.empty() && !e["podSelector"].exists();
      });
      if (all) findings.add(*policy, rule.at, "servers can be reached from every namespace, past the picker");
    }
  }
}

constexpr std::array kRules{
    Rule{"L49", Severity::kError, "NetworkPolicies let through what serving needs", "503, endless retries, or a picker that sees no metrics",
         "allow gateway to picker 9002 and to servers 8000, picker to servers 8000 and to the API server, servers to 443", "D3, network policies", flows_pass},
    Rule{"L50", Severity::kError, "each NetworkPolicy selects pods", "a policy that matches nothing protects nothing, and what it was to open stays shut",
         "use the labels that pods carry: app.kubernetes.io/component: llminferenceservice-router-scheduler for the picker", "D3, allow-gateway-to-epp-scheduler", policies_select_something},
    Rule{"L51", Severity::kError, "pods can ask DNS", "every name fails to resolve", "allow egress to kube-dns on 53, UDP and TCP", "", dns_is_open},
    Rule{"L52", Severity::kError, "sidecars can reach istiod", "sidecars get no configuration and never become ready", "allow egress to istio-system on 15012", "D3, 15012 and 15017", istiod_is_open},
    Rule{"L53", Severity::kWarning, "no egress rule allows everything", "the policy says nothing", "name what is reached", "", no_open_egress},
    Rule{"L54", Severity::kWarning, "servers are not open to every namespace", "requests past the picker spoil its picture and the caches", "allow the gateway's namespace and the picker only", "", servers_are_not_open}};

}  // namespace

std::span<const Rule> network_rules() { return kRules; }

}  // namespace deploy
