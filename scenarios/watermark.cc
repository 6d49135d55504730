// See watermark.h.
#include "scenarios/watermark.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/rng.h"
#include "scenarios/token_buckets.h"

namespace scenarios {
namespace {

/// Marks of Golomb rulers: all differences are distinct, so no two pairs of requests have equal sums.
constexpr std::array<std::uint32_t, 8> kGolomb{0, 1, 4, 9, 15, 22, 32, 34};
constexpr std::array<std::uint32_t, 14> kLongGolomb{0, 4, 6, 20, 35, 52, 59, 77, 78, 86, 89, 99, 122, 127};
constexpr std::size_t kCycle = 64;        ///< values of a max_tokens or body cycle
constexpr std::size_t kMostBuckets = 8, kLeastBuckets = 4;
constexpr std::uint32_t kPaddingBelow = 1024;
/// What a chat template adds, and how much longer than the longest prompt that was looked at others may be for the server.
constexpr std::uint32_t kModelLenMargin = 16;
constexpr double kTokensMargin = 1.1;

std::uint32_t most_tokens(const OutputSpec& output) {
  const auto& cycle = output.max_tokens_cycle;
  return cycle.empty() ? output.max_tokens : *std::max_element(cycle.begin(), cycle.end());
}

/// (low, high] of each bucket that a workload's max_tokens may be raised into.
std::vector<std::pair<std::uint32_t, std::uint32_t>> buckets_above(std::uint32_t least, std::uint32_t limit) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  std::uint32_t low = least - 1;
  for (const std::uint32_t edge : kTokenBucketEdges) {
    if (edge <= low) continue;
    const std::uint32_t high = std::min(edge, limit);
    if (high <= low || out.size() == kMostBuckets) break;
    out.emplace_back(low, high);
    low = edge;
  }
  return out;
}

/// Tokens that the longest prompt surely leaves: vLLM refuses a request whose prompt and max_tokens exceed its context.
std::uint32_t token_limit(const LengthSpread& spread, const WatermarkFacts& facts) {
  const double used = spread.prompt_max * std::max(1.0, facts.tokens_ratio) * kTokensMargin + kModelLenMargin;
  return used < facts.max_model_len ? facts.max_model_len - static_cast<std::uint32_t>(std::ceil(used)) : 0;
}

bool ignores_eos(const Scenario& scenario) {
  return std::any_of(scenario.workloads.begin(), scenario.workloads.end(), [](const Workload& w) { return w.output.ignore_eos; });
}

/// Why larger values of max_tokens are not even worth asking for; empty: they are.
std::string against_larger_max_tokens(const Scenario& scenario, const LengthSpread& spread, const WatermarkFacts& facts) {
  if (ignores_eos(scenario)) return "max_tokens bounds the answers (ignore_eos)";
  if (!facts.stops_by_itself) return "answers are not known to end by themselves";
  if (facts.max_model_len == 0) return "the server does not state max_model_len";
  for (const auto& w : scenario.workloads) {
    if (buckets_above(most_tokens(w.output), token_limit(spread, facts)).size() < kLeastBuckets) return "max_model_len leaves no room for larger max_tokens";
  }
  return {};
}

/// Why max_tokens cannot be cycled; empty: it can.
std::string against_max_tokens(const Scenario& scenario, const LengthSpread& spread, const WatermarkFacts& facts) {
  std::string out = against_larger_max_tokens(scenario, spread, facts);
  if (out.empty() && !facts.max_tokens_counted) out = "the replicas did not count max_tokens as sent";
  return out;
}

/// Per cent of `tokens` that `extra` is, against whole prompts and against what a warm cache leaves of them.
std::string share_of(double extra, const LengthSpread& spread) {
  if (!(spread.prompt_mean > 0)) return "";
  std::string out = fmt::format(", {:.1f} % of prompts", 100 * extra / spread.prompt_mean);
  if (spread.own_mean > 0 && spread.own_mean < spread.prompt_mean) out += fmt::format(" and {:.1f} % of what a warm cache leaves to prefill", 100 * extra / spread.own_mean);
  return out;
}

template <class Marks>
WatermarkChoice lengths_choice(const Marks& marks, const LengthSpread& spread) {
  WatermarkChoice out;
  out.kind = WatermarkKind::kPrompt;
  out.marks.assign(marks.begin(), marks.end());
  for (const auto mark : marks) out.extra_prompt_tokens += static_cast<double>(mark) / static_cast<double>(marks.size());
  out.rule = fmt::format("prompts longer by {} tokens in turn", fmt::join(marks, ", "));
  out.cost = fmt::format("{:.1f} prompt tokens more per request{}", out.extra_prompt_tokens, share_of(out.extra_prompt_tokens, spread));
  return out;
}

WatermarkChoice body_choice() {
  WatermarkChoice out;
  out.kind = WatermarkKind::kBody;
  out.extra_body_bytes = kPaddingBelow / 2.0;
  out.rule = fmt::format("a `user` text of up to {} bytes, {} lengths in turn", kPaddingBelow - 1, kCycle);
  out.cost = fmt::format("{:.0f} bytes more per request body; no work for the model", out.extra_body_bytes);
  return out;
}

WatermarkChoice max_tokens_choice(const Scenario& scenario, const LengthSpread& spread, const WatermarkFacts& facts) {
  WatermarkChoice out;
  out.kind = WatermarkKind::kMaxTokens;
  std::size_t fewest = kMostBuckets;
  std::uint32_t low = UINT32_MAX, high = 0, least_own = UINT32_MAX;
  for (const auto& workload : scenario.workloads) {
    const auto buckets = buckets_above(most_tokens(workload.output), token_limit(spread, facts));
    fewest = std::min(fewest, buckets.size());
    low = std::min(low, buckets.front().first + 1);
    high = std::max(high, buckets.back().second);
    least_own = std::min(least_own, most_tokens(workload.output));
  }
  out.rule = fmt::format("max_tokens over {} histogram buckets in turn, {} to {}", fewest, low, high);
  out.cost = fmt::format("none while answers end by themselves, as all {} probes did; what the scenario would cut at {} tokens runs on", facts.probes, least_own);
  return out;
}

WatermarkChoice nothing_to_do(WatermarkKind kind, std::string why) {
  WatermarkChoice out;
  out.kind = kind;
  out.why = std::move(why);
  out.rule = "requests as they are";
  out.cost = "none";
  return out;
}

}  // namespace

