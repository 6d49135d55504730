// See load_run.h.
#include "bench/shell/load_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "bench/shell/exchange.h"
#include "core/hash.h"
#include "core/text.h"

namespace bench {
namespace {

using core::ErrorCode;
using scenarios::LoadModel;

constexpr Duration kReadyTimeout = std::chrono::seconds(5);
/// Descriptors for everything but the load's own connections.
constexpr std::uint64_t kSpareDescriptors = 64;

std::string without_credentials(const std::string& url) {
  const auto parsed = parse_url(url);
  return parsed ? to_string(*parsed) : url;
}

/// "http://h:1/metrics" -> "http://h:1": the server that the exposition belongs to. Behind a proxy's path, that path.
std::string server_of(const std::string& metrics_url) {
  auto url = parse_url(metrics_url);
  if (!url) return metrics_url;
  const auto proxied = url->path.rfind("/proxy/");
  url->path = proxied == std::string::npos ? "" : url->path.substr(0, proxied + 6);
  return to_string(*url);
}

}  // namespace

LoadRun::LoadRun(const RunRequest& request)
    : request_(request),
      due_timer_(loop_, [this](TimePoint) {
        due_armed_.reset();
        pump();
      }),
      tick_timer_(loop_, [this](TimePoint) { on_tick(); }),
      drain_timer_(loop_, [this](TimePoint) {
        engine_->cancel_all();
        check_end();
      }),
      loop_lag_(loop_) {}

core::Result<Run> LoadRun::run() {
  if (auto prepared = prepare(); !prepared) return prepared.error();
  begin();
  while (!ended_) loop_.run();
  last_scrapes();
  return collect();
}

core::Status LoadRun::prepare() {
  auto schedule = scenarios::plan(request_.scenario, request_.seed, request_.cell_salt);
  if (!schedule) return schedule.error();
  schedule_ = std::move(*schedule);
  auto target = resolve_target(request_.target_url, std::min(request_.scenario.connect_timeout, kReadyTimeout));
  if (!target) return target.error();
  target_ = std::move(*target);
  if (auto opened = open_clients(); !opened) return opened;
  if (auto found = find_model(); !found) return found;
  find_version();

  manifest_.id = new_ulid();
  manifest_.tool_version = GATEBENCH_VERSION;
  manifest_.command = request_.command;
  manifest_.target_url = without_credentials(request_.target_url);
  manifest_.cell = request_.cell;
  manifest_.scenario_json = scenarios::to_json(request_.scenario);
  manifest_.schedule_digest = core::hex64(schedule_.digest);
  manifest_.seed = request_.seed;
  manifest_.cell_salt = request_.cell_salt;
  manifest_.router_mode = request_.router_mode;
  manifest_.network_delay = request_.network_delay;
  manifest_.labels.insert(request_.labels.begin(), request_.labels.end());
  manifest_.host = host_facts();
  manifest_.cache_state = request_.cell_salt != 0 ? "salted" : "as found";
  if (request_.reset_caches) reset_caches();
  baseline();
  describe_replicas();
  return {};
}

std::uint32_t LoadRun::slots_wanted() const {
  const scenarios::Load& load = request_.scenario.load;
  if (load.model == LoadModel::kClosed) return load.concurrency;
  const LoadEngineOptions defaults;
  const auto planned = static_cast<std::uint32_t>(std::min<std::size_t>(schedule_.requests.size(), defaults.max_slots));
  return std::max(1u, std::min(load.max_concurrency.value_or(defaults.max_slots), planned));
}

core::Status LoadRun::open_clients() {
  descriptor_limit_ = raise_descriptor_limit();
  const std::uint64_t needed = slots_wanted() + request_.replicas.size() + kSpareDescriptors;
  if (needed > descriptor_limit_) {
    return core::fail(ErrorCode::kInvalid,
                      fmt::format("{} requests in flight need {} file descriptors; the limit is {}", slots_wanted(), needed,
                                  descriptor_limit_),
                      "lower the concurrency, or raise the hard limit (ulimit -Hn)");
  }
  core::net::HttpClientOptions options;
  options.max_in_flight = 2;
  options.kernel_stamps = false;
  auto control = core::net::HttpClient::create(loop_, options);
  if (!control) return control.error();
  control_ = std::move(*control);
  options.max_in_flight = request_.replicas.size() + 1;
  options.ca_file = request_.metrics_access.ca_file;
  options.insecure_tls = request_.metrics_access.insecure_tls;
  auto metrics_client = core::net::HttpClient::create(loop_, options);
  if (!metrics_client) return metrics_client.error();
  metrics_client_ = std::move(*metrics_client);
  scraper_ = std::make_unique<Scraper>(loop_, *metrics_client_, request_.replicas, request_.scrape, request_.metrics_access.token);
  auto transport = HttpTransport::create(loop_, target_, request_.api_key, slots_wanted());
  if (!transport) return transport.error();
  transport_ = std::move(*transport);
  if (!target_.host_line.empty()) control_headers_.push_back(target_.host_line);
  if (!request_.api_key.empty()) control_headers_.push_back("Authorization: Bearer " + request_.api_key);
  return {};
}

/// What serves behind the target. Optional: many gateways do not route /version.
void LoadRun::find_version() {
  const auto answer = exchange(loop_, *control_, "GET", target_.base_url + "/version", control_headers_, kReadyTimeout);
  if (!answer || answer->status != 200) return;
  const std::string version = parse_version(answer->body);
  if (!version.empty()) manifest_.labels["server_version"] = version;
}

core::Status LoadRun::find_model() {
  const std::string shown = without_credentials(request_.target_url);
  const auto answer = exchange(loop_, *control_, "GET", target_.base_url + "/v1/models", control_headers_, kReadyTimeout);
  if (!answer) {
    core::Error error = answer.error();
    error.message = fmt::format("target {} is not reachable: {}", shown, error.message);
    return error;
  }
  if (answer->status == 401 || answer->status == 403) {
    return core::fail(ErrorCode::kInvalid, fmt::format("target {} refuses the key (status {})", shown, answer->status),
                      "set OPENAI_API_KEY");
  }
  if (answer->status >= 500) {
    return core::fail(ErrorCode::kUnreachable,
                      fmt::format("target {} answers GET /v1/models with status {}", shown, answer->status),
                      "wait until its replicas are ready");
  }
  const auto models = answer->status == 200 ? parse_model_list(answer->body)
                                            : core::fail(ErrorCode::kProtocol, fmt::format("status {}", answer->status));
  manifest_.model = request_.model;
  if (!models) {
    // Some gateways do not route /v1/models; with a model's name given they can be measured all the same.
    if (answer->status == 404 && !request_.model.empty()) return {};
    return core::fail(answer->status == 404 ? ErrorCode::kInvalid : ErrorCode::kProtocol, fmt::format("GET /v1/models at target {}: {}", shown, models.error().message),
                      "check that the URL is that of an OpenAI-compatible server; give a model name if it lists none");
  }
  if (request_.model.empty()) {
    if (models->empty()) {
      return core::fail(ErrorCode::kProtocol, fmt::format("target {} lists no model", shown), "load a model, or name one");
    }
    manifest_.model = models->front();
  } else if (std::find(models->begin(), models->end(), request_.model) == models->end()) {
    const std::vector<std::string_view> names(models->begin(), models->end());
    const auto near = core::did_you_mean(request_.model, names);
    return core::fail(ErrorCode::kInvalid, fmt::format("target {} serves no model \"{}\"", shown, request_.model),
                      near ? fmt::format("did you mean \"{}\"?", *near) : fmt::format("it lists: {}", fmt::join(names, ", ")));
  }
  return {};
}

void LoadRun::reset_caches() {
  std::vector<std::string> servers, headers = control_headers_;
  for (const ReplicaTarget& replica : request_.replicas) servers.push_back(server_of(replica.metrics_url));
  auto& client = servers.empty() ? *control_ : *metrics_client_;
  if (!request_.metrics_access.token.empty() && !servers.empty()) {
    headers = {"Authorization: Bearer " + request_.metrics_access.token};
  }
  if (servers.empty()) servers.push_back(target_.base_url);
  bool all = true;
  for (const std::string& server : servers) {
    // The gateway's key is none of a Kubernetes API server's business.
    const bool proxied = server.size() > 6 && server.compare(server.size() - 6, 6, "/proxy") == 0;
    const auto answer = exchange(loop_, client, "POST", server + "/reset_prefix_cache",
                                 proxied ? std::vector<std::string>{} : headers, kReadyTimeout);
    const bool reset = answer && answer->status >= 200 && answer->status < 300 && !says_no_success(answer->body);
    if (!reset) {
      notes_.push_back(fmt::format("the prefix cache of {} was not reset: {}", without_credentials(server),
                                   !answer ? answer.error().message : fmt::format("status {}", answer->status)));
    }
    all = all && reset;
  }
  if (all) manifest_.cache_state = "reset";
}

void LoadRun::baseline() {
  bool done = false, waiting = false;
  scraper_->round([&] {
    done = true;
    if (waiting) loop_.stop();
  });
  waiting = true;
  while (!done) loop_.run();
}

void LoadRun::describe_replicas() {
  for (std::size_t i = 0; i < request_.replicas.size(); ++i) {
    ReplicaInfo info;
    info.name = request_.replicas[i].name;
    info.metrics_url = without_credentials(request_.replicas[i].metrics_url);
    if (const auto* values = scraper_->newest(i)) {
      info.simulated = values->sim_step.present || values->sim_step_late.present;
      info.block_size_tokens = values->block_size_tokens;
      info.num_gpu_blocks = values->num_gpu_blocks;
      info.engine = protocol::name_of(values->engine);
      for (const auto channel : protocol::absent_channels(*values)) info.absent_channels.emplace_back(channel);
    } else {
      notes_.push_back(fmt::format("replica {}: no usable metrics before the run: {}", info.name, scraper_->problem(i)));
    }
    manifest_.replicas.push_back(std::move(info));
  }
}

}  // namespace bench
