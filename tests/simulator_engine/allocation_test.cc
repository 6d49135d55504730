// Counts heap allocations of the whole test binary; a warm engine's steps must make none.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "simulator/engine/engine.h"

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace simulator {
namespace {

class Counter final : public EngineSink {
 public:
  void on_token(const TokenEvent&) override { ++tokens; }
  std::uint64_t tokens = 0;
};

TEST(Allocations, WarmStepsMakeNone) {
  EngineConfig config;
  config.max_num_batched_tokens = 256;
  config.max_num_seqs = 32;
  config.block_size_tokens = 16;
  config.num_gpu_blocks = 200;
  config.max_model_len = 400;
  StepConstants constants;
  constants.noise_fraction = 0.02;
  auto engine = Engine::create(config, constants, 1);
  ASSERT_TRUE(engine.has_value());
  Counter counter;
  std::vector<protocol::TokenId> prompt(120);
  const auto wave = [&] {
    for (std::uint64_t i = 0; i < 40; ++i) {
      for (std::size_t t = 0; t < prompt.size(); ++t) prompt[t] = static_cast<protocol::TokenId>(t < 48 ? t : i * 1000 + t);
      Work work;
      work.prompt = prompt;
      work.max_tokens = 100;
      work.seed = i;
      const auto due = (*engine)->next_due();
      ASSERT_TRUE((*engine)->submit(work, due == Engine::kNothingDue ? core::TimePoint{} : due).has_value());
    }
    while ((*engine)->next_due() != Engine::kNothingDue) (*engine)->advance((*engine)->next_due(), counter);
  };
  wave();
  const std::uint64_t before = allocations;
  wave();
  EXPECT_EQ(allocations - before, 0u) << "submitting into used slots and 40 x 100 tokens, preemptions included";
  EXPECT_EQ(counter.tokens, 8000u);
  EXPECT_GT((*engine)->metrics().preemptions(), 0u);
}

}  // namespace
}  // namespace simulator