std::string_view word_for(WatermarkKind kind) {
  switch (kind) {
    case WatermarkKind::kNone: return "none";
    case WatermarkKind::kNatural: return "natural";
    case WatermarkKind::kMaxTokens: return "max-tokens";
    case WatermarkKind::kBody: return "body";
    case WatermarkKind::kPrompt: return "prompt-length";
  }
  return "none";
}

WatermarkChoice choose_watermark(const Scenario& scenario, const Schedule& schedule, const WatermarkFacts& facts) {
  if (scenario.serial_probe) return nothing_to_do(WatermarkKind::kNone, "requests go one by one between scrapes, which is exact");
  if (facts.replicas == 1) return nothing_to_do(WatermarkKind::kNone, "one replica serves all");
  if (schedule.requests.size() < 2) return nothing_to_do(WatermarkKind::kNone, "there are no two requests to tell apart");
  const LengthSpread spread = length_spread(scenario, schedule);
  if (spread.collision <= kNaturalCollision) {
    return nothing_to_do(WatermarkKind::kNatural, fmt::format("two requests have equal lengths with a chance of {:.1f} % only", 100 * spread.collision));
  }
  if (facts.content_length_survives && spread.body_collision <= kNaturalCollision) {
    return nothing_to_do(WatermarkKind::kNatural, fmt::format("the replicas count body sizes, and two requests have equal ones with a chance of {:.1f} % only",
                                                              100 * spread.body_collision));
  }
  std::string why = fmt::format("lengths are too alike (equal with a chance of {:.0f} %)", 100 * spread.collision);
  const std::string obstacle = against_max_tokens(scenario, spread, facts);
  if (obstacle.empty()) {
    WatermarkChoice out = max_tokens_choice(scenario, spread, facts);
    out.why = why;
    return out;
  }
  why += "; " + obstacle;
  if (facts.content_length_survives) {
    WatermarkChoice out = body_choice();
    out.why = why;
    return out;
  }
  WatermarkChoice out = lengths_choice(kGolomb, spread);
  out.why = why + "; body sizes are not known to reach the replicas' counters";
  return out;
}

core::Result<WatermarkChoice> force_watermark(WatermarkKind kind, const Scenario& scenario, const Schedule& schedule, const WatermarkFacts& facts) {
  const LengthSpread spread = length_spread(scenario, schedule);
  WatermarkChoice out;
  out.kind = kind;
  if (kind == WatermarkKind::kMaxTokens) {
    const std::string obstacle = against_max_tokens(scenario, spread, facts);
    if (!obstacle.empty()) return core::fail(core::ErrorCode::kInvalid, "--watermark max-tokens: " + obstacle, "use --watermark auto");
    out = max_tokens_choice(scenario, spread, facts);
  } else if (kind == WatermarkKind::kBody) {
    if (!facts.content_length_survives) {
      return core::fail(core::ErrorCode::kInvalid, "--watermark body: the replicas' counters do not show the bytes that were sent", "use --watermark auto");
    }
    out = body_choice();
  } else if (kind == WatermarkKind::kPrompt) {
    out = lengths_choice(kGolomb, spread);
  }
  out.why = "asked for";
  return out;
}

