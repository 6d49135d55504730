// See values.h.
#include "deploy/values.h"

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "core/text.h"
#include "deploy/tpu.h"

namespace deploy {
namespace {

/// One key of the file: where it goes, what may stand there, and the comment beside it.
struct Key {
  std::string_view path, comment;
  std::function<std::string(const DeployValues&)> get;
  std::function<std::string(DeployValues&, const Node&)> set;  ///< what is wrong; empty: taken
};

Key text(std::string_view path, std::string DeployValues::*member, std::string_view comment, bool may_be_empty = false) {
  return {path, comment, [member](const DeployValues& v) { return "\"" + v.*member + "\""; },
          [member, may_be_empty](DeployValues& v, const Node& node) -> std::string {
            if (!node.is_string() || node.text.size() > 253 || node.text.find_first_of("\"\\\n") != std::string::npos) return "must be a plain string";
            if (node.text.empty() && !may_be_empty) return "must not be empty";
            v.*member = node.text;
            return {};
          }};
}

Key count(std::string_view path, std::int64_t DeployValues::*member, std::int64_t low, std::int64_t high, std::string_view comment) {
  return {path, comment, [member](const DeployValues& v) { return std::to_string(v.*member); },
          [member, low, high](DeployValues& v, const Node& node) -> std::string {
            const auto value = node.kind == NodeKind::kInteger ? node.integer() : std::nullopt;
            if (!value || *value < low || *value > high) return "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high);
            v.*member = *value;
            return {};
          }};
}

std::string short_number(double value) {
  std::string out = std::to_string(value);
  while (out.back() == '0') out.pop_back();
  return out.back() == '.' ? out + "0" : out;
}

Key price(std::string_view path, double DeployValues::*member, std::string_view comment) {
  return {path, comment, [member](const DeployValues& v) { return short_number(v.*member); },
          [member](DeployValues& v, const Node& node) -> std::string {
            const auto value = node.is_string() ? std::nullopt : node.number();
            if (!value || *value < 0 || *value > 1e6) return "must be a price, 0 or more";
            v.*member = *value;
            return {};
          }};
}

Key flag(std::string_view path, bool DeployValues::*member, std::string_view comment) {
  return {path, comment, [member](const DeployValues& v) { return std::string(v.*member ? "true" : "false"); },
          [member](DeployValues& v, const Node& node) -> std::string {
            if (node.kind != NodeKind::kBool) return "must be true or false";
            v.*member = node.to_bool();
            return {};
          }};
}

const std::vector<Key>& keys() {
  using V = DeployValues;
  static const std::vector<Key> kKeys{
      text("name", &V::name, "names of all objects carry it; unique in the namespace"),
      text("namespace", &V::name_space, "one for all objects, the secret included"),
      text("model", &V::model, "as Hugging Face names it"),
      text("served_name", &V::served_name, "what clients ask for"),
      count("replicas", &V::replicas, 0, 1000, "each takes all chips of a node"),
      count("chips", &V::chips, 1, 256, "per replica: all of the topology"),
      count("max_model_len", &V::max_model_len, 16, 10'000'000, "prompt and answer together, in tokens"),
      text("accelerator", &V::accelerator, "label cloud.google.com/gke-tpu-accelerator"),
      text("topology", &V::topology, "label cloud.google.com/gke-tpu-topology"),
      text("node_pool.name", &V::pool_name, ""),
      text("node_pool.machine_type", &V::machine_type, ""),
      count("node_pool.max_nodes", &V::max_nodes, 0, 10'000, "Pattern 3 beside Pattern 2 needs 4"),
      count("cpu_pool.nodes", &V::cpu_nodes, 0, 10'000, "for picker and gateway: TPU nodes are tainted"),
      text("zone", &V::zone, ""),
      text("region", &V::region, "of the zone; subnets want this one"),
      text("gateway.class", &V::gateway_class, ""),
      text("gateway.host", &V::host, "empty: any host", true),
      text("images.server", &V::server_image, ""),
      text("images.picker", &V::picker_image, ""),
      text("images.load", &V::load_image, "gatebench itself, for load from inside"),
      count("weights.prefix", &V::prefix_weight, 0, 1000, ""),
      count("weights.queue", &V::queue_weight, 0, 1000, ""),
      count("weights.kv", &V::kv_weight, 0, 1000, ""),
      text("token_secret", &V::token_secret, "holds the keys token and HF_TOKEN; made by hand"),
      price("prices.chip_usd_per_hour", &V::chip_usd_per_hour, ""),
      price("prices.cpu_node_usd_per_hour", &V::cpu_node_usd_per_hour, ""),
      flag("with.disruption_budget", &V::disruption_budget, ""),
      flag("with.monitoring", &V::monitoring, ""),
      flag("with.load_job", &V::load_job, "")};
  return kKeys;
}

const Key* key_of(std::string_view path) {
  const auto at = std::find_if(keys().begin(), keys().end(), [&](const Key& k) { return k.path == path; });
  return at == keys().end() ? nullptr : &*at;
}

class Reader {
 public:
  Reader(DeployValues& values, std::string_view file) : values_(values), file_(file) {}

  void read(const Node& node, const std::string& prefix) {
    for (const auto& member : node.members) {
      const std::string path = prefix + member.key;
      if (prefix.empty() && (member.key == "pattern" || member.key == "variant" || member.key == "pin")) {
        check_choice(member);
        continue;
      }
      const Key* key = key_of(path);
      const bool group = std::any_of(keys().begin(), keys().end(), [&](const Key& k) { return k.path.rfind(path + ".", 0) == 0; });
      if (key != nullptr) {
        if (const auto wrong = key->set(values_, member.value); !wrong.empty()) problem(member.value.at, path + " " + wrong);
      } else if (group && member.value.is_map()) {
        read(member.value, path + ".");
      } else {
        unknown(member, path);
      }
    }
  }

  void problem(Position at, const std::string& message) {
    errors_ += (errors_.empty() ? "" : "\n") + std::string(file_) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + message;
  }
  [[nodiscard]] const std::string& errors() const { return errors_; }

 private:
  /// They name the file's own bundle; another one asked for is a mistake worth a word.
  void check_choice(const Member& member) {
    const std::string expected = member.key == "pattern" ? std::to_string(values_.pattern) : std::string(member.key == "variant" ? word_for(values_.variant) : word_for(values_.pin));
    if (member.value.str() != expected) problem(member.value.at, member.key + " is " + std::string(member.value.str()) + ", but " + expected + " was asked for");
  }
  void unknown(const Member& member, const std::string& path) {
    std::vector<std::string_view> names;
    for (const auto& key : keys()) names.push_back(key.path);
    const auto near = core::did_you_mean(path, names);
    problem(member.at, "unknown key " + path + (near ? "; did you mean " + *near + "?" : ""));
  }

  DeployValues& values_;
  std::string_view file_;
  std::string errors_;
};

/// What single keys cannot tell.
void check_whole(const DeployValues& v, const Node& root, Reader& reader) {
  const auto at = [&](std::string_view key) { return root.at_key(key); };
  if (v.name.size() > 29 || v.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) reader.problem(at("name"), "name must be at most 29 lower-case letters, digits and '-'");
  if (const auto chips = chips_of_topology(v.topology); chips != v.chips) reader.problem(at("chips"), "chips is " + std::to_string(v.chips) + ", topology " + v.topology + (chips ? " has " + std::to_string(*chips) : " is none like 2x2"));
  const auto per_node = chips_of_machine(v.machine_type);
  if (per_node && *per_node != v.chips) reader.problem(at("node_pool"), "a " + v.machine_type + " has " + std::to_string(*per_node) + " chips, a replica takes " + std::to_string(v.chips));
  if (v.replicas > v.max_nodes) reader.problem(at("replicas"), std::to_string(v.replicas) + " replicas need as many nodes; node_pool.max_nodes is " + std::to_string(v.max_nodes));
  if (v.zone.rfind(v.region + "-", 0) != 0) reader.problem(at("region"), "region " + v.region + " is not that of zone " + v.zone);
}

}  // namespace

DeployValues default_values(int pattern, Variant variant, Pin pin) {
  DeployValues v;
  v.pattern = pattern;
  v.variant = variant;
  v.pin = pin;
  v.name = "pattern" + std::to_string(pattern);
  v.name_space = "llm-d-inference-scheduling";
  v.model = pattern == 2 ? "microsoft/Phi-3-mini-4k-instruct" : "Qwen/Qwen2.5-3B-Instruct";
  v.served_name = v.model;
  v.replicas = pattern == 3 ? 3 : 1;
  v.accelerator = "tpu-v6e-slice";
  v.topology = "2x2";
  v.pool_name = "tpu-v6e-pool";
  v.machine_type = "ct6e-standard-4t";
  v.max_nodes = 4;
  v.zone = "europe-west4-a";
  v.region = "europe-west4";
  v.gateway_class = variant == Variant::kGke ? "gke-l7-regional-external-managed" : "istio";
  v.server_image = "vllm/vllm-tpu:v0.11.1";
  v.picker_image = pin == Pin::kCurrent ? "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0" : "registry.k8s.io/gateway-api-inference-extension/epp:v1.3.0";
  if (variant == Variant::kIstioKserve) {
    v.server_image = "registry.redhat.io/rhaiis/vllm-tpu-rhel9:3.2.5";
    if (pin == Pin::kEarly2026) v.picker_image = "ghcr.io/llm-d/llm-d-inference-scheduler:v0.4.0";
  }
  v.load_image = "gatebench:0.1.0";
  v.token_secret = "huggingface-token";
  v.chip_usd_per_hour = 1.25;
  v.cpu_node_usd_per_hour = 0.12;
  return v;
}

core::Result<DeployValues> read_values(DeployValues defaults, std::string_view text_of_file, std::string_view file) {
  const auto parsed = parse_documents(text_of_file, file);
  if (!parsed.problems.empty()) {
    const auto& p = parsed.problems.front();
    return core::fail(core::ErrorCode::kInvalid, p.file + ":" + std::to_string(p.at.line) + ":" + std::to_string(p.at.column) + ": " + p.message, p.fix);
  }
  if (parsed.documents.size() != 1 || !parsed.documents.front().root.is_map()) return core::fail(core::ErrorCode::kInvalid, std::string(file) + ": one mapping of values is wanted", "`gatebench deploy render --print-values` prints one");
  const Node& root = parsed.documents.front().root;
  Reader reader(defaults, file);
  reader.read(root, "");
  if (reader.errors().empty()) check_whole(defaults, root, reader);
  if (!reader.errors().empty()) return core::fail(core::ErrorCode::kInvalid, reader.errors(), "`gatebench deploy render --print-values` prints all keys");
  return defaults;
}

std::string values_text(const DeployValues& values) {
  std::string out = "pattern: " + std::to_string(values.pattern) + "\nvariant: " + std::string(word_for(values.variant)) + "\npin: " + std::string(word_for(values.pin)) + "\n";
  std::string group;
  for (const auto& key : keys()) {
    const auto dot = key.path.find('.');
    const std::string_view head = dot == std::string_view::npos ? "" : key.path.substr(0, dot);
    if (!head.empty() && head != group) out += std::string(head) + ":\n";
    group = head;
    std::string line = (head.empty() ? "" : "  ") + std::string(dot == std::string_view::npos ? key.path : key.path.substr(dot + 1)) + ": " + key.get(values);
    if (!key.comment.empty()) line += "  # " + std::string(key.comment);
    out += line + "\n";
  }
  return out;
}

}  // namespace deploy
