// Rules on pools and the pods they select. L33 to L37.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "core/text.h"
#include "deploy/routing.h"
#include "deploy/tpu.h"

namespace deploy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

/// The pool whose picker a pod set is, by the Service that the pool refers to; null: not known.
const Object* pool_of_picker(const Bundle& bundle, const PodSet& pods) {
  for (const Object* pool : bundle.of_kind("InferencePool")) {
    const Object* service = bundle.find("Service", pool->name_space, picker_ref(*pool).name);
    const Labels selector = service == nullptr ? Labels{} : labels_of(service->spec()["selector"]);
    if (!selector.empty() && same_namespace(service->name_space, pods.name_space) && selects(selector, pods.labels)) return pool;
  }
  return nullptr;
}

void judge_picker_flags(const PodSet& pods, const Node& container, const Object& pool, Findings& findings) {
  const auto words = command_words(container);
  const auto flag = [&](std::string_view dashes, std::string_view camel) {
    const auto value = flag_value(words, dashes);
    return value ? value : flag_value(words, camel);
  };
  if (const auto name = flag("--pool-name", "--poolName"); name && name->text != pool.name) findings.add(pods, name->at, "picks for pool " + quoted(name->text) + ", but " + quoted(pool.name) + " refers to it");
  if (const auto space = flag("--pool-namespace", "--poolNamespace"); space && !same_namespace(space->text, pool.name_space)) {
    findings.add(pods, space->at, "looks for its pool in namespace " + space->text + ", it is in " + pool.name_space);
  }
  if (const auto group = flag("--pool-group", "--poolGroup"); group && group->text != pool.group) findings.add(pods, group->at, "looks for a pool of group " + group->text + ", it is of " + pool.group);
}

void pickers_know_their_pool(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    const Object* pool = pods.role == PodRole::kPicker ? pool_of_picker(context.bundle, pods) : nullptr;
    if (pool == nullptr) continue;
    for (const Node* container : containers_of(*pods.pod_spec)) judge_picker_flags(pods, *container, *pool, findings);
  }
  std::map<std::pair<std::string, std::string>, const Object*> first;
  for (const Object* pool : context.bundle.of_kind("InferencePool")) {
    const PickerRef ref = picker_ref(*pool);
    if (ref.name.empty()) continue;
    const auto [at, fresh] = first.insert({{pool->name_space, ref.name}, pool});
    if (!fresh) findings.add(*pool, ref.at, "shares the picker " + quoted(ref.name) + " with " + at->second->title() + ": a picker knows one pool");
  }
}

void pools_select_one_model(const LintContext& context, Findings& findings) {
  const auto pools = context.bundle.of_kind("InferencePool");
  const bool servers = std::any_of(context.bundle.pods.begin(), context.bundle.pods.end(), [](const PodSet& p) { return p.role == PodRole::kModelServer; });
  for (const Object* pool : pools) {
    const auto selected = pods_of_pool(context.bundle, *pool);
    if (selected.empty() && servers) findings.add(*pool, pool_selector_node(*pool).at, "selects no pod of the bundle");
    std::set<std::string> models;
    for (const PodSet* pods : selected) {
      if (const auto model = model_of(*pods); !model.empty()) models.insert(model);
      if (pods->role == PodRole::kPicker) findings.add(*pool, pool_selector_node(*pool).at, "selects the picker too (" + pods->owner + ")");
    }
    if (models.size() > 1) findings.add(*pool, pool_selector_node(*pool).at, "selects pods of different models: " + *models.begin() + " and " + *models.rbegin());
  }
  for (std::size_t a = 0; a < pools.size(); ++a) {
    for (std::size_t b = a + 1; b < pools.size(); ++b) {
      if (!same_namespace(pools[a]->name_space, pools[b]->name_space)) continue;
      const auto left = pods_of_pool(context.bundle, *pools[a]), right = pods_of_pool(context.bundle, *pools[b]);
      const auto both = std::find_if(left.begin(), left.end(), [&](const PodSet* p) { return std::find(right.begin(), right.end(), p) != right.end(); });
      const bool same = left.empty() && right.empty() && pool_selector(*pools[a]) == pool_selector(*pools[b]);
      if (both != left.end()) findings.add(*pools[b], pool_selector_node(*pools[b]).at, "selects pods of " + (*both)->owner + ", as " + pools[a]->title() + " does");
      else if (same) findings.add(*pools[b], pool_selector_node(*pools[b]).at, "has the same selector as " + pools[a]->title());
    }
  }
}

