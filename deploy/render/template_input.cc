// What templates may refer to: the values, names, blocks that repeat (environment, picker configuration), flags.
#include <array>
#include <utility>

#include "core/text.h"
#include "deploy/render/costs.h"
#include "deploy/render/names.h"
#include "deploy/render/render.h"
#include "deploy/render/value_table.h"

namespace deploy {
namespace {

/// "2x2" -> "2,2,1": the bounds that PJRT wants, three dimensions.
std::string bounds_of(std::string_view topology) {
  std::string out;
  std::size_t sides = 0;
  for (const auto side : core::split(topology, 'x')) {
    out += (out.empty() ? "" : ",") + std::string(side);
    ++sides;
  }
  for (; sides < 3; ++sides) out += ",1";
  return out;
}

std::string tpu_env(const BundleValues& v) {
  const std::array<std::pair<std::string_view, std::string>, 5> variables{{{"PJRT_DEVICE", "TPU"},
                                                                          {"TPU_CHIPS_PER_HOST_BOUNDS", bounds_of(v.text("topology"))},
                                                                          {"TPU_HOST_BOUNDS", "1,1,1"},
                                                                          {"TPU_NUM_DEVICES", v.text("chips")},
                                                                          {"TPU_WORKER_ID", "0"}}};
  std::string out;
  for (const auto& [name, value] : variables) out += "- name: " + std::string(name) + "\n  value: \"" + value + "\"\n";
  return out + "- name: TPU_WORKER_HOSTNAMES\n  valueFrom:\n    fieldRef:\n      fieldPath: status.podIP";
}

/// The EndpointPickerConfig in the pin's dialect. Scorers of weight 0 are left out.
std::string picker_config(const BundleValues& v) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kScorers{
      {{"weights.prefix_cache", "prefix-cache-scorer"}, {"weights.kv_cache", "kv-cache-utilization-scorer"}, {"weights.queue", "queue-scorer"}}};
  std::string plugins, profile;
  for (const auto& [path, type] : kScorers) {
    if (v.number(path) <= 0) continue;
    plugins += "  - type: " + std::string(type) + "\n";
    profile += "      - pluginRef: " + std::string(type) + "\n        weight: " + v.text(path) + "\n";
  }
  const bool early = v.key.pin == Pin::kEarly2026;
  return "apiVersion: " + std::string(early ? "inference.networking.x-k8s.io/v1alpha1" : "llm-d.ai/v1alpha1") +
         "\nkind: EndpointPickerConfig\nplugins:\n" + plugins + "  - type: max-score-picker\n  - type: single-profile-handler\nschedulingProfiles:\n  - name: default\n    plugins:\n" +
         profile + "      - pluginRef: max-score-picker";
}

void add_image(const std::string& image, TemplateInput& out) {
  const auto slash = image.rfind('/');
  const auto colon = image.find(':', slash == std::string::npos ? 0 : slash);
  out.values["picker_image.registry"] = slash == std::string::npos ? "" : image.substr(0, slash);
  const auto from = slash == std::string::npos ? 0 : slash + 1;
  out.values["picker_image.name"] = image.substr(from, colon == std::string::npos ? colon : colon - from);
  out.values["picker_image.tag"] = colon == std::string::npos ? "" : image.substr(colon + 1);
}

void add_names(const BundleValues& v, const BundleNames& n, TemplateInput& out) {
  out.values["gateway"] = n.gateway;
  out.values["gateway_namespace"] = n.gateway_namespace;
  out.values["pool"] = n.pool;
  out.values["picker"] = n.picker;
  out.values["picker_service"] = n.picker_service;
  out.values["workload"] = n.workload;
  out.values["route"] = n.route;
  out.values["load"] = n.load;
  out.values["metrics_reader"] = n.metrics_reader;
  out.values["server_labels"] = n.server_labels;
  out.values["picker_label"] = n.picker_label;
  out.values["server_selector"] = n.server_selector;
  out.values["picker_selector"] = n.picker_selector;
  out.values["load_replicas"] = "kube:" + v.text("namespace") + "/" + n.server_selector + (v.flag("server_tls") ? ":https:8000" : ":8000");
}

/// Where the load finds the gateway: Istio names the Service after Gateway and class, others after the Gateway alone.
std::string load_target(const BundleValues& v, const BundleNames& n) {
  if (!v.text("load.target").empty()) return v.text("load.target");
  const std::string service = v.text("gateway_class") == "istio" ? n.gateway + "-istio" : n.gateway;
  std::string target = "http://" + service + "." + n.gateway_namespace + ".svc.cluster.local";
  if (v.key.variant == Variant::kIstioKserve) target += "/" + v.text("namespace") + "/" + v.text("service_name");
  return target;
}

void add_charts(const BundleValues& v, TemplateInput& out) {
  const bool early = v.key.pin == Pin::kEarly2026;
  out.values["charts.infra"] = "v1.3.6";
  out.values["charts.pool"] = early ? "oci://registry.k8s.io/gateway-api-inference-extension/charts/inferencepool" : "oci://ghcr.io/llm-d/charts/llm-d-router-gateway";
  out.values["charts.pool_version"] = early ? "v1.2.0" : "v0.10.0";
  out.values["charts.modelservice"] = early ? "v0.3.17" : "v0.4.12";
  out.values["versions.kserve"] = early ? "v0.16 (or the Open Data Hub fork v0.15)" : "v0.20";
  out.values["versions.kserve_api"] = early ? "v1alpha1" : "v1alpha2";
}

std::string pattern_words(int pattern) {
  if (pattern == 1) return "Pattern 1";
  return pattern == 2 ? "Pattern 2, a second model beside another pattern" : "Pattern 3, scale-out with prefix-aware routing";
}

void add_flags(const BundleValues& v, TemplateInput& out) {
  const auto set = [&](std::string_view flag, bool on) {
    if (on) out.flags.emplace(flag);
  };
  set("early", v.key.pin == Pin::kEarly2026);
  set("gke", v.key.variant == Variant::kGke);
  set("kserve", v.key.variant == Variant::kIstioKserve);
  set("plain", v.key.variant == Variant::kPlain);
  for (int pattern = 1; pattern <= 3; ++pattern) set("pattern" + std::to_string(pattern), v.key.pattern == pattern);
  set("istio", v.text("gateway_class") == "istio");
  set("host", !v.text("host").empty());
  set("pull_secret", !v.text("secrets.image_pull").empty());
  set("claim", !v.text("load.claim").empty());
  // GKE's default is a name to be replaced, and its rule for load balancers holds 80 and 443.
  const bool gke = v.key.variant == Variant::kGke;
  const auto port = port_of_url(v.text("load.target"));
  set("own_target", !port && !gke);
  set("other_target", port && !(gke && (*port == 80 || *port == 443)));
  set("strict_mtls", v.text("mtls") == "strict");
  set("hpa", v.flag("hpa.enabled"));
  set("budget", v.flag("disruption_budget"));
  set("dashboards", v.flag("dashboards"));
  set("load", v.flag("load.enabled"));
  set("google", v.text("monitoring") == "google");
  set("operator", v.text("monitoring") == "operator");
  // Only the plain bundle starts its picker with --metrics-endpoint-auth=false.
  set("picker_auth", v.key.variant != Variant::kPlain);
  set("monitored", v.text("monitoring") != "none");
  set("metrics_reader", v.text("monitoring") != "none" && v.key.variant != Variant::kPlain);
  for (const auto path : {"prefix_caching", "server_tls"}) set(path, v.flag(path));
}

/// Blocks that several files share, at different depths.
core::Status add_blocks(TemplateInput& out) {
  for (const auto& [key, path] : {std::pair{"egress_dns", "common/egress-dns.yaml"}, {"load_pod", "common/load-pod.yaml"}, {"load_container", "common/load-container.yaml"}, {"load_volumes", "common/load-volumes.yaml"}}) {
    auto text = expand(template_text(path), out, path, Syntax::kYaml);
    if (!text) return text.error();
    out.values[key] = *text;
    out.raw.emplace(key);
  }
  return {};
}

}  // namespace

