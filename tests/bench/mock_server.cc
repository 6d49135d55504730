#include "tests/bench/mock_server.h"

#include <cstdlib>

namespace bench {

MockServer::MockServer() {
  auto server = core::net::HttpServer::listen(loop_, {}, [this](core::net::HttpExchange& exchange) { serve(exchange); });
  if (!server) std::abort();
  server_ = std::move(*server);
  port_ = server_->port();
  thread_ = std::thread([this] { loop_.run(); });
}

MockServer::~MockServer() {
  loop_.post([this] {
    server_->close();
    server_.reset();
    loop_.stop();
  });
  thread_.join();
}

std::vector<std::string> MockServer::authorizations() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return authorizations_;
}

void MockServer::serve(core::net::HttpExchange& exchange) {
  const std::string& path = exchange.request().path;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    authorizations_.emplace_back(core::net::find_header(exchange.request().headers, "authorization"));
  }
  if (path == "/v1/models") {
    exchange.respond(200, {{"Content-Type", "application/json"}},
                     bad_models ? "<html>hello</html>" : R"({"object":"list","data":[{"id":"mock-model"}]})");
  } else if (path == "/metrics") {
    exchange.respond(200, {{"Content-Type", "text/plain"}}, metrics());
  } else if (path == "/version") {
    exchange.respond(404, {}, "");
  } else if (path == "/reset_prefix_cache") {
    ++resets;
    exchange.respond(200, {}, "");
  } else {
    complete(exchange);
  }
}

void MockServer::complete(core::net::HttpExchange& exchange) {
  ++completions;
  const std::string token = "data: {\"choices\":[{\"index\":0,\"text\":\" a\",\"finish_reason\":null}]}\n\n";
  switch (mode.load()) {
    case Mode::kHang:
      exchange.start(200, {{"Content-Type", "text/event-stream"}});
      exchange.write(token);
      return;
    case Mode::kStatus500:
      return exchange.respond(500, {{"Content-Type", "application/json"}}, R"({"error":{"message":"engine dead","code":500}})");
    case Mode::kNotJson:
      return exchange.respond(200, {{"Content-Type", "text/html"}}, "<html>hello</html>");
    default:
      break;
  }
  exchange.start(200, {{"Content-Type", "text/event-stream"}, {"x-inference-pod", "mock-pod"}});
  exchange.write(token);
  if (mode == Mode::kCutMidStream) return exchange.cut();
  if (mode == Mode::kHalfEvent) {
    exchange.write("data: {\"choices\"");
    return exchange.finish();
  }
  ++finished_;
  exchange.write("data: {\"choices\":[{\"index\":0,\"text\":\" b\",\"finish_reason\":\"length\"}]}\n\n"
                 "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n");
  exchange.finish();
}

std::string MockServer::metrics() {
  const std::string finished = std::to_string(finished_);
  const bool torn = torn_pages.load() > 0 && torn_pages.fetch_sub(1) > 0;
  return "vllm:request_success_total{finished_reason=\"length\",model_name=\"mock-model\"} " + finished +
         "\nvllm:e2e_request_latency_seconds_count{model_name=\"mock-model\"} " + (torn ? "-1" : finished) +
         "\nvllm:cache_config_info{block_size=\"128\",num_gpu_blocks=\"77\"} 1\ngatebench_sim_step_seconds_count 0\n";
}

}  // namespace bench
