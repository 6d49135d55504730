// The endpoint picker: is it there, does it weigh as the values say, is it asked at all; and the metrics that show it.
// C5, C10, K7, K9.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "core/prom_text.h"
#include "deploy/live/checks.h"
#include "deploy/picker_config.h"
#include "protocol/vllm_metrics.h"
#include "router/core/config.h"

namespace deploy {
namespace {

/// Counters of requests by name, newest first: releases emit two of them, so they are never added up.
constexpr std::array<std::string_view, 4> kRequestCounters{"llm_d_epp_request_total", "inference_objective_request_total", "inference_model_request_total",
                                                           "inference_extension_request_total"};
/// Decisions of the scheduler: another witness, for releases that name the counter otherwise.
constexpr std::array<std::string_view, 2> kDecisions{"llm_d_epp_scheduler_e2e_duration_seconds_count", "inference_extension_scheduler_e2e_duration_seconds_count"};
constexpr std::array<std::string_view, 4> kPrefixes{"llm_d_epp_", "inference_objective_", "inference_pool_", "inference_extension_"};

struct PickerPage {
  bool is_picker = false;
  double requests = 0, decisions = 0;
};

PickerPage read_picker_page(const std::string& text) {
  PickerPage page;
  std::map<std::string_view, double> sums;
  const auto read = core::parse_prom_text(text, [&](const core::PromSample& s) {
    sums[s.name] += s.value;
    page.is_picker = page.is_picker || std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](std::string_view p) { return s.name.rfind(p, 0) == 0; });
  });
  if (!read) page.is_picker = false;
  const auto most = [&](const auto& names) {
    double out = 0;
    for (const auto name : names) {
      if (const auto at = sums.find(name); at != sums.end()) out = std::max(out, at->second);
    }
    return out;
  };
  page.requests = most(kRequestCounters);
  page.decisions = most(kDecisions);
  return page;
}

const MetricsPage* page_of(const ClusterState& state, PageOwner owner, std::string_view pod, bool after) {
  for (const auto& page : state.pages()) {
    if (page.owner == owner && page.pod == pod && page.after == after) return &page;
  }
  return nullptr;
}

std::string weights_words(double prefix, double kv, double queue, const std::string& others = {}) {
  return fmt::format("prefix {:g}, kv {:g}, queue {:g}{}", prefix, kv, queue, others);
}

std::string weights_of(const router::PickerConfig& config) {
  double prefix = 0, kv = 0, queue = 0;
  std::string others;
  for (const auto& scorer : config.scorers) {
    if (scorer.kind == router::ScorerKind::kPrefixCache) prefix = scorer.weight;
    else if (scorer.kind == router::ScorerKind::kKvCacheUtilization) kv = scorer.weight;
    else if (scorer.kind == router::ScorerKind::kQueue) queue = scorer.weight;
    else others += fmt::format(", {} {:g}", router::type_of(scorer.kind), scorer.weight);
  }
  return weights_words(prefix, kv, queue, others);
}

std::string expected_weights(const CheckContext& context) {
  const BundleValues& v = context.want.values();
  return weights_words(v.number("weights.prefix_cache"), v.number("weights.kv_cache"), v.number("weights.queue"));
}

/// With leader election only the leader is Ready: the others wait for their turn.
void judge_picker_pod(const Object& pod, bool one_leads, Judgement& judge) {
  const bool elects = elects_leader(pod.spec());
  auto trouble = trouble_of(pod);
  if (trouble.observed.empty()) return;
  if (elects && one_leads && runs_unready(pod)) return judge.passed(pod.title(), "waits to lead: it is not Ready while another one leads");
  if (runs_unready(pod)) trouble.remedy = "its health service on port 9003 says no, or the probe asks another port: kubectl logs -n " + pod.name_space + " " + pod.name;
  judge.failed(pod.title(), trouble.observed, "Running and Ready, never restarted", trouble.remedy);
}

