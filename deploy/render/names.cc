// See names.h. Sources: charts llm-d-infra, inferencepool and llm-d-modelservice; KServe's llmisvc controller.
#include "deploy/render/names.h"

#include "deploy/render/scalar.h"

namespace deploy {
namespace {

std::string as_selector(const std::string& labels) {
  std::string out;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels.compare(i, 2, ": ") == 0) out.push_back('='), ++i;
    else if (labels[i] == '\n') out.push_back(',');
    else if (labels[i] != '"') out.push_back(labels[i]);
  }
  return out;
}

}  // namespace

BundleNames names_of(const BundleValues& v) {
  const std::string& name = v.text("name");
  BundleNames n;
  n.load = name + "-load";
  n.metrics_reader = name + "-metrics-reader";
  n.gateway_namespace = v.text("namespace");
  if (v.key.variant == Variant::kIstioKserve) {
    const std::string& service = v.text("service_name");
    n.gateway = v.text("gateway_name");
    n.gateway_namespace = v.text("gateway_namespace");
    n.pool = service + "-inference-pool";
    n.picker = service + "-kserve-router-scheduler";
    n.picker_service = service + "-epp-service";
    n.workload = service + "-kserve";
    n.route = service + "-kserve-route";
    n.server_labels = "app.kubernetes.io/name: " + yaml_string(service) + "\nkserve.io/component: workload";
    // router-scheduler alone is what the guides write; no pod has it.
    n.picker_label = "app.kubernetes.io/name: " + yaml_string(service) + "\napp.kubernetes.io/component: llminferenceservice-router-scheduler";
  } else {
    const bool gke = v.key.variant == Variant::kGke;
    n.gateway = gke ? "infra-" + name + "-inference-gateway" : name + "-gateway";
    n.pool = gke ? "gaie-" + name : name + "-pool";
    n.picker = n.pool + "-epp";
    n.picker_service = n.picker;
    n.workload = gke ? "ms-" + name + "-llm-d-modelservice-decode" : name + "-vllm";
    n.route = name + "-route";
    // The guides renamed the first label in chart v0.4.5; the second is what keeps patterns apart.
    const bool old_label = gke && v.key.pin == Pin::kEarly2026;
    n.server_labels = std::string(old_label ? "llm-d.ai/inferenceServing" : "llm-d.ai/inference-serving") + ": \"true\"\nrelease: " + yaml_string(name);
    // The chart that succeeded GIE's has a label of its own.
    n.picker_label = (gke && v.key.pin == Pin::kCurrent ? "llm-d-router-gateway: " : "inferencepool: ") + n.picker;
  }
  n.server_selector = as_selector(n.server_labels);
  n.picker_selector = as_selector(n.picker_label);
  return n;
}

}  // namespace deploy
