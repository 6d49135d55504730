// The kinds' own cross-field rules (x-kubernetes-validations of their CRDs) as named checks. L03.
#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "core/text.h"
#include "deploy/cel_rules.h"
#include "deploy/routing.h"

namespace deploy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

void judge_pool(const Object& pool, Findings& findings) {
  const Node& picker = pool.spec()["endpointPickerRef"];
  const auto kind = picker["kind"].exists() ? picker["kind"].str() : "Service";
  if (picker.exists() && kind == "Service" && !picker["port"].exists()) findings.add(pool, picker.at, "endpointPickerRef has no port: it is required when kind is Service or not set");
  std::set<std::int64_t> ports;
  for (const auto& port : pool.spec()["targetPorts"].items) {
    if (const auto number = port["number"].integer(); number && !ports.insert(*number).second) findings.add(pool, port.at, "targetPorts holds " + std::to_string(*number) + " twice");
  }
}

void judge_gateway(const Object& gateway, Findings& findings) {
  std::set<std::string> names;
  std::set<std::tuple<std::string, std::string, std::string>> places;
  for (const auto& listener : gateway.spec()["listeners"].items) {
    if (!names.insert(std::string(listener["name"].str())).second) findings.add(gateway, listener.at, "two listeners are called " + quoted(listener["name"].str()));
    const std::tuple place{std::string(listener["port"].str()), std::string(listener["protocol"].str()), std::string(listener["hostname"].str())};
    if (!places.insert(place).second) findings.add(gateway, listener.at, "two listeners share port, protocol and hostname");
    if (listener["protocol"].str() == "HTTP" && listener["tls"].exists()) findings.add(gateway, listener["tls"].at, "tls on an HTTP listener");
  }
}

std::optional<double> seconds(std::string_view text) {
  const auto duration = core::parse_duration(text);
  return duration ? std::optional(core::to_seconds(*duration)) : std::nullopt;
}

void judge_filters(const Object& route, const Node& rule, Findings& findings) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kFields{{{"RequestHeaderModifier", "requestHeaderModifier"},
                                                                                       {"ResponseHeaderModifier", "responseHeaderModifier"},
                                                                                       {"RequestMirror", "requestMirror"},
                                                                                       {"RequestRedirect", "requestRedirect"},
                                                                                       {"URLRewrite", "urlRewrite"},
                                                                                       {"ExtensionRef", "extensionRef"}}};
  for (const auto& filter : rule["filters"].items) {
    const auto type = filter["type"].str();
    for (const auto& [name, field] : kFields) {
      if (type == name && !filter[field].exists()) findings.add(route, filter.at, "filter " + std::string(name) + " has no " + std::string(field));
      if (type != name && filter[field].exists()) findings.add(route, filter[field].at, std::string(field) + " in a filter of type " + quoted(type));
    }
    const auto replace = filter.path({"urlRewrite", "path", "type"});
    const auto& matches = rule["matches"].items;
    const bool one_prefix = matches.size() <= 1 && (matches.empty() || !matches[0].path({"path", "type"}).exists() || matches[0].path({"path", "type"}).str() == "PathPrefix");
    if (replace.str() == "ReplacePrefixMatch" && !one_prefix) findings.add(route, filter.at, "ReplacePrefixMatch needs exactly one PathPrefix match");
    if (type == "RequestRedirect" && !rule["backendRefs"].items.empty()) findings.add(route, filter.at, "RequestRedirect together with backendRefs");
  }
}

void judge_paths(const Object& route, const Node& rule, Findings& findings) {
  for (const auto& match : rule["matches"].items) {
    const Node& value = match.path({"path", "value"});
    const auto type = match.path({"path", "type"}).str();
    if (!value.is_scalar() || type == "RegularExpression") continue;
    if (value.text.empty() || value.text.front() != '/') findings.add(route, value.at, "path " + quoted(value.text) + " does not start with /");
    for (const auto part : {"//", "/./", "/../", "%2f", "%2F", "#"}) {
      if (value.text.find(part) != std::string::npos) findings.add(route, value.at, "path " + quoted(value.text) + " holds " + part);
    }
  }
}

