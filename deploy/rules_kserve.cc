// Rules on LLMInferenceServices and on EnvoyFilters around the picker. L45 to L48.
#include <algorithm>
#include <array>
#include <set>

#include "deploy/rule_groups.h"

namespace deploy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

bool is_empty(const Node& node) { return node.kind == NodeKind::kNull || (node.is_map() && node.members.empty()); }

void judge_router(const Object& service, Findings& findings) {
  const Node& router = service.spec()["router"];
  if (!router.exists()) return findings.add(service, service.spec().at, "has no router: nothing routes to it");
  for (const auto part : {"route", "gateway", "scheduler"}) {
    if (!router[std::string_view(part)].exists()) findings.add(service, router.at, "router." + std::string(part) + " is missing: the controller makes none");
  }
  const Node& refs = router.path({"gateway", "refs"});
  const Node& http = router.path({"route", "http"});
  if (!refs.items.empty() && router["route"].exists() && is_empty(router["route"])) findings.add(service, refs.at, "router.gateway.refs with an empty router.route is refused");
  if (http["refs"].exists() && http["spec"].exists()) findings.add(service, http.at, "router.route.http has refs and spec: one of them");
  if (http["refs"].exists() && refs.items.empty()) findings.add(service, http["refs"].at, "router.route.http.refs needs router.gateway.refs");
  const Node& config = router.path({"scheduler", "config"});
  if (config["inline"].exists() && config["ref"].exists()) findings.add(service, config.at, "router.scheduler.config has inline and ref: one of them");
}

void judge_parallelism(const Object& service, Findings& findings) {
  const Node& parallelism = service.spec()["parallelism"];
  if (parallelism["data"].exists() != parallelism["dataLocal"].exists()) findings.add(service, parallelism.at, "parallelism.data and dataLocal go together");
  if (service.spec()["worker"].exists() && !parallelism["data"].exists() && !parallelism["pipeline"].exists()) {
    findings.add(service, service.spec()["worker"].at, "a worker needs parallelism.data or parallelism.pipeline");
  }
}

void services_are_whole(const LintContext& context, Findings& findings) {
  for (const Object* service : context.bundle.of_kind("LLMInferenceService")) {
    for (const auto template_of : {&service->spec()["template"], &service->spec().path({"router", "scheduler", "template"})}) {
      const auto& containers = (*template_of)["containers"].items;
      const bool main = std::any_of(containers.begin(), containers.end(), [](const Node& c) { return c["name"].str() == "main"; });
      if (!containers.empty() && !main) findings.add(*service, (*template_of)["containers"].at, "no container is called main: the preset's one runs unchanged beside it");
    }
    judge_router(*service, findings);
    judge_parallelism(*service, findings);
  }
}

/// The preset of the pinned controller runs `/bin/bash -c` (one string) or `vllm serve /mnt/models` (flags).
void arguments_fit_the_preset(const LintContext& context, Findings& findings) {
  for (const Object* service : context.bundle.of_kind("LLMInferenceService")) {
    for (const auto& container : service->spec().path({"template", "containers"}).items) {
      if (container["name"].str() != "main" || container["command"].exists()) continue;
      const auto& args = container["args"].items;
      const auto shell = [](const Node& n) { return n.str().find(' ') != std::string_view::npos && n.str().find("vllm") != std::string_view::npos; };
      const auto shells = std::count_if(args.begin(), args.end(), shell);
      const bool flags = std::any_of(args.begin(), args.end(), [](const Node& n) { return n.str().rfind("--", 0) == 0; });
      if (shells > 0 && flags) findings.add(*service, container["args"].at, "args hold a shell line and flags of their own");
      else if (shells > 0 && (context.options.pin == Pin::kCurrent || service->version == "v1alpha2")) findings.add(*service, container["args"].at, "args are a shell line; this preset runs `vllm serve` and takes flags");
      else if (flags && context.options.pin == Pin::kEarly2026) findings.add(*service, container["args"].at, "args are flags; this preset runs `/bin/bash -c` and takes one line");
    }
  }
}

/// The HTTP filter that a patch matches; "" for patches of something else.
std::string_view removed_filter(const Node& patch) {
  if (patch["applyTo"].str() != "HTTP_FILTER") return {};
  return patch.path({"match", "listener", "filterChain", "filter", "subFilter", "name"}).str();
}

struct RoutePatch {
  const Object* filter = nullptr;
  const Node* patch = nullptr;
  const Node* picker = nullptr;  ///< the ext_proc entry of typed_per_filter_config
};

std::vector<RoutePatch> picker_patches(const Bundle& bundle) {
  std::vector<RoutePatch> out;
  for (const Object* filter : bundle.of_kind("EnvoyFilter")) {
    for (const auto& patch : filter->spec()["configPatches"].items) {
      const Node& config = patch.path({"patch", "value", "typed_per_filter_config"});
      for (const auto& member : config.members) {
        if (member.key.find("ext_proc") != std::string::npos) out.push_back({filter, &patch, &member.value});
      }
    }
  }
  return out;
}

void judge_modes(const RoutePatch& patch, Findings& findings) {
  const Node& mode = patch.picker->path({"overrides", "processing_mode"});
  if (mode["request_body_mode"].str() == "NONE" || !mode["request_body_mode"].exists()) findings.add(*patch.filter, mode.exists() ? mode.at : patch.picker->at, "request_body_mode is " + (mode["request_body_mode"].exists() ? "NONE" : std::string("not set")) + ": the picker sees no prompt");
  for (const auto side : {"request", "response"}) {
    const std::string body = std::string(side) + "_body_mode", trailer = std::string(side) + "_trailer_mode";
    if (mode[body].str() == "FULL_DUPLEX_STREAMED" && mode[trailer].str() != "SEND") findings.add(*patch.filter, mode[body].at, body + " FULL_DUPLEX_STREAMED needs " + trailer + " SEND");
  }
}

