// PromptScanner: model, prompt and salt of a request body, as the bytes the endpoint picker hashes.
// Called by the router once per request; allocates nothing once its buffers have grown.
// It must never refuse a body for something it does not need: the replica judges the rest.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/prefix_blocks.h"

namespace router {

/// What a scan found; the views and spans live in the scanner until its next scan.
struct ScannedPrompt {
  std::string_view model, cache_salt;
  std::string_view bytes;                   ///< what is hashed, all prompts one after the other
  const std::vector<std::size_t>* ends = nullptr;  ///< end of each prompt in `bytes`; chat has one
};

class PromptScanner {
 public:
  explicit PromptScanner(protocol::PickerHashing hashing);
  ~PromptScanner();

  /// Scans a JSON request body. On failure returns what is wrong with it, for a 400; empty when all is well.
  /// Unknown fields and unknown kinds of content are passed over.
  [[nodiscard]] std::string scan(std::string_view body, ScannedPrompt& prompt);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace router
