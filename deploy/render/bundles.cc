// Which template becomes which file of a bundle, and when. See render.h.
#include <algorithm>
#include <array>

#include "deploy/render/render.h"

namespace deploy {
namespace {

/// Where a file is listed: in the kustomization of manifests, of the load, or in none.
enum class Listed : std::uint8_t { kNone, kRoot, kLoad };

struct BundleFile {
  std::string_view source, target;   ///< target may hold @keys@; below the manifests' folder where it is listed
  Listed listed = Listed::kRoot;
  std::string_view when = {};        ///< a flag that must be set; empty: always
  std::string_view unless = {};
};

constexpr std::array kGke{
    BundleFile{"gke/helmfile.yaml.gotmpl", "helmfile.yaml.gotmpl", Listed::kNone},
    BundleFile{"gke/infra-values.yaml", "infra-values.yaml", Listed::kNone},
    BundleFile{"gke/gaie-values-early.yaml", "gaie-values.yaml", Listed::kNone, "early"},
    BundleFile{"gke/gaie-values-current.yaml", "gaie-values.yaml", Listed::kNone, "", "early"},
    BundleFile{"gke/values_tpu.yaml", "ms/values_tpu.yaml", Listed::kNone},
    BundleFile{"gke/overrides.yaml", "ms/@name@-tpu-overrides.yaml", Listed::kNone},
    BundleFile{"plain/httproute.yaml", "httproute.yaml"},
    BundleFile{"gke/policies.yaml", "policies.yaml"}};

constexpr std::array kKserve{
    BundleFile{"istio-kserve/gateway.yaml", "gateway.yaml"},
    BundleFile{"istio-kserve/llminferenceservice.yaml", "llminferenceservice.yaml"},
    BundleFile{"istio-kserve/networkpolicies.yaml", "networkpolicies.yaml"},
    BundleFile{"plain/peerauthentication.yaml", "peerauthentication.yaml", Listed::kRoot, "strict_mtls"}};

constexpr std::array kPlain{
    BundleFile{"plain/gateway.yaml", "gateway.yaml"},
    BundleFile{"plain/inferencepool.yaml", "inferencepool.yaml"},
    BundleFile{"plain/httproute.yaml", "httproute.yaml"},
    BundleFile{"plain/picker.yaml", "picker.yaml"},
    BundleFile{"plain/picker-rbac.yaml", "picker-rbac.yaml"},
    BundleFile{"plain/destinationrule.yaml", "destinationrule.yaml", Listed::kRoot, "istio"},
    BundleFile{"plain/vllm.yaml", "vllm.yaml"},
    BundleFile{"plain/hpa.yaml", "hpa.yaml", Listed::kRoot, "hpa"},
    BundleFile{"plain/peerauthentication.yaml", "peerauthentication.yaml", Listed::kRoot, "strict_mtls"}};

constexpr std::array kCommon{
    BundleFile{"common/namespace.yaml", "namespace.yaml"},
    BundleFile{"common/disruption-budget.yaml", "disruption-budget.yaml", Listed::kRoot, "budget"},
    BundleFile{"common/podmonitoring.yaml", "monitoring.yaml", Listed::kRoot, "google"},
    BundleFile{"common/podmonitor.yaml", "monitoring.yaml", Listed::kRoot, "operator"},
    BundleFile{"common/metrics-reader.yaml", "metrics-reader.yaml", Listed::kRoot, "metrics_reader"},
    BundleFile{"common/dashboard-vllm.yaml", "dashboard-vllm.yaml", Listed::kRoot, "dashboards"},
    BundleFile{"common/dashboard-picker.yaml", "dashboard-picker.yaml", Listed::kRoot, "dashboards"},
    BundleFile{"common/dashboard-gatebench.yaml", "dashboard-gatebench.yaml", Listed::kRoot, "dashboards"},
    BundleFile{"common/load-access.yaml", "access.yaml", Listed::kLoad, "load"},
    BundleFile{"common/load-verify.yaml", "verify-job.yaml", Listed::kLoad, "load"},
    BundleFile{"common/load-run.yaml", "run-cronjob.yaml", Listed::kLoad, "load"}};

std::vector<BundleFile> files_of(Variant variant) {
  std::vector<BundleFile> out;
  const auto add = [&](const auto& files) { out.insert(out.end(), files.begin(), files.end()); };
  if (variant == Variant::kGke) add(kGke);
  else if (variant == Variant::kIstioKserve) add(kKserve);
  else add(kPlain);
  add(kCommon);
  return out;
}

/// The objects that others need come first, so that one apply suffices.
void order(std::vector<std::string>& resources) {
  const auto rank = [](const std::string& name) { return name == "namespace.yaml" ? 0 : name == "gateway.yaml" ? 1 : 2; };
  std::stable_sort(resources.begin(), resources.end(), [&](const std::string& a, const std::string& b) { return std::pair(rank(a), a) < std::pair(rank(b), b); });
}

std::string as_list(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "- " : "\n- ") + name;
  return out;
}

struct Rendering {
  TemplateInput input;
  std::string head;                  ///< first line of each file
  std::vector<SourceFile> files;
  std::vector<std::string> root, load;
};

core::Status add(const BundleFile& file, const std::string& folder, Rendering& r) {
  if (!file.when.empty() && r.input.flags.count(file.when) == 0) return {};
  if (!file.unless.empty() && r.input.flags.count(file.unless) != 0) return {};
  auto name = expand(file.target, r.input, file.target);
  auto text = expand(template_text(file.source), r.input, file.source, Syntax::kYaml);
  if (!name) return name.error();
  if (!text) return text.error();
  name->pop_back();  // expand() ends each line
  std::string path = *name;
  if (file.listed == Listed::kRoot) r.root.push_back(*name), path = folder + *name;
  if (file.listed == Listed::kLoad) r.load.push_back(*name), path = folder + "load/" + *name;
  r.files.push_back({path, r.head + *text});
  return {};
}

core::Status add_kustomization(const std::vector<std::string>& resources, const std::string& path, Rendering& r) {
  r.input.values["resources"] = as_list(resources);
  auto text = expand(template_text("common/kustomization.yaml"), r.input, path, Syntax::kYaml);
  if (!text) return text.error();
  r.files.push_back({path, r.head + *text});
  return {};
}

}  // namespace

