// The plain bundle: Deployment of vLLM, InferencePool v1, picker with its rights, Gateway and HTTPRoute, and what keeps
// them running. Templates hold `${key}` only; whole files come or go by the values.
#include <algorithm>
#include <map>

#include "deploy/render_parts.h"

namespace deploy {
namespace {

constexpr std::string_view kServer = R"yaml(# vLLM, one pod per replica. A pod takes all chips of its node.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: vllm-${name}
  namespace: ${namespace}
  labels: {app.kubernetes.io/part-of: ${name}}
spec:
  replicas: ${replicas}
  # Every TPU node is taken, so a surge pod would wait for ever: one replica is away during a rollout.
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 0, maxUnavailable: 1}
  selector:
    matchLabels: {app: vllm-${name}}
  template:
    metadata:
      # Unique to this pattern: pools and Deployments of the namespace must select disjoint pods.
      labels: {app: vllm-${name}, app.kubernetes.io/part-of: ${name}}
    spec:
      terminationGracePeriodSeconds: 130
      nodeSelector:
        cloud.google.com/gke-tpu-accelerator: ${accelerator}
        cloud.google.com/gke-tpu-topology: ${topology}
      containers:
        - name: vllm
          image: ${server_image}
          args:
            - --model=${model}
            - --served-model-name=${served_name}
            - --port=8000
            - --tensor-parallel-size=${chips}
            - --max-model-len=${max_model_len}
            - ${caching_flag}
          env:
            - {name: PJRT_DEVICE, value: TPU}
            - {name: TPU_CHIPS_PER_HOST_BOUNDS, value: "${chip_bounds}"}
            - {name: TPU_HOST_BOUNDS, value: "1,1,1"}
            - {name: TPU_NUM_DEVICES, value: "${chips}"}
            - name: HF_TOKEN
              valueFrom: {secretKeyRef: {name: ${token_secret}, key: HF_TOKEN}}
          ports:
            - {name: vllm, containerPort: 8000}
          # 30 minutes for download, TPU initialisation and precompilation; 5 to 7 are usual.
          startupProbe:
            httpGet: {path: /v1/models, port: vllm}
            initialDelaySeconds: 15
            periodSeconds: 30
            timeoutSeconds: 5
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /health, port: vllm}
            periodSeconds: 10
            timeoutSeconds: 5
          readinessProbe:
            httpGet: {path: /v1/models, port: vllm}
            periodSeconds: 5
            timeoutSeconds: 2
          resources:
            requests: {cpu: "8", memory: 32Gi, google.com/tpu: "${chips}"}
            limits: {memory: 64Gi, google.com/tpu: "${chips}"}
          volumeMounts:
            - {name: cache, mountPath: /root/.cache}
            - {name: shm, mountPath: /dev/shm}
      volumes:
        - name: cache
          emptyDir: {sizeLimit: 20Gi}
        - name: shm
          emptyDir: {medium: Memory, sizeLimit: 8Gi}
)yaml";

