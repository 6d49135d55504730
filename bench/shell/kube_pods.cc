// See kube_pods.h.
#include "bench/shell/kube_pods.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

namespace bench {
namespace {

using nlohmann::json;

constexpr std::string_view kForm = "write kube:NAMESPACE/SELECTOR[:https][:PORT], for example kube:default/app=vllm:8000, or kube:NAMESPACE/service/NAME[:https][:PORT]";
constexpr std::string_view kServiceLabel = "kubernetes.io/service-name=";

std::optional<std::uint16_t> whole_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

bool is_ready(const json& pod) {
  if (pod.at("metadata").contains("deletionTimestamp")) return false;
  const json status = pod.value("status", json::object());
  if (status.value("phase", "") != "Running") return false;
  for (const json& condition : status.value("conditions", json::array())) {
    if (condition.value("type", "") == "Ready") return condition.value("status", "") == "True";
  }
  return false;
}

/// The port called "http" or "metrics", else the first one of any container, else vLLM's own.
std::uint16_t port_of(const json& pod) {
  std::optional<std::uint16_t> first;
  for (const json& container : pod.value("spec", json::object()).value("containers", json::array())) {
    for (const json& entry : container.value("ports", json::array())) {
      const auto port = entry.value("containerPort", std::uint16_t{0});
      const std::string name = entry.value("name", "");
      if (port == 0) continue;
      if (name == "http" || name == "metrics") return port;
      if (!first) first = port;
    }
  }
  return first.value_or(8000);
}

/// The port of a slice called "http" or "metrics", else its first. `named`: it was the former.
std::optional<std::uint16_t> port_of_slice(const json& slice, bool& named) {
  std::optional<std::uint16_t> first;
  // A port without a number means all of them; a slice without ports has none at all.
  for (const json& entry : slice.value("ports", json(nullptr))) {
    const json number = entry.value("port", json(nullptr));
    if (!number.is_number_unsigned() || number.get<std::uint64_t>() == 0 || number.get<std::uint64_t>() > 65535) continue;
    const auto port = static_cast<std::uint16_t>(number.get<std::uint64_t>());
    const std::string name = entry.value("name", json("")).is_string() ? entry.value("name", json("")).get<std::string>() : "";
    if (name == "http" || name == "metrics") return named = true, port;
    if (!first) first = port;
  }
  return first;
}

bool condition(const json& endpoint, const char* name, bool unless_said) {
  const json conditions = endpoint.value("conditions", json(nullptr));
  const json value = conditions.is_object() ? conditions.value(name, json(nullptr)) : json(nullptr);
  return value.is_boolean() ? value.get<bool>() : unless_said;
}

/// An endpoint as a pod; how well it may be used against others of the same name.
struct SliceEndpoint {
  KubePod pod;
  bool named_port = false, v4 = false;
  [[nodiscard]] auto rank() const { return std::tuple(pod.ready, named_port, v4); }
};

SliceEndpoint endpoint_of(const json& endpoint, const json& slice, std::optional<std::uint16_t> port) {
  SliceEndpoint out;
  out.pod.port = port ? *port : port_of_slice(slice, out.named_port).value_or(8000);
  out.v4 = slice.at("addressType") == "IPv4";
  // All addresses of one endpoint are the same process; consumers take the first.
  out.pod.address = endpoint.at("addresses").at(0).get<std::string>();
  // "ready" left out is to be read as ready; an endpoint about to end is not.
  out.pod.ready = condition(endpoint, "ready", true) && !condition(endpoint, "terminating", false);
  const json target = endpoint.value("targetRef", json(nullptr));
  out.pod.is_pod = target.is_object() && target.value("kind", "") == "Pod" && target.contains("name");
  out.pod.name = out.pod.is_pod ? target.at("name").get<std::string>() : out.pod.address;
  return out;
}

std::string no_list(std::string_view what, std::string_view text, const json::exception& error) {
  std::string begins(text.substr(0, 60));
  for (char& c : begins) c = static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F ? ' ' : c;
  // The library's own prefix, "[json.exception.parse_error.101] ", tells a reader nothing.
  const std::string_view why = error.what();
  const auto bracket = why.find("] ");
  return fmt::format("the answer is no list of {}: {}; it begins with \"{}\"", what, bracket == std::string_view::npos ? why : why.substr(bracket + 2), begins);
}

}  // namespace

core::Result<KubeSelection> parse_kube_selection(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return core::fail(core::ErrorCode::kInvalid, fmt::format("--replicas {}: {}", text, why), std::string(kForm));
  };
  std::string_view rest = text;
  if (rest.substr(0, 5) != "kube:") return bad("is no kube: reference");
  rest.remove_prefix(5);
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos || slash == 0) return bad("names no namespace");
  KubeSelection selection;
  selection.name_space = rest.substr(0, slash);
  rest.remove_prefix(slash + 1);
  const bool plain = std::all_of(selection.name_space.begin(), selection.name_space.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!plain || selection.name_space.front() == '-') return bad("the namespace may hold a-z, 0-9 and '-' only");
  constexpr std::string_view kTls = ":https";
  const auto take_tls = [&] {
    selection.tls = rest.size() >= kTls.size() && rest.substr(rest.size() - kTls.size()) == kTls;
    if (selection.tls) rest.remove_suffix(kTls.size());
  };
  take_tls();
  if (const auto colon = rest.rfind(':'); !selection.tls && colon != std::string_view::npos) {
    selection.port = whole_port(rest.substr(colon + 1));
    if (!selection.port) return bad("the port is no number from 1 to 65535");
    rest = rest.substr(0, colon);
    take_tls();
  }
  if (rest.find(':') != std::string_view::npos) return bad("a label selector holds no ':'");
  if (rest.empty()) return bad("names no label selector");
  if (rest.front() == '-') return bad("a label selector does not begin with '-'");
  selection.selector = rest;
  constexpr std::string_view kService = "service/";
  // What compares nothing is a Service's name here: as a selector it would ask for a label "service/NAME", which nobody sets.
  if (rest.substr(0, kService.size()) != kService || rest.find_first_of("=!,(") != std::string_view::npos) return selection;
  selection.service = rest.substr(kService.size());
  const bool dns = std::all_of(selection.service.begin(), selection.service.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  if (selection.service.empty() || !dns || selection.service.size() > 63) return bad("a Service's name holds a-z, 0-9 and '-', at most 63 of them");
  selection.selector = std::string(kServiceLabel) + selection.service;
  return selection;
}