/// The picker's slices: port 9002, and a backend that is ready.
void judge_slices(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "EndpointSlice")) return;
  const std::string& service = context.want.names().picker_service;
  const std::string subject = "Service " + context.want.name_space() + "/" + service;
  bool any = false, port = false;
  std::int64_t ready = 0, elsewhere = 0;   // a slice may hold other ports' endpoints
  for (const Object* slice : context.state.objects().of_kind("discovery.k8s.io", "EndpointSlice")) {
    if (slice->metadata().path({"labels", "kubernetes.io/service-name"}).str() != service || !same_namespace(slice->name_space, context.want.name_space())) continue;
    any = true;
    const auto& ports = slice->root()["ports"].items;
    const bool here = std::any_of(ports.begin(), ports.end(), [](const Node& one) { return one["port"].integer() == kPickerPort; });
    port = port || here;
    for (const auto& one : slice->root()["endpoints"].items) (here ? ready : elsewhere) += one["conditions"]["ready"].str() == "false" ? 0 : 1;
  }
  if (!any) judge.failed(subject, "no EndpointSlice is of this Service", "a Service with port 9002 that selects the picker", "apply the picker's Service; its selector is " + context.want.names().picker_selector);
  else if (!port) judge.failed(subject, "offers no port 9002", "port 9002, where the gateway asks for endpoints", "add it to the Service's ports");
  else if (ready == 0 && elsewhere > 0) judge.failed(subject, "its ready endpoints do not offer port 9002", "at least one that does", "the Service's targetPort names a port that their pods lack");
  else if (ready == 0) judge.failed(subject, "no endpoint is ready", "at least one", "the picker's pod says why; is the Service's selector " + context.want.names().picker_selector + "?");
  else judge.passed(subject, std::to_string(ready) + " ready on port 9002");
}

void judge_pool_gauge(const CheckContext& context, Judgement& judge, const MetricsPage& page) {
  static constexpr std::array<std::string_view, 2> kGauges{"llm_d_epp_ready_endpoints", "inference_pool_ready_pods"};
  std::optional<double> ready;
  const auto read = core::parse_prom_text(page.text, [&](const core::PromSample& s) {
    const bool gauge = std::find(kGauges.begin(), kGauges.end(), s.name) != kGauges.end();
    if (gauge && (s.label("name").empty() || s.label("name") == context.want.names().pool)) ready = s.value;
  });
  if (!read || !ready) return;
  const auto [least, most] = context.want.replicas();
  const std::string words = fmt::format("it knows {:g} ready endpoints", *ready);
  if (*ready < static_cast<double>(least) || *ready > static_cast<double>(most)) {
    judge.failed("picker " + page.pod, words, replicas_words(context), "compare the pool's selector with the pods' labels; has the picker the right to list pods?");
  } else {
    judge.passed("picker " + page.pod, words);
  }
}

void judge_server_page(const MetricsPage& page, Judgement& judge) {
  namespace names = protocol::metric;
  static const std::array<std::string, 6> kNeeded{std::string(names::kRunning), std::string(names::kWaiting), std::string(names::kKvUsage),
                                                  std::string(names::kE2e) + "_bucket", std::string(names::kPrefixQueries), std::string(names::kPrefixHits)};
  std::set<std::string, std::less<>> there;
  const auto read = core::parse_prom_text(page.text, [&](const core::PromSample& s) { there.emplace(s.name); });
  const std::string subject = "server " + page.pod;
  if (!read) return judge.failed(subject, "its metrics page is no Prometheus text", "the page of vLLM on :8000/metrics", "is something else listening on port 8000?");
  std::string missing;
  for (const auto& name : kNeeded) {
    if (there.count(name) == 0) missing += (missing.empty() ? "" : ", ") + name;
  }
  if (missing.empty()) return judge.passed(subject, "has the metrics that routing and gatebench need");
  const bool old = there.count(std::string(names::kKvUsageOld)) > 0;
  judge.failed(subject, "lacks " + missing, "all of them", old ? "it is an older vLLM: tell the picker its name by --kv-cache-usage-percentage-metric, or upgrade" : "is it vLLM, with its metrics on (no --disable-log-stats)?");
}

