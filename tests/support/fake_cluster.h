// A cluster as kubectl and clients see it, on one loopback port: an API server with discovery, lists, gets and the proxy to
// pods; a gateway that answers completions; metrics that move with them. For end-to-end tests; ends with its object.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "core/net/http_server.h"
#include "tests/support/live_state.h"

namespace support {

class FakeCluster {
 public:
  /// Serves the state's lists; its Gateway's address becomes this server.
  explicit FakeCluster(LiveState state);
  ~FakeCluster();
  FakeCluster(const FakeCluster&) = delete;
  FakeCluster& operator=(const FakeCluster&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// A kubeconfig with contexts "here" (current) and "nowhere" (a closed port).
  [[nodiscard]] std::string kubeconfig() const;
  [[nodiscard]] const deploy::Expectation& want() const { return state_.want(); }

  // Set before kubectl runs.
  bool picker_bypassed = false;          ///< requests go past it: its counters stay
  std::string picker_token;              ///< its metrics page asks for it
  std::set<std::string> forbidden;       ///< plurals that may not be listed
  std::set<std::string> unknown;         ///< plurals that discovery does not have
  std::string api_key;                   ///< the gateway asks for it
  bool repeats_the_key = false;          ///< the gateway's refusal holds what it was sent

  [[nodiscard]] std::vector<std::string> asked();   ///< paths, in order

 private:
  void serve(core::net::HttpExchange& exchange);
  bool discover(core::net::HttpExchange& exchange);
  void serve_api(core::net::HttpExchange& exchange);
  void serve_page(core::net::HttpExchange& exchange, const std::string& pod);
  void serve_model(core::net::HttpExchange& exchange);

  LiveState state_;
  core::net::Loop loop_;
  std::unique_ptr<core::net::HttpServer> server_;
  std::thread thread_;
  std::uint16_t port_ = 0;
  int picked_ = 3, finished_ = 20;
  std::mutex mutex_;   // guards asked_
  std::vector<std::string> asked_;
};

}  // namespace support
