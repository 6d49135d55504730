// The table of live checks, and how a check's lines become its state. See check.h.
#include "deploy/live/check.h"

#include <algorithm>
#include <array>

#include "deploy/live/checks.h"

namespace deploy {
namespace {

constexpr std::array kChecks{
    Check{"C1", "TPU nodes", kEverywhere, check_nodes},
    Check{"C2", "InferencePool definition", kEverywhere, check_definition},
    Check{"C3", "model servers' Deployment", kEverywhere, check_workload},
    Check{"C4", "model servers' pods", kOnGke | kOnPlain, check_server_pods},
    Check{"C5", "endpoint picker", kEverywhere, check_picker},
    Check{"C6", "Gateway", kEverywhere, check_gateway},
    Check{"C7", "HTTPRoute", kEverywhere, check_route},
    Check{"C8", "InferencePool and its backends", kEverywhere, check_pool},
    Check{"C9", "requests through the gateway", kOnGke | kOnPlain, check_requests},
    Check{"C10", "metrics", kEverywhere, check_metrics},
    Check{"K1", "LLMInferenceService", kOnKserve, check_inference_service},
    Check{"K2", "model servers' pods", kOnKserve, check_server_pods},
    Check{"K3", "children of the LLMInferenceService", kOnKserve, check_children},
    Check{"K4", "EnvoyFilters", kOnKserve | kOnPlain, check_envoy_filters},
    Check{"K5", "NetworkPolicies", kOnKserve, check_network_policies},
    Check{"K6", "requests through the gateway", kOnKserve, check_requests},
    Check{"K7", "picker's weights", kOnKserve, check_picker_weights},
    Check{"K8", "model servers' arguments", kOnKserve, check_server_arguments},
    Check{"K9", "the picker is really used", kEverywhere, check_picker_used},
    Check{"K10", "time from creation to ready", kEverywhere, check_timeline}};

unsigned bit_of(Variant variant) {
  return variant == Variant::kGke ? kOnGke : variant == Variant::kIstioKserve ? kOnKserve : kOnPlain;
}

}  // namespace

std::span<const Check> checks() { return kChecks; }

std::string_view word_for(CheckState state) {
  switch (state) {
    case CheckState::kSkipped: return "skipped";
    case CheckState::kPassed: return "passed";
    case CheckState::kWarned: return "warning";
    case CheckState::kUnknown: return "unknown";
    case CheckState::kFailed: return "failed";
  }
  return "";
}

void Judgement::add(CheckState state, std::string subject, std::string observed, std::string expected, std::string remedy) {
  result_.lines.push_back({state, std::move(subject), std::move(observed), std::move(expected), std::move(remedy)});
  result_.state = std::max(result_.state, state);
}
void Judgement::passed(std::string subject, std::string observed) { add(CheckState::kPassed, std::move(subject), std::move(observed), "", ""); }
void Judgement::failed(std::string subject, std::string observed, std::string expected, std::string remedy) {
  add(CheckState::kFailed, std::move(subject), std::move(observed), std::move(expected), std::move(remedy));
}
void Judgement::warned(std::string subject, std::string observed, std::string expected, std::string remedy) {
  add(CheckState::kWarned, std::move(subject), std::move(observed), std::move(expected), std::move(remedy));
}
void Judgement::unknown(std::string subject, std::string observed, std::string expected, std::string remedy) {
  add(CheckState::kUnknown, std::move(subject), std::move(observed), std::move(expected), std::move(remedy));
}
void Judgement::skipped(std::string subject, std::string why) { add(CheckState::kSkipped, std::move(subject), std::move(why), "", ""); }

bool Judgement::captured(const CheckContext& context, std::string_view kind) {
  if (context.state.has(kind)) return true;
  for (const auto& query : resource_queries(context.want)) {
    if (query.kind != kind || query.extra) continue;
    const Absence absence = context.state.absence(query.file);
    const std::string subject(kind);
    switch (absence.reason) {
      case AbsenceReason::kNotCaptured:
        unknown(subject, "not in the saved state", std::string(query.file), query.command() + " > " + std::string(query.file));
        break;
      case AbsenceReason::kForbidden:
        unknown(subject, "may not be read: " + absence.message, "the right to get and list them", "ask for it, or let somebody who has it run: " + query.command());
        break;
      case AbsenceReason::kUnknownKind:
        if (query.optional) skipped(subject, "the cluster does not know the kind");
        else failed(subject, "the cluster does not know the kind", "its definition is installed", "install the definitions first; the bundle's README.md says which");
        break;
      case AbsenceReason::kFailed:
        unknown(subject, "could not be read: " + absence.message, "an answer", query.command());
        break;
    }
  }
  return false;
}

std::size_t CheckReport::count(CheckState state) const {
  return static_cast<std::size_t>(std::count_if(results.begin(), results.end(), [&](const CheckResult& r) { return r.state == state; }));
}

CheckState CheckReport::worst() const {
  CheckState worst = CheckState::kSkipped;
  for (const auto& result : results) worst = std::max(worst, result.state);
  return worst;
}

CheckReport check_deployment(const ClusterState& state, const Expectation& want) {
  CheckReport report;
  for (const Check& check : kChecks) {
    if ((check.variants & bit_of(want.variant())) == 0) continue;
    CheckResult result;
    result.id = check.id;
    result.title = check.title;
    Judgement judge(result);
    check.run({state, want}, judge);
    report.results.push_back(std::move(result));
  }
  return report;
}

}  // namespace deploy
