// See watermark.h.
#include "scenarios/watermark.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/rng.h"

namespace scenarios {
namespace {

/// Marks of a Golomb ruler: all differences are distinct, so no two pairs of requests have equal sums.
constexpr std::array<std::uint32_t, 8> kGolomb{0, 1, 4, 9, 15, 22, 32, 34};
constexpr std::size_t kLooked = 5000, kRendered = 300;
/// Requests as different as half of what the ruler gives (8 lengths, so 1/8) are different enough.
constexpr double kNaturalCollision = 1.0 / 16;
constexpr std::size_t kCycle = 64;        ///< values of a max_tokens or body cycle
constexpr std::size_t kMostBuckets = 8, kLeastBuckets = 4;
constexpr std::uint32_t kPaddingBelow = 1024;
constexpr std::uint32_t kModelLenMargin = 16;  ///< what a chat template adds

/// Upper edges of vLLM's token histograms: 1, 2, 5, 10, …
std::vector<std::uint32_t> bucket_edges() {
  std::vector<std::uint32_t> out;
  for (std::uint32_t decade = 1; decade <= 100'000; decade *= 10) {
    for (const std::uint32_t step : {1U, 2U, 5U}) out.push_back(step * decade);
  }
  return out;
}

std::size_t bucket_of(std::uint32_t value) {
  const auto edges = bucket_edges();
  return static_cast<std::size_t>(std::lower_bound(edges.begin(), edges.end(), value) - edges.begin());
}

std::uint32_t most_tokens(const OutputSpec& output) {
  const auto& cycle = output.max_tokens_cycle;
  return cycle.empty() ? output.max_tokens : *std::max_element(cycle.begin(), cycle.end());
}

/// (low, high] of each bucket that a workload's max_tokens may be raised into.
std::vector<std::pair<std::uint32_t, std::uint32_t>> buckets_above(std::uint32_t least, std::uint32_t limit) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  std::uint32_t low = least - 1;
  for (const std::uint32_t edge : bucket_edges()) {
    if (edge <= low) continue;
    const std::uint32_t high = std::min(edge, limit);
    if (high <= low || out.size() == kMostBuckets) break;
    out.emplace_back(low, high);
    low = edge;
  }
  return out;
}

std::uint32_t token_limit(const LengthSpread& spread, const WatermarkFacts& facts) {
  const std::uint32_t used = spread.prompt_max + kModelLenMargin;
  return facts.max_model_len > used ? facts.max_model_len - used : 0;
}

struct Spread {
  double sum = 0, squares = 0;
  std::size_t n = 0;
  void add(double x) {
    sum += x;
    squares += x * x;
    ++n;
  }
  [[nodiscard]] double mean() const { return n == 0 ? 0 : sum / static_cast<double>(n); }
  [[nodiscard]] double stddev() const { return n == 0 ? 0 : std::sqrt(std::max(0.0, squares / static_cast<double>(n) - mean() * mean())); }
};

/// Words differ in length, so prompts of equally many tokens hardly ever have equal bodies.
void look_at_bodies(const Scenario& scenario, const Schedule& schedule, LengthSpread& out) {
  std::map<std::size_t, std::size_t> seen;
  Spread bodies;
  std::string prompt;
  const std::size_t n = std::min(kRendered, schedule.requests.size());
  for (std::size_t i = 0; i < n; ++i) {
    render_prompt(scenario, schedule.requests[i], prompt);
    const std::size_t bytes = prompt.size() + schedule.requests[i].pad_bytes;
    ++seen[bytes];
    bodies.add(static_cast<double>(bytes));
  }
  out.body_stddev = bodies.stddev();
  if (n < 2) return;
  double pairs = 0;
  for (const auto& entry : seen) pairs += static_cast<double>(entry.second) * static_cast<double>(entry.second - 1);
  out.body_collision = pairs / (static_cast<double>(n) * static_cast<double>(n - 1));
}

bool ignores_eos(const Scenario& scenario) {
  return std::any_of(scenario.workloads.begin(), scenario.workloads.end(), [](const Workload& w) { return w.output.ignore_eos; });
}

/// Why max_tokens cannot be cycled; empty: it can.
std::string against_max_tokens(const Scenario& scenario, const LengthSpread& spread, const WatermarkFacts& facts) {
  if (ignores_eos(scenario)) return "max_tokens bounds the answers (ignore_eos)";
  if (!facts.stops_by_itself) return "answers are not known to end by themselves";
  if (facts.max_model_len == 0) return "the server does not state max_model_len";
  for (const auto& w : scenario.workloads) {
    if (buckets_above(most_tokens(w.output), token_limit(spread, facts)).size() < kLeastBuckets) return "max_model_len leaves no room for larger max_tokens";
  }
  return {};
}

WatermarkChoice prompt_choice(const LengthSpread& spread) {
  WatermarkChoice out;
  out.kind = WatermarkKind::kPrompt;
  for (const auto mark : kGolomb) out.extra_prompt_tokens += static_cast<double>(mark) / static_cast<double>(kGolomb.size());
  out.rule = "prompts longer by 0, 1, 4, 9, 15, 22, 32, 34 tokens in turn";
  out.cost = fmt::format("{:.1f} prompt tokens more per request, {:.1f} %", out.extra_prompt_tokens,
                         spread.prompt_mean > 0 ? 100 * out.extra_prompt_tokens / spread.prompt_mean : 0.0);
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
  const auto buckets = buckets_above(most_tokens(scenario.workloads.front().output), token_limit(spread, facts));
  out.rule = fmt::format("max_tokens over {} histogram buckets in turn, {} to {}", buckets.size(), buckets.front().first + 1, buckets.back().second);
  out.cost = "none while answers end by themselves";
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

LengthSpread length_spread(const Scenario& scenario, const Schedule& schedule) {
  LengthSpread out;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> seen;
  std::set<std::size_t> buckets;
  Spread prompts, outputs;
  const std::size_t n = std::min(kLooked, schedule.requests.size());
  for (std::size_t i = 0; i < n; ++i) {
    const auto& request = schedule.requests[i];
    const std::uint32_t tokens = planned_prompt_tokens(scenario, request);
    ++seen[{tokens, request.max_tokens}];
    buckets.insert(bucket_of(request.max_tokens));
    prompts.add(tokens);
    outputs.add(request.max_tokens);
    out.prompt_max = std::max(out.prompt_max, tokens);
    out.max_tokens_max = std::max(out.max_tokens_max, request.max_tokens);
  }
  if (n == 0) return out;
  out.collision = 0;
  for (const auto& entry : seen) {
    const double p = static_cast<double>(entry.second) / static_cast<double>(n);
    out.collision += p * p;
  }
  out.max_tokens_buckets = buckets.size();
  out.prompt_mean = prompts.mean();
  out.prompt_stddev = prompts.stddev();
  out.max_tokens_mean = outputs.mean();
  out.max_tokens_stddev = outputs.stddev();
  look_at_bodies(scenario, schedule, out);
  return out;
}

WatermarkChoice choose_watermark(const Scenario& scenario, const Schedule& schedule, const WatermarkFacts& facts) {
  const LengthSpread spread = length_spread(scenario, schedule);
  if (spread.collision <= kNaturalCollision) {
    WatermarkChoice out;
    out.kind = WatermarkKind::kNatural;
    out.why = fmt::format("two requests have equal lengths with a chance of {:.1f} % only", 100 * spread.collision);
    out.rule = "lengths as they are";
    out.cost = "none";
    return out;
  }
  if (facts.content_length_survives && spread.body_collision <= kNaturalCollision) {
    WatermarkChoice out;
    out.kind = WatermarkKind::kNatural;
    out.why = fmt::format("the replicas count body sizes, and two requests have equal ones with a chance of {:.1f} % only", 100 * spread.body_collision);
    out.rule = "lengths as they are";
    out.cost = "none";
    return out;
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
  WatermarkChoice out = prompt_choice(spread);
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
    out = prompt_choice(spread);
  }
  out.why = "asked for";
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
    if (choice.kind == WatermarkKind::kPrompt) workload.prompt.cycle_extra_tokens.assign(kGolomb.begin(), kGolomb.end());
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
