// UpstreamPool: connections to the endpoints on libuv, kept alive and reused, last used first.
// Used by the proxy's forwards; one user per connection at a time. It knows nothing of HTTP.
// It must never call a user from inside open() or send(), nor after release() or drop().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/loop.h"
#include "core/result.h"

namespace router {

struct UpstreamAddress {
  std::string host;  ///< an IP address or a name, resolved once at start
  std::uint16_t port = 0;
};

enum class UpstreamEnd { kConnectFailed, kEof, kReset };

class UpstreamUser {
 public:
  virtual ~UpstreamUser() = default;
  /// Bytes as they came; valid during the call.
  virtual void on_upstream_bytes(std::string_view bytes) = 0;
  /// The connection is gone and must not be touched again.
  virtual void on_upstream_end(UpstreamEnd end) = 0;
};

class UpstreamConnection {
 public:
  virtual ~UpstreamConnection() = default;
  /// Sends head, then body, when connected. Both must stay valid until the user released or dropped the connection.
  virtual void send(std::string_view head, std::string_view body) = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  /// True when another request used it before: it may have been closed by the peer meanwhile.
  [[nodiscard]] virtual bool reused() const = 0;
  /// True when all of send() has been taken by the kernel.
  [[nodiscard]] virtual bool all_sent() const = 0;
};

struct UpstreamOptions {
  core::Duration connect_timeout = core::Duration{2'000'000'000};
  std::size_t max_idle_per_endpoint = 256;
};

class UpstreamPool {
 public:
  /// kInvalid for a host that cannot be resolved.
  static core::Result<std::unique_ptr<UpstreamPool>> create(core::net::Loop& loop, const std::vector<UpstreamAddress>& addresses,
                                                            const UpstreamOptions& options);
  virtual ~UpstreamPool() = default;

  /// An idle connection, or a new one under way. `fresh`: never an idle one. Null when no socket can be had.
  virtual UpstreamConnection* open(std::size_t endpoint, UpstreamUser& user, bool fresh) = 0;
  /// Gives back a connection whose exchange is complete and that the peer keeps open.
  virtual void release(UpstreamConnection& connection) = 0;
  /// Closes a connection; its user hears no more of it.
  virtual void drop(UpstreamConnection& connection) = 0;
  /// Drops every connection.
  virtual void close() = 0;

  [[nodiscard]] virtual std::size_t open_connections() const = 0;
  [[nodiscard]] virtual std::uint64_t connections_made() const = 0;
};

}  // namespace router
