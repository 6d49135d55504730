// Rules on how vLLM is started: probes, flags, model names. L20 to L25.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/text.h"
#include "deploy/models.h"
#include "deploy/rule_groups.h"
#include "deploy/tpu.h"

namespace deploy {
namespace {

constexpr std::int64_t kColdStart_s = 420;  ///< 5 to 7 minutes were measured: initialisation, download, precompilation

/// Containers that run vLLM. Values and LLMInferenceServices without containers leave all to chart and preset.
struct Server {
  const PodSet* pods = nullptr;
  const Node* container = nullptr;
};

std::vector<Server> servers(const Bundle& bundle) {
  std::vector<Server> out;
  for (const auto& pods : bundle.pods) {
    if (pods.role != PodRole::kModelServer) continue;
    for (const Node* container : containers_of(*pods.pod_spec)) {
      const auto name = (*container)["name"].str();
      const auto image = (*container)["image"].str();
      const bool main = name == "main" || name == "vllm" || image.find("vllm") != std::string_view::npos || containers_of(*pods.pod_spec).size() == 1;
      if (main) out.push_back({&pods, container});
    }
  }
  return out;
}

void startup_has_time(const LintContext& context, Findings& findings) {
  for (const auto& server : servers(context.bundle)) {
    const bool tpu = resource_of(*server.container, kTpu).has_value();
    const Node& startup = (*server.container)["startupProbe"];
    const Node& liveness = (*server.container)["livenessProbe"];
    if (startup.exists()) {
      const auto number = [&](std::string_view key, std::int64_t fallback) { return startup[key].integer().value_or(fallback); };
      const std::int64_t budget = number("initialDelaySeconds", 0) + number("periodSeconds", 10) * number("failureThreshold", 3);
      if (tpu && budget < kColdStart_s) findings.add(*server.pods, startup.at, "startupProbe gives " + std::to_string(budget) + " s; a cold start takes up to " + std::to_string(kColdStart_s));
    } else if (liveness.exists() && tpu && liveness["initialDelaySeconds"].integer().value_or(0) < kColdStart_s) {
      findings.add(*server.pods, liveness.at, "livenessProbe without a startupProbe: the container is killed while it starts");
      findings.last().severity = Severity::kWarning;
    }
  }
}

bool serves_tls(const Node& container) { return flag_value(command_words(container), "--ssl-certfile").has_value(); }

/// The number behind a probe's port, which may be a container port's name; none: the name is unknown.
std::optional<std::int64_t> port_number(const Node& container, const Node& port) {
  if (const auto number = port.integer()) return number;
  for (const auto& known : container["ports"].items) {
    if (known["name"].str() == port.str()) return known["containerPort"].integer();
  }
  return std::nullopt;
}

void probe_reaches(const Server& server, std::string_view name, Findings& findings) {
  const Node& http = server.container->path({name, "httpGet"});
  if (!http.exists()) return;
  const Node& port = http["port"];
  const auto& ports = (*server.container)["ports"].items;
  const auto number = port_number(*server.container, port);
  const std::string what = std::string(name);
  if (!number) return findings.add(*server.pods, port.exists() ? port.at : http.at, what + ": no container port is called \"" + std::string(port.str()) + "\"");
  const bool listed = std::any_of(ports.begin(), ports.end(), [&](const Node& p) { return p["containerPort"].integer() == number; });
  if (!ports.empty() && !listed) findings.add(*server.pods, port.at, what + " asks port " + std::to_string(*number) + ", which no container port is");
  const auto listens = flag_value(command_words(*server.container), "--port");
  if (listens && core::parse_integer(listens->text) && *core::parse_integer(listens->text) != *number) {
    findings.add(*server.pods, port.at, what + " asks port " + std::to_string(*number) + ", vLLM listens on " + listens->text);
  }
  const bool https = http["scheme"].str() == "HTTPS";
  if (https != serves_tls(*server.container) && server.pods->object != nullptr && server.pods->object->kind != "LLMInferenceService") {
    findings.add(*server.pods, http.at, what + (https ? " speaks HTTPS, vLLM has no --ssl-certfile" : " speaks HTTP, vLLM has --ssl-certfile"));
  }
  const auto path = http["path"].str();
  if (path != "/health" && path != "/v1/models" && path != "/ping") {
    findings.add(*server.pods, http.at, what + " asks \"" + std::string(path) + "\": vLLM answers /health and /v1/models");
  }
}

void probes_reach(const LintContext& context, Findings& findings) {
  for (const auto& server : servers(context.bundle)) {
    for (const auto name : {"startupProbe", "livenessProbe", "readinessProbe"}) probe_reaches(server, name, findings);
  }
}

void no_gpu_flags(const LintContext& context, Findings& findings) {
  for (const auto& server : servers(context.bundle)) {
    if (!resource_of(*server.container, kTpu)) continue;
    const auto words = command_words(*server.container);
    for (const auto flag : {"--prefix-cache-block-size", "--gpu-memory-utilization", "--enforce-eager", "--cuda-graph-sizes"}) {
      if (const auto found = flag_value(words, flag)) findings.add(*server.pods, found->at, std::string(flag) + " on a TPU");
    }
  }
}

/// 2048, and as vLLM takes it: 64k (thousand), 64K (times 1024), 25.6k, 1m, 1M.
std::optional<std::int64_t> length_of(std::string_view text) {
  if (text.empty()) return std::nullopt;
  static constexpr std::array<std::pair<char, double>, 6> kSuffixes{{{'k', 1e3}, {'K', 1024.0}, {'m', 1e6}, {'M', 1024.0 * 1024.0}, {'g', 1e9}, {'G', 1024.0 * 1024.0 * 1024.0}}};
  for (const auto& [suffix, factor] : kSuffixes) {
    if (text.back() != suffix) continue;
    const auto number = core::parse_number(text.substr(0, text.size() - 1));
    return number && *number > 0 && *number * factor < 1e15 ? std::optional(static_cast<std::int64_t>(*number * factor)) : std::nullopt;
  }
  return core::parse_integer(text);
}

void context_fits(const LintContext& context, Findings& findings) {
  for (const auto& server : servers(context.bundle)) {
    const auto length = flag_value(command_words(*server.container), "--max-model-len");
    if (!length) continue;
    const auto tokens = length_of(length->text);
    const std::string model = model_of(*server.pods);
    const auto known = facts_of(model);
    if (known && tokens && *tokens > known->longest_context_tokens) findings.add(*server.pods, length->at, "--max-model-len " + length->text + ", but " + model + " ends at " + std::to_string(known->longest_context_tokens));
  }
}

bool is_pattern_3(const LintContext& context) {
  if (context.options.pattern) return *context.options.pattern == 3;
  return std::any_of(context.bundle.pods.begin(), context.bundle.pods.end(), [](const PodSet& p) { return p.role == PodRole::kModelServer && p.replicas >= 2; });
}

void prefix_caching_is_said(const LintContext& context, Findings& findings) {
  const bool three = is_pattern_3(context);
  for (const auto& server : servers(context.bundle)) {
    const auto words = command_words(*server.container);
    const bool on = flag_value(words, "--enable-prefix-caching").has_value();
    const auto off = flag_value(words, "--no-enable-prefix-caching");
    if (three && off && server.pods->replicas >= 2) findings.add(*server.pods, off->at, "--no-enable-prefix-caching under prefix-aware routing");
    else if (three && !on && !off && !words.empty() && server.pods->replicas >= 2) findings.add(*server.pods, (*server.container)["args"].exists() ? (*server.container)["args"].at : server.container->at, "no --enable-prefix-caching in the arguments of a Pattern 3 replica");
    else if (context.options.pattern == 1 && !on && !off && !words.empty()) {
      findings.add(*server.pods, server.container->at, "no caching flag: vLLM caches prefixes by default, so this is no baseline without a cache");
      findings.last().severity = Severity::kWarning;
      findings.last().fix = "--no-enable-prefix-caching for a baseline without a cache, --enable-prefix-caching for one that says so";
    }
  }
}

/// The name that a server answers to, where its arguments say so.
std::optional<CommandWord> served_name(const Server& server) { return flag_value(command_words(*server.container), "--served-model-name"); }

void names_agree(const LintContext& context, Findings& findings) {
  std::set<std::string> served;
  bool all_known = true;
  for (const auto& server : servers(context.bundle)) {
    const auto name = served_name(server);
    const std::string model = model_of(*server.pods);
    const bool kserve = server.pods->object != nullptr && server.pods->object->kind == "LLMInferenceService";
    if (kserve) {
      const Node& declared = server.pods->object->spec().path({"model", "name"});
      if (declared.exists() && name && declared.str() != name->text) {
        findings.add(*server.pods, name->at, "--served-model-name " + name->text + ", but spec.model.name is " + std::string(declared.str()));
      }
      if (declared.exists()) served.insert(std::string(declared.str()));
      served.insert("/mnt/models");
    }
    if (name) served.insert(name->text);
    else if (!model.empty()) served.insert(model);
    else if (!kserve) all_known = false;
  }
  if (served.empty() || !all_known) return;
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kLoad) continue;
    for (const Node* container : containers_of(*pods.pod_spec)) {
      const auto asked = flag_value(command_words(*container), "--model");
      if (asked && served.count(asked->text) == 0) findings.add(pods, asked->at, "asks for model " + asked->text + ", which no server of the bundle serves");
    }
  }
}

