// Live checks of broken clusters: each fault by itself, found by its check, with words that no other fault gets.
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/live_state.h"

namespace {

using deploy::CheckState;
using support::condition;
using support::Json;
using support::LiveState;

constexpr auto kGke = deploy::Variant::kGke;
constexpr auto kKserve = deploy::Variant::kIstioKserve;
constexpr auto kPlain = deploy::Variant::kPlain;
constexpr const char* kRefused = "Error from server (Forbidden): pods is forbidden";

struct Fault {
  std::string name;
  deploy::Variant variant;
  std::function<void(LiveState&)> make;
  std::string check;       ///< that finds it
  CheckState state;
  std::string words;       ///< of what was observed
  std::string remedy;      ///< a part of what to do
};

Json& status_of(Json& object, const std::string& type) {
  for (auto& one : object["status"]["conditions"]) {
    if (one["type"] == type) return one;
  }
  return object["status"]["conditions"].emplace_back(condition(type));
}
Json& parent_condition(Json& object, std::size_t i) { return object["status"]["parents"][0]["conditions"][i]; }
Json& main_status(Json& pod) { return pod["status"]["containerStatuses"][0]; }
void waits(Json& pod, const std::string& reason, const std::string& message) {
  main_status(pod)["state"] = {{"waiting", {{"reason", reason}, {"message", message}}}};
  main_status(pod)["ready"] = false;
  status_of(pod, "Ready")["status"] = "False";
}
Json& args_of(Json& pod) { return pod["spec"]["containers"][0]["args"]; }
Json& deployment(LiveState& s) { return s.object("deployments.json", s.want().names().workload); }
Json& picker(LiveState& s) { return s.object("deployments.json", s.want().names().picker); }
Json& gateway(LiveState& s) { return s.object("gateways.json", s.want().names().gateway); }
Json& route(LiveState& s) { return s.object("httproutes.json", s.want().names().route); }
Json& pool(LiveState& s) { return s.object("inferencepools.json", s.want().names().pool); }
Json& service(LiveState& s) { return s.object("llminferenceservices.json", s.want().values().text("service_name")); }
Json& definition(LiveState& s) { return s.lists["customresourcedefinitions.json"][0]; }
std::string& picker_after(LiveState& s) { return s.pages[deploy::metrics_file(deploy::PageOwner::kPicker, s.want().names().picker + "-xyz", true)]; }
std::string server_before(LiveState& s, int i) { return deploy::metrics_file(deploy::PageOwner::kServer, s.want().names().workload + "-abc-" + std::to_string(i), false); }
std::string picker_before(LiveState& s) { return deploy::metrics_file(deploy::PageOwner::kPicker, s.want().names().picker + "-xyz", false); }

void replace(std::string& text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no " + from);
  text.replace(at, from.size(), to);
}

std::vector<Fault> node_faults() {
  const auto node = [](LiveState& s) -> Json& { return s.lists["nodes.json"][1]; };
  return {
      {"node not ready", kPlain, [=](LiveState& s) { status_of(node(s), "Ready") = condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."); }, "C1", CheckState::kFailed, "is not Ready: Kubelet stopped", "kubectl describe node tpu-1"},
      {"node cordoned", kPlain, [=](LiveState& s) { node(s)["spec"]["unschedulable"] = true; }, "C1", CheckState::kFailed, "Node tpu-1: is cordoned", "kubectl uncordon tpu-1"},
      {"no device plugin", kPlain, [=](LiveState& s) { node(s)["status"]["allocatable"]["google.com/tpu"] = "0"; }, "C1", CheckState::kFailed, "offers no google.com/tpu", "device plugin"},
      {"other topology", kPlain, [=](LiveState& s) { node(s)["metadata"]["labels"]["cloud.google.com/gke-tpu-topology"] = "2x4"; }, "C1", CheckState::kFailed, "has topology 2x4", "topology 2x2"},
      {"machine of one chip", kPlain, [=](LiveState& s) { node(s)["status"]["allocatable"]["google.com/tpu"] = "1"; }, "C1", CheckState::kFailed, "offers 1 chips", "ct6e-standard-4t"},
      {"pool too small", kPlain, [](LiveState& s) { s.lists["nodes.json"].resize(2); }, "C1", CheckState::kFailed, "only 2 TPU nodes", "grow node pool tpu-v6e-pool"},
      {"nodes may not be read", kPlain, [](LiveState& s) { s.absent("nodes.json", "forbidden", "nodes is forbidden: User \"x\" cannot list"); }, "C1", CheckState::kUnknown, "may not be read: nodes is forbidden", "let somebody who has it run"},
      {"one spare node broken", kPlain, [=](LiveState& s) { s.lists["nodes.json"].push_back(node(s)); s.lists["nodes.json"][3]["metadata"]["name"] = "tpu-9"; s.lists["nodes.json"][3]["spec"]["unschedulable"] = true; }, "C1", CheckState::kWarned, "Node tpu-9", "kubectl uncordon tpu-9"},
      {"no pool definition", kPlain, [](LiveState& s) { s.lists["customresourcedefinitions.json"].clear(); }, "C2", CheckState::kFailed, "not installed", "inference.networking.x-k8s.io is another one"},
      {"definition not served", kPlain, [](LiveState& s) { definition(s)["spec"]["versions"][0]["served"] = false; }, "C2", CheckState::kFailed, "does not serve v1", "a release that serves it"},
      {"definition of another release", kGke, [](LiveState& s) { definition(s)["metadata"]["annotations"]["inference.networking.k8s.io/bundle-version"] = "v0.5.1"; }, "C2", CheckState::kWarned, "is of release v0.5.1", "mixing releases"},
      {"pool kind unknown", kPlain, [](LiveState& s) { s.absent("inferencepools.json", "unknown kind", "the server doesn't have a resource type"); }, "C8", CheckState::kFailed, "InferencePool: the cluster does not know the kind", "install the definitions first"},
  };
}

std::vector<Fault> workload_faults() {
  return {
      {"no deployment", kGke, [](LiveState& s) { s.remove("deployments.json", s.want().names().workload); }, "C3", CheckState::kFailed, "not there; found: gaie-pattern3-epp", "-f values.yaml"},
      {"scaled to two", kPlain, [](LiveState& s) { deployment(s)["spec"]["replicas"] = 2; deployment(s)["status"]["readyReplicas"] = 2; deployment(s)["status"]["updatedReplicas"] = 2; }, "C3", CheckState::kFailed, "asks for 2 replicas", "scale it"},
      {"one not ready", kPlain, [](LiveState& s) { deployment(s)["status"]["readyReplicas"] = 2; deployment(s)["status"]["unavailableReplicas"] = 1; }, "C3", CheckState::kFailed, "2 of 3 replicas are ready", "the pods' own lines"},
      {"rollout under way", kPlain, [](LiveState& s) { deployment(s)["status"]["updatedReplicas"] = 1; }, "C3", CheckState::kFailed, "1 of 3 replicas are of the latest revision", "rollout status deploy/pattern3-vllm"},
      {"rollout stuck on a full pool", kPlain, [](LiveState& s) { deployment(s)["status"]["updatedReplicas"] = 1; status_of(deployment(s), "Progressing") = condition("Progressing", "False", "ProgressDeadlineExceeded", "ReplicaSet \"x\" has timed out progressing."); }, "C3", CheckState::kFailed, "its rollout is stuck: ReplicaSet", "maxSurge must be 0"},
      {"change not seen", kPlain, [](LiveState& s) { deployment(s)["metadata"]["generation"] = 4; }, "C3", CheckState::kFailed, "its latest change has not been seen", "kube-controller-manager"},
      {"unschedulable pod", kPlain, [](LiveState& s) { status_of(s.server_pod(2), "PodScheduled") = condition("PodScheduled", "False", "Unschedulable", "0/4 nodes are available: 3 Insufficient google.com/tpu."); }, "C4", CheckState::kFailed, "has no node: 0/4 nodes are available", "grow the node pool, or free chips"},
      {"image cannot be pulled", kPlain, [](LiveState& s) { waits(s.server_pod(0), "ImagePullBackOff", "manifest unknown"); }, "C4", CheckState::kFailed, "cannot pull its image: manifest unknown", "check the tag"},
      {"secret without its key", kPlain, [](LiveState& s) { waits(s.server_pod(0), "CreateContainerConfigError", "couldn't find key HF_TOKEN in Secret"); }, "C4", CheckState::kFailed, "cannot be configured: couldn't find key HF_TOKEN", "with every key that the pod reads"},
      {"crash loop", kPlain, [](LiveState& s) { waits(s.server_pod(1), "CrashLoopBackOff", ""); main_status(s.server_pod(1))["lastState"] = {{"terminated", {{"exitCode", 1}, {"reason", "Error"}}}}; }, "C4", CheckState::kFailed, "crashes again and again, exit code 1", "--previous"},
      {"killed for host memory", kPlain, [](LiveState& s) { main_status(s.server_pod(1))["restartCount"] = 2; main_status(s.server_pod(1))["lastState"] = {{"terminated", {{"exitCode", 137}, {"reason", "OOMKilled"}}}}; }, "C4", CheckState::kFailed, "killed for want of host memory (OOMKilled), 2 restarts", "RAM of the host"},
      {"restarted", kPlain, [](LiveState& s) { main_status(s.server_pod(1))["restartCount"] = 1; main_status(s.server_pod(1))["lastState"] = {{"terminated", {{"exitCode", 139}, {"reason", "Error"}}}}; }, "C4", CheckState::kFailed, "has restarted 1 times, last exit code 139", "--previous"},
      {"evicted", kPlain, [](LiveState& s) { Json pod = s.server_pod(0); pod["metadata"]["name"] = "old"; pod["status"] = {{"phase", "Failed"}, {"reason", "Evicted"}, {"message", "The node was low on resource: ephemeral-storage."}}; s.lists["pods.json"].push_back(pod); }, "C4", CheckState::kFailed, "was evicted: The node was low", "model.cache_size"},
      {"two on one node", kPlain, [](LiveState& s) { s.server_pod(1)["spec"]["nodeName"] = "tpu-0"; }, "C4", CheckState::kFailed, "runs on node tpu-0 with", "all of a host's"},
      {"asks for no chips", kPlain, [](LiveState& s) { s.server_pod(1)["spec"]["containers"][0]["resources"] = Json::object(); }, "C4", CheckState::kFailed, "asks for no google.com/tpu", "apply the bundle again"},
      {"still loading", kPlain, [](LiveState& s) { main_status(s.server_pod(1))["ready"] = false; status_of(s.server_pod(1), "Ready")["status"] = "False"; }, "C4", CheckState::kFailed, "container vllm runs, and is not ready since 2026-02-13T10:01:00Z", "compiles the model"},
      {"prefix caching turned off", kPlain, [](LiveState& s) { args_of(s.server_pod(0)).push_back("--no-enable-prefix-caching"); }, "C4", CheckState::kFailed, "vllm-abc-0: --no-enable-prefix-caching", "take the argument away"},
      {"other context length", kPlain, [](LiveState& s) { for (auto& a : args_of(s.server_pod(0))) { if (a.get<std::string>().rfind("--max-model-len", 0) == 0) a = "--max-model-len=4096"; } }, "C4", CheckState::kFailed, "--max-model-len=4096", "model.max_model_len"},
      {"other image", kPlain, [](LiveState& s) { s.server_pod(2)["spec"]["containers"][0]["image"] = "vllm/vllm-tpu:nightly"; }, "C4", CheckState::kWarned, "runs image vllm/vllm-tpu:nightly", "images.vllm"},
      {"pods not in the state", kPlain, [](LiveState& s) { s.lists.erase("pods.json"); }, "C4", CheckState::kUnknown, "Pod: not in the saved state", "kubectl get pods -n llm-d-inference-scheduling -o json > pods.json"},
      {"hangs", kPlain, [](LiveState& s) { status_of(s.server_pod(1), "Ready")["status"] = "False"; s.server_pod(1)["metadata"]["creationTimestamp"] = "2026-02-13T08:00:00Z"; }, "K10", CheckState::kFailed, "not Ready 10800 s after its creation", "it hangs"},
      {"slow start", kPlain, [](LiveState& s) { main_status(s.server_pod(0))["state"]["running"]["startedAt"] = "2026-02-13T10:05:00Z"; }, "K10", CheckState::kWarned, "its container started 300 s after", "pre-pull it"},
  };
}

std::vector<Fault> picker_faults() {
  return {
      {"no picker", kPlain, [](LiveState& s) { s.remove("deployments.json", s.want().names().picker); }, "C5", CheckState::kFailed, "not there; found: pattern3-vllm", "routes round robin"},
      {"picker not ready", kPlain, [](LiveState& s) { picker(s)["status"].erase("readyReplicas"); }, "C5", CheckState::kFailed, "no replica is ready", "logs deploy/pattern3-pool-epp"},
      {"two pickers", kPlain, [](LiveState& s) { picker(s)["status"]["readyReplicas"] = 2; }, "C5", CheckState::kWarned, "2 replicas are ready", "--ha-enable-leader-election"},
      {"picker's service selects nothing", kPlain, [](LiveState& s) { s.lists["endpointslices.json"][0]["endpoints"] = Json::array(); }, "C5", CheckState::kFailed, "no endpoint is ready", "the Service's selector"},
      {"picker's service without its port", kPlain, [](LiveState& s) { s.lists["endpointslices.json"][0]["ports"][0]["port"] = 9003; }, "C5", CheckState::kFailed, "offers no port 9002", "add it to the Service's ports"},
      {"no slices", kPlain, [](LiveState& s) { s.lists["endpointslices.json"].clear(); }, "C5", CheckState::kFailed, "no EndpointSlice is of this Service", "apply the picker's Service"},
      {"default weights", kPlain, [](LiveState& s) { for (auto& [key, text] : s.lists["configmaps.json"][0]["data"].items()) { (void)key; std::string t = text; replace(t, "weight: 3", "weight: 1"); text = t; } }, "C5", CheckState::kFailed, "weighs prefix 1, kv 2, queue 2", "restart the picker"},
      {"config that no picker loads", kPlain, [](LiveState& s) { for (auto& [key, text] : s.lists["configmaps.json"][0]["data"].items()) { (void)key; std::string t = text; replace(t, "type: queue-scorer", "type: queue-scorer-2"); text = t; } }, "C5", CheckState::kFailed, "its EndpointPickerConfig is refused", "gatebench deploy lint"},
      {"config gone", kPlain, [](LiveState& s) { s.lists["configmaps.json"].clear(); }, "C5", CheckState::kFailed, "there is none with an EndpointPickerConfig", "apply the picker's ConfigMap"},
      {"picker sees other pods", kPlain, [](LiveState& s) { s.pages[picker_before(s)] = support::picker_page(s.want().names().pool, 5, 4); }, "C10", CheckState::kFailed, "it knows 4 ready endpoints", "the right to list pods"},
      {"metrics want a token", kPlain, [](LiveState& s) { s.absent(picker_before(s), "failed", "error: You must be logged in to the server (Unauthorized)"); }, "C10", CheckState::kUnknown, "its metrics want a token", "--metrics-token-env"},
      {"something else on 9090", kPlain, [](LiveState& s) { s.pages[picker_before(s)] = "go_goroutines 7\n"; picker_after(s) = "go_goroutines 7\n"; }, "C10", CheckState::kFailed, "none of a picker's metrics", "what listens on port 9090"},
      {"old vLLM", kPlain, [](LiveState& s) { replace(s.pages[server_before(s, 1)], "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"); }, "C10", CheckState::kFailed, "lacks vllm:kv_cache_usage_perc", "--kv-cache-usage-percentage-metric"},
      {"server's page is HTML", kPlain, [](LiveState& s) { s.pages[server_before(s, 1)] = "<html>\n"; }, "C10", CheckState::kFailed, "is no Prometheus text", "something else listening on port 8000"},
      {"server's page cannot be read", kPlain, [](LiveState& s) { s.absent(server_before(s, 2), "failed", "Error from server (ServiceUnavailable): dial tcp 10.0.0.4:8000"); }, "C10", CheckState::kFailed, "its metrics cannot be read: Error from server (ServiceUnavailable)", "does it listen on that port"},
      {"metrics kept from the API server", kPlain, [](LiveState& s) { s.absent(server_before(s, 2), "failed", "Error from server (ServiceUnavailable): error trying to reach service: dial tcp 10.0.0.4:8000: i/o timeout"); }, "C10", CheckState::kUnknown, "its metrics cannot be had from here", "pods/portforward"},
      {"no right to forward", kPlain, [](LiveState& s) { s.absent(picker_before(s), "forbidden", "Error from server (Forbidden): cannot create resource pods/portforward"); }, "C10", CheckState::kUnknown, "its metrics may not be read: Error from server (Forbidden): cannot create resource pods/portforward", "ask for it"},
      {"no right to proxy", kPlain, [](LiveState& s) { s.absent(server_before(s, 2), "forbidden", "Error from server (Forbidden): pods \"x\" is forbidden"); }, "C10", CheckState::kUnknown, "server pattern3-vllm-abc-2: its metrics may not be read", "ask for it"},
      {"picker bypassed", kPlain, [](LiveState& s) { picker_after(s) = support::picker_page(s.want().names().pool, 5, 3); }, "K9", CheckState::kFailed, "counted 0 of 7 requests; the model servers finished 7: it is bypassed", "EnvoyFilter"},
      {"picker asked by one path only", kPlain, [](LiveState& s) { picker_after(s) = support::picker_page(s.want().names().pool, 9, 3); }, "K9", CheckState::kFailed, "counted 4 of 7 requests; the model servers finished 7: some requests go past it", "a second route"},
      {"picker restarted between", kPlain, [](LiveState& s) { picker_after(s) = support::picker_page(s.want().names().pool, 2, 3); }, "K9", CheckState::kUnknown, "its counters fell", "check again"},
  };
}

std::vector<Fault> way_in_faults() {
  return {
      {"no gateway", kPlain, [](LiveState& s) { s.lists["gateways.json"].clear(); }, "C6", CheckState::kFailed, "Gateway llm-d-inference-scheduling/pattern3-gateway: there is none", "apply it"},
      {"istio's class on GKE", kGke, [](LiveState& s) { gateway(s)["spec"]["gatewayClassName"] = "istio"; }, "C6", CheckState::kFailed, "is of class istio", "one of the two regional ones"},
      {"nobody takes the gateway", kGke, [](LiveState& s) { gateway(s)["status"]["conditions"] = Json::array(); }, "C6", CheckState::kFailed, "has no condition Accepted", "is there a GatewayClass"},
      {"no proxy-only subnet", kGke, [](LiveState& s) { status_of(gateway(s), "Programmed") = condition("Programmed", "False", "Invalid", "An active proxy-only subnetwork is required"); }, "C6", CheckState::kFailed, "Programmed is False: Invalid, An active proxy-only", "proxy-only subnet"},
      {"no address", kPlain, [](LiveState& s) { gateway(s)["status"]["addresses"] = Json::array(); }, "C6", CheckState::kFailed, "has no address", "LoadBalancer"},
      {"no route attached", kPlain, [](LiveState& s) { gateway(s)["status"]["listeners"][0]["attachedRoutes"] = 0; }, "C6", CheckState::kFailed, "no route is attached", "allowedRoutes"},
      {"two routes attached", kPlain, [](LiveState& s) { gateway(s)["status"]["listeners"][0]["attachedRoutes"] = 2; }, "C6", CheckState::kFailed, "2 routes are attached", "other patterns"},
      {"no route", kGke, [](LiveState& s) { route(s)["metadata"]["name"] = "llm-d-pattern1-inference-scheduling"; }, "C7", CheckState::kFailed, "not there; found: llm-d-pattern1-inference-scheduling", "apply it"},
      {"timeouts on GKE", kGke, [](LiveState& s) { parent_condition(route(s), 0) = condition("Accepted", "False", "UnsupportedValue", "GWCER104: timeouts"); }, "C7", CheckState::kFailed, "Accepted is False: UnsupportedValue, GWCER104", "GCPBackendPolicy"},
      {"port on GKE", kGke, [](LiveState& s) { route(s)["spec"]["rules"][0]["backendRefs"][0]["port"] = 8000; }, "C7", CheckState::kFailed, "a backendRef to an InferencePool has port 8000", "GKE refuses it"},
      {"backend not found", kPlain, [](LiveState& s) { parent_condition(route(s), 1) = condition("ResolvedRefs", "False", "BackendNotFound", "InferencePool x not found"); }, "C7", CheckState::kFailed, "ResolvedRefs is False: BackendNotFound", "an InferencePool of the same namespace"},
      {"route not taken", kPlain, [](LiveState& s) { route(s)["status"] = Json::object(); }, "C7", CheckState::kFailed, "no Gateway has taken it", "its parentRef must name the Gateway"},
      {"route to a service", kPlain, [](LiveState& s) { route(s)["spec"]["rules"][0]["backendRefs"][0] = {{"kind", "Service"}, {"name", "vllm"}, {"port", 8000}}; }, "C7", CheckState::kFailed, "no rule leads to InferencePool pattern3-pool", "a Service as backend goes past the picker"},
      {"route changed since", kPlain, [](LiveState& s) { route(s)["metadata"]["generation"] = 3; }, "C7", CheckState::kFailed, "Accepted is True for generation 1, and the object is at 3", "the controller is stuck"},
      {"selector of two patterns", kPlain, [](LiveState& s) { Json pod = s.server_pod(0); pod["metadata"]["name"] = "pattern1-vllm-0"; pod["metadata"]["labels"]["release"] = "pattern1"; s.lists["pods.json"].push_back(pod); pool(s)["spec"]["selector"]["matchLabels"].erase("release"); }, "C8", CheckState::kFailed, "its selector also matches pattern1-vllm-0", "a label of its own"},
      {"selector of nothing", kPlain, [](LiveState& s) { pool(s)["spec"]["selector"]["matchLabels"] = {{"app", "vllm"}}; }, "C8", CheckState::kFailed, "its selector matches no pod", "--show-labels"},
      {"pool not used", kPlain, [](LiveState& s) { pool(s)["status"] = Json::object(); }, "C8", CheckState::kFailed, "no Gateway uses it", "Istio before 1.27"},
      {"pool of another picker", kPlain, [](LiveState& s) { pool(s)["spec"]["endpointPickerRef"]["name"] = "other-epp"; }, "C8", CheckState::kFailed, "names endpoint picker other-epp", "set spec.endpointPickerRef"},
      {"picker's service not found", kPlain, [](LiveState& s) { parent_condition(pool(s), 1) = condition("ResolvedRefs", "False", "InvalidExtensionRef", "Service x not found"); }, "C8", CheckState::kFailed, "ResolvedRefs is False: InvalidExtensionRef", "endpointPickerRef must name a Service that exists"},
      {"no health check policy", kGke, [](LiveState& s) { s.lists["healthcheckpolicies.json"].clear(); }, "C8", CheckState::kFailed, "HealthCheckPolicy: none is for InferencePool gaie-pattern3", "apply policies.yaml"},
      {"policy not attached", kGke, [](LiveState& s) { s.lists["gcpbackendpolicies.json"][0]["status"]["conditions"][0] = condition("Attached", "False", "TargetNotFound", "no pool"); }, "C8", CheckState::kFailed, "Attached is False: TargetNotFound", "its targetRef"},
      {"nobody answers", kPlain, [](LiveState& s) { for (auto& r : s.requests) { r["status"] = 0; r["error"] = "connect: timed out"; r["body"] = ""; } }, "C9", CheckState::kFailed, "no answer: connect: timed out", "--target URL"},
      {"no backend", kPlain, [](LiveState& s) { for (std::size_t i = 2; i < 9; ++i) s.answer(i, 503, "no healthy upstream"); }, "C9", CheckState::kFailed, "status 503: no healthy upstream", "no backend is ready behind the route"},
      {"wrong path", kPlain, [](LiveState& s) { for (std::size_t i = 0; i < 9; ++i) s.answer(i, 404, "not found"); }, "C9", CheckState::kFailed, "status 404: not found", "no route matches the path or host"},
      {"served under another name", kPlain, [](LiveState& s) { s.answer(1, 200, R"({"data":[{"id":"/mnt/models"}]})"); }, "C9", CheckState::kFailed, "lists /mnt/models", "--served-model-name=Qwen/Qwen2.5-3B-Instruct"},
      {"empty answers", kPlain, [](LiveState& s) { s.answer(3, 200, R"({"choices":[{"text":""}],"usage":{"completion_tokens":0}})"); }, "C9", CheckState::kFailed, "answers 200 with no text: {\"choices\"", "ask a pod directly"},
      {"a page instead of an answer", kPlain, [](LiveState& s) { s.answer(3, 200, "<html>captive portal</html>"); }, "C9", CheckState::kFailed, "with no text: <html>captive portal", "ask a pod directly"},
      {"max_tokens ignored", kPlain, [](LiveState& s) { s.answer(3, 200, R"({"choices":[{"text":"x"}],"usage":{"completion_tokens":64}})"); }, "C9", CheckState::kFailed, "64 completion tokens where 10 were allowed", "ask a pod directly"},
      {"shed", kPlain, [](LiveState& s) { s.answer(8, 429, "{}"); }, "C9", CheckState::kFailed, "status 429", "sheds load"},
      {"no address to ask", kPlain, [](LiveState& s) { s.requests = nullptr; s.absent("requests.json", "failed", "the Gateway is nowhere"); }, "C9", CheckState::kUnknown, "the Gateway is nowhere", "mend the gateway first"},
      {"route without its load balancer", kGke, [](LiveState& s) { parent_condition(route(s), 2) = condition("Reconciled", "False", "ReconciliationFailed", "quota"); }, "C7", CheckState::kFailed, "Reconciled is False: ReconciliationFailed", "the load balancer could not be programmed"},
  };
}

/// What is there and leads elsewhere.
std::vector<Fault> route_faults() {
  static const auto filter = [](const std::string& name_space, const std::string& patches) {
    return Json::parse(R"({"apiVersion":"networking.istio.io/v1alpha3","kind":"EnvoyFilter","metadata":{"name":"f","namespace":")" + name_space + R"("},"spec":{"configPatches":)" + patches + "}}");
  };
  static const auto of_another = [](Json& object) { object["status"]["parents"][0]["parentRef"] = {{"kind", "Gateway"}, {"namespace", "infra"}, {"name", "shared-gateway"}}; };
  static const std::string drops = R"([{"applyTo":"HTTP_ROUTE","patch":{"operation":"MERGE","value":{"typed_per_filter_config":{"envoy.filters.http.ext_proc":{"overrides":{"processing_mode":{"request_body_mode":"BUFFERED"}}}}}}}])";
  static const std::string removes = R"([{"applyTo":"HTTP_FILTER","match":{"context":"GATEWAY","listener":{"filterChain":{"filter":{"name":"envoy.filters.network.http_connection_manager","subFilter":{"name":"envoy.filters.http.ext_proc"}}}}},"patch":{"operation":"REMOVE"}}])";
  return {
      {"route of another gateway", kPlain, [](LiveState& s) { of_another(route(s)); }, "C7", CheckState::kFailed, "its parents are infra/shared-gateway", "name the Gateway in its parentRefs"},
      {"pool of another gateway", kPlain, [](LiveState& s) { of_another(pool(s)); }, "C8", CheckState::kFailed, "is used by infra/shared-gateway alone", "no accepted route of that Gateway"},
      {"pool of weight 0", kPlain, [](LiveState& s) { route(s)["spec"]["rules"][0]["backendRefs"][0]["weight"] = 0; }, "C7", CheckState::kFailed, "gives InferencePool pattern3-pool weight 0", "set weight: 1"},
      {"a service beside the pool", kPlain, [](LiveState& s) { route(s)["spec"]["rules"][0]["backendRefs"].push_back({{"kind", "Service"}, {"name", "vllm"}, {"port", 8000}, {"weight", 100}}); }, "C7", CheckState::kFailed, "shares a rule between the pool and Service vllm", "go past the picker"},
      {"a rule to a service", kPlain, [](LiveState& s) { route(s)["spec"]["rules"].push_back({{"backendRefs", {{{"name", "vllm"}, {"port", 8000}}}}}); }, "C7", CheckState::kFailed, "has a rule that leads to Service vllm", "go past the picker"},
      {"picker asked on its health port", kPlain, [](LiveState& s) { pool(s)["spec"]["endpointPickerRef"]["port"]["number"] = 9003; }, "C8", CheckState::kFailed, "asks the picker on port 9003", "9003 is its health"},
      {"pool's port that no server has", kPlain, [](LiveState& s) { pool(s)["spec"]["targetPorts"][0]["number"] = 9999; }, "C8", CheckState::kFailed, "sends to port 9999 of the servers", "targetPorts"},
      {"gateway about to go", kPlain, [](LiveState& s) { gateway(s)["metadata"]["deletionTimestamp"] = "2026-02-13T10:59:00Z"; }, "C6", CheckState::kFailed, "Gateway llm-d-inference-scheduling/pattern3-gateway: is being deleted since 2026-02-13T10:59:00Z", "finalizers"},
      {"route about to go", kPlain, [](LiveState& s) { route(s)["metadata"]["deletionTimestamp"] = "2026-02-13T10:59:00Z"; }, "C7", CheckState::kFailed, "HTTPRoute llm-d-inference-scheduling/pattern3-route: is being deleted", "apply it again"},
      {"port and endpoint in different slices", kPlain, [](LiveState& s) {
         Json other = s.lists["endpointslices.json"][0];
         s.lists["endpointslices.json"][0]["endpoints"] = Json::array();
         other["metadata"]["name"] = "of-metrics";
         other["ports"][0]["port"] = 9090;
         s.lists["endpointslices.json"].push_back(other); }, "C5", CheckState::kFailed, "its ready endpoints do not offer port 9002", "the Service's targetPort"},
      {"config file that is not there", kGke, [](LiveState& s) { for (auto& arg : args_of(s.picker_pod())) { if (arg == "/config/default-plugins.yaml") arg = "/config/custom-plugins.yaml"; } }, "C5", CheckState::kFailed, "has no custom-plugins.yaml, which the picker is told to read; it has default-plugins.yaml", "make --config-file and the ConfigMap agree"},
      {"config that cannot be judged", kGke, [](LiveState& s) { s.lists["configmaps.json"][0]["data"]["default-plugins.yaml"] = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\nplugins:\n- type: lora-affinity-scorer\n- type: max-score-picker\n- type: single-profile-handler\nschedulingProfiles:\n- name: default\n  plugins:\n  - pluginRef: max-score-picker\n"; }, "C5", CheckState::kUnknown, "has what gatebench cannot judge", "by eye"},
      {"rollout that leaves one behind", kPlain, [](LiveState& s) { deployment(s)["status"]["unavailableReplicas"] = 1; }, "C3", CheckState::kFailed, "all 3 are ready, and 1 more are not available", "check again"},
      {"picker not ready, without election", kPlain, [](LiveState& s) { main_status(s.picker_pod())["ready"] = false; status_of(s.picker_pod(), "Ready")["status"] = "False"; }, "C5", CheckState::kFailed, "Pod llm-d-inference-scheduling/pattern3-pool-epp-xyz: container epp runs, and is not ready", "health service on port 9003"},
      {"a second picker, told not to elect", kPlain, [](LiveState& s) {
         args_of(s.picker_pod()).push_back("--ha-enable-leader-election=false");
         Json other = s.picker_pod();
         other["metadata"]["name"] = "pattern3-pool-epp-two";
         main_status(other)["ready"] = false;
         status_of(other, "Ready")["status"] = "False";
         s.lists["pods.json"].push_back(other); }, "C5", CheckState::kFailed, "pattern3-pool-epp-two: container epp runs, and is not ready", "health service"},
      {"file that a variable names", kGke, [](LiveState& s) {
         s.lists["configmaps.json"][0]["data"]["b.yaml"] = s.lists["configmaps.json"][0]["data"]["default-plugins.yaml"];
         args_of(s.picker_pod()) = Json{"--pool-name", "x", "--config-file=$(CONFIG)"}; }, "C5", CheckState::kUnknown, "has b.yaml, default-plugins.yaml, and no running picker says which it reads", "the picker's own lines"},
      {"filter that takes ext_proc away", kKserve, [](LiveState& s) { s.lists["envoyfilters.json"].push_back(filter("opendatahub", removes)); }, "K4", CheckState::kFailed, "REMOVE of the ext_proc filter", ""},
      {"filter of the whole mesh", kKserve, [](LiveState& s) { s.lists["envoyfilters-mesh.json"].push_back(filter("istio-system", drops)); }, "K4", CheckState::kFailed, "EnvoyFilter istio-system/f: the ext_proc override has no grpc_service", ""},
  };
}

std::vector<Fault> kserve_faults() {
  const auto policy = [](LiveState& s, const std::string& begin) -> Json& { return s.object("networkpolicies.json", begin + "-pattern3"); };
  return {
      {"no service", kKserve, [](LiveState& s) { s.lists["llminferenceservices.json"].clear(); }, "K1", CheckState::kFailed, "qwen2-3b-pattern3: there is none", "apply it"},
      {"service not taken", kKserve, [](LiveState& s) { service(s)["status"] = Json::object(); }, "K1", CheckState::kFailed, "its status is empty", "kserve-controller-manager"},
      {"preset missing", kKserve, [](LiveState& s) { status_of(service(s), "PresetsCombined") = condition("PresetsCombined", "False", "CombineBaseError", "kserve-config-llm-template not found"); }, "K1", CheckState::kFailed, "PresetsCombined is False: CombineBaseError", "a preset (LLMInferenceServiceConfig) is missing"},
      {"no url", kKserve, [](LiveState& s) { service(s)["status"].erase("url"); }, "K1", CheckState::kFailed, "its status has no URL", "the Gateway has no address yet"},
      {"service of one replica", kKserve, [](LiveState& s) { service(s)["spec"]["replicas"] = 1; }, "K1", CheckState::kFailed, "asks for 1 replicas", "scale it"},
      {"server crashes", kKserve, [](LiveState& s) { waits(s.server_pod(0), "CrashLoopBackOff", ""); main_status(s.server_pod(0))["lastState"] = {{"terminated", {{"exitCode", 2}, {"reason", "Error"}}}}; }, "K2", CheckState::kFailed, "exit code 2", "--previous"},
      {"a child made by hand", kKserve, [](LiveState& s) { pool(s)["metadata"].erase("ownerReferences"); }, "K3", CheckState::kFailed, "is not owned by LLMInferenceService", "delete it"},
      {"no child", kKserve, [](LiveState& s) { s.lists["inferencepools.json"].clear(); }, "K3", CheckState::kFailed, "qwen2-3b-pattern3-inference-pool: there is none", "the controller makes it from the LLMInferenceService"},
      {"filter that disconnects the picker", kKserve, [](LiveState& s) {
         s.lists["envoyfilters.json"].push_back(Json::parse(R"({"apiVersion":"networking.istio.io/v1alpha3","kind":"EnvoyFilter","metadata":{"name":"f","namespace":"opendatahub"},"spec":{"workloadSelector":{"labels":{"gateway.networking.k8s.io/gateway-name":"inference-gateway"}},"configPatches":[{"applyTo":"HTTP_ROUTE","match":{"context":"GATEWAY","routeConfiguration":{"vhost":{"route":{"name":"llm-d-inference-scheduling.qwen2-3b-pattern3-kserve-route.0"}}}},"patch":{"operation":"MERGE","value":{"typed_per_filter_config":{"envoy.filters.http.ext_proc":{"@type":"type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute","overrides":{"processing_mode":{"request_body_mode":"FULL_DUPLEX_STREAMED"}}}}}}}]}})")); },
       "K4", CheckState::kFailed, "EnvoyFilter opendatahub/f: the ext_proc override has no grpc_service", ""},
      {"filter for a rule that is not there", kKserve, [](LiveState& s) {
         s.lists["envoyfilters.json"].push_back(Json::parse(R"({"apiVersion":"networking.istio.io/v1alpha3","kind":"EnvoyFilter","metadata":{"name":"f","namespace":"opendatahub"},"spec":{"workloadSelector":{"labels":{"gateway.networking.k8s.io/gateway-name":"inference-gateway"}},"configPatches":[{"applyTo":"HTTP_ROUTE","match":{"context":"GATEWAY","routeConfiguration":{"vhost":{"route":{"name":"llm-d-inference-scheduling.qwen2-3b-pattern3-kserve-route.7"}}}},"patch":{"operation":"MERGE","value":{"typed_per_filter_config":{"envoy.filters.http.ext_proc":{"overrides":{"grpc_service":{"envoy_grpc":{"cluster_name":"x"}},"processing_mode":{"request_body_mode":"BUFFERED"}}}}}}}]}})")); },
       "K4", CheckState::kFailed, "names rule 7 of the route", "name those that lead to the pool"},
      {"policy that closes a flow", kKserve, [=](LiveState& s) { for (auto& rule : policy(s, "allow-gateway-to-vllm")["spec"]["ingress"]) { for (auto& port : rule["ports"]) port["port"] = 8001; } }, "K5", CheckState::kFailed, "no policy lets it be reached from gateway inference-gateway on 8000", "servers 8000"},
      {"policy gone", kKserve, [](LiveState& s) { s.remove("networkpolicies.json", "allow-gateway-to-vllm-pattern3"); }, "K5", CheckState::kFailed, "allow-gateway-to-vllm-pattern3: not there", "apply networkpolicies.yaml"},
      {"policy of the guides' label", kKserve, [=](LiveState& s) { policy(s, "allow-gateway-to-epp-scheduler")["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] = "router-scheduler"; }, "K5", CheckState::kFailed, "allow-gateway-to-epp-scheduler-pattern3: its podSelector matches no pod", "--show-labels"},
      {"served under its path", kKserve, [](LiveState& s) { s.answer(1, 200, R"({"data":[{"id":"/mnt/models"}]})"); }, "K6", CheckState::kFailed, "lists /mnt/models", "--served-model-name"},
      {"weights of the guides", kKserve, [](LiveState& s) { std::string text = args_of(s.picker_pod()).back(); replace(text, "\"weight\":3", "\"weight\":2"); args_of(s.picker_pod()).back() = text; }, "K7", CheckState::kFailed, "weighs prefix 2, kv 2, queue 2", "an argument of the scheduler"},
      {"weights not to be seen", kKserve, [](LiveState& s) { args_of(s.picker_pod()) = Json{"--pool-name", "x"}; }, "K7", CheckState::kUnknown, "no picker's pod has an EndpointPickerConfig", "which configuration does it read"},
      {"extraArgs that reach no server", kKserve, [](LiveState& s) { args_of(s.server_pod(0)) = Json{"--max-model-len=2048"}; }, "K8", CheckState::kFailed, "no --enable-prefix-caching among the arguments", "extraArgs and the like reach no server"},
      {"no context length", kKserve, [](LiveState& s) { args_of(s.server_pod(0)) = Json{"--enable-prefix-caching"}; }, "K8", CheckState::kFailed, "no --max-model-len", "spec.template.containers[name=main].args"},
      {"picker bypassed by a filter", kKserve, [](LiveState& s) { picker_after(s) = support::picker_page(s.want().names().pool, 5, 3); }, "K9", CheckState::kFailed, "it is bypassed, and every answer was a 200", "an EnvoyFilter that replaces Istio's ext_proc entry"},
      {"late children", kKserve, [](LiveState& s) { route(s)["metadata"]["creationTimestamp"] = "2026-02-13T10:02:00Z"; }, "K10", CheckState::kWarned, "made 120 s after its service", "the controller was late"},
  };
}

std::vector<Fault> all_faults() {
  std::vector<Fault> out;
  for (auto* part : {node_faults, workload_faults, picker_faults, way_in_faults, route_faults, kserve_faults}) {
    auto more = part();
    out.insert(out.end(), more.begin(), more.end());
  }
  return out;
}

/// Lines of a report that are neither passed nor skipped, as "SUBJECT: OBSERVED".
std::vector<std::string> troubles(const deploy::CheckReport& report) {
  std::vector<std::string> out;
  for (const auto& result : report.results) {
    for (const auto& line : result.lines) {
      if (line.state > CheckState::kPassed) out.push_back(line.subject + ": " + line.observed);
    }
  }
  return out;
}

bool says(const std::vector<std::string>& lines, const std::string& words) {
  return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(words) != std::string::npos; });
}

TEST(LiveBroken, EachFaultIsFoundByItsCheckAndSaysWhatToDo) {
  for (const auto& fault : all_faults()) {
    auto state = LiveState::of(3, fault.variant);
    fault.make(state);
    const auto report = state.check();
    bool found = false;
    for (const auto& result : report.results) {
      if (result.id != fault.check) continue;
      EXPECT_EQ(result.state, fault.state) << fault.name;
      for (const auto& line : result.lines) {
        const bool same = line.state == fault.state && (line.subject + ": " + line.observed).find(fault.words) != std::string::npos;
        found = found || (same && !line.expected.empty() && line.remedy.find(fault.remedy) != std::string::npos);
      }
    }
    EXPECT_TRUE(found) << fault.name << ": " << fault.check << " does not say \"" << fault.words << "\" and \"" << fault.remedy << "\"\n"
                       << deploy::render_check_text(report, state.want(), {});
  }
}

TEST(LiveBroken, NoFaultGetsAnothersWords) {
  std::vector<std::pair<Fault, std::vector<std::string>>> seen;
  for (const auto& fault : all_faults()) {
    auto state = LiveState::of(3, fault.variant);
    fault.make(state);
    seen.emplace_back(fault, troubles(state.check()));
  }
  EXPECT_GE(seen.size(), 115U);
  for (const auto& [fault, lines] : seen) {
    for (const auto& [other, others_lines] : seen) {
      if (fault.name == other.name || fault.variant != other.variant) continue;
      EXPECT_FALSE(says(others_lines, fault.words)) << "\"" << other.name << "\" is told what belongs to \"" << fault.name << "\"";
    }
  }
}

}  // namespace