constexpr std::string_view kPicker = R"yaml(# The endpoint picker: one replica, so that one memory of prefixes decides.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: picker-${name}
  namespace: ${namespace}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: picker-${name}
  namespace: ${namespace}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
  - {apiGroups: [inference.networking.k8s.io], resources: [inferencepools], verbs: [get, list, watch]}
  - {apiGroups: [${objective_group}], resources: [inferenceobjectives, inferencemodelrewrites], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: picker-${name}
  namespace: ${namespace}
subjects:
  - {kind: ServiceAccount, name: picker-${name}, namespace: ${namespace}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: picker-${name}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: picker-${name}
  namespace: ${namespace}
data:
  picker.yaml: |
    apiVersion: ${config_api}
    kind: EndpointPickerConfig
    plugins:
      - type: queue-scorer
      - type: kv-cache-utilization-scorer
      - type: prefix-cache-scorer
      - type: max-score-picker
    schedulingProfiles:
      - name: default
        plugins:
          - {pluginRef: queue-scorer, weight: ${queue_weight}}
          - {pluginRef: kv-cache-utilization-scorer, weight: ${kv_weight}}
          - {pluginRef: prefix-cache-scorer, weight: ${prefix_weight}}
          - {pluginRef: max-score-picker}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: picker-${name}
  namespace: ${namespace}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector:
    matchLabels: {app: picker-${name}}
  template:
    metadata:
      labels: {app: picker-${name}}
    spec:
      serviceAccountName: picker-${name}
      terminationGracePeriodSeconds: 130
      containers:
        - name: epp
          image: ${picker_image}
          args:
            - --pool-name=${name}
            - --pool-namespace=${namespace}
            - --pool-group=inference.networking.k8s.io
            - --config-file=/config/picker.yaml
            - --zap-encoder=json
          ports:
            - {name: grpc, containerPort: 9002}
            - {name: grpc-health, containerPort: 9003}
            - {name: metrics, containerPort: 9090}
          livenessProbe:
            grpc: {port: 9003, service: inference-extension}
            initialDelaySeconds: 5
          readinessProbe:
            grpc: {port: 9003, service: inference-extension}
            initialDelaySeconds: 5
          resources:
            requests: {cpu: "1", memory: 1Gi}
            limits: {memory: 4Gi}
          volumeMounts:
            - {name: config, mountPath: /config}
      volumes:
        - name: config
          configMap: {name: picker-${name}}
---
apiVersion: v1
kind: Service
metadata:
  name: picker-${name}
  namespace: ${namespace}
spec:
  selector: {app: picker-${name}}
  ports:
    - {name: grpc-ext-proc, port: 9002, appProtocol: kubernetes.io/h2c}
    - {name: http-metrics, port: 9090}
)yaml";

constexpr std::string_view kRouting = R"yaml(# What clients reach, and where it goes.
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  selector:
    matchLabels: {app: vllm-${name}}
  targetPorts:
    - {number: 8000}
  # FailClose: a dead picker must be seen, not hidden behind round robin.
  endpointPickerRef:
    name: picker-${name}
    port: {number: 9002}
    failureMode: FailClose
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: gateway-${name}
  namespace: ${namespace}
spec:
  gatewayClassName: ${gateway_class}
  listeners:
    - {name: http, port: 80, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: ${name}
  namespace: ${namespace}
spec:
  parentRefs:
    - {group: gateway.networking.k8s.io, kind: Gateway, name: gateway-${name}}
${hostnames}  rules:
    - matches:
        - path: {type: PathPrefix, value: /}
      # No port: the pool's targetPorts rule.
      backendRefs:
        - {group: inference.networking.k8s.io, kind: InferencePool, name: ${name}}
)yaml";

constexpr std::string_view kIstio = R"yaml(# The picker serves TLS with a certificate of its own making.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: picker-${name}
  namespace: ${namespace}
spec:
  host: picker-${name}.${namespace}.svc.cluster.local
  trafficPolicy:
    tls: {mode: SIMPLE, insecureSkipVerify: true}
)yaml";

constexpr std::string_view kBudget = R"yaml(# One replica at a time may be drained.
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: vllm-${name}
  namespace: ${namespace}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {app: vllm-${name}}
)yaml";

constexpr std::string_view kMonitoring = R"yaml(# For the Prometheus operator. On GKE's managed Prometheus use PodMonitoring instead.
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: vllm-${name}
  namespace: ${namespace}
spec:
  selector:
    matchLabels: {app: vllm-${name}}
  podMetricsEndpoints:
    - {port: vllm, path: /metrics, interval: 15s}
)yaml";

constexpr std::string_view kLoad = R"yaml(# Load from inside the cluster: once, bounded, without any right but to list pods for their metrics.
apiVersion: v1
kind: ServiceAccount
metadata:
  name: gatebench-${name}
  namespace: ${namespace}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: gatebench-${name}
  namespace: ${namespace}
