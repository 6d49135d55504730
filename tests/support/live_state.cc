// See live_state.h.
#include "tests/support/live_state.h"

#include <stdexcept>

#include "deploy/render/render.h"
#include "deploy/yaml/document.h"

namespace support {
namespace {

Json json_of(const deploy::Node& node) {
  switch (node.kind) {
    case deploy::NodeKind::kMap: {
      Json out = Json::object();
      for (const auto& member : node.members) out[member.key] = json_of(member.value);
      return out;
    }
    case deploy::NodeKind::kList: {
      Json out = Json::array();
      for (const auto& item : node.items) out.push_back(json_of(item));
      return out;
    }
    case deploy::NodeKind::kInteger: return node.integer().value_or(0);
    case deploy::NodeKind::kFloat: return node.number().value_or(0);
    case deploy::NodeKind::kBool: return node.to_bool();
    case deploy::NodeKind::kString: return node.text;
    case deploy::NodeKind::kNull:
    case deploy::NodeKind::kMissing: break;
  }
  return nullptr;
}

const std::map<std::string, std::string>& file_of_kind() {
  static const std::map<std::string, std::string> files{
      {"Deployment", "deployments.json"}, {"Service", "services.json"}, {"InferencePool", "inferencepools.json"}, {"HTTPRoute", "httproutes.json"},
      {"Gateway", "gateways.json"}, {"ConfigMap", "configmaps.json"}, {"LLMInferenceService", "llminferenceservices.json"}, {"NetworkPolicy", "networkpolicies.json"},
      {"HealthCheckPolicy", "healthcheckpolicies.json"}, {"GCPBackendPolicy", "gcpbackendpolicies.json"}, {"EnvoyFilter", "envoyfilters.json"}};
  return files;
}

Json labels(const std::string& selector) {
  Json out = Json::object();
  for (const auto& [key, value] : deploy::labels_in(selector)) out[key] = value;
  return out;
}

/// Labels of pods: what the selector asks for, and on KServe what the controller adds.
Json pod_labels(const deploy::Expectation& want, const std::string& selector) {
  Json out = labels(selector);
  if (want.variant() == deploy::Variant::kIstioKserve) out["app.kubernetes.io/part-of"] = "llminferenceservice";
  return out;
}

Json container_status(const std::string& name) {
  return {{"name", name}, {"ready", true}, {"restartCount", 0}, {"state", {{"running", {{"startedAt", "2026-02-13T10:01:00Z"}}}}}};
}

Json running_status(const Json& spec) {
  Json statuses = Json::array();
  for (const auto& container : spec.at("containers")) statuses.push_back(container_status(container.at("name").get<std::string>()));
  Json ready = condition("Ready");
  ready["lastTransitionTime"] = "2026-02-13T10:06:00Z";
  return {{"phase", "Running"}, {"conditions", {condition("PodScheduled"), ready}}, {"containerStatuses", statuses}};
}

Json deployment_status(int replicas) {
  return {{"observedGeneration", 1}, {"replicas", replicas}, {"readyReplicas", replicas}, {"updatedReplicas", replicas}, {"availableReplicas", replicas},
          {"conditions", {condition("Available"), condition("Progressing", "True", "NewReplicaSetAvailable")}}};
}

Json pod_of(const Json& deployment, const std::string& suffix, const std::string& node) {
  const Json& pod_template = deployment.at("spec").at("template");
  Json pod{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", pod_template.at("metadata")}, {"spec", pod_template.at("spec")}};
  pod["metadata"]["name"] = deployment.at("metadata").at("name").get<std::string>() + suffix;
  pod["metadata"]["namespace"] = deployment.at("metadata").at("namespace");
  pod["metadata"]["creationTimestamp"] = "2026-02-13T10:00:00Z";
  pod["spec"]["nodeName"] = node;
  pod["status"] = running_status(pod["spec"]);
  return pod;
}

}  // namespace

Json condition(const std::string& type, const std::string& status, const std::string& reason, const std::string& message) {
  return {{"type", type}, {"status", status}, {"reason", reason}, {"message", message}, {"observedGeneration", 1}};
}

std::string picker_page(const std::string& pool, int requests, int ready) {
  return "# TYPE inference_objective_request_total counter\ninference_objective_request_total{model_name=\"m\"} " + std::to_string(requests) +
         "\n# TYPE inference_pool_ready_pods gauge\ninference_pool_ready_pods{name=\"" + pool + "\"} " + std::to_string(ready) + "\n";
}

std::string server_page(int finished) {
  return "vllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0.1\nvllm:e2e_request_latency_seconds_bucket{le=\"+Inf\"} 3\n"
         "vllm:prefix_cache_queries_total 10\nvllm:prefix_cache_hits_total 4\nvllm:request_success_total{finished_reason=\"stop\"} " + std::to_string(finished) + "\n";
}

LiveState::LiveState(deploy::BundleValues values) : want_(std::move(values)) {
  for (const auto& query : deploy::resource_queries(want_)) lists[std::string(query.file)];
  add_rendered();
  add_servers();
  add_picker();
  add_way_in();
  add_cluster();
  add_requests();
  capture = {{"time", "2026-02-13T11:00:00Z"}, {"without_requests", false}, {"absent", Json::array()}};
}

LiveState LiveState::of(int pattern, deploy::Variant variant, deploy::Pin pin) { return LiveState(deploy::default_values({pattern, variant, pin})); }

void LiveState::add_rendered() {
  const auto rendered = deploy::render_bundle(want_.values());
  if (!rendered) throw std::runtime_error(rendered.error().message);
  for (const auto& file : *rendered) {
    if (file.name.find(".yaml") == std::string::npos || file.name.find("dashboard") != std::string::npos) continue;
    for (const auto& document : deploy::parse_documents(file.text, file.name).documents) {
      const auto at = file_of_kind().find(std::string(document.root["kind"].str()));
      if (at == file_of_kind().end() || lists.count(at->second) == 0) continue;
      Json object = json_of(document.root);
      object["metadata"]["generation"] = 1;
      object["metadata"]["creationTimestamp"] = "2026-02-13T10:00:00Z";
      lists[at->second].push_back(std::move(object));
    }
  }
}

/// Where a chart or a controller makes the Deployment, one as it makes it.
void LiveState::add_servers() {
  const auto& v = want_.values();
  const auto& names = want_.names();
  const int replicas = static_cast<int>(want_.replicas().first);
  if (want_.variant() != deploy::Variant::kPlain) {
    Json container{{"name", "main"}, {"image", v.text("images.vllm")}, {"command", {"vllm", "serve"}},
                   {"args", {"--tensor-parallel-size=" + v.text("chips"), "--max-model-len=" + v.text("model.max_model_len"), v.flag("prefix_caching") ? "--enable-prefix-caching" : "--no-enable-prefix-caching"}},
                   {"env", {{{"name", "HF_TOKEN"}, {"value", "hf_secret"}}}},
                   {"resources", {{"limits", {{"google.com/tpu", v.text("chips")}}}}}};
    Json metadata{{"name", names.workload}, {"namespace", want_.name_space()}, {"generation", 1}, {"creationTimestamp", "2026-02-13T10:00:10Z"}};
    if (want_.variant() == deploy::Variant::kIstioKserve) metadata["ownerReferences"] = {{{"kind", "LLMInferenceService"}, {"name", v.text("service_name")}}};
    lists["deployments.json"].push_back({{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"metadata", metadata},
                                         {"spec", {{"replicas", replicas}, {"selector", {{"matchLabels", labels(names.server_selector)}}},
                                                   {"template", {{"metadata", {{"labels", pod_labels(want_, names.server_selector)}}}, {"spec", {{"containers", {container}}}}}}}}});
  }
  Json& deployment = object("deployments.json", names.workload);
  deployment["status"] = deployment_status(replicas);
  for (int i = 0; i < replicas; ++i) lists["pods.json"].push_back(pod_of(deployment, "-abc-" + std::to_string(i), "tpu-" + std::to_string(i)));
}

void LiveState::add_picker() {
  const auto& names = want_.names();
  const bool kserve = want_.variant() == deploy::Variant::kIstioKserve;
  const std::string config = R"({"apiVersion":"inference.networking.x-k8s.io/v1alpha1","kind":"EndpointPickerConfig","plugins":[{"type":"queue-scorer"},{"type":"kv-cache-utilization-scorer"},{"type":"prefix-cache-scorer"},{"type":"max-score-picker"},{"type":"single-profile-handler"}],"schedulingProfiles":[{"name":"default","plugins":[{"pluginRef":"queue-scorer","weight":2},{"pluginRef":"kv-cache-utilization-scorer","weight":2},{"pluginRef":"prefix-cache-scorer","weight":3},{"pluginRef":"max-score-picker"}]}]})";
  if (want_.variant() != deploy::Variant::kPlain) {
    Json container{{"name", "main"}, {"image", "picker"}, {"args", kserve ? Json{"--pool-name", names.pool, "--config-text", config} : Json{"--pool-name", names.pool, "--config-file", "/config/default-plugins.yaml"}}};
    Json metadata{{"name", names.picker}, {"namespace", want_.name_space()}, {"generation", 1}, {"creationTimestamp", "2026-02-13T10:00:10Z"}};
    if (kserve) metadata["ownerReferences"] = {{{"kind", "LLMInferenceService"}, {"name", want_.values().text("service_name")}}};
    lists["deployments.json"].push_back({{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"metadata", metadata},
                                         {"spec", {{"replicas", 1}, {"selector", {{"matchLabels", labels(names.picker_selector)}}},
                                                   {"template", {{"metadata", {{"labels", pod_labels(want_, names.picker_selector)}}}, {"spec", {{"containers", {container}}}}}}}}});
    if (!kserve) {
      lists["configmaps.json"].push_back({{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", names.picker}, {"namespace", want_.name_space()}}}, {"data", {{"default-plugins.yaml", config}}}});
    }
  }
  Json& deployment = object("deployments.json", names.picker);
  deployment["status"] = deployment_status(1);
  lists["pods.json"].push_back(pod_of(deployment, "-xyz", "cpu-0"));
  lists["endpointslices.json"].push_back({{"apiVersion", "discovery.k8s.io/v1"}, {"kind", "EndpointSlice"},
                                          {"metadata", {{"name", names.picker_service + "-1"}, {"namespace", want_.name_space()}, {"labels", {{"kubernetes.io/service-name", names.picker_service}}}}},
                                          {"ports", {{{"name", "grpc"}, {"port", 9002}}}},
                                          {"endpoints", {{{"addresses", {"10.0.0.7"}}, {"conditions", {{"ready", true}}}}}}});
}

void LiveState::add_way_in() {
  const auto& names = want_.names();
  const auto& v = want_.values();
  const bool kserve = want_.variant() == deploy::Variant::kIstioKserve, gke = want_.variant() == deploy::Variant::kGke;
  const Json meta_of_child{{"namespace", want_.name_space()}, {"generation", 1}, {"creationTimestamp", "2026-02-13T10:00:10Z"}, {"ownerReferences", {{{"kind", "LLMInferenceService"}, {"name", kserve ? v.text("service_name") : ""}}}}};
  if (gke) {
    lists["gateways.json"].push_back({{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "Gateway"}, {"metadata", {{"name", names.gateway}, {"namespace", names.gateway_namespace}, {"generation", 1}}},
                                      {"spec", {{"gatewayClassName", v.text("gateway_class")}, {"listeners", {{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}}}}}});
  }
  if (kserve) {
    Json route{{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "HTTPRoute"}, {"metadata", meta_of_child},
               {"spec", {{"parentRefs", {{{"name", names.gateway}, {"namespace", names.gateway_namespace}}}}, {"rules", Json::array()}}}};
    route["metadata"]["name"] = names.route;
    for (int i = 0; i < 2; ++i) route["spec"]["rules"].push_back({{"backendRefs", {{{"group", "inference.networking.k8s.io"}, {"kind", "InferencePool"}, {"name", names.pool}, {"port", 8000}}}}});
    lists["httproutes.json"].push_back(route);
  }
  if (lists["inferencepools.json"].empty()) {
    Json pool{{"apiVersion", "inference.networking.k8s.io/v1"}, {"kind", "InferencePool"}, {"metadata", meta_of_child},
              {"spec", {{"selector", {{"matchLabels", labels(names.server_selector)}}}, {"targetPorts", {{{"number", 8000}}}}, {"endpointPickerRef", {{"name", names.picker_service}, {"port", {{"number", 9002}}}}}}}};
    pool["metadata"]["name"] = names.pool;
    lists["inferencepools.json"].push_back(pool);
  }
  Json parent{{"parentRef", {{"name", names.gateway}}}, {"conditions", {condition("Accepted"), condition("ResolvedRefs")}}};
  object("inferencepools.json", names.pool)["status"] = {{"parents", {parent}}};
  if (gke) parent["conditions"].push_back(condition("Reconciled"));
  object("httproutes.json", names.route)["status"] = {{"parents", {parent}}};
  object("gateways.json", names.gateway)["status"] = {{"addresses", {{{"type", "IPAddress"}, {"value", "192.0.2.7"}}}}, {"conditions", {condition("Accepted"), condition("Programmed")}},
                                                      {"listeners", {{{"name", "http"}, {"attachedRoutes", 1}}}}};
  for (const auto* file : {"healthcheckpolicies.json", "gcpbackendpolicies.json"}) {
    if (lists.count(file) == 0) continue;
    for (auto& policy : lists[file]) policy["status"] = {{"conditions", {condition("Attached")}}};
  }
  if (!kserve) return;
  Json conditions = Json::array();
  for (const auto* type : {"PresetsCombined", "MainWorkloadReady", "WorkloadsReady", "SchedulerWorkloadReady", "GatewaysReady", "HTTPRoutesReady", "InferencePoolReady", "RouterReady", "Ready"}) conditions.push_back(condition(type));
  object("llminferenceservices.json", v.text("service_name"))["status"] = {{"url", "http://192.0.2.7/" + want_.name_space() + "/" + v.text("service_name")}, {"conditions", conditions}};
}

void LiveState::add_cluster() {
  const auto& v = want_.values();
  const auto replicas = want_.replicas().first;
  for (std::int64_t i = 0; i < replicas; ++i) {
    lists["nodes.json"].push_back({{"apiVersion", "v1"}, {"kind", "Node"},
                                   {"metadata", {{"name", "tpu-" + std::to_string(i)},
                                                 {"labels", {{"cloud.google.com/gke-tpu-accelerator", v.text("accelerator")}, {"cloud.google.com/gke-tpu-topology", v.text("topology")}, {"node.kubernetes.io/instance-type", v.text("node_pool.machine_type")}}}}},
                                   {"status", {{"allocatable", {{"google.com/tpu", v.text("chips")}}}, {"conditions", {condition("Ready")}}}}});
  }
  lists["customresourcedefinitions.json"].push_back(
      {{"apiVersion", "apiextensions.k8s.io/v1"}, {"kind", "CustomResourceDefinition"},
       {"metadata", {{"name", "inferencepools.inference.networking.k8s.io"}, {"annotations", {{"inference.networking.k8s.io/bundle-version", "v1." + std::to_string(want_.pool_minor_releases().first) + ".0"}}}}},
       {"spec", {{"versions", {{{"name", "v1"}, {"served", true}}}}}}, {"status", {{"conditions", {condition("Established")}}}}});
}

void LiveState::add_requests() {
  const std::string base = "http://192.0.2.7";
  const auto add = [&](const std::string& name, const std::string& path, const Json& body) {
    requests.push_back({{"name", name}, {"url", base + path}, {"status", 200}, {"duration_ms", 412.5}, {"error", ""}, {"body", body.is_null() ? "" : body.dump()}});
  };
  add("health", "/health", nullptr);
  add("models", "/v1/models", {{"object", "list"}, {"data", {{{"id", want_.model()}}}}});
  for (int i = 0; i < 6; ++i) add("completion", "/v1/completions", {{"choices", {{{"text", " Paris"}}}}, {"usage", {{"prompt_tokens", 9}, {"completion_tokens", 10}}}});
  add("chat", "/v1/chat/completions", {{"choices", {{{"message", {{"content", "Paris."}}}}}}, {"usage", {{"prompt_tokens", 9}, {"completion_tokens", 3}}}});
  const int replicas = static_cast<int>(want_.replicas().first);
  const std::string picker = want_.names().picker + "-xyz";
  for (const bool after : {false, true}) {
    pages[deploy::metrics_file(deploy::PageOwner::kPicker, picker, after)] = picker_page(want_.names().pool, after ? 12 : 5, replicas);
    for (int i = 0; i < replicas; ++i) pages[deploy::metrics_file(deploy::PageOwner::kServer, want_.names().workload + "-abc-" + std::to_string(i), after)] = server_page(after && i == 0 ? 17 : 10);
  }
}

Json& LiveState::object(const std::string& file, const std::string& name) {
  for (auto& item : lists.at(file)) {
    if (item.at("metadata").at("name").get<std::string>() == name) return item;
  }
  throw std::runtime_error(file + " has no " + name);
}

void LiveState::remove(const std::string& file, const std::string& name) {
  auto& list = lists.at(file);
  const auto before = list.size();
  std::erase_if(list, [&](const Json& item) { return item.at("metadata").at("name").get<std::string>() == name; });
  if (list.size() == before) throw std::runtime_error(file + " has no " + name);
}

void LiveState::absent(const std::string& file, const std::string& reason, const std::string& message) {
  lists.erase(file);
  pages.erase(file);
  capture["absent"].push_back({{"what", file}, {"reason", reason}, {"message", message}});
}

void LiveState::answer(std::size_t request, int status, const std::string& body) {
  requests.at(request)["status"] = status;
  requests.at(request)["body"] = body;
}

std::vector<deploy::SourceFile> LiveState::files() const {
  std::vector<deploy::SourceFile> out;
  for (const auto& [file, items] : lists) {
    out.push_back({file, Json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}.dump()});
  }
  for (const auto& [file, text] : pages) out.push_back({file, text});
  if (!requests.is_null()) out.push_back({"requests.json", Json{{"requests", requests}}.dump()});
  out.push_back({"capture.json", capture.dump()});
  return out;
}

deploy::CheckReport LiveState::check() const {
  const auto state = deploy::ClusterState::read(files());
  if (!state) throw std::runtime_error(state.error().message);
  return deploy::check_deployment(*state, want_);
}

}  // namespace support
