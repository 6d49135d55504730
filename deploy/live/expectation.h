// What a live deployment should look like: a bundle's values, the names that follow from them, and which of the cluster's
// resources say whether it is so. Used by the checks, and by the command line that asks kubectl.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deploy/render/names.h"
#include "deploy/render/values.h"

namespace deploy {

class Expectation {
 public:
  explicit Expectation(BundleValues values);

  [[nodiscard]] const BundleValues& values() const { return values_; }
  [[nodiscard]] const BundleNames& names() const { return names_; }
  [[nodiscard]] Variant variant() const { return values_.key.variant; }
  [[nodiscard]] const std::string& name_space() const { return values_.text("namespace"); }
  [[nodiscard]] const std::string& model() const { return values_.text("model.name"); }
  /// Fewest and most replicas that are right: equal, unless an autoscaler decides.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> replicas() const;
  /// Releases v1.MINOR of the InferencePool's definition that the pin goes with, first and last.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> pool_minor_releases() const;
  [[nodiscard]] bool serves_https() const { return values_.flag("server_tls"); }

 private:
  BundleValues values_;
  BundleNames names_;
};

/// "key=value,key=value" as labels.
[[nodiscard]] Labels labels_in(std::string_view selector);

/// Tokens that each request through the gateway may have for its answer.
inline constexpr std::int64_t kRequestMaxTokens = 10;

/// Where the picker answers ext_proc, where it exports its metrics, where the model servers listen.
inline constexpr std::uint16_t kPickerPort = 9002, kPickerMetricsPort = 9090, kServerPort = 8000;

/// Istio's root namespace: EnvoyFilters there act on every Gateway.
inline constexpr std::string_view kMeshNamespace = "istio-system", kMeshFiltersFile = "envoyfilters-mesh.json";

/// One `kubectl get` and the file of a saved state that holds its answer.
struct ResourceQuery {
  std::string_view file;       ///< "pods.json"
  std::string_view kind;       ///< "Pod"
  std::vector<std::string> arguments;   ///< after "kubectl get": resource, names, -n, -l
  bool optional = false;       ///< a kind that the cluster need not know
  bool extra = false;          ///< beside the kind's own answer: it need not be there
  /// As one would type it.
  [[nodiscard]] std::string command() const;
};

/// In the order in which they are asked. Secrets are never among them.
[[nodiscard]] std::vector<ResourceQuery> resource_queries(const Expectation& want);

}  // namespace deploy
