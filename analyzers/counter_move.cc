// Differences of one replica's finish counters, and the feasibility of sets of requests within them.
// Called by serial_probe.cc and probe_ledger.cc. It must call a move feasible whenever it is: a wrong "cannot" would
// turn an ambiguous probe into a claim about the others.
#include "analyzers/counter_move.h"

#include <algorithm>
#include <cmath>

#include "analyzers/run_facts.h"

namespace analyzers {
namespace {

/// The server's and our clock, and floats in the exposition: an e2e that exceeds the latency by less proves nothing.
constexpr double kClockSlack_s = 0.005;

HistogramMove histogram_move(const protocol::HistogramTotals& before, const protocol::HistogramTotals& after) {
  HistogramMove move;
  move.present = before.present && after.present;
  if (!move.present) return move;
  move.sum = std::llround(after.sum - before.sum);
  if (before.bucket_count != after.bucket_count) return move;
  double previous = 0;
  for (std::size_t i = 0; i < after.bucket_count; ++i) {
    const double delta = after.cumulative[i] - before.cumulative[i];
    move.buckets.push_back(std::llround(delta - previous));
    move.upper.push_back(after.upper[i]);
    previous = delta;
  }
  return move;
}

std::optional<double> difference(const std::optional<double>& before, const std::optional<double>& after) {
  if (!before || !after) return std::nullopt;
  return *after - *before;
}

/// Least and greatest whole number in a bucket.
double least_in(const HistogramMove& move, std::size_t bucket) {
  return bucket == 0 ? 0.0 : std::floor(move.upper[bucket - 1]) + 1;
}

/// The remaining sum lies within what the remaining buckets can hold.
bool remainder_fits(const HistogramMove& move, const std::vector<std::int64_t>& rest, double sum_low, double sum_high) {
  double least = 0;
  double most = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] < 0) return false;
    least += static_cast<double>(rest[i]) * least_in(move, i);
    if (rest[i] > 0) most += static_cast<double>(rest[i]) * std::floor(move.upper[i]);
  }
  return sum_high >= least && sum_low <= most;
}

/// Takes known values out of a histogram's move.
template <class Value>
bool known_values_fit(const HistogramMove& move, std::span<const ProbeVector* const> probes, bool no_rest, Value value) {
  if (!move.present) return true;
  double taken = 0;
  std::vector<std::int64_t> rest = move.buckets;
  for (const ProbeVector* probe : probes) {
    const std::uint32_t v = value(*probe);
    if (v == protocol::kUnknownCount) return true;
    taken += v;
    const std::size_t bucket = bucket_of(move.upper, v);
    if (bucket < rest.size()) --rest[bucket];
  }
  const double sum = static_cast<double>(move.sum) - taken;
  if (no_rest) return sum == 0 && std::all_of(rest.begin(), rest.end(), [](std::int64_t n) { return n == 0; });
  return sum >= 0 && (rest.empty() || remainder_fits(move, rest, sum, sum));
}

/// As asked, or less where the server caps to what its context leaves.
bool max_tokens_fit(const HistogramMove& move, std::span<const ProbeVector* const> probes, bool no_rest, bool as_asked) {
  if (!move.present) return true;
  const auto asked = [](const ProbeVector& probe) { return probe.max_tokens; };
  if (as_asked) return known_values_fit(move, probes, no_rest, asked);
  double most = 0;
  double least = 0;
  for (const ProbeVector* probe : probes) {
    most += probe->max_tokens;
    least += probe->output_tokens == protocol::kUnknownCount ? 1 : std::max(1u, probe->output_tokens);
  }
  const auto sum = static_cast<double>(move.sum);
  return sum >= least && (!no_rest || sum <= most);
}

}  // namespace

std::size_t bucket_of(std::span<const double> upper, double value) {
  std::size_t i = 0;
  while (i < upper.size() && value > upper[i]) ++i;
  return i;
}

CounterMove counter_move(const protocol::VllmSnapshot* before, const protocol::VllmSnapshot* after) {
  CounterMove move;
  if (before == nullptr || after == nullptr) return move;
  const auto from = finished_count(*before);
  const auto to = finished_count(*after);
  move.reset = is_reset(*before, *after);
  if (move.reset || !from || !to) return move;
  move.readable = true;
  move.finishes = std::llround(*to - *from);
  move.prompt = histogram_move(before->request_prompt_tokens, after->request_prompt_tokens);
  move.output = histogram_move(before->request_generation_tokens, after->request_generation_tokens);
  move.max_tokens = histogram_move(before->request_max_tokens, after->request_max_tokens);
  if (before->e2e.present && after->e2e.present) move.e2e_s = after->e2e.sum - before->e2e.sum;
  move.http_bytes = difference(before->http_request_bytes_sum, after->http_request_bytes_sum);
  move.http_requests = difference(before->http_request_count, after->http_request_count);
  return move;
}

bool can_hold(const CounterMove& move, std::span<const ProbeVector* const> probes, bool as_asked) {
  const auto rest = move.finishes - static_cast<std::int64_t>(probes.size());
  if (!move.readable || rest < 0) return false;
  const bool no_rest = rest == 0;
  if (no_rest && move.e2e_s && !probes.empty()) {
    double latest = kClockSlack_s;
    bool known = true;
    for (const ProbeVector* probe : probes) {
      known = known && probe->latency != core::kNever;
      latest += core::to_seconds(probe->latency);
    }
    if (known && *move.e2e_s > latest) return false;
  }
  return known_values_fit(move.prompt, probes, no_rest, [](const ProbeVector& p) { return p.prompt_tokens; }) &&
         known_values_fit(move.output, probes, no_rest, [](const ProbeVector& p) { return p.output_tokens; }) &&
         max_tokens_fit(move.max_tokens, probes, no_rest, as_asked);
}

}  // namespace analyzers
