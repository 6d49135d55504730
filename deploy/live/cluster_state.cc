// See cluster_state.h.
#include "deploy/live/cluster_state.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "core/text.h"
#include "deploy/live/expectation.h"
#include "deploy/yaml/json.h"

namespace deploy {
namespace {

constexpr std::array<std::pair<std::string_view, AbsenceReason>, 4> kReasons{{{"not captured", AbsenceReason::kNotCaptured},
                                                                              {"forbidden", AbsenceReason::kForbidden},
                                                                              {"unknown kind", AbsenceReason::kUnknownKind},
                                                                              {"failed", AbsenceReason::kFailed}}};
constexpr std::size_t kShownBytes = 1024;

/// Whose answer may be nothing at all: `kubectl get NAME --ignore-not-found` says so.
bool may_be_empty(std::string_view file) { return file == "configmaps.json" || file == "customresourcedefinitions.json"; }

/// A file that holds the answers for a kind, also when the answer is an empty list.
std::string_view kind_in(std::string_view file) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kFiles{
      {{"pods.json", "Pod"}, {"deployments.json", "Deployment"}, {"services.json", "Service"}, {"endpointslices.json", "EndpointSlice"},
       {"inferencepools.json", "InferencePool"}, {"httproutes.json", "HTTPRoute"}, {"gateways.json", "Gateway"}, {"configmaps.json", "ConfigMap"},
       {"llminferenceservices.json", "LLMInferenceService"}, {"networkpolicies.json", "NetworkPolicy"}, {"healthcheckpolicies.json", "HealthCheckPolicy"},
       {"gcpbackendpolicies.json", "GCPBackendPolicy"}, {"envoyfilters.json", "EnvoyFilter"}, {"nodes.json", "Node"}}};
  if (file == "customresourcedefinitions.json") return "CustomResourceDefinition";
  const auto* const at = std::find_if(kFiles.begin(), kFiles.end(), [&](const auto& pair) { return pair.first == file; });
  return at == kFiles.end() ? std::string_view() : at->second;
}

std::optional<MetricsPage> page_of(std::string_view file) {
  const auto parts = core::split(file, '/');
  if (parts.size() != 4 || parts[0] != "metrics") return std::nullopt;
  MetricsPage page;
  if (parts[1] == "server") page.owner = PageOwner::kServer;
  else if (parts[1] != "picker") return std::nullopt;
  page.after = parts[3] == "after.txt";
  if (!page.after && parts[3] != "before.txt") return std::nullopt;
  page.pod = std::string(parts[2]);
  return page;
}

bool lives(const Object& pod) {
  const auto phase = pod.root().path({"status", "phase"}).str();
  return !pod.metadata()["deletionTimestamp"].exists() && phase != "Succeeded" && phase != "Failed";
}

}  // namespace

bool says_unauthorized(std::string_view message) { return message.find("nauthorized") != std::string_view::npos || message.find("You must be logged in") != std::string_view::npos; }

std::string_view word_for(AbsenceReason reason) { return kReasons[static_cast<std::size_t>(reason)].first; }

std::string metrics_file(PageOwner owner, std::string_view pod, bool after) {
  return std::string(owner == PageOwner::kPicker ? "metrics/picker/" : "metrics/server/") + std::string(pod) + (after ? "/after.txt" : "/before.txt");
}

core::Result<ClusterState> ClusterState::read(const std::vector<SourceFile>& files) {
  ClusterState state;
  std::vector<Document> documents;
  std::string errors;
  for (const auto& file : files) {
    if (auto added = state.add(file, documents); !added) errors += (errors.empty() ? "" : "\n") + added.error().message;
  }
  if (!errors.empty()) return core::fail(core::ErrorCode::kInvalid, errors, "save the state again: gatebench deploy check --save DIR");
  state.objects_ = bundle_of(std::move(documents));
  for (const auto& problem : state.objects_.problems) {
    return core::fail(core::ErrorCode::kInvalid, problem.file + ": " + problem.message, "give what `kubectl get … -o json` prints");
  }
  for (const auto& object : state.objects_.objects) state.kinds_.insert(object.kind);
  return state;
}

