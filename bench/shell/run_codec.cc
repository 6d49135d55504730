// The JSON half of run_codec.h. nlohmann stays in here.
#include "bench/shell/run_codec.h"

#include <nlohmann/json.hpp>

namespace bench {
namespace {

using nlohmann::json;

std::int64_t ns(Duration duration) { return duration.count(); }

core::Error damaged(std::string_view what, std::string_view why) {
  return core::fail(core::ErrorCode::kProtocol, "the stored " + std::string(what) + " is damaged: " + std::string(why),
                    "restore the run store from a copy, or remove the run");
}

/// Runs `read` on the parsed document; a missing key or a wrong type becomes an error.
template <class T, class Read>
core::Result<T> from_json(std::string_view text, std::string_view what, Read read) {
  try {
    const json document = json::parse(text);
    T value;
    read(document, value);
    return value;
  } catch (const json::exception& error) {
    return damaged(what, error.what());
  }
}

json cell_json(const CellRef& cell) {
  return {{"experiment_id", cell.experiment_id}, {"scenario", cell.scenario}, {"arm", cell.arm},
          {"block", cell.block}, {"position", cell.position}, {"attempt", cell.attempt}, {"purpose", cell.purpose}};
}

void read_cell(const json& in, CellRef& cell) {
  in.at("experiment_id").get_to(cell.experiment_id);
  in.at("scenario").get_to(cell.scenario);
  in.at("arm").get_to(cell.arm);
  in.at("block").get_to(cell.block);
  in.at("position").get_to(cell.position);
  in.at("attempt").get_to(cell.attempt);
  in.at("purpose").get_to(cell.purpose);
}

json optional_json(const std::optional<std::uint32_t>& value) { return value ? json(*value) : json(nullptr); }
std::optional<std::uint32_t> read_optional(const json& in) {
  return in.is_null() ? std::nullopt : std::optional(in.get<std::uint32_t>());
}

json replica_json(const ReplicaInfo& replica) {
  return {{"name", replica.name}, {"metrics_url", replica.metrics_url}, {"simulated", replica.simulated},
          {"block_size_tokens", optional_json(replica.block_size_tokens)},
          {"num_gpu_blocks", optional_json(replica.num_gpu_blocks)},
          {"engine", replica.engine}, {"absent_channels", replica.absent_channels}};
}

ReplicaInfo read_replica(const json& in) {
  ReplicaInfo replica;
  in.at("name").get_to(replica.name);
  in.at("metrics_url").get_to(replica.metrics_url);
  in.at("simulated").get_to(replica.simulated);
  replica.block_size_tokens = read_optional(in.at("block_size_tokens"));
  replica.num_gpu_blocks = read_optional(in.at("num_gpu_blocks"));
  replica.engine = in.value("engine", std::string());
  replica.absent_channels = in.value("absent_channels", std::vector<std::string>());
  return replica;
}

json host_json(const HostFacts& host) {
  return {{"kernel", host.kernel}, {"cpu_model", host.cpu_model}, {"cores", host.cores},
          {"load_average_1m", host.load_average_1m}, {"fd_limit", host.fd_limit}, {"tcp_congestion", host.tcp_congestion}};
}

void read_host(const json& in, HostFacts& host) {
  in.at("kernel").get_to(host.kernel);
  in.at("cpu_model").get_to(host.cpu_model);
  in.at("cores").get_to(host.cores);
  in.at("load_average_1m").get_to(host.load_average_1m);
  in.at("fd_limit").get_to(host.fd_limit);
  in.at("tcp_congestion").get_to(host.tcp_congestion);
}

void read_manifest(const json& in, RunManifest& m) {
  in.at("id").get_to(m.id);
  m.status = static_cast<RunStatus>(in.at("status").get<int>());
  in.at("started_at").get_to(m.started_at);
  m.duration = Duration(in.at("duration_ns").get<std::int64_t>());
  in.at("tool_version").get_to(m.tool_version);
  in.at("command").get_to(m.command);
  in.at("target_url").get_to(m.target_url);
  in.at("model").get_to(m.model);
  read_cell(in.at("cell"), m.cell);
  in.at("scenario_json").get_to(m.scenario_json);
  in.at("schedule_digest").get_to(m.schedule_digest);
  in.at("seed").get_to(m.seed);
  in.at("cell_salt").get_to(m.cell_salt);
  in.at("virtual_time").get_to(m.virtual_time);
  for (const json& replica : in.at("replicas")) m.replicas.push_back(read_replica(replica));
  in.at("router_mode").get_to(m.router_mode);
  in.at("router_config_digest").get_to(m.router_config_digest);
  in.at("cache_state").get_to(m.cache_state);
  m.network_delay = Duration(in.at("network_delay_ns").get<std::int64_t>());
  read_host(in.at("host"), m.host);
  in.at("labels").get_to(m.labels);
}

void read_health(const json& in, ClientHealth& h) {
  const auto duration = [&in](const char* key) { return Duration(in.at(key).get<std::int64_t>()); };
  h.send_lag_p50 = duration("send_lag_p50_ns");
  h.send_lag_p99 = duration("send_lag_p99_ns");
  h.send_lag_max = duration("send_lag_max_ns");
  h.loop_lag_p50 = duration("loop_lag_p50_ns");
  h.loop_lag_p99 = duration("loop_lag_p99_ns");
  h.loop_lag_max = duration("loop_lag_max_ns");
  in.at("cpu_user_s").get_to(h.cpu_user_s);
  in.at("cpu_system_s").get_to(h.cpu_system_s);
  in.at("wall_s").get_to(h.wall_s);
  in.at("steal_fraction").get_to(h.steal_fraction);
  in.at("token_events").get_to(h.token_events);
  in.at("exact_token_events").get_to(h.exact_token_events);
  in.at("stamp_fallbacks").get_to(h.stamp_fallbacks);
  in.at("new_connections").get_to(h.new_connections);
  in.at("fd_exhausted").get_to(h.fd_exhausted);
  in.at("port_exhausted").get_to(h.port_exhausted);
  in.at("max_in_flight").get_to(h.max_in_flight);
  in.at("scrapes").get_to(h.scrapes);
  in.at("failed_scrapes").get_to(h.failed_scrapes);
  in.at("torn_scrapes").get_to(h.torn_scrapes);
  h.scrape_p50 = duration("scrape_p50_ns");
  h.scrape_p99 = duration("scrape_p99_ns");
  h.scrape_bytes_mean = in.value("scrape_bytes_mean", 0.0);
  h.scrape_busy_ratio = in.value("scrape_busy_ratio", 0.0);
  h.counter_resets = in.value("counter_resets", std::uint64_t{0});
}

/// Texts from servers may hold anything; a byte that is no UTF-8 is replaced.
std::string dump(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string manifest_to_json(const RunManifest& m) {
  json replicas = json::array();
  for (const ReplicaInfo& replica : m.replicas) replicas.push_back(replica_json(replica));
  const json document = {{"id", m.id}, {"status", static_cast<int>(m.status)}, {"started_at", m.started_at},
                         {"duration_ns", ns(m.duration)}, {"tool_version", m.tool_version}, {"command", m.command},
                         {"target_url", m.target_url}, {"model", m.model}, {"cell", cell_json(m.cell)},
                         {"scenario_json", m.scenario_json}, {"schedule_digest", m.schedule_digest}, {"seed", m.seed},
                         {"cell_salt", m.cell_salt}, {"virtual_time", m.virtual_time}, {"replicas", replicas},
                         {"router_mode", m.router_mode}, {"router_config_digest", m.router_config_digest},
                         {"cache_state", m.cache_state}, {"network_delay_ns", ns(m.network_delay)},
                         {"host", host_json(m.host)}, {"labels", m.labels}};
  return dump(document);
}

core::Result<RunManifest> manifest_from_json(std::string_view text) {
  return from_json<RunManifest>(text, "manifest", read_manifest);
}

std::string health_to_json(const ClientHealth& h) {
  const json document = {
      {"send_lag_p50_ns", ns(h.send_lag_p50)}, {"send_lag_p99_ns", ns(h.send_lag_p99)}, {"send_lag_max_ns", ns(h.send_lag_max)},
      {"loop_lag_p50_ns", ns(h.loop_lag_p50)}, {"loop_lag_p99_ns", ns(h.loop_lag_p99)}, {"loop_lag_max_ns", ns(h.loop_lag_max)},
      {"cpu_user_s", h.cpu_user_s}, {"cpu_system_s", h.cpu_system_s}, {"wall_s", h.wall_s},
      {"steal_fraction", h.steal_fraction}, {"token_events", h.token_events}, {"exact_token_events", h.exact_token_events},
      {"stamp_fallbacks", h.stamp_fallbacks}, {"new_connections", h.new_connections}, {"fd_exhausted", h.fd_exhausted},
      {"port_exhausted", h.port_exhausted}, {"max_in_flight", h.max_in_flight}, {"scrapes", h.scrapes},
      {"failed_scrapes", h.failed_scrapes}, {"torn_scrapes", h.torn_scrapes}, {"scrape_p50_ns", ns(h.scrape_p50)},
      {"scrape_p99_ns", ns(h.scrape_p99)}, {"scrape_bytes_mean", h.scrape_bytes_mean},
      {"scrape_busy_ratio", h.scrape_busy_ratio}, {"counter_resets", h.counter_resets}};
  return dump(document);
}

core::Result<ClientHealth> health_from_json(std::string_view text) {
  return from_json<ClientHealth>(text, "client health", read_health);
}

std::string texts_to_json(const std::vector<std::string>& texts) { return dump(json(texts)); }

core::Result<std::vector<std::string>> texts_from_json(std::string_view text) {
  return from_json<std::vector<std::string>>(text, "list of names",
                                             [](const json& in, std::vector<std::string>& out) { in.get_to(out); });
}

}  // namespace bench
