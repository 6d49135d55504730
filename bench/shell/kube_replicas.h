// KubeReplicas: the pods behind a label selector, or the endpoints of a Service, as replicas. From outside the cluster pods are listed by kubectl and
// scraped through a `kubectl proxy` child on loopback; inside, the API server lists them with the service account and
// they are scraped directly. Used by the command line before a run.
// The child ends with this object. It must never use or show a credential other than the service account's, and that one
// goes to the API server only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/shell/kube_pods.h"
#include "bench/shell/runner.h"
#include "core/net/child_process.h"

namespace bench {

/// What of the surroundings matters. from_environment() reads the real ones.
struct KubeSurroundings {
  std::string kubectl = "kubectl";
  std::string service_host, service_port;  ///< KUBERNETES_SERVICE_HOST and _PORT; empty: outside
  std::string account_folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  std::string scheme = "https";            ///< of the API server; tests use http
  static KubeSurroundings from_environment();
};

class KubeReplicas {
 public:
  /// kUnreachable with kubectl's or the API server's words; kInvalid when no pod is ready.
  static core::Result<KubeReplicas> find(const KubeSelection& selection, const KubeSurroundings& surroundings);

  [[nodiscard]] const std::vector<ReplicaTarget>& targets() const { return targets_; }
  /// "2 of 3 pods are ready; not used: …"; empty when all are.
  [[nodiscard]] const std::string& note() const { return note_; }
  /// Through a kubectl proxy.
  [[nodiscard]] bool proxied() const { return proxy_.has_value(); }
  [[nodiscard]] pid_t proxy_pid() const { return proxy_ ? proxy_->pid() : -1; }

 private:
  static core::Result<KubeReplicas> find_outside(const KubeSelection& selection, const KubeSurroundings& surroundings);
  static core::Result<KubeReplicas> find_inside(const KubeSelection& selection, const KubeSurroundings& surroundings);
  core::Result<std::vector<KubePod>> ready_pods(const KubeSelection& selection, std::string_view list);

  std::vector<ReplicaTarget> targets_;
  std::string note_;
  std::optional<core::net::ChildProcess> proxy_;
};

}  // namespace bench
