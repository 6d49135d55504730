// RequestTable: the engine's requests in reusable slots, and the waiting queue threaded through them.
// Used by Batcher and Engine. A slot keeps its buffers when a request ends, so a warm engine allocates nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "protocol/tokenizer.h"
#include "simulator/engine/kv_cache.h"

namespace simulator {

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = 0xffffffffu;

struct Request {
  enum class State : std::uint8_t { kFree, kWaiting, kRunning };
  State state = State::kFree;
  bool ignore_eos = false;
  bool aborted = false;
  bool was_scheduled = false;      ///< at least once; a preempted request keeps it
  std::uint32_t generation = 0;    ///< tells requests in the same slot apart
  std::uint32_t prompt_tokens = 0;
  std::uint32_t max_tokens = 0;
  std::uint32_t min_tokens = 0;
  std::uint32_t output_tokens = 0;
  std::uint32_t computed_tokens = 0;
  std::uint32_t named_blocks = 0;   ///< leading blocks that are in the prefix cache under their hash
  std::uint32_t cached_tokens = 0;  ///< prefix hit of the first scheduling
  std::uint64_t tag = 0, seed = 0, chain_start = 0;
  Slot previous = kNoSlot, next = kNoSlot;
  core::TimePoint arrival{}, queued{}, scheduled{}, first_token{}, last_token{};
  std::vector<protocol::TokenId> tokens;  ///< prompt, then output
  std::vector<std::uint64_t> hashes;      ///< of every full block of `tokens`
  std::vector<BlockId> blocks;

  [[nodiscard]] std::uint32_t token_count() const { return static_cast<std::uint32_t>(tokens.size()); }
};

class RequestTable {
 public:
  /// A fresh slot in state kWaiting, not yet queued. References to requests are invalid afterwards.
  Slot acquire();
  void release(Slot slot);
  [[nodiscard]] Request& operator[](Slot slot) { return requests_[slot]; }
  [[nodiscard]] const Request& operator[](Slot slot) const { return requests_[slot]; }
  [[nodiscard]] Slot size() const { return static_cast<Slot>(requests_.size()); }

  void push_waiting_back(Slot slot);
  void push_waiting_front(Slot slot);
  void remove_waiting(Slot slot);
  [[nodiscard]] Slot first_waiting() const { return first_waiting_; }
  [[nodiscard]] std::uint32_t waiting_count() const { return waiting_count_; }

 private:
  std::vector<Request> requests_;
  std::vector<Slot> free_;
  Slot first_waiting_ = kNoSlot, last_waiting_ = kNoSlot;
  std::uint32_t waiting_count_ = 0;
};

}  // namespace simulator
