// Upstream connections on libuv: connect, send, read into one shared buffer, keep idle ones watched.
// Made by RouterServer, used by Forward.
// A handle deletes itself in its close callback and touches nobody else there: the pool may be gone by then.
#include "router/shell/upstream.h"

#include <uv.h>

#include <algorithm>
#include <array>

#include "core/check.h"

namespace router {
namespace {

constexpr core::Duration kConnectSweep{100'000'000};

class Pool;

class Connection final : public UpstreamConnection {
 public:
  Connection(Pool& pool, std::size_t endpoint, uv_loop_t* loop) : pool_(&pool), endpoint_(endpoint) {
    core::check(uv_tcp_init(loop, &tcp_) == 0, "uv_tcp_init");
    tcp_.data = this;
  }

  void send(std::string_view head, std::string_view body) override;
  void pause_reading() override { uv_read_stop(stream()); }
  void resume_reading() override { start_reading(); }
  [[nodiscard]] bool reused() const override { return uses_ > 1; }
  [[nodiscard]] bool all_sent() const override { return !write_waits_ && !writing_; }

  bool connect(const sockaddr* address, core::TimePoint deadline);
  void start_reading();
  void begin_use(UpstreamUser& user) {
    user_ = &user;
    ++uses_;
  }
  void end_use() { user_ = nullptr; }
  void close();
  [[nodiscard]] std::size_t endpoint() const { return endpoint_; }
  [[nodiscard]] bool connecting() const { return connecting_; }
  [[nodiscard]] core::TimePoint connect_deadline() const { return connect_deadline_; }
  void end(UpstreamEnd how);

 private:
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp_); }
  void write_now();
  void on_connected(int status);
  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);

  Pool* pool_;
  UpstreamUser* user_ = nullptr;
  std::size_t endpoint_;
  std::size_t uses_ = 0;
  uv_tcp_t tcp_{};
  uv_connect_t connect_{};
  uv_write_t write_{};
  std::string_view head_, body_;
  bool connecting_ = false, write_waits_ = false, writing_ = false, closing_ = false;
  core::TimePoint connect_deadline_{};
};

class Pool final : public UpstreamPool {
 public:
  Pool(core::net::Loop& loop, const UpstreamOptions& options)
      : loop_(loop), options_(options), sweep_(loop, [this](core::TimePoint) { sweep_connecting(); }) {}
  ~Pool() override { close(); }

  core::Status resolve(const std::vector<UpstreamAddress>& addresses);
  UpstreamConnection* open(std::size_t endpoint, UpstreamUser& user, bool fresh) override;
  void release(UpstreamConnection& connection) override;
  void drop(UpstreamConnection& connection) override { static_cast<Connection&>(connection).close(); }
  void close() override;
  [[nodiscard]] std::size_t open_connections() const override { return all_.size(); }
  [[nodiscard]] std::uint64_t connections_made() const override { return made_; }

  void forget(Connection* connection);
  std::array<char, 65536>& read_buffer() { return read_buffer_; }

 private:
  void sweep_connecting();

  core::net::Loop& loop_;
  UpstreamOptions options_;
  core::net::Timer sweep_;
  std::vector<sockaddr_storage> addresses_;
  std::vector<Connection*> all_;
  std::vector<std::vector<Connection*>> idle_;
  std::uint64_t made_ = 0;
  std::array<char, 65536> read_buffer_{};
};

// ---- Connection ----

bool Connection::connect(const sockaddr* address, core::TimePoint deadline) {
  uv_tcp_nodelay(&tcp_, 1);
  connect_.data = this;
  connecting_ = true;
  connect_deadline_ = deadline;
  const auto on_connect = [](uv_connect_t* request, int status) {
    // A cancelled connect arrives while the handle is closing, just before it is deleted.
    if (status != UV_ECANCELED) static_cast<Connection*>(request->data)->on_connected(status);
  };
  return uv_tcp_connect(&connect_, &tcp_, address, on_connect) == 0;
}

void Connection::on_connected(int status) {
  if (closing_) return;
  connecting_ = false;
  if (status != 0) {
    end(UpstreamEnd::kConnectFailed);
    return;
  }
  start_reading();
  if (write_waits_) write_now();
}

void Connection::start_reading() {
  const auto allocate = [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
    auto& shared = static_cast<Connection*>(handle->data)->pool_->read_buffer();
    *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
  };
  uv_read_start(stream(), allocate, &Connection::on_read);
}

void Connection::send(std::string_view head, std::string_view body) {
  head_ = head;
  body_ = body;
  write_waits_ = true;
  if (!connecting_) write_now();
}

