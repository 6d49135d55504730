// LocalStack: N simulated replicas and a reference router as child processes on free loopback ports.
// Used by stack and demo. Everything it started ends with it.
#pragma once

#include <string>
#include <vector>

#include "bench/shell/runner.h"
#include "core/net/child_process.h"

namespace bench::cli {

struct StackOptions {
  std::string name;                     ///< "pattern1"; replicas are "<name>-replica-1", …
  std::uint32_t replicas = 1;
  std::string profile;                  ///< empty: the default profile
  std::string router_mode = "improved", router_config = "default", policy;
  Duration network_delay{};
  std::string log_directory;            ///< one file per child
  std::uint64_t seed = 1;
  std::uint16_t router_port = 0;
};

class LocalStack {
 public:
  static core::Result<LocalStack> start(const StackOptions& options);

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const std::vector<ReplicaTarget>& replicas() const { return replicas_; }
  /// Name of a child that has ended by itself, or an empty text.
  [[nodiscard]] std::string ended_child();

 private:
  struct Child {
    std::string name;
    core::net::ChildProcess process;
  };
  std::string url_;
  std::vector<ReplicaTarget> replicas_;
  std::vector<Child> children_;
};

}  // namespace bench::cli
