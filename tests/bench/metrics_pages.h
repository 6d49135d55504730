// A server of metrics pages for tests of scraping: each path its page and status; honours name[] when told to.
// Port 0, loopback, its own thread; it ends with its object.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/net/http_server.h"

namespace bench {

class MetricsPages {
 public:
  struct Page {
    int status = 200;
    std::string text;
    int filtered_status = 0;          ///< with name[]; 0: the query is ignored
    std::string filtered_text;
    std::string token;                ///< asked for when not empty
  };

  MetricsPages() {
    auto listening = core::net::HttpServer::listen(loop_, {}, [this](core::net::HttpExchange& exchange) { serve(exchange); });
    server_ = std::move(*listening);
    port_ = server_->port();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~MetricsPages() {
    loop_.post([this] {
      server_->close();
      loop_.stop();
    });
    thread_.join();
  }
  MetricsPages(const MetricsPages&) = delete;
  MetricsPages& operator=(const MetricsPages&) = delete;

  void set(const std::string& path, Page page) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pages_[path] = std::move(page);
  }
  [[nodiscard]] std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
  /// How many requests came to `path` with (or without) name[].
  [[nodiscard]] long asked(const std::string& path, bool by_name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::count(asked_.begin(), asked_.end(), std::pair(path, by_name));
  }

 private:
  void serve(core::net::HttpExchange& exchange) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool by_name = exchange.request().target.find("name%5B%5D=") != std::string::npos;
    asked_.emplace_back(exchange.request().path, by_name);
    const auto page = pages_.find(exchange.request().path);
    if (page == pages_.end()) return exchange.respond(404, {}, "");
    const auto given = core::net::find_header(exchange.request().headers, "authorization");
    if (!page->second.token.empty() && given != "Bearer " + page->second.token) return exchange.respond(401, {}, "");
    if (by_name && page->second.filtered_status != 0) return exchange.respond(page->second.filtered_status, {}, page->second.filtered_text);
    exchange.respond(page->second.status, {{"Content-Type", "text/plain"}}, page->second.text);
  }

  core::net::Loop loop_;
  std::unique_ptr<core::net::HttpServer> server_;
  std::thread thread_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;  // guards pages_ and asked_
  std::map<std::string, Page> pages_;
  std::vector<std::pair<std::string, bool>> asked_;
};

}  // namespace bench