void Connection::write_now() {
  write_waits_ = false;
  std::array<uv_buf_t, 2> buffers{
      uv_buf_init(const_cast<char*>(head_.data()), static_cast<unsigned>(head_.size())),
      uv_buf_init(const_cast<char*>(body_.data()), static_cast<unsigned>(body_.size()))};
  write_.data = this;
  writing_ = true;
  // A failed write shows on the read side as well, and there an answer that came before it is not lost.
  const auto on_written = [](uv_write_t* write, int) { static_cast<Connection*>(write->data)->writing_ = false; };
  uv_write(&write_, stream(), buffers.data(), body_.empty() ? 1 : 2, on_written);
}

void Connection::on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  auto* self = static_cast<Connection*>(stream->data);
  if (self->closing_ || size == 0) return;
  if (size < 0) {
    self->end(size == UV_EOF ? UpstreamEnd::kEof : UpstreamEnd::kReset);
  } else if (self->user_ == nullptr) {
    self->close();  // bytes nobody asked for: the framing cannot be trusted any more
  } else {
    self->user_->on_upstream_bytes(std::string_view(buffer->base, static_cast<std::size_t>(size)));
  }
}

void Connection::end(UpstreamEnd how) {
  auto* user = user_;
  close();
  if (user != nullptr) user->on_upstream_end(how);
}

void Connection::close() {
  if (closing_) return;
  closing_ = true;
  user_ = nullptr;
  pool_->forget(this);
  uv_close(reinterpret_cast<uv_handle_t*>(&tcp_), [](uv_handle_t* handle) { delete static_cast<Connection*>(handle->data); });
}

// ---- Pool ----

core::Status Pool::resolve(const std::vector<UpstreamAddress>& addresses) {
  for (const auto& address : addresses) {
    uv_getaddrinfo_t request{};
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    const std::string port = std::to_string(address.port);
    const int error = uv_getaddrinfo(loop_.raw(), &request, nullptr, address.host.c_str(), port.c_str(), &hints);
    if (error != 0 || request.addrinfo == nullptr) {
      return core::fail(core::ErrorCode::kInvalid, "endpoint " + address.host + ":" + port + " cannot be resolved: " + uv_strerror(error),
                        "give an IP address or a name that resolves on this machine");
    }
    sockaddr_storage storage{};
    const auto* bytes = reinterpret_cast<const char*>(request.addrinfo->ai_addr);
    std::copy(bytes, bytes + request.addrinfo->ai_addrlen, reinterpret_cast<char*>(&storage));
    uv_freeaddrinfo(request.addrinfo);
    addresses_.push_back(storage);
  }
  idle_.resize(addresses_.size());
  return {};
}

UpstreamConnection* Pool::open(std::size_t endpoint, UpstreamUser& user, bool fresh) {
  auto& idle = idle_[endpoint];
  if (!fresh && !idle.empty()) {
    Connection* connection = idle.back();
    idle.pop_back();
    connection->begin_use(user);
    return connection;
  }
  auto* connection = new Connection(*this, endpoint, loop_.raw());
  all_.push_back(connection);
  const auto deadline = loop_.now() + options_.connect_timeout;
  if (!connection->connect(reinterpret_cast<const sockaddr*>(&addresses_[endpoint]), deadline)) {
    connection->close();
    return nullptr;
  }
  ++made_;
  if (!sweep_.armed()) sweep_.arm(loop_.now() + kConnectSweep);
  connection->begin_use(user);
  return connection;
}

void Pool::release(UpstreamConnection& connection) {
  auto& mine = static_cast<Connection&>(connection);
  mine.end_use();
  auto& idle = idle_[mine.endpoint()];
  if (idle.size() >= options_.max_idle_per_endpoint) {
    mine.close();
    return;
  }
  mine.resume_reading();
  idle.push_back(&mine);
}

void Pool::forget(Connection* connection) {
  const auto erase = [connection](std::vector<Connection*>& list) {
    const auto found = std::find(list.begin(), list.end(), connection);
    if (found != list.end()) {
      *found = list.back();
      list.pop_back();
    }
  };
  erase(all_);
  erase(idle_[connection->endpoint()]);
}

void Pool::sweep_connecting() {
  const auto now = loop_.now();
  bool any = false;
  std::vector<Connection*> late;
  for (auto* connection : all_) {
    if (!connection->connecting()) continue;
    any = true;
    if (now >= connection->connect_deadline()) late.push_back(connection);
  }
  for (auto* connection : late) connection->end(UpstreamEnd::kConnectFailed);
  if (any) sweep_.arm(now + kConnectSweep);
}

void Pool::close() {
  sweep_.cancel();
  const auto all = all_;
  for (auto* connection : all) connection->close();
}

}  // namespace

core::Result<std::unique_ptr<UpstreamPool>> UpstreamPool::create(core::net::Loop& loop,
                                                                 const std::vector<UpstreamAddress>& addresses,
                                                                 const UpstreamOptions& options) {
  auto pool = std::make_unique<Pool>(loop, options);
  if (auto resolved = pool->resolve(addresses); !resolved) return resolved.error();
  return std::unique_ptr<UpstreamPool>(std::move(pool));
}

}  // namespace router
