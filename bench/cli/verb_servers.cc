// gatebench replica, gatebench router: one simulated vLLM replica, the reference router. Children of stack and demo
// are these verbs too; they report their port through --ready-fd.
#include <fmt/format.h>

#include "bench/cli/exit_code.h"
#include "bench/cli/files.h"
#include "bench/cli/verb.h"
#include "core/net/child_process.h"
#include "core/text.h"
#include "router/shell/router_server.h"
#include "simulator/server/replica_server.h"

namespace bench::cli {
namespace {

constexpr core::Duration kDrainTimeout = std::chrono::seconds(5);

int report_error(Invocation& invocation, const core::Error& error) {
  invocation.terminal.error(error);
  return exit_code_of(error.code);
}

core::Result<std::uint16_t> port_number(std::uint64_t port) {
  if (port > 65535) return core::fail(core::ErrorCode::kInvalid, fmt::format("--port {} is no port", port), "use 0 to 65535; 0 takes a free one");
  return static_cast<std::uint16_t>(port);
}

/// Announces the port, then serves until a signal: drains for a while, then closes.
template <class Server>
int serve(Invocation& invocation, core::net::Loop& loop, Server& server, std::uint64_t ready_fd, const std::string& what) {
  const auto announced = core::net::announce_ready(ready_fd == 0 ? -1 : static_cast<int>(ready_fd), fmt::format("{{\"port\":{}}}", server.port()));
  if (!announced) return report_error(invocation, announced.error());
  if (ready_fd == 0) invocation.terminal.note(fmt::format("{} listens on http://127.0.0.1:{}; Ctrl-C ends it", what, server.port()));
  core::net::Timer give_up(loop, [&](core::TimePoint) { loop.stop(); });
  bool stopping = false;
  const core::net::SignalWatch signals(loop, [&](int) {
    if (stopping) return loop.stop();
    stopping = true;
    give_up.arm(loop.now() + kDrainTimeout);
    server.drain([&] { loop.stop(); });
  });
  loop.run();
  give_up.cancel();
  server.close();
  return kExitOk;
}

class ReplicaVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "replica"; }
  [[nodiscard]] std::string_view summary() const override { return "one simulated vLLM replica"; }
  void declare(OptionTable& o) override {
    std::string names;
    for (const auto known : simulator::profile_names()) names += (names.empty() ? "" : ", ") + std::string(known);
    o.option("name", "NAME", "sent as x-inference-pod (default replica-0)", &options_.name);
    o.option("host", "ADDRESS", "listen address (default 127.0.0.1)", &options_.host);
    o.option("port", "PORT", "0: a free one (default)", &port_);
    o.option("profile", "NAME|FILE", "step-time and cache constants: a JSON file, or " + names, &profile_);
    o.option("set", "NAME=VALUE", "override one constant of the profile, repeatable: base_us=1500", &overrides_);
    o.option("served-model-name", "NAME", "model name in answers and metrics (default: the profile's)", &options_.model);
    o.option("network-delay", "DURATION", "round trip added to each request: half before, half after (default 0ms)", &options_.network_delay);
    o.option("seed", "N", "seed of step noise and output text (default 1)", &options_.seed);
    o.option("system-fingerprint", "TEXT", "put into final chunks", &options_.system_fingerprint);
    o.option("no-cached-tokens", "", "do not report prompt_tokens_details.cached_tokens", &no_cached_tokens_);
    o.option("faults", "JSON", "what it does wrong on purpose, as POST /admin/faults takes it: {\"fail_rate\":0.1}", &faults_);
    o.option("die-after", "N", "end the process after N requests: a replica lost in mid-run", &die_after_);
    o.option("ready-fd", "FD", "report the port there", &ready_fd_).hidden = true;
    o.example("gatebench replica --port 8001 --name a");
    o.example("gatebench replica --set max_num_seqs=64 --network-delay 250ms");
  }

  int run(Invocation& invocation) override {
    const auto port = port_number(port_);
    if (!port) return report_error(invocation, port.error());
    auto profile = load(profile_);
    if (!profile) return report_error(invocation, profile.error());
    for (const auto& assignment : overrides_) {
      if (auto set = simulator::override_constant(*profile, assignment); !set) return report_error(invocation, set.error());
    }
    core::net::Loop loop;
    options_.port = *port;
    options_.profile = std::move(*profile);
    options_.report_cached_tokens = !no_cached_tokens_;
    if (!faults_.empty()) {
      auto faults = simulator::parse_faults(faults_);
      if (!faults) return report_error(invocation, faults.error());
      options_.faults = *faults;
    }
    if (die_after_) {
      options_.faults.die_after_requests = *die_after_;
      options_.on_die = [] { std::_Exit(1); };
    }
    auto server = simulator::ReplicaServer::start(loop, options_);
    if (!server) return report_error(invocation, server.error());
    return serve(invocation, loop, **server, ready_fd_, "simulated replica " + options_.name);
  }

