// The KServe bundle on Istio: one LLMInferenceService, from which the controller makes Deployment, picker, pool and route;
// a Gateway; NetworkPolicies whose selectors are the labels that the controller sets. No EnvoyFilter: Istio from 1.27 on
// passes bodies to the picker itself, and a filter that touches ext_proc there takes the picker out.
#include <algorithm>

#include "deploy/render_parts.h"

namespace deploy {
namespace {

constexpr std::string_view kService = R"yaml(apiVersion: serving.kserve.io/${api_version}
kind: LLMInferenceService
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  model:
    uri: "hf://${model}"
    name: ${served_name}
  replicas: ${replicas}
  parallelism: {tensor: ${chips}}
  router:
    route: {}
    # Empty: the controller's own Gateway, below. References to others are refused beside a managed route.
    gateway: {}
    scheduler:
${scheduler}  template:
    nodeSelector:
      cloud.google.com/gke-tpu-accelerator: ${accelerator}
      cloud.google.com/gke-tpu-topology: ${topology}
    containers:
      - name: main
        image: ${server_image}
        args:
${arguments}        env:
          - {name: PJRT_DEVICE, value: TPU}
          - {name: TPU_CHIPS_PER_HOST_BOUNDS, value: "${chip_bounds}"}
          - {name: TPU_HOST_BOUNDS, value: "1,1,1"}
          - {name: TPU_NUM_DEVICES, value: "${chips}"}
          - name: HF_TOKEN
            valueFrom: {secretKeyRef: {name: ${token_secret}, key: HF_TOKEN}}
        ports:
          - {name: https, containerPort: 8000}
        startupProbe:
          httpGet: {path: /v1/models, port: https, scheme: HTTPS}
          initialDelaySeconds: 15
          periodSeconds: 30
          timeoutSeconds: 5
          failureThreshold: 60
        resources:
          requests: {cpu: "8", memory: 32Gi, google.com/tpu: "${chips}"}
          limits: {memory: 64Gi, google.com/tpu: "${chips}"}
)yaml";

constexpr std::string_view kGateway = R"yaml(apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: inference-gateway
  namespace: ${gateway_namespace}
spec:
  gatewayClassName: istio
  listeners:
    - name: http
      port: 80
      protocol: HTTP
      # The route lives beside the service, in another namespace.
      allowedRoutes: {namespaces: {from: All}}
)yaml";

constexpr std::string_view kPolicies = R"yaml(# What serving needs, and nothing else. Selectors are the labels that the controller sets on its children.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: picker-${name}
  namespace: ${namespace}
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: ${name}, app.kubernetes.io/component: llminferenceservice-router-scheduler}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${gateway_namespace}}}
      ports: [{port: 9002}, {port: 9003}, {port: 9090}]
  egress:
    - to:
        - podSelector: {matchLabels: {app.kubernetes.io/name: ${name}, kserve.io/component: workload}}
      ports: [{port: 8000}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: vllm-${name}
  namespace: ${namespace}
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: ${name}, kserve.io/component: workload}
  policyTypes: [Ingress]
  ingress:
    - from:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ${gateway_namespace}}}
        - podSelector: {matchLabels: {app.kubernetes.io/name: ${name}, app.kubernetes.io/component: llminferenceservice-router-scheduler}}
      ports: [{port: 8000}]
---
# The model's registry, and the API server, which has no pods to select.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: outside-${name}
  namespace: ${namespace}
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: ${name}}
  policyTypes: [Egress]
  egress:
    - to:
        - ipBlock: {cidr: 0.0.0.0/0}
      ports: [{port: 443}, {port: 6443}]
    - to:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
      ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: istio-${name}
  namespace: ${namespace}
spec:
  podSelector:
    matchLabels: {app.kubernetes.io/name: ${name}}
  policyTypes: [Egress]
  egress:
    - to:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}
      ports: [{port: 15012}]
)yaml";

constexpr std::string_view kBudget = R"yaml(apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: vllm-${name}
  namespace: ${namespace}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {app.kubernetes.io/name: ${name}, kserve.io/component: workload}
)yaml";

/// The picker's configuration, indented by `spaces`.
std::string picker_config(const DeployValues& v, std::size_t spaces) {
  const std::string text = std::string("apiVersion: ") + (v.pin == Pin::kCurrent ? "llm-d.ai/v1alpha1" : "inference.networking.x-k8s.io/v1alpha1") +
                           "\nkind: EndpointPickerConfig\nplugins:\n  - type: queue-scorer\n  - type: kv-cache-utilization-scorer\n  - type: prefix-cache-scorer\n  - type: max-score-picker\n"
                           "schedulingProfiles:\n  - name: default\n    plugins:\n"
                           "      - {pluginRef: queue-scorer, weight: " + std::to_string(v.queue_weight) + "}\n      - {pluginRef: kv-cache-utilization-scorer, weight: " + std::to_string(v.kv_weight) +
                           "}\n      - {pluginRef: prefix-cache-scorer, weight: " + std::to_string(v.prefix_weight) + "}\n      - {pluginRef: max-score-picker}\n";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    out += std::string(spaces, ' ') + text.substr(at, end - at + 1);
    at = end + 1;
  }
  return out;
}

