// Batcher: vLLM V1's scheduler. Decides what one step computes: running requests first, then the waiting queue from its
// head; token budget, chunked prefill, preemption. Called by the Engine once per step. It knows no durations.
#pragma once

#include <cstdint>
#include <vector>

#include "core/time.h"
#include "simulator/engine/config.h"
#include "simulator/engine/kv_cache.h"
#include "simulator/engine/request_table.h"
#include "simulator/engine/step_model.h"

namespace simulator {

/// One request's share of a step.
struct StepItem {
  Slot slot = kNoSlot;
  std::uint32_t new_tokens = 0;
  bool emits = false;  ///< all its tokens are computed after this step: it samples one
};

struct StepPlan {
  std::vector<StepItem> items;
  StepLoad load;
  std::uint32_t preemptions = 0;
  std::uint64_t prefix_queries = 0, prefix_hits = 0;  ///< tokens; first admissions only

  void clear();
};

class Batcher {
 public:
  Batcher(const EngineConfig& config, RequestTable& requests);

  /// Plans the step that starts at `start` and takes its blocks. A waiting request that arrives later is not seen.
  void schedule(core::TimePoint start, StepPlan& plan);
  /// Adds a sampled token to a running request and the hash of a block that it fills.
  void append_output(Slot slot, protocol::TokenId token);
  /// Takes a request out, running or waiting; gives back its blocks and its slot.
  void remove(Slot slot);
  /// Takes out many running requests at once, keeping the order of the others: every running slot for which `gone`
  /// says so.
  template <class Gone>
  void remove_running_if(Gone&& gone) {
    std::size_t kept = 0;
    for (const Slot slot : running_) {
      if (gone(slot)) {
        finish(slot);
      } else {
        running_[kept++] = slot;
      }
    }
    running_.resize(kept);
  }

  [[nodiscard]] const std::vector<Slot>& running() const { return running_; }
  [[nodiscard]] KvCache& cache() { return cache_; }
  [[nodiscard]] const KvCache& cache() const { return cache_; }

 private:
  void schedule_running(StepPlan& plan, std::uint32_t& budget);
  void schedule_waiting(core::TimePoint start, StepPlan& plan, std::uint32_t& budget);
  /// False: `slot` itself was preempted.
  bool make_room(Slot slot, std::uint32_t new_tokens, StepPlan& plan);
  bool admit(Slot slot, core::TimePoint start, StepPlan& plan, std::uint32_t& budget);
  void preempt_last(StepPlan& plan);
  void compute(Slot slot, std::uint32_t new_tokens, StepPlan& plan);
  void finish(Slot slot);

  EngineConfig config_;
  RequestTable& requests_;
  KvCache cache_;
  std::vector<Slot> running_;  ///< in order of admission
};

}  // namespace simulator
