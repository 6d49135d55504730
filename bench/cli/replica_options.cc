// See replica_options.h.
#include "bench/cli/replica_options.h"

#include <fmt/format.h>

#include <cstdlib>

#include "bench/shell/kube_replicas.h"
#include "bench/shell/replica_preflight.h"

namespace bench::cli {
namespace {

using core::ErrorCode;

/// Appends what is wrong with one --replica, or the replica.
void parse_replica(const std::string& text, std::vector<ReplicaTarget>& replicas, std::string& errors) {
  const auto equals = text.find('=');
  const std::string url = equals == std::string::npos ? "" : text.substr(equals + 1);
  if (equals == 0 || (url.rfind("http://", 0) != 0 && url.rfind("https://", 0) != 0)) {
    errors += fmt::format("--replica {}: write NAME=URL, for example a=http://10.0.0.1:8000/metrics\n", text);
    return;
  }
  const bool has_path = url.find('/', url.find("://") + 3) != std::string::npos;
  ReplicaTarget target{text.substr(0, equals), has_path ? url : url + "/metrics", {}};
  for (const auto& other : replicas) {
    if (other.name == target.name) errors += fmt::format("--replica {}: the name {} is given twice\n", text, target.name);
    if (other.metrics_url == target.metrics_url) {
      errors += fmt::format("--replica {}: {} has the same URL; each replica has its own\n", text, other.name);
    }
  }
  replicas.push_back(std::move(target));
}

}  // namespace

core::Result<std::string> token_of_variable(const std::string& variable) {
  const char* token = std::getenv(variable.c_str());
  // A token given in place of the variable's name must not be echoed: the text is shown only when it looks like a name.
  const bool is_name = variable.size() <= 64 && variable.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos;
  if (token == nullptr || *token == '\0') {
    return core::fail(ErrorCode::kInvalid, is_name ? fmt::format("--metrics-token-env: the environment has no {}", variable)
                                                   : "--metrics-token-env: the environment has no variable of that name; give the variable's name, not the token");
  }
  if (std::string_view(token).find_first_of("\r\n") != std::string_view::npos) return core::fail(ErrorCode::kInvalid, fmt::format("--metrics-token-env: the token in {} holds a line break", variable));
  return std::string(token);
}

ReplicaOptions::ReplicaOptions() = default;
ReplicaOptions::~ReplicaOptions() = default;

void ReplicaOptions::declare_for_probes(OptionTable& o) {
  o.option("replica", "NAME=URL", "a replica's metrics, repeatable; without any, no attribution is claimed", &replicas_);
  o.option("replicas", "kube:NS/SELECTOR[:https][:PORT]", "the ready pods behind a label selector, or a Service: kube:NS/service/NAME; through kubectl (in a cluster: directly)", &discover_);
  o.option("metrics-cacert", "FILE", "certificate authority (PEM) of https metrics URLs", &ca_file_);
  o.option("metrics-insecure", "", "do not check certificates of https metrics URLs", &insecure_);
  o.option("metrics-token-env", "VAR", "environment variable that holds a bearer token for metrics", &token_variable_);
}

void ReplicaOptions::declare(OptionTable& o) {
  declare_for_probes(o);
  o.option("scrape-interval", "DURATION", "read metrics this often (default: after finishes, adapted to their rate)", &interval_);
  o.option("scrape-cost-limit", "PERCENT", "of a replica's time that answering scrapes may take (default 5)", &cost_limit_percent_);
  o.option("scrape-whole-pages", "", "never ask for single metrics by name[]", &no_filter_);
}

core::Status ReplicaOptions::parse(RunRequest& request) const {
  std::string errors;
  for (const auto& text : replicas_) parse_replica(text, request.replicas, errors);
  if (!discover_.empty()) {
    if (const auto selection = parse_kube_selection(discover_); !selection) {
      errors += fmt::format("{}; {}\n", selection.error().message, selection.error().hint);
    }
    if (!replicas_.empty()) errors += "--replica and --replicas exclude each other: give one of them\n";
  }
  if (!ca_file_.empty() && insecure_) errors += "--metrics-cacert and --metrics-insecure exclude each other\n";
  const bool any = !replicas_.empty() || !discover_.empty();
  if (!any && (!ca_file_.empty() || insecure_ || !token_variable_.empty() || interval_ || cost_limit_percent_)) {
    errors += "options about metrics are given, but no replica: add --replica NAME=URL or --replicas kube:…\n";
  }
  if (!token_variable_.empty()) {
    auto token = token_of_variable(token_variable_);
    if (token) request.metrics_access.token = std::move(*token);
    else errors += token.error().message + "\n";
  }
  if (interval_ && *interval_ < std::chrono::milliseconds(1)) errors += "--scrape-interval: at least 1ms\n";
  if (cost_limit_percent_ && !(*cost_limit_percent_ > 0 && *cost_limit_percent_ <= 100)) {
    errors += "--scrape-cost-limit: a percentage above 0, up to 100\n";
  }
  request.metrics_access.ca_file = ca_file_;
  request.metrics_access.insecure_tls = insecure_;
  request.scrape.interval = interval_;
  request.scrape.name_filter = !no_filter_;
  if (cost_limit_percent_) request.scrape.cost_limit_ratio = *cost_limit_percent_ / 100;
  if (errors.empty()) return {};
  errors.pop_back();
  return core::fail(ErrorCode::kInvalid, errors);
}

core::Status ReplicaOptions::discover(RunRequest& request, Terminal& terminal) {
  if (discover_.empty()) return {};
  const auto selection = parse_kube_selection(discover_);
  if (!selection) return selection.error();
  auto found = KubeReplicas::find(*selection, KubeSurroundings::from_environment());
  if (!found) return found.error();
  kube_ = std::make_unique<KubeReplicas>(std::move(*found));
  request.replicas = kube_->targets();
  if (!kube_->note().empty()) terminal.note(kube_->note());
  std::string names;
  for (const auto& target : request.replicas) names += (names.empty() ? "" : ", ") + target.name;
  terminal.note(fmt::format("{} replicas{}: {}", request.replicas.size(), kube_->proxied() ? " through kubectl proxy" : "", names));
  return {};
}

core::Status ReplicaOptions::resolve(RunRequest& request, Terminal& terminal) {
  if (auto found = discover(request, terminal); !found) return found;
  if (request.replicas.empty()) return {};
  const auto checked = preflight_replicas(request.replicas, request.metrics_access);
  if (!checked) return checked.error();
  for (const auto& note : checked->notes(request.replicas)) terminal.note(note);
  if (auto verdict = checked->verdict(request.replicas); !verdict) return verdict;
  for (std::size_t i = 0; i < request.replicas.size(); ++i) request.replicas[i].round_trip = checked->replicas[i].round_trip;
  return {};
}

}  // namespace bench::cli