void judge_route_name(const LintContext& context, const RoutePatch& patch, Findings& findings) {
  const Node& name = patch.patch->path({"match", "routeConfiguration", "vhost", "route", "name"});
  const Node& apply = (*patch.patch)["applyTo"];
  if (apply.str() != "HTTP_ROUTE") return findings.add(*patch.filter, apply.at, "applyTo is " + quoted(apply.str()) + ", not HTTP_ROUTE");
  std::set<std::string> known;
  for (const Object* service : context.bundle.of_kind("LLMInferenceService")) known.insert(service->name_space + "." + service->name + "-kserve-route.");
  for (const Object* route : context.bundle.of_kind("HTTPRoute")) known.insert(route->name_space + "." + route->name + ".");
  const bool fits = known.empty() || std::any_of(known.begin(), known.end(), [&](const std::string& prefix) { return name.str().rfind(prefix, 0) == 0; });
  if (name.exists() && !fits) findings.add(*patch.filter, name.at, "route " + quoted(name.str()) + " is none of the bundle's: they are called " + *known.begin() + "0 and on");
}

/// The filter itself taken away, or another put in its place: what Istio sets per route has nothing to act on then.
void filter_is_there(const LintContext& context, Findings& findings) {
  for (const Object* filter : context.bundle.of_kind("EnvoyFilter")) {
    for (const auto& patch : filter->spec()["configPatches"].items) {
      const Node& operation = patch.path({"patch", "operation"});
      const bool takes = operation.str() == "REMOVE" || operation.str() == "REPLACE";
      if (takes && removed_filter(patch).find("ext_proc") != std::string_view::npos) findings.add(*filter, operation.at, std::string(operation.str()) + " of the ext_proc filter: the picker is never asked");
    }
  }
}

void filters_keep_the_picker(const LintContext& context, Findings& findings) {
  filter_is_there(context, findings);
  for (const auto& patch : picker_patches(context.bundle)) {
    const auto operation = patch.patch->path({"patch", "operation"});
    if (operation.str() != "MERGE") findings.add(*patch.filter, operation.at, "operation is " + quoted(operation.str()) + ", not MERGE");
    if (!patch.picker->path({"overrides", "grpc_service"}).exists()) findings.add(*patch.filter, patch.picker->at, "the ext_proc override has no grpc_service: Istio replaces its own entry by this one, and the picker is never asked");
    judge_modes(patch, findings);
    judge_route_name(context, patch, findings);
    const Node& selector = patch.filter->spec().path({"workloadSelector", "labels", "gateway.networking.k8s.io/gateway-name"});
    const auto gateways = context.bundle.of_kind("Gateway");
    const bool found = std::any_of(gateways.begin(), gateways.end(), [&](const Object* g) { return g->name == selector.str() && same_namespace(g->name_space, patch.filter->name_space); });
    if (selector.exists() && !gateways.empty() && !found) findings.add(*patch.filter, selector.at, "no Gateway " + quoted(selector.str()) + " is in the filter's namespace " + patch.filter->name_space);
    if (context.options.pin != Pin::kCurrent) continue;
    findings.add(*patch.filter, patch.filter->root().at, "is not needed: Istio from 1.27 on sets ext_proc for InferencePool routes itself");
    findings.last().severity = Severity::kWarning;
  }
}

void filters_come_last(const LintContext& context, Findings& findings) {
  for (const auto& patch : picker_patches(context.bundle)) {
    for (const auto& object : context.bundle.objects) {
      const bool routes = object.kind == "LLMInferenceService" || object.kind == "HTTPRoute";
      const bool later = object.document->file == patch.filter->document->file && object.document->index > patch.filter->document->index;
      if (routes && later) {
        findings.add(*patch.filter, patch.filter->root().at, "stands before " + object.title() + " in its file");
        break;
      }
    }
  }
}

constexpr std::array kRules{
    Rule{"L45", Severity::kError, "LLMInferenceServices are whole", "the webhook refuses it, or the controller makes no route, pool or picker", "a container called main; router: {route: {}, gateway: {}, scheduler: {}}", "", services_are_whole},
    Rule{"L46", Severity::kError, "args fit the controller's preset", "the container starts `bash -c --max-model-len`, or `vllm serve` with a shell line", "early 2026: one shell line; from v0.16 on: flags", "D3, prefix caching flag", arguments_fit_the_preset},
    Rule{"L47", Severity::kError, "EnvoyFilters keep the picker", "requests go round robin with status 200, and nobody notices (inferred from Istio's merge rules)",
         "remove the filter on Istio 1.27 and later; else restate grpc_service, name the route <namespace>.<route>.<rule>, and stay in the Gateway's namespace", "D2 and D3, EnvoyFilter for body forwarding", filters_keep_the_picker},
    Rule{"L48", Severity::kWarning, "EnvoyFilters are applied after their routes", "until the route exists the patch matches nothing, and later changes of it are missed", "put the filter after the LLMInferenceService or HTTPRoute, and apply it once that is Ready", "", filters_come_last}};

}  // namespace

std::span<const Rule> kserve_rules() { return kRules; }

}  // namespace deploy
