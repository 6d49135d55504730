// The proxy over loopback: bytes, retries, cuts, back-pressure, endings.
#include <gtest/gtest.h>

#include <future>
#include <map>
#include <string>

#include "core/rng.h"
#include "support.h"

namespace router::test {
namespace {

constexpr std::string_view kServed = "x-gateway-destination-endpoint-served";

std::string address_of(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

/// A response with the served header taken out again.
std::string without_served(std::string response, std::uint16_t port) {
  const auto line = std::string(kServed) + ": " + address_of(port) + "\r\n";
  const auto at = response.find(line);
  if (at == std::string::npos) return "no served header in: " + response;
  return response.erase(at, line.size());
}

std::string chunked(std::string_view body, core::Rng& rng) {
  std::string out = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Odd:  kept \r\nTransfer-Encoding: chunked\r\n\r\n";
  while (!body.empty()) {
    const auto size = std::min<std::size_t>(body.size(), 1 + rng.below(300));
    char digits[20];
    std::snprintf(digits, sizeof digits, "%zx\r\n", size);
    out += digits;
    out += body.substr(0, size);
    out += "\r\n";
    body.remove_prefix(size);
  }
  return out + "0\r\n\r\n";
}

TEST(Proxy, ForwardsResponseBytesVerbatimForAnyCut) {
  core::Rng rng(11);
  for (int round = 0; round < 30; ++round) {
    std::string body;
    const auto size = rng.below(5000);
    for (std::uint64_t i = 0; i < size; ++i) body.push_back(static_cast<char>(rng.below(256)));
    const bool use_chunks = round % 2 == 0;
    const std::string response =
        use_chunks ? chunked(body, rng)
                   : "HTTP/1.1 404 Not Here At All\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: " +
                         std::to_string(body.size()) + "\r\n\r\n" + body;
    std::vector<std::string> pieces;
    for (std::string_view rest = response; !rest.empty();) {
      const auto cut = std::min<std::size_t>(rest.size(), 1 + rng.below(round < 4 ? 3 : 900));
      pieces.emplace_back(rest.substr(0, cut));
      rest.remove_prefix(cut);
    }
    ScriptedUpstream upstream([&](Peer& peer) {
      while (!peer.read_request().empty()) {
        for (const auto& piece : pieces) peer.write(piece);
      }
    });
    RouterUnderTest router(options_for({upstream.port()}));
    Client client(router.port());
    const auto extra = std::string(kServed).size() + 2 + address_of(upstream.port()).size() + 2;
    for (int again = 0; again < 2; ++again) {  // the second on the same two connections
      client.send(completion("p"));
      EXPECT_EQ(without_served(client.read_exactly(response.size() + extra), upstream.port()), response) << "round " << round;
    }
    EXPECT_EQ(upstream.connections(), 1);
  }
}

TEST(Proxy, ForwardsRequestBodiesVerbatimAndDropsHopHeaders) {
  Replica replica("a");
  RouterUnderTest router(options_for({replica.port()}));
  const std::string body = "{ \"prompt\" : \"\\u00e9 \xc3\xa9\",\r\n \"model\":\"m\" }  ";
  ask(router.port(), post("/v1/completions?x=1", body,
                               "Authorization: Bearer k\r\nX-Secret: s\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nX-Mine: 1\r\nX-Mine: 2\r\n"));
  ASSERT_EQ(replica.seen().size(), 1u);
  const auto request = replica.seen()[0];
  EXPECT_EQ(request.substr(0, request.find("\r\n")), "POST /v1/completions?x=1 HTTP/1.1");
  EXPECT_EQ(request.substr(request.find("\r\n\r\n") + 4), body);
  EXPECT_EQ(header_of(request, "host"), "model.example");
  EXPECT_EQ(header_of(request, "authorization"), "Bearer k");
  EXPECT_EQ(header_of(request, "content-length"), std::to_string(body.size()));
  EXPECT_NE(request.find("X-Mine: 1\r\nX-Mine: 2\r\n"), std::string::npos);
  for (const auto* name : {"connection", "keep-alive", "te"}) EXPECT_EQ(header_of(request, name), "") << name;
}

TEST(Proxy, ChunkedRequestsArriveWithALength) {
  Replica replica("a");
  RouterUnderTest router(options_for({replica.port()}));
  const auto response = ask(router.port(),
                                 "POST /v1/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "c\r\n{\"model\":\"m\"\r\n1\r\n}\r\n0\r\n\r\n");
  EXPECT_NE(response.find("200 OK"), std::string::npos) << response;
  ASSERT_EQ(replica.seen().size(), 1u);
  EXPECT_EQ(header_of(replica.seen()[0], "content-length"), "13");
  EXPECT_EQ(header_of(replica.seen()[0], "transfer-encoding"), "");
}

TEST(Proxy, StreamsBeforeTheResponseIsComplete) {
  std::promise<void> seen_first;
  auto first = seen_first.get_future();
  ScriptedUpstream upstream([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    first.wait();  // nothing more before the client has the first chunk
    peer.write("4\r\nlast\r\n0\r\n\r\n");
    peer.wait_closed();
  });
  RouterUnderTest router(options_for({upstream.port()}));
  Client client(router.port());
  client.send(completion("p"));
  EXPECT_NE(client.read_until("first\r\n").find("first"), std::string::npos);
  seen_first.set_value();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "4\r\nlast\r\n0\r\n\r\n");
}

TEST(Proxy, InterimResponsesAreNotForwarded) {
  ScriptedUpstream upstream([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    peer.wait_closed();
  });
  RouterUnderTest router(options_for({upstream.port()}));
  const auto response = ask(router.port(), completion("p"));
  EXPECT_EQ(without_served(response, upstream.port()), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

TEST(Proxy, ResponsesWithoutFramingEndWithTheConnection) {
  ScriptedUpstream upstream([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.0 200 OK\r\n\r\nuntil the end");
  });
  RouterUnderTest router(options_for({upstream.port()}));
  Client client(router.port());
  client.send(completion("p"));
  bool reset = true;
  EXPECT_EQ(without_served(client.read_all(&reset), upstream.port()), "HTTP/1.0 200 OK\r\n\r\nuntil the end");
  EXPECT_FALSE(reset);
}

TEST(Proxy, HeadAndEmptyResponses) {
  ScriptedUpstream upstream([&](Peer& peer) {
    for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
      peer.write(request.substr(0, 4) == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" : "HTTP/1.1 204 No Content\r\n\r\n");
    }
  });
  RouterUnderTest router(options_for({upstream.port()}));
  Client client(router.port());
  client.send("HEAD /v1/models HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(without_served(client.read_until("\r\n\r\n"), upstream.port()), "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n");
  client.send("GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(without_served(client.read_until("\r\n\r\n"), upstream.port()), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(Proxy, RetriesTheNextBestWhenAConnectFails) {
  Replica replica("alive");
  RouterUnderTest router(options_for({dead_port(), replica.port()}));
  for (int i = 0; i < 4; ++i) {
    const auto response = ask(router.port(), completion("p" + std::to_string(i)));
    EXPECT_EQ(header_of(response, kServed), address_of(replica.port())) << response;
  }
  EXPECT_EQ(replica.requests(), 4);
  router.on_loop([](RouterServer& server) {
    EXPECT_GE(server.stats().retries, 1u);
    EXPECT_EQ(server.stats().endpoints[1].served, 4u);
    for (const auto& endpoint : server.endpoints()) {
      EXPECT_EQ(endpoint.in_flight_requests, 0u);
      EXPECT_EQ(endpoint.in_flight_tokens, 0u);
    }
  });
}

TEST(Proxy, RetriesOnceElsewhereWhenTheEndpointResetsBeforeAnyByte) {
  Replica replica("alive");
  ScriptedUpstream broken([](Peer& peer) {
    peer.read_request();
    peer.reset();
  });
  RouterUnderTest router(options_for({broken.port(), replica.port()}));
  const auto response = ask(router.port(), completion("p"));
  EXPECT_EQ(header_of(response, kServed), address_of(replica.port())) << response;
  EXPECT_EQ(broken.connections(), 1);
}

TEST(Proxy, AStaleIdleConnectionIsReplacedByAFreshOne) {
  ScriptedUpstream upstream([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    peer.read_request();  // closes without an answer: to the router a connection that died idle
  });
  RouterUnderTest router(options_for({upstream.port()}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_NE(ask(router.port(), completion("p")).find("200 OK"), std::string::npos);
  }
  EXPECT_EQ(upstream.connections(), 2);
  router.on_loop([](RouterServer& server) { EXPECT_EQ(server.endpoints()[0].in_flight_requests, 0u); });
}

TEST(Proxy, NobodyReachableIs503WithItsReason) {
  RouterUnderTest router(options_for({dead_port(), dead_port()}));
  const auto response = ask(router.port(), completion("p"));
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 503");
  EXPECT_EQ(header_of(response, "x-llm-d-request-dropped-reason"), "rejected-no-endpoints");
  EXPECT_EQ(header_of(response, "retry-after"), "1");
  router.on_loop([](RouterServer& server) {
    EXPECT_EQ(server.stats().refused_no_endpoint, 1u);
    EXPECT_EQ(server.stats().retries, 1u);
    EXPECT_EQ(server.endpoints()[0].in_flight_requests + server.endpoints()[1].in_flight_requests, 0u);
  });
}

TEST(Proxy, DrainedEndpointsAreNotPicked) {
  Replica a("a");
  Replica b("b");
  RouterUnderTest router(options_for({a.port(), b.port()}));
  router.on_loop([](RouterServer& server) { server.set_draining(0, true); });
  for (int i = 0; i < 3; ++i) ask(router.port(), completion("p" + std::to_string(i)));
  ask(router.port(), "GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(a.requests(), 0);
  EXPECT_EQ(b.requests(), 4);
  router.on_loop([](RouterServer& server) { server.set_draining(1, true); });
  EXPECT_EQ(ask(router.port(), completion("p")).substr(0, 12), "HTTP/1.1 503");
  EXPECT_EQ(ask(router.port(), "GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n").substr(0, 12), "HTTP/1.1 503");
}

TEST(Proxy, ACutUpstreamCutsTheClient) {
  Replica other("must not be asked");
  ScriptedUpstream upstream([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    // ends in the middle of the message
  });
  auto options = options_for({upstream.port(), other.port()});
  options.policy = Policy::kRoundRobin;
  RouterUnderTest router(options);
  Client client(router.port());
  client.send(completion("p"));
  bool reset = false;
  client.read_all(&reset);
  EXPECT_TRUE(reset);
  EXPECT_EQ(other.requests(), 0);
  router.on_loop([](RouterServer& server) {
    EXPECT_EQ(server.stats().upstream_cut, 1u);
    EXPECT_EQ(server.endpoints()[0].in_flight_requests, 0u);
  });
}

TEST(Proxy, HalfAHeadIsABadGatewayNotARetry) {
  Replica other("must not be asked");
  for (const auto* answer : {"HTTP/1.1 200 OK\r\nContent-", "GARBAGE\r\n\r\n", "\r\n\r\nHTTP/9.9 7\r\n\r\n"}) {
    ScriptedUpstream upstream([&](Peer& peer) {
      peer.read_request();
      peer.write(answer);
    });
    auto options = options_for({upstream.port(), other.port()});
    options.policy = Policy::kRoundRobin;
    RouterUnderTest router(options);
    EXPECT_EQ(ask(router.port(), completion("p")).substr(0, 12), "HTTP/1.1 502") << answer;
  }
  EXPECT_EQ(other.requests(), 0);
}

TEST(Proxy, AClientThatLeavesCutsTheUpstream) {
  std::promise<bool> closed;
  ScriptedUpstream upstream([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    closed.set_value(peer.wait_closed());
  });
  RouterUnderTest router(options_for({upstream.port()}));
  {
    Client client(router.port());
    client.send(completion("p"));
    client.read_until("first\r\n");
    client.close_with_reset();
  }
  EXPECT_TRUE(closed.get_future().get());
  router.on_loop([](RouterServer& server) {
    EXPECT_EQ(server.stats().client_gone, 1u);
    EXPECT_EQ(server.endpoints()[0].in_flight_requests, 0u);
  });
}

TEST(Proxy, ASlowClientHoldsTheUpstreamBackAndGetsEverything) {
  constexpr std::size_t kSize = 24u << 20;
  std::promise<void> written;
  ScriptedUpstream upstream([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    std::string block(1u << 20, 'x');
    for (std::size_t sent = 0; sent < kSize; sent += block.size()) {
      for (std::size_t i = 0; i < block.size(); i += 8) block[i] = static_cast<char>('a' + (sent / block.size() + i) % 26);
      peer.write(block);
    }
    written.set_value();
    peer.wait_closed();
  });
  RouterUnderTest router(options_for({upstream.port()}));
  Client client(router.port());
  client.send(completion("p"));
  // The client reads nothing until the router holds the endpoint back.
  std::uint64_t pauses = 0;
  for (int i = 0; i < 1000000 && pauses == 0; ++i) router.on_loop([&](RouterServer& server) { pauses = server.stats().pauses; });
  ASSERT_EQ(pauses, 1u);
  EXPECT_EQ(written.get_future().wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  const auto head = client.read_exactly(std::string("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n").size() + std::to_string(kSize).size() +
                                        std::string(kServed).size() + 2 + address_of(upstream.port()).size() + 2);
  EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n");
  const auto body = client.read_exactly(kSize);
  ASSERT_EQ(body.size(), kSize);
  for (std::size_t i = 0; i < kSize; ++i) {
    const auto block = i >> 20;
    const auto at = i & ((1u << 20) - 1);
    const char want = at % 8 == 0 ? static_cast<char>('a' + (block + at) % 26) : 'x';
    ASSERT_EQ(body[i], want) << i;
  }
}

TEST(Proxy, DrainLetsTheOpenExchangeEndAndRefusesNewOnes) {
  std::promise<void> go_on;
  auto may_end = go_on.get_future();
  ScriptedUpstream upstream([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    may_end.wait();
    peer.write("0\r\n\r\n");
    peer.wait_closed();
  });
  RouterUnderTest router(options_for({upstream.port()}));
  Client client(router.port());
  client.send(completion("p"));
  client.read_until("first\r\n");
  std::promise<void> idle;
  router.on_loop([&](RouterServer& server) { server.drain([&] { idle.set_value(); }); });
  auto idle_future = idle.get_future();
  EXPECT_EQ(idle_future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  go_on.set_value();
  EXPECT_EQ(client.read_all(), "0\r\n\r\n");
  idle_future.wait();
}

TEST(Proxy, CloseWithOpenExchangesLetsGoOfEverything) {
  ScriptedUpstream upstream([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    peer.wait_closed();
  });
  RouterUnderTest router(options_for({upstream.port()}));
  Client streaming(router.port());
  streaming.send(completion("p"));
  streaming.read_until("first\r\n");
  Client idle(router.port());
  router.close();
  EXPECT_EQ(streaming.read_all(), "");
}  // the loop checks that no handle outlived it

}  // namespace
}  // namespace router::test
