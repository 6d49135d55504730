// Rules on TPU resources: chips, topology, environment, parallelism, room on the node pool. L11 to L19.
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

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

void requests_equal_limits(const LintContext& context, Findings& findings) {
  for (const auto& tpu : tpu_containers(context.bundle)) {
    const Node& limit = tpu.container->path({"resources", "limits", kTpu});
    const Node& request = tpu.container->path({"resources", "requests", kTpu});
    const Position at = limit.exists() ? limit.at : request.at;
    if (!limit.exists()) findings.add(*tpu.pods, at, "google.com/tpu is requested, but not limited");
    else if (!limit.integer()) findings.add(*tpu.pods, at, "google.com/tpu: " + quoted(limit.str()) + " is no whole number of chips");
    else if (request.exists() && request.integer() != limit.integer()) {
      findings.add(*tpu.pods, request.at, "google.com/tpu: requests " + quoted(request.str()) + ", limits " + quoted(limit.str()));
    }
  }
}

void chips_fit_topology(const LintContext& context, Findings& findings) {
  for (const auto& tpu : tpu_containers(context.bundle)) {
    const Node& topology = node_selector_of(*tpu.pods)[kTopologyLabel];
    const Node& machine = node_selector_of(*tpu.pods)["node.kubernetes.io/instance-type"];
    const auto by_topology = chips_of_topology(topology.str());
    if (topology.exists() && !by_topology) findings.add(*tpu.pods, topology.at, "topology " + quoted(topology.str()) + " is none like 2x2 or 2x4");
    else if (by_topology && tpu.chips > 0 && *by_topology != tpu.chips) {
      findings.add(*tpu.pods, tpu.container->path({"resources"}).at, std::to_string(tpu.chips) + " chips are asked for, topology " + std::string(topology.str()) + " has " + std::to_string(*by_topology));
    }
    const auto by_machine = chips_of_machine(machine.str());
    if (by_machine && tpu.chips > 0 && *by_machine != tpu.chips) {
      findings.add(*tpu.pods, machine.at, std::to_string(tpu.chips) + " chips are asked for, a " + std::string(machine.str()) + " has " + std::to_string(*by_machine));
    }
  }
}

/// A node affinity that is required says the same as a selector; all of its terms have to.
bool required_by_affinity(const PodSet& pods, std::string_view label) {
  const auto& terms = pods.pod_spec->path({"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"}).items;
  return !terms.empty() && std::all_of(terms.begin(), terms.end(), [&](const Node& term) {
    const auto& expressions = term["matchExpressions"].items;
    return std::any_of(expressions.begin(), expressions.end(), [&](const Node& e) { return e["key"].str() == label && e["operator"].str() == "In"; });
  });
}

void both_selectors(const LintContext& context, Findings& findings) {
  std::set<const PodSet*> seen;
  for (const auto& tpu : tpu_containers(context.bundle)) {
    if (!seen.insert(tpu.pods).second) continue;
    const Node& selector = node_selector_of(*tpu.pods);
    for (const auto label : {kAcceleratorLabel, kTopologyLabel}) {
      if (!selector[label].exists() && !required_by_affinity(*tpu.pods, label)) findings.add(*tpu.pods, selector.exists() ? selector.at : tpu.container->at, "nodeSelector has no " + std::string(label));
    }
    const auto accelerator = selector[kAcceleratorLabel].str();
    const auto machine = selector["node.kubernetes.io/instance-type"].str();
    const bool v6 = accelerator == "tpu-v6e-slice";
    if (!accelerator.empty() && machine.rfind("ct", 0) == 0 && v6 != (machine.rfind("ct6e", 0) == 0)) {
      findings.add(*tpu.pods, selector[kAcceleratorLabel].at, "accelerator " + std::string(accelerator) + " is not what a " + std::string(machine) + " has");
    }
  }
}

std::optional<std::int64_t> product_of(std::string_view bounds) {
  std::int64_t product = 1;
  for (const auto part : core::split(bounds, ',')) {
    const auto side = core::parse_integer(core::trim(part));
    if (!side || *side < 1 || *side > 1024) return std::nullopt;
    product *= *side;
  }
  return product;
}

