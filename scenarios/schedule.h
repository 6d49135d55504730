// Schedule: every request of a run, decided before the run from scenario and seed. Pure data; same seed, same digest.
// The load engine walks it, analyzers replay it. Prompts are rendered on demand, so a long schedule stays small.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "core/result.h"
#include "scenarios/scenario.h"

namespace scenarios {

struct PlannedRequest {
  Duration intended{-1};           ///< from the run's start; -1: closed loop, due when a slot frees
  Duration think_time{};
  std::uint32_t index = 0;
  std::uint32_t session = 0;
  std::int32_t prefix_group = -1;  ///< globally numbered over the workloads; -1: none
  std::int32_t after = -1;         ///< predecessor's index; -1: none
  std::uint16_t workload = 0;
  std::uint32_t number = 0;        ///< 1-based number within its workload
  std::uint32_t max_tokens = 0;
  std::uint32_t extra_tokens = 0;  ///< watermark offset
  std::uint32_t pad_bytes = 0;     ///< of the `user` text
  std::uint64_t prompt_seed = 0;   ///< seed of the request's own text
  std::uint64_t prefix_seed = 0;   ///< seed of its group's prefix; 0: none
  std::uint64_t prompt_digest = 0; ///< names the text: over all that render_prompt() works from, not over its bytes
                                   ///< (200,000 prompts of 1,600 tokens would take many seconds to render)
};

struct Schedule {
  std::vector<PlannedRequest> requests;  ///< open loop: ascending intended times
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;              ///< over all fields above, order included
  std::uint32_t prefix_groups = 0;
};

/// What sits in front of a closed loop that only has a duration: more requests than any server will take.
inline constexpr std::uint32_t kDurationOnlyRequests = 200'000;

/// Pure: equal arguments give equal schedules on every compiler. `cell_salt` keeps prompts of different cells from
/// hitting each other's cache entries (0: none); it enters prompt and prefix seeds, not arrivals.
core::Result<Schedule> plan(const Scenario& scenario, std::uint64_t seed, std::uint64_t cell_salt = 0);

/// Replaces `prompt` with the request's text. Allocates only when `prompt` has to grow.
void render_prompt(const Scenario& scenario, const PlannedRequest& request, std::string& prompt);

/// Tokens of prompts by gatebench's own tokenizer. A text is rendered once for each number of digits and extra tokens that
/// it gets: its count depends on nothing else. `scenario` must outlive it.
class PromptTokenCounts {
 public:
  explicit PromptTokenCounts(const Scenario& scenario) : scenario_(scenario) {}
  [[nodiscard]] std::uint32_t of(const PlannedRequest& request);

 private:
  using Key = std::tuple<std::uint16_t, std::size_t, std::uint32_t, std::uint32_t>;  ///< workload, text, digits, extra
  const Scenario& scenario_;
  std::map<Key, std::uint32_t> literal_;
  std::string prompt_;
};

/// Hits (tokens) that an unbounded cache shared by all replicas would have had, were the requests served in schedule
/// order one after the other; and one unbounded cache per replica under the given assignment (replica per request; -1:
/// unknown, counted as a miss). Counted with gatebench's own tokenizer in blocks of `block_size_tokens`.
struct OracleHits {
  std::uint64_t prompt_tokens = 0, shared_cache_hit_tokens = 0, per_replica_hit_tokens = 0;
};
[[nodiscard]] OracleHits oracle_hits(const Scenario& scenario, const Schedule& schedule, std::size_t request_count,
                                     std::uint32_t block_size_tokens, const std::vector<std::int32_t>& replica_of_request);

}  // namespace scenarios
