// ReplicaOptions: the one block of options by which verbs are told about replicas and their metrics.
// Declared and resolved by every verb that takes replicas. The token comes from the environment and must never be echoed,
// logged or stored: only the variable's name is an option.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/cli/option_table.h"
#include "bench/cli/terminal.h"
#include "bench/shell/runner.h"

namespace bench {
class KubeReplicas;
}

namespace bench::cli {

/// The token in the environment variable that --metrics-token-env names. kInvalid when there is none, or none that a header
/// can carry; a token given in place of the name is not echoed.
core::Result<std::string> token_of_variable(const std::string& variable);

class ReplicaOptions {
 public:
  ReplicaOptions();
  ~ReplicaOptions();

  void declare(OptionTable& options);
  /// Without what is about scraping during a load: for verbs that scrape around single requests.
  void declare_for_probes(OptionTable& options);

  /// Fills request.replicas, .metrics_access and .scrape from the options alone; one error that lists everything wrong.
  core::Status parse(RunRequest& request) const;
  /// The replicas are yet to be found: --replicas was given.
  [[nodiscard]] bool discovers() const { return !discover_.empty(); }
  /// After parse(): the replicas of --replicas alone, nothing read from them.
  core::Status discover(RunRequest& request, Terminal& terminal);
  /// After parse(): finds the replicas of --replicas, reads every replica's metrics once, prints notes. What a found
  /// replica needs in order to stay reachable (a kubectl proxy) lives as long as this object.
  core::Status resolve(RunRequest& request, Terminal& terminal);

 private:
  std::vector<std::string> replicas_;
  std::string discover_, ca_file_, token_variable_;
  bool insecure_ = false, no_filter_ = false;
  std::optional<core::Duration> interval_;
  std::optional<double> cost_limit_percent_;
  std::unique_ptr<KubeReplicas> kube_;
};

}  // namespace bench::cli
