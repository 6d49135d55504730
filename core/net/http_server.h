// HttpServer: HTTP/1.1 over libuv for the simulated replica and the reference router.
// It parses requests (Boost.Beast's parser, in http1_parser.cc), keeps connections alive, streams responses.
// It must never interpret bodies, and never hand out an exchange after that exchange has ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/net/loop.h"
#include "core/result.h"

namespace core::net {

using Header = std::pair<std::string, std::string>;
using Headers = std::vector<Header>;

/// First value of a header, name compared without case; empty view when absent.
[[nodiscard]] std::string_view find_header(const Headers& headers, std::string_view name);

struct HttpRequest {
  std::string method;
  std::string target;  ///< path and query as sent
  std::string path;    ///< target up to '?'
  Headers headers;
  std::string body;
};

/// One request and its response. Owned by the server. A handler may keep the pointer until the exchange ends: it ends
/// when respond(), finish() or cut() returns, or when on_gone fires. After that the pointer is dead.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  [[nodiscard]] virtual const HttpRequest& request() const = 0;
  /// Unique over the server's life.
  [[nodiscard]] virtual std::uint64_t id() const = 0;

  /// Sends a whole response with Content-Length and ends the exchange.
  virtual void respond(int status, const Headers& headers, std::string_view body) = 0;

  /// Starts a chunked streaming response; then write() any number of times; then finish().
  virtual void start(int status, const Headers& headers) = 0;
  /// One chunk. Empty data is ignored.
  virtual void write(std::string_view data) = 0;
  virtual void finish() = 0;

  /// Verbatim mode, for a proxy: `bytes` are written to the socket as they are (head and framing included).
  /// Ended by finish_raw(); `keep_alive` says whether the forwarded framing left the connection usable.
  virtual void write_raw(std::string_view bytes) = 0;
  virtual void finish_raw(bool keep_alive) = 0;

  /// Resets the connection: the client sees an error, never a silently shortened response. Ends the exchange.
  virtual void cut() = 0;

  /// Bytes accepted from the handler and not yet taken by the kernel: what back-pressure looks at.
  [[nodiscard]] virtual std::size_t unsent_bytes() const = 0;

  /// Fires once if the client goes away before the exchange ended. Not called after respond/finish/cut.
  std::function<void()> on_gone;
  /// Fires when unsent_bytes() has fallen back to zero after having been positive.
  std::function<void()> on_drained;
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: the kernel chooses
  std::size_t max_body_bytes = 64u << 20;
  std::size_t max_header_bytes = 64u << 10;
  std::size_t max_connections = 16384;
};

class HttpServer {
 public:
  using Handler = std::function<void(HttpExchange&)>;

  /// Binds and listens; kIo with the address when the port is taken.
  static Result<std::unique_ptr<HttpServer>> listen(Loop& loop, const HttpServerOptions& options, Handler handler);
  virtual ~HttpServer() = default;

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  [[nodiscard]] virtual std::size_t open_connections() const = 0;
  /// Stops accepting; open exchanges go on. on_idle fires when the last one has ended.
  virtual void drain(std::function<void()> on_idle) = 0;
  /// Closes everything now.
  virtual void close() = 0;
};

}  // namespace core::net
