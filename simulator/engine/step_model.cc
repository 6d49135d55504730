#include "simulator/engine/step_model.h"

#include <algorithm>
#include <bit>

namespace simulator {

std::uint32_t padded_tokens(const StepConstants& constants, std::uint32_t tokens) {
  if (!constants.pad_to_token_bucket) return tokens;
  return std::bit_ceil(std::max(tokens, constants.min_token_bucket));
}

core::Duration step_time(const StepConstants& constants, const StepLoad& load, core::Rng& rng) {
  const double padded = padded_tokens(constants, load.prefill_tokens + load.decode_seqs);
  double us = constants.base_us + constants.per_token_us * padded + constants.per_decode_us * load.decode_seqs +
              constants.per_context_token_us * static_cast<double>(load.context_tokens);
  if (constants.noise_fraction > 0) us *= std::clamp(1.0 + constants.noise_fraction * rng.normal(), 0.5, 2.0);
  return core::from_seconds(std::max(us, 1.0) * 1e-6);
}

}  // namespace simulator
