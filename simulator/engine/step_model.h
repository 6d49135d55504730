// The step-time model: how long one engine step takes, from what it computes. Called by the Engine.
// Pure but for the random stream it is given.
#pragma once

#include <cstdint>

#include "core/rng.h"
#include "core/time.h"
#include "simulator/engine/config.h"

namespace simulator {

/// What one step computes.
struct StepLoad {
  std::uint32_t prefill_tokens = 0;
  std::uint32_t decode_seqs = 0;      ///< one token each
  std::uint64_t context_tokens = 0;   ///< sum over all sequences in the step, the new tokens included
};

/// The next token bucket: a power of two, at least `min_bucket`; `tokens` itself where there is no padding.
[[nodiscard]] std::uint32_t padded_tokens(const StepConstants& constants, std::uint32_t tokens);

/// At least one microsecond. Draws from `rng` only when the constants have noise.
[[nodiscard]] core::Duration step_time(const StepConstants& constants, const StepLoad& load, core::Rng& rng);

}  // namespace simulator
