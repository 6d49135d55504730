#include "simulator/engine/batcher.h"

#include <algorithm>
#include <span>

#include "protocol/prefix_blocks.h"

namespace simulator {

void StepPlan::clear() {
  items.clear();
  load = {};
  preemptions = 0;
  prefix_queries = prefix_hits = 0;
}

Batcher::Batcher(const EngineConfig& config, RequestTable& requests)
    : config_(config),
      requests_(requests),
      cache_(config.num_gpu_blocks, config.block_size_tokens, config.enable_prefix_caching) {
  running_.reserve(config.max_num_seqs);
}

void Batcher::schedule(core::TimePoint start, StepPlan& plan) {
  plan.clear();
  std::uint32_t budget = config_.max_num_batched_tokens;
  schedule_running(plan, budget);
  if (plan.preemptions == 0) schedule_waiting(start, plan, budget);
}

void Batcher::schedule_running(StepPlan& plan, std::uint32_t& budget) {
  // running_ may lose its tail on the way, never what was passed.
  for (std::size_t i = 0; i < running_.size() && budget > 0; ++i) {
    const Slot slot = running_[i];
    const Request& request = requests_[slot];
    const std::uint32_t new_tokens = std::min(request.token_count() - request.computed_tokens, budget);
    if (!make_room(slot, new_tokens, plan)) return;
    compute(slot, new_tokens, plan);
    budget -= new_tokens;
  }
}

bool Batcher::make_room(Slot slot, std::uint32_t new_tokens, StepPlan& plan) {
  Request& request = requests_[slot];
  const auto held = static_cast<std::uint32_t>(request.blocks.size());
  const std::uint32_t wanted = cache_.blocks_for(request.computed_tokens + new_tokens);
  while (wanted > held && !cache_.take_free(wanted - held, request.blocks)) {
    const bool itself = running_.back() == slot;
    preempt_last(plan);
    if (itself) return false;
  }
  return true;
}

void Batcher::preempt_last(StepPlan& plan) {
  const Slot victim = running_.back();
  running_.pop_back();
  Request& request = requests_[victim];
  cache_.release(request.blocks);
  request.computed_tokens = request.named_blocks = 0;
  requests_.push_waiting_front(victim);
  ++plan.preemptions;
}

void Batcher::schedule_waiting(core::TimePoint start, StepPlan& plan, std::uint32_t& budget) {
  while (budget > 0 && running_.size() < config_.max_num_seqs) {
    const Slot slot = requests_.first_waiting();
    if (slot == kNoSlot || requests_[slot].queued > start) return;
    if (!admit(slot, start, plan, budget)) return;
  }
}

bool Batcher::admit(Slot slot, core::TimePoint start, StepPlan& plan, std::uint32_t& budget) {
  Request& request = requests_[slot];
  const std::uint32_t hit_blocks = cache_.cached_prefix_blocks(request.hashes, request.token_count());
  const std::uint32_t hit_tokens = hit_blocks * cache_.block_size_tokens();
  const auto hits = std::span<const std::uint64_t>(request.hashes).first(hit_blocks);
  // Room for the whole sequence is asked for, although only this step's chunk is taken now.
  const std::uint32_t missing = cache_.blocks_for(request.token_count()) - hit_blocks;
  if (missing + cache_.free_among(hits) > cache_.free_blocks()) return false;

  const std::uint32_t new_tokens = std::min(request.token_count() - hit_tokens, budget);
  cache_.take_cached(hits, request.blocks);
  if (!cache_.take_free(cache_.blocks_for(hit_tokens + new_tokens) - hit_blocks, request.blocks)) return false;
  request.computed_tokens = hit_tokens;
  request.named_blocks = hit_blocks;
  if (!request.was_scheduled) {
    request.was_scheduled = true;
    request.scheduled = start;
    request.cached_tokens = hit_tokens;
    plan.prefix_queries += config_.enable_prefix_caching ? request.token_count() : 0;
    plan.prefix_hits += hit_tokens;
  }
  requests_.remove_waiting(slot);
  request.state = Request::State::kRunning;
  running_.push_back(slot);
  compute(slot, new_tokens, plan);
  budget -= new_tokens;
  return true;
}

void Batcher::compute(Slot slot, std::uint32_t new_tokens, StepPlan& plan) {
  Request& request = requests_[slot];
  const bool decodes = request.output_tokens > 0 && request.token_count() - request.computed_tokens == 1;
  request.computed_tokens += new_tokens;
  if (decodes) {
    ++plan.load.decode_seqs;
  } else {
    plan.load.prefill_tokens += new_tokens;
  }
  plan.load.context_tokens += request.computed_tokens;
  plan.items.push_back({slot, new_tokens, request.computed_tokens == request.token_count()});
  // Blocks are named when they are scheduled, before they are computed: a later request of the same step hits them.
  const std::uint32_t full = request.computed_tokens / cache_.block_size_tokens();
  for (; request.named_blocks < full; ++request.named_blocks) {
    cache_.name_block(request.blocks[request.named_blocks], request.hashes[request.named_blocks]);
  }
}

void Batcher::append_output(Slot slot, protocol::TokenId token) {
  Request& request = requests_[slot];
  request.tokens.push_back(token);
  ++request.output_tokens;
  const std::size_t block = config_.block_size_tokens;
  if (request.tokens.size() % block != 0) return;
  const std::uint64_t parent = request.hashes.empty() ? request.chain_start : request.hashes.back();
  request.hashes.push_back(protocol::engine_block_hash(parent, std::span(request.tokens).last(block)));
}

void Batcher::remove(Slot slot) {
  if (requests_[slot].state == Request::State::kWaiting) {
    requests_.remove_waiting(slot);
    finish(slot);
    return;
  }
  remove_running_if([slot](Slot other) { return other == slot; });
}

void Batcher::finish(Slot slot) {
  cache_.release(requests_[slot].blocks);
  requests_.release(slot);
}

}  // namespace simulator