constexpr std::array kRules{
    Rule{"L20", Severity::kError, "the startup probe waits for a cold start", "kubelet kills the container while it compiles, again and again",
         "startupProbe: {initialDelaySeconds: 15, periodSeconds: 30, failureThreshold: 60}", "D1, expected times", startup_has_time},
    Rule{"L21", Severity::kError, "probes ask where vLLM listens", "the pod never becomes Ready, or is killed",
         "use the container port of vLLM, /health or /v1/models, and HTTPS exactly where it has a certificate", "", probes_reach},
    Rule{"L22", Severity::kWarning, "no GPU-only flags on a TPU image", "vLLM on TPU ignores them, or crashes at start (--prefix-cache-block-size)", "remove the flag", "", no_gpu_flags},
    Rule{"L23", Severity::kError, "--max-model-len is within the model", "vLLM refuses to start", "lower --max-model-len", "", context_fits},
    Rule{"L24", Severity::kError, "prefix caching is stated in every replica of Pattern 3", "a replica without it never hits, whatever the router does",
         "add --enable-prefix-caching to the arguments of the container that runs vLLM", "D3, prefix caching flag; D4, extraArgs", prefix_caching_is_said},
    Rule{"L25", Severity::kError, "servers and clients name the model alike", "404: the model does not exist",
         "use the served name: --served-model-name, spec.model.name, or /mnt/models under KServe", "D1, quick script; D2, verification", names_agree}};

}  // namespace

std::span<const Rule> serving_rules() { return kRules; }

}  // namespace deploy
