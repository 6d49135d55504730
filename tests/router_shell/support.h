// Peers for the router's tests: blocking sockets, exact bytes, no timing. The router itself runs on a loop of its own
// thread (RouterUnderTest).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/net/loop.h"
#include "router/shell/router_server.h"

namespace router::test {

/// One accepted connection of a scripted upstream.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// One whole request, head and Content-Length body; empty when the connection ended first.
  std::string read_request();
  void write(std::string_view bytes) const;
  /// Ends the connection with a FIN.
  void close();
  /// Makes the end of the script a reset instead of a FIN.
  void reset() { reset_ = true; }
  [[nodiscard]] bool to_be_reset() const { return reset_; }
  /// True when the other side closed or reset.
  bool wait_closed();

 private:
  int fd_;
  bool reset_ = false;
  std::string held_;
};

/// A listening socket whose connections are served one after the other, each by `serve` in a thread of its own.
class ScriptedUpstream {
 public:
  explicit ScriptedUpstream(std::function<void(Peer&)> serve);
  ~ScriptedUpstream();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  std::function<void(Peer&)> serve_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/// A port on which nothing listens.
std::uint16_t dead_port();

/// Answers every request like a replica: JSON naming `name`; counts requests.
class Replica {
 public:
  explicit Replica(std::string name);
  [[nodiscard]] std::uint16_t port() const { return upstream_.port(); }
  [[nodiscard]] int requests() const { return requests_; }
  [[nodiscard]] std::vector<std::string> seen();

 private:
  std::string name_;
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  std::vector<std::string> seen_;
  ScriptedUpstream upstream_;
};

class RouterUnderTest {
 public:
  explicit RouterUnderTest(RouterOptions options);
  ~RouterUnderTest();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Closes the router, twice, and waits for its loop to end.
  void close();
  /// Runs `task` on the router's thread and waits for it.
  void on_loop(const std::function<void(RouterServer&)>& task);

 private:
  std::thread thread_;
  core::net::Loop* loop_ = nullptr;
  RouterServer* server_ = nullptr;
  std::uint16_t port_ = 0;
};

RouterOptions options_for(const std::vector<std::uint16_t>& ports);

/// A client connection to the router.
class Client {
 public:
  explicit Client(std::uint16_t port);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void send(std::string_view bytes) const;
  /// Reads until `bytes` have come, or the connection ends.
  std::string read_exactly(std::size_t bytes);
  /// Reads until the text ends with `end`, or the connection ends.
  std::string read_until(std::string_view end);
  /// Reads to the end; `was_reset` tells a reset from a FIN.
  std::string read_all(bool* was_reset = nullptr);
  void close();
  void close_with_reset();

 private:
  int fd_;
};

std::string post(std::string_view path, std::string_view body, std::string_view extra_headers = {});
/// Sends one request on a connection of its own, "Connection: close", and returns all that came.
std::string ask(std::uint16_t port, std::string_view request);
std::string completion(std::string_view prompt);
/// The value of a response header, or "".
std::string header_of(std::string_view response, std::string_view name);

}  // namespace router::test