/// The pod is Ready, and nothing refuses the connection: something between drops it.
bool kept_out(std::string_view message) {
  static constexpr std::array<std::string_view, 6> kWords{"i/o timeout", "connection reset", "deadline exceeded", "did not end within", "no route to host", "EOF"};
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view words) { return message.find(words) != std::string_view::npos; });
}

/// A page that should have been read and was not.
void judge_absence(const CheckContext& context, PageOwner owner, const Object& pod, Judgement& judge) {
  const Absence absence = context.state.absence(metrics_file(owner, pod.name, false));
  const std::string subject = (owner == PageOwner::kPicker ? "picker " : "server ") + pod.name;
  const bool token = says_unauthorized(absence.message);
  if (absence.reason == AbsenceReason::kNotCaptured) judge.unknown(subject, "its metrics are not in the saved state", metrics_file(owner, pod.name, false), "save it with gatebench deploy check --save DIR");
  else if (token) judge.unknown(subject, "its metrics want a token", "a readable page", "give one: --metrics-token-env VAR (the bundle's ServiceAccount " + context.want.names().metrics_reader + " may read them), or start the picker with --metrics-endpoint-auth=false");
  else if (absence.reason == AbsenceReason::kForbidden) judge.unknown(subject, "its metrics may not be read: " + absence.message, absence.message.find("portforward") != std::string::npos ? "the right to create pods/portforward in the namespace" : "the right to get pods/proxy in the namespace", "ask for it");
  else if (kept_out(absence.message)) judge.unknown(subject, "its metrics cannot be had from here: " + absence.message, "a page", "a NetworkPolicy or STRICT mTLS keeps the API server's proxy out, which is no fault: the right to create pods/portforward gives another way; else save them from inside the cluster as " + metrics_file(owner, pod.name, false));
  else judge.failed(subject, "its metrics cannot be read: " + absence.message, "a page on :" + std::string(owner == PageOwner::kPicker ? "9090" : "8000") + "/metrics", "is the pod Ready, and does it listen on that port?");
}

struct PickerCount {
  double requests = 0, decisions = 0;
  std::size_t pages = 0;
  bool foreign = false;   ///< a page that is no picker's
  bool restarted = false; ///< a counter fell
};

PickerCount picker_delta(const CheckContext& context) {
  PickerCount out;
  for (const auto& page : context.state.pages()) {
    if (page.owner != PageOwner::kPicker || !page.after) continue;
    const MetricsPage* before = page_of(context.state, PageOwner::kPicker, page.pod, false);
    if (before == nullptr) continue;
    const auto a = read_picker_page(before->text), b = read_picker_page(page.text);
    ++out.pages;
    out.foreign = out.foreign || !b.is_picker;
    out.restarted = out.restarted || b.requests < a.requests || b.decisions < a.decisions;
    out.requests += b.requests - a.requests;
    out.decisions += b.decisions - a.decisions;
  }
  return out;
}

/// Requests that the replicas finished meanwhile.
std::optional<double> servers_delta(const CheckContext& context) {
  double out = 0;
  bool any = false;
  const auto sum = [](const std::string& text) {
    double total = 0;
    const auto read = core::parse_prom_text(text, [&](const core::PromSample& s) { total += s.name == protocol::metric::kSuccess ? s.value : 0; });
    return read ? total : 0.0;
  };
  for (const auto& page : context.state.pages()) {
    const MetricsPage* before = page.owner == PageOwner::kServer && page.after ? page_of(context.state, PageOwner::kServer, page.pod, false) : nullptr;
    if (before == nullptr) continue;
    any = true;
    out += sum(page.text) - sum(before->text);
  }
  return any ? std::optional(out) : std::nullopt;
}

}  // namespace

