// Counts what was served per second, and what of it met the SLO.
// Called per run by analyze(). It must never count a failed request as throughput.
#include "analyzers/throughput.h"

#include <algorithm>
#include <cmath>

#include "analyzers/latency.h"
#include "analyzers/statistics.h"

namespace analyzers {
namespace {

using core::kNever;
using core::to_seconds;

constexpr std::size_t kMaxBins = 240;

struct TokenSums {
  double input = 0, output = 0, cached = 0, cached_of = 0;
  std::size_t requests = 0, input_known = 0, output_known = 0, cached_known = 0;
};

TokenSums sum_tokens(const bench::Run& run, const Window& window) {
  TokenSums sums;
  for (const auto& r : run.records) {
    if (!succeeded(r) || !counts_in(window, r)) continue;
    ++sums.requests;
    if (r.prompt_tokens != bench::kUnknownCount) {
      sums.input += r.prompt_tokens;
      ++sums.input_known;
      if (r.cached_tokens != bench::kUnknownCount) {
        sums.cached += r.cached_tokens;
        sums.cached_of += r.prompt_tokens;
        ++sums.cached_known;
      }
    }
    if (r.output_tokens != bench::kUnknownCount) {
      sums.output += r.output_tokens;
      ++sums.output_known;
    }
  }
  return sums;
}

Estimate rate(double amount, std::size_t known, std::size_t of, double seconds, const std::string& method) {
  if (seconds <= 0) return unmeasured("the measured window is empty");
  if (of == 0) return unmeasured("no request succeeded in the window");
  if (known < of) return unmeasured(std::to_string(of - known) + " of " + std::to_string(of) + " responses carried no usage");
  return measured(amount / seconds, method, of);
}

double bin_width(double duration_s) {
  for (const double width : {0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0}) {
    if (duration_s / width <= static_cast<double>(kMaxBins)) return width;
  }
  return std::ceil(duration_s / static_cast<double>(kMaxBins));
}

void scrape_series(const bench::Run& run, std::vector<Series>& out) {
  for (std::size_t replica = 0; replica < run.manifest.replicas.size(); ++replica) {
    const std::string& name = run.manifest.replicas[replica].name;
    Series waiting{"waiting:" + name, "requests", {}, {}};
    Series running{"running:" + name, "requests", {}, {}};
    std::size_t seen = 0;
    for (const auto& s : run.scrapes) seen += s.replica == replica && usable(s) ? 1 : 0;
    const std::size_t every = seen / kMaxBins + 1;
    std::size_t index = 0;
    for (const auto& s : run.scrapes) {
      if (s.replica != replica || !usable(s) || index++ % every != 0) continue;
      const double t = to_seconds(s.answered);
      if (s.values.waiting) {
        waiting.t_s.push_back(t);
        waiting.value.push_back(*s.values.waiting);
      }
      if (s.values.running) {
        running.t_s.push_back(t);
        running.value.push_back(*s.values.running);
      }
    }
    if (!waiting.t_s.empty()) out.push_back(std::move(waiting));
    if (!running.t_s.empty()) out.push_back(std::move(running));
  }
}

}  // namespace

std::string unit_of(std::string_view metric) {
  const auto has = [&](std::string_view text) { return metric.find(text) != std::string_view::npos; };
  if (has("usd")) return "usd";
  if (has("_ms")) return "ms";
  if (has("requests_per_s")) return "requests/s";
  if (has("tokens_per_s")) return "tokens/s";
  if (has("tokens")) return has("ratio") ? "ratio" : "tokens";
  if (has("wrong") || has("mean") || has("count")) return "requests";
  return "ratio";
}

bool lower_is_better(std::string_view metric) {
  const auto has = [&](std::string_view text) { return metric.find(text) != std::string_view::npos; };
  return has("_ms") || has("usd") || has("failed") || has("wrong") || has("in_flight");
}

MetricRow row(std::string metric, Estimate estimate) {
  MetricRow out;
  out.unit = unit_of(metric);
  out.metric = std::move(metric);
  out.estimate = std::move(estimate);
  return out;
}

const MetricRow* find_row(const std::vector<MetricRow>& rows, std::string_view metric) {
  const auto it = std::find_if(rows.begin(), rows.end(), [&](const MetricRow& r) { return r.metric == metric; });
  return it == rows.end() ? nullptr : &*it;
}

std::vector<MetricRow> throughput_rows(const bench::Run& run, const Window& window,
                                       const RequestCounts& counts) {
  const double seconds = window.end_s - window.start_s;
  const std::string method = "successful, by completion in the window";
  const TokenSums sums = sum_tokens(run, window);
  std::vector<MetricRow> rows;
  rows.push_back(row("requests_per_s", rate(static_cast<double>(sums.requests), sums.requests, sums.requests, seconds, method)));
  rows.push_back(row("input_tokens_per_s", rate(sums.input, sums.input_known, sums.requests, seconds, method)));
  rows.push_back(row("output_tokens_per_s", rate(sums.output, sums.output_known, sums.requests, seconds, method)));
  rows.push_back(row("total_tokens_per_s", rate(sums.input + sums.output, std::min(sums.input_known, sums.output_known),
                                                sums.requests, seconds, method)));
  std::size_t offered = 0;
  for (const auto& r : run.records) offered += due_in(window, r) && r.outcome != bench::Outcome::kCancelled ? 1 : 0;
  if (counts.slo_met) {
    rows.push_back(row("goodput_requests_per_s",
                       seconds > 0 ? measured(static_cast<double>(*counts.slo_met) / seconds, "met every SLO, by due time", *counts.slo_met)
                                   : unmeasured("the measured window is empty")));
    rows.push_back(row("slo_attainment_ratio", proportion(std::min(*counts.slo_met, offered), offered, "request was due in the window")));
  } else {
    rows.push_back(row("goodput_requests_per_s", unmeasured("the scenario sets no SLO")));
    rows.push_back(row("slo_attainment_ratio", unmeasured("the scenario sets no SLO")));
  }
  // Requests that we cut off ourselves at the end of the run neither succeeded nor failed.
  const std::size_t ended = counts.sent - counts.cancelled;
  rows.push_back(row("failed_ratio", proportion(counts.failed + counts.timed_out, ended, "request ended")));
  rows.push_back(row("in_flight_mean", counts.sent == 0 ? unmeasured("nothing was sent")
                                                        : measured(mean_in_flight(in_flight_steps(run), window.start_s, window.end_s),
                                                                   "time mean over the window", counts.sent)));
  rows.push_back(row("cached_prompt_tokens_ratio",
                     sums.cached_known == 0 || sums.cached_of <= 0
                         ? unmeasured("the server reports no cached_tokens")
                         : measured(sums.cached / sums.cached_of, "sum of cached_tokens / sum of prompt_tokens", sums.cached_known)));
  return rows;
}

Estimate littles_law_gap(const bench::Run& run, const Window& window) {
  const double seconds = window.end_s - window.start_s;
  if (seconds <= 0) return unmeasured("the measured window is empty");
  double in_flight_s = 0;
  std::size_t ended = 0;
  for (const auto& r : run.records) {
    if (!was_sent(r) || r.done == kNever) continue;
    const double t = to_seconds(r.done);
    if (t <= window.start_s || t > window.end_s) continue;
    ++ended;
    in_flight_s += to_seconds(r.done - dispatch_time(r));
  }
  const double level = mean_in_flight(in_flight_steps(run), window.start_s, window.end_s);
  if (ended == 0 || level <= 0) return unmeasured("no request ended in the window");
  // λW = (ended / T) × (in_flight_s / ended).
  return measured(std::fabs(level - in_flight_s / seconds) / level, "|L - lambda W| / L over the window", ended);
}

std::vector<Series> time_series(const bench::Run& run) {
  std::vector<Series> out;
  double end = 0;
  for (const auto& r : run.records) end = std::max(end, to_seconds(std::max(r.done, r.last_token)));
  if (end <= 0) return out;
  const double width = bin_width(end);
  const auto bins = std::min(kMaxBins + 1, static_cast<std::size_t>(std::ceil(end / width)));
  Series flight{"in_flight", "requests", {}, {}};
  Series served{"requests_per_s", "requests/s", {}, {}};
  Series tokens{"output_tokens_per_s", "tokens/s", {}, {}};
  std::vector<double> done(bins, 0.0);
  std::vector<double> output(bins, 0.0);
  const auto bin_of = [&](core::Duration t) { return std::min(bins - 1, static_cast<std::size_t>(std::max(0.0, to_seconds(t)) / width)); };
  for (const auto& r : run.records) {
    if (succeeded(r) && r.done != kNever) done[bin_of(r.done)] += 1;
  }
  for (const auto& event : run.token_events) output[bin_of(event.at)] += event.tokens;
  const auto steps = in_flight_steps(run);
  std::size_t cursor = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    const double from = static_cast<double>(i) * width;
    while (cursor + 1 < steps.size() && steps[cursor + 1].first <= from) ++cursor;
    // Only the steps of this bin are walked, so a long run costs one pass.
    std::size_t last = cursor;
    while (last < steps.size() && steps[last].first < from + width) ++last;
    const std::vector<std::pair<double, std::size_t>> part(steps.begin() + static_cast<std::ptrdiff_t>(cursor),
                                                          steps.begin() + static_cast<std::ptrdiff_t>(last));
    for (Series* s : {&flight, &served, &tokens}) s->t_s.push_back(from + width / 2);
    flight.value.push_back(mean_in_flight(part, from, from + width));
    served.value.push_back(done[i] / width);
    tokens.value.push_back(output[i] / width);
  }
  out.push_back(std::move(flight));
  out.push_back(std::move(served));
  if (!run.token_events.empty()) out.push_back(std::move(tokens));
  scrape_series(run, out);
  return out;
}

}  // namespace analyzers
