// The admin pages' texts. Called by RouterServer for GET /router/metrics, GET /router/config and the explain header.
// Renders only; counts nothing itself.
// Endpoint names and addresses come from the command line, so every one is escaped.
#include "router/shell/router_stats.h"

#include <array>
#include <string_view>
#include <utility>

#include "core/hash.h"
#include "core/prom_text.h"
#include "protocol/openai.h"

namespace router {
namespace {

using Label = std::pair<std::string_view, std::string_view>;

void summary(core::PromWriter& out, std::string_view name, std::string_view help, const core::DurationHistogram& values) {
  out.family(name, "summary", help);
  if (values.count() > 0) {
    for (const auto& [text, q] : {std::pair<std::string_view, double>{"0.5", .5}, {"0.9", .9}, {"0.99", .99}}) {
      const std::array<Label, 1> labels{Label{"quantile", text}};
      out.sample(name, labels, core::to_seconds(values.quantile(q)));
    }
  }
  out.sample(std::string(name) + "_count", {}, static_cast<double>(values.count()));
  out.sample(std::string(name) + "_sum", {}, core::to_seconds(values.mean()) * static_cast<double>(values.count()));
}

template <class Value>
void per_endpoint(core::PromWriter& out, std::string_view name, std::string_view type, std::string_view help,
                  const std::vector<EndpointState>& endpoints, Value&& value) {
  out.family(name, type, help);
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const std::array<Label, 2> labels{Label{"endpoint", endpoints[i].name}, Label{"address", endpoints[i].address}};
    out.sample(name, labels, static_cast<double>(value(i)));
  }
}

void outcomes(core::PromWriter& out, const RouterStats& stats) {
  constexpr std::string_view kName = "gatebench_router_errors_total";
  out.family(kName, "counter", "Requests that did not end as the client hoped.");
  const std::array<std::pair<std::string_view, std::uint64_t>, 5> rows{{{"bad_request", stats.refused_bad_request},
                                                                       {"no_endpoint", stats.refused_no_endpoint},
                                                                       {"upstream_cut", stats.upstream_cut},
                                                                       {"upstream_invalid", stats.upstream_invalid},
                                                                       {"client_gone", stats.client_gone}}};
  for (const auto& row : rows) {
    const std::array<Label, 1> labels{Label{"reason", row.first}};
    out.sample(kName, labels, static_cast<double>(row.second));
  }
}

void put_string(std::string_view text, std::string& out) {
  out.push_back('"');
  protocol::append_escaped(text, out);
  out.push_back('"');
}

}  // namespace

std::string render_metrics(const RouterStats& stats, const std::vector<EndpointState>& endpoints, const Pipeline& pipeline) {
  core::PromWriter out;
  const auto mode = name_of(pipeline.options().mode);
  const auto policy = name_of(pipeline.options().policy);
  const auto digest = core::hex64(pipeline.config().digest());
  const std::array<Label, 3> info{Label{"mode", mode}, Label{"policy", policy}, Label{"config_digest", digest}};
  out.family("gatebench_router_info", "gauge", "How this router decides.");
  out.sample("gatebench_router_info", info, 1);
  out.family("gatebench_router_requests_total", "counter", "Requests taken for forwarding.");
  out.sample("gatebench_router_requests_total", {}, static_cast<double>(stats.requests));
  out.family("gatebench_router_retries_total", "counter", "Attempts after the first, before any response byte.");
  out.sample("gatebench_router_retries_total", {}, static_cast<double>(stats.retries));
  out.family("gatebench_router_pauses_total", "counter", "Times an endpoint was held back for a slow client.");
  out.sample("gatebench_router_pauses_total", {}, static_cast<double>(stats.pauses));
  outcomes(out, stats);
  const auto& counters = stats.endpoints;
  per_endpoint(out, "gatebench_router_picks_total", "counter", "Requests charged to the endpoint.", endpoints,
               [&](std::size_t i) { return endpoints[i].picks; });
  per_endpoint(out, "gatebench_router_served_total", "counter", "Responses forwarded to their end.", endpoints,
               [&](std::size_t i) { return counters[i].served; });
  per_endpoint(out, "gatebench_router_in_flight", "gauge", "Requests on the endpoint now.", endpoints,
               [&](std::size_t i) { return endpoints[i].in_flight_requests; });
  per_endpoint(out, "gatebench_router_endpoint_healthy", "gauge", "1 while the endpoint answers.", endpoints,
               [&](std::size_t i) { return endpoints[i].healthy ? 1 : 0; });
  per_endpoint(out, "gatebench_router_connect_errors_total", "counter", "Connects that failed.", endpoints,
               [&](std::size_t i) { return counters[i].unreachable; });
  per_endpoint(out, "gatebench_router_scrapes_total", "counter", "Metric scrapes that succeeded.", endpoints,
               [&](std::size_t i) { return counters[i].scrapes; });
  per_endpoint(out, "gatebench_router_scrape_errors_total", "counter", "Metric scrapes that failed.", endpoints,
               [&](std::size_t i) { return counters[i].scrape_errors; });
  per_endpoint(out, "gatebench_router_prefix_blocks", "gauge", "Blocks the prefix index holds for the endpoint.", endpoints,
               [&](std::size_t i) { return i < pipeline.prefix_index().servers() ? pipeline.prefix_index().size(i) : 0; });
  summary(out, "gatebench_router_request_residence_seconds", "From the complete request to its bytes sent on.",
          stats.request_residence);
  summary(out, "gatebench_router_response_residence_seconds", "From a read of the endpoint to its bytes sent on.",
          stats.response_residence);
  return out.take();
}

std::string render_config(const std::vector<EndpointState>& endpoints, const Pipeline& pipeline) {
  const auto& config = pipeline.config();
  std::string out = "{\"mode\":";
  put_string(name_of(pipeline.options().mode), out);
  out += ",\"policy\":";
  put_string(name_of(pipeline.options().policy), out);
  out += ",\"source\":";
  put_string(config.source, out);
  out += ",\"config_digest\":";
  put_string(core::hex64(config.digest()), out);
  out += ",\"scorers\":[";
  for (std::size_t i = 0; i < config.scorers.size(); ++i) {
    out += i == 0 ? "{\"type\":" : ",{\"type\":";
    put_string(type_of(config.scorers[i].kind), out);
    out += ",\"weight\":" + core::PromWriter::number(config.scorers[i].weight) + "}";
  }
  out += "],\"picker\":";
  put_string(type_of(config.picker.kind), out);
  out += ",\"endpoints\":[";
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    out += i == 0 ? "{\"name\":" : ",{\"name\":";
    put_string(endpoints[i].name, out);
    out += ",\"address\":";
    put_string(endpoints[i].address, out);
    out += "}";
  }
  out += "],\"warnings\":[";
  for (std::size_t i = 0; i < config.warnings.size(); ++i) {
    if (i > 0) out += ",";
    put_string(config.warnings[i], out);
  }
  return out + "]}\n";
}

std::string render_scores(const Pick& pick, const std::vector<EndpointState>& endpoints) {
  std::string out = "{";
  for (std::size_t i = 0; i < pick.ranked.size(); ++i) {
    if (i > 0) out += ",";
    put_string(endpoints[pick.ranked[i]].address, out);
    out += ":" + core::PromWriter::number(pick.totals[pick.ranked[i]]);
  }
  return out + "}";
}

}  // namespace router
