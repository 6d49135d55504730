// HttpServer, HttpClient, Http1Parser over loopback: framing, streaming, keep-alive, failure of either side.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "core/net/child_process.h"
#include "core/net/http1_parser.h"
#include "core/net/http_client.h"
#include "core/net/http_server.h"
#include "core/rng.h"

namespace core::net {
namespace {

struct Answer final : TransferSink {
  explicit Answer(Loop& l) : loop(l) {}
  void on_header(std::string_view name, std::string_view value) override {
    headers.emplace_back(std::string(name), std::string(value));
  }
  void on_body(std::string_view bytes, const ArrivalStamp& stamp) override {
    body.append(bytes);
    stamps.push_back(stamp);
    if (cancel_in_body != nullptr) cancel_in_body->cancel(id);
  }
  void on_done(const TransferResult& r) override {
    result = r;
    done = true;
    if (--pending == 0) loop.stop();
  }
  Loop& loop;
  Headers headers;
  std::string body;
  std::vector<ArrivalStamp> stamps;
  TransferResult result;
  bool done = false;
  int pending = 1;
  TransferId id = 0;
  HttpClient* cancel_in_body = nullptr;
};

struct Pair {
  explicit Pair(HttpServer::Handler handler, HttpServerOptions options = {}) {
    server = HttpServer::listen(loop, options, std::move(handler)).value();
    client = HttpClient::create(loop, {.max_in_flight = 8}).value();
    url = "http://127.0.0.1:" + std::to_string(server->port());
  }
  void fetch(Answer& answer, std::string_view method = "GET", std::string_view body = {}, Duration timeout = 5s) {
    answer.id = client->start({.method = method, .url = url, .body = body, .timeout = timeout}, answer).value();
    loop.run();
  }
  Loop loop;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<HttpClient> client;
  std::string url;
};

TEST(HttpTest, AnswersWithBodyAndKeepsTheConnection) {
  Pair pair([](HttpExchange& exchange) {
    exchange.respond(200, {{"X-Echo", exchange.request().method}}, exchange.request().body);
  });
  const std::string body(300'000, 'x');
  for (int i = 0; i < 3; ++i) {
    Answer answer(pair.loop);
    pair.fetch(answer, "POST", body);
    EXPECT_EQ(answer.result.curl_code, 0);
    EXPECT_EQ(answer.result.http_status, 200);
    EXPECT_EQ(answer.body, body);
    EXPECT_EQ(find_header(answer.headers, "x-echo"), "POST");
    EXPECT_GT(answer.result.sent, TimePoint{});
    EXPECT_GE(answer.result.done, answer.result.sent);
  }
  EXPECT_EQ(pair.client->stats().new_connections, 1u);
  EXPECT_EQ(pair.server->open_connections(), 1u);
}

TEST(HttpTest, HeadersAreThoseOfThisRequestWhereverTheirListLives) {
  Pair pair([](HttpExchange& exchange) { exchange.respond(200, {}, std::string(find_header(exchange.request().headers, "x-n"))); });
  std::vector<std::string> headers;
  for (const char* value : {"1", "2", ""}) {
    headers.assign(1, std::string("X-N: ") + value);
    if (*value == '\0') headers.clear();
    Answer answer(pair.loop);
    ASSERT_TRUE(pair.client->start({.url = pair.url, .headers = &headers}, answer));
    pair.loop.run();
    EXPECT_EQ(answer.body, value);
  }
}

TEST(HttpTest, StreamsChunksWithKernelStamps) {
  Pair pair([](HttpExchange& exchange) {
    exchange.start(200, {{"Content-Type", "text/event-stream"}});
    exchange.write("data: a\n\n");
    exchange.write("");
    exchange.write("data: b\n\n");
    exchange.finish();
  });
  // Linux switches packet stamps on from a work queue when the first socket asks for them: the first packets may have none.
  bool from_kernel = false;
  for (int attempt = 0; attempt < 200 && !from_kernel; ++attempt) {
    Answer answer(pair.loop);
    const TimePoint before = pair.loop.now();
    pair.fetch(answer);
    EXPECT_EQ(answer.body, "data: a\n\ndata: b\n\n");
    ASSERT_FALSE(answer.stamps.empty());
    for (const auto& stamp : answer.stamps) {
      EXPECT_GE(stamp.at, before);
      EXPECT_LE(stamp.at, pair.loop.now());
    }
    from_kernel = answer.stamps.back().from_kernel;
  }
  EXPECT_TRUE(from_kernel);
}

TEST(HttpTest, ClientGoneReachesTheHandler) {
  bool gone = false;
  HttpExchange* held = nullptr;
  Pair pair([&](HttpExchange& exchange) {
    held = &exchange;
    exchange.on_gone = [&] {
      gone = true;
      held = nullptr;
    };
    exchange.start(200, {});
    exchange.write("first");
  });
  Answer answer(pair.loop);
  answer.cancel_in_body = pair.client.get();
  pair.fetch(answer);
  EXPECT_NE(answer.result.curl_code, 0);
  EXPECT_EQ(answer.body, "first");
  for (int i = 0; i < 1000 && !gone; ++i) {
    Timer tick(pair.loop, [&](TimePoint) { pair.loop.stop(); });
    tick.arm(pair.loop.now() + 1ms);
    pair.loop.run();
  }
  EXPECT_TRUE(gone);
  EXPECT_EQ(held, nullptr);
}

TEST(HttpTest, CutIsAnErrorAndNeverAShortSuccess) {
  Pair pair([](HttpExchange& exchange) {
    exchange.start(200, {});
    exchange.write("half");
    exchange.cut();
  });
  Answer answer(pair.loop);
  pair.fetch(answer);
  EXPECT_NE(answer.result.curl_code, 0);
  EXPECT_FALSE(answer.result.timed_out);
}

TEST(HttpTest, TimesOutWhenTheServerStaysSilent) {
  Pair pair([](HttpExchange&) {});
  Answer answer(pair.loop);
  pair.fetch(answer, "GET", {}, 30ms);
  EXPECT_TRUE(answer.result.timed_out);
  EXPECT_EQ(answer.result.phase, TransferPhase::kHeaders);
}

TEST(HttpTest, RefusedConnectionNamesItsPhase) {
  Loop loop;
  auto client = HttpClient::create(loop, {.max_in_flight = 1}).value();
  std::string url;
  {
    auto server = HttpServer::listen(loop, {}, [](HttpExchange&) {}).value();
    url = "http://127.0.0.1:" + std::to_string(server->port());
  }
  Answer answer(loop);
  ASSERT_TRUE(client->start({.url = url}, answer));
  if (!answer.done) loop.run();
  EXPECT_EQ(answer.result.phase, TransferPhase::kConnect);
  EXPECT_EQ(answer.result.http_status, 0);
  EXPECT_EQ(answer.result.sent, TimePoint{});
}

TEST(HttpTest, PortTakenIsAnErrorWithTheAddress) {
  Loop loop;
  auto first = HttpServer::listen(loop, {}, [](HttpExchange&) {}).value();
  auto second = HttpServer::listen(loop, {.port = first->port()}, [](HttpExchange&) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  EXPECT_NE(second.error().message.find(std::to_string(first->port())), std::string::npos);
  EXPECT_NE(second.error().hint.find("another process"), std::string::npos);
}

TEST(HttpTest, ManyTransfersStartedFromCompletionsReuseConnections) {
  Pair pair([](HttpExchange& exchange) { exchange.respond(200, {}, "ok"); });
  struct Chain final : TransferSink {
    explicit Chain(Pair& p) : pair(p) {}
    void go() { ASSERT_TRUE(pair.client->start({.url = pair.url}, *this)); }
    void on_body(std::string_view, const ArrivalStamp&) override {}
    void on_done(const TransferResult& r) override {
      ok += r.curl_code == 0 ? 1 : 0;
      if (++finished == 200) return pair.loop.stop();
      if (finished + running <= 200) go();
    }
    Pair& pair;
    int ok = 0, finished = 0, running = 4;
  } chain(pair);
  for (int i = 0; i < 4; ++i) chain.go();
  pair.loop.run();
  EXPECT_EQ(chain.ok, 200);
  EXPECT_LE(pair.client->stats().new_connections, 4u);
}

TEST(HttpTest, DrainFinishesTheOpenExchangeThenReportsIdle) {
  HttpExchange* held = nullptr;
  Pair pair([&](HttpExchange& exchange) { held = &exchange; });
  Answer answer(pair.loop);
  bool idle = false;
  Timer later(pair.loop, [&](TimePoint) {
    pair.server->drain([&] { idle = true; });
    EXPECT_FALSE(idle);
    held->respond(200, {}, "late");
  });
  later.arm(pair.loop.now() + 20ms);
  pair.fetch(answer);
  EXPECT_TRUE(idle);
  EXPECT_EQ(answer.body, "late");
}

/// A server on its own thread and a blocking socket: what no well-behaved client would send.
class RawTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = HttpServer::listen(loop_, {.max_body_bytes = 1000, .max_header_bytes = 2000}, [](HttpExchange& exchange) {
                exchange.respond(200, {}, exchange.request().path + "|" + exchange.request().body);
              }).value();
    keep_ = std::make_unique<Timer>(loop_, [](TimePoint) {});
    keep_->arm(loop_.now() + 1h);
    thread_ = std::thread([this] { loop_.run(); });
  }
  void TearDown() override {
    loop_.post([this] {
      keep_->cancel();
      server_->close();
      loop_.stop();
    });
    thread_.join();
    keep_.reset();
    server_.reset();
  }
  std::string exchange(std::string_view bytes, std::size_t cut_every = 0) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    while (!bytes.empty()) {
      const auto part = bytes.substr(0, cut_every == 0 ? bytes.size() : cut_every);
      if (send(fd, part.data(), part.size(), MSG_NOSIGNAL) <= 0) break;
      bytes.remove_prefix(part.size());
    }
    std::string answer;
    char buffer[4096];
    for (ssize_t n = 0; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, static_cast<std::size_t>(n));
    close(fd);
    return answer;
  }
  Loop loop_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Timer> keep_;
  std::thread thread_;
};

TEST_F(RawTest, PipelinedRequestsAreAnsweredInOrderAtAnyCut) {
  const std::string two =
      "POST /a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
      "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n"
      "GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string expected =
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n/a|abc"
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n/b|def"
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n/c|";
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    EXPECT_EQ(exchange(two, cut), expected) << "cut every " << cut;
  }
}

