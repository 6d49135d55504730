// See picker_config.h.
#include "deploy/picker_config.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace deploy {
namespace {

constexpr std::array<std::string_view, 2> kTextFlags{"--config-text", "--configText"};

bool is_config(std::string_view text) { return text.find("EndpointPickerConfig") != std::string_view::npos; }

/// The picker whose volume is this ConfigMap.
const PodSet* reader_of(const Bundle& bundle, const Object& map) {
  for (const auto& pods : bundle.pods) {
    if (pods.role != PodRole::kPicker || !same_namespace(pods.name_space, map.name_space)) continue;
    for (const auto& volume : (*pods.pod_spec)["volumes"].items) {
      if (volume.path({"configMap", "name"}).str() == map.name) return &pods;
    }
  }
  return nullptr;
}

/// The word after --config-text among a container's raw arguments: it holds blanks, so no shell may split it.
void add_from_arguments(const PodSet& pods, const Node& container, std::vector<PickerConfigText>& out) {
  if (pods.object == nullptr) return;
  const auto& args = container["args"].items;
  for (std::size_t i = 0; i < args.size(); ++i) {
    for (const auto flag : kTextFlags) {
      const auto word = args[i].str();
      if (word == flag && i + 1 < args.size()) out.push_back({pods.object->document, pods.object, picker_image(pods), "", std::string(args[i + 1].str()), args[i + 1].at, !args[i + 1].plain});
      else if (word.rfind(std::string(flag) + "=", 0) == 0) out.push_back({pods.object->document, pods.object, picker_image(pods), "", std::string(word.substr(flag.size() + 1)), args[i].at, false});
    }
  }
}

/// The charts inferencepool (inferenceExtension) and llm-d-router-gateway (router.epp): of several files the picker reads the one
/// that pluginsConfigFile names.
void add_from_values(const Document& document, std::vector<PickerConfigText>& out) {
  for (const Node* picker : {&document.root["inferenceExtension"], &document.root.path({"router", "epp"})}) {
    const Node& image = (*picker)["image"];
    const std::string name(image["name"].exists() ? image["name"].str() : image["repository"].str());
    const std::string hub(image["hub"].exists() ? image["hub"].str() : image["registry"].str());
    const auto read = (*picker)["pluginsConfigFile"].str();
    for (const auto& member : (*picker)["pluginsCustomConfig"].members) {
      if (!member.value.is_string() || (!read.empty() && member.key != read)) continue;
      out.push_back({&document, nullptr, picker_image(hub + "/" + name + ":" + std::string(image["tag"].str())), member.key, member.value.text, member.value.at, !member.value.plain});
    }
  }
}

nlohmann::ordered_json json_of(const Node& node) {
  switch (node.kind) {
    case NodeKind::kMap: {
      auto out = nlohmann::ordered_json::object();
      for (const auto& member : node.members) out[member.key] = json_of(member.value);
      return out;
    }
    case NodeKind::kList: {
      auto out = nlohmann::ordered_json::array();
      for (const auto& item : node.items) out.push_back(json_of(item));
      return out;
    }
    case NodeKind::kBool: return node.to_bool();
    case NodeKind::kInteger:
      if (const auto value = node.integer()) return *value;
      return node.text;
    case NodeKind::kFloat:
      if (const auto value = node.number()) return *value;
      return node.text;
    case NodeKind::kString: return node.text;
    default: return nullptr;
  }
}

}  // namespace

std::string to_json_text(const Node& node) { return json_of(node).dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace); }

std::vector<PickerConfigText> picker_configs(const Bundle& bundle) {
  std::vector<PickerConfigText> out;
  for (const auto& object : bundle.objects) {
    if (object.kind == "ConfigMap") {
      for (const auto& member : object.root()["data"].members) {
        if (!member.value.is_string() || !is_config(member.value.text)) continue;
        const PodSet* reader = reader_of(bundle, object);
        out.push_back({object.document, &object, reader == nullptr ? PickerImage{} : picker_image(*reader), member.key, member.value.text, member.value.at, !member.value.plain});
      }
    }
    // A configuration as a file of its own, as kustomize's configMapGenerator takes it.
    if (object.kind == "EndpointPickerConfig") out.push_back({object.document, &object, {}, "", to_json_text(object.root()), object.root().at, false});
    const Node& inlined = object.spec().path({"router", "scheduler", "config", "inline"});
    if (object.kind == "LLMInferenceService" && inlined.is_map()) out.push_back({object.document, &object, {}, "", to_json_text(inlined), inlined.at, false});
  }
  for (const auto& pods : bundle.pods) {
    for (const Node* container : containers_of(*pods.pod_spec)) add_from_arguments(pods, *container, out);
  }
  for (const auto& values : bundle.values) {
    if (values.kind == ValuesKind::kInferencePool) add_from_values(*values.document, out);
  }
  return out;
}

bool elects_leader(const Node& pod_spec) {
  const auto containers = containers_of(pod_spec);
  return std::any_of(containers.begin(), containers.end(), [](const Node* container) {
    const auto flag = flag_value(command_words(*container), "--ha-enable-leader-election");
    return flag && flag->text != "false" && flag->text != "0" && flag->text != "f";
  });
}

std::string config_file_of(const Node& pod_spec) {
  for (const Node* container : containers_of(pod_spec)) {
    const auto words = command_words(*container);
    auto file = flag_value(words, "--config-file");
    if (!file) file = flag_value(words, "--configFile");
    if (file && !file->text.empty()) return file->text.substr(file->text.rfind('/') + 1);
  }
  return {};
}

PickerImage picker_image(std::string_view image) {
  PickerImage out;
  if (image.find("gateway-api-inference-extension/epp") != std::string_view::npos) out.origin = PickerImage::Origin::kInferenceExtension;
  if (image.find("llm-d") != std::string_view::npos) out.origin = PickerImage::Origin::kLlmD;
  const auto tag = image.rfind(":v");
  if (tag == std::string_view::npos) return out;
  const std::string version(image.substr(tag + 2));
  char* end = nullptr;
  out.major = static_cast<int>(std::strtol(version.c_str(), &end, 10));
  if (end != nullptr && *end == '.') out.minor = static_cast<int>(std::strtol(end + 1, nullptr, 10));
  return out;
}

PickerImage picker_image(const PodSet& pods) {
  for (const Node* container : containers_of(*pods.pod_spec)) {
    const auto image = picker_image((*container)["image"].str());
    if (image.origin != PickerImage::Origin::kUnknown) return image;
  }
  return {};
}

}  // namespace deploy
