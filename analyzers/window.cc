// Finds the measured window and decides which requests belong to it.
// Called by analyze() and judge_validity(). It must never look at how an arm fared to choose its window.
#include "analyzers/window.h"

#include <algorithm>
#include <cmath>

#include "analyzers/latency.h"
#include "analyzers/statistics.h"

namespace analyzers {
namespace {

using core::kNever;
using core::to_seconds;

/// When a request stopped being in flight; never-ended ones stay to the end of the run.
core::Duration end_of(const bench::RequestRecord& r, core::Duration run_end) {
  if (r.done != kNever) return r.done;
  if (r.last_token != kNever) return r.last_token;
  return std::max(run_end, dispatch_time(r));
}

core::Duration end_of_run(const bench::Run& run) {
  core::Duration end = run.manifest.duration;
  for (const auto& r : run.records) {
    end = std::max({end, r.done, r.last_token});
    if (was_sent(r)) end = std::max(end, dispatch_time(r));
  }
  return end;
}

Window open_window(const bench::Run& run, const RunFacts& facts, double trim_s) {
  double last = 0;
  for (const auto& r : run.records) last = std::max(last, to_seconds(std::max(r.intended, r.due)));
  // The stretch that n arrivals stand for ends one mean gap after the last of them.
  if (facts.scenario && facts.scenario->stop.duration) {
    last = std::max(last, std::min(to_seconds(*facts.scenario->stop.duration), to_seconds(end_of_run(run))));
  } else if (facts.offered_rps > 0) {
    last += 1 / facts.offered_rps;
  }
  Window window{trim_s, last, "open loop: scheduled after a trim of " + figure(trim_s) + " s; throughput counts what finished by the end of the schedule"};
  if (window.end_s <= window.start_s) window = {0, last, "open loop: whole run (shorter than its trim)"};
  return window;
}

}  // namespace

std::vector<std::pair<double, std::size_t>> in_flight_steps(const bench::Run& run) {
  const core::Duration run_end = end_of_run(run);
  std::vector<std::pair<core::Duration, int>> edges;
  edges.reserve(run.records.size() * 2);
  for (const auto& r : run.records) {
    if (!was_sent(r)) continue;
    const core::Duration begin = dispatch_time(r);
    edges.emplace_back(begin, 1);
    edges.emplace_back(std::max(begin, end_of(r, run_end)), -1);
  }
  std::sort(edges.begin(), edges.end());
  std::vector<std::pair<double, std::size_t>> steps;
  std::ptrdiff_t level = 0;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    level += edges[i].second;
    if (i + 1 < edges.size() && edges[i + 1].first == edges[i].first) continue;
    steps.emplace_back(to_seconds(edges[i].first), static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, level)));
  }
  return steps;
}

double mean_in_flight(const std::vector<std::pair<double, std::size_t>>& steps, double start_s, double end_s) {
  if (end_s <= start_s) return 0;
  double area = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double from = std::max(start_s, steps[i].first);
    const double to = std::min(end_s, i + 1 < steps.size() ? steps[i + 1].first : end_s);
    if (to > from) area += (to - from) * static_cast<double>(steps[i].second);
  }
  return area / (end_s - start_s);
}

Window measured_window(const bench::Run& run, const RunFacts& facts) {
  const double trim_s = facts.scenario ? to_seconds(facts.scenario->trim_start) : 0;
  if (!facts.closed_loop) return open_window(run, facts, trim_s);
  const auto steps = in_flight_steps(run);
  const double end = to_seconds(end_of_run(run));
  const double wanted = 0.95 * facts.concurrency;
  double first = -1;
  double last = -1;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double until = i + 1 < steps.size() ? steps[i + 1].first : end;
    if (static_cast<double>(steps[i].second) < wanted || until <= trim_s) continue;
    if (first < 0) first = std::max(trim_s, steps[i].first);
    last = until;
  }
  // Untrimmed, the opening requests count too: they are due a moment before the first of them is handed out.
  if (trim_s <= 0 && first >= 0) {
    for (const auto& r : run.records) {
      if (r.due != kNever && was_sent(r)) first = std::min(first, std::max(0.0, to_seconds(r.due)));
    }
  }
  if (facts.concurrency > 0 && first >= 0 && last > first) {
    return {first, last, "trim " + figure(trim_s) + " s, in-flight >= 0.95 c"};
  }
  if (end > trim_s) {
    return {trim_s, end, "trim " + figure(trim_s) + " s, whole rest: in-flight never reached 0.95 c"};
  }
  return {0, end, "whole run (shorter than its trim)"};
}

bool due_in(const Window& window, const bench::RequestRecord& record) {
  const core::Duration due = record.due != kNever ? record.due : record.intended != kNever ? record.intended : dispatch_time(record);
  if (due == kNever) return false;
  const double t = to_seconds(due);
  return t >= window.start_s && t <= window.end_s;
}

bool counts_in(const Window& window, const bench::RequestRecord& record) {
  if (record.done == kNever) return false;
  const double t = to_seconds(record.done);
  return t > window.start_s && t <= window.end_s;
}

RequestCounts count_requests(const bench::Run& run, const RunFacts& facts, const Window& window) {
  RequestCounts counts;
  counts.scheduled = run.records.size();
  const bool has_slo = facts.scenario && (facts.scenario->slo.ttft_ms || facts.scenario->slo.tpot_ms || facts.scenario->slo.e2e_ms);
  if (has_slo) counts.slo_met = 0;
  for (const auto& r : run.records) {
    if (r.outcome == bench::Outcome::kNotSent) {
      ++counts.not_sent;
      continue;
    }
    ++counts.sent;
    switch (r.outcome) {
      case bench::Outcome::kOk: ++counts.succeeded; break;
      case bench::Outcome::kTimeout: ++counts.timed_out; break;
      case bench::Outcome::kCancelled: ++counts.cancelled; break;
      default: ++counts.failed; break;
    }
    if (!succeeded(r)) continue;
    if (counts_in(window, r)) ++counts.measured;
    if (has_slo && due_in(window, r) && meets_slo(r, facts.scenario->slo)) ++*counts.slo_met;
  }
  return counts;
}

}  // namespace analyzers
