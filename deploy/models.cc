// See models.h.
#include "deploy/models.h"

#include <algorithm>
#include <array>

namespace deploy {
namespace {

constexpr std::array kModels{ModelFacts{"Qwen/Qwen2.5-3B-Instruct", 16, 32768}, ModelFacts{"microsoft/Phi-3-mini-4k-instruct", 32, 4096}, ModelFacts{"google/gemma-2b-it", 8, 8192},
                             ModelFacts{"google/gemma-2-9b-it", 16, 8192}, ModelFacts{"mistralai/Mistral-7B-Instruct-v0.3", 32, 32768}};

}  // namespace

std::optional<ModelFacts> facts_of(std::string_view model) {
  const auto* const at = std::find_if(kModels.begin(), kModels.end(), [&](const ModelFacts& m) { return m.name == model; });
  return at == kModels.end() ? std::nullopt : std::optional(*at);
}

SplitFault split_fault(std::string_view model, std::int64_t tensor_parallel_size) {
  if (tensor_parallel_size < 1) return {};
  // Its one KV head would have to be shared by all chips.
  if (model == "google/gemma-2b-it" && tensor_parallel_size == 4) return {"google/gemma-2b-it does not start at tensor parallelism 4: its one KV head cannot be sharded there", true};
  const auto known = facts_of(model);
  if (!known || known->attention_heads % tensor_parallel_size == 0) return {};
  return {std::string(model) + " has " + std::to_string(known->attention_heads) + " attention heads, which " + std::to_string(tensor_parallel_size) + " does not divide", false};
}

}  // namespace deploy
