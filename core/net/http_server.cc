#include "core/net/http_server.h"

#include <fmt/format.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "core/check.h"
#include "core/net/http1_parser.h"
#include "core/text.h"

namespace core::net {
namespace {

std::string_view reason_phrase(int status) {
  static constexpr std::pair<int, std::string_view> kPhrases[] = {
      {200, "OK"}, {204, "No Content"}, {400, "Bad Request"}, {401, "Unauthorized"}, {404, "Not Found"},
      {405, "Method Not Allowed"}, {408, "Request Timeout"}, {413, "Payload Too Large"}, {422, "Unprocessable Entity"},
      {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
      {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"}};
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Status";
}

class Server;

/// One accepted connection and the exchange on it. Deleted in its close callback.
class Connection final : public HttpExchange, private Http1Sink {
 public:
  Connection(Server& server, const HttpServerOptions& options);

  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  [[nodiscard]] std::uint64_t id() const override { return id_; }
  void respond(int status, const Headers& headers, std::string_view body) override;
  void start(int status, const Headers& headers) override;
  void write(std::string_view data) override;
  void finish() override;
  void write_raw(std::string_view bytes) override { send({bytes}); }
  void finish_raw(bool keep_alive) override;
  void cut() override;
  [[nodiscard]] std::size_t unsent_bytes() const override { return queued_.size() + in_write_.size(); }

  bool accept_from(uv_stream_t* listener);
  void close_idle_or_after_exchange();
  void close_now();
  /// Without telling the handler, which may be gone itself.
  void close_silently();
  [[nodiscard]] uv_tcp_t* tcp() { return &tcp_; }

 private:
  void on_head(Http1Head&& head) override;
  void on_body(std::string_view bytes) override { request_.body.append(bytes); }
  void on_complete() override { request_complete_ = true; }

  void on_bytes(std::string_view bytes);
  void process();
  void refuse();
  void on_end_of_input();
  void end_exchange();
  void write_head(int status, const Headers& headers, std::string_view framing);
  void send(std::initializer_list<std::string_view> parts);
  void flush_queue();
  void on_written(int status);
  void close_when_flushed();

  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);

  Server& server_;
  uv_tcp_t tcp_{};
  uv_write_t write_request_{};
  Http1Parser parser_;
  HttpRequest request_;
  std::uint64_t id_ = 0;
  std::string pending_;              // pipelined bytes behind the current request
  std::string queued_, in_write_, head_;
  bool request_complete_ = false, active_ = false, keep_alive_ = true, processing_ = false;
  bool writing_ = false, closing_ = false, close_after_flush_ = false, peer_done_ = false;
};

class Server final : public HttpServer {
 public:
  Server(Loop& loop, HttpServerOptions options, Handler handler)
      : loop_(loop), options_(std::move(options)), handler_(std::move(handler)) {}
  ~Server() override;

  Status open();
  [[nodiscard]] std::uint16_t port() const override { return port_; }
  [[nodiscard]] std::size_t open_connections() const override { return connections_.size(); }
  void drain(std::function<void()> on_idle) override;
  void close() override;

  [[nodiscard]] bool draining() const { return draining_; }
  std::uint64_t next_id() { return ++last_id_; }
  void dispatch(HttpExchange& exchange) {
    ++active_;
    handler_(exchange);
  }
  void exchange_ended() {
    --active_;
    report_idle();
  }
  void forget(Connection* connection) { connections_.erase(connection); }
  std::array<char, 65536>& read_buffer() { return read_buffer_; }

 private:
  static void on_connection(uv_stream_t* listener, int status);
  void stop_listening();
  void report_idle();

  Loop& loop_;
  HttpServerOptions options_;
  Handler handler_;
  uv_tcp_t* listener_ = nullptr;
  std::uint16_t port_ = 0;
  std::uint64_t last_id_ = 0;
  std::size_t active_ = 0;
  bool draining_ = false;
  std::function<void()> on_idle_;
  std::unordered_set<Connection*> connections_;
  std::array<char, 65536> read_buffer_{};
};

// ---- Connection ----

Connection::Connection(Server& server, const HttpServerOptions& options)
    : server_(server),
      parser_(Http1Parser::Kind::kRequest, {options.max_header_bytes, options.max_body_bytes}, *this) {}

bool Connection::accept_from(uv_stream_t* listener) {
  check(uv_tcp_init(listener->loop, &tcp_) == 0, "uv_tcp_init");
  tcp_.data = this;
  if (uv_accept(listener, reinterpret_cast<uv_stream_t*>(&tcp_)) != 0) return false;
  uv_tcp_nodelay(&tcp_, 1);
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    auto& shared = static_cast<Connection*>(handle->data)->server_.read_buffer();
    *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
  };
  return uv_read_start(reinterpret_cast<uv_stream_t*>(&tcp_), allocate, &Connection::on_read) == 0;
}

void Connection::on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  auto* self = static_cast<Connection*>(stream->data);
  if (self->closing_) return;
  if (size > 0) {
    self->on_bytes(std::string_view(buffer->base, static_cast<std::size_t>(size)));
  } else if (size < 0) {
    self->on_end_of_input();
  }
}

void Connection::on_bytes(std::string_view bytes) {
  constexpr std::size_t kMaxPipelined = 1u << 20;
  if (close_after_flush_) return;
  if (active_ || processing_) {
    pending_.append(bytes);
    if (pending_.size() > kMaxPipelined) close_now();
    return;
  }
  if (pending_.empty()) {
    const std::size_t used = parser_.feed(bytes);
    pending_.assign(bytes.substr(used));
  } else {
    pending_.append(bytes);
  }
  process();
}

void Connection::on_head(Http1Head&& head) {
  request_.method = std::move(head.method);
  request_.target = std::move(head.target);
  request_.path = request_.target.substr(0, request_.target.find('?'));
  request_.headers = std::move(head.headers);
  request_.body.clear();
  keep_alive_ = head.keep_alive;
  if (equals_ignore_case(find_header(request_.headers, "expect"), "100-continue")) {
    send({"HTTP/1.1 100 Continue\r\n\r\n"});
  }
}

void Connection::process() {
  if (processing_) return;
  processing_ = true;
  while (!closing_ && !active_ && !close_after_flush_) {
    if (parser_.refusal() != Http1Parser::Refusal::kNone) {
      refuse();
      break;
    }
    if (request_complete_) {
      request_complete_ = false;
      parser_.reset();
      active_ = true;
      id_ = server_.next_id();
      if (server_.draining()) keep_alive_ = false;
      server_.dispatch(*this);
      continue;
    }
    if (pending_.empty()) break;
    const std::size_t used = parser_.feed(pending_);
    pending_.erase(0, used);
  }
  processing_ = false;
  if (peer_done_ && !active_ && !closing_) close_when_flushed();
}

void Connection::refuse() {
  const auto why = parser_.refusal();
  const int status = why == Http1Parser::Refusal::kHeaderTooLarge ? 431
                     : why == Http1Parser::Refusal::kBodyTooLarge ? 413 : 400;
  keep_alive_ = false;
  write_head(status, {}, "Content-Length: 0\r\n");
  close_when_flushed();
}

void Connection::on_end_of_input() {
  peer_done_ = true;
  if (!active_) {
    close_when_flushed();
    return;
  }
  // A client that half-closes and waits is not told apart from one that left; LLM clients do the latter.
  close_now();
}

void Connection::write_head(int status, const Headers& headers, std::string_view framing) {
  head_.clear();
  fmt::format_to(std::back_inserter(head_), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& [name, value] : headers) fmt::format_to(std::back_inserter(head_), "{}: {}\r\n", name, value);
  head_.append(framing);
  if (!keep_alive_) head_.append("Connection: close\r\n");
  head_.append("\r\n");
  send({head_});
}

void Connection::respond(int status, const Headers& headers, std::string_view body) {
  head_.clear();
  fmt::format_to(std::back_inserter(head_), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  for (const auto& [name, value] : headers) fmt::format_to(std::back_inserter(head_), "{}: {}\r\n", name, value);
  fmt::format_to(std::back_inserter(head_), "Content-Length: {}\r\n{}\r\n", body.size(),
                 keep_alive_ ? "" : "Connection: close\r\n");
  send({head_, body});
  end_exchange();
}

void Connection::start(int status, const Headers& headers) { write_head(status, headers, "Transfer-Encoding: chunked\r\n"); }

void Connection::write(std::string_view data) {
  if (data.empty()) return;
  std::array<char, 20> size{};
  const auto end = fmt::format_to(size.data(), "{:x}\r\n", data.size());
  send({std::string_view(size.data(), static_cast<std::size_t>(end - size.data())), data, "\r\n"});
}

void Connection::finish() {
  send({"0\r\n\r\n"});
  end_exchange();
}

void Connection::finish_raw(bool keep_alive) {
  keep_alive_ = keep_alive_ && keep_alive;
  end_exchange();
}

void Connection::end_exchange() {
  if (!active_) return;
  active_ = false;
  on_gone = nullptr;
  on_drained = nullptr;
  if (!keep_alive_ || server_.draining()) {
    close_when_flushed();
  }
  server_.exchange_ended();
  if (!closing_) process();
}

void Connection::cut() {
  const bool was_active = active_;
  active_ = false;
  on_gone = nullptr;
  on_drained = nullptr;
  if (!closing_) {
    closing_ = true;
    const auto on_close = [](uv_handle_t* handle) { delete static_cast<Connection*>(handle->data); };
    server_.forget(this);
    if (uv_tcp_close_reset(&tcp_, on_close) != 0) uv_close(reinterpret_cast<uv_handle_t*>(&tcp_), on_close);
  }
  if (was_active) server_.exchange_ended();
}

void Connection::send(std::initializer_list<std::string_view> parts) {
  if (closing_) return;
  std::array<uv_buf_t, 4> buffers{};
  unsigned count = 0;
  std::size_t total = 0;
  for (const auto part : parts) {
    buffers[count++] = uv_buf_init(const_cast<char*>(part.data()), static_cast<unsigned>(part.size()));
    total += part.size();
  }
  std::size_t sent = 0;
  if (!writing_ && queued_.empty()) {
    const int written = uv_try_write(reinterpret_cast<uv_stream_t*>(&tcp_), buffers.data(), count);
    // Other failures surface through the read side or the queued write.
    if (written > 0) sent = static_cast<std::size_t>(written);
  }
  if (sent == total) return;
  for (const auto part : parts) {
    const std::size_t skip = std::min(sent, part.size());
    queued_.append(part.substr(skip));
    sent -= skip;
  }
  flush_queue();
}

void Connection::flush_queue() {
  if (writing_ || queued_.empty() || closing_) return;
  in_write_.swap(queued_);
  queued_.clear();
  writing_ = true;
  write_request_.data = this;
  const uv_buf_t buffer = uv_buf_init(in_write_.data(), static_cast<unsigned>(in_write_.size()));
  const auto on_done = [](uv_write_t* write, int status) { static_cast<Connection*>(write->data)->on_written(status); };
  if (uv_write(&write_request_, reinterpret_cast<uv_stream_t*>(&tcp_), &buffer, 1, on_done) != 0) {
    writing_ = false;
    in_write_.clear();
    close_now();
  }
}

void Connection::on_written(int status) {
  writing_ = false;
  in_write_.clear();
  if (closing_) return;
  if (status != 0) {
    close_now();
    return;
  }
  if (!queued_.empty()) {
    flush_queue();
    return;
  }
  if (close_after_flush_) {
    close_now();
    return;
  }
  if (on_drained) {
    const auto drained = on_drained;
    drained();
  }
}

void Connection::close_when_flushed() {
  close_after_flush_ = true;
  if (!writing_ && queued_.empty()) close_now();
}

void Connection::close_idle_or_after_exchange() {
  if (!active_ && !parser_.started()) close_when_flushed();
}

void Connection::close_now() {
  if (closing_) return;
  closing_ = true;
  server_.forget(this);
  uv_close(reinterpret_cast<uv_handle_t*>(&tcp_), [](uv_handle_t* handle) { delete static_cast<Connection*>(handle->data); });
  if (!active_) return;
  active_ = false;
  const auto gone = std::move(on_gone);
  on_gone = nullptr;
  on_drained = nullptr;
  if (gone) gone();
  server_.exchange_ended();
}

void Connection::close_silently() {
  active_ = false;
  close_now();
}

// ---- Server ----

Status Server::open() {
  sockaddr_storage address{};
  const bool v6 = options_.host.find(':') != std::string::npos;
  const int parsed = v6 ? uv_ip6_addr(options_.host.c_str(), options_.port, reinterpret_cast<sockaddr_in6*>(&address))
                        : uv_ip4_addr(options_.host.c_str(), options_.port, reinterpret_cast<sockaddr_in*>(&address));
  if (parsed != 0) {
    return fail(ErrorCode::kInvalid, fmt::format("listen address \"{}\" is not an IP address", options_.host),
                "use 127.0.0.1, 0.0.0.0 or an address of this machine");
  }
  listener_ = new uv_tcp_t{};
  check(uv_tcp_init(loop_.raw(), listener_) == 0, "uv_tcp_init");
  listener_->data = this;
  int error = uv_tcp_bind(listener_, reinterpret_cast<const sockaddr*>(&address), 0);
  if (error == 0) error = uv_listen(reinterpret_cast<uv_stream_t*>(listener_), 4096, &Server::on_connection);
  if (error != 0) {
    stop_listening();
    return fail(ErrorCode::kIo, fmt::format("cannot listen on {}:{}: {}", options_.host, options_.port, uv_strerror(error)),
                error == UV_EADDRINUSE ? "another process has this port; choose another one, or 0 for a free one" : "");
  }
  int length = sizeof address;
  check(uv_tcp_getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0, "uv_tcp_getsockname");
  port_ = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
  return {};
}

void Server::on_connection(uv_stream_t* listener, int status) {
  auto* self = static_cast<Server*>(listener->data);
  if (status != 0) return;
  auto* connection = new Connection(*self, self->options_);
  if (!connection->accept_from(listener)) {
    connection->close_now();
    return;
  }
  self->connections_.insert(connection);
  if (self->connections_.size() > self->options_.max_connections) connection->close_now();
}

void Server::stop_listening() {
  if (listener_ == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(listener_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_tcp_t*>(handle); });
  listener_ = nullptr;
}

void Server::drain(std::function<void()> on_idle) {
  draining_ = true;
  on_idle_ = std::move(on_idle);
  stop_listening();
  const std::vector<Connection*> open(connections_.begin(), connections_.end());
  for (auto* connection : open) connection->close_idle_or_after_exchange();
  report_idle();
}

void Server::report_idle() {
  if (!draining_ || active_ != 0 || !on_idle_) return;
  const auto idle = std::move(on_idle_);
  on_idle_ = nullptr;
  idle();
}

Server::~Server() {
  stop_listening();
  const std::vector<Connection*> open(connections_.begin(), connections_.end());
  for (auto* connection : open) connection->close_silently();
}

void Server::close() {
  stop_listening();
  const std::vector<Connection*> open(connections_.begin(), connections_.end());
  for (auto* connection : open) connection->close_now();
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, const HttpServerOptions& options, Handler handler) {
  auto server = std::make_unique<Server>(loop, options, std::move(handler));
  if (auto opened = server->open(); !opened) return opened.error();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace core::net
