// Runs made up for tests: responses over replicas whose counters move as vLLM's do, scraped as the bench scrapes.
// Used by the analyzers' tests only. Seeded; it knows the truth, the code under test must not.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/run.h"
#include "core/rng.h"
#include "scenarios/scenario.h"

namespace analyzers_test {

using core::Duration;

struct CounterWorld {
  std::uint64_t seed = 1;
  std::size_t replicas = 3, requests = 2000;
  double rate_rps = 30;
  std::vector<std::uint32_t> extra_tokens{0, 1, 4, 9, 15, 22, 32, 34};
  std::uint32_t prompt_tokens = 512, output_tokens = 50;
  double hold_ms = 0.8, scrape_gap_ms = 20, rtt_ms = 1.5;
  double foreign_share = 0, missed_scrapes = 0, held_share = 0, held_ms = 30;
  double foreign_same_shape = 0.5;   ///< share of foreign requests that look like ours
  std::vector<std::size_t> listed;   ///< which replica each listed name scrapes; empty: 0..replicas-1
  bool same_urls = false;            ///< listed twice means the same URL, else another spelling
  int restart_replica = -1;          ///< loses its counters in the middle
};

struct CounterRun {
  bench::Run run;
  std::vector<int> truth;  ///< per record: index into the listed names of its replica; -1: not listed
};

inline void observe(protocol::HistogramTotals& h, double value) {
  if (!h.present) {
    h.present = true;
    for (const double u : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0}) h.upper[h.bucket_count++] = u;
    h.upper[h.bucket_count++] = HUGE_VAL;
  }
  if (value < 0) return;
  h.count += 1;
  h.sum += value;
  for (std::size_t i = 0; i < h.bucket_count; ++i) h.cumulative[i] += value <= h.upper[i] ? 1 : 0;
}

inline void count_finish(protocol::VllmSnapshot& s, double prompt, double output, double max_tokens) {
  if (prompt >= 0) s.success = s.success.value_or(0) + 1;
  else s.success = s.success.value_or(0);
  observe(s.request_prompt_tokens, prompt);
  observe(s.request_generation_tokens, output);
  observe(s.request_max_tokens, max_tokens);
  s.prompt_tokens = s.request_prompt_tokens.sum;
  s.generation_tokens = s.request_generation_tokens.sum;
}

inline protocol::VllmSnapshot fresh_counters(double created) {
  protocol::VllmSnapshot s;
  count_finish(s, -1, -1, -1);
  s.created_unix_s = created;
  s.process_start_unix_s = created;
  return s;
}

struct Finish {
  Duration at{};
  std::size_t replica = 0;
  std::uint32_t prompt = 0, output = 0, max_tokens = 0;
};

inline scenarios::Scenario closed_scenario(std::uint32_t concurrency) {
  scenarios::Scenario s;
  s.name = "made-up";
  s.load.model = scenarios::LoadModel::kClosed;
  s.load.concurrency = concurrency;
  s.stop.requests = 100;
  scenarios::Workload w;
  w.name = "w";
  w.prompt.kind = scenarios::PromptKind::kUnique;
  w.prompt.tokens = 512;
  w.output.max_tokens = 50;
  s.workloads.push_back(w);
  return s;
}

/// Times of the client's scrape rounds: right after an end, at least the gap apart, one before and some after all.
inline std::vector<Duration> scrape_times(const std::vector<bench::RequestRecord>& records, Duration gap) {
  std::vector<Duration> ends;
  for (const auto& r : records) ends.push_back(r.done);
  std::sort(ends.begin(), ends.end());
  std::vector<Duration> out{core::from_ms(-20)};
  for (const Duration end : ends) {
    if (end <= out.back()) continue;
    out.push_back(std::max(end, out.back() + gap));
  }
  out.push_back(std::max(out.back(), ends.back()) + gap + gap);
  return out;
}

