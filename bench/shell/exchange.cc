// See exchange.h.
#include "bench/shell/exchange.h"

#include <fmt/format.h>

namespace bench {
namespace {

constexpr std::size_t kMaxAnswerBytes = 4u << 20;

struct Waiting final : core::net::TransferSink {
  void on_body(std::string_view bytes, const core::net::ArrivalStamp&) override {
    if (answer.body.size() + bytes.size() <= kMaxAnswerBytes) answer.body += bytes;
  }
  void on_done(const core::net::TransferResult& end) override {
    result = end;
    answer.status = end.http_status;
    done = true;
    if (running) loop->stop();
  }
  core::net::Loop* loop = nullptr;
  core::net::TransferResult result;
  Answer answer;
  bool done = false, running = false;
};

}  // namespace

std::string_view name_of(core::net::TransferPhase phase) {
  using core::net::TransferPhase;
  switch (phase) {
    case TransferPhase::kNone: return "done";
    case TransferPhase::kResolve: return "name lookup";
    case TransferPhase::kConnect: return "connect";
    case TransferPhase::kTls: return "TLS handshake";
    case TransferPhase::kSend: return "send";
    case TransferPhase::kHeaders: return "waiting for the answer";
    case TransferPhase::kBody: return "reading the answer";
  }
  return "";
}

core::Result<Answer> exchange(core::net::Loop& loop, core::net::HttpClient& client, std::string_view method,
                              const std::string& url, const std::vector<std::string>& headers, core::Duration timeout, std::string_view body) {
  Waiting waiting;
  waiting.loop = &loop;
  core::net::TransferRequest request;
  request.method = method;
  request.url = url;
  request.headers = &headers;
  request.body = body;
  request.timeout = timeout;
  request.connect_timeout = timeout;
  const auto started = client.start(request, waiting);
  if (!started) return started.error();
  waiting.running = true;
  while (!waiting.done && client.in_flight() > 0) loop.run();
  if (waiting.result.curl_code != 0 || !waiting.done) {
    return core::fail(core::ErrorCode::kUnreachable,
                      fmt::format("{} {} failed in phase \"{}\": {}", method, url, name_of(waiting.result.phase), waiting.result.message),
                      "check that the server runs there and can be reached from here");
  }
  return std::move(waiting.answer);
}

}  // namespace bench