TEST_F(RawTest, RefusesWhatIsNotHttpAndWhatIsTooLarge) {
  EXPECT_EQ(exchange("\x16\x03\x01 hello\r\n\r\n").substr(0, 12), "HTTP/1.1 400");
  EXPECT_EQ(exchange("GET / HTTP/1.1\r\nX: " + std::string(4000, 'a') + "\r\n\r\n").substr(0, 12), "HTTP/1.1 431");
  EXPECT_EQ(exchange("POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n").substr(0, 12), "HTTP/1.1 413");
  EXPECT_EQ(exchange("POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde").substr(0, 12), "HTTP/1.1 400");
}

TEST(Http1ParserTest, AResponseAtRandomCutsGivesTheSameEvents) {
  const std::string message =
      "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n";
  struct Collect final : Http1Sink {
    void on_head(Http1Head&& head) override { text += "[" + std::to_string(head.status) + (head.chunked ? " chunked]" : "]"); }
    void on_body(std::string_view bytes) override { text += bytes; }
    void on_complete() override { text += "."; }
    std::string text;
  };
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    Collect collect;
    Http1Parser parser(Http1Parser::Kind::kResponse, {}, collect);
    const std::string input = message + "HTTP/1.1 404";
    std::size_t used = 0;
    for (std::size_t at = 0; at < input.size() && !parser.complete();) {
      const std::size_t size = std::min<std::size_t>(input.size() - at, 1 + rng.below(20));
      used += parser.feed(std::string_view(input).substr(at, size));
      at += size;
    }
    EXPECT_EQ(collect.text, "[200 chunked]hello world.");
    EXPECT_EQ(used, message.size());
  }
}

