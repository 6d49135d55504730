// A small world for serial probing: replicas whose finish counters move as vLLM's do, a list of what is scraped under
// which name, other traffic, and everything that goes wrong. It knows the truth. Used by the tests of probing and verify.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "analyzers/probe_ledger.h"
#include "analyzers/serial_probe.h"
#include "core/rng.h"

namespace analyzers_test {

using Snapshot = protocol::VllmSnapshot;
using Snapshots = std::vector<std::optional<Snapshot>>;

struct ProbeWorldOptions {
  std::uint64_t seed = 1;
  std::size_t replicas = 3;
  std::vector<std::vector<std::size_t>> listed;  ///< per name: the replicas its URL answers for, in turn; empty: one each
  double foreign_rps = 0;          ///< other finishes per replica and second
  std::uint32_t foreign_max_tokens = 50;
  double lag = 0;                  ///< share of our finishes that are counted one scrape late
  double torn = 0, reset = 0;      ///< per scrape of a replica
  double retried = 0;              ///< share of our requests that a second replica finishes too
  std::uint32_t cap = 1u << 30;    ///< the server's limit of max_tokens
  double latency_s = 0.05;
};

class ProbeWorld {
 public:
  explicit ProbeWorld(ProbeWorldOptions options) : options_(std::move(options)), rng_(options_.seed) {
    for (std::size_t r = 0; r < options_.replicas; ++r) {
      replicas_.push_back(fresh(100.0 + static_cast<double>(r)));
      // A past, different on each.
      for (std::size_t i = 0; i <= r; ++i) finish(r, 300 + 10 * static_cast<std::uint32_t>(r), 20, 50, 0.4, 900);
    }
    if (options_.listed.empty()) {
      for (std::size_t r = 0; r < options_.replicas; ++r) options_.listed.push_back({r});
    }
  }

  [[nodiscard]] std::size_t names() const { return options_.listed.size(); }
  /// The name under which only this replica is shown; -1: none.
  [[nodiscard]] int name_of(std::size_t replica) const {
    for (std::size_t n = 0; n < names(); ++n) {
      if (options_.listed[n].size() == 1 && options_.listed[n].front() == replica) return static_cast<int>(n);
    }
    return -1;
  }

  Snapshots scrape() {
    foreign(0.002);
    Snapshots out;
    for (const auto& behind : options_.listed) {
      const std::size_t r = behind[scrapes_ % behind.size()];
      if (rng_.uniform() < options_.reset) replicas_[r] = fresh(1000.0 + static_cast<double>(++restarts_));
      if (rng_.uniform() < options_.torn) out.emplace_back();
      else out.emplace_back(replicas_[r]);
    }
    ++scrapes_;
    for (const auto& [r, probe] : late_) count(r, probe);
    late_.clear();
    return out;
  }

  /// Serves a request on `replica`; what the client learns of it.
  analyzers::ProbeVector serve(std::size_t replica, std::uint32_t prompt, std::uint32_t output, std::uint32_t max_tokens) {
    foreign(options_.latency_s);
    const analyzers::ProbeVector probe{prompt, output, max_tokens, core::from_seconds(options_.latency_s + 0.001)};
    if (rng_.uniform() < options_.lag) late_.emplace_back(replica, probe);
    else count(replica, probe);
    if (rng_.uniform() < options_.retried) count((replica + 1) % replicas_.size(), probe);
    return probe;
  }

  void idle(double seconds) { foreign(seconds); }
  core::Rng& rng() { return rng_; }
  Snapshot& replica(std::size_t r) { return replicas_[r]; }

