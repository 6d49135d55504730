#include "simulator/engine/engine.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "core/hash.h"

namespace simulator {
namespace {

using core::Duration;
using core::TimePoint;
using Tokens = std::vector<protocol::TokenId>;

TimePoint at_ms(double ms) { return TimePoint{} + core::from_ms(ms); }

/// 1 ms a step plus 1 us a token: a step's length tells what was in it.
StepConstants plain_steps() {
  StepConstants constants;
  constants.base_us = 1000;
  constants.per_token_us = 1;
  return constants;
}

EngineConfig small() {
  EngineConfig config;
  config.max_num_batched_tokens = 64;
  config.max_num_seqs = 4;
  config.block_size_tokens = 4;
  config.num_gpu_blocks = 101;
  config.max_model_len = 200;
  return config;
}

Tokens numbered(std::uint32_t from, std::uint32_t count) {
  Tokens tokens(count);
  std::iota(tokens.begin(), tokens.end(), from);
  return tokens;
}

class Recorder final : public EngineSink {
 public:
  void on_token(const TokenEvent& event) override { tokens.push_back(event); }
  void on_step(const StepEvent& event) override { steps.push_back(event); }
  [[nodiscard]] std::vector<TokenEvent> of(std::uint64_t tag) const {
    std::vector<TokenEvent> mine;
    for (const auto& event : tokens) {
      if (event.tag == tag) mine.push_back(event);
    }
    return mine;
  }
  std::vector<TokenEvent> tokens;
  std::vector<StepEvent> steps;
};

std::unique_ptr<Engine> make(const EngineConfig& config, const StepConstants& step = plain_steps()) {
  auto engine = Engine::create(config, step, 1);
  EXPECT_TRUE(engine.has_value()) << (engine ? "" : engine.error().message);
  return std::move(*engine);
}

RequestId submit(Engine& engine, const Tokens& prompt, std::uint32_t max_tokens, std::uint64_t tag, TimePoint now = {}) {
  Work work;
  work.prompt = prompt;
  work.max_tokens = max_tokens;
  work.seed = tag;
  work.tag = tag;
  work.arrival = now;
  const auto id = engine.submit(work, now);
  EXPECT_TRUE(id.has_value());
  return *id;
}

void run_to_end(Engine& engine, Recorder& recorder) {
  while (engine.next_due() != Engine::kNothingDue) engine.advance(engine.next_due(), recorder);
}

TEST(Engine, OneRequestStepByStep) {
  auto engine = make(small());
  Recorder recorder;
  EXPECT_EQ(engine->next_due(), Engine::kNothingDue);
  submit(*engine, numbered(1, 10), 3, 7, at_ms(5));
  EXPECT_EQ(engine->next_due(), at_ms(5));
  run_to_end(*engine, recorder);
  ASSERT_EQ(recorder.steps.size(), 3u);
  EXPECT_EQ(recorder.steps[0].start, at_ms(5));
  EXPECT_EQ(recorder.steps[0].end, at_ms(6.010));
  EXPECT_EQ(recorder.steps[0].load.prefill_tokens, 10u);
  EXPECT_EQ(recorder.steps[0].load.context_tokens, 10u);
  EXPECT_EQ(recorder.steps[1].end, at_ms(7.011));
  EXPECT_EQ(recorder.steps[1].load.decode_seqs, 1u);
  EXPECT_EQ(recorder.steps[2].end, at_ms(8.012));
  ASSERT_EQ(recorder.tokens.size(), 3u);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(recorder.tokens[i].index, i);
    EXPECT_EQ(recorder.tokens[i].at, recorder.steps[i].end);
    EXPECT_EQ(recorder.tokens[i].text, protocol::output_piece(7, i));
    EXPECT_EQ(recorder.tokens[i].finish, i == 2 ? FinishReason::kLength : FinishReason::kNone);
  }
  EXPECT_EQ(recorder.tokens[2].output_tokens, 3u);
  EXPECT_EQ(engine->unfinished(), 0u);
  EXPECT_EQ(engine->cache().free_blocks(), 100u);
}

TEST(Engine, LateDriverDelaysNothing) {
  auto punctual = make(small());
  auto late = make(small());
  Recorder a, b;
  submit(*punctual, numbered(1, 10), 20, 1);
  submit(*late, numbered(1, 10), 20, 1);
  run_to_end(*punctual, a);
  late->advance(at_ms(7.3), b);
  late->advance(at_ms(7.4), b);
  late->advance(at_ms(100), b);
  ASSERT_EQ(a.tokens.size(), b.tokens.size());
  for (std::size_t i = 0; i < a.tokens.size(); ++i) EXPECT_EQ(a.tokens[i].at, b.tokens[i].at);
}

TEST(Engine, ArrivalAfterAStepsStartWaitsForTheNextEvenIfTheDriverIsLate) {
  auto engine = make(small());
  Recorder recorder;
  submit(*engine, numbered(1, 8), 4, 1, at_ms(0));
  engine->advance(at_ms(0), recorder);
  // Both arrivals come to the engine before the late driver ends the first step (due at 1.008).
  submit(*engine, numbered(50, 8), 1, 2, at_ms(1.0));
  submit(*engine, numbered(90, 8), 1, 3, at_ms(1.5));
  engine->advance(at_ms(50), recorder);
  ASSERT_EQ(recorder.of(2).size(), 1u);
  ASSERT_EQ(recorder.of(3).size(), 1u);
  EXPECT_EQ(recorder.of(2)[0].at, at_ms(1.008) + core::from_ms(1.009));
  EXPECT_EQ(recorder.of(3)[0].at, at_ms(2.017) + core::from_ms(1.009));
}

TEST(Engine, BudgetSplitsAPrefillIntoChunks) {
  auto engine = make(small());
  Recorder recorder;
  submit(*engine, numbered(1, 150), 2, 1);
  run_to_end(*engine, recorder);
  ASSERT_EQ(recorder.steps.size(), 4u);
  EXPECT_EQ(recorder.steps[0].load.prefill_tokens, 64u);
  EXPECT_EQ(recorder.steps[1].load.prefill_tokens, 64u);
  EXPECT_EQ(recorder.steps[1].load.context_tokens, 128u);
  EXPECT_EQ(recorder.steps[2].load.prefill_tokens, 22u);
  ASSERT_EQ(recorder.tokens.size(), 2u);
  EXPECT_EQ(recorder.tokens[0].at, recorder.steps[2].end);
}

TEST(Engine, RunningDecodesComeBeforeWaitingPrefills) {
  auto engine = make(small());
  Recorder recorder;
  submit(*engine, numbered(1, 10), 10, 1);
  engine->advance(at_ms(0), recorder);
  submit(*engine, numbered(500, 100), 1, 2, at_ms(0.5));
  engine->advance(at_ms(1.010), recorder);  // ends step 1, starts step 2
  engine->advance(engine->next_due(), recorder);
  ASSERT_EQ(recorder.steps.size(), 2u);
  EXPECT_EQ(recorder.steps[1].load.decode_seqs, 1u);
  EXPECT_EQ(recorder.steps[1].load.prefill_tokens, 63u) << "64 tokens of budget, one for the decode";
}

TEST(Engine, MaxNumSeqsLimitsTheBatchAndFirstComeIsFirstServed) {
  auto engine = make(small());
  Recorder recorder;
  for (std::uint64_t tag = 1; tag <= 6; ++tag) {
    submit(*engine, numbered(static_cast<std::uint32_t>(tag) * 100, 4), 3, tag);
  }
  engine->advance(at_ms(0), recorder);
  engine->advance(engine->next_due(), recorder);
  EXPECT_EQ(engine->metrics().running(), 4u);
  EXPECT_EQ(engine->metrics().waiting(), 2u);
  run_to_end(*engine, recorder);
  ASSERT_EQ(recorder.tokens.size(), 18u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(recorder.tokens[i].tag, i + 1);
  EXPECT_EQ(recorder.of(5)[0].at, recorder.steps[3].end) << "after the first four have had three steps";
}

TEST(Engine, SharedPrefixHitsFullBlocksOnly) {
  auto engine = make(small());
  Recorder recorder;
  submit(*engine, numbered(1, 10), 1, 1);
  run_to_end(*engine, recorder);
  submit(*engine, numbered(1, 10), 1, 2, at_ms(10));
  run_to_end(*engine, recorder);
  EXPECT_EQ(recorder.of(1)[0].cached_tokens, 0u);
  EXPECT_EQ(recorder.of(2)[0].cached_tokens, 8u);
  EXPECT_EQ(recorder.steps[1].load.prefill_tokens, 2u);
  EXPECT_EQ(engine->metrics().prefix_queries(), 20u);
  EXPECT_EQ(engine->metrics().prefix_hits(), 8u);
  EXPECT_EQ(engine->metrics().cached_prompt_tokens(), 8u);
  EXPECT_EQ(engine->metrics().prompt_tokens(), 20u);
}

TEST(Engine, FullyCachedPromptRecomputesItsLastBlock) {
  auto engine = make(small());
  Recorder recorder;
  for (std::uint64_t tag = 1; tag <= 2; ++tag) {
    submit(*engine, numbered(1, 12), 1, tag, at_ms(10.0 * static_cast<double>(tag)));
    run_to_end(*engine, recorder);
  }
  EXPECT_EQ(recorder.of(2)[0].cached_tokens, 8u) << "floor((12 - 1) / 4) * 4";
}

TEST(Engine, SameStepHitsBecauseBlocksAreNamedWhenScheduled) {
  auto engine = make(small());
  Recorder recorder;
  submit(*engine, numbered(1, 9), 1, 1);
  submit(*engine, numbered(1, 9), 1, 2);
  run_to_end(*engine, recorder);
  ASSERT_EQ(recorder.steps.size(), 1u);
  EXPECT_EQ(recorder.steps[0].load.prefill_tokens, 10u) << "9 and then only the last one";
  EXPECT_EQ(recorder.of(2)[0].cached_tokens, 8u);
}

TEST(Engine, SaltSeparatesTenants) {
  auto engine = make(small());
  Recorder recorder;
  const Tokens prompt = numbered(1, 9);
  for (std::uint64_t tag = 1; tag <= 2; ++tag) {
    Work work;
    work.prompt = prompt;
    work.cache_salt = tag == 1 ? "a" : "b";
    work.max_tokens = 1;
    work.tag = tag;
    ASSERT_TRUE(engine->submit(work, at_ms(static_cast<double>(tag) * 10)).has_value());
    run_to_end(*engine, recorder);
  }
  EXPECT_EQ(recorder.of(2)[0].cached_tokens, 0u);
}

TEST(Engine, GeneratedBlocksAreCachedForTheNextTurn) {
  auto engine = make(small());
  Recorder recorder;
  Tokens turn = numbered(1, 8);
  submit(*engine, turn, 9, 42);
  run_to_end(*engine, recorder);
  for (std::uint32_t n = 0; n < 9; ++n) turn.push_back(protocol::output_token(42, n));
  turn.push_back(9999);
  submit(*engine, turn, 1, 2, at_ms(50));
  run_to_end(*engine, recorder);
  // 8 prompt tokens and 8 of the 9 generated: the last one was sampled and never computed.
  EXPECT_EQ(recorder.of(2)[0].cached_tokens, 16u);
}

TEST(Engine, CachingOffNeverHits) {
  EngineConfig config = small();
  config.enable_prefix_caching = false;
  auto engine = make(config);
  Recorder recorder;
  for (std::uint64_t tag = 1; tag <= 2; ++tag) {
    submit(*engine, numbered(1, 12), 1, tag, at_ms(10.0 * static_cast<double>(tag)));
    run_to_end(*engine, recorder);
  }
  EXPECT_EQ(recorder.of(2)[0].cached_tokens, 0u);
  EXPECT_EQ(engine->metrics().prefix_queries(), 0u);
}

// 10 usable blocks of 4. A and B of 16 tokens take 4 each; decoding takes a 5th each at token 17: full. At token 21 A
// needs a 6th: B, the last of the running ones, gives way and starts again when A has gone.
TEST(Engine, PreemptsTheLastAndLetsItResumeFromTheFront) {
  EngineConfig config = small();
  config.num_gpu_blocks = 11;
  config.max_model_len = 40;
  auto engine = make(config);
  Recorder recorder;
  submit(*engine, numbered(1, 16), 8, 1);
  submit(*engine, numbered(100, 16), 8, 2);
  submit(*engine, numbered(200, 16), 1, 3);
  run_to_end(*engine, recorder);
  EXPECT_EQ(engine->metrics().preemptions(), 1u);
  ASSERT_EQ(recorder.of(1).size(), 8u);
  ASSERT_EQ(recorder.of(2).size(), 8u) << "tokens made before the preemption are kept and not sent twice";
  for (std::uint32_t i = 0; i < 8; ++i) EXPECT_EQ(recorder.of(2)[i].index, i);
  // B ran four decode steps beside A (tokens 17 … 20), then waits until A has ended.
  EXPECT_EQ(recorder.of(2)[4].at, recorder.of(1)[4].at);
  EXPECT_GT(recorder.of(2)[5].at, recorder.of(1)[7].at);
  EXPECT_GT(recorder.of(3)[0].at, recorder.of(1)[7].at) << "the head of the queue blocks it, although it was small";
  EXPECT_EQ(recorder.of(2)[7].cached_tokens, 0u) << "the hit of the first scheduling is what counts";
  EXPECT_EQ(engine->metrics().prefix_queries(), 48u) << "a preempted request is not counted again";
  EXPECT_EQ(engine->cache().free_blocks(), 10u);
  EXPECT_TRUE(engine->cache().consistent());
}

TEST(Engine, AdmitsOnlyWhenTheWholePromptFits) {
  EngineConfig config = small();
  config.num_gpu_blocks = 11;
  config.max_model_len = 40;
  auto engine = make(config);
  Recorder recorder;
  submit(*engine, numbered(1, 20), 4, 1);      // 5 blocks, 6 from the second token on
  submit(*engine, numbered(100, 24), 1, 2);    // 6 blocks: do not fit beside it
  submit(*engine, numbered(200, 4), 1, 3);     // would fit, but nobody overtakes
  run_to_end(*engine, recorder);
  EXPECT_EQ(recorder.of(2)[0].at, recorder.of(3)[0].at);
  EXPECT_GT(recorder.of(2)[0].at, recorder.of(1)[3].at);
  EXPECT_EQ(engine->metrics().preemptions(), 0u);
}

TEST(Engine, AbortDuringAStepTakesEffectAtItsEnd) {
  auto engine = make(small());
  Recorder recorder;
  const RequestId id = submit(*engine, numbered(1, 10), 10, 1);
  engine->advance(at_ms(0), recorder);
  EXPECT_TRUE(engine->step_running());
  EXPECT_TRUE(engine->abort(id));
  EXPECT_FALSE(engine->abort(id));
  EXPECT_EQ(engine->cache().free_blocks(), 97u);
  run_to_end(*engine, recorder);
  EXPECT_TRUE(recorder.tokens.empty());
  EXPECT_EQ(recorder.steps.size(), 1u);
  EXPECT_EQ(engine->cache().free_blocks(), 100u);
  EXPECT_EQ(engine->metrics().success(), 0u);
  EXPECT_EQ(engine->metrics().generation_tokens(), 0u);
  EXPECT_EQ(engine->metrics().running(), 0u);
}

TEST(Engine, AbortOfAWaitingRequestAndOfStaleIds) {
  auto engine = make(small());
  Recorder recorder;
  const RequestId first = submit(*engine, numbered(1, 10), 1, 1);
  const RequestId second = submit(*engine, numbered(50, 10), 1, 2);
  EXPECT_TRUE(engine->abort(first));
  EXPECT_EQ(engine->unfinished(), 1u);
  run_to_end(*engine, recorder);
  ASSERT_EQ(recorder.tokens.size(), 1u);
  EXPECT_EQ(recorder.tokens[0].tag, 2u);
  EXPECT_FALSE(engine->abort(second));
  EXPECT_FALSE(engine->abort({}));
  EXPECT_FALSE(engine->abort({77, 1}));
  const RequestId reused = submit(*engine, numbered(90, 10), 1, 3, at_ms(20));
  EXPECT_FALSE(engine->abort(first)) << "its slot serves another request now";
  EXPECT_FALSE(engine->abort(second));
  EXPECT_TRUE(engine->abort(reused));
}

TEST(Engine, EndOfSequenceIsDrawnUnlessIgnoredOrTooEarly) {
  EngineConfig config = small();
  config.eos_probability = 1.0;
  auto engine = make(config);
  Recorder recorder;
  const Tokens prompt = numbered(1, 4);
  for (std::uint64_t tag = 1; tag <= 3; ++tag) {
    Work work;
    work.prompt = prompt;
    work.max_tokens = 10;
    work.ignore_eos = tag == 2;
    work.min_tokens = tag == 3 ? 4 : 0;
    work.tag = tag;
    ASSERT_TRUE(engine->submit(work, at_ms(100.0 * static_cast<double>(tag))).has_value());
    run_to_end(*engine, recorder);
  }
  ASSERT_EQ(recorder.of(1).size(), 1u);
  EXPECT_EQ(recorder.of(1)[0].finish, FinishReason::kStop);
  EXPECT_TRUE(recorder.of(1)[0].text.empty());
  ASSERT_EQ(recorder.of(2).size(), 10u);
  EXPECT_EQ(recorder.of(2)[9].finish, FinishReason::kLength);
  ASSERT_EQ(recorder.of(3).size(), 5u);
  EXPECT_EQ(recorder.of(3)[4].finish, FinishReason::kStop);
}

TEST(Engine, EndOfSequenceLengthsHaveTheGeometricMean) {
  EngineConfig config = small();
  config.eos_probability = 0.1;
  auto engine = make(config);
  Recorder recorder;
  for (std::uint64_t tag = 1; tag <= 2000; ++tag) submit(*engine, numbered(1, 4), 150, tag);
  run_to_end(*engine, recorder);
  EXPECT_NEAR(static_cast<double>(recorder.tokens.size()) / 2000.0, 10.0, 0.6);
}

TEST(Engine, ContextEndsARequestWhateverItAskedFor) {
  auto engine = make(small());
  Recorder recorder;
  submit(*engine, numbered(1, 190), kRestOfContext, 1);
  run_to_end(*engine, recorder);
  EXPECT_EQ(recorder.tokens.size(), 10u);
  EXPECT_EQ(recorder.tokens.back().finish, FinishReason::kLength);
}

TEST(Engine, RefusesWhatCannotWork) {
  auto engine = make(small());
  EXPECT_FALSE(engine->submit(Work{}, {}).has_value());
  const Tokens prompt = numbered(1, 200);
  Work work;
  work.prompt = prompt;
  EXPECT_FALSE(engine->submit(work, {}).has_value());
  EXPECT_EQ(engine->unfinished(), 0u);
  const auto refused = [](auto change) {
    EngineConfig config = small();
    StepConstants step = plain_steps();
    change(config, step);
    return !Engine::create(config, step, 1).has_value();
  };
  EXPECT_TRUE(refused([](auto& c, auto&) { c.num_gpu_blocks = 50; }));
  EXPECT_TRUE(refused([](auto& c, auto&) { c.max_num_seqs = 0; }));
  EXPECT_TRUE(refused([](auto& c, auto&) { c.block_size_tokens = 0; }));
  EXPECT_TRUE(refused([](auto& c, auto&) { c.max_num_batched_tokens = 3; }));
  EXPECT_TRUE(refused([](auto& c, auto&) { c.max_model_len = 1; }));
  EXPECT_TRUE(refused([](auto& c, auto&) { c.eos_probability = 1.1; }));
  EXPECT_TRUE(refused([](auto&, auto& s) { s.base_us = -1; }));
  EXPECT_FALSE(refused([](auto& c, auto&) { c.num_gpu_blocks = 51; }));
}

TEST(Engine, ResetNeedsAnIdleEngine) {
  auto engine = make(small());
  Recorder recorder;
  submit(*engine, numbered(1, 10), 2, 1);
  engine->advance(at_ms(0), recorder);
  EXPECT_FALSE(engine->reset_prefix_cache());
  run_to_end(*engine, recorder);
  EXPECT_TRUE(engine->reset_prefix_cache());
  submit(*engine, numbered(1, 10), 1, 2, at_ms(20));
  run_to_end(*engine, recorder);
  EXPECT_EQ(recorder.of(2)[0].cached_tokens, 0u);
}

// Random submissions and aborts under memory pressure: everything submitted ends exactly once, blocks are conserved.
TEST(Engine, RandomOperationsConserveRequestsAndBlocks) {
  EngineConfig config = small();
  config.num_gpu_blocks = 31;
  config.max_model_len = 100;
  config.eos_probability = 0.02;
  auto engine = make(config);
  Recorder recorder;
  core::Rng rng(5);
  std::map<std::uint64_t, RequestId> live;
  std::uint64_t tag = 0, aborted = 0;
  TimePoint now{};
  for (int round = 0; round < 6000; ++round) {
    now += core::from_ms(0.7);
    const std::uint64_t action = rng.below(10);
    if (action < 3 && live.size() < 12) {
      Tokens prompt = numbered(static_cast<std::uint32_t>(rng.below(5)) * 1000, 1 + static_cast<std::uint32_t>(rng.below(70)));
      const auto output = 1 + static_cast<std::uint32_t>(rng.below(40));
      ++tag;
      live[tag] = submit(*engine, prompt, output, tag, now);
    } else if (action == 3 && !live.empty()) {
      const auto victim = live.begin();
      ASSERT_TRUE(engine->abort(victim->second));
      live.erase(victim);
      ++aborted;
    }
    recorder.tokens.clear();
    engine->advance(now, recorder);
    for (const auto& event : recorder.tokens) {
      ASSERT_EQ(live.count(event.tag), 1u) << "an event for a request that is over";
      if (event.finish != FinishReason::kNone) live.erase(event.tag);
    }
    ASSERT_TRUE(engine->cache().consistent()) << "round " << round;
  }
  run_to_end(*engine, recorder);
  EXPECT_EQ(engine->unfinished(), 0u);
  EXPECT_EQ(engine->cache().free_blocks(), 30u);
  EXPECT_EQ(engine->metrics().success() + aborted, tag);
  EXPECT_GT(engine->metrics().preemptions(), 10u);
  EXPECT_GT(aborted, 100u);
}

TEST(Engine, DigestOfALongRunIsPinned) {
  EngineConfig config = small();
  config.num_gpu_blocks = 41;
  config.max_model_len = 150;
  StepConstants constants = plain_steps();
  constants.noise_fraction = 0.05;
  auto engine = make(config, constants);
  Recorder recorder;
  core::Rng rng(9);
  TimePoint now{};
  for (std::uint64_t tag = 1; tag <= 300; ++tag) {
    const auto group = static_cast<std::uint32_t>(rng.below(6));
    const auto length = 5 + static_cast<std::uint32_t>(rng.below(90));
    const auto output = 1 + static_cast<std::uint32_t>(rng.below(30));
    submit(*engine, numbered(group * 1000, length), output, tag, now);
    now += core::from_ms(2);
    engine->advance(now, recorder);
  }
  run_to_end(*engine, recorder);
  core::Digest digest;
  for (const auto& event : recorder.tokens) {
    digest.add(event.tag);
    digest.add(static_cast<std::int64_t>(event.at.time_since_epoch().count()));
    digest.add(std::uint64_t{event.cached_tokens});
    digest.add(event.text);
  }
  EXPECT_EQ(core::hex64(digest.value()), "85cea622e95371f3");
}

}  // namespace
}  // namespace simulator
