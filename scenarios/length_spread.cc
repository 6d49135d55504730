// How alike the requests of a schedule are: what decides whether a watermark is needed, and what the forecast of coverage
// rests on. See watermark.h. It renders no more than a few megabytes, however long prompts are.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "scenarios/token_buckets.h"
#include "scenarios/watermark.h"

namespace scenarios {
namespace {

constexpr std::size_t kLooked = 5000, kRendered = 300;
constexpr std::size_t kRenderedBytes = 8U << 20;

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

/// How often values came; the chance that two different requests have the same one.
template <class Value>
class Collisions {
 public:
  void add(const Value& value) {
    ++seen_[value];
    ++n_;
  }
  [[nodiscard]] double chance() const {
    if (n_ < 2) return 1;
    double pairs = 0;
    for (const auto& entry : seen_) pairs += static_cast<double>(entry.second) * static_cast<double>(entry.second - 1);
    return pairs / (static_cast<double>(n_) * static_cast<double>(n_ - 1));
  }

 private:
  std::map<Value, std::size_t> seen_;
  std::size_t n_ = 0;
};

/// Words differ in length, so prompts of equally many tokens hardly ever have equal bodies.
void look_at_bodies(const Scenario& scenario, const Schedule& schedule, LengthSpread& out) {
  Collisions<std::size_t> sizes;
  Spread bodies;
  std::string prompt;
  const std::size_t n = std::min(kRendered, schedule.requests.size());
  std::size_t rendered = 0;
  for (std::size_t i = 0; i < n && (i < 2 || rendered < kRenderedBytes); ++i) {
    render_prompt(scenario, schedule.requests[i], prompt);
    rendered += prompt.size();
    const std::size_t bytes = prompt.size() + schedule.requests[i].pad_bytes;
    sizes.add(bytes);
    bodies.add(static_cast<double>(bytes));
  }
  out.body_mean = bodies.mean();
  out.body_stddev = bodies.stddev();
  out.body_collision = sizes.chance();
}

}  // namespace

LengthSpread length_spread(const Scenario& scenario, const Schedule& schedule) {
  LengthSpread out;
  Collisions<std::pair<std::uint32_t, std::uint32_t>> lengths;
  std::set<std::size_t> buckets;
  Spread prompts, own, outputs;
  PromptTokenCounts counts(scenario);
  const std::size_t n = std::min(kLooked, schedule.requests.size());
  for (std::size_t i = 0; i < n; ++i) {
    const auto& request = schedule.requests[i];
    const auto& spec = scenario.workloads[request.workload].prompt;
    const std::uint32_t tokens = counts.of(request);
    lengths.add({tokens, request.max_tokens});
    buckets.insert(token_bucket(request.max_tokens));
    prompts.add(tokens);
    own.add(spec.kind == PromptKind::kSharedPrefix ? tokens - spec.prefix_tokens : tokens);
    outputs.add(request.max_tokens);
    out.prompt_max = std::max(out.prompt_max, tokens);
    out.max_tokens_max = std::max(out.max_tokens_max, request.max_tokens);
  }
  if (n == 0) return out;
  out.collision = lengths.chance();
  out.max_tokens_buckets = buckets.size();
  out.prompt_mean = prompts.mean();
  out.prompt_stddev = prompts.stddev();
  out.own_mean = own.mean();
  out.max_tokens_mean = outputs.mean();
  out.max_tokens_stddev = outputs.stddev();
  look_at_bodies(scenario, schedule, out);
  return out;
}

}  // namespace scenarios
