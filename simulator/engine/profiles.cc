// The bundled profiles' texts. Read through profile.h only; a figure without a source has no place here.
#include <array>

#include "core/text.h"
#include "simulator/engine/profile.h"

namespace simulator {
namespace {

struct Bundled {
  std::string_view name, text;
};

constexpr std::array<Bundled, 1> kProfiles = {{{kDefaultProfile, R"json({
  "name": "tpu-v6e-4/qwen2.5-3b",
  "model": "Qwen/Qwen2.5-3B-Instruct",
  "constants": {
    "fixed_ms": {"value": 120.0, "tag": "fitted",
      "provenance": "Mean latency 477 ms at c = 1 (one ct6e-standard-4t replica on GKE, 2026-02-11, 50 output tokens) less 250 ms of client network (client in the US, server in europe-west4; estimated 0.2-0.3 s) less 50 engine steps."},
    "base_us": {"value": 2000.0, "tag": "fitted",
      "provenance": "Two-point check of the same deployment: about 0.40 s for 10 tokens and 0.48 s for 50, so about 2 ms per decode step. The weights' read alone is 0.94 ms (6.17 GB over 4 x 1.64 TB/s)."},
    "per_decode_us": {"value": 75.0, "tag": "fitted",
      "provenance": "Least squares to mean latencies 477/508/498/554 ms at c = 1/5/10/20 with base_us and fixed_ms as above, network 250 ms, all clients starting at once (they then stay in step and decode together): 477/493/513/556 ms."},
    "per_token_us": {"value": 4.5, "tag": "derived",
      "provenance": "One chip is put at 11-18 us per padded token (6.2 GFLOP at 40-60 % of 918 TFLOP/s and overheads); the slow end over four chips, because tensor parallelism adds all-reduces."},
    "per_context_token_us": {"value": 0.0112, "tag": "derived",
      "provenance": "36,864 bytes of KV per token; the 2 KV heads are kept twice on 4 chips, so a chip reads half of them at 1.64 TB/s."},
    "noise_fraction": {"value": 0.02, "tag": "assumed",
      "provenance": "Two percent of step-to-step variation; published percentiles contain the network's variation and cannot separate it."},
    "pad_to_token_bucket": {"value": 1, "tag": "measured",
      "provenance": "Read in tpu-inference: token counts are padded to powers of two."},
    "min_token_bucket": {"value": 16, "tag": "measured",
      "provenance": "Read in tpu-inference: the smallest token bucket."},
    "max_num_batched_tokens": {"value": 2048, "tag": "assumed",
      "provenance": "vLLM's fallback when its TPU table does not match the device name; the deployment sets no flag."},
    "max_num_seqs": {"value": 256, "tag": "assumed",
      "provenance": "vLLM's fallback, as for max_num_batched_tokens."},
    "max_model_len": {"value": 2048, "tag": "measured",
      "provenance": "The deployment's flag --max-model-len=2048."},
    "block_size_tokens": {"value": 128, "tag": "derived",
      "provenance": "The TPU page size for max_model_len 2048: 2048/16, kept within 16 and 256."},
    "num_gpu_blocks": {"value": 11232, "tag": "derived",
      "provenance": "4 x 32 GB at 0.9, less 6.17 GB of weights and 3 GB of activations, over 73,728 bytes per token (2 KV heads kept twice on 4 chips) and 128 tokens per block."},
    "enable_prefix_caching": {"value": 1, "tag": "measured",
      "provenance": "The deployment's flag --enable-prefix-caching."},
    "eos_probability": {"value": 0, "tag": "assumed",
      "provenance": "Every request runs to max_tokens: the simplest model of output length, and the one the calibration runs had."}
  },
  "not_identified": [
    "fixed_ms against base_us: one output length was measured with care, so a longer fixed time with a shorter step fits as well; the 2 ms step rests on a two-point check with a one-second clock.",
    "fixed_ms against the network: 250 ms is an estimate of 200-300 ms; what the network has less, fixed_ms has more.",
    "per_decode_us: the four means are not monotonic (498 ms at c = 10 below 508 ms at c = 5), so its error is large; it also absorbs whatever else grows with concurrency in front of the engine.",
    "The clients' phase: with clients spread evenly the model gives 477/479/483/495 ms, lower than measured from c = 5 on; the recording does not tell how far its clients were in step.",
    "per_token_us and per_context_token_us: prompts of some 30 tokens do not load the prefill path or the KV read at all.",
    "noise_fraction: client latencies contain the network's noise.",
    "Anything beyond 20 concurrent requests: it was not measured."
  ]
})json"}}};

}  // namespace

std::vector<std::string_view> profile_names() {
  std::vector<std::string_view> names;
  for (const auto& profile : kProfiles) names.push_back(profile.name);
  return names;
}

core::Result<std::string_view> profile_text(std::string_view name) {
  for (const auto& profile : kProfiles) {
    if (profile.name == name) return profile.text;
  }
  const auto names = profile_names();
  const auto nearest = core::did_you_mean(name, names);
  return core::fail(core::ErrorCode::kInvalid, "profile \"" + std::string(name) + "\" is not a bundled one",
                    "did you mean \"" + nearest.value_or(std::string(kDefaultProfile)) + "\"?");
}

}  // namespace simulator
