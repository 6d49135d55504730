// See expectation.h.
#include "deploy/live/expectation.h"

#include "core/text.h"
#include "deploy/tpu.h"

namespace deploy {

Expectation::Expectation(BundleValues values) : values_(std::move(values)), names_(names_of(values_)) {}

std::pair<std::int64_t, std::int64_t> Expectation::replicas() const {
  if (values_.flag("hpa.enabled")) return {values_.integer("hpa.min_replicas"), values_.integer("hpa.max_replicas")};
  return {values_.integer("replicas"), values_.integer("replicas")};
}

std::pair<std::int64_t, std::int64_t> Expectation::pool_minor_releases() const {
  // GIE v1.6 took InferenceObjective and InferenceModelRewrite of the old group away; v1.3 is what today's pickers ask for.
  return values_.key.pin == Pin::kEarly2026 ? std::pair<std::int64_t, std::int64_t>{0, 5} : std::pair<std::int64_t, std::int64_t>{3, 99};
}

Labels labels_in(std::string_view selector) {
  Labels out;
  for (const auto pair : core::split(selector, ',')) {
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos) out.emplace(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return out;
}

std::string ResourceQuery::command() const {
  std::string out = "kubectl get";
  for (const auto& word : arguments) out += " " + word;
  return out + " -o json";
}

std::vector<ResourceQuery> resource_queries(const Expectation& want) {
  const std::string& space = want.name_space();
  const BundleNames& names = want.names();
  const bool kserve = want.variant() == Variant::kIstioKserve;
  std::vector<ResourceQuery> out;
  const auto in_space = [&](std::string_view file, std::string_view kind, std::string resource, bool optional = false) {
    out.push_back({file, kind, {std::move(resource), "-n", space}, optional});
  };
  in_space("pods.json", "Pod", "pods");
  in_space("deployments.json", "Deployment", "deployments.apps");
  in_space("services.json", "Service", "services");
  in_space("endpointslices.json", "EndpointSlice", "endpointslices.discovery.k8s.io");
  in_space("inferencepools.json", "InferencePool", "inferencepools.inference.networking.k8s.io");
  in_space("httproutes.json", "HTTPRoute", "httproutes.gateway.networking.k8s.io");
  out.push_back({"gateways.json", "Gateway", {"gateways.gateway.networking.k8s.io", "-n", names.gateway_namespace}, false});
  if (!kserve) out.push_back({"configmaps.json", "ConfigMap", {"configmaps", names.picker, "-n", space, "--ignore-not-found"}, false});
  if (kserve) {
    in_space("llminferenceservices.json", "LLMInferenceService", "llminferenceservices.serving.kserve.io");
    in_space("networkpolicies.json", "NetworkPolicy", "networkpolicies.networking.k8s.io");
  }
  if (want.variant() == Variant::kGke) {
    in_space("healthcheckpolicies.json", "HealthCheckPolicy", "healthcheckpolicies.networking.gke.io", true);
    in_space("gcpbackendpolicies.json", "GCPBackendPolicy", "gcpbackendpolicies.networking.gke.io", true);
  } else {
    out.push_back({"envoyfilters.json", "EnvoyFilter", {"envoyfilters.networking.istio.io", "-n", names.gateway_namespace}, true});
    if (names.gateway_namespace != kMeshNamespace) out.push_back({kMeshFiltersFile, "EnvoyFilter", {"envoyfilters.networking.istio.io", "-n", std::string(kMeshNamespace)}, true, true});
  }
  out.push_back({"nodes.json", "Node", {"nodes", "-l", std::string(kAcceleratorLabel) + "=" + want.values().text("accelerator")}, false});
  out.push_back({"customresourcedefinitions.json",
                 "CustomResourceDefinition",
                 {"customresourcedefinitions.apiextensions.k8s.io", "inferencepools.inference.networking.k8s.io", "--ignore-not-found"},
                 false});
  return out;
}

}  // namespace deploy
