// Pipeline: one routing decision as a function of request, endpoints and time: scorers, weights, picker, prefix index.
// Driven by the HTTP proxy, by ext_proc and by the virtual fleet; each owns its EndpointStates.
// route() reads no clock, takes no lock, does no I/O, and allocates nothing once its buffers have grown.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/rng.h"
#include "core/time.h"
#include "router/core/config.h"
#include "router/core/endpoint_state.h"
#include "router/core/mode.h"
#include "router/core/picker.h"
#include "router/core/prefix_index.h"
#include "router/core/scorers.h"

namespace router {

struct PipelineOptions {
  RouterMode mode = RouterMode::kImproved;
  Policy policy = Policy::kConfig;
  std::uint64_t seed = 1;
  /// improved mode: scraped values older than this count as unknown.
  core::Duration stale_after = core::Duration{1'000'000'000};
};

/// How prompts are cut into routing blocks.
struct BlockGeometry {
  std::size_t block_bytes = 0, block_tokens = 0;
  std::size_t max_blocks = 0;  ///< 0: unlimited
};
/// `engine_block_tokens` is the first endpoint's cache_config_info block_size (0: unknown), as the picker takes it.
[[nodiscard]] BlockGeometry block_geometry(const PrefixSettings& prefix, std::uint32_t engine_block_tokens);

/// The picker's estimate of a prompt's length without a tokenizer.
[[nodiscard]] constexpr std::uint64_t estimated_tokens(std::size_t bytes) { return (bytes + 3) / 4; }

/// A request as the pipeline sees it; borrowed for one call.
struct RoutingRequest {
  std::string_view model;
  std::span<const std::uint64_t> block_hashes;
  std::uint64_t prompt_tokens = 0;
};

/// Unclamped scores by scorer and endpoint number; 0 for endpoints that were no candidates.
struct Scores {
  std::span<const ScorerSpec> scorers;
  std::span<const double> values;
  std::size_t endpoints = 0;
  [[nodiscard]] double at(std::size_t scorer, std::size_t endpoint) const { return values[scorer * endpoints + endpoint]; }
};

/// A decision. The spans live in the pipeline until its next call.
struct Pick {
  static constexpr std::uint32_t kNobody = 0xffffffffu;
  std::uint32_t endpoint = kNobody;
  std::span<const std::uint32_t> ranked;  ///< every candidate, best first; ranked[0] == endpoint
  std::span<const double> totals;         ///< by endpoint number; Σ weight × clamp(score, 0, 1)
  Scores scores;
  std::uint32_t matched_blocks = 0, total_blocks = 0;  ///< of the picked endpoint
  std::uint64_t uncached_tokens = 0;      ///< what begin_request should charge
  [[nodiscard]] bool found() const { return endpoint != kNobody; }
};

class Pipeline {
 public:
  Pipeline(PickerConfig config, const PipelineOptions& options);

  /// Replaces `hashes` with the request's block hashes; nothing when the configuration needs none.
  void hash_prompt(std::string_view model, std::string_view cache_salt, std::string_view bytes,
                   std::span<const EndpointState> endpoints, std::vector<std::uint64_t>& hashes) const;

  /// Decides, and notes the prompt's blocks at the picked endpoint. The caller then charges it with begin_request
  /// before the next route(). Nobody is picked when no endpoint is a candidate.
  Pick route(const RoutingRequest& request, std::span<const EndpointState> endpoints, core::TimePoint now);

  /// A fallback served the request instead of the pick. improved: its blocks are there now; epp: nothing changes.
  void served_elsewhere(std::uint32_t endpoint, const RoutingRequest& request, std::span<const EndpointState> endpoints);
  /// The endpoint's cache is empty now (restart, reset). improved: forgets at once; epp: keeps, as the picker does.
  void cache_lost(std::uint32_t endpoint);
  /// The endpoint left the pool. improved: forgets at once; epp: at the next two-minute sweep unless it is back by then.
  void removed(std::uint32_t endpoint);

  [[nodiscard]] const PickerConfig& config() const { return config_; }
  [[nodiscard]] const PipelineOptions& options() const { return options_; }
  [[nodiscard]] const PrefixIndex& prefix_index() const { return index_; }
  [[nodiscard]] bool needs_prompt() const { return options_.policy == Policy::kConfig && config_.needs_prefix(); }

 private:
  void resize(std::size_t endpoints);
  void collect_candidates(std::span<const EndpointState> endpoints, core::TimePoint now);
  void sweep_removed(core::TimePoint now);
  void gather(const RoutingRequest& request, std::span<const EndpointState> endpoints, core::TimePoint now);
  void rank_cold();
  void sum_scores();
  void note_blocks(std::uint32_t endpoint, const RoutingRequest& request, std::span<const EndpointState> endpoints);
  void note_cold(std::uint32_t endpoint);
  [[nodiscard]] Pick pick_by_policy();

  PickerConfig config_;
  PipelineOptions options_;
  core::Rng rng_;
  PrefixIndex index_;
  Rotation rotation_;
  std::size_t lru_size_ = 0;  ///< of the no-hit scorer; 0: there is none

  std::vector<std::uint64_t> last_cold_;  ///< by endpoint: order of its last cold request, 0 = never
  std::uint64_t cold_count_ = 0;
  std::vector<std::uint8_t> gone_;
  core::TimePoint next_sweep_{};

  // Scratch: per candidate, then per endpoint number.
  std::vector<std::uint32_t> candidates_, ranked_, cold_order_, cold_rank_, matched_dense_;
  std::vector<double> waiting_, running_, kv_used_, score_dense_;
  std::vector<std::uint8_t> stale_;
  std::vector<std::uint64_t> in_flight_requests_, in_flight_tokens_;
  std::vector<std::uint32_t> matched_, places_;
  std::vector<double> totals_, values_, keys_;
  ScoringInput input_;
};

}  // namespace router