void deployments_are_disjoint(const LintContext& context, Findings& findings) {
  const auto& pods = context.bundle.pods;
  for (const auto& owner : pods) {
    if (owner.object == nullptr || owner.object->kind != "Deployment") continue;
    const Node& selector = owner.object->spec()["selector"];
    if (!selector.exists()) continue;
    if (!label_selector_selects(selector, owner.labels)) findings.add(owner, selector.at, "its selector does not match its own pods' labels");
    for (const auto& other : pods) {
      if (&other == &owner || other.object == nullptr || other.object == owner.object || !same_namespace(other.name_space, owner.name_space)) continue;
      if (label_selector_selects(selector, other.labels)) findings.add(owner, selector.at, "its selector matches the pods of " + other.owner + " too");
    }
  }
  // The chart takes its selector from modelArtifacts.labels: two releases with equal labels adopt each other's pods.
  for (std::size_t a = 0; a < pods.size(); ++a) {
    for (std::size_t b = a + 1; b < pods.size(); ++b) {
      if (pods[a].values == nullptr || pods[b].values == nullptr || pods[a].labels != pods[b].labels) continue;
      findings.add(pods[b], pods[b].at, "has the same modelArtifacts.labels as " + pods[a].file + ": pools and Deployments of both select both's pods");
    }
  }
}

/// An init container that restarts always is a sidecar: llm-d's routing proxy listens in one.
std::vector<const Node*> running_containers(const Node& pod_spec) {
  auto out = containers_of(pod_spec);
  for (const auto& one : pod_spec["initContainers"].items) {
    if (one["restartPolicy"].str() == "Always") out.push_back(&one);
  }
  return out;
}

void ports_agree(const LintContext& context, Findings& findings) {
  for (const Object* pool : context.bundle.of_kind("InferencePool")) {
    for (const PodSet* pods : pods_of_pool(context.bundle, *pool)) {
      if (pods->role != PodRole::kModelServer) continue;
      std::set<std::int64_t> open;
      for (const Node* container : running_containers(*pods->pod_spec)) {
        for (const auto& port : (*container)["ports"].items) open.insert(port["containerPort"].integer().value_or(0));
        if (const auto listens = flag_value(command_words(*container), "--port")) open.insert(core::parse_integer(listens->text).value_or(0));
      }
      for (const auto port : pool_ports(*pool)) {
        if (!open.empty() && open.count(port) == 0) findings.add(*pool, pool->spec()["targetPorts"].exists() ? pool->spec()["targetPorts"].at : pool->spec().at, "targets port " + std::to_string(port) + ", which " + pods->owner + " does not open");
      }
    }
  }
}

void dead_pickers_are_seen(const LintContext& context, Findings& findings) {
  for (const Object* pool : context.bundle.of_kind("InferencePool")) {
    for (const auto key : {"endpointPickerRef", "extensionRef"}) {
      const Node& mode = pool->spec().path({key, "failureMode"});
      if (mode.str() == "FailOpen") findings.add(*pool, mode.at, "failureMode FailOpen");
    }
  }
}

constexpr std::array kRules{
    Rule{"L33", Severity::kError, "each picker picks for the pool that refers to it", "the picker sees no endpoints, or another pool's", "--pool-name, --pool-namespace and --pool-group of that pool; one picker per pool", "Pattern 2 with Pattern 1's picker", pickers_know_their_pool},
    Rule{"L34", Severity::kError, "pools select pods of one model, and no other pool's", "requests reach a server of another model: 404 for a part of them",
         "give each pattern's pods a label of its own, and select by it", "D0, Pattern 2 beside Pattern 3", pools_select_one_model},
    Rule{"L35", Severity::kError, "Deployments' selectors do not overlap", "two controllers fight over the same pods", "labels that are unique to each release", "the chart's labels across releases", deployments_are_disjoint},
    Rule{"L36", Severity::kError, "pools target the port that servers open", "connection refused: 503 for every request", "targetPorts: [{number: 8000}], as vLLM listens", "", ports_agree},
    Rule{"L37", Severity::kWarning, "a dead picker is not hidden", "with FailOpen requests go round robin and still get 200: nobody notices", "failureMode: FailClose, or watch the picker's counters (deploy check K9)", "D3, load distribution", dead_pickers_are_seen}};

}  // namespace

std::span<const Rule> pool_rules() { return kRules; }

}  // namespace deploy
