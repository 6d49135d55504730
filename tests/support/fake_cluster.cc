// See fake_cluster.h.
#include "tests/support/fake_cluster.h"

#include <array>

#include "core/text.h"

namespace support {
namespace {

struct Resource {
  const char *group_version, *plural, *kind;
  bool namespaced = true;
};

constexpr std::array<Resource, 15> kResources{{{"v1", "pods", "Pod"},
                                               {"v1", "services", "Service"},
                                               {"v1", "configmaps", "ConfigMap"},
                                               {"v1", "nodes", "Node", false},
                                               {"apps/v1", "deployments", "Deployment"},
                                               {"discovery.k8s.io/v1", "endpointslices", "EndpointSlice"},
                                               {"inference.networking.k8s.io/v1", "inferencepools", "InferencePool"},
                                               {"gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute"},
                                               {"gateway.networking.k8s.io/v1", "gateways", "Gateway"},
                                               {"serving.kserve.io/v1alpha2", "llminferenceservices", "LLMInferenceService"},
                                               {"networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"},
                                               {"networking.gke.io/v1", "healthcheckpolicies", "HealthCheckPolicy"},
                                               {"networking.gke.io/v1", "gcpbackendpolicies", "GCPBackendPolicy"},
                                               {"networking.istio.io/v1alpha3", "envoyfilters", "EnvoyFilter"},
                                               {"apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", false}}};

void respond(core::net::HttpExchange& exchange, int status, const Json& body) { exchange.respond(status, {{"Content-Type", "application/json"}}, body.dump()); }

void refuse(core::net::HttpExchange& exchange, int status, const std::string& reason, const std::string& message) {
  respond(exchange, status, {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Failure"}, {"message", message}, {"reason", reason}, {"code", status}});
}

/// labelSelector of a query, as equalities: what kubectl's -l becomes here.
deploy::Labels selector_of(const std::string& target) {
  const auto at = target.find("labelSelector=");
  if (at == std::string::npos) return {};
  std::string text;
  for (std::size_t i = at + 14; i < target.size() && target[i] != '&'; ++i) {
    if (target[i] != '%') text += target[i];
    else text += static_cast<char>(std::stoi(target.substr(i + 1, 2), nullptr, 16)), i += 2;
  }
  return deploy::labels_in(text);
}

bool has_labels(const Json& item, const deploy::Labels& wanted) {
  const Json labels = item.at("metadata").value("labels", Json::object());
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) { return labels.value(pair.first, "") == pair.second; });
}

}  // namespace

FakeCluster::FakeCluster(LiveState state) : state_(std::move(state)) {
  auto listening = core::net::HttpServer::listen(loop_, {}, [this](core::net::HttpExchange& exchange) { serve(exchange); });
  server_ = std::move(*listening);
  port_ = server_->port();
  auto& gateway = state_.object("gateways.json", state_.want().names().gateway);
  gateway["status"]["addresses"][0]["value"] = "127.0.0.1";
  gateway["spec"]["listeners"][0]["port"] = port_;
  if (state_.want().variant() == deploy::Variant::kIstioKserve) {
    const std::string& name = state_.want().values().text("service_name");
    state_.object("llminferenceservices.json", name)["status"]["url"] = url() + "/" + state_.want().name_space() + "/" + name;
  }
  thread_ = std::thread([this] { loop_.run(); });
}

FakeCluster::~FakeCluster() {
  loop_.post([this] {
    server_->close();
    loop_.stop();
  });
  thread_.join();
}

std::string FakeCluster::kubeconfig() const {
  return "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters:\n- name: here\n  cluster: {server: \"" + url() +
         "\"}\n- name: nowhere\n  cluster: {server: \"http://127.0.0.1:1\"}\ncontexts:\n- name: here\n  context: {cluster: here, user: me}\n"
         "- name: nowhere\n  context: {cluster: nowhere, user: me}\nusers:\n- name: me\n  user: {}\n";
}

std::vector<std::string> FakeCluster::asked() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return asked_;
}

void FakeCluster::serve(core::net::HttpExchange& exchange) {
  const std::string& path = exchange.request().path;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    asked_.push_back(exchange.request().method + " " + path);
  }
  if (discover(exchange)) return;
  if (path.rfind("/api/", 0) == 0 || path.rfind("/apis/", 0) == 0) return serve_api(exchange);
  if (path == "/metrics") return serve_page(exchange, state_.want().names().picker + "-xyz");
  serve_model(exchange);
}