void check_picker(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "Deployment")) return;
  const std::string& name = context.want.names().picker;
  const std::string subject = "Deployment " + context.want.name_space() + "/" + name;
  const Object* deployment = context.state.objects().find("Deployment", context.want.name_space(), name);
  if (deployment == nullptr) {
    judge.failed(subject, found_instead(context, "Deployment"), name, "deploy the picker; without it a pool that fails open routes round robin");
  } else {
    const auto ready = deployment->root().path({"status", "readyReplicas"}).integer().value_or(0);
    if (ready == 1) judge.passed(subject, "1 ready");
    else if (ready > 1) judge.warned(subject, std::to_string(ready) + " replicas are ready", "1: each has its own picture of the caches", "one replica, or --ha-enable-leader-election");
    else judge.failed(subject, "no replica is ready", "1", "kubectl -n " + context.want.name_space() + " logs deploy/" + name);
    if (context.state.has("Pod")) {
      for (const Object* pod : picker_pods(context)) judge_picker_pod(*pod, ready > 0, judge);
    }
  }
  judge_slices(context, judge);
  if (context.want.variant() != Variant::kIstioKserve) check_picker_weights(context, judge);
}

namespace {

/// One configuration that the picker reads.
void judge_config(const CheckContext& context, const PickerConfigText& config, Judgement& judge) {
  const bool kserve = context.want.variant() == Variant::kIstioKserve;
  const std::string subject = config.object->title() + (config.key.empty() ? "" : ", " + config.key);
  const auto read = router::load_picker_config(config.text, "config");
  if (!read && read.error().code == core::ErrorCode::kUnsupported) {
    return judge.unknown(subject, "its EndpointPickerConfig has what gatebench cannot judge: " + read.error().message, expected_weights(context), "compare the weights by eye");
  }
  if (!read) return judge.failed(subject, "its EndpointPickerConfig is refused: " + read.error().message, "one that the picker loads", "gatebench deploy lint says where; the picker exits with such a file");
  const std::string seen = weights_of(*read), wanted = expected_weights(context);
  if (seen != wanted) judge.failed(subject, "weighs " + seen, wanted, kserve ? "the weights are an argument of the scheduler: apply the service again" : "apply the ConfigMap again and restart the picker, which reads it once");
  else judge.passed(subject, "weighs " + seen);
}

/// Charts write several files into the ConfigMap: the picker reads the one that its arguments name.
void judge_config_map(const CheckContext& context, const std::vector<PickerConfigText>& configs, Judgement& judge) {
  const std::string subject = "ConfigMap " + context.want.name_space() + "/" + context.want.names().picker;
  std::string file, names;
  for (const Object* pod : picker_pods(context)) file = config_file_of(pod->spec());
  // Named by a variable whose value is not known here, or was taken out of the saved state.
  if (file.find('$') != std::string::npos || file.find("(redacted)") != std::string::npos) file.clear();
  for (const auto& config : configs) names += (names.empty() ? "" : ", ") + config.key;
  if (configs.empty()) return judge.failed(subject, "there is none with an EndpointPickerConfig", expected_weights(context), "apply the picker's ConfigMap");
  bool found = false;
  for (const auto& config : configs) {
    if (!file.empty() && config.key != file) continue;
    if (file.empty() && configs.size() > 1) continue;
    found = true;
    judge_config(context, config, judge);
  }
  if (found) return;
  if (!file.empty()) judge.failed(subject, "has no " + file + ", which the picker is told to read; it has " + names, file, "make --config-file and the ConfigMap agree: the picker exits without its file");
  else judge.unknown(subject, "has " + names + ", and no running picker says which it reads", "a picker's pod with --config-file", "see the picker's own lines");
}

}  // namespace

void check_picker_weights(const CheckContext& context, Judgement& judge) {
  const bool kserve = context.want.variant() == Variant::kIstioKserve;
  const auto pods = picker_pods(context);
  std::vector<PickerConfigText> in_arguments, in_map;
  for (auto& config : picker_configs(context.state.objects())) {
    const bool argument = std::find(pods.begin(), pods.end(), config.object) != pods.end();
    const bool map = config.object->kind == "ConfigMap" && config.object->name == context.want.names().picker;
    if (argument) in_arguments.push_back(std::move(config));
    else if (map) in_map.push_back(std::move(config));
  }
  if (kserve && !judge.captured(context, "Pod")) return;
  for (const auto& config : in_arguments) judge_config(context, config, judge);
  if (!in_arguments.empty()) return;
  if (kserve) judge.unknown("weights", "no picker's pod has an EndpointPickerConfig among its arguments", expected_weights(context), "kubectl -n " + context.want.name_space() + " get deploy " + context.want.names().picker + " -o yaml: which configuration does it read?");
  else if (judge.captured(context, "ConfigMap")) judge_config_map(context, in_map, judge);
}