core::Result<TemplateInput> template_input(const BundleValues& v) {
  TemplateInput out;
  for (const auto& [path, text] : v.all()) out.values[path] = text;
  out.raw = {"server_labels", "picker_label", "tpu_env", "picker_config", "resources", "target_port", "progress_deadline_s"};
  for (const auto& spec : value_specs()) {
    if (spec.kind == ValueKind::kInteger || spec.kind == ValueKind::kNumber || spec.kind == ValueKind::kFlag) out.raw.emplace(spec.path);
  }
  const BundleNames names = names_of(v);
  const auto replicas = v.integer("replicas");
  add_names(v, names, out);
  add_image(v.text("images.picker"), out);
  add_charts(v, out);
  add_flags(v, out);
  add_costs(v, out);
  out.values["pattern"] = std::to_string(v.key.pattern);
  out.values["variant"] = word_for(v.key.variant);
  out.values["pin"] = word_for(v.key.pin);
  out.values["pattern_words"] = pattern_words(v.key.pattern);
  out.values["replicas_words"] = v.flag("hpa.enabled") ? v.text("hpa.min_replicas") + " to " + v.text("hpa.max_replicas") + " replicas"
                                 : replicas == 1       ? "one replica"
                                                       : v.text("replicas") + " replicas";
  out.values["tpu_env"] = tpu_env(v);
  out.values["picker_config"] = picker_config(v);
  out.values["load_target"] = load_target(v, names);
  out.values["load_results"] = v.text("load.claim").empty() ? "an emptyDir, gone with the pod" : "the claim " + v.text("load.claim");
  out.values["apply"] = v.key.variant == Variant::kGke ? "RELEASE_NAME_POSTFIX=" + v.text("name") + " helmfile -e gke_tpu -n " + v.text("namespace") + " apply" : "kubectl apply -k .";
  out.values["manifests"] = v.key.variant == Variant::kGke ? "manifests/" : "";
  out.values["least_replicas"] = v.text(v.flag("hpa.enabled") ? "hpa.min_replicas" : "replicas");
  out.values["verify_pattern"] = v.key.pattern == 3 ? "3" : "1";
  out.values["target_port"] = std::to_string(port_of_url(v.text("load.target")).value_or(80));
  // The startup probe's 15 + 60 x 30 s, what a pod may take to stop before, and some for the image.
  out.values["progress_deadline_s"] = std::to_string(2100 + v.integer("max_generation_s"));
  out.values["sidecar"] = v.text("mtls") == "strict" ? "true" : "false";
  out.values["scheme"] = v.flag("server_tls") ? "HTTPS" : "HTTP";
  if (auto blocks = add_blocks(out); !blocks) return blocks.error();
  return out;
}

}  // namespace deploy
