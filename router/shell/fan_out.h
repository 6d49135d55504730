// FanOut: one client request sent to every endpoint, answered once all of them have answered.
// Used by RouterServer for POST /reset_prefix_cache. It must answer 200 only when every endpoint did.
// The exchange may go away first; the requests to the endpoints still run to their end.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/net/http_client.h"
#include "core/net/http_server.h"
#include "core/result.h"

namespace router {

class FanOut {
 public:
  /// Sends the exchange's request (method, target, body) to each of `base_urls`. `on_answer(i, status)` is called per
  /// endpoint, status 0 for none; the exchange is answered after the last.
  FanOut(core::net::HttpClient& client, core::net::HttpExchange& exchange, const std::vector<std::string>& base_urls,
         std::function<void(std::size_t, int)> on_answer);
  ~FanOut();
  FanOut(const FanOut&) = delete;
  FanOut& operator=(const FanOut&) = delete;

  void start();
  [[nodiscard]] bool done() const { return pending_ == 0; }

 private:
  class Leg;
  void answered(std::size_t leg, int status);
  void respond();

  core::net::HttpClient& client_;
  core::net::HttpExchange* exchange_;
  std::string method_, body_;
  std::vector<std::unique_ptr<Leg>> legs_;
  std::vector<int> statuses_;
  std::function<void(std::size_t, int)> on_answer_;
  std::size_t pending_ = 0;
};

}  // namespace router
