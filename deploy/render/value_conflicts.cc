// What of a bundle's values does not fit together. See values.h.
#include <array>
#include <cmath>
#include <utility>

#include "deploy/models.h"
#include "deploy/render/names.h"
#include "deploy/render/values.h"
#include "deploy/tpu.h"

namespace deploy {
namespace {

std::string count(std::int64_t n) { return std::to_string(n); }

void chips_fit(const BundleValues& v, std::vector<ValueConflict>& out) {
  const auto chips = v.integer("chips");
  const auto by_topology = chips_of_topology(v.text("topology"));
  const auto by_machine = chips_of_machine(v.text("node_pool.machine_type"));
  if (by_topology && *by_topology != chips) {
    out.push_back({"topology", "topology " + v.text("topology") + " has " + count(*by_topology) + " chips, chips says " + count(chips), "4 chips are 2x2, 8 are 2x4"});
  }
  if (!by_machine) out.push_back({"node_pool.machine_type", "machine type " + v.text("node_pool.machine_type") + " is no TPU machine", "ct6e-standard-4t has 4 chips, ct6e-standard-8t 8"});
  else if (*by_machine != chips) {
    out.push_back({"chips", "a replica asks for " + count(chips) + " chips, a " + v.text("node_pool.machine_type") + " has " + count(*by_machine), "GKE admits all of a host's chips or none"});
  }
}

/// The accelerator label that nodes of a machine type carry; empty: of a type that is not known here.
std::string_view accelerator_of(std::string_view machine) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kLabels{
      {{"ct6e-", "tpu-v6e-slice"}, {"ct5lp-", "tpu-v5-lite-podslice"}, {"ct5p-", "tpu-v5p-slice"}, {"ct4p-", "tpu-v4-podslice"}}};
  for (const auto& [prefix, label] : kLabels) {
    if (machine.rfind(prefix, 0) == 0) return label;
  }
  return {};
}

void accelerator_is_the_machines(const BundleValues& v, std::vector<ValueConflict>& out) {
  const std::string& accelerator = v.text("accelerator");
  const std::string& machine = v.text("node_pool.machine_type");
  const std::string label(accelerator_of(machine));
  if (accelerator.rfind("tpu", 0) != 0) out.push_back({"accelerator", "accelerator " + accelerator + " is no TPU", label.empty() ? "tpu-v6e-slice on ct6e machines" : label});
  else if (!label.empty() && accelerator != label) out.push_back({"accelerator", "accelerator " + accelerator + " is not what a " + machine + " has", label});
}

void pool_has_room(const BundleValues& v, std::vector<ValueConflict>& out) {
  const bool hpa = v.flag("hpa.enabled");
  const auto replicas = hpa ? v.integer("hpa.max_replicas") : v.integer("replicas");
  const auto elsewhere = v.integer("node_pool.used_elsewhere"), nodes = v.integer("node_pool.max_nodes");
  if (replicas + elsewhere > nodes) {
    out.push_back({hpa ? "hpa.max_replicas" : "replicas", count(replicas) + " replicas and " + count(elsewhere) + " nodes used elsewhere do not fit on " + count(nodes) + " nodes",
                   "raise node_pool.max_nodes, or lower one of the others"});
  }
}

void pattern_is_kept(const BundleValues& v, std::vector<ValueConflict>& out) {
  const auto replicas = v.integer("replicas");
  if (v.key.pattern == 1 && replicas != 1) out.push_back({"replicas", "Pattern 1 is one replica, not " + count(replicas), "render Pattern 3 for more"});
  if (v.key.pattern == 3 && replicas < 2 && !v.flag("hpa.enabled")) out.push_back({"replicas", "Pattern 3 with one replica routes nothing", "render Pattern 1 for one replica"});
  if (v.key.pattern == 3 && v.number("weights.prefix_cache") <= 0) out.push_back({"weights.prefix_cache", "Pattern 3 without a prefix weight spreads by load alone", "3 beside 2 and 2 is the usual blend"});
  if (v.key.pattern == 3 && !v.flag("prefix_caching")) out.push_back({"prefix_caching", "Pattern 3 routes by prefixes that the replicas would not cache", "true"});
}

void weights_load(const BundleValues& v, std::vector<ValueConflict>& out) {
  double sum = 0;
  for (const auto path : {"weights.prefix_cache", "weights.kv_cache", "weights.queue"}) {
    sum += v.number(path);
    if (v.key.pin == Pin::kEarly2026 && v.number(path) != std::floor(v.number(path))) {
      out.push_back({path, std::string(path) + " is " + v.text(path) + ": pickers of early-2026 read whole numbers and abort otherwise", "a whole number"});
    }
  }
  if (sum <= 0) out.push_back({"weights.prefix_cache", "all weights are 0: every endpoint is as good as any", "give one of them a weight"});
}

void model_fits(const BundleValues& v, std::vector<ValueConflict>& out) {
  const std::string& model = v.text("model.name");
  const auto known = facts_of(model);
  if (known && v.integer("model.max_model_len") > known->longest_context_tokens) {
    out.push_back({"model.max_model_len", "model.max_model_len " + v.text("model.max_model_len") + " is more than " + model + " has: it ends at " + count(known->longest_context_tokens), count(known->longest_context_tokens) + " at most"});
  }
  if (const auto fault = split_fault(model, v.integer("chips")); fault.fatal) out.push_back({"model.name", fault.message, "Qwen/Qwen2.5-3B-Instruct divides by 4"});
}

void places_fit(const BundleValues& v, std::vector<ValueConflict>& out) {
  const std::string& region = v.text("region");
  const std::string& zone = v.text("zone");
  // The rest is a letter, or as in us-central1-ai1a more than that.
  const bool inside = zone.size() > region.size() + 1 && zone.rfind(region + "-", 0) == 0 && zone.find('-', region.size() + 1) == std::string::npos;
  if (!inside) {
    out.push_back({"region", "zone " + zone + " is not in region " + region, "europe-west4-a is in europe-west4"});
  }
}

void class_serves_pools(const BundleValues& v, std::vector<ValueConflict>& out) {
  const std::string& name = v.text("gateway_class");
  const bool gke_class = name.rfind("gke-", 0) == 0;
  if (v.key.variant == Variant::kGke && name != "gke-l7-regional-external-managed" && name != "gke-l7-rilb") {
    out.push_back({"gateway_class", "class " + name + " serves no InferencePools on GKE", "gke-l7-regional-external-managed or gke-l7-rilb"});
  }
  if (v.key.variant == Variant::kIstioKserve && name != "istio") out.push_back({"gateway_class", "class " + name + " under Istio", "istio"});
  if (v.key.variant == Variant::kPlain && gke_class) out.push_back({"gateway_class", "class " + name + " needs GKE's policies", "render the variant gke"});
  if (v.key.variant == Variant::kPlain && v.text("mtls") == "strict" && name != "istio") out.push_back({"mtls", "mtls strict is Istio's, the gateway's class is " + name, "permissive, or gateway_class: istio"});
}

void names_fit(const BundleValues& v, std::vector<ValueConflict>& out) {
  if (v.text("service_name").size() > 29) out.push_back({"service_name", "service_name has more than 29 characters: the controller would hash its children's names", "a shorter name"});
  const BundleNames names = names_of(v);
  for (const auto& name : {names.gateway, names.pool, names.picker, names.workload, names.route, names.load + "-verify", names.metrics_reader}) {
    if (name.size() > 63) {
      out.push_back({"name", "the derived name " + name + " has " + std::to_string(name.size()) + " characters, 63 are allowed", "a shorter name"});
      return;
    }
  }
}

/// DNS-1035, which the API server still asks of Services: the bundle's own, and those that controllers make of its names.
void services_begin_with_a_letter(const BundleValues& v, std::vector<ValueConflict>& out) {
  const BundleNames names = names_of(v);
  const auto check = [&](const char* path, const std::string& service) {
    if (service.front() < '0' || service.front() > '9') return;
    out.push_back({path, std::string(path) + " makes the Service " + service + ": Kubernetes takes no Service that begins with a digit", "begin it with a letter"});
  };
  if (v.key.variant == Variant::kPlain) check("name", names.picker_service);
  if (v.key.variant != Variant::kIstioKserve) return;
  check("service_name", names.picker_service);
  check("gateway_name", names.gateway + "-istio");
}

}  // namespace

std::vector<ValueConflict> conflicts_of(const BundleValues& values) {
  std::vector<ValueConflict> out;
  for (const auto check : {chips_fit, accelerator_is_the_machines, pool_has_room, pattern_is_kept, weights_load, model_fits, places_fit, class_serves_pools, names_fit, services_begin_with_a_letter}) check(values, out);
  if (values.flag("hpa.enabled") && values.integer("hpa.min_replicas") > values.integer("hpa.max_replicas")) {
    out.push_back({"hpa.min_replicas", "hpa.min_replicas is above hpa.max_replicas", "lower it"});
  }
  if (values.integer("load.deadline_s") <= values.integer("load.duration_s")) {
    out.push_back({"load.deadline_s", "load.deadline_s ends the load before load.duration_s is over", "leave minutes for start and drain"});
  }
  return out;
}

}  // namespace deploy