void environment_fits(const LintContext& context, Findings& findings) {
  for (const auto& tpu : tpu_containers(context.bundle)) {
    if (tpu.chips <= 0) continue;
    const std::string chips = std::to_string(tpu.chips) + " chips are asked for";
    const Node& bounds = env_value(*tpu.container, "TPU_CHIPS_PER_HOST_BOUNDS");
    if (bounds.exists() && product_of(bounds.str()) != tpu.chips) findings.add(*tpu.pods, bounds.at, "TPU_CHIPS_PER_HOST_BOUNDS is " + quoted(bounds.str()) + ", but " + chips);
    const Node& hosts = env_value(*tpu.container, "TPU_HOST_BOUNDS");
    if (hosts.exists() && product_of(hosts.str()) != 1) findings.add(*tpu.pods, hosts.at, "TPU_HOST_BOUNDS is " + quoted(hosts.str()) + ": a pod is one host, so 1,1,1");
    const Node& devices = env_value(*tpu.container, "TPU_NUM_DEVICES");
    if (devices.exists() && devices.integer() != tpu.chips) findings.add(*tpu.pods, devices.at, "TPU_NUM_DEVICES is " + quoted(devices.str()) + ", but " + chips);
  }
}

void parallelism_fits(const LintContext& context, Findings& findings) {
  for (const auto& tpu : tpu_containers(context.bundle)) {
    if (tpu.pods->role != PodRole::kModelServer || tpu.chips <= 0) continue;
    Position at;
    const auto tensor = tensor_parallel_of(tpu, at);
    if (tensor && *tensor != tpu.chips) findings.add(*tpu.pods, at, "tensor parallelism " + std::to_string(*tensor) + " on " + std::to_string(tpu.chips) + " chips");
    else if (!tensor && tpu.chips > 1) findings.add(*tpu.pods, tpu.container->at, "no tensor parallelism on " + std::to_string(tpu.chips) + " chips: vLLM takes 1");
  }
}

void heads_divide(const LintContext& context, Findings& findings) {
  for (const auto& tpu : tpu_containers(context.bundle)) {
    Position at;
    const auto tensor = tensor_parallel_of(tpu, at);
    const auto fault = split_fault(model_of(*tpu.pods), tensor.value_or(0));
    if (fault.message.empty()) continue;
    findings.add(*tpu.pods, at, fault.message);
    if (!fault.fatal) findings.last().severity = Severity::kWarning;
  }
}

/// Largest number of nodes that the pool may have, and where that is written: render values, or a pool in a script's flags.
struct PoolSize {
  std::int64_t nodes = 0, chips_per_node = 0;
  const Document* document = nullptr;
  Position at;
};

std::optional<PoolSize> pool_size(const Bundle& bundle) {
  for (const auto& values : bundle.values) {
    if (values.kind != ValuesKind::kRenderValues) continue;
    const Node& pool = values.document->root["node_pool"];
    const Node& nodes = pool["max_nodes"];
    if (!nodes.integer()) continue;
    const auto chips = chips_of_machine(pool["machine_type"].str());
    return PoolSize{*nodes.integer(), chips.value_or(values.document->root["chips"].integer().value_or(4)), values.document, nodes.at};
  }
  return std::nullopt;
}