inline CounterRun make_counter_run(const CounterWorld& world) {
  core::Rng rng(world.seed);
  CounterRun out;
  std::vector<std::size_t> listed = world.listed;
  if (listed.empty()) for (std::size_t r = 0; r < world.replicas; ++r) listed.push_back(r);
  std::vector<Finish> finishes;
  double t_ms = 300;
  for (std::size_t i = 0; i < world.requests; ++i) {
    t_ms += rng.exponential(1000.0 / world.rate_rps);
    bench::RequestRecord r;
    r.index = static_cast<std::uint32_t>(i);
    r.done = core::from_ms(t_ms);
    const double latency = 180 + rng.exponential(20);
    r.due = r.dispatched = r.sent = core::from_ms(std::max(0.0, t_ms - latency));
    r.first_byte = r.first_token = r.first_choice = r.sent + core::from_ms(40);
    r.last_token = r.done;
    r.prompt_tokens = world.prompt_tokens + world.extra_tokens[i % world.extra_tokens.size()];
    r.output_tokens = world.output_tokens;
    r.max_tokens = world.output_tokens;
    r.http_status = 200;
    r.outcome = bench::Outcome::kOk;
    const std::size_t replica = rng.below(world.replicas);
    double hold = 0.2 + rng.exponential(world.hold_ms);
    if (rng.uniform() < world.held_share) hold += world.held_ms;
    finishes.push_back({r.done - core::from_ms(hold), replica, r.prompt_tokens, r.output_tokens, r.max_tokens});
    const auto name = std::find(listed.begin(), listed.end(), replica);
    out.truth.push_back(name == listed.end() ? -1 : static_cast<int>(name - listed.begin()));
    r.observed_replica = static_cast<std::uint16_t>(replica);
    r.observed_source = bench::ObservedSource::kInferencePodHeader;
    out.run.records.push_back(r);
    if (rng.uniform() < world.foreign_share) {
      const double at = t_ms - 50 * rng.uniform();
      const bool same = rng.uniform() < world.foreign_same_shape;
      const auto prompt = same ? world.prompt_tokens + world.extra_tokens[rng.below(world.extra_tokens.size())]
                               : static_cast<std::uint32_t>(1 + rng.below(3000));
      finishes.push_back({core::from_ms(at), rng.below(world.replicas), prompt, world.output_tokens, world.output_tokens});
    }
  }
  std::sort(finishes.begin(), finishes.end(), [](const Finish& a, const Finish& b) { return a.at < b.at; });
  const auto times = scrape_times(out.run.records, core::from_ms(world.scrape_gap_ms));
  for (std::size_t l = 0; l < listed.size(); ++l) {
    auto counters = fresh_counters(1000.5 + static_cast<double>(listed[l]));
    std::size_t next = 0;
    for (std::size_t k = 0; k < times.size(); ++k) {
      bench::ReplicaScrape s;
      s.replica = static_cast<std::uint16_t>(l);
      s.round = static_cast<std::uint32_t>(k);
      s.sent = times[k] + core::from_ms(0.3 * rng.uniform());
      const double rtt = world.rtt_ms * (0.5 + rng.uniform());
      s.answered = s.sent + core::from_ms(rtt);
      const Duration snapshot = s.sent + core::from_ms(rtt * rng.uniform());
      if (world.restart_replica == static_cast<int>(listed[l]) && k == times.size() / 2) counters = fresh_counters(5000.25);
      while (next < finishes.size() && finishes[next].at <= snapshot) {
        const Finish& f = finishes[next++];
        if (f.replica == listed[l]) count_finish(counters, f.prompt, f.output, f.max_tokens);
      }
      s.ok = k == 0 || k + 1 == times.size() || rng.uniform() >= world.missed_scrapes;
      s.values = counters;
      out.run.scrapes.push_back(std::move(s));
    }
  }
  std::stable_sort(out.run.scrapes.begin(), out.run.scrapes.end(),
                   [](const bench::ReplicaScrape& a, const bench::ReplicaScrape& b) { return a.sent < b.sent; });
  for (std::size_t l = 0; l < listed.size(); ++l) {
    const std::size_t port = world.same_urls ? listed[l] : l;
    out.run.manifest.replicas.push_back({"r" + std::to_string(l), "http://127.0.0.1:" + std::to_string(9000 + port) + "/metrics", true, 128, {}});
  }
  for (std::size_t r = 0; r < world.replicas; ++r) out.run.observed_names.push_back("pod-" + std::to_string(r));
  out.run.manifest.status = bench::RunStatus::kCompleted;
  out.run.manifest.duration = core::from_ms(t_ms);
  out.run.manifest.scenario_json = scenarios::to_json(closed_scenario(15));
  return out;
}

}  // namespace analyzers_test
