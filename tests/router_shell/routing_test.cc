// What the front decides: stickiness, spread, refusals, admin pages, polling, cache resets.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>
#include <string>

#include "support.h"

namespace router::test {
namespace {

constexpr std::string_view kServed = "x-gateway-destination-endpoint-served";

std::string served(const RouterUnderTest& router, const std::string& request) {
  return header_of(ask(router.port(), request), kServed);
}

std::string get(std::uint16_t port, const std::string& path) {
  return ask(port, "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
}

std::string body_of(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }

TEST(Routing, EqualLongPromptsStickAndUniqueOnesSpread) {
  for (const auto mode : {RouterMode::kImproved, RouterMode::kEpp}) {
    Replica a("a");
    Replica b("b");
    Replica c("c");
    auto options = options_for({a.port(), b.port(), c.port()});
    options.mode = mode;
    RouterUnderTest router(options);
    const std::string shared(4000, 's');
    const auto first = served(router, completion(shared + "0"));
    EXPECT_NE(first, "");
    for (int i = 1; i < 6; ++i) EXPECT_EQ(served(router, completion(shared + std::to_string(i))), first) << name_of(mode);
    std::set<std::string> all;
    for (int i = 0; i < 30; ++i) all.insert(served(router, completion("unique " + std::to_string(i * 7919))));
    EXPECT_EQ(all.size(), 3u) << name_of(mode);
    const auto chat = [&](const std::string& question) {
      return post("/v1/chat/completions", R"({"model":"m","messages":[{"role":"system","content":")" + shared +
                                              R"("},{"role":"user","content":")" + question + "\"}]}");
    };
    const auto first_chat = served(router, chat("one"));
    EXPECT_EQ(served(router, chat("two")), first_chat);
  }
}

TEST(Routing, RoundRobinPolicyTakesTurns) {
  Replica a("a");
  Replica b("b");
  auto options = options_for({a.port(), b.port()});
  options.policy = Policy::kRoundRobin;
  RouterUnderTest router(options);
  for (int i = 0; i < 6; ++i) served(router, completion(std::string(4000, 's')));
  EXPECT_EQ(a.requests(), 3);
  EXPECT_EQ(b.requests(), 3);
}

TEST(Routing, BadBodiesAre400AndReachNobody) {
  Replica a("a");
  RouterUnderTest router(options_for({a.port()}));
  for (const auto* body : {"not json", "", R"({"prompt":"x"})", "[]"}) {
    const auto response = ask(router.port(), post("/v1/completions", body));
    EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 400") << body;
    EXPECT_NE(response.find("\"error\""), std::string::npos);
  }
  EXPECT_NE(ask(router.port(), post("/v1/completions", R"({"prompt":"x"})")).find("model not found in request body"),
            std::string::npos);
  EXPECT_EQ(a.requests(), 0);
}

TEST(Routing, OtherRequestsGoToAnybodyUncounted) {
  Replica a("a");
  Replica b("b");
  RouterUnderTest router(options_for({a.port(), b.port()}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(get(router.port(), "/v1/models").find("200 OK"), std::string::npos);
    EXPECT_NE(ask(router.port(), post("/tokenize", "no json needed")).find("200 OK"), std::string::npos);
  }
  EXPECT_EQ(a.requests(), 2);
  EXPECT_EQ(b.requests(), 2);
  router.on_loop([](RouterServer& server) { EXPECT_EQ(server.endpoints()[0].picks, 0u); });
}

TEST(Routing, ExplainNamesEveryCandidatesTotal) {
  Replica a("a");
  Replica b("b");
  auto options = options_for({a.port(), b.port()});
  options.mode = RouterMode::kEpp;
  RouterUnderTest router(options);
  const auto request = post("/v1/completions", R"({"model":"m","prompt":"hello"})", "x-gatebench-explain: 1\r\n");
  const auto first = ask(router.port(), request);
  const auto mine = header_of(first, kServed);
  const auto other = mine.find(std::to_string(a.port())) != std::string::npos ? b.port() : a.port();
  EXPECT_EQ(header_of(ask(router.port(), request), "x-gateway-destination-endpoint-scores"),
            "{\"" + mine + "\":7.0,\"127.0.0.1:" + std::to_string(other) + "\":4.0}");
  EXPECT_EQ(header_of(ask(router.port(), completion("x")), "x-gateway-destination-endpoint-scores"), "");
  for (const auto& seen : a.seen()) EXPECT_EQ(header_of(seen, "x-gatebench-explain"), "");
}

TEST(Routing, AdminPages) {
  Replica a("a");
  auto options = options_for({a.port()});
  options.endpoints[0].name = "quo\"ted";
  RouterUnderTest router(options);
  ask(router.port(), completion("x"));
  EXPECT_EQ(body_of(get(router.port(), "/healthz")), "ok\n");
  const auto metrics = body_of(get(router.port(), "/router/metrics"));
  EXPECT_NE(metrics.find("gatebench_router_requests_total 1.0\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("gatebench_router_picks_total{endpoint=\"quo\\\"ted\",address=\"127.0.0.1:" + std::to_string(a.port()) + "\"} 1.0\n"),
            std::string::npos) << metrics;
  EXPECT_NE(metrics.find("gatebench_router_request_residence_seconds_count 1.0\n"), std::string::npos);
  EXPECT_NE(metrics.find("mode=\"improved\",policy=\"config\""), std::string::npos);
  const auto config = body_of(get(router.port(), "/router/config"));
  EXPECT_NE(config.find(R"("mode":"improved","policy":"config","source":"default","config_digest":")"), std::string::npos) << config;
  EXPECT_NE(config.find(R"({"type":"prefix-cache-scorer","weight":3.0},{"type":"kv-cache-utilization-scorer","weight":2.0})"),
            std::string::npos) << config;
  EXPECT_NE(config.find(R"("name":"quo\"ted")"), std::string::npos) << config;
}

TEST(Routing, ResetPrefixCacheReachesEveryEndpoint) {
  Replica a("a");
  Replica b("b");
  RouterUnderTest router(options_for({a.port(), b.port()}));
  ask(router.port(), completion(std::string(3000, 's')));
  const auto before = a.requests() + b.requests();
  const auto response = ask(router.port(), post("/reset_prefix_cache?x=1", ""));
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 200") << response;
  EXPECT_EQ(body_of(response), "{\"endpoints\":2,\"statuses\":[200,200]}\n");
  EXPECT_EQ(a.requests() + b.requests(), before + 2);
  EXPECT_NE(a.seen().back().find("POST /reset_prefix_cache?x=1 "), std::string::npos);
  const auto metrics = body_of(get(router.port(), "/router/metrics"));
  EXPECT_EQ(metrics.find("gatebench_router_prefix_blocks{endpoint=\"replica-0\",address=\"127.0.0.1:" + std::to_string(a.port()) + "\"} 0.0") ==
                std::string::npos, false) << metrics;
  RouterUnderTest half(options_for({a.port(), dead_port()}));
  const auto failed = ask(half.port(), post("/reset_prefix_cache", ""));
  EXPECT_EQ(failed.substr(0, 12), "HTTP/1.1 502");
  EXPECT_EQ(body_of(failed), "{\"endpoints\":2,\"statuses\":[200,0]}\n");
}

/// A replica that reports a load and answers completions; it can go silent.
class LoadedReplica {
 public:
  explicit LoadedReplica(int waiting)
      : upstream_([this, waiting](Peer& peer) {
          for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
            const bool scrape = request.rfind("GET /metrics", 0) == 0;
            std::string body = "{}";
            if (scrape) {
              body = "vllm:num_requests_waiting{engine=\"0\"} " + std::to_string(waiting) +
                     "\nvllm:num_requests_running{engine=\"0\"} 1\nvllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n"
                     "vllm:cache_config_info{block_size=\"128\",num_gpu_blocks=\"500\"} 1\n";
            } else {
              ++requests;
            }
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
            if (scrape && ++scrapes == 2) second_scrape.set_value();
          }
        }) {}
  [[nodiscard]] std::uint16_t port() const { return upstream_.port(); }
  std::atomic<int> requests{0}, scrapes{0};
  std::promise<void> second_scrape;

 private:
  ScriptedUpstream upstream_;
};

TEST(Routing, PolledLoadMovesRequestsAway) {
  LoadedReplica busy(50);
  LoadedReplica idle(0);
  auto options = options_for({busy.port(), idle.port()});
  options.mode = RouterMode::kEpp;
  options.poll_interval = core::Duration{5'000'000};
  RouterUnderTest router(options);
  busy.second_scrape.get_future().wait();
  idle.second_scrape.get_future().wait();  // the first scrape of each has been taken in by then
  for (int i = 0; i < 5; ++i) ask(router.port(), completion("p" + std::to_string(i)));
  EXPECT_EQ(busy.requests, 0);
  EXPECT_EQ(idle.requests, 5);
  router.on_loop([](RouterServer& server) {
    EXPECT_EQ(server.endpoints()[0].waiting, 50);
    EXPECT_EQ(server.endpoints()[0].kv_used_fraction, .25);
    EXPECT_EQ(server.endpoints()[1].block_size_tokens, 128u);
    EXPECT_EQ(server.endpoints()[1].num_gpu_blocks, 500u);
  });
}

TEST(Routing, ASilentEndpointIsSkippedInImprovedModeAfterThreeFailures) {
  LoadedReplica alive(0);
  auto options = options_for({dead_port(), alive.port()});
  options.poll_interval = core::Duration{2'000'000};
  RouterUnderTest router(options);
  // Every turn of the loop may bring a failed scrape; the third makes the endpoint dead.
  bool healthy = true;
  for (int i = 0; i < 100000 && healthy; ++i) {
    router.on_loop([&](RouterServer& server) { healthy = server.endpoints()[0].healthy; });
  }
  ASSERT_FALSE(healthy);
  router.on_loop([](RouterServer& server) { EXPECT_GE(server.stats().endpoints[0].scrape_errors, 3u); });
  for (int i = 0; i < 4; ++i) ask(router.port(), completion("p" + std::to_string(i)));
  EXPECT_EQ(alive.requests, 4);
  router.on_loop([](RouterServer& server) { EXPECT_EQ(server.stats().retries, 0u); });
}

TEST(Routing, AnEndpointWithoutMetricsIsAlive) {
  ScriptedUpstream plain([](Peer& peer) {
    for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
      const bool scrape = request.rfind("GET /metrics", 0) == 0;
      peer.write(scrape ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  });
  auto options = options_for({plain.port()});
  options.poll_interval = core::Duration{2'000'000};
  RouterUnderTest router(options);
  std::uint64_t errors = 0;
  for (int i = 0; i < 100000 && errors < 5; ++i) {
    router.on_loop([&](RouterServer& server) { errors = server.stats().endpoints[0].scrape_errors; });
  }
  ASSERT_GE(errors, 5u);
  EXPECT_NE(ask(router.port(), completion("p")).find("200 OK"), std::string::npos);
}

TEST(Routing, BadOptionsAreRefusedWithWords) {
  core::net::Loop loop;
  RouterOptions none = options_for({});
  const auto no_endpoints = RouterServer::start(loop, none);
  ASSERT_FALSE(no_endpoints.has_value());
  EXPECT_EQ(no_endpoints.error().code, core::ErrorCode::kInvalid);
  Replica a("a");
  auto taken = options_for({a.port()});
  taken.port = a.port();
  const auto port_taken = RouterServer::start(loop, taken);
  ASSERT_FALSE(port_taken.has_value());
  EXPECT_EQ(port_taken.error().code, core::ErrorCode::kIo);
  auto unknown = options_for({1});
  unknown.endpoints[0].host = "no-such-host.invalid";
  const auto unresolved = RouterServer::start(loop, unknown);
  ASSERT_FALSE(unresolved.has_value());
  EXPECT_EQ(unresolved.error().code, core::ErrorCode::kInvalid);
}

}  // namespace
}  // namespace router::test