rules:
  - {apiGroups: [""], resources: [pods], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: gatebench-${name}
  namespace: ${namespace}
subjects:
  - {kind: ServiceAccount, name: gatebench-${name}, namespace: ${namespace}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: gatebench-${name}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: gatebench-${name}
  namespace: ${namespace}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 1800
  ttlSecondsAfterFinished: 86400
  template:
    metadata:
      labels: {app: gatebench-${name}}
    spec:
      restartPolicy: Never
      serviceAccountName: gatebench-${name}
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: gatebench
          image: ${load_image}
          args:
            - run
            - shared-prefix
            - --target=${inside_url}
            - --model=${served_name}
            - --replicas=kube:${namespace}/app=vllm-${name}:8000
            - --num-prompts=2000
            - --store=/out/gatebench.db
            - --out=/out
            - --output=json
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          resources:
            requests: {cpu: "2", memory: 1Gi}
            limits: {memory: 2Gi}
          volumeMounts:
            - {name: out, mountPath: /out}
      volumes:
        - name: out
          emptyDir: {sizeLimit: 1Gi}
)yaml";

/// "2,2,1" for 2x2, "2,4,1" for 2x4.
std::string chip_bounds(const std::string& topology) {
  std::string out = topology;
  std::replace(out.begin(), out.end(), 'x', ',');
  return std::count(out.begin(), out.end(), ',') == 1 ? out + ",1" : out;
}

std::vector<std::pair<std::string, std::string>> dictionary(const DeployValues& v) {
  const bool current = v.pin == Pin::kCurrent;
  // Istio names a Gateway's Service after it and its class; other implementations have names of their own.
  const std::string inside = "http://gateway-" + v.name + "-" + v.gateway_class + "." + v.name_space + ".svc.cluster.local";
  return {{"name", v.name},
          {"namespace", v.name_space},
          {"replicas", std::to_string(v.replicas)},
          {"accelerator", v.accelerator},
          {"topology", v.topology},
          {"server_image", v.server_image},
          {"picker_image", v.picker_image},
          {"load_image", v.load_image},
          {"model", v.model},
          {"served_name", v.served_name},
          {"chips", std::to_string(v.chips)},
          {"chip_bounds", chip_bounds(v.topology)},
          {"max_model_len", std::to_string(v.max_model_len)},
          {"caching_flag", v.pattern == 1 ? "--no-enable-prefix-caching  # the baseline is without a cache, and says so" : "--enable-prefix-caching"},
          {"token_secret", v.token_secret},
          {"objective_group", current ? "llm-d.ai" : "inference.networking.x-k8s.io"},
          {"config_api", current ? "llm-d.ai/v1alpha1" : "inference.networking.x-k8s.io/v1alpha1"},
          {"queue_weight", std::to_string(v.queue_weight)},
          {"kv_weight", std::to_string(v.kv_weight)},
          {"prefix_weight", std::to_string(v.prefix_weight)},
          {"gateway_class", v.gateway_class},
          {"hostnames", v.host.empty() ? "" : "  hostnames: [" + v.host + "]\n"},
          {"inside_url", inside}};
}

std::string readme(const DeployValues& v, const std::vector<RenderedFile>& files) {
  std::string out = "# " + v.name + ": Pattern " + std::to_string(v.pattern) + ", plain (" + std::string(word_for(v.pin)) + " versions)\n\n" + std::to_string(v.replicas) + " replica" + (v.replicas == 1 ? "" : "s") + " of " + v.model +
                    " on " + v.accelerator + " " + v.topology + ", behind an InferencePool whose picker scores prefixes " + std::to_string(v.prefix_weight) + ", queue " + std::to_string(v.queue_weight) + ", KV " + std::to_string(v.kv_weight) +
                    ".\n\nBefore: the namespace " + v.name_space + ", the secret " + v.token_secret + " in it with the keys `token` and `HF_TOKEN`, the Gateway API and InferencePool definitions, and a gateway of class " + v.gateway_class +
                    ".\n\n    kubectl apply -k .\n\nFiles:\n\n";
  for (const auto& file : files) out += "- " + file.name + "\n";
  if (v.load_job) out += "\n`load.yaml` is not part of the kustomization: apply it when you want load, once `gatebench` is in a registry that the cluster reads.\n";
  return out + "\nRendered by gatebench deploy render; `gatebench deploy lint .` judges it, also after your changes.\n";
}

}  // namespace

std::vector<RenderedFile> render_plain(const DeployValues& v) {
  const auto words = dictionary(v);
  std::map<std::string, std::string_view> templates{{"picker.yaml", kPicker}, {"routing.yaml", kRouting}, {"vllm.yaml", kServer}};
  if (v.gateway_class == "istio") templates["istio.yaml"] = kIstio;
  if (v.disruption_budget && v.replicas > 1) templates["budget.yaml"] = kBudget;
  if (v.monitoring) templates["monitoring.yaml"] = kMonitoring;
  std::vector<RenderedFile> out;
  std::string resources;
  for (const auto& [name, text] : templates) {
    out.push_back({name, fill_in(text, words)});
    resources += "  - " + name + "\n";
  }
  out.push_back({"kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n" + resources});
  if (v.load_job) out.push_back({"load.yaml", fill_in(kLoad, words)});
  std::sort(out.begin(), out.end(), [](const RenderedFile& a, const RenderedFile& b) { return a.name < b.name; });
  out.push_back({"README.md", readme(v, out)});
  out.push_back({"values.yaml", values_text(v)});
  return out;
}


}  // namespace deploy
