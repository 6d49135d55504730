// See routing.h.
#include "deploy/routing.h"

namespace deploy {

std::vector<BackendRef> pool_refs(const Bundle& bundle) {
  std::vector<BackendRef> out;
  for (const auto& route : bundle.objects) {
    if (route.kind != "HTTPRoute") continue;
    for (const auto& rule : route.spec()["rules"].items) {
      for (const auto& node : rule["backendRefs"].items) {
        if (node["kind"].str() != "InferencePool") continue;
        BackendRef ref{&route, &node, std::string(node["group"].str()), "InferencePool", std::string(node["name"].str()), route.name_space, node.at};
        if (node["namespace"].exists()) ref.name_space = node["namespace"].str();
        out.push_back(std::move(ref));
      }
    }
  }
  return out;
}

PickerRef picker_ref(const Object& pool) {
  const Node& v1 = pool.spec()["endpointPickerRef"];
  if (v1.exists()) return {std::string(v1["name"].str()), v1.path({"port", "number"}).integer(), v1.at};
  const Node& old = pool.spec()["extensionRef"];
  if (!old.exists()) return {};
  const auto port = old["portNumber"].integer();
  return {std::string(old["name"].str()), port ? port : std::optional<std::int64_t>(9002), old.at};
}

const Node& pool_selector_node(const Object& pool) {
  const Node& selector = pool.spec()["selector"];
  const Node& v1 = selector["matchLabels"];
  return v1.exists() ? v1 : selector;
}

Labels pool_selector(const Object& pool) { return labels_of(pool_selector_node(pool)); }

std::vector<std::int64_t> pool_ports(const Object& pool) {
  std::vector<std::int64_t> out;
  for (const auto& port : pool.spec()["targetPorts"].items) {
    if (const auto number = port["number"].integer()) out.push_back(*number);
  }
  if (const auto old = pool.spec()["targetPortNumber"].integer()) out.push_back(*old);
  return out;
}

std::vector<const PodSet*> pods_of_pool(const Bundle& bundle, const Object& pool) {
  std::vector<const PodSet*> out;
  const Labels selector = pool_selector(pool);
  for (const auto& pods : bundle.pods) {
    if (!selector.empty() && same_namespace(pods.name_space, pool.name_space) && selects(selector, pods.labels)) out.push_back(&pods);
  }
  return out;
}

}  // namespace deploy