void check_metrics(const CheckContext& context, Judgement& judge) {
  if (!judge.captured(context, "Pod")) return;
  for (const Object* pod : picker_pods(context)) {
    if (!is_ready(*pod)) continue;
    const MetricsPage* page = page_of(context.state, PageOwner::kPicker, pod->name, false);
    if (page == nullptr) {
      judge_absence(context, PageOwner::kPicker, *pod, judge);
    } else if (!read_picker_page(page->text).is_picker) {
      judge.failed("picker " + pod->name, "its metrics page has none of a picker's metrics", "llm_d_epp_… or inference_…", "what listens on port 9090 there?");
    } else {
      judge.passed("picker " + pod->name, "has its metrics");
      judge_pool_gauge(context, judge, *page);
    }
  }
  for (const Object* pod : server_pods(context)) {
    if (!is_ready(*pod)) continue;
    const MetricsPage* page = page_of(context.state, PageOwner::kServer, pod->name, false);
    if (page == nullptr) judge_absence(context, PageOwner::kServer, *pod, judge);
    else judge_server_page(*page, judge);
  }
  if (picker_pods(context).empty() && server_pods(context).empty()) judge.unknown("metrics", "neither picker nor server runs", "their metrics", "deploy them");
}

void check_picker_used(const CheckContext& context, Judgement& judge) {
  if (context.state.without_requests()) return judge.skipped("", "needs requests, which --no-requests left out");
  const auto& requests = context.state.requests();
  const auto sent = std::count_if(requests.begin(), requests.end(), [](const GatewayRequest& r) { return (r.name == "completion" || r.name == "chat") && r.status == 200; });
  const std::string wanted = "the picker's counters rise by every request through the gateway";
  if (sent == 0) return judge.unknown("picker", requests.empty() ? "no requests in the saved state" : "no request was answered", wanted, requests.empty() ? "save it with gatebench deploy check --save DIR" : "mend the requests first");
  const PickerCount count = picker_delta(context);
  if (count.pages == 0 || count.foreign) return judge.unknown("picker", count.foreign ? "its page has none of a picker's metrics" : "its metrics were not read before and after the requests", wanted, "see C10");
  if (count.restarted) return judge.unknown("picker", "its counters fell: it was restarted between the requests", wanted, "check again; C5 says whether it restarts by itself");
  const auto pickers = picker_pods(context);
  const auto ready = static_cast<std::size_t>(std::count_if(pickers.begin(), pickers.end(), [](const Object* pod) { return is_ready(*pod); }));
  const auto servers = servers_delta(context);
  const double seen = std::max(count.requests, count.decisions);
  std::string words = fmt::format("counted {:g} of {} requests", seen, sent);
  if (servers) words += fmt::format("; the model servers finished {:g}", *servers);
  if (seen < static_cast<double>(sent) && count.pages < ready) {
    judge.unknown("picker", fmt::format("{}, by {} of {} pickers: the others' metrics were not read", words, count.pages, ready), wanted, "see C10");
  } else if (seen <= 0) {
    judge.failed("picker", words + ": it is bypassed, and every answer was a 200", wanted,
                 "an EnvoyFilter that replaces Istio's ext_proc entry (K4), a route to a Service instead of the pool (C7), a pool that fails open while port 9002 is unreachable (K5), or Istio before 1.27");
  } else if (seen < static_cast<double>(sent)) {
    judge.failed("picker", words + ": some requests go past it", wanted, "a second route or rule to the servers, or a gateway replica that cannot reach port 9002");
  } else {
    judge.passed("picker", words);
  }
}

}  // namespace deploy
