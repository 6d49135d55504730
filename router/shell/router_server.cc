// The router's front: which request is routed, which goes to anybody, which is answered here.
// Called by HttpServer per request; hands everything that needs an endpoint to a Forward.
// Requests are refused here only for what routing itself needs: JSON with a model.
#include "router/shell/router_server.h"

#include <algorithm>

#include "core/net/http_client.h"
#include "core/net/http_server.h"
#include "protocol/headers.h"
#include "protocol/openai.h"
#include "router/core/pipeline.h"
#include "router/shell/fan_out.h"
#include "router/shell/forward.h"
#include "router/shell/metrics_poller.h"
#include "router/shell/prompt_scan.h"
#include "router/shell/upstream.h"

namespace router {
namespace {

constexpr std::string_view kExplainHeader = "x-gatebench-explain";

using core::net::HttpExchange;

PipelineOptions pipeline_options(const RouterOptions& options) {
  PipelineOptions result;
  result.mode = options.mode;
  result.policy = options.policy;
  result.seed = options.seed;
  // With slow polling a value is not stale before a few polls have failed.
  result.stale_after = std::max(options.stale_after, 4 * options.poll_interval);
  return result;
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

class Server final : public RouterServer {
 public:
  Server(core::net::Loop& loop, RouterOptions options)
      : loop_(loop),
        options_(std::move(options)),
        scanner_(options_.config.prefix.hashing),
        pipeline_(options_.config, pipeline_options(options_)) {}
  ~Server() override { close(); }

  core::Status open();
  [[nodiscard]] std::uint16_t port() const override { return port_; }
  void drain(std::function<void()> on_idle) override;
  void close() override;
  [[nodiscard]] const RouterStats& stats() const override { return stats_; }
  [[nodiscard]] const std::vector<EndpointState>& endpoints() const override { return endpoints_; }
  void set_draining(std::size_t endpoint, bool draining) override { endpoints_.at(endpoint).draining = draining; }

 private:
  core::Status open_upstreams();
  core::Status open_poller();
  void handle(HttpExchange& exchange);
  bool answer_here(HttpExchange& exchange);
  void route(HttpExchange& exchange);
  void send_to_anybody(HttpExchange& exchange);
  void reset_caches(HttpExchange& exchange);
  void hash(const ScannedPrompt& prompt, std::vector<std::uint64_t>& hashes);
  Forward& free_forward();

  core::net::Loop& loop_;
  RouterOptions options_;
  PromptScanner scanner_;
  Pipeline pipeline_;
  RouterStats stats_;
  std::vector<EndpointState> endpoints_;
  std::vector<std::string> base_urls_;
  std::vector<std::uint64_t> chain_;
  Rotation anybody_;

  std::unique_ptr<UpstreamPool> upstreams_;
  std::unique_ptr<ForwardContext> context_;
  std::vector<std::unique_ptr<Forward>> forwards_;
  std::vector<Forward*> free_;
  std::vector<std::unique_ptr<FanOut>> fan_outs_;
  std::unique_ptr<core::net::HttpClient> fan_out_client_;
  std::unique_ptr<MetricsPoller> poller_;
  std::unique_ptr<core::net::HttpServer> server_;
  std::uint16_t port_ = 0;
  bool draining_ = false;
};

core::Status Server::open() {
  if (options_.endpoints.empty()) {
    return core::fail(core::ErrorCode::kInvalid, "the router has no endpoints", "name at least one, as HOST:PORT");
  }
  if (auto opened = open_upstreams(); !opened) return opened;
  core::net::HttpServerOptions listen;
  listen.host = options_.host;
  listen.port = options_.port;
  auto server = core::net::HttpServer::listen(loop_, listen, [this](HttpExchange& exchange) { handle(exchange); });
  if (!server) return server.error();
  server_ = std::move(*server);
  port_ = server_->port();
  return open_poller();
}

core::Status Server::open_upstreams() {
  std::vector<UpstreamAddress> addresses;
  for (const auto& endpoint : options_.endpoints) {
    EndpointState state;
    state.address = bracketed(endpoint.host) + ":" + std::to_string(endpoint.port);
    state.name = endpoint.name.empty() ? state.address : endpoint.name;
    base_urls_.push_back("http://" + state.address);
    endpoints_.push_back(std::move(state));
    addresses.push_back({endpoint.host, endpoint.port});
  }
  stats_.endpoints.resize(endpoints_.size());
  auto upstreams = UpstreamPool::create(loop_, addresses, UpstreamOptions{});
  if (!upstreams) return upstreams.error();
  upstreams_ = std::move(*upstreams);
  const bool passive = options_.mode == RouterMode::kImproved && options_.poll_interval.count() > 0;
  context_ = std::make_unique<ForwardContext>(ForwardContext{loop_, endpoints_, pipeline_, stats_, *upstreams_, passive});
  core::net::HttpClientOptions client_options;
  client_options.max_in_flight = 4 * endpoints_.size();
  client_options.kernel_stamps = false;
  auto client = core::net::HttpClient::create(loop_, client_options);
  if (!client) return client.error();
  fan_out_client_ = std::move(*client);
  return {};
}

core::Status Server::open_poller() {
  if (options_.poll_interval.count() <= 0) return {};
  std::vector<std::string> urls;
  for (const auto& endpoint : options_.endpoints) {
    const auto& source = options_.config.metrics;
    const auto port = source.port != 0 ? source.port : endpoint.port;
    urls.push_back(source.scheme + "://" + bracketed(endpoint.host) + ":" + std::to_string(port) + source.path);
  }
  PollerOptions poll;
  poll.interval = options_.poll_interval;
  auto poller = MetricsPoller::start(loop_, poll, std::move(urls), endpoints_, pipeline_, stats_);
  if (!poller) return poller.error();
  poller_ = std::move(*poller);
  return {};
}

void Server::drain(std::function<void()> on_idle) {
  draining_ = true;
  if (server_ != nullptr) {
    server_->drain(std::move(on_idle));
  } else if (on_idle) {
    on_idle();
  }
}

void Server::close() {
  // First the poller and the clients, so that nothing new is learnt; then the exchanges, whose forwards then let go
  // of their upstream connections.
  if (poller_ != nullptr) poller_->stop();
  if (server_ != nullptr) server_->close();
  fan_out_client_.reset();
  fan_outs_.clear();
  if (upstreams_ != nullptr) upstreams_->close();
}

void Server::handle(HttpExchange& exchange) {
  if (answer_here(exchange)) return;
  const auto& request = exchange.request();
  if (request.method == "POST" && request.path.rfind("/v1/", 0) == 0) {
    route(exchange);
  } else {
    send_to_anybody(exchange);
  }
}

bool Server::answer_here(HttpExchange& exchange) {
  const auto& request = exchange.request();
  if (request.method == "POST" && request.path == "/reset_prefix_cache") {
    reset_caches(exchange);
    return true;
  }
  if (request.method != "GET") return false;
  if (request.path == "/healthz") {
    exchange.respond(draining_ ? 503 : 200, {{"Content-Type", "text/plain"}}, draining_ ? "draining\n" : "ok\n");
  } else if (request.path == "/router/metrics") {
    exchange.respond(200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                     render_metrics(stats_, endpoints_, pipeline_));
  } else if (request.path == "/router/config") {
    exchange.respond(200, {{"Content-Type", "application/json"}}, render_config(endpoints_, pipeline_));
  } else {
    return false;
  }
  return true;
}

void Server::route(HttpExchange& exchange) {
  const auto received = loop_.now();
  const auto& request = exchange.request();
  ScannedPrompt prompt;
  const std::string wrong = scanner_.scan(request.body, prompt);
  if (!wrong.empty()) {
    ++stats_.refused_bad_request;
    exchange.respond(400, {{"Content-Type", "application/json"}}, protocol::error_body(400, "BadRequestError", wrong));
    return;
  }
  Forward& forward = free_forward();
  ForwardPlan& plan = forward.plan();
  hash(prompt, plan.hashes);
  plan.received = received;
  plan.charged = true;
  plan.prompt_tokens = estimated_tokens(prompt.bytes.size());
  const auto pick = pipeline_.route(RoutingRequest{prompt.model, plan.hashes, plan.prompt_tokens}, endpoints_, received);
  plan.uncached_tokens = pick.uncached_tokens;
  plan.ranked.assign(pick.ranked.begin(), pick.ranked.end());
  plan.scores.clear();
  if (core::net::find_header(request.headers, kExplainHeader) == "1") plan.scores = render_scores(pick, endpoints_);
  forward.start(exchange);
}

void Server::hash(const ScannedPrompt& prompt, std::vector<std::uint64_t>& hashes) {
  hashes.clear();
  if (!pipeline_.needs_prompt()) return;
  std::size_t begin = 0;
  for (const auto end : *prompt.ends) {
    pipeline_.hash_prompt(prompt.model, prompt.cache_salt, prompt.bytes.substr(begin, end - begin), endpoints_, chain_);
    hashes.insert(hashes.end(), chain_.begin(), chain_.end());
    begin = end;
  }
}

void Server::send_to_anybody(HttpExchange& exchange) {
  Forward& forward = free_forward();
  ForwardPlan& plan = forward.plan();
  plan.received = loop_.now();
  plan.charged = false;
  plan.hashes.clear();
  plan.scores.clear();
  plan.ranked.clear();
  for (std::uint32_t e = 0; e < endpoints_.size(); ++e) {
    if (endpoints_[e].healthy && !endpoints_[e].draining) plan.ranked.push_back(e);
  }
  anybody_.order(plan.ranked);
  forward.start(exchange);
}

void Server::reset_caches(HttpExchange& exchange) {
  fan_outs_.erase(std::remove_if(fan_outs_.begin(), fan_outs_.end(), [](const auto& f) { return f->done(); }),
                  fan_outs_.end());
  if (fan_out_client_->in_flight() + endpoints_.size() > 4 * endpoints_.size()) {
    exchange.respond(503, {{"Retry-After", "1"}}, "too many cache resets at once\n");
    return;
  }
  const auto on_answer = [this](std::size_t endpoint, int status) {
    if (status == 200) pipeline_.cache_lost(static_cast<std::uint32_t>(endpoint));
  };
  fan_outs_.push_back(std::make_unique<FanOut>(*fan_out_client_, exchange, base_urls_, on_answer));
  fan_outs_.back()->start();
}

Forward& Server::free_forward() {
  if (free_.empty()) {
    forwards_.push_back(std::make_unique<Forward>(*context_, [this](Forward& forward) { free_.push_back(&forward); }));
    free_.push_back(forwards_.back().get());
    free_.reserve(forwards_.size());
  }
  Forward* forward = free_.back();
  free_.pop_back();
  return *forward;
}

}  // namespace

core::Result<std::unique_ptr<RouterServer>> RouterServer::start(core::net::Loop& loop, RouterOptions options) {
  auto server = std::make_unique<Server>(loop, std::move(options));
  if (auto opened = server->open(); !opened) return opened.error();
  return std::unique_ptr<RouterServer>(std::move(server));
}

}  // namespace router
