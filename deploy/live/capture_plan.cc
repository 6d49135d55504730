// See capture_plan.h.
#include "deploy/live/capture_plan.h"

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "deploy/live/checks.h"

namespace deploy {
namespace {

using Json = nlohmann::json;

std::string without_last_slash(std::string_view url) {
  while (!url.empty() && url.back() == '/') url.remove_suffix(1);
  return std::string(url);
}

}  // namespace

std::string MetricsSource::proxy_path(std::string_view name_space) const {
  return "/api/v1/namespaces/" + std::string(name_space) + "/pods/" + (https ? "https:" : "") + pod + ":" + std::to_string(port) + "/proxy/metrics";
}

std::vector<MetricsSource> metrics_sources(const ClusterState& state, const Expectation& want) {
  std::vector<MetricsSource> out;
  const CheckContext context{state, want};
  for (const Object* pod : picker_pods(context)) {
    if (is_ready(*pod)) out.push_back({PageOwner::kPicker, pod->name, kPickerMetricsPort, false});
  }
  for (const Object* pod : server_pods(context)) {
    if (is_ready(*pod)) out.push_back({PageOwner::kServer, pod->name, kServerPort, want.serves_https()});
  }
  return out;
}

core::Result<std::string> base_url(const ClusterState& state, const Expectation& want) {
  const std::string& space = want.name_space();
  if (want.variant() == Variant::kIstioKserve) {
    const std::string& name = want.values().text("service_name");
    const Object* service = state.objects().find("LLMInferenceService", space, name);
    const auto url = service == nullptr ? std::string_view() : service->root().path({"status", "url"}).str();
    if (!url.empty()) return without_last_slash(url);
    return core::fail(core::ErrorCode::kInvalid, "LLMInferenceService " + space + "/" + name + " has no URL");
  }
  const Object* gateway = state.objects().find("Gateway", want.names().gateway_namespace, want.names().gateway);
  const auto address = gateway == nullptr ? std::string_view() : gateway->root().path({"status", "addresses"})[std::size_t{0}]["value"].str();
  if (address.empty()) return core::fail(core::ErrorCode::kInvalid, "Gateway " + want.names().gateway_namespace + "/" + want.names().gateway + " has no address");
  const Node& listener = gateway->spec()["listeners"][std::size_t{0}];
  const auto port = listener["port"].integer().value_or(80);
  const bool tls = listener["protocol"].str() == "HTTPS";
  const bool v6 = address.find(':') != std::string_view::npos;
  return (tls ? "https://" : "http://") + (v6 ? "[" + std::string(address) + "]" : std::string(address)) + (port == (tls ? 443 : 80) ? "" : ":" + std::to_string(port));
}

std::vector<PlannedRequest> planned_requests(const Expectation& want, std::uint32_t completions) {
  std::vector<PlannedRequest> out{{"health", "/health", ""}, {"models", "/v1/models", ""}};
  for (std::uint32_t i = 0; i < completions; ++i) {
    const Json body{{"model", want.model()}, {"prompt", "Check " + std::to_string(i + 1) + ". The capital of France is"}, {"max_tokens", kRequestMaxTokens}, {"temperature", 0}};
    out.push_back({"completion", "/v1/completions", body.dump()});
  }
  const Json chat{{"model", want.model()}, {"messages", Json::array({{{"role", "user"}, {"content", "What is the capital of France?"}}})}, {"max_tokens", kRequestMaxTokens}, {"temperature", 0}};
  out.push_back({"chat", "/v1/chat/completions", chat.dump()});
  return out;
}

std::string capture_file(double unix_seconds, bool without_requests, const std::vector<Absence>& absences) {
  Json list = Json::array();
  for (const auto& absence : absences) list.push_back({{"what", absence.what}, {"reason", word_for(absence.reason)}, {"message", absence.message}});
  const Json out{{"time", core::rfc3339_utc(unix_seconds)}, {"without_requests", without_requests}, {"absent", std::move(list)}};
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string requests_file(const std::vector<GatewayRequest>& requests) {
  Json list = Json::array();
  for (const auto& r : requests) {
    list.push_back({{"name", r.name}, {"url", r.url}, {"status", r.status}, {"duration_ms", r.duration_ms}, {"error", r.error}, {"body", r.text}});
  }
  return Json{{"requests", std::move(list)}}.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace deploy
