// A small OpenAI-like server on its own thread, for tests of the runner: streams tokens, counts them in vLLM's metrics,
// and misbehaves on request. Port 0, loopback; it ends with its object.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/net/http_server.h"

namespace bench {

class MockServer {
 public:
  enum class Mode { kNormal, kHang, kCutMidStream, kHalfEvent, kStatus500, kNotJson };

  MockServer();
  ~MockServer();
  MockServer(const MockServer&) = delete;
  MockServer& operator=(const MockServer&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string metrics_url() const { return url() + "/metrics"; }
  [[nodiscard]] std::vector<std::string> authorizations();

  std::atomic<Mode> mode{Mode::kNormal};
  std::atomic<int> torn_pages{0};       ///< so many scrapes from now on are torn
  std::atomic<bool> bad_models{false};
  std::atomic<int> resets{0}, completions{0};

 private:
  void serve(core::net::HttpExchange& exchange);
  void complete(core::net::HttpExchange& exchange);
  std::string metrics();

  core::net::Loop loop_;
  std::unique_ptr<core::net::HttpServer> server_;
  std::thread thread_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;  // guards authorizations_
  std::vector<std::string> authorizations_;
  int finished_ = 0;
};

}  // namespace bench
