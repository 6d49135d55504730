// See kube_pods.h.
#include "bench/shell/kube_pods.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

namespace bench {
namespace {

using nlohmann::json;

constexpr std::string_view kForm = "write kube:NAMESPACE/SELECTOR[:https][:PORT], for example kube:default/app=vllm:8000";

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
  return selection;
}

core::Result<std::vector<KubePod>> parse_pod_list(std::string_view text, std::optional<std::uint16_t> port) {
  try {
    const json document = json::parse(text);
    std::vector<KubePod> pods;
    for (const json& entry : document.at("items")) {
      KubePod pod;
      entry.at("metadata").at("name").get_to(pod.name);
      pod.address = entry.value("status", json::object()).value("podIP", "");
      pod.port = port ? *port : port_of(entry);
      pod.ready = is_ready(entry);
      pods.push_back(std::move(pod));
    }
    std::sort(pods.begin(), pods.end(), [](const KubePod& a, const KubePod& b) { return a.name < b.name; });
    return pods;
  } catch (const json::exception& error) {
    return core::fail(core::ErrorCode::kProtocol, fmt::format("the answer is no list of pods: {}", error.what()));
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
