// ReplicaServer: a simulated vLLM replica. The engine behind vLLM's HTTP face: completions, models, health, metrics,
// tokenize, cache reset and fault injection. Started by the command line and by tests; lives on one Loop's thread.
// It never shows a figure that is not the model's; its version string says that it is simulated.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/net/loop.h"
#include "core/result.h"
#include "core/time.h"
#include "simulator/engine/profile.h"
#include "simulator/server/faults.h"

namespace simulator {

struct ReplicaOptions {
  std::string name = "replica-0";   ///< sent as x-inference-pod
  std::string model;                ///< served model name; empty: the profile's
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;           ///< 0: the kernel chooses
  Profile profile;                  ///< load_profile(), then override_constant() per flag
  core::Duration network_delay{};   ///< round trip: half before the server sees a request, half before each chunk leaves
  std::uint64_t seed = 1;
  std::string system_fingerprint;   ///< in final chunks and bodies; empty: omitted
  bool report_cached_tokens = true; ///< usage.prompt_tokens_details
  Faults faults;
  std::function<void()> on_die;     ///< die_after_requests was reached; empty: close()
};

class ReplicaServer {
 public:
  /// Listens and answers from the loop's next turn on. kInvalid for a profile that cannot work, kIo for a taken port.
  /// The loop must outlive the server.
  static core::Result<std::unique_ptr<ReplicaServer>> start(core::net::Loop& loop, ReplicaOptions options);
  virtual ~ReplicaServer() = default;

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// "http://host:port"
  [[nodiscard]] virtual std::string url() const = 0;
  /// Takes no new connections; on_idle fires when the last response has ended.
  virtual void drain(std::function<void()> on_idle) = 0;
  /// Closes everything now; requests in flight are cut.
  virtual void close() = 0;
};

inline constexpr const char* kSimulatedVersion = "0.27.0+gatebench.simulated";

}  // namespace simulator
