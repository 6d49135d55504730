// See tpu.h.
#include "deploy/tpu.h"

#include <algorithm>

#include "core/text.h"

namespace deploy {

std::optional<std::int64_t> chips_of_topology(std::string_view topology) {
  std::int64_t product = 1;
  const auto parts = core::split(topology, 'x');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  for (const auto part : parts) {
    const auto side = core::parse_integer(part);
    if (!side || *side < 1 || *side > 1024) return std::nullopt;
    product *= *side;
  }
  return product;
}

std::optional<std::int64_t> chips_of_machine(std::string_view machine_type) {
  const auto dash = machine_type.rfind('-');
  if (machine_type.rfind("ct", 0) != 0 || dash == std::string_view::npos || machine_type.back() != 't') return std::nullopt;
  return core::parse_integer(machine_type.substr(dash + 1, machine_type.size() - dash - 2));
}

std::vector<TpuContainer> tpu_containers(const Bundle& bundle) {
  std::vector<TpuContainer> out;
  for (const auto& pods : bundle.pods) {
    for (const Node* container : containers_of(*pods.pod_spec)) {
      const Node& resources = (*container)["resources"];
      if (!resources.path({"limits", kTpu}).exists() && !resources.path({"requests", kTpu}).exists()) continue;
      out.push_back({&pods, container, resource_of(*container, kTpu).value_or(0)});
    }
  }
  return out;
}

std::optional<std::int64_t> tensor_parallel_of(const TpuContainer& tpu, Position& at) {
  const auto words = command_words(*tpu.container);
  for (const auto flag : {"--tensor-parallel-size", "-tp"}) {
    if (const auto value = flag_value(words, flag)) {
      at = value->at;
      return core::parse_integer(value->text);
    }
  }
  const Node& declared = tpu.pods->object != nullptr ? tpu.pods->object->spec().path({"parallelism", "tensor"})
                                                     : tpu.pods->pod_spec->path({"parallelism", "tensor"});
  if (!declared.exists()) return std::nullopt;
  at = declared.at;
  return declared.integer();
}

std::string model_of(const PodSet& pods) {
  std::string uri;
  if (pods.object != nullptr) uri = pods.object->spec().path({"model", "uri"}).str();
  if (pods.values != nullptr) uri = pods.values->root.path({"modelArtifacts", "uri"}).str();
  for (const Node* container : containers_of(*pods.pod_spec)) {
    const auto words = command_words(*container);
    if (const auto model = flag_value(words, "--model"); model && uri.empty()) uri = model->text;
    const auto serve = std::find_if(words.begin(), words.end(), [](const CommandWord& w) { return w.text == "serve"; });
    if (uri.empty() && serve != words.end() && serve + 1 != words.end() && (serve + 1)->text.rfind('-', 0) != 0) uri = (serve + 1)->text;
  }
  if (const auto scheme = uri.find("://"); scheme != std::string::npos) uri = uri.substr(scheme + 3);
  return uri;
}

}  // namespace deploy
