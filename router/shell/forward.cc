// The life of one forwarded request. Driven by callbacks of its two connections; keeps no timer.
// Called by RouterServer. Retries go to the next-best endpoint, at most once each, before the first response byte.
// While one of its own callbacks runs it never retires: the caller's frame still uses it.
#include "router/shell/forward.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/text.h"
#include "protocol/headers.h"
#include "protocol/openai.h"

namespace router {
namespace {

constexpr std::size_t kHighWaterBytes = 256u << 10;
constexpr std::string_view kExplainHeader = "x-gatebench-explain";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

/// RFC 9110 §7.6.1, and what only concerned the hop to us.
bool stays_on_this_hop(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kNames{
      "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
      "proxy-authenticate", "proxy-authorization", "expect", "content-length", kExplainHeader};
  return std::any_of(kNames.begin(), kNames.end(), [&](auto n) { return core::equals_ignore_case(n, name); });
}

bool named_by_connection(std::string_view connection, std::string_view name) {
  while (!connection.empty()) {
    const auto comma = connection.find(',');
    if (core::equals_ignore_case(core::trim(connection.substr(0, comma)), name)) return true;
    connection.remove_prefix(comma == std::string_view::npos ? connection.size() : comma + 1);
  }
  return false;
}

core::net::Http1Parser::Limits response_limits() {
  core::net::Http1Parser::Limits limits;
  limits.max_body_bytes = std::numeric_limits<std::uint32_t>::max();
  limits.max_body_bytes <<= 20;  // a proxy judges no response's length
  return limits;
}

}  // namespace

Forward::Forward(ForwardContext& context, std::function<void(Forward&)> on_retired)
    : context_(context),
      on_retired_(std::move(on_retired)),
      parser_(core::net::Http1Parser::Kind::kResponse, response_limits(), *this) {}

void Forward::start(core::net::HttpExchange& exchange) {
  exchange_ = &exchange;
  next_ = 0;
  over_ = paused_ = any_response_byte_ = false;
  head_request_ = exchange.request().method == "HEAD";
  exchange.on_gone = [this] { on_client_gone(); };
  exchange.on_drained = [this] {
    if (!paused_ || upstream_ == nullptr) return;
    paused_ = false;
    upstream_->resume_reading();
  };
  ++context_.stats.requests;
  build_request_head();
  in_callback_ = true;
  attempt_next();
  in_callback_ = false;
  if (!over_) context_.stats.request_residence.add(context_.loop.now() - plan_.received);
  if (over_) retire();
}

void Forward::build_request_head() {
  const auto& request = exchange_->request();
  const auto connection = core::net::find_header(request.headers, "connection");
  request_head_.assign(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
  for (const auto& [name, value] : request.headers) {
    if (stays_on_this_hop(name) || named_by_connection(connection, name)) continue;
    request_head_.append(name).append(": ").append(value).append("\r\n");
  }
  const bool has_length = !core::net::find_header(request.headers, "content-length").empty();
  if (!request.body.empty() || has_length || request.method == "POST" || request.method == "PUT") {
    request_head_.append("content-length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  request_head_.append("\r\n");
}

void Forward::attempt_next() {
  while (next_ < plan_.ranked.size()) {
    const auto endpoint = plan_.ranked[next_++];
    if (next_ > 1) ++context_.stats.retries;
    if (attempt(endpoint, false)) return;
    ++context_.stats.endpoints[endpoint].unreachable;
  }
  ++context_.stats.refused_no_endpoint;
  const bool none = plan_.ranked.empty();
  refuse(503, "ServiceUnavailableError", none ? "no endpoint is available" : "no endpoint could be reached", true);
}

bool Forward::attempt(std::uint32_t endpoint, bool fresh) {
  endpoint_ = endpoint;
  fresh_tried_ = fresh;
  head_done_ = complete_ = false;
  response_head_.clear();
  parser_.reset();
  upstream_ = context_.upstreams.open(endpoint, *this, fresh);
  if (upstream_ == nullptr) return false;
  if (plan_.charged && !charge_.active) {
    charge_ = begin_request(context_.endpoints[endpoint], plan_.uncached_tokens);
  }
  upstream_->send(request_head_, exchange_->request().body);
  return true;
}

void Forward::on_upstream_bytes(std::string_view bytes) {
  const auto arrived = context_.loop.now();
  in_callback_ = true;
  if (!any_response_byte_) {
    any_response_byte_ = true;
    if (charge_.active) first_response_byte(context_.endpoints[endpoint_], charge_);
    if (next_ > 1 && plan_.charged) {
      context_.pipeline.served_elsewhere(endpoint_, RoutingRequest{{}, plan_.hashes, plan_.prompt_tokens}, context_.endpoints);
    }
  }
  consume(bytes);
  in_callback_ = false;
  context_.stats.response_residence.add(context_.loop.now() - arrived);
  if (over_) retire();
}

void Forward::consume(std::string_view bytes) {
  if (!head_done_) {
    consume_head(bytes);
    return;
  }
  const std::size_t used = parser_.feed(bytes);
  if (parser_.refusal() != core::net::Http1Parser::Refusal::kNone) {
    ++context_.stats.upstream_invalid;
    leave_upstream(false);
    cut_client();
    return;
  }
  pass_on(bytes.substr(0, used));
  if (complete_ && !over_) finish_response(used == bytes.size() && head_.keep_alive, head_.keep_alive);
}

void Forward::consume_head(std::string_view bytes) {
  while (!over_) {
    response_head_.append(bytes);
    const std::size_t used = parser_.feed(bytes);
    if (parser_.refusal() != core::net::Http1Parser::Refusal::kNone) {
      ++context_.stats.upstream_invalid;
      leave_upstream(false);
      refuse(502, "BadGatewayError", "the endpoint's answer is not HTTP/1.1", false);
      return;
    }
    if (!head_done_) return;
    const std::size_t excess = bytes.size() - used;
    if (head_.status >= 100 && head_.status < 200) {
      // Interim responses concern only this hop: the body went out without waiting for one.
      parser_.reset();
      head_done_ = complete_ = false;
      response_head_.clear();
      bytes = bytes.substr(used);
      if (bytes.empty()) return;
      continue;
    }
    const auto end = response_head_.find(kHeadEnd);
    const std::string_view raw = std::string_view(response_head_).substr(0, response_head_.size() - excess);
    out_.assign(raw.substr(0, end + 2));
    out_.append(protocol::kServedEndpointHeader).append(": ").append(context_.endpoints[endpoint_].address).append("\r\n");
    if (!plan_.scores.empty()) {
      out_.append(protocol::kEndpointScoresHeader).append(": ").append(plan_.scores).append("\r\n");
    }
    out_.append(head_request_ ? std::string_view("\r\n") : raw.substr(end + 2));
    pass_on(out_);
    if (over_) return;
    if (head_request_) {
      finish_response(false, head_.keep_alive);  // its length tells of a body that never comes
    } else if (complete_) {
      finish_response(excess == 0 && head_.keep_alive, head_.keep_alive);
    }
    return;
  }
}

void Forward::on_head(core::net::Http1Head&& head) {
  head_ = std::move(head);
  head_done_ = true;
}

void Forward::pass_on(std::string_view bytes) {
  if (bytes.empty() || exchange_ == nullptr) return;
  exchange_->write_raw(bytes);
  if (exchange_ == nullptr || upstream_ == nullptr || paused_) return;  // the client may have gone in the write
  if (exchange_->unsent_bytes() > kHighWaterBytes) {
    paused_ = true;
    ++context_.stats.pauses;
    upstream_->pause_reading();
  }
}

void Forward::on_upstream_end(UpstreamEnd end) {
  in_callback_ = true;
  const bool reused = upstream_ != nullptr && upstream_->reused();
  upstream_ = nullptr;
  if (head_done_) {
    const bool whole = end == UpstreamEnd::kEof && parser_.end_of_input();
    if (whole) {
      finish_response(false, false);
    } else {
      ++context_.stats.upstream_cut;
      cut_client();
    }
  } else if (any_response_byte_) {
    ++context_.stats.upstream_invalid;
    refuse(502, "BadGatewayError", "the endpoint closed the connection in the middle of its answer", false);
  } else if (end != UpstreamEnd::kConnectFailed && reused && !fresh_tried_) {
    // The peer had closed an idle connection: no verdict on the endpoint.
    if (!attempt(endpoint_, true)) {
      end_charge();
      attempt_next();
    }
  } else {
    end_charge();
    if (end == UpstreamEnd::kConnectFailed) {
      ++context_.stats.endpoints[endpoint_].unreachable;
      if (context_.passive_health) {
        context_.endpoints[endpoint_].healthy = false;
        context_.pipeline.cache_lost(endpoint_);
      }
    }
    attempt_next();
  }
  in_callback_ = false;
  if (over_) retire();
}

void Forward::finish_response(bool upstream_reusable, bool client_keep_alive) {
  ++context_.stats.endpoints[endpoint_].served;
  end_charge();
  leave_upstream(upstream_reusable && upstream_ != nullptr && upstream_->all_sent());
  over_ = true;
  auto* exchange = exchange_;
  exchange_ = nullptr;
  exchange->finish_raw(client_keep_alive);
}

void Forward::refuse(int status, std::string_view type, std::string_view message, bool no_endpoint) {
  end_charge();
  over_ = true;
  core::net::Headers headers{{"Content-Type", "application/json"}};
  if (no_endpoint) {
    headers.emplace_back("Retry-After", "1");
    headers.emplace_back(std::string(protocol::kDroppedReasonHeader), "rejected-no-endpoints");
  }
  auto* exchange = exchange_;
  exchange_ = nullptr;
  exchange->respond(status, headers, protocol::error_body(status, type, message));
}

void Forward::cut_client() {
  end_charge();
  over_ = true;
  auto* exchange = exchange_;
  exchange_ = nullptr;
  if (exchange != nullptr) exchange->cut();
}

void Forward::on_client_gone() {
  ++context_.stats.client_gone;
  exchange_ = nullptr;
  end_charge();
  leave_upstream(false);
  over_ = true;
  if (!in_callback_) retire();
}

void Forward::leave_upstream(bool reusable) {
  if (upstream_ == nullptr) return;
  auto* upstream = upstream_;
  upstream_ = nullptr;
  if (reusable) {
    context_.upstreams.release(*upstream);
  } else {
    context_.upstreams.drop(*upstream);
  }
}

void Forward::end_charge() {
  if (charge_.active) end_request(context_.endpoints[endpoint_], charge_);
}

void Forward::retire() {
  over_ = false;
  on_retired_(*this);
}

}  // namespace router
