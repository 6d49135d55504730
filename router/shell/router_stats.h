// RouterStats: what the router counted since its start. Written by forwards and the poller, rendered by the admin pages.
// Plain numbers on one thread; adding to them allocates nothing.
// A figure that was not counted is not rendered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/quantiles.h"
#include "router/core/endpoint_state.h"
#include "router/core/pipeline.h"

namespace router {

struct EndpointCounters {
  std::uint64_t served = 0;           ///< responses forwarded to their end
  std::uint64_t unreachable = 0;      ///< connects that failed
  std::uint64_t scrapes = 0, scrape_errors = 0;
};

struct RouterStats {
  std::uint64_t requests = 0, retries = 0;
  std::uint64_t refused_bad_request = 0, refused_no_endpoint = 0;
  std::uint64_t pauses = 0;                    ///< times an endpoint was held back because its client reads slowly
  std::uint64_t upstream_cut = 0, upstream_invalid = 0, client_gone = 0;
  core::DurationHistogram request_residence;   ///< from the complete request to its bytes handed to an endpoint
  core::DurationHistogram response_residence;  ///< from a read of the endpoint to its bytes handed to the client
  std::vector<EndpointCounters> endpoints;
};

/// Prometheus text of everything above.
[[nodiscard]] std::string render_metrics(const RouterStats& stats, const std::vector<EndpointState>& endpoints,
                                         const Pipeline& pipeline);

/// JSON: mode, policy, config digest, scorers with weights, picker, endpoints, warnings.
[[nodiscard]] std::string render_config(const std::vector<EndpointState>& endpoints, const Pipeline& pipeline);

/// {"host:port": total, …} of a pick, best first.
[[nodiscard]] std::string render_scores(const Pick& pick, const std::vector<EndpointState>& endpoints);

}  // namespace router
