// RouterServer: the reference router as an HTTP/1.1 reverse proxy over N endpoints.
// Made by the command line (`gatebench router`, `stack`, `demo`) on a Loop it owns; everything runs on that loop.
// It decides with router/core alone, and it must never touch a body byte on the way through.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/net/loop.h"
#include "core/result.h"
#include "router/core/config.h"
#include "router/core/mode.h"
#include "router/shell/router_stats.h"

namespace router {

struct RouterEndpoint {
  std::string name;  ///< for people and metrics; "host:port" when empty
  std::string host;
  std::uint16_t port = 0;
};

struct RouterOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: the kernel chooses
  std::vector<RouterEndpoint> endpoints;
  PickerConfig config;
  RouterMode mode = RouterMode::kImproved;
  Policy policy = Policy::kConfig;
  core::Duration poll_interval = core::Duration{50'000'000};  ///< 0: metrics are not read
  core::Duration stale_after = core::Duration{1'000'000'000}; ///< improved mode: older values count as unknown
  std::uint64_t seed = 1;
};

class RouterServer {
 public:
  /// Binds, and starts to poll. kInvalid for no or unresolvable endpoints, kIo when the port is taken.
  static core::Result<std::unique_ptr<RouterServer>> start(core::net::Loop& loop, RouterOptions options);
  virtual ~RouterServer() = default;  ///< close()s

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Stops accepting; what is under way goes on. `on_idle` fires when the last exchange has ended. /healthz says 503.
  virtual void drain(std::function<void()> on_idle) = 0;
  /// Cuts everything now; the loop is free to end after that. Safe to call twice.
  virtual void close() = 0;

  [[nodiscard]] virtual const RouterStats& stats() const = 0;
  [[nodiscard]] virtual const std::vector<EndpointState>& endpoints() const = 0;
  /// Takes an endpoint out of the choice, or back in; its open requests go on.
  virtual void set_draining(std::size_t endpoint, bool draining) = 0;
};

}  // namespace router
