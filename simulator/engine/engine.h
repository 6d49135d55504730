// Engine: one simulated vLLM V1 engine. Driven by the replica server in real time and by virtual runs; time is an
// argument, there is no I/O and no clock. Steps end at absolute deadlines: a driver that comes late delays nothing.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/rng.h"
#include "core/time.h"
#include "protocol/tokenizer.h"
#include "simulator/engine/batcher.h"
#include "simulator/engine/config.h"
#include "simulator/engine/engine_metrics.h"
#include "simulator/engine/request_table.h"

namespace simulator {

/// Names a request of one engine; never reused.
struct RequestId {
  Slot slot = kNoSlot;
  std::uint32_t generation = 0;
  bool operator==(const RequestId&) const = default;
};

inline constexpr std::uint32_t kRestOfContext = std::numeric_limits<std::uint32_t>::max();

/// One request as the engine sees it. The views are copied by submit().
struct Work {
  std::span<const protocol::TokenId> prompt;
  std::string_view cache_salt;
  std::uint32_t max_tokens = 16;  ///< kRestOfContext: as many as fit
  std::uint32_t min_tokens = 0;
  bool ignore_eos = false;
  std::uint64_t seed = 0;         ///< chooses the output text and its end
  std::uint64_t tag = 0;          ///< the caller's, handed back in events
  core::TimePoint arrival{};      ///< when the server got it; not later than the submission
};

/// One sampled token. Finish events are the token events with a reason.
struct TokenEvent {
  RequestId id;
  std::uint64_t tag = 0;
  core::TimePoint at{};           ///< the step's deadline
  std::uint32_t index = 0;        ///< 0: the first token
  std::string_view text;          ///< static storage; empty for an end-of-sequence token
  FinishReason finish = FinishReason::kNone;
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
};

/// One step that ended.
struct StepEvent {
  core::TimePoint start{}, end{};
  StepLoad load;
  std::uint32_t scheduled = 0, preemptions = 0;
};

/// Hears of a step when all metrics have moved. Must not call the engine back.
class EngineSink {
 public:
  virtual ~EngineSink() = default;
  virtual void on_token(const TokenEvent& event) = 0;
  virtual void on_step(const StepEvent&) {}
};

class Engine {
 public:
  static constexpr core::TimePoint kNothingDue = core::TimePoint::max();

  /// kInvalid when the configuration cannot serve one full-length request, or names a zero where none may be.
  static core::Result<std::unique_ptr<Engine>> create(const EngineConfig& config, const StepConstants& step,
                                                      std::uint64_t seed);

  /// Queues a request at time `now`, not before an earlier submission's. A step that starts later can take it.
  /// kInvalid for an empty prompt or one that leaves no room for a token; vLLM's message.
  core::Result<RequestId> submit(const Work& work, core::TimePoint now);
  /// Drops a request; no further event names it, and no finish metric counts it. During a step the blocks come free at
  /// its end. False when it is over already.
  bool abort(RequestId id);

  /// When advance() has something to do: the running step's deadline, or the start of a step; else kNothingDue.
  [[nodiscard]] core::TimePoint next_due() const;
  /// Ends and starts steps up to `now`. A step starts at its predecessor's deadline when work is pending, else when the
  /// first work arrived: never later because advance() was called late.
  void advance(core::TimePoint now, EngineSink& sink);

  /// Forgets the prefix cache; false while any block is held.
  bool reset_prefix_cache();
  [[nodiscard]] const EngineMetrics& metrics() const { return metrics_; }
  /// The driver's own observation: how late it served a step.
  void observe_step_late(core::Duration late) { metrics_.observe_step_late(late); }
  [[nodiscard]] const EngineConfig& config() const { return config_; }
  [[nodiscard]] const KvCache& cache() const { return batcher_.cache(); }
  [[nodiscard]] bool step_running() const { return in_step_; }
  /// Requests submitted and not over.
  [[nodiscard]] std::uint32_t unfinished() const;

 private:
  Engine(const EngineConfig& config, const StepConstants& step, std::uint64_t seed);
  void start_step(core::TimePoint start);
  void end_step(EngineSink& sink);
  void drop_aborted();
  void emit(Slot slot);
  [[nodiscard]] FinishReason finish_reason(const Request& request, bool end_of_sequence) const;
  [[nodiscard]] bool draws_end(const Request& request) const;
  void record_finish(const Request& request, FinishReason reason);
  void refresh_gauges();

  EngineConfig config_;
  StepConstants step_;
  core::Rng noise_;
  RequestTable requests_;
  Batcher batcher_;
  EngineMetrics metrics_;
  StepPlan plan_;
  std::vector<TokenEvent> events_;
  bool in_step_ = false, some_aborted_ = false;
  core::TimePoint step_start_{}, deadline_{};
  std::uint32_t computed_prompt_tokens_ = 0;  ///< of the prefills that this step completes
};

}  // namespace simulator
