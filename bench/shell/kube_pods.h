// Kubernetes pods as replicas: what "kube:NAMESPACE/SELECTOR[:https][:PORT]" and "kube:NAMESPACE/service/NAME…" mean, what a
// pod list and what a Service's EndpointSlices say. Pure functions.
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
  std::string name_space, selector;     ///< "default", "app=vllm,tier in (gpu)"; of a Service: the label of its slices
  std::string service;                  ///< its endpoints are meant; empty: the pods that `selector` selects
  bool tls = false;                     ///< the pods serve their metrics over https
  std::optional<std::uint16_t> port;    ///< of the metrics; empty: the pod's own "http" or "metrics" port, its first, or 8000
};

/// kInvalid, with what to write instead, for anything else.
core::Result<KubeSelection> parse_kube_selection(std::string_view text);

struct KubePod {
  std::string name, address;            ///< address: status.podIP, maybe empty
  std::uint16_t port = 8000;
  bool ready = false;                   ///< running, ready, and not about to end
  bool is_pod = true;                   ///< false: an endpoint of a Service without a pod behind it
};

/// The pods of a v1 PodList, by name. kProtocol when `json` is none.
core::Result<std::vector<KubePod>> parse_pod_list(std::string_view json, std::optional<std::uint16_t> port);

/// The endpoints of a discovery.k8s.io/v1 EndpointSliceList, by name: that of their pod, else their address. A pod that several
/// slices name (two address families, two sets of ports) is one, IPv4 first. kProtocol when `json` is none.
core::Result<std::vector<KubePod>> parse_endpoint_slices(std::string_view json, std::optional<std::uint16_t> port);

/// "Starting to serve on 127.0.0.1:45213" -> 45213.
[[nodiscard]] std::optional<std::uint16_t> parse_proxy_port(std::string_view line);
/// Percent-encodes what a query value may not hold.
[[nodiscard]] std::string encode_query(std::string_view text);

}  // namespace bench
