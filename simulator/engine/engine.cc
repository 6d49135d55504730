#include "simulator/engine/engine.h"

#include <algorithm>
#include <string>

#include "protocol/prefix_blocks.h"

namespace simulator {
namespace {

core::Status check(const EngineConfig& config, const StepConstants& step) {
  const auto bad = [](std::string what, std::string hint) {
    return core::fail(core::ErrorCode::kInvalid, "simulated engine: " + std::move(what), std::move(hint));
  };
  if (config.max_num_seqs == 0) return bad("max_num_seqs is 0", "set it to 1 or more");
  if (config.block_size_tokens == 0) return bad("block_size is 0", "set it to 1 or more");
  if (config.max_model_len < 2) return bad("max_model_len is below 2", "a prompt token and an output token must fit");
  if (config.max_num_batched_tokens < config.max_num_seqs) {
    return bad("max_num_batched_tokens is below max_num_seqs", "every running request needs a token per step");
  }
  const std::uint64_t needed = (std::uint64_t{config.max_model_len} + config.block_size_tokens - 1) /
                                   config.block_size_tokens + 1;
  if (config.num_gpu_blocks < needed) {
    return bad("num_gpu_blocks " + std::to_string(config.num_gpu_blocks) + " cannot hold one request of max_model_len " +
                   std::to_string(config.max_model_len),
               "give it at least " + std::to_string(needed) + " blocks, one of them the null block");
  }
  if (config.num_gpu_blocks > (1u << 26)) return bad("num_gpu_blocks is above 67,108,864", "lower it");
  if (!(config.eos_probability >= 0 && config.eos_probability <= 1)) {
    return bad("eos_probability is outside 0 … 1", "give a probability");
  }
  for (const double constant : {step.base_us, step.per_token_us, step.per_decode_us, step.per_context_token_us,
                                step.noise_fraction}) {
    if (!(constant >= 0 && constant < 1e9)) return bad("a step constant is negative or too large", "use 0 … 1e9");
  }
  return {};
}

}  // namespace

core::Result<std::unique_ptr<Engine>> Engine::create(const EngineConfig& config, const StepConstants& step,
                                                     std::uint64_t seed) {
  if (auto status = check(config, step); !status) return status.error();
  return std::unique_ptr<Engine>(new Engine(config, step, seed));
}

Engine::Engine(const EngineConfig& config, const StepConstants& step, std::uint64_t seed)
    : config_(config),
      step_(step),
      noise_(core::Rng(seed).fork("step-noise")),
      batcher_(config_, requests_),
      metrics_(config.max_model_len) {
  plan_.items.reserve(config.max_num_seqs);
  events_.reserve(config.max_num_seqs);
}

core::Result<RequestId> Engine::submit(const Work& work, core::TimePoint now) {
  if (work.prompt.empty()) {
    return core::fail(core::ErrorCode::kInvalid, "The decoder prompt cannot be empty", "send at least one token");
  }
  if (work.prompt.size() >= config_.max_model_len) {
    return core::fail(core::ErrorCode::kInvalid,
                      "The decoder prompt (length " + std::to_string(work.prompt.size()) +
                          ") is longer than the maximum model length of " + std::to_string(config_.max_model_len) + ".",
                      "shorten the prompt");
  }
  const Slot slot = requests_.acquire();
  Request& request = requests_[slot];
  request.tokens.assign(work.prompt.begin(), work.prompt.end());
  request.prompt_tokens = request.token_count();
  request.max_tokens = std::clamp(work.max_tokens, 1u, config_.max_model_len - request.prompt_tokens);
  request.min_tokens = work.min_tokens;
  request.ignore_eos = work.ignore_eos;
  request.seed = work.seed;
  request.tag = work.tag;
  request.arrival = work.arrival;
  request.queued = now;
  request.chain_start = protocol::engine_chain_start(work.cache_salt);
  protocol::engine_block_hashes(request.tokens, config_.block_size_tokens, work.cache_salt, request.hashes);
  // All that decoding will ever append: a step then allocates nothing.
  const std::uint32_t most = request.prompt_tokens + request.max_tokens;
  request.tokens.reserve(most);
  request.hashes.reserve(most / config_.block_size_tokens + 1);
  request.blocks.reserve(most / config_.block_size_tokens + 1);
  requests_.push_waiting_back(slot);
  return RequestId{slot, request.generation};
}

bool Engine::abort(RequestId id) {
  if (id.slot >= requests_.size()) return false;
  Request& request = requests_[id.slot];
  if (request.generation != id.generation || request.state == Request::State::kFree || request.aborted) return false;
  if (in_step_ && request.state == Request::State::kRunning) {
    request.aborted = some_aborted_ = true;
    return true;
  }
  batcher_.remove(id.slot);
  if (!in_step_) refresh_gauges();
  return true;
}

core::TimePoint Engine::next_due() const {
  if (in_step_) return deadline_;
  if (!batcher_.running().empty()) return deadline_;
  const Slot first = requests_.first_waiting();
  if (first == kNoSlot) return kNothingDue;
  return std::max(deadline_, requests_[first].queued);
}

void Engine::advance(core::TimePoint now, EngineSink& sink) {
  for (;;) {
    const core::TimePoint due = next_due();
    if (due == kNothingDue || due > now) return;
    if (in_step_) {
      end_step(sink);
    } else {
      start_step(due);
    }
  }
}

void Engine::start_step(core::TimePoint start) {
  batcher_.schedule(start, plan_);
  step_start_ = start;
  deadline_ = start + step_time(step_, plan_.load, noise_);
  in_step_ = true;
}

void Engine::end_step(EngineSink& sink) {
  in_step_ = false;
  events_.clear();
  computed_prompt_tokens_ = 0;
  if (some_aborted_) drop_aborted();
  for (const StepItem& item : plan_.items) {
    if (item.emits) emit(item.slot);
  }
  batcher_.remove_running_if([this](Slot slot) {
    const Request& request = requests_[slot];
    return request.aborted || request.max_tokens == 0;
  });
  refresh_gauges();
  metrics_.count_prefix(plan_.prefix_queries, plan_.prefix_hits);
  metrics_.observe_step(deadline_ - step_start_);
  metrics_.count_preemptions(plan_.preemptions);
  if (!events_.empty()) {
    metrics_.observe_iteration(computed_prompt_tokens_, static_cast<std::uint32_t>(events_.size()));
  }
  for (const TokenEvent& event : events_) sink.on_token(event);
  sink.on_step({step_start_, deadline_, plan_.load, static_cast<std::uint32_t>(plan_.items.size()), plan_.preemptions});
}

/// Requests aborted during the step: what they computed stays in the cache, what they sampled is not heard of.
void Engine::drop_aborted() {
  some_aborted_ = false;
  std::erase_if(plan_.items, [this](const StepItem& item) { return requests_[item.slot].aborted; });
}

void Engine::emit(Slot slot) {
  Request& request = requests_[slot];
  const std::uint32_t index = request.output_tokens;
  const bool end = draws_end(request);
  batcher_.append_output(slot, protocol::output_token(request.seed, index));
  const FinishReason reason = finish_reason(request, end);
  if (index == 0) {
    request.first_token = deadline_;
    computed_prompt_tokens_ += request.prompt_tokens - request.cached_tokens;
    metrics_.first_token(request.prompt_tokens, request.cached_tokens, deadline_ - request.arrival);
  } else {
    metrics_.observe_inter_token(deadline_ - request.last_token);
  }
  request.last_token = deadline_;
  TokenEvent event;
  event.id = {slot, request.generation};
  event.tag = request.tag;
  event.at = deadline_;
  event.index = index;
  if (!end) event.text = protocol::output_piece(request.seed, index);
  event.finish = reason;
  event.prompt_tokens = request.prompt_tokens;
  event.cached_tokens = request.cached_tokens;
  event.output_tokens = request.output_tokens;
  events_.push_back(event);
  if (reason == FinishReason::kNone) return;
  record_finish(request, reason);
  request.max_tokens = 0;  // over: leaves the running list below
}

bool Engine::draws_end(const Request& request) const {
  if (config_.eos_probability <= 0 || request.ignore_eos || request.output_tokens < request.min_tokens) return false;
  core::Rng rng = core::Rng(request.seed).fork(std::uint64_t{request.output_tokens});
  return rng.uniform() < config_.eos_probability;
}

FinishReason Engine::finish_reason(const Request& request, bool end_of_sequence) const {
  if (end_of_sequence) return FinishReason::kStop;
  const bool full = request.token_count() >= config_.max_model_len || request.output_tokens >= request.max_tokens;
  return full ? FinishReason::kLength : FinishReason::kNone;
}

void Engine::record_finish(const Request& request, FinishReason reason) {
  EngineMetrics::Finish finish;
  finish.reason = reason;
  finish.prompt_tokens = request.prompt_tokens;
  finish.cached_tokens = request.cached_tokens;
  finish.output_tokens = request.output_tokens;
  finish.max_tokens = request.max_tokens;
  finish.e2e = deadline_ - request.arrival;
  finish.queue = request.scheduled - request.queued;
  finish.prefill = request.first_token - request.scheduled;
  finish.decode = deadline_ - request.first_token;
  finish.inference = deadline_ - request.scheduled;
  metrics_.finished(finish);
}

void Engine::refresh_gauges() {
  metrics_.set_gauges(static_cast<std::uint32_t>(batcher_.running().size()), requests_.waiting_count(),
                      batcher_.cache().usage());
}

bool Engine::reset_prefix_cache() { return batcher_.cache().reset(); }

std::uint32_t Engine::unfinished() const {
  return static_cast<std::uint32_t>(batcher_.running().size()) + requests_.waiting_count();
}

}  // namespace simulator
