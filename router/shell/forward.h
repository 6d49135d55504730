// Forward: one request on its way through the proxy: sent to the best endpoint, its response passed on byte by byte.
// Made and reused by RouterServer; hangs between one HttpExchange and one UpstreamConnection.
// It must never change a body byte, never send a client half a response as a whole one, and never retry once a
// response byte was seen.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/net/http1_parser.h"
#include "core/net/http_server.h"
#include "router/core/pipeline.h"
#include "router/shell/router_stats.h"
#include "router/shell/upstream.h"

namespace router {

/// What all forwards of one router share; owned by RouterServer.
struct ForwardContext {
  core::net::Loop& loop;
  std::vector<EndpointState>& endpoints;
  Pipeline& pipeline;
  RouterStats& stats;
  UpstreamPool& upstreams;
  bool passive_health = false;  ///< a failed connect makes the endpoint unhealthy until a scrape succeeds
};

/// The decision a forward carries out; its buffers are reused.
struct ForwardPlan {
  std::vector<std::uint32_t> ranked;       ///< endpoints to try, best first
  std::vector<std::uint64_t> hashes;       ///< of the prompt, for the index when a fallback serves
  std::uint64_t prompt_tokens = 0, uncached_tokens = 0;
  bool charged = false;                    ///< counts as load; not for GET /v1/models and the like
  std::string scores;                      ///< explain header's value; empty: none
  core::TimePoint received{};
};

class Forward final : private UpstreamUser, private core::net::Http1Sink {
 public:
  Forward(ForwardContext& context, std::function<void(Forward&)> on_retired);

  [[nodiscard]] ForwardPlan& plan() { return plan_; }
  /// Takes over the exchange. on_retired is called once this forward may be used again.
  void start(core::net::HttpExchange& exchange);

 private:
  void on_upstream_bytes(std::string_view bytes) override;
  void on_upstream_end(UpstreamEnd end) override;
  void on_head(core::net::Http1Head&& head) override;
  void on_body(std::string_view) override {}
  void on_complete() override { complete_ = true; }

  void build_request_head();
  void attempt_next();
  bool attempt(std::uint32_t endpoint, bool fresh);
  void consume(std::string_view bytes);
  void consume_head(std::string_view bytes);
  void pass_on(std::string_view bytes);
  void finish_response(bool upstream_reusable, bool client_keep_alive);
  void refuse(int status, std::string_view type, std::string_view message, bool no_endpoint);
  void cut_client();
  void on_client_gone();
  void leave_upstream(bool reusable);
  void end_charge();
  void retire();

  ForwardContext& context_;
  std::function<void(Forward&)> on_retired_;
  ForwardPlan plan_;
  core::net::HttpExchange* exchange_ = nullptr;
  UpstreamConnection* upstream_ = nullptr;
  core::net::Http1Parser parser_;
  core::net::Http1Head head_;
  std::string request_head_, response_head_, out_;
  Charge charge_;
  std::uint32_t endpoint_ = 0;
  std::size_t next_ = 0;
  bool head_done_ = false, complete_ = false, head_request_ = false;
  bool any_response_byte_ = false, fresh_tried_ = false, paused_ = false;
  bool in_callback_ = false, over_ = false;
};

}  // namespace router
