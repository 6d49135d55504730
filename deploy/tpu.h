// What is known of TPU machines on GKE. Facts: cloud.google.com/tpu/docs, GKE's TPU machine types.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "deploy/bundle.h"

namespace deploy {

inline constexpr std::string_view kTpu = "google.com/tpu";
inline constexpr std::string_view kAcceleratorLabel = "cloud.google.com/gke-tpu-accelerator";
inline constexpr std::string_view kTopologyLabel = "cloud.google.com/gke-tpu-topology";

/// "2x4" -> 8, "2x2x1" -> 4; none: not of that form.
[[nodiscard]] std::optional<std::int64_t> chips_of_topology(std::string_view topology);
/// Chips of one host: "ct6e-standard-4t" -> 4; none: no TPU machine type.
[[nodiscard]] std::optional<std::int64_t> chips_of_machine(std::string_view machine_type);

/// A container that asks for TPU chips.
struct TpuContainer {
  const PodSet* pods = nullptr;
  const Node* container = nullptr;
  std::int64_t chips = 0;
};
[[nodiscard]] std::vector<TpuContainer> tpu_containers(const Bundle& bundle);
/// Tensor parallelism: the argument, or parallelism.tensor of values and LLMInferenceServices; none: not stated.
[[nodiscard]] std::optional<std::int64_t> tensor_parallel_of(const TpuContainer& tpu, Position& at);
/// "Qwen/Qwen2.5-3B-Instruct": from `vllm serve MODEL`, --model, spec.model.uri or modelArtifacts.uri without its scheme.
[[nodiscard]] std::string model_of(const PodSet& pods);

}  // namespace deploy
