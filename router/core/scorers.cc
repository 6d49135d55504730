// The endpoint picker's scorer formulas (llm-d-router and the inference extension's scorer packages).
// Called by the pipeline; every function is a pure map from ScoringInput to scores.
// Results are unclamped and unweighted on purpose: the pipeline does both, once.
#include "router/core/scorers.h"

#include <algorithm>
#include <limits>

namespace router {
namespace {

constexpr double kNeutral = 0.5;
constexpr double kLoadAwareCeiling = 0.5;

void prefix_cache(const ScorerSpec& scorer, const ScoringInput& input, std::span<double> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (input.total_blocks == 0) {
      scores[i] = 0;
      continue;
    }
    const double matched = input.matched_blocks[i];
    const double ratio = matched / input.total_blocks;
    const double w = scorer.match_length_weight;
    if (w <= 0) {
      scores[i] = ratio;
      continue;
    }
    const double length = std::min(1.0, matched * input.block_tokens / scorer.match_length_scale_tokens);
    scores[i] = w * length * length + (1 - w) * ratio;
  }
}

void kv_cache_utilization(const ScoringInput& input, std::span<double> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i] = input.stale[i] != 0 ? kNeutral : 1 - input.kv_used_fraction[i];
  }
}

/// (max − v) / (max − min) over the fresh candidates; all equal: 1 for all.
void least_of(std::span<const double> values, const ScoringInput& input, std::span<double> scores) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (input.stale[i] != 0) continue;
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (input.stale[i] != 0) {
      scores[i] = kNeutral;
    } else {
      scores[i] = high > low ? (high - values[i]) / (high - low) : 1;
    }
  }
}

void load_aware(const ScorerSpec& scorer, const ScoringInput& input, std::span<double> scores) {
  const double threshold = scorer.waiting_threshold;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (input.stale[i] != 0) {
      scores[i] = kLoadAwareCeiling / 2;
      continue;
    }
    scores[i] = kLoadAwareCeiling * (1 - std::min(input.waiting[i], threshold) / threshold);
  }
}

void active_request(const ScorerSpec& scorer, const ScoringInput& input, std::span<double> scores) {
  double high = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) high = std::max(high, static_cast<double>(input.in_flight_requests[i]));
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto count = static_cast<double>(input.in_flight_requests[i]);
    scores[i] = count <= scorer.idle_threshold ? 1 : (high - count) / high * scorer.max_busy_score;
  }
}

void token_load(const ScorerSpec& scorer, const ScoringInput& input, std::span<double> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto load = static_cast<double>(input.in_flight_tokens[i] + uncached_tokens(input, i));
    scores[i] = 1 - std::min(1.0, load / scorer.queue_threshold_tokens);
  }
}

void no_hit_lru(const ScoringInput& input, std::span<double> scores) {
  const bool hit = std::any_of(input.matched_blocks.begin(), input.matched_blocks.end(), [](auto m) { return m > 0; });
  const std::size_t n = scores.size();
  for (std::size_t i = 0; i < n; ++i) {
    if (hit) {
      scores[i] = kNeutral;
    } else {
      scores[i] = n == 1 ? 1 : 1 - static_cast<double>(input.cold_rank[i]) / static_cast<double>(n - 1);
    }
  }
}

}  // namespace

std::uint64_t uncached_tokens(const ScoringInput& input, std::size_t i) {
  const std::uint64_t cached = std::uint64_t{input.matched_blocks[i]} * input.block_tokens;
  return input.prompt_tokens > cached ? input.prompt_tokens - cached : 0;
}

void score(const ScorerSpec& scorer, const ScoringInput& input, std::span<double> scores) {
  switch (scorer.kind) {
    case ScorerKind::kPrefixCache: return prefix_cache(scorer, input, scores);
    case ScorerKind::kKvCacheUtilization: return kv_cache_utilization(input, scores);
    case ScorerKind::kQueue: return least_of(input.waiting, input, scores);
    case ScorerKind::kRunningRequests: return least_of(input.running, input, scores);
    case ScorerKind::kLoadAware: return load_aware(scorer, input, scores);
    case ScorerKind::kActiveRequest: return active_request(scorer, input, scores);
    case ScorerKind::kTokenLoad: return token_load(scorer, input, scores);
    case ScorerKind::kNoHitLru: return no_hit_lru(input, scores);
  }
}

}  // namespace router