WatermarkChoice with_more_lengths(WatermarkChoice prompt_choice, const LengthSpread& spread) {
  WatermarkChoice out = lengths_choice(kLongGolomb, spread);
  out.why = std::move(prompt_choice.why);
  return out;
}

std::uint32_t largest_max_tokens(const Scenario& scenario, const Schedule& schedule, const WatermarkFacts& facts) {
  const LengthSpread spread = length_spread(scenario, schedule);
  if (!against_larger_max_tokens(scenario, spread, facts).empty()) return 0;
  std::uint32_t out = 0;
  for (const auto& workload : scenario.workloads) out = std::max(out, buckets_above(most_tokens(workload.output), token_limit(spread, facts)).back().second);
  return out;
}

Scenario without_watermark(Scenario scenario) {
  for (auto& workload : scenario.workloads) {
    if (scenario.watermark == "prompt-length") workload.prompt.cycle_extra_tokens.clear();
    if (scenario.watermark == "max-tokens") workload.output.max_tokens_cycle.clear();
  }
  if (scenario.watermark == "body") scenario.pad_body_bytes_cycle.clear();
  scenario.watermark = "none";
  return scenario;
}

Scenario with_watermark(Scenario scenario, const WatermarkChoice& choice, const WatermarkFacts& facts, std::uint64_t seed) {
  if (choice.kind == WatermarkKind::kNone || choice.kind == WatermarkKind::kNatural) return scenario;
  core::Rng rng = core::Rng(seed).fork("watermark");
  if (choice.kind == WatermarkKind::kBody) {
    std::vector<std::uint32_t> lengths(kPaddingBelow);
    for (std::uint32_t i = 0; i < kPaddingBelow; ++i) lengths[i] = i;
    rng.shuffle(lengths);
    scenario.pad_body_bytes_cycle.assign(lengths.begin(), lengths.begin() + kCycle);
  }
  const auto planned = plan(scenario, seed);
  const LengthSpread spread = planned ? length_spread(scenario, *planned) : LengthSpread{};
  for (auto& workload : scenario.workloads) {
    if (choice.kind == WatermarkKind::kPrompt) workload.prompt.cycle_extra_tokens = choice.marks;
    if (choice.kind != WatermarkKind::kMaxTokens) continue;
    const auto buckets = buckets_above(most_tokens(workload.output), token_limit(spread, facts));
    if (buckets.empty()) continue;
    workload.output.max_tokens_cycle.clear();
    for (std::size_t i = 0; i < kCycle; ++i) {
      const auto& [low, high] = buckets[i % buckets.size()];
      workload.output.max_tokens_cycle.push_back(low + 1 + static_cast<std::uint32_t>(rng.below(high - low)));
    }
  }
  scenario.watermark = word_for(choice.kind);
  return scenario;
}

WatermarkChoice own_watermark(const Scenario& scenario) {
  WatermarkChoice out;
  out.why = "the scenario's own";
  if (scenario.watermark == "prompt-length") {
    out.kind = WatermarkKind::kPrompt;
    std::size_t n = 0;
    double sum = 0;
    for (const auto& workload : scenario.workloads) {
      for (const auto extra : workload.prompt.cycle_extra_tokens) sum += extra, ++n;
    }
    out.extra_prompt_tokens = n == 0 ? 0 : sum / static_cast<double>(n);
    out.rule = "cycle_extra_tokens of the scenario";
    out.cost = fmt::format("{:.1f} prompt tokens more per request", out.extra_prompt_tokens);
  } else if (scenario.watermark == "max-tokens") {
    out.kind = WatermarkKind::kMaxTokens;
    out.rule = "max_tokens_cycle of the scenario";
    out.cost = "none while answers end by themselves";
  } else if (scenario.watermark == "body") {
    out.kind = WatermarkKind::kBody;
    out.rule = "pad_body_bytes_cycle of the scenario";
  } else {
    out.why = "the scenario brings none";
  }
  return out;
}

double finishes_per_window(WatermarkKind kind, const Scenario& scenario) {
  constexpr double kFixed = 0.2, kEightLengths = 0.8, kManyLengths = 2, kClasses = 4;
  switch (kind) {
    case WatermarkKind::kNone: return kFixed;
    case WatermarkKind::kNatural:
    case WatermarkKind::kMaxTokens: return kClasses;
    case WatermarkKind::kBody: return kManyLengths;
    case WatermarkKind::kPrompt: break;
  }
  std::size_t fewest = 1000;
  for (const auto& workload : scenario.workloads) fewest = std::min(fewest, workload.prompt.cycle_extra_tokens.size());
  return fewest < 8 ? kFixed : fewest < 14 ? kEightLengths : kManyLengths;
}

}  // namespace scenarios
