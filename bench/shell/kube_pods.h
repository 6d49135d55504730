// Kubernetes pods as replicas: what "kube:NAMESPACE/SELECTOR[:https][:PORT]" means and what a pod list says. Pure functions.
// Used by kube_replicas.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace bench {

struct KubeSelection {
  std::string name_space, selector;     ///< "default", "app=vllm,tier in (gpu)"
  bool tls = false;                     ///< the pods serve their metrics over https
  std::optional<std::uint16_t> port;    ///< of the metrics; empty: the pod's own "http" or "metrics" port, its first, or 8000
};

/// kInvalid, with what to write instead, for anything else.
core::Result<KubeSelection> parse_kube_selection(std::string_view text);

struct KubePod {
  std::string name, address;            ///< address: status.podIP, maybe empty
  std::uint16_t port = 8000;
  bool ready = false;                   ///< running, ready, and not about to end
};

/// The pods of a v1 PodList, by name. kProtocol when `json` is none.
core::Result<std::vector<KubePod>> parse_pod_list(std::string_view json, std::optional<std::uint16_t> port);

/// "Starting to serve on 127.0.0.1:45213" -> 45213.
[[nodiscard]] std::optional<std::uint16_t> parse_proxy_port(std::string_view line);
/// Percent-encodes what a query value may not hold.
[[nodiscard]] std::string encode_query(std::string_view text);

}  // namespace bench
