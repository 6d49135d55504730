// What a live check asks beyond `kubectl get`: metrics pages of which pods, which requests through the gateway. Called by the
// command line, which does the asking; redaction.h says what of the answers may be written to disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "deploy/live/cluster_state.h"
#include "deploy/live/expectation.h"

namespace deploy {

/// A Ready pod whose metrics page is read before and after the requests.
struct MetricsSource {
  PageOwner owner = PageOwner::kPicker;
  std::string pod;
  std::uint16_t port = kServerPort;
  bool https = false;
  /// Through the API server: "/api/v1/namespaces/NS/pods/https:POD:8000/proxy/metrics".
  [[nodiscard]] std::string proxy_path(std::string_view name_space) const;
};
[[nodiscard]] std::vector<MetricsSource> metrics_sources(const ClusterState& state, const Expectation& want);

/// Where clients reach the model, without a last slash: "http://192.0.2.7", "http://192.0.2.7/ns/name" on KServe.
/// kInvalid when no status says it.
[[nodiscard]] core::Result<std::string> base_url(const ClusterState& state, const Expectation& want);

struct PlannedRequest {
  std::string name, path, body;   ///< body empty: a GET
};
/// GET /health and /v1/models, `completions` completions, one chat completion: each of at most kRequestMaxTokens tokens.
[[nodiscard]] std::vector<PlannedRequest> planned_requests(const Expectation& want, std::uint32_t completions);

/// capture.json and requests.json of a state.
[[nodiscard]] std::string capture_file(double unix_seconds, bool without_requests, const std::vector<Absence>& absences);
[[nodiscard]] std::string requests_file(const std::vector<GatewayRequest>& requests);

}  // namespace deploy