 private:
  static core::Result<simulator::Profile> load(const std::string& reference) {
    if (reference.find(".json") == std::string::npos) return simulator::load_profile(reference);
    const auto text = read_file(reference);
    if (!text) return text.error();
    return simulator::parse_profile(*text);
  }

  simulator::ReplicaOptions options_;
  std::uint64_t port_ = 0, ready_fd_ = 0;
  std::string profile_{simulator::kDefaultProfile}, faults_;
  std::vector<std::string> overrides_;
  std::optional<std::uint32_t> die_after_;
  bool no_cached_tokens_ = false;
};

class RouterVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "router"; }
  [[nodiscard]] std::string_view summary() const override { return "the reference router: prefix- and load-aware reverse proxy"; }
  void declare(OptionTable& o) override {
    std::string names;
    for (const auto known : router::builtin_config_names()) names += (names.empty() ? "" : ", ") + std::string(known);
    o.option("endpoint", "NAME=HOST:PORT", "a replica, repeatable", &endpoints_).required = true;
    o.option("host", "ADDRESS", "listen address (default 127.0.0.1)", &options_.host);
    o.option("port", "PORT", "0: a free one (default)", &port_);
    o.option("epp-config", "NAME|FILE", "EndpointPickerConfig YAML, or " + names, &config_);
    o.option("mode", "MODE", "improved (default) or epp: what is fed to the scorers", &mode_);
    o.option("policy", "POLICY", "baseline instead of the configuration: random or round-robin", &policy_);
    o.option("poll-interval", "DURATION", "how often replicas' metrics are read (default 50ms)", &options_.poll_interval);
    o.option("seed", "N", "seed of random choices (default 1)", &options_.seed);
    o.option("ready-fd", "FD", "report the port there", &ready_fd_).hidden = true;
    o.example("gatebench router --port 8000 --endpoint a=127.0.0.1:8001 --endpoint b=127.0.0.1:8002");
    o.example("gatebench router --epp-config epp.yaml --mode epp --endpoint a=10.0.0.1:8000");
  }

  int run(Invocation& invocation) override {
    const auto prepared = prepare();
    if (!prepared) return report_error(invocation, prepared.error());
    for (const auto& warning : options_.config.warnings) invocation.terminal.note("warning: " + warning);
    core::net::Loop loop;
    auto server = router::RouterServer::start(loop, options_);
    if (!server) return report_error(invocation, server.error());
    return serve(invocation, loop, **server, ready_fd_, fmt::format("router ({} mode)", router::name_of(options_.mode)));
  }

 private:
  core::Status prepare() {
    std::string errors;
    const auto port = port_number(port_);
    if (!port) errors += port.error().message + "\n";
    else options_.port = *port;
    for (const auto& text : endpoints_) {
      const auto equals = text.find('=');
      const auto colon = text.rfind(':');
      const auto number = colon == std::string::npos ? std::nullopt : core::parse_integer(text.substr(colon + 1));
      const std::size_t host_at = equals == std::string::npos ? 0 : equals + 1;
      if (!number || *number < 1 || *number > 65535 || colon <= host_at) {
        errors += fmt::format("--endpoint {}: write NAME=HOST:PORT\n", text);
        continue;
      }
      const std::string host = text.substr(host_at, colon - host_at);
      options_.endpoints.push_back({equals == std::string::npos ? "" : text.substr(0, equals), host, static_cast<std::uint16_t>(*number)});
    }
    if (const auto mode = router::router_mode_of(mode_)) options_.mode = *mode;
    else errors += fmt::format("--mode {}: use improved or epp\n", mode_);
    if (policy_ == "random") options_.policy = router::Policy::kRandom;
    else if (policy_ == "round-robin") options_.policy = router::Policy::kRoundRobin;
    else if (!policy_.empty()) errors += fmt::format("--policy {}: use random or round-robin\n", policy_);
    auto config = load(config_);
    if (!config) errors += config.error().message + "\n";
    else options_.config = std::move(*config);
    if (errors.empty()) return {};
    errors.pop_back();
    return core::fail(core::ErrorCode::kInvalid, errors);
  }

  static core::Result<router::PickerConfig> load(const std::string& reference) {
    if (!router::builtin_config_text(reference).empty()) return router::load_builtin_config(reference);
    const auto text = read_file(reference);
    if (!text) {
      std::vector<std::string_view> names(router::builtin_config_names().begin(), router::builtin_config_names().end());
      const auto near = core::did_you_mean(reference, names);
      return core::fail(core::ErrorCode::kInvalid,
                        fmt::format("--epp-config {}: neither a file nor a built-in configuration{}", reference, near ? "; did you mean " + *near + "?" : ""));
    }
    return router::load_picker_config(*text, reference);
  }

  router::RouterOptions options_;
  std::uint64_t port_ = 0, ready_fd_ = 0;
  std::string config_ = "default", mode_ = "improved", policy_;
  std::vector<std::string> endpoints_;
};

}  // namespace

std::unique_ptr<Verb> make_replica_verb() { return std::make_unique<ReplicaVerb>(); }
std::unique_ptr<Verb> make_router_verb() { return std::make_unique<RouterVerb>(); }

}  // namespace bench::cli
