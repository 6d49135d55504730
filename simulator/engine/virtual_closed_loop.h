// A closed loop over simulated engines in virtual time: c clients, each sending its next request when the last one's
// answer has arrived. For calibration checks and tests; it reads no clock and its result depends on the seed alone.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "simulator/engine/profile.h"

namespace simulator {

struct ClosedLoop {
  std::uint32_t replicas = 1;       ///< a request goes to the replica with the fewest in flight, lowest number first
  std::uint32_t concurrency = 1;
  std::uint32_t requests = 200;
  std::uint32_t warm_up_requests = 0;  ///< the first so many completions are not counted
  std::uint32_t prompt_tokens = 30;
  std::uint32_t shared_prefix_tokens = 0;  ///< leading part equal in all prompts; the rest is unique
  std::uint32_t output_tokens = 50;
  core::Duration start_spread{};    ///< clients start evenly over this time; 0: all at once, and then in step for long
  core::Duration network{};         ///< half before the server, half after
  std::uint64_t seed = 1;
};

struct ClosedLoopResult {
  // Over completions after the warm-up and before the last request was sent, while all clients are busy.
  double mean_latency_s = 0, mean_ttft_s = 0;
  double requests_per_s = 0;
  double mean_waiting = 0;          ///< requests waiting in engines, mean over steps
  double mean_batch_tokens = 0;     ///< tokens per step
  std::vector<std::uint64_t> finished, prompt_tokens, cached_tokens;  ///< per replica, all requests
  std::uint64_t digest = 0;         ///< over every token's request, time and index, in order
};

core::Result<ClosedLoopResult> run_closed_loop(const Profile& profile, const ClosedLoop& loop);

}  // namespace simulator