void judge_route(const Object& route, Findings& findings) {
  std::set<std::tuple<std::string, std::string, std::string, std::string>> parents;
  for (const auto& parent : route.spec()["parentRefs"].items) {
    const std::tuple key{std::string(parent["namespace"].str()), std::string(parent["name"].str()), std::string(parent["sectionName"].str()), std::string(parent["port"].str())};
    if (!parents.insert(key).second) findings.add(route, parent.at, "the same parentRef twice: give each its sectionName or port");
  }
  for (const auto& rule : route.spec()["rules"].items) {
    judge_filters(route, rule, findings);
    judge_paths(route, rule, findings);
    for (const auto& backend : rule["backendRefs"].items) {
      const auto kind = backend["kind"].exists() ? backend["kind"].str() : "Service";
      if (backend["group"].str().empty() && kind == "Service" && !backend["port"].exists()) findings.add(route, backend.at, "backendRef to Service " + std::string(backend["name"].str()) + " has no port");
    }
    const auto whole = seconds(rule.path({"timeouts", "request"}).str()), part = seconds(rule.path({"timeouts", "backendRequest"}).str());
    if (whole && part && *part > *whole && *whole > 0) findings.add(route, rule["timeouts"].at, "timeouts.backendRequest is longer than timeouts.request");
  }
}

/// Which of port and portName goes with which portSpecification.
void judge_health_port(const Object& policy, const Node& check, Findings& findings) {
  const auto how = check["portSpecification"].str();
  const bool port = check["port"].exists(), name = check["portName"].exists();
  if (how == "USE_FIXED_PORT" && (!port || name)) findings.add(policy, check.at, "USE_FIXED_PORT goes with port, and without portName");
  if (how == "USE_NAMED_PORT" && (port || !name)) findings.add(policy, check.at, "USE_NAMED_PORT goes with portName, and without port");
  if (how == "USE_SERVING_PORT" && (port || name)) findings.add(policy, check.at, "USE_SERVING_PORT goes without port and portName");
}

void judge_health(const LintContext& context, const Object& policy, Findings& findings) {
  const Node& config = policy.spec().path({"default", "config"});
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kFields{
      {{"TCP", "tcpHealthCheck"}, {"HTTP", "httpHealthCheck"}, {"HTTPS", "httpsHealthCheck"}, {"HTTP2", "http2HealthCheck"}, {"GRPC", "grpcHealthCheck"}}};
  for (const auto& [type, field] : kFields) {
    const Node& check = config[field];
    if (check.exists() && config["type"].str() != type) findings.add(policy, check.at, std::string(field) + " under type " + quoted(config["type"].str()));
    if (!check.exists() && config["type"].str() == type) findings.add(policy, config.at, "type " + std::string(type) + " without " + std::string(field));
    judge_health_port(policy, check, findings);
    // Newer CRDs require it; older ones take the port alone.
    if (context.options.pin != Pin::kEarly2026 && check["port"].exists() && check["portSpecification"].str() != "USE_FIXED_PORT") findings.add(policy, check.at, "port without portSpecification: USE_FIXED_PORT");
  }
}

void judge_monitoring(const Object& monitor, Findings& findings) {
  for (const auto& endpoint : monitor.spec()["endpoints"].items) {
    const auto interval = seconds(endpoint["interval"].str()), timeout = seconds(endpoint["timeout"].str());
    if (interval && timeout && *timeout > *interval) findings.add(monitor, endpoint["timeout"].at, "timeout is longer than interval");
    if (endpoint["port"].integer() == 0) findings.add(monitor, endpoint["port"].at, "port is 0");
  }
}

void cross_field_rules(const LintContext& context, Findings& findings) {
  for (const auto& object : context.bundle.objects) {
    if (object.kind == "InferencePool" && object.version == "v1") judge_pool(object, findings);
    else if (object.kind == "Gateway" && object.group == "gateway.networking.k8s.io") judge_gateway(object, findings);
    else if (object.kind == "HTTPRoute") judge_route(object, findings);
    else if (object.kind == "HealthCheckPolicy") judge_health(context, object, findings);
    else if (object.kind == "PodMonitoring") judge_monitoring(object, findings);
    else if (object.kind == "EnvoyFilter" && object.spec()["workloadSelector"].exists() && object.spec()["targetRefs"].exists()) {
      findings.add(object, object.spec().at, "workloadSelector and targetRefs: one of them");
    } else if (object.kind == "LLMInferenceService" && object.spec()["scaling"].exists() && object.spec()["replicas"].exists()) {
      findings.add(object, object.spec()["scaling"].at, "scaling together with replicas");
    }
  }
}

constexpr std::array kRules{Rule{"L03", Severity::kError, "the kinds' cross-field rules hold", "the API server refuses the object (x-kubernetes-validations)", "see the message", "", cross_field_rules}};

}  // namespace

std::span<const Rule> cel_rules() { return kRules; }

}  // namespace deploy