core::Result<std::vector<KubePod>> parse_pod_list(std::string_view text, std::optional<std::uint16_t> port) {
  try {
    const json document = json::parse(text);
    std::vector<KubePod> pods;
    for (const json& entry : document.at("items")) {
      KubePod pod;
      entry.at("metadata").at("name").get_to(pod.name);
      const json status = entry.value("status", json::object());
      if (status.contains("podIP") && status.at("podIP").is_string()) status.at("podIP").get_to(pod.address);
      pod.port = port ? *port : port_of(entry);
      pod.ready = is_ready(entry);
      pods.push_back(std::move(pod));
    }
    std::sort(pods.begin(), pods.end(), [](const KubePod& a, const KubePod& b) { return a.name < b.name; });
    return pods;
  } catch (const json::exception& error) {
    return core::fail(core::ErrorCode::kProtocol, no_list("pods", text, error));
  }
}

core::Result<std::vector<KubePod>> parse_endpoint_slices(std::string_view text, std::optional<std::uint16_t> port) {
  try {
    const json document = json::parse(text);
    std::map<std::string, SliceEndpoint> best;
    for (const json& slice : document.at("items")) {
      for (const json& endpoint : slice.value("endpoints", json(nullptr))) {
        SliceEndpoint next = endpoint_of(endpoint, slice, port);
        const auto [at, fresh] = best.try_emplace(next.pod.name, next);
        if (!fresh && at->second.rank() < next.rank()) at->second = std::move(next);
      }
    }
    std::vector<KubePod> pods;
    for (auto& [name, endpoint] : best) pods.push_back(std::move(endpoint.pod));
    return pods;
  } catch (const json::exception& error) {
    return core::fail(core::ErrorCode::kProtocol, no_list("endpoint slices", text, error));
  }
}

std::optional<std::uint16_t> parse_proxy_port(std::string_view line) {
  const auto colon = line.rfind(':');
  if (line.find("Starting to serve on") == std::string_view::npos || colon == std::string_view::npos) return std::nullopt;
  return whole_port(line.substr(colon + 1));
}

std::string encode_query(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                       c == '.' || c == '~';
    if (plain) out += c;
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace bench
