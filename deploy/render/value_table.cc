// Every key of the values file: kind, bounds, default, comment. The order is the file's. What values may be: value_faults.cc.
#include "deploy/render/value_table.h"

#include <algorithm>
#include <array>

namespace deploy {
namespace {

std::string name_default(const BundleKey& k) { return "pattern" + std::to_string(k.pattern); }
std::string service_default(const BundleKey& k) { return (k.pattern == 2 ? "phi3-mini-pattern" : "qwen2-3b-pattern") + std::to_string(k.pattern); }
std::string model_default(const BundleKey& k) { return k.pattern == 2 ? "microsoft/Phi-3-mini-4k-instruct" : "Qwen/Qwen2.5-3B-Instruct"; }
std::string cache_default(const BundleKey& k) { return k.pattern == 2 ? "20Gi" : "15Gi"; }
std::string replicas_default(const BundleKey& k) { return k.pattern == 3 ? "3" : "1"; }
std::string elsewhere_default(const BundleKey& k) { return k.pattern == 1 ? "0" : k.pattern == 2 ? "3" : "1"; }
std::string class_default(const BundleKey& k) { return k.variant == Variant::kGke ? "gke-l7-regional-external-managed" : "istio"; }
std::string token_default(const BundleKey& k) { return k.variant == Variant::kIstioKserve ? "hf-token" : "huggingface-token"; }
std::string pull_default(const BundleKey& k) { return k.variant == Variant::kIstioKserve ? "redhat-registry" : ""; }
std::string monitoring_default(const BundleKey& k) { return k.variant == Variant::kGke ? "google" : "operator"; }
std::string max_replicas_default(const BundleKey& k) { return k.pattern == 3 ? "3" : "1"; }

std::string vllm_default(const BundleKey& k) {
  if (k.variant == Variant::kIstioKserve) return "registry.redhat.io/rhaiis/vllm-tpu-rhel9:3.2.5";
  return k.pin == Pin::kEarly2026 ? "vllm/vllm-tpu:v0.11.1" : "vllm/vllm-tpu:v0.12.0";
}

std::string picker_default(const BundleKey& k) {
  if (k.pin == Pin::kCurrent) return "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0";
  return k.variant == Variant::kGke ? "ghcr.io/llm-d/llm-d-inference-scheduler:v0.4.0" : "registry.k8s.io/gateway-api-inference-extension/epp:v1.3.1";
}

std::string target_default(const BundleKey& k) {
  // An address that never resolves: the load fails at once, with this name in its message.
  return k.variant == Variant::kGke ? "http://set-load-target-in-values.invalid" : "";
}

constexpr std::array kSpecs{
    ValueSpec{.path = "name", .kind = ValueKind::kName, .note = "of the release: RELEASE_NAME_POSTFIX, and part of every object's name", .initial = name_default},
    ValueSpec{.path = "service_name", .kind = ValueKind::kName, .note = "of the LLMInferenceService; at most 29 characters, else the names of its children are hashed", .initial = service_default, .variants = kKserveOnly},
    ValueSpec{.path = "namespace", .kind = ValueKind::kName, .note = "of everything, secrets included", .constant = "llm-d-inference-scheduling"},
    ValueSpec{.path = "gateway_namespace", .kind = ValueKind::kName, .note = "where the shared Gateway is", .constant = "opendatahub", .variants = kKserveOnly},
    ValueSpec{.path = "gateway_name", .kind = ValueKind::kName, .note = "the controller must know it as its ingress gateway", .constant = "inference-gateway", .variants = kKserveOnly},
    ValueSpec{.path = "gateway_class", .kind = ValueKind::kSubdomain, .note = "must support InferencePool v1; on GKE one of the two regional classes", .initial = class_default},
    ValueSpec{.path = "host", .kind = ValueKind::kHost, .note = "host name of the route; empty: any", .may_be_empty = true, .variants = kGkeOnly | kPlainOnly},
    ValueSpec{.path = "model.name", .kind = ValueKind::kModel, .note = "on the model hub, and as clients ask for it", .initial = model_default},
    ValueSpec{.path = "model.max_model_len", .kind = ValueKind::kInteger, .note = "tokens of prompt and answer together", .constant = "2048", .least = 16, .most = 10'000'000},
    ValueSpec{.path = "model.cache_size", .kind = ValueKind::kMemory, .note = "room for the download, per replica", .initial = cache_default, .variants = kGkeOnly | kPlainOnly},
    ValueSpec{.path = "replicas", .kind = ValueKind::kInteger, .note = "one TPU node each", .initial = replicas_default, .least = 1, .most = 1000},
    ValueSpec{.path = "prefix_caching", .kind = ValueKind::kFlag, .note = "vLLM's own; a baseline without a cache needs false", .constant = "true"},
    ValueSpec{.path = "chips", .kind = ValueKind::kInteger, .note = "per replica: all of a host's, GKE admits no part", .constant = "4", .least = 1, .most = 8},
    ValueSpec{.path = "topology", .kind = ValueKind::kTopology, .note = "2x2 is 4 chips, 2x4 is 8", .constant = "2x2"},
    ValueSpec{.path = "accelerator", .kind = ValueKind::kName, .constant = "tpu-v6e-slice"},
    ValueSpec{.path = "max_generation_s", .kind = ValueKind::kInteger, .note = "longest answer; gateways cut later, and pods wait so long when they stop", .constant = "300", .least = 60, .most = 86'400},
    ValueSpec{.path = "cluster", .kind = ValueKind::kName, .note = "for the runbook's commands", .constant = "tpu-cluster"},
    ValueSpec{.path = "project", .kind = ValueKind::kProject, .constant = "my-project"},
    ValueSpec{.path = "region", .kind = ValueKind::kName, .note = "of the proxy-only subnet", .constant = "europe-west4"},
    ValueSpec{.path = "zone", .kind = ValueKind::kName, .note = "of cluster and node pools", .constant = "europe-west4-a"},
    ValueSpec{.path = "node_pool.name", .kind = ValueKind::kName, .constant = "tpu-v6e-pool"},
    ValueSpec{.path = "node_pool.machine_type", .kind = ValueKind::kName, .constant = "ct6e-standard-4t"},
    ValueSpec{.path = "node_pool.max_nodes", .kind = ValueKind::kInteger, .note = "its largest size, which the quota must allow", .constant = "4", .least = 1, .most = 1000},
    ValueSpec{.path = "node_pool.used_elsewhere", .kind = ValueKind::kInteger, .note = "nodes that other patterns on this pool take", .initial = elsewhere_default, .most = 1000},
    ValueSpec{.path = "cpu_pool.name", .kind = ValueKind::kName, .note = "picker, gateway and load run here: TPU nodes are tainted", .constant = "default-pool"},
    ValueSpec{.path = "cpu_pool.nodes", .kind = ValueKind::kInteger, .constant = "1", .least = 1, .most = 1000},
    ValueSpec{.path = "images.vllm", .kind = ValueKind::kImage, .initial = vllm_default},
    ValueSpec{.path = "images.picker", .kind = ValueKind::kImage, .note = "its version must fit the configuration's dialect", .initial = picker_default, .variants = kGkeOnly | kPlainOnly},
    ValueSpec{.path = "images.gatebench", .kind = ValueKind::kImage, .note = "for the load; build and push it first", .constant = "registry.example.com/gatebench:0.1.0"},
    ValueSpec{.path = "vllm.cpu", .kind = ValueKind::kCpu, .note = "requested per replica", .constant = "16"},
    ValueSpec{.path = "vllm.memory", .kind = ValueKind::kMemory, .note = "requested, and the limit; the host's RAM, not the chips'", .constant = "64Gi"},
    ValueSpec{.path = "picker.cpu", .kind = ValueKind::kCpu, .constant = "2"},
    ValueSpec{.path = "picker.memory", .kind = ValueKind::kMemory, .constant = "4Gi"},
    ValueSpec{.path = "weights.prefix_cache", .kind = ValueKind::kNumber, .note = "of the scorers; 0 leaves one out. Whole numbers for early-2026", .constant = "3", .most = 1000},
    ValueSpec{.path = "weights.kv_cache", .kind = ValueKind::kNumber, .constant = "2", .most = 1000},
    ValueSpec{.path = "weights.queue", .kind = ValueKind::kNumber, .constant = "2", .most = 1000},
    ValueSpec{.path = "secrets.hf_token", .kind = ValueKind::kSubdomain, .note = "made by hand, with the keys HF_TOKEN and token", .initial = token_default},
    ValueSpec{.path = "secrets.image_pull", .kind = ValueKind::kSubdomain, .note = "of a registry that asks for one; empty: none", .initial = pull_default, .may_be_empty = true},
    ValueSpec{.path = "server_tls", .kind = ValueKind::kFlag, .note = "HTTPS on 8000, as the presets of the Open Data Hub fork serve; upstream's serve HTTP", .constant = "false", .variants = kKserveOnly},
    ValueSpec{.path = "mtls", .kind = ValueKind::kChoice, .note = "strict needs sidecars everywhere: see peerauthentication.yaml", .constant = "permissive", .choices = "permissive|strict", .variants = kKserveOnly | kPlainOnly},
    ValueSpec{.path = "disruption_budget", .kind = ValueKind::kFlag, .note = "node upgrades take one replica at a time", .constant = "true"},
    ValueSpec{.path = "monitoring", .kind = ValueKind::kChoice, .note = "google: PodMonitoring; operator: PodMonitor", .initial = monitoring_default, .choices = "google|operator|none"},
    ValueSpec{.path = "monitoring_namespace", .kind = ValueKind::kName, .note = "whose pods may read metrics", .constant = "monitoring", .variants = kKserveOnly},
    ValueSpec{.path = "dashboards", .kind = ValueKind::kFlag, .note = "Grafana, as ConfigMaps", .constant = "true"},
    ValueSpec{.path = "hpa.enabled", .kind = ValueKind::kFlag, .note = "then replicas is not stated", .constant = "false", .variants = kPlainOnly},
    ValueSpec{.path = "hpa.min_replicas", .kind = ValueKind::kInteger, .constant = "1", .least = 1, .most = 1000, .variants = kPlainOnly},
    ValueSpec{.path = "hpa.max_replicas", .kind = ValueKind::kInteger, .initial = max_replicas_default, .least = 1, .most = 1000, .variants = kPlainOnly},
    ValueSpec{.path = "hpa.waiting_per_replica", .kind = ValueKind::kInteger, .note = "waiting requests that are worth another replica", .constant = "5", .least = 1, .most = 100'000, .variants = kPlainOnly},
    ValueSpec{.path = "load.enabled", .kind = ValueKind::kFlag, .note = "Job and CronJob in load/, applied by hand", .constant = "true"},
    ValueSpec{.path = "load.target", .kind = ValueKind::kUrl, .note = "the gateway, as pods reach it; empty: its Service", .initial = target_default, .may_be_empty = true},
    ValueSpec{.path = "load.scenario", .kind = ValueKind::kName, .constant = "shared-prefix"},
    ValueSpec{.path = "load.concurrency", .kind = ValueKind::kInteger, .note = "requests in flight", .constant = "16", .least = 1, .most = 10'000},
    ValueSpec{.path = "load.duration_s", .kind = ValueKind::kInteger, .constant = "60", .least = 1, .most = 86'400},
    ValueSpec{.path = "load.deadline_s", .kind = ValueKind::kInteger, .note = "after which Kubernetes ends it", .constant = "1800", .least = 60, .most = 172'800},
    ValueSpec{.path = "load.schedule", .kind = ValueKind::kSchedule, .note = "of the CronJob, which starts suspended", .constant = "0 3 * * *"},
    ValueSpec{.path = "load.claim", .kind = ValueKind::kSubdomain, .note = "PersistentVolumeClaim for stores and reports; empty: gone with the pod", .may_be_empty = true},
    ValueSpec{.path = "prices.chip_hour_usd", .kind = ValueKind::kNumber, .note = "per TPU chip and hour; look up yours: contracts differ by 2 and more", .constant = "1.25", .most = 10'000},
    ValueSpec{.path = "prices.cpu_node_hour_usd", .kind = ValueKind::kNumber, .constant = "0.12", .most = 10'000},
    ValueSpec{.path = "prices.fixed_hour_usd", .kind = ValueKind::kNumber, .note = "load balancer, control plane, disks: billed at zero replicas too", .constant = "0.13", .most = 10'000}};

}  // namespace

std::span<const ValueSpec> value_specs() { return kSpecs; }

const ValueSpec* find_spec(std::string_view path) {
  const auto* const at = std::find_if(kSpecs.begin(), kSpecs.end(), [&](const ValueSpec& s) { return s.path == path; });
  return at == kSpecs.end() ? nullptr : at;
}

bool applies(const ValueSpec& spec, Variant variant) {
  const unsigned bit = variant == Variant::kGke ? kGkeOnly : variant == Variant::kIstioKserve ? kKserveOnly : kPlainOnly;
  return (spec.variants & bit) != 0;
}

std::string default_of(const ValueSpec& spec, const BundleKey& key) {
  return spec.initial != nullptr ? spec.initial(key) : std::string(spec.constant);
}

}  // namespace deploy
