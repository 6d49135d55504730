// What a simulated engine is made of: limits as vLLM's flags name them, and the step-time model's constants.
// Filled by a profile and by flags, read by the engine. Values only, no behaviour.
#pragma once

#include <cstdint>

namespace simulator {

struct EngineConfig {
  std::uint32_t max_num_batched_tokens = 2048;  ///< token budget of one step
  std::uint32_t max_num_seqs = 256;
  std::uint32_t block_size_tokens = 128;
  std::uint32_t num_gpu_blocks = 1024;  ///< one of them is the null block
  std::uint32_t max_model_len = 2048;
  bool enable_prefix_caching = true;
  /// Chance of an end-of-sequence token at each output; 0: every request runs to max_tokens.
  double eos_probability = 0;
};

/// T = base + per_token·pad(prefill + decode tokens) + per_decode·decode sequences + per_context_token·Σ context,
/// times 1 + noise·z with z standard normal, kept within [0.5, 2]. Microseconds.
struct StepConstants {
  double base_us = 2000;
  double per_token_us = 0;
  double per_decode_us = 0;
  double per_context_token_us = 0;
  double noise_fraction = 0;
  bool pad_to_token_bucket = false;     ///< TPU: token counts are padded to powers of two
  std::uint32_t min_token_bucket = 16;
};

}  // namespace simulator
