// Small runs with figures that can be worked out by hand. Used by the analyzers' tests only.
#pragma once

#include <string>
#include <vector>

#include "bench/run.h"
#include "scenarios/scenario.h"
#include "tests/analyzers/simulated_counters.h"

namespace analyzers_test {

/// A closed loop of c slots: each request takes `latency_ms` and the next starts at once, until `duration_s`. Replicas
/// serve in turn; `waiting` is what every scrape (10 per second) shows.
struct LoopWorld {
  std::string scenario = "load", arm = "a";
  std::uint32_t block = 0, concurrency = 4, replicas = 1, attempt = 1;
  double latency_ms = 100, duration_s = 4, ttft_ms = 40, waiting = 0;
  std::uint32_t prompt_tokens = 100, output_tokens = 11;
  std::string purpose = "measure";
};

inline bench::RequestRecord plain_record(std::uint32_t index, double start_ms, double ttft_ms, double latency_ms, std::uint32_t prompt, std::uint32_t output) {
  bench::RequestRecord r;
  r.index = index;
  r.due = r.dispatched = r.sent = core::from_ms(start_ms);
  r.first_byte = r.first_token = r.first_choice = core::from_ms(start_ms + ttft_ms);
  r.last_token = r.done = core::from_ms(start_ms + latency_ms);
  r.prompt_tokens = prompt;
  r.output_tokens = output;
  r.max_tokens = output;
  r.http_status = 200;
  r.outcome = bench::Outcome::kOk;
  return r;
}

inline void add_scrapes(bench::Run& run, const std::vector<Finish>& finishes, double end_s, double waiting, double step_s) {
  for (std::size_t l = 0; l < run.manifest.replicas.size(); ++l) {
    auto counters = fresh_counters(100.0 + static_cast<double>(l));
    std::size_t next = 0;
    std::uint32_t round = 0;
    for (double t = -0.05; t <= end_s + step_s; t += step_s, ++round) {
      bench::ReplicaScrape s;
      s.replica = static_cast<std::uint16_t>(l);
      s.round = round;
      s.sent = core::from_seconds(t);
      s.answered = s.sent + core::from_ms(1);
      for (; next < finishes.size() && finishes[next].at <= s.sent; ++next) {
        if (finishes[next].replica == l) count_finish(counters, finishes[next].prompt, finishes[next].output, finishes[next].max_tokens);
      }
      s.ok = true;
      s.values = counters;
      s.values.waiting = waiting;
      s.values.running = 3;
      run.scrapes.push_back(std::move(s));
    }
  }
  std::stable_sort(run.scrapes.begin(), run.scrapes.end(), [](const auto& a, const auto& b) { return a.sent < b.sent; });
}

inline bench::Run make_loop_run(const LoopWorld& w) {
  bench::Run run;
  auto scenario = closed_scenario(w.concurrency);
  scenario.name = w.scenario;
  run.manifest.id = w.arm + std::to_string(w.block);
  run.manifest.status = bench::RunStatus::kCompleted;
  run.manifest.scenario_json = scenarios::to_json(scenario);
  run.manifest.cell.scenario = w.scenario;
  run.manifest.cell.arm = w.arm;
  run.manifest.cell.block = w.block;
  run.manifest.cell.attempt = w.attempt;
  run.manifest.cell.purpose = w.purpose;
  std::vector<Finish> finishes;
  std::uint32_t index = 0;
  const auto per_slot = static_cast<std::uint32_t>(w.duration_s * 1e3 / w.latency_ms + 0.5);
  for (std::uint32_t i = 0; i < per_slot; ++i) {
    for (std::uint32_t slot = 0; slot < w.concurrency; ++slot, ++index) {
      // Slots are out of step by a hair, so that no two ends coincide.
      const double start = static_cast<double>(i) * w.latency_ms + 0.01 * slot;
      run.records.push_back(plain_record(index, start, w.ttft_ms, w.latency_ms, w.prompt_tokens, w.output_tokens));
      finishes.push_back({run.records.back().done - core::from_ms(0.005), index % w.replicas, w.prompt_tokens, w.output_tokens, w.output_tokens});
    }
  }
  std::stable_sort(finishes.begin(), finishes.end(), [](const Finish& a, const Finish& b) { return a.at < b.at; });
  run.manifest.duration = run.records.back().done;
  for (std::uint32_t r = 0; r < w.replicas; ++r) {
    run.manifest.replicas.push_back({"r" + std::to_string(r), "http://127.0.0.1:" + std::to_string(9100 + r) + "/metrics", true, 128, {}});
  }
  add_scrapes(run, finishes, core::to_seconds(run.manifest.duration), w.waiting, 0.1);
  run.health.token_events = run.health.exact_token_events = 100;
  return run;
}

}  // namespace analyzers_test
