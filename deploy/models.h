// What is known of the models that the deployment guides use, from their config.json. Used by the linter's rules and by the
// renderer, so that neither takes what the other refuses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace deploy {

struct ModelFacts {
  std::string_view name;
  std::int64_t attention_heads = 0, longest_context_tokens = 0;
};
/// None: not known here, which says nothing against it.
[[nodiscard]] std::optional<ModelFacts> facts_of(std::string_view model);

/// Why a model cannot be split over so many chips; empty: nothing is known against it. `fatal`: it does not start.
struct SplitFault {
  std::string message;
  bool fatal = false;
};
[[nodiscard]] SplitFault split_fault(std::string_view model, std::int64_t tensor_parallel_size);

}  // namespace deploy
