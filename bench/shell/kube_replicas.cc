// See kube_replicas.h.
#include "bench/shell/kube_replicas.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "bench/shell/exchange.h"

namespace bench {
namespace {

using core::ErrorCode;

constexpr Duration kListTimeout = std::chrono::seconds(30);
constexpr Duration kProxyTimeout = std::chrono::seconds(10);
constexpr std::size_t kMaxListBytes = 64u << 20;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

core::Error explain(const core::Error& error, std::string_view command) {
  if (error.code == ErrorCode::kUnsupported) {
    return core::fail(ErrorCode::kInvalid, "kubectl was not found", "install kubectl, or give --replica NAME=URL for each replica");
  }
  return core::fail(error.code, fmt::format("{} failed: {}", command, error.message),
                    "check the context (kubectl config current-context) and the rights to list them");
}

core::Result<std::string> read_small_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return core::fail(ErrorCode::kInvalid, fmt::format("{} cannot be read", path), "mount the service account's token into the pod");
  std::string content = text.str();
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) content.pop_back();
  return content;
}

}  // namespace

KubeSurroundings KubeSurroundings::from_environment() {
  KubeSurroundings found;
  found.service_host = environment("KUBERNETES_SERVICE_HOST");
  found.service_port = environment("KUBERNETES_SERVICE_PORT");
  return found;
}

core::Result<KubeReplicas> KubeReplicas::find(const KubeSelection& selection, const KubeSurroundings& surroundings) {
  return surroundings.service_host.empty() ? find_outside(selection, surroundings) : find_inside(selection, surroundings);
}

core::Result<std::vector<KubePod>> KubeReplicas::ready_pods(const KubeSelection& selection, std::string_view list) {
  const bool service = !selection.service.empty();
  auto pods = service ? parse_endpoint_slices(list, selection.port) : parse_pod_list(list, selection.port);
  if (!pods) return core::fail(ErrorCode::kInvalid, pods.error().message, "something between here and the API server answers in its place: look at what kubectl get -o json prints");
  if (service && pods->empty()) {
    return core::fail(ErrorCode::kInvalid, fmt::format("Service {} in namespace {} has no endpoints", selection.service, selection.name_space),
                      fmt::format("is there such a Service, and does its selector match pods? kubectl get service,endpointslices -n {}", selection.name_space));
  }
  std::vector<KubePod> ready;
  std::string left_out;
  for (KubePod& pod : *pods) {
    if (pod.ready) ready.push_back(std::move(pod));
    else left_out += (left_out.empty() ? "" : ", ") + pod.name;
  }
  if (ready.empty() && service) {
    return core::fail(ErrorCode::kInvalid, fmt::format("no endpoint of Service {} in namespace {} is ready ({} found)", selection.service, selection.name_space, pods->size()),
                      fmt::format("look at its pods: kubectl get endpointslices -n {} -l '{}' -o yaml", selection.name_space, selection.selector));
  }
  if (ready.empty()) {
    return core::fail(ErrorCode::kInvalid,
                      fmt::format("no pod in namespace {} with {} is ready ({} found)", selection.name_space, selection.selector, pods->size()),
                      fmt::format("look at them: kubectl get pods -n {} -l '{}'", selection.name_space, selection.selector));
  }
  if (!left_out.empty()) note_ = fmt::format("{} of {} {} are ready; not used: {}", ready.size(), pods->size(), service ? "endpoints" : "pods", left_out);
  return ready;
}

core::Result<KubeReplicas> KubeReplicas::find_outside(const KubeSelection& selection, const KubeSurroundings& surroundings) {
  KubeReplicas found;
  const std::string resource = selection.service.empty() ? "pods" : "endpointslices.discovery.k8s.io";
  auto get = core::net::ChildProcess::run_program({surroundings.kubectl, "get", resource, "-n", selection.name_space, "-l", selection.selector, "-o", "json"});
  if (!get) return get.error();
  const auto list = get->read_all(kListTimeout, kMaxListBytes);
  if (!list) return explain(list.error(), "kubectl get " + resource);
  const auto pods = found.ready_pods(selection, *list);
  if (!pods) return pods.error();
  for (const KubePod& pod : *pods) {
    if (pod.is_pod) continue;
    return core::fail(ErrorCode::kInvalid, fmt::format("endpoint {} of Service {} is no pod: kubectl's proxy does not reach it", pod.name, selection.service),
                      "run inside the cluster, or give --replica NAME=URL for each replica");
  }
  auto proxy = core::net::ChildProcess::run_program({surroundings.kubectl, "proxy", "--port=0", "--address=127.0.0.1"});
  if (!proxy) return proxy.error();
  const auto line = proxy->wait_ready(kProxyTimeout);
  if (!line) return explain(core::fail(line.error().code, fmt::format("{} {}", line.error().message, proxy->errors())), "kubectl proxy");
  const auto port = parse_proxy_port(*line);
  if (!port) return core::fail(ErrorCode::kProtocol, fmt::format("kubectl proxy said \"{}\" and no port", *line), "check which kubectl that is");
  for (const KubePod& pod : *pods) {
    found.targets_.push_back({pod.name, fmt::format("http://127.0.0.1:{}/api/v1/namespaces/{}/pods/{}{}:{}/proxy/metrics", *port,
                                                    selection.name_space, selection.tls ? "https:" : "", pod.name, pod.port), {}});
  }
  found.proxy_ = std::move(*proxy);
  return found;
}

core::Result<KubeReplicas> KubeReplicas::find_inside(const KubeSelection& selection, const KubeSurroundings& surroundings) {
  const auto token = read_small_file(surroundings.account_folder + "/token");
  if (!token) return token.error();
  core::net::Loop loop;
  core::net::HttpClientOptions options;
  options.max_in_flight = 1;
  options.kernel_stamps = false;
  options.ca_file = surroundings.account_folder + "/ca.crt";
  auto client = core::net::HttpClient::create(loop, options);
  if (!client) return client.error();
  const bool v6 = surroundings.service_host.find(':') != std::string::npos;
  const bool service = !selection.service.empty();
  const std::string resource = service ? "endpointslices" : "pods";
  const std::string url = fmt::format("{}://{}{}{}:{}{}/namespaces/{}/{}?labelSelector={}", surroundings.scheme, v6 ? "[" : "", surroundings.service_host, v6 ? "]" : "",
                                      surroundings.service_port, service ? "/apis/discovery.k8s.io/v1" : "/api/v1", selection.name_space, resource, encode_query(selection.selector));
  const std::vector<std::string> headers{"Authorization: Bearer " + *token};
  const auto answer = exchange(loop, **client, "GET", url, headers, kListTimeout);
  if (!answer) return answer.error();
  if (answer->status != 200) {
    return core::fail(answer->status == 403 || answer->status == 401 ? ErrorCode::kInvalid : ErrorCode::kUnreachable,
                      fmt::format("the API server answers the list of {} in namespace {} with status {}", resource, selection.name_space, answer->status),
                      fmt::format("give the pod's service account the right to list them there (verb list, resource {}{})", resource, service ? ", API group discovery.k8s.io" : ""));
  }
  KubeReplicas found;
  const auto pods = found.ready_pods(selection, answer->body);
  if (!pods) return pods.error();
  for (const KubePod& pod : *pods) {
    const bool pod_v6 = pod.address.find(':') != std::string::npos;
    found.targets_.push_back({pod.name, fmt::format("{}://{}{}{}:{}/metrics", selection.tls ? "https" : "http", pod_v6 ? "[" : "", pod.address, pod_v6 ? "]" : "", pod.port), {}});
  }
  return found;
}

}  // namespace bench