core::Result<std::vector<SourceFile>> render_bundle(const BundleValues& values) {
  auto input = template_input(values);
  if (!input) return input.error();
  Rendering r{*input, {}, {}, {}, {}};
  r.head = "# Rendered by gatebench deploy render (Pattern " + std::to_string(values.key.pattern) + ", " + std::string(word_for(values.key.variant)) + ", " +
           std::string(word_for(values.key.pin)) + "). Change values.yaml and render again.\n";
  const std::string folder = values.key.variant == Variant::kGke ? "manifests/" : "";
  for (const auto& file : files_of(values.key.variant)) {
    if (auto added = add(file, folder, r); !added) return added.error();
  }
  order(r.root);
  if (auto done = add_kustomization(r.root, folder + "kustomization.yaml", r); !done) return done.error();
  if (!r.load.empty()) {
    if (auto done = add_kustomization(r.load, folder + "load/kustomization.yaml", r); !done) return done.error();
  }
  auto readme = expand(template_text("readme.md"), r.input, "readme.md");
  if (!readme) return readme.error();
  r.files.push_back({"README.md", *readme});
  r.files.push_back({"values.yaml", print_values(values)});
  std::sort(r.files.begin(), r.files.end(), [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  return r.files;
}

core::Result<std::string> render_runbook(const BundleValues& values) {
  auto input = template_input(values);
  if (!input) return input.error();
  return expand(template_text("runbook.md"), *input, "runbook.md");
}

std::vector<BundleLine> bundle_lines() {
  std::vector<BundleLine> out;
  for (const Variant variant : {Variant::kGke, Variant::kIstioKserve, Variant::kPlain}) {
    for (int pattern = 1; pattern <= 3; ++pattern) {
      for (const Pin pin : {Pin::kEarly2026, Pin::kCurrent}) {
        const bool early = pin == Pin::kEarly2026;
        std::string about = pattern == 1 ? "one replica" : pattern == 2 ? "a second model beside another pattern" : "three replicas, prefix-aware";
        about += variant == Variant::kGke           ? std::string("; llm-d charts on GKE Gateway, picker ") + (early ? "inference-scheduler v0.4.0" : "router v0.10.0")
                 : variant == Variant::kIstioKserve ? std::string("; LLMInferenceService ") + (early ? "v1alpha1, KServe v0.16" : "v1alpha2, KServe v0.20") + ", on Istio"
                                                    : std::string("; Deployments and InferencePool v1, picker ") + (early ? "GIE v1.3.1" : "router v0.10.0");
        out.push_back({{pattern, variant, pin}, about});
      }
    }
  }
  return out;
}

}  // namespace deploy
