// The routing decision, step by step: candidates, inputs, scores, totals, ranking, what is remembered.
// Called once per request by whoever owns the EndpointStates.
// Sums run in configuration order, so that totals are the picker's to the last bit.
#include "router/core/pipeline.h"

#include <algorithm>
#include <utility>

namespace router {
namespace {

constexpr std::size_t kBytesPerToken = 4;
constexpr std::size_t kSmallestAutoBlockTokens = 64;  // llm-d-router >= 0.9 never uses smaller blocks
constexpr core::Duration kRemovalSweep{120'000'000'000};

double clamp01(double score) { return score > 0 ? std::min(score, 1.0) : 0.0; }

}  // namespace

BlockGeometry block_geometry(const PrefixSettings& prefix, std::uint32_t engine_block_tokens) {
  BlockGeometry geometry;
  const bool tuned = prefix.auto_tune && engine_block_tokens > 0;
  if (prefix.hashing == protocol::PickerHashing::kRouter09) {
    geometry.block_tokens = std::max(kSmallestAutoBlockTokens, tuned ? engine_block_tokens : prefix.block_tokens);
    geometry.block_bytes = geometry.block_tokens * kBytesPerToken;
  } else {
    geometry.block_bytes = prefix.block_chars > 0 ? prefix.block_chars : prefix.block_tokens * kBytesPerToken;
    if (tuned) geometry.block_bytes = engine_block_tokens * kBytesPerToken;
    geometry.block_tokens = std::max<std::size_t>(1, geometry.block_bytes / kBytesPerToken);
  }
  geometry.max_blocks = prefix.max_prefix_blocks;
  if (prefix.max_prefix_tokens > 0) {
    geometry.max_blocks = std::max<std::size_t>(1, prefix.max_prefix_tokens / geometry.block_tokens);
  }
  return geometry;
}

Pipeline::Pipeline(PickerConfig config, const PipelineOptions& options)
    : config_(std::move(config)), options_(options), rng_(core::Rng(options.seed).fork("picker")), index_(options.mode) {
  for (const auto& scorer : config_.scorers) {
    if (scorer.kind == ScorerKind::kNoHitLru) lru_size_ = scorer.lru_size;
  }
}

void Pipeline::hash_prompt(std::string_view model, std::string_view cache_salt, std::string_view bytes,
                           std::span<const EndpointState> endpoints, std::vector<std::uint64_t>& hashes) const {
  hashes.clear();
  if (!needs_prompt() || endpoints.empty()) return;
  const auto geometry = block_geometry(config_.prefix, endpoints.front().block_size_tokens);
  protocol::picker_block_hashes(config_.prefix.hashing, model, cache_salt, bytes, geometry.block_bytes,
                                geometry.max_blocks, hashes);
}

Pick Pipeline::route(const RoutingRequest& request, std::span<const EndpointState> endpoints, core::TimePoint now) {
  resize(endpoints.size());
  collect_candidates(endpoints, now);
  if (candidates_.empty()) return Pick{};
  if (options_.policy != Policy::kConfig) return pick_by_policy();
  gather(request, endpoints, now);
  sum_scores();
  ranked_ = candidates_;
  rank(config_.picker, options_.mode, totals_, rng_, rotation_, RankScratch{keys_, places_}, ranked_);

  Pick pick;
  pick.endpoint = ranked_.front();
  pick.ranked = ranked_;
  pick.totals = totals_;
  pick.scores = Scores{config_.scorers, values_, endpoints.size()};
  pick.total_blocks = input_.total_blocks;
  pick.matched_blocks = config_.needs_prefix() ? matched_[pick.endpoint] : 0;
  const auto column = static_cast<std::size_t>(
      std::lower_bound(candidates_.begin(), candidates_.end(), pick.endpoint) - candidates_.begin());
  pick.uncached_tokens = uncached_tokens(input_, column);
  if (config_.needs_prefix()) note_blocks(pick.endpoint, request, endpoints);
  if (lru_size_ > 0) note_cold(pick.endpoint);
  return pick;
}

Pick Pipeline::pick_by_policy() {
  ranked_ = candidates_;
  if (options_.policy == Policy::kRandom) {
    rng_.shuffle(ranked_);
  } else {
    rotation_.order(ranked_);
  }
  std::fill(totals_.begin(), totals_.end(), 0.0);
  Pick pick;
  pick.endpoint = ranked_.front();
  pick.ranked = ranked_;
  pick.totals = totals_;
  return pick;
}

void Pipeline::resize(std::size_t endpoints) {
  if (totals_.size() == endpoints) return;
  index_.resize(std::max(endpoints, index_.servers()));
  last_cold_.resize(std::max(endpoints, last_cold_.size()));
  gone_.resize(std::max(endpoints, gone_.size()));
  for (auto* list : {&candidates_, &ranked_, &cold_order_}) list->reserve(endpoints);
  for (auto* list : {&cold_rank_, &matched_dense_, &matched_, &places_}) list->resize(endpoints);
  for (auto* list : {&waiting_, &running_, &kv_used_, &score_dense_, &totals_, &keys_}) list->resize(endpoints);
  for (auto* list : {&in_flight_requests_, &in_flight_tokens_}) list->resize(endpoints);
  stale_.resize(endpoints);
  values_.resize(endpoints * config_.scorers.size());
}

void Pipeline::collect_candidates(std::span<const EndpointState> endpoints, core::TimePoint now) {
  candidates_.clear();
  for (std::uint32_t e = 0; e < endpoints.size(); ++e) {
    const bool usable = options_.mode == RouterMode::kEpp || endpoints[e].healthy;
    if (!usable || endpoints[e].draining) continue;
    candidates_.push_back(e);
    gone_[e] = 0;
  }
  sweep_removed(now);
}

void Pipeline::sweep_removed(core::TimePoint now) {
  if (now < next_sweep_) return;
  next_sweep_ = now + kRemovalSweep;
  for (std::size_t e = 0; e < gone_.size(); ++e) {
    if (gone_[e] == 0) continue;
    index_.clear(e);
    gone_[e] = 0;
  }
}

void Pipeline::gather(const RoutingRequest& request, std::span<const EndpointState> endpoints, core::TimePoint now) {
  const bool improved = options_.mode == RouterMode::kImproved;
  const bool prefix = config_.needs_prefix();
  if (prefix) {
    index_.match(request.block_hashes, matched_);
  }
  const std::size_t n = candidates_.size();
  for (std::size_t i = 0; i < n; ++i) {
    const auto& endpoint = endpoints[candidates_[i]];
    const double unseen = improved ? static_cast<double>(endpoint.unseen_picks()) : 0;
    const double own = improved ? static_cast<double>(endpoint.in_flight_requests) : 0;
    waiting_[i] = endpoint.waiting + unseen;
    running_[i] = std::max(endpoint.running, own);
    kv_used_[i] = endpoint.kv_used_fraction;
    const bool old = !endpoint.sampled || now - endpoint.sampled_at > options_.stale_after;
    stale_[i] = improved && old ? 1 : 0;
    in_flight_requests_[i] = endpoint.in_flight_requests;
    in_flight_tokens_[i] = endpoint.in_flight_tokens;
    matched_dense_[i] = prefix ? matched_[candidates_[i]] : 0;
  }
  if (lru_size_ > 0) rank_cold();
  const auto dense = [n](const auto& list) { return std::span(list).first(n); };
  input_.waiting = dense(waiting_);
  input_.running = dense(running_);
  input_.kv_used_fraction = dense(kv_used_);
  input_.stale = dense(stale_);
  input_.in_flight_requests = dense(in_flight_requests_);
  input_.in_flight_tokens = dense(in_flight_tokens_);
  input_.matched_blocks = dense(matched_dense_);
  input_.cold_rank = dense(cold_rank_);
  input_.total_blocks = static_cast<std::uint32_t>(request.block_hashes.size());
  input_.block_tokens =
      static_cast<std::uint32_t>(block_geometry(config_.prefix, endpoints.front().block_size_tokens).block_tokens);
  input_.prompt_tokens = request.prompt_tokens;
}

void Pipeline::rank_cold() {
  // What fell out of the LRU counts as never used; the never used come first, in endpoint order.
  const auto used = static_cast<std::size_t>(std::count_if(last_cold_.begin(), last_cold_.end(), [](auto c) { return c > 0; }));
  const auto age = [&](std::uint32_t column) {
    const auto mine = last_cold_[candidates_[column]];
    if (used <= lru_size_) return mine;
    const auto newer = std::count_if(last_cold_.begin(), last_cold_.end(), [mine](auto c) { return c > mine; });
    return static_cast<std::size_t>(newer) < lru_size_ ? mine : 0;
  };
  cold_order_.clear();
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) cold_order_.push_back(i);
  std::sort(cold_order_.begin(), cold_order_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return age(a) != age(b) ? age(a) < age(b) : a < b;
  });
  for (std::uint32_t rank = 0; rank < cold_order_.size(); ++rank) cold_rank_[cold_order_[rank]] = rank;
}

