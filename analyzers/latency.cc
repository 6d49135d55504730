// Takes latency samples from records and token events and describes their distribution.
// Called per run and, with pooled samples, per arm. It must never average a percentile or print one that n cannot bear.
#include "analyzers/latency.h"

#include <algorithm>
#include <cmath>

#include "analyzers/statistics.h"
#include "analyzers/window.h"
#include "core/quantiles.h"

namespace analyzers {
namespace {

using core::kNever;
using core::to_ms;

constexpr std::size_t kSurvivalPoints = 240;

core::Duration due_of(const bench::RequestRecord& r) {
  return r.due != kNever ? r.due : r.intended != kNever ? r.intended : dispatch_time(r);
}

std::optional<double> between(core::Duration from, core::Duration to) {
  if (from == kNever || to == kNever || to < from) return std::nullopt;
  return to_ms(to - from);
}

/// A chunk with k tokens counts as k gaps of gap/k (token-weighted); ICL takes the gaps as they came.
void add_gaps(const bench::Run& run, const bench::RequestRecord& r, std::vector<double>& itl, std::vector<double>& icl) {
  const std::size_t begin = r.token_events_begin;
  const std::size_t end = begin + r.token_events_count;
  if (end > run.token_events.size()) return;
  std::size_t counted = 0;
  for (std::size_t i = begin; i < end; ++i) counted += std::max<std::size_t>(1, run.token_events[i].tokens);
  // A chunk may hold several tokens and not say so: gaps between tokens are known only where the chunks' tokens add up to
  // what usage says.
  const bool adds_up = r.output_tokens != bench::kUnknownCount && counted == r.output_tokens;
  for (std::size_t i = begin + 1; i < end; ++i) {
    const auto& event = run.token_events[i];
    const double gap = std::max(0.0, to_ms(event.at - run.token_events[i - 1].at));
    icl.push_back(gap);
    if (!adds_up) continue;
    const std::size_t tokens = std::max<std::size_t>(1, event.tokens);
    itl.insert(itl.end(), tokens, gap / static_cast<double>(tokens));
  }
}

/// (value, share above) on an even grid in log(1 - q), so that the tail has as many points as the body.
std::vector<std::pair<double, double>> survival_points(const std::vector<double>& sorted) {
  std::vector<std::pair<double, double>> points;
  const std::size_t n = sorted.size();
  if (n == 0) return points;
  const auto dn = static_cast<double>(n);
  const std::size_t steps = std::min(kSurvivalPoints, n);
  std::size_t last_rank = 0;
  for (std::size_t i = 0; i < steps; ++i) {
    // From share 1 (all above) down to 1/n; the maximum itself closes the curve at share 0.
    const double share = steps == 1 ? 1.0 : std::exp(-std::log(dn) * static_cast<double>(i) / static_cast<double>(steps - 1));
    const auto rank = std::clamp<std::size_t>(static_cast<std::size_t>(std::lround((1 - share) * dn)) + 1, 1, n);
    if (rank == last_rank) continue;
    last_rank = rank;
    points.emplace_back(sorted[rank - 1], static_cast<double>(n - rank) / dn);
  }
  return points;
}

QuantileRow quantile_row(const std::vector<double>& sorted, const std::string& name, double q, const std::string& label) {
  QuantileRow row{name, q, {}};
  const std::size_t needed = core::min_samples_for_quantile(q);
  if (sorted.size() < needed) {
    row.estimate = unmeasured("needs " + std::to_string(needed) + " samples, has " + std::to_string(sorted.size()));
    row.estimate.n = sorted.size();
    return row;
  }
  row.estimate = measured(core::quantile_sorted(sorted, q), "nearest rank; order statistic " + label, sorted.size());
  if (const auto ranks = core::quantile_interval_ranks(sorted.size(), q)) {
    row.estimate.low = sorted[ranks->first - 1];
    row.estimate.high = sorted[ranks->second - 1];
  }
  return row;
}

}  // namespace

const std::vector<std::pair<std::string, double>>& quantile_points() {
  static const std::vector<std::pair<std::string, double>> points{
      {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99_9", 0.999}};
  return points;
}

std::optional<double> ttft_ms(const bench::RequestRecord& r) { return between(due_of(r), r.first_token); }

std::optional<double> ttft_from_send_ms(const bench::RequestRecord& r) {
  return between(r.sent != kNever ? r.sent : r.dispatched, r.first_token);
}

std::optional<double> tpot_ms(const bench::RequestRecord& r) {
  if (r.output_tokens == bench::kUnknownCount || r.output_tokens < 2) return std::nullopt;
  const auto span = between(r.first_token, r.last_token);
  // Several tokens and one stamp: they came merged in one read, and nothing is known of the time between them.
  if (!span || *span <= 0) return std::nullopt;
  return *span / static_cast<double>(r.output_tokens - 1);
}

std::optional<double> e2e_ms(const bench::RequestRecord& r) {
  return between(due_of(r), r.last_token != kNever ? r.last_token : r.done);
}

bool meets_slo(const bench::RequestRecord& r, const scenarios::Slo& slo) {
  if (!succeeded(r)) return false;
  const auto within = [](std::optional<double> value, std::optional<double> limit) { return !limit || (value && *value <= *limit); };
  // One output token has no TPOT; nobody waited between tokens, so the limit is met.
  const bool single = r.output_tokens != bench::kUnknownCount && r.output_tokens < 2;
  return within(ttft_ms(r), slo.ttft_ms) && (single || within(tpot_ms(r), slo.tpot_ms)) && within(e2e_ms(r), slo.e2e_ms);
}

std::vector<LatencySamples> collect_latencies(const bench::Run& run, const RunFacts& facts, const Window& window) {
  std::vector<LatencySamples> out{{"ttft_ms", {}, {}}, {"ttft_from_send_ms", {}, {}}, {"tpot_ms", {}, {}}, {"itl_ms", {}, {}},
                                  {"icl_ms", {}, {}},  {"e2e_ms", {}, {}},            {"normalised_latency_ms", {}, {}}};
  const auto add = [](LatencySamples& to, std::optional<double> value) {
    if (value) to.ms.push_back(*value);
  };
  bool any = false;
  for (const auto& r : run.records) {
    if (!succeeded(r) || !due_in(window, r)) continue;
    any = true;
    if (facts.streamed) {
      add(out[0], ttft_ms(r));
      add(out[1], ttft_from_send_ms(r));
      add(out[2], tpot_ms(r));
      add_gaps(run, r, out[3].ms, out[4].ms);
    }
    const auto e2e = e2e_ms(r);
    add(out[5], e2e);
    if (e2e && r.output_tokens != bench::kUnknownCount && r.output_tokens > 0) out[6].ms.push_back(*e2e / r.output_tokens);
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!out[i].ms.empty()) continue;
    if (!any) out[i].reason = "no successful request is due in the window";
    else if (!facts.streamed && i < 5) out[i].reason = "responses were not streamed: only the end of each is known";
    else if (i == 2 || i == 6) out[i].reason = "needs output tokens from usage (2 or more for TPOT)";
    else if (i == 3 && !out[4].ms.empty()) out[i].reason = "how many tokens each chunk held is not known: chunks do not add up to usage (continuous_usage would tell)";
    else out[i].reason = "no token times were recorded";
  }
  return out;
}

Distribution describe(LatencySamples samples, const std::string& label) {
  std::sort(samples.ms.begin(), samples.ms.end());
  Distribution d;
  d.metric = samples.metric;
  d.n = samples.ms.size();
  if (d.n > 0) {
    const Moments m = moments(samples.ms);
    d.mean = m.mean;
    if (m.n > 1) d.stddev = m.stddev;
    d.min = samples.ms.front();
    d.max = samples.ms.back();
  }
  for (const auto& point : quantile_points()) {
    d.quantiles.push_back(quantile_row(samples.ms, point.first, point.second, label));
    if (d.n == 0 && !samples.reason.empty()) d.quantiles.back().estimate.reason = samples.reason;
  }
  d.survival = survival_points(samples.ms);
  return d;
}

}  // namespace analyzers