core::Status ClusterState::add(const SourceFile& file, std::vector<Document>& documents) {
  if (auto page = page_of(file.name)) {
    page->text = file.text;
    pages_.push_back(std::move(*page));
    return {};
  }
  const auto kind = kind_in(file.name);
  if (may_be_empty(file.name) && core::trim(file.text).empty()) {
    kinds_.insert(std::string(kind));
    return {};
  }
  auto document = parse_json_document(file.text, file.name);
  if (!document) return document.error();
  if (file.name == kCaptureFile) {
    add_capture(document->root);
  } else if (file.name == kRequestsFile) {
    return add_requests(*document);
  } else {
    if (!kind.empty()) kinds_.insert(std::string(kind));
    documents.push_back(std::move(*document));
  }
  return {};
}

void ClusterState::add_capture(const Node& root) {
  captured_at_ = unix_seconds(root["time"].str());
  without_requests_ = root["without_requests"].is_true();
  for (const auto& entry : root["absent"].items) {
    Absence absence{std::string(entry["what"].str()), AbsenceReason::kFailed, std::string(entry["message"].str())};
    for (const auto& [word, reason] : kReasons) {
      if (entry["reason"].str() == word) absence.reason = reason;
    }
    absences_[absence.what] = absence;
  }
}

core::Status ClusterState::add_requests(const Document& document) {
  for (const auto& entry : document.root["requests"].items) {
    GatewayRequest request;
    request.name = entry["name"].str();
    request.url = entry["url"].str();
    request.error = entry["error"].str();
    request.status = static_cast<int>(entry["status"].integer().value_or(0));
    request.duration_ms = entry["duration_ms"].number().value_or(0);
    request.text = std::string(entry["body"].str().substr(0, kShownBytes));
    if (auto body = parse_json_document(entry["body"].str(), "body"); body) request.body = std::move(body->root);
    requests_.push_back(std::move(request));
  }
  if (!document.root["requests"].is_list()) return core::fail(core::ErrorCode::kInvalid, document.file + ": has no list \"requests\"");
  return {};
}

Absence ClusterState::absence(std::string_view file) const {
  const auto at = absences_.find(std::string(file));
  return at == absences_.end() ? Absence{std::string(file), AbsenceReason::kNotCaptured, ""} : at->second;
}

std::vector<const Object*> ClusterState::pods_selected(const Node& selector, std::string_view name_space) const {
  std::vector<const Object*> out;
  // A selector that is not there selects nothing here; only an empty one selects all.
  if (!selector.is_map()) return out;
  for (const Object* pod : objects_.of_kind("", "Pod")) {
    if (same_namespace(pod->name_space, name_space) && lives(*pod) && label_selector_selects(selector, labels_of(pod->metadata()["labels"]))) out.push_back(pod);
  }
  return out;
}

std::vector<const Object*> ClusterState::pods_with(const Labels& labels, std::string_view name_space) const {
  std::vector<const Object*> out;
  for (const Object* pod : objects_.of_kind("", "Pod")) {
    if (same_namespace(pod->name_space, name_space) && lives(*pod) && selects(labels, labels_of(pod->metadata()["labels"]))) out.push_back(pod);
  }
  return out;
}

const Node& condition_of(const Node& conditions, std::string_view type) {
  for (const auto& condition : conditions.items) {
    if (condition["type"].str() == type) return condition;
  }
  return conditions["missing"];
}

bool is_ready(const Object& pod) {
  return pod.root().path({"status", "phase"}).str() == "Running" && condition_of(pod.root()["status"]["conditions"], "Ready")["status"].str() == "True";
}

std::optional<double> unix_seconds(std::string_view time) {
  // 2026-02-13T10:00:00Z, with or without fractions of a second.
  if (time.size() < 20 || time.back() != 'Z' || time[4] != '-' || time[7] != '-' || time[10] != 'T' || time[13] != ':' || time[16] != ':') return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t size) { return core::parse_integer(time.substr(at, size)); };
  const auto year = part(0, 4), month = part(5, 2), day = part(8, 2), hour = part(11, 2), minute = part(14, 2);
  const auto second = core::parse_number(time.substr(17, time.size() - 18));
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)), std::chrono::month(static_cast<unsigned>(*month)), std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second >= 61 || *hour < 0 || *minute < 0 || *second < 0) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<double>(days) * 86400.0 + static_cast<double>(*hour * 3600 + *minute * 60) + *second;
}

}  // namespace deploy
