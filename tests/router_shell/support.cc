#include "support.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <future>

#include "core/text.h"

namespace router::test {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

std::uint16_t bound_port(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

int bound_socket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(0);
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// Appends what one read gives; false at the end, with errno 0 for a FIN.
bool read_some(int fd, std::string& into) {
  std::array<char, 65536> buffer{};
  errno = 0;
  const auto got = recv(fd, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  into.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

/// A test that hangs must fail instead.
void set_deadline(int fd) {
  const timeval limit{20, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

void reset_on_close(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

// ---- Peer ----

Peer::~Peer() {
  if (!reset_) close();
}

std::string Peer::read_request() {
  auto end = held_.find(kHeadEnd);
  while (end == std::string::npos) {
    if (!read_some(fd_, held_)) return {};
    end = held_.find(kHeadEnd);
  }
  const auto length = core::parse_integer(header_of(held_, "content-length")).value_or(0);
  const auto whole = end + kHeadEnd.size() + static_cast<std::size_t>(length);
  while (held_.size() < whole) {
    if (!read_some(fd_, held_)) return {};
  }
  auto request = held_.substr(0, whole);
  held_.erase(0, whole);
  return request;
}

void Peer::write(std::string_view bytes) const { write_all(fd_, bytes); }

void Peer::close() { ::shutdown(fd_, SHUT_RDWR); }

bool Peer::wait_closed() {
  std::string ignored;
  while (read_some(fd_, ignored)) {
  }
  return errno != EAGAIN;
}

// ---- ScriptedUpstream ----

ScriptedUpstream::ScriptedUpstream(std::function<void(Peer&)> serve) : serve_(std::move(serve)), listener_(bound_socket()) {
  port_ = bound_port(listener_);
  EXPECT_EQ(listen(listener_, 128), 0);
  acceptor_ = std::thread([this] {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      set_deadline(fd);
      ++connections_;
      const std::lock_guard<std::mutex> lock(mutex_);
      open_.push_back(fd);
      threads_.emplace_back([this, fd] {
        Peer peer(fd);
        serve_(peer);
        if (!peer.to_be_reset()) return;
        const std::lock_guard<std::mutex> inner(mutex_);
        std::erase(open_, fd);
        reset_on_close(fd);
        ::close(fd);
      });
    }
  });
}

ScriptedUpstream::~ScriptedUpstream() {
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& thread : threads_) thread.join();
  for (const int fd : open_) ::close(fd);
  ::close(listener_);
}

std::uint16_t dead_port() {
  const int fd = bound_socket();
  const auto port = bound_port(fd);
  ::close(fd);
  return port;
}

// ---- Replica ----

Replica::Replica(std::string name)
    : name_(std::move(name)), upstream_([this](Peer& peer) {
        for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
          ++requests_;
          {
            const std::lock_guard<std::mutex> lock(mutex_);
            seen_.push_back(request);
          }
          const auto body = "{\"served_by\":\"" + name_ + "\"}";
          peer.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                     "\r\n\r\n" + body);
        }
      }) {}

std::vector<std::string> Replica::seen() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return seen_;
}

// ---- RouterUnderTest ----

RouterUnderTest::RouterUnderTest(RouterOptions options) {
  std::promise<void> ready;
  thread_ = std::thread([&ready, this, options = std::move(options)]() mutable {
    core::net::Loop loop;
    auto server = RouterServer::start(loop, std::move(options));
    if (server) {
      loop_ = &loop;
      server_ = server->get();
      port_ = server_->port();
    } else {
      ADD_FAILURE() << server.error().message;
    }
    ready.set_value();
    if (server) loop.run();
  });
  ready.get_future().wait();
}

RouterUnderTest::~RouterUnderTest() { close(); }

void RouterUnderTest::close() {
  if (server_ != nullptr) {
    on_loop([](RouterServer& server) {
      server.close();
      server.close();
    });
  }
  server_ = nullptr;
  if (thread_.joinable()) thread_.join();
}

void RouterUnderTest::on_loop(const std::function<void(RouterServer&)>& task) {
  std::promise<void> done;
  loop_->post([&] {
    task(*server_);
    done.set_value();
  });
  done.get_future().wait();
}

RouterOptions options_for(const std::vector<std::uint16_t>& ports) {
  RouterOptions options;
  options.config = *load_builtin_config("default");
  options.poll_interval = core::Duration{0};
  for (const auto port : ports) {
    options.endpoints.push_back({"replica-" + std::to_string(options.endpoints.size()), "127.0.0.1", port});
  }
  return options;
}

// ---- Client ----

Client::Client(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  set_deadline(fd_);
  const auto address = loopback(port);
  EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

Client::~Client() { close(); }

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Client::close_with_reset() {
  reset_on_close(fd_);
  close();
}

void Client::send(std::string_view bytes) const { write_all(fd_, bytes); }

std::string Client::read_exactly(std::size_t bytes) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < bytes) {
    const auto got = recv(fd_, buffer.data(), std::min(buffer.size(), bytes - text.size()), 0);
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::string Client::read_until(std::string_view end) {
  std::string text;
  while (text.size() < end.size() || std::string_view(text).substr(text.size() - end.size()) != end) {
    if (!read_some(fd_, text)) break;
  }
  return text;
}

std::string Client::read_all(bool* was_reset) {
  std::string text;
  while (read_some(fd_, text)) {
  }
  if (was_reset != nullptr) *was_reset = errno == ECONNRESET;
  return text;
}

std::string post(std::string_view path, std::string_view body, std::string_view extra_headers) {
  std::string request = "POST " + std::string(path) + " HTTP/1.1\r\nHost: model.example\r\nContent-Type: application/json\r\n";
  request += extra_headers;
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return request.append(body);
}

std::string ask(std::uint16_t port, std::string_view request) {
  std::string closing(request);
  closing.insert(closing.find("\r\n") + 2, "Connection: close\r\n");
  Client client(port);
  client.send(closing);
  return client.read_all();
}

std::string completion(std::string_view prompt) {
  return post("/v1/completions", R"({"model":"m","prompt":")" + std::string(prompt) + "\"}");
}

std::string header_of(std::string_view response, std::string_view name) {
  const auto head = response.substr(0, response.find(kHeadEnd));
  for (const auto line : core::split(head, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !core::equals_ignore_case(line.substr(0, colon), name)) continue;
    return std::string(core::trim(line.substr(colon + 1)));
  }
  return {};
}

}  // namespace router::test