 private:
  static void observe(protocol::HistogramTotals& h, double value) {
    h.count += 1;
    h.sum += value;
    for (std::size_t i = 0; i < h.bucket_count; ++i) h.cumulative[i] += value <= h.upper[i] ? 1 : 0;
  }
  static protocol::HistogramTotals histogram() {
    protocol::HistogramTotals h;
    h.present = true;
    for (const double u : {1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0}) h.upper[h.bucket_count++] = u;
    h.upper[h.bucket_count++] = HUGE_VAL;
    return h;
  }
  static Snapshot fresh(double created) {
    Snapshot s;
    s.success = s.prompt_tokens = s.generation_tokens = s.http_request_bytes_sum = s.http_request_count = 0;
    s.request_prompt_tokens = s.request_generation_tokens = s.request_max_tokens = s.e2e = s.ttft = histogram();
    s.created_unix_s = s.process_start_unix_s = created;
    s.block_size_tokens = 16;
    return s;
  }
  void finish(std::size_t r, std::uint32_t prompt, std::uint32_t output, std::uint32_t max_tokens, double e2e, double body) {
    Snapshot& s = replicas_[r];
    *s.success += 1;
    observe(s.request_prompt_tokens, prompt);
    observe(s.request_generation_tokens, output);
    observe(s.request_max_tokens, max_tokens);
    observe(s.e2e, e2e);
    s.prompt_tokens = s.request_prompt_tokens.sum;
    s.generation_tokens = s.request_generation_tokens.sum;
    *s.http_request_bytes_sum += body;
    *s.http_request_count += 1;
  }
  void count(std::size_t r, const analyzers::ProbeVector& probe) {
    finish(r, probe.prompt_tokens, probe.output_tokens, std::min(probe.max_tokens, options_.cap), options_.latency_s, kBody);
  }
  void foreign(double seconds) {
    if (options_.foreign_rps <= 0) return;
    for (std::size_t r = 0; r < replicas_.size(); ++r) {
      for (double t = rng_.exponential(1 / options_.foreign_rps); t < seconds; t += rng_.exponential(1 / options_.foreign_rps)) {
        const auto prompt = static_cast<std::uint32_t>(64 + rng_.below(400));
        const auto output = static_cast<std::uint32_t>(1 + rng_.below(50));
        finish(r, prompt, output, std::min(options_.foreign_max_tokens, options_.cap), 0.01 * output, 800);
      }
    }
  }

 public:
  static constexpr std::uint32_t kBody = 700;

 private:
  ProbeWorldOptions options_;
  core::Rng rng_;
  std::vector<Snapshot> replicas_;
  std::vector<std::pair<std::size_t, analyzers::ProbeVector>> late_;
  std::size_t scrapes_ = 0, restarts_ = 0;
};

/// What became of a series of probes.
struct ProbeSeries {
  std::size_t exact = 0, wrong = 0, attempts = 0;
  std::map<analyzers::ProbeVerdict, std::size_t> last;
  std::vector<analyzers::ProbeJudgement> judgements;
};

/// `probes` probes on replicas chosen at random (`home` >= 0: always there), each driven as verify drives it.
inline ProbeSeries run_probes(ProbeWorld& world, std::size_t probes, analyzers::ProbeLedger* ledger = nullptr,
                              std::optional<std::uint32_t> reserved_max_tokens = {}, int home = -1, std::size_t among = 0) {
  using Step = analyzers::ProbeSequence::Step;
  ProbeSeries out;
  for (std::size_t i = 0; i < probes; ++i) {
    analyzers::ProbeSequence sequence(analyzers::ProbeLimits{}, reserved_max_tokens.has_value());
    std::size_t served_by = 0;
    std::size_t told = 0;
    while (sequence.step() != Step::kDone) {
      if (sequence.step() == Step::kSend) {
        served_by = home >= 0 ? static_cast<std::size_t>(home) : static_cast<std::size_t>(world.rng().below(among != 0 ? among : world.names()));
        const auto prompt = static_cast<std::uint32_t>(76 + i % 7);
        const auto max_tokens = reserved_max_tokens.value_or(1 + static_cast<std::uint32_t>(i) % 4);
        sequence.answered(world.serve(served_by, prompt, std::min(max_tokens, 4u), max_tokens));
        continue;
      }
      auto round = world.scrape();
      if (ledger != nullptr) ledger->round(round);
      sequence.scraped(std::move(round));
      const std::size_t now = sequence.earlier().size() + (sequence.step() == Step::kDone ? 1 : 0);
      if (now == told) continue;
      told = now;
      const auto& judged = sequence.step() == Step::kDone ? sequence.judgement() : sequence.earlier().back();
      if (ledger != nullptr) ledger->attempt(judged, sequence.probe(), sequence.before(), sequence.after(), ProbeWorld::kBody);
    }
    const auto& judged = sequence.judgement();
    out.attempts += static_cast<std::size_t>(sequence.attempts());
    ++out.last[judged.verdict];
    out.judgements.push_back(judged);
    if (judged.verdict != analyzers::ProbeVerdict::kExact) continue;
    ++out.exact;
    out.wrong += world.name_of(served_by) != judged.replica ? 1 : 0;
  }
  return out;
}

}  // namespace analyzers_test
