// A blocking-looking client for tests: drives the loop until its transfers are over.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/net/http_client.h"
#include "core/net/loop.h"
#include "core/sse.h"
#include "simulator/server/replica_server.h"

namespace simulator::testing {

/// One request and all that came back.
struct Call final : core::net::TransferSink {
  std::string url, body, method = "GET";
  std::vector<std::string> headers{"Content-Type: application/json"};
  int status = 0, curl_code = -1;
  std::string answer, pod, content_type;
  bool over = false;
  std::function<void()> on_bytes, on_over;

  void on_header(std::string_view name, std::string_view value) override {
    if (name == "x-inference-pod") pod = value;
    if (name == "content-type" || name == "Content-Type") content_type = value;
  }
  void on_body(std::string_view bytes, const core::net::ArrivalStamp&) override {
    answer += bytes;
    if (on_bytes) on_bytes();
  }
  void on_done(const core::net::TransferResult& result) override {
    status = result.http_status;
    curl_code = result.curl_code;
    over = true;
    if (on_over) on_over();
  }
  [[nodiscard]] std::vector<std::string> events() const {
    std::vector<std::string> payloads;
    core::SseParser parser;
    parser.feed(answer, [&](std::string_view payload) { payloads.emplace_back(payload); });
    return payloads;
  }
};

/// One replica and one client on one loop.
class Bench {
 public:
  explicit Bench(std::function<void(ReplicaOptions&)> change = {}) {
    auto profile = load_profile(kDefaultProfile);
    ReplicaOptions options;
    options.name = "pod-7";
    options.profile = *profile;
    options.profile.fixed = {};
    options.profile.step.base_us = 200;
    options.profile.step.noise_fraction = 0;
    if (change) change(options);
    auto started = ReplicaServer::start(loop, std::move(options));
    EXPECT_TRUE(started.has_value()) << (started ? "" : started.error().message);
    server = std::move(*started);
    core::net::HttpClientOptions client_options;
    client_options.kernel_stamps = false;  // no time is looked at here
    auto created = core::net::HttpClient::create(loop, client_options);
    EXPECT_TRUE(created.has_value());
    client = std::move(*created);
  }

  std::unique_ptr<Call> make(const std::string& path, const std::string& body = {}) {
    auto call = std::make_unique<Call>();
    call->url = server->url() + path;
    call->body = body;
    call->method = body.empty() ? "GET" : "POST";
    return call;
  }
  core::net::TransferId begin(Call& call) {
    core::net::TransferRequest request;
    request.method = call.method;
    request.url = call.url;
    request.body = call.body;
    headers_.push_back(call.headers);  // the client knows lists by their address: never use one twice
    request.headers = &headers_.back();
    request.timeout = std::chrono::seconds(20);
    const auto id = client->start(request, call);
    EXPECT_TRUE(id.has_value());
    return *id;
  }
  /// Runs the loop until every call is over.
  void finish(const std::vector<Call*>& calls) {
    const auto check = [this, calls] {
      for (const Call* call : calls) {
        if (!call->over) return;
      }
      loop.stop();
    };
    for (Call* call : calls) call->on_over = check;
    for (const Call* call : calls) {
      if (!call->over) {
        loop.run();
        break;
      }
    }
  }
  std::unique_ptr<Call> call(const std::string& path, const std::string& body = {}) {
    auto one = make(path, body);
    begin(*one);
    finish({one.get()});
    return one;
  }
  /// Value of an exposition line that starts with `series`; -1 when there is none.
  double metric(const std::string& series) {
    const auto scrape = call("/metrics");
    const auto at = ("\n" + scrape->answer).find("\n" + series + " ");
    if (at == std::string::npos) return -1;
    return std::stod(scrape->answer.substr(at + series.size() + 1));
  }

  core::net::Loop loop;
  std::unique_ptr<ReplicaServer> server;
  std::unique_ptr<core::net::HttpClient> client;

 private:
  std::deque<std::vector<std::string>> headers_;
};

}  // namespace simulator::testing