/// What kubectl asks first: which groups, versions and resources there are.
bool FakeCluster::discover(core::net::HttpExchange& exchange) {
  const std::string& path = exchange.request().path;
  if (path == "/version") return respond(exchange, 200, {{"major", "1"}, {"minor", "32"}, {"gitVersion", "v1.32.0"}}), true;
  if (path == "/api") return respond(exchange, 200, {{"kind", "APIVersions"}, {"versions", {"v1"}}}), true;
  if (path == "/apis") {
    Json groups = Json::array();
    std::set<std::string> seen;
    for (const auto& resource : kResources) {
      const std::string group_version = resource.group_version;
      const auto slash = group_version.find('/');
      if (slash == std::string::npos || !seen.insert(group_version).second) continue;
      const Json version{{"groupVersion", group_version}, {"version", group_version.substr(slash + 1)}};
      groups.push_back({{"name", group_version.substr(0, slash)}, {"versions", {version}}, {"preferredVersion", version}});
    }
    return respond(exchange, 200, {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", groups}}), true;
  }
  Json resources = Json::array();
  for (const auto& resource : kResources) {
    const std::string group_version = resource.group_version;
    if (path != (group_version == "v1" ? "/api/v1" : "/apis/" + group_version) || unknown.count(resource.plural) > 0) continue;
    resources.push_back({{"name", resource.plural}, {"singularName", core::to_lower(resource.kind)}, {"namespaced", resource.namespaced}, {"kind", resource.kind}, {"verbs", {"get", "list"}}});
  }
  const bool known = std::any_of(kResources.begin(), kResources.end(), [&](const Resource& r) { return path == (std::string(r.group_version) == "v1" ? "/api/v1" : "/apis/" + std::string(r.group_version)); });
  if (!known) return false;
  return respond(exchange, 200, {{"kind", "APIResourceList"}, {"apiVersion", "v1"}, {"groupVersion", path.substr(path.find('/', 1) + 1)}, {"resources", resources}}), true;
}

void FakeCluster::serve_api(core::net::HttpExchange& exchange) {
  const std::string& path = exchange.request().path;
  for (const auto& resource : kResources) {
    const std::string group_version = resource.group_version, plural = resource.plural;
    std::string rest;
    const std::string root = (group_version == "v1" ? "/api/v1/" : "/apis/" + group_version + "/");
    if (path.rfind(root, 0) != 0) continue;
    rest = path.substr(root.size());
    std::string name_space;
    if (rest.rfind("namespaces/", 0) == 0) {
      const auto slash = rest.find('/', 11);
      name_space = rest.substr(11, slash - 11);
      rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
    }
    if (rest != plural && rest.rfind(plural + "/", 0) != 0) continue;
    if (forbidden.count(plural) > 0) return refuse(exchange, 403, "Forbidden", plural + " is forbidden: User \"me\" cannot list resource \"" + plural + "\"");
    std::string name = rest.size() > plural.size() ? rest.substr(plural.size() + 1) : "";
    if (const auto proxy = name.find("/proxy/metrics"); proxy != std::string::npos) {
      name = name.substr(0, proxy);
      return serve_page(exchange, name.substr(0, name.rfind(':')));
    }
    const auto list = state_.lists.find(plural + ".json");
    Json items = Json::array();
    for (const auto& item : list == state_.lists.end() ? std::vector<Json>{} : list->second) {
      const auto& metadata = item.at("metadata");
      if (resource.namespaced && metadata.value("namespace", "") != name_space) continue;
      if (!name.empty() && metadata.at("name") == name) return respond(exchange, 200, item);
      if (!has_labels(item, selector_of(exchange.request().target))) continue;
      items.push_back(item);
    }
    if (!name.empty()) return refuse(exchange, 404, "NotFound", plural + " \"" + name + "\" not found");
    return respond(exchange, 200, {{"kind", std::string(resource.kind) + "List"}, {"apiVersion", group_version}, {"metadata", {{"resourceVersion", "1"}}}, {"items", items}});
  }
  refuse(exchange, 404, "NotFound", "the server could not find the requested resource");
}

void FakeCluster::serve_page(core::net::HttpExchange& exchange, const std::string& pod) {
  const auto& names = state_.want().names();
  if (pod.rfind(names.picker, 0) == 0) {
    // The API server's proxy hands no Authorization header on.
    const bool direct = exchange.request().path == "/metrics";
    const auto given = core::net::find_header(exchange.request().headers, "authorization");
    if (!picker_token.empty() && (!direct || given != "Bearer " + picker_token)) return exchange.respond(401, {{"Content-Type", "text/plain"}}, "Unauthorized\n");
    return exchange.respond(200, {{"Content-Type", "text/plain"}}, picker_page(names.pool, picked_, static_cast<int>(state_.want().replicas().first)));
  }
  const bool first = pod.size() > 2 && pod.substr(pod.size() - 2) == "-0";
  exchange.respond(200, {{"Content-Type", "text/plain"}}, server_page(first ? finished_ : 10));
}

void FakeCluster::serve_model(core::net::HttpExchange& exchange) {
  const auto& request = exchange.request();
  const std::string& path = request.path;
  const auto ends = [&](const std::string& end) { return path.size() >= end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0; };
  const std::string given(core::net::find_header(request.headers, "authorization"));
  if (!api_key.empty() && given != "Bearer " + api_key) return exchange.respond(401, {}, repeats_the_key ? "no such key: " + given : "no key");
  if (ends("/health")) return exchange.respond(200, {}, "");
  if (ends("/v1/models")) return respond(exchange, 200, {{"data", {{{"id", state_.want().model()}}}}});
  const Json body = Json::parse(request.body, nullptr, false);
  const bool chat = ends("/v1/chat/completions");
  if (body.is_discarded() || (!chat && !ends("/v1/completions"))) return exchange.respond(404, {}, "not found");
  ++finished_;
  if (!picker_bypassed) ++picked_;
  Json choice = chat ? Json{{"message", {{"role", "assistant"}, {"content", "Paris."}}}} : Json{{"text", " Paris"}};
  respond(exchange, 200, {{"choices", {choice}}, {"usage", {{"prompt_tokens", 9}, {"completion_tokens", body.at("max_tokens")}}}});
}

}  // namespace support