TEST(Http1ParserTest, ACloseDelimitedResponseEndsAtEndOfInput) {
  struct Collect final : Http1Sink {
    void on_head(Http1Head&&) override {}
    void on_body(std::string_view bytes) override { body += bytes; }
    void on_complete() override { complete = true; }
    std::string body;
    bool complete = false;
  } collect;
  Http1Parser parser(Http1Parser::Kind::kResponse, {}, collect);
  parser.feed("HTTP/1.1 200 OK\r\n\r\nabc");
  EXPECT_FALSE(collect.complete);
  EXPECT_TRUE(parser.end_of_input());
  EXPECT_EQ(collect.body, "abc");
  parser.reset();
  parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_FALSE(parser.end_of_input());
}

TEST(TimerTest, FiresInDeadlineOrderAndNotBefore) {
  Loop loop;
  std::vector<int> order;
  const TimePoint start = loop.now();
  Timer second(loop, [&](TimePoint) { order.push_back(2); });
  Timer first(loop, [&](TimePoint deadline) {
    order.push_back(1);
    EXPECT_GE(loop.now(), deadline);
  });
  Timer past(loop, [&](TimePoint) { order.push_back(0); });
  second.arm(start + 4ms);
  first.arm(start + 2ms);
  past.arm(start - 1s);
  Timer cancelled(loop, [&](TimePoint) { order.push_back(9); });
  cancelled.arm(start + 1ms);
  cancelled.cancel();
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  EXPECT_GE(loop.now() - start, 4ms);
}

}  // namespace
}  // namespace core::net