void Pipeline::sum_scores() {
  std::fill(totals_.begin(), totals_.end(), 0.0);
  std::fill(values_.begin(), values_.end(), 0.0);
  const auto scores = std::span(score_dense_).first(candidates_.size());
  for (std::size_t s = 0; s < config_.scorers.size(); ++s) {
    score(config_.scorers[s], input_, scores);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      values_[s * totals_.size() + candidates_[i]] = scores[i];
      totals_[candidates_[i]] += config_.scorers[s].weight * clamp01(scores[i]);
    }
  }
}

void Pipeline::note_blocks(std::uint32_t endpoint, const RoutingRequest& request,
                           std::span<const EndpointState> endpoints) {
  const auto& prefix = config_.prefix;
  const auto& state = endpoints[endpoint];
  std::size_t blocks = prefix.lru_blocks_per_server;
  if (options_.mode == RouterMode::kEpp) {
    // The picker takes engine blocks for routing blocks; with 16-token engine blocks that is four times too many.
    if (prefix.auto_tune && state.num_gpu_blocks > 0) blocks = state.num_gpu_blocks;
  } else {
    const auto block_tokens = block_geometry(prefix, endpoints.front().block_size_tokens).block_tokens;
    constexpr std::size_t kTokensPerConfiguredBlock = 16;  // "500K tokens / 16" is how the default of 31250 came about
    std::size_t tokens = prefix.lru_blocks_per_server * kTokensPerConfiguredBlock;
    if (state.num_gpu_blocks > 0 && state.block_size_tokens > 0) {
      tokens = std::size_t{state.num_gpu_blocks} * state.block_size_tokens;
    }
    blocks = std::max<std::size_t>(1, tokens / block_tokens);
  }
  index_.set_capacity(endpoint, blocks);
  index_.add(endpoint, request.block_hashes);
}

void Pipeline::note_cold(std::uint32_t endpoint) {
  const auto& matched = input_.matched_blocks;
  if (std::any_of(matched.begin(), matched.end(), [](auto m) { return m > 0; })) return;
  last_cold_[endpoint] = ++cold_count_;
}

void Pipeline::served_elsewhere(std::uint32_t endpoint, const RoutingRequest& request,
                                std::span<const EndpointState> endpoints) {
  if (options_.mode == RouterMode::kEpp || !needs_prompt() || endpoint >= index_.servers()) return;
  note_blocks(endpoint, request, endpoints);
}

void Pipeline::cache_lost(std::uint32_t endpoint) {
  if (options_.mode == RouterMode::kEpp || endpoint >= index_.servers()) return;
  index_.clear(endpoint);
}

void Pipeline::removed(std::uint32_t endpoint) {
  if (endpoint >= index_.servers()) return;
  if (options_.mode == RouterMode::kEpp) {
    gone_[endpoint] = 1;
  } else {
    index_.clear(endpoint);
  }
}

}  // namespace router
