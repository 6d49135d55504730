// Routes of the simulated replica. Everything about completions is in generation.cc.
#include "simulator/server/replica_server.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/net/http_server.h"
#include "protocol/openai.h"
#include "simulator/server/exposition_filter.h"
#include "simulator/server/generation.h"
#include "simulator/server/http_metrics.h"

namespace simulator {
namespace {

using core::net::HttpExchange;
using nlohmann::json;
using protocol::Api;

double unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Server final : public ReplicaServer {
 public:
  Server(core::net::Loop& loop, ReplicaOptions options, std::unique_ptr<Engine> engine)
      : options_(std::move(options)),
        created_unix_s_(unix_now()),
        generation_(loop, options_, std::move(engine), http_) {
    if (!options_.on_die) {
      options_.on_die = [this, alive = std::weak_ptr<const int>(alive_)] {
        if (!alive.expired()) close();
      };
    }
    metrics_identity_ = {options_.model, created_unix_s_, options_.profile.engine};
    make_routes();
  }
  ~Server() override { close(); }

  core::Status listen(core::net::Loop& loop) {
    core::net::HttpServerOptions options;
    options.host = options_.host;
    options.port = options_.port;
    auto server = core::net::HttpServer::listen(loop, options, [this](HttpExchange& exchange) { route(exchange); });
    if (!server) return server.error();
    server_ = std::move(*server);
    return {};
  }

  [[nodiscard]] std::uint16_t port() const override { return server_->port(); }
  [[nodiscard]] std::string url() const override { return "http://" + options_.host + ":" + std::to_string(port()); }
  void drain(std::function<void()> on_idle) override { server_->drain(std::move(on_idle)); }
  void close() override {
    if (server_) server_->close();
  }

 private:
  using Action = void (Server::*)(HttpExchange&);
  struct Route {
    std::string_view method, path;
    Action action;
    bool counted;  ///< in the http_* families, as vLLM's middleware counts
  };

  void make_routes();
  void route(HttpExchange& exchange);
  void respond(HttpExchange& exchange, int status, std::string_view body) {
    status_ = status;
    exchange.respond(status, generation_.json_headers(), body);
  }

  void completions(HttpExchange& exchange) { generation_.handle(Api::kCompletions, exchange); }
  void chat(HttpExchange& exchange) { generation_.handle(Api::kChat, exchange); }
  void health(HttpExchange& exchange) { respond(exchange, 200, ""); }
  void version(HttpExchange& exchange) { respond(exchange, 200, json{{"version", kSimulatedVersion}}.dump()); }
  void load(HttpExchange& exchange) { respond(exchange, 200, json{{"server_load", generation_.open()}}.dump()); }
  void models(HttpExchange& exchange);
  void metrics(HttpExchange& exchange);
  void tokenize(HttpExchange& exchange);
  void reset_prefix_cache(HttpExchange& exchange) {
    respond(exchange, 200, json{{"success", generation_.engine().reset_prefix_cache()}}.dump());
  }
  void get_faults(HttpExchange& exchange) { respond(exchange, 200, faults_json(generation_.faults())); }
  void set_faults(HttpExchange& exchange);

  ReplicaOptions options_;
  double created_unix_s_;
  MetricsIdentity metrics_identity_;
  HttpMetrics http_;
  Generation generation_;
  std::vector<Route> routes_;
  core::PromWriter writer_;
  int status_ = 0;  ///< of the last response by respond()
  std::shared_ptr<const int> alive_ = std::make_shared<const int>(0);  ///< gone with the server, for what was posted
  // Last: its connections hold handlers that reach into the members above.
  std::unique_ptr<core::net::HttpServer> server_;
};

void Server::make_routes() {
  routes_ = {{"POST", "/v1/completions", &Server::completions, false},  // counted when their response has ended
             {"POST", "/v1/chat/completions", &Server::chat, false},
             {"GET", "/metrics", &Server::metrics, false},
             {"GET", "/health", &Server::health, false},
             {"GET", "/ping", &Server::health, false},
             {"POST", "/ping", &Server::health, false},
             {"GET", "/version", &Server::version, false},
             {"GET", "/load", &Server::load, false},
             {"GET", "/v1/models", &Server::models, true},
             {"POST", "/tokenize", &Server::tokenize, true},
             {"POST", "/reset_prefix_cache", &Server::reset_prefix_cache, true},
             {"GET", "/admin/faults", &Server::get_faults, false},
             {"POST", "/admin/faults", &Server::set_faults, false}};
}

void Server::route(HttpExchange& exchange) {
  const core::net::HttpRequest& request = exchange.request();
  const Route* same_path = nullptr;
  for (const auto& route : routes_) {
    if (route.path != request.path) continue;
    same_path = &route;
    if (route.method != request.method) continue;
    const std::size_t bytes = request.body.size();
    (this->*route.action)(exchange);  // ends the exchange, or hands it to generation_
    if (route.counted) http_.record(route.path, route.method, status_, bytes, 0, {});
    return;
  }
  const std::string_view phrase = same_path != nullptr ? "Method Not Allowed" : "Not Found";
  const int status = same_path != nullptr ? 405 : 404;
  respond(exchange, status, protocol::error_body(status, phrase, phrase));
}

void Server::models(HttpExchange& exchange) {
  const json model = {{"id", options_.model},
                      {"object", "model"},
                      {"created", static_cast<std::int64_t>(created_unix_s_)},
                      {"owned_by", "vllm"},
                      {"root", options_.model},
                      {"parent", nullptr},
                      {"max_model_len", options_.profile.engine.max_model_len},
                      {"permission", json::array()}};
  respond(exchange, 200, json{{"object", "list"}, {"data", {model}}}.dump());
}

void Server::metrics(HttpExchange& exchange) {
  writer_.clear();
  generation_.engine().metrics().render(metrics_identity_, writer_);
  http_.render(created_unix_s_, writer_);
  const auto names = asked_names(exchange.request().target);
  const core::net::Headers headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"},
                                      generation_.json_headers()[1]};
  if (names.empty()) {
    exchange.respond(200, headers, writer_.text());
  } else {
    exchange.respond(200, headers, filter_exposition(writer_.text(), names));
  }
}

void Server::tokenize(HttpExchange& exchange) {
  const std::string& body = exchange.request().body;
  const bool chat = body.find("\"messages\"") != std::string::npos;
  auto parsed = protocol::parse_request(chat ? Api::kChat : Api::kCompletions, body);
  if (!parsed) {
    respond(exchange, 400, protocol::error_body(400, "Bad Request", parsed.error().message));
    return;
  }
  if (!parsed->model.empty() && parsed->model != options_.model) {
    respond(exchange, 404, protocol::error_body(404, "NotFoundError",
                                                "The model `" + parsed->model + "` does not exist.", "model"));
    return;
  }
  std::vector<protocol::TokenId> tokens;
  protocol::tokenize(parsed->prompt, tokens);
  respond(exchange, 200, json{{"count", tokens.size()},
                              {"max_model_len", options_.profile.engine.max_model_len},
                              {"tokens", tokens},
                              {"token_strs", nullptr}}
                             .dump());
}

void Server::set_faults(HttpExchange& exchange) {
  auto faults = parse_faults(exchange.request().body);
  if (!faults) {
    respond(exchange, 400,
            protocol::error_body(400, "Bad Request", faults.error().message + " (" + faults.error().hint + ")"));
    return;
  }
  generation_.faults() = *faults;
  respond(exchange, 200, faults_json(*faults));
}

}  // namespace

core::Result<std::unique_ptr<ReplicaServer>> ReplicaServer::start(core::net::Loop& loop, ReplicaOptions options) {
  if (options.model.empty()) options.model = options.profile.model;
  if (options.model.empty()) {
    return core::fail(core::ErrorCode::kInvalid, "replica " + options.name + ": neither options nor profile name a model",
                      "load a profile first");
  }
  if (options.network_delay.count() < 0) {
    return core::fail(core::ErrorCode::kInvalid, "replica " + options.name + ": the network delay is negative",
                      "give 0ms or more");
  }
  auto engine = Engine::create(options.profile.engine, options.profile.step, options.seed);
  if (!engine) return engine.error();
  auto server = std::make_unique<Server>(loop, std::move(options), std::move(*engine));
  if (auto status = server->listen(loop); !status) return status.error();
  return std::unique_ptr<ReplicaServer>(std::move(server));
}

}  // namespace simulator
