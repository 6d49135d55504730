// See replica_preflight.h.
#include "bench/shell/replica_preflight.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/shell/exchange.h"
#include "bench/shell/target.h"

namespace bench {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(5);
constexpr int kRoundTrips = 3;

std::string shown(const std::string& url) {
  const auto parsed = parse_url(url);
  return parsed ? to_string(*parsed) : url;
}

std::string hint_for_status(int status, bool has_token, bool through_api_server) {
  if (through_api_server && status == 403) return "your Kubernetes user needs the right to get pods/proxy in that namespace";
  if (status == 401 || status == 403) {
    return has_token ? "the token of --metrics-token-env is not accepted there"
                     : "name the variable that holds a bearer token: --metrics-token-env VAR";
  }
  if (status == 404) return "vLLM and SGLang (--enable-metrics) serve /metrics, TensorRT-LLM /prometheus/metrics";
  return status >= 500 ? "wait until the replica is ready" : "give the URL of the metrics page itself";
}

void judge_page(const Answer& answer, const std::string& url, bool has_token, PreflightReplica& out) {
  if (answer.status != 200) {
    out.problem = fmt::format("was answered with status {}", answer.status);
    out.hint = hint_for_status(answer.status, has_token, url.find("/proxy/") != std::string::npos);
    return;
  }
  auto parsed = protocol::parse_vllm_metrics(answer.body);
  if (!parsed) {
    out.problem = fmt::format("is no Prometheus text ({})", parsed.error().message);
    out.hint = answer.body.substr(0, 1) == "[" || answer.body.substr(0, 1) == "{"
                   ? "that is JSON; TensorRT-LLM serves Prometheus text at /prometheus/metrics"
                   : "give the URL of the replica's own metrics page";
    return;
  }
  out.values = std::move(*parsed);
  if (out.values.engine == protocol::Engine::kUnknown) {
    out.problem = "has no metrics of vLLM, llm-d-inference-sim, SGLang or TensorRT-LLM";
    out.hint = "it may be a proxy's or a sidecar's page; give the inference server's port";
  }
}

/// Start times are kept to the microsecond (series) and to a hundredth of a second (process): equal ones are one process.
bool same_process(const protocol::VllmSnapshot& a, const protocol::VllmSnapshot& b) {
  if (a.created_unix_s && b.created_unix_s) {
    return *a.created_unix_s == *b.created_unix_s && a.process_start_unix_s == b.process_start_unix_s;
  }
  // Without start times of series, the same start and the same busy counters must do.
  return a.process_start_unix_s && a.process_start_unix_s == b.process_start_unix_s && a.success.value_or(0) > 0 &&
         a.success == b.success && a.generation_tokens == b.generation_tokens && a.e2e.sum == b.e2e.sum;
}

/// The least time that a request to this server takes, whatever it answers: health pages cost it nothing.
Duration round_trip_of(core::net::Loop& loop, core::net::HttpClient& client, const std::string& metrics_url) {
  auto url = parse_url(metrics_url);
  if (!url) return {};
  const auto slash = url->path.rfind('/');
  url->path = (slash == std::string::npos ? "" : url->path.substr(0, slash)) + "/health";
  Duration least{};
  for (int i = 0; i < kRoundTrips; ++i) {
    const TimePoint before = loop.now();
    if (!exchange(loop, client, "GET", to_string(*url), {}, kTimeout)) return {};
    const Duration took = loop.now() - before;
    least = least == Duration{} ? took : std::min(least, took);
  }
  return least;
}

}  // namespace

core::Result<Preflight> preflight_replicas(const std::vector<ReplicaTarget>& targets, const MetricsAccess& access) {
  core::net::Loop loop;
  core::net::HttpClientOptions options;
  options.max_in_flight = 2;
  options.kernel_stamps = false;
  options.ca_file = access.ca_file;
  options.insecure_tls = access.insecure_tls;
  auto client = core::net::HttpClient::create(loop, options);
  if (!client) return client.error();
  std::vector<std::string> headers;
  if (!access.token.empty()) headers.push_back("Authorization: Bearer " + access.token);
  Preflight result;
  for (const ReplicaTarget& target : targets) {
    PreflightReplica& out = result.replicas.emplace_back();
    const auto answer = exchange(loop, **client, "GET", target.metrics_url, headers, kTimeout);
    if (!answer) {
      out.problem = answer.error().message;
      out.hint = out.problem.find("\"TLS handshake\"") != std::string::npos
                     ? "name the certificate authority with --metrics-cacert FILE, or give up checking with --metrics-insecure"
                     : answer.error().hint;
      continue;
    }
    out.reached = true;
    judge_page(*answer, target.metrics_url, !access.token.empty(), out);
    if (out.problem.empty()) {
      out.round_trip = round_trip_of(loop, **client, target.metrics_url);
    } else {
      out.problem = fmt::format("GET {} {}", shown(target.metrics_url), out.problem);
    }
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    for (std::size_t k = i + 1; k < targets.size(); ++k) {
      if (!same_process(result.replicas[i].values, result.replicas[k].values)) continue;
      result.conflicts.push_back(fmt::format("replicas {} and {} are evidently one process: both pages carry the same start times",
                                             targets[i].name, targets[k].name));
    }
  }
  return result;
}

std::vector<std::string> Preflight::notes(const std::vector<ReplicaTarget>& targets) const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < replicas.size() && i < targets.size(); ++i) {
    if (!replicas[i].problem.empty()) continue;
    const auto absent = protocol::absent_channels(replicas[i].values);
    if (absent.empty()) continue;
    lines.push_back(fmt::format("replica {}: {} exports no {}; attribution works with what is left", targets[i].name,
                                protocol::name_of(replicas[i].values.engine), fmt::join(absent, ", no ")));
  }
  return lines;
}

core::Status Preflight::verdict(const std::vector<ReplicaTarget>& targets) const {
  std::string message, hint;
  bool only_unreachable = conflicts.empty();
  for (std::size_t i = 0; i < replicas.size() && i < targets.size(); ++i) {
    const PreflightReplica& replica = replicas[i];
    if (replica.problem.empty()) continue;
    only_unreachable = only_unreachable && !replica.reached;
    message += fmt::format("{}replica {}: {}", message.empty() ? "" : "\n", targets[i].name, replica.problem);
    if (hint.find(replica.hint) == std::string::npos) hint += (hint.empty() ? "" : "; ") + replica.hint;
  }
  for (const std::string& conflict : conflicts) message += (message.empty() ? "" : "\n") + conflict;
  if (message.empty()) return {};
  if (hint.empty()) hint = "give each replica its own URL";
  return core::fail(only_unreachable ? core::ErrorCode::kUnreachable : core::ErrorCode::kInvalid, message, hint);
}

}  // namespace bench