void room_on_the_pool(const LintContext& context, Findings& findings) {
  const auto pool = pool_size(context.bundle);
  if (!pool) return;
  std::int64_t wanted = 0;
  for (const auto& tpu : tpu_containers(context.bundle)) {
    if (tpu.chips > 0 && tpu.pods->replicas > 0 && tpu.pods->replicas < 100'000) wanted += tpu.chips * tpu.pods->replicas;
  }
  const std::int64_t has = pool->nodes * pool->chips_per_node;
  if (wanted > has) {
    findings.add(*pool->document, pool->at, std::to_string(wanted) + " chips are asked for, a pool of " + std::to_string(pool->nodes) + " nodes has " + std::to_string(has));
  }
}

/// maxSurge and maxUnavailable as the Deployment controller reads them: percentages round up and down.
std::int64_t portion(const Node& node, std::int64_t of, std::int64_t fallback_percent, bool up) {
  std::int64_t percent = fallback_percent;
  if (const auto count = node.integer()) return *count;
  const auto text = node.str();
  if (text.size() > 1 && text.back() == '%') percent = core::parse_integer(text.substr(0, text.size() - 1)).value_or(fallback_percent);
  return up ? (percent * of + 99) / 100 : percent * of / 100;
}

void rollout_can_finish(const LintContext& context, Findings& findings) {
  const auto pool = pool_size(context.bundle);
  std::int64_t all = 0;
  const auto containers = tpu_containers(context.bundle);
  for (const auto& tpu : containers) all += tpu.pods->replicas > 0 && tpu.pods->replicas < 100'000 ? tpu.pods->replicas : 0;
  for (const auto& tpu : containers) {
    const PodSet& pods = *tpu.pods;
    if (pods.object == nullptr || pods.object->kind != "Deployment" || tpu.chips <= 0) continue;
    const Node& strategy = pods.object->spec()["strategy"];
    if (strategy["type"].str() == "Recreate") continue;
    const auto surge = portion(strategy.path({"rollingUpdate", "maxSurge"}), pods.replicas, 25, true);
    const auto away = portion(strategy.path({"rollingUpdate", "maxUnavailable"}), pods.replicas, 25, false);
    const bool spare = pool && pool->nodes > all;
    if (surge < 1 || spare || away > 0) continue;
    findings.add(pods, strategy.exists() ? strategy.at : pods.at,
                 "a rollout starts " + std::to_string(surge) + " pod more before it stops one, which needs a free TPU node" +
                     (strategy.exists() ? "" : " (the default strategy)"));
  }
}

void picker_has_a_cpu_pool(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kPicker && pods.role != PodRole::kGateway) continue;
    const Node& selector = node_selector_of(pods);
    if (selector[kAcceleratorLabel].exists()) findings.add(pods, selector.at, "is bound to TPU nodes, whose taint google.com/tpu keeps it off");
  }
  for (const auto& values : context.bundle.values) {
    if (values.kind != ValuesKind::kRenderValues) continue;
    const Node& cpu = values.document->root.path({"cpu_pool", "nodes"});
    if (cpu.integer() && *cpu.integer() < 1) findings.add(*values.document, cpu.at, "no CPU node: picker and gateway have nowhere to run");
  }
}

constexpr std::array kRules{
    Rule{"L11", Severity::kError, "requests equal limits for google.com/tpu", "the API server refuses extended resources that differ, and none is overcommitted",
         "write the same whole number under requests and limits", "", requests_equal_limits},
    Rule{"L12", Severity::kError, "chips fit topology and machine type", "GKE's admission refuses pods that ask for a part of a TPU host",
         "ask for all chips of the topology: 4 on 2x2 (ct6e-standard-4t), 8 on 2x4", "D1, resource allocation", chips_fit_topology},
    Rule{"L13", Severity::kError, "both TPU node selectors are there and agree", "without both labels the pod stays Pending, or is refused",
         "set cloud.google.com/gke-tpu-accelerator and cloud.google.com/gke-tpu-topology", "D1, node selector", both_selectors},
    Rule{"L14", Severity::kError, "TPU environment fits the chips", "PJRT fails to initialise: \"No TPU devices found\" or a bounds error",
         "for 4 chips: TPU_CHIPS_PER_HOST_BOUNDS=2,2,1, TPU_HOST_BOUNDS=1,1,1, TPU_NUM_DEVICES=4", "D1, fourth problem", environment_fits},
    Rule{"L15", Severity::kError, "tensor parallelism equals the chips", "chips stay idle, or vLLM fails to start",
         "set --tensor-parallel-size (parallelism.tensor in values) to the number of chips", "", parallelism_fits},
    Rule{"L16", Severity::kError, "the model can be split that way", "vLLM crashes in the attention kernel: dimensions do not divide",
         "take a model whose heads divide, such as Qwen/Qwen2.5-3B-Instruct at 4", "D1, eighth problem; D4 throughout", heads_divide},
    Rule{"L17", Severity::kError, "all replicas fit on the node pool", "pods stay Pending: insufficient google.com/tpu",
         "raise the pool's maximum, or ask for fewer replicas: Pattern 3 beside Pattern 2 takes 16 chips, four nodes", "D1, node pool of 0 to 2", room_on_the_pool},
    Rule{"L18", Severity::kError, "a rollout can finish on a full pool", "the surge pod never gets a TPU, so the rollout hangs until its deadline",
         "strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}; one replica is away meanwhile", "D4, rolling updates", rollout_can_finish},
    Rule{"L19", Severity::kWarning, "picker and gateway have CPU nodes", "TPU nodes are tainted: other pods stay Pending",
         "keep a CPU node pool, and no TPU selector on these pods", "D1, additional node pool", picker_has_a_cpu_pool}};

}  // namespace

std::span<const Rule> tpu_rules() { return kRules; }

}  // namespace deploy