/// Early 2026 the weights are an argument, and apply replaces the whole list of arguments; later they are a field.
std::string scheduler(const DeployValues& v) {
  if (v.pin == Pin::kCurrent) return "      config:\n        inline:\n" + picker_config(v, 10);
  return "      template:\n        containers:\n          - name: main\n            image: " + v.picker_image +
         "\n            args:\n              - --poolName=" + v.name + "-inference-pool\n              - --poolNamespace=" + v.name_space +
         "\n              - --configText\n              - |\n" + picker_config(v, 16) + "            resources:\n              requests: {cpu: \"1\", memory: 1Gi}\n";
}

/// Early 2026 the preset runs a shell and takes one line; later it runs `vllm serve` and takes flags.
std::string arguments(const DeployValues& v) {
  const std::string caching = v.pattern == 1 ? "--no-enable-prefix-caching" : "--enable-prefix-caching";
  const std::vector<std::string> flags{"--served-model-name=" + v.served_name, "--port=8000", "--tensor-parallel-size=" + std::to_string(v.chips), "--max-model-len=" + std::to_string(v.max_model_len), caching,
                                       "--ssl-certfile=/var/run/kserve/tls/tls.crt", "--ssl-keyfile=/var/run/kserve/tls/tls.key"};
  if (v.pin == Pin::kCurrent) {
    std::string out;
    for (const auto& flag : flags) out += "          - " + flag + "\n";
    return out;
  }
  std::string line = "vllm serve /mnt/models";
  for (const auto& flag : flags) line += "\n            " + flag;
  return "          - >-\n            " + line + "\n";
}

std::string chip_bounds(std::string topology) {
  std::replace(topology.begin(), topology.end(), 'x', ',');
  return std::count(topology.begin(), topology.end(), ',') == 1 ? topology + ",1" : topology;
}

std::string readme(const DeployValues& v) {
  return "# " + v.name + ": Pattern " + std::to_string(v.pattern) + ", KServe on Istio (" + std::string(word_for(v.pin)) + " versions)\n\n" + std::to_string(v.replicas) + " replica" + (v.replicas == 1 ? "" : "s") + " of " + v.model +
         ". The controller makes the Deployment, the picker, the InferencePool and the HTTPRoute.\n\nBefore: Istio 1.27 or later, KServe with LLMInferenceService" +
         (v.pin == Pin::kCurrent ? " v1alpha2 (v0.17 or later)" : " v1alpha1 (the fork of early 2026, or upstream v0.16)") + ", the namespaces " + v.name_space + " and " + std::string("opendatahub") + ", the secret " + v.token_secret +
         " with the key `HF_TOKEN` in " + v.name_space + ".\n\n    kubectl apply -k .\n\nNo EnvoyFilter: Istio passes bodies to the picker itself, and a filter that sets only body modes takes the picker out.\n\n"
         "Rendered by gatebench deploy render; `gatebench deploy lint .` judges it, also after your changes.\n";
}

}  // namespace

std::vector<RenderedFile> render_kserve(const DeployValues& v) {
  const std::vector<std::pair<std::string, std::string>> words{{"name", v.name},
                                                               {"namespace", v.name_space},
                                                               {"gateway_namespace", "opendatahub"},
                                                               {"api_version", v.pin == Pin::kCurrent ? "v1alpha2" : "v1alpha1"},
                                                               {"model", v.model},
                                                               {"served_name", v.served_name},
                                                               {"replicas", std::to_string(v.replicas)},
                                                               {"chips", std::to_string(v.chips)},
                                                               {"chip_bounds", chip_bounds(v.topology)},
                                                               {"accelerator", v.accelerator},
                                                               {"topology", v.topology},
                                                               {"server_image", v.server_image},
                                                               {"token_secret", v.token_secret},
                                                               {"scheduler", scheduler(v)},
                                                               {"arguments", arguments(v)}};
  std::vector<RenderedFile> out{{"gateway.yaml", fill_in(kGateway, words)}, {"llmisvc.yaml", fill_in(kService, words)}, {"networkpolicies.yaml", fill_in(kPolicies, words)}};
  if (v.disruption_budget && v.replicas > 1) out.push_back({"budget.yaml", fill_in(kBudget, words)});
  std::sort(out.begin(), out.end(), [](const RenderedFile& a, const RenderedFile& b) { return a.name < b.name; });
  std::string resources;
  for (const auto& file : out) resources += "  - " + file.name + "\n";
  out.push_back({"kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n" + resources});
  out.push_back({"README.md", readme(v)});
  out.push_back({"values.yaml", values_text(v)});
  return out;
}

}  // namespace deploy
