// See simulated_gateway.h.
#include "tests/support/simulated_gateway.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/rng.h"

namespace tests_support {
namespace {

using core::Duration;
using core::from_ms;

/// Something that a replica counts at a time.
struct Event {
  double at_ms = 0;
  std::uint32_t prompt = 0, output = 0, max_tokens = 0, body = 0;
  double ttft_s = 0, e2e_s = 0;
};

struct ReplicaEvents {
  std::vector<Event> first_tokens, finishes, bodies;
};

void observe(protocol::HistogramTotals& h, double value, bool buckets) {
  if (!h.present) {
    h.present = true;
    if (buckets) {
      double scale = 1;
      for (int decade = 0; decade < 5; ++decade, scale *= 10) {
        for (const double u : {1.0, 2.0, 5.0}) {
          h.upper[h.bucket_count] = u * scale;
          h.cumulative[h.bucket_count++] = 0;
        }
      }
      h.upper[h.bucket_count] = HUGE_VAL;
      h.cumulative[h.bucket_count++] = 0;
    }
  }
  if (value < 0) return;
  h.count += 1;
  h.sum += value;
  for (std::size_t i = 0; i < h.bucket_count; ++i) h.cumulative[i] += value <= h.upper[i] ? 1 : 0;
}

protocol::VllmSnapshot fresh(const GatewayWorld& world, double created) {
  protocol::VllmSnapshot s;
  s.success = 0;
  s.prompt_tokens = 0;
  s.generation_tokens = 0;
  for (auto* h : {&s.request_prompt_tokens, &s.request_generation_tokens, &s.request_max_tokens}) observe(*h, -1, true);
  if (world.latency_sums) {
    observe(s.e2e, -1, false);
  }
  observe(s.ttft, -1, false);
  if (world.body_sizes) s.http_request_bytes_sum = s.http_request_count = 0;
  if (world.process_metrics) s.created_unix_s = s.process_start_unix_s = created;
  return s;
}

void count_finish(const GatewayWorld& world, const Event& e, protocol::VllmSnapshot& s) {
  *s.success += 1;
  observe(s.request_prompt_tokens, e.prompt, true);
  observe(s.request_generation_tokens, e.output, true);
  observe(s.request_max_tokens, e.max_tokens, true);
  *s.generation_tokens += e.output;
  if (!world.latency_sums) return;
  observe(s.e2e, e.e2e_s, false);

}

class World {
 public:
  explicit World(const GatewayWorld& w) : w_(w), rng_(w.seed), noise_(rng_.fork("scrapes")), replicas_(w.replicas) {
    core::Rng drift = rng_.fork("drift");
    for (std::size_t r = 0; r < w.replicas; ++r) {
      step_ms_.push_back(w.tpot_ms * (1 + w.tpot_spread * (2 * drift.uniform() - 1)));
      phase_ms_.push_back(w.tpot_ms * drift.uniform());
    }
  }

  GatewayRun run() {
    requests();
    for (auto& r : replicas_) {
      for (auto* events : {&r.first_tokens, &r.finishes, &r.bodies}) {
        std::stable_sort(events->begin(), events->end(), [](const Event& a, const Event& b) { return a.at_ms < b.at_ms; });
      }
    }
    list_replicas();
    scrape();
    finish();
    return std::move(out_);
  }

 private:
  double skew() { return std::min(w_.skew_cap_ms, w_.skew_base_ms + rng_.exponential(w_.skew_mean_ms)); }

  std::size_t route() {
    if (w_.affinity > 0 && rng_.uniform() < w_.affinity) return 0;
    return rng_.below(w_.replicas);
  }

  Event shape(std::size_t i) {
    Event e;
    e.prompt = w_.prompt_tokens;
    e.output = w_.output_tokens;
    if (w_.traffic == Traffic::kNatural) {
      const double p = rng_.normal(), g = rng_.normal();
      e.prompt = static_cast<std::uint32_t>(std::clamp(400 * std::exp(0.8 * p), 4.0, 16000.0));
      e.output = static_cast<std::uint32_t>(std::clamp(60 * std::exp(0.6 * g), 2.0, 2000.0));
    }
    if (!w_.extra_prompt_tokens.empty()) e.prompt += w_.extra_prompt_tokens[i % w_.extra_prompt_tokens.size()];
    if (w_.random_prompt_tokens) e.prompt += static_cast<std::uint32_t>(rng_.below(129));
    e.max_tokens = w_.output_tokens;
    if (w_.max_tokens_classes) {
      constexpr std::uint32_t kLow[] = {51, 101, 201, 501, 1001, 2001, 5001, 10001};
      constexpr std::uint32_t kHigh[] = {100, 200, 500, 1000, 2000, 5000, 10000, 20000};
      e.max_tokens = kLow[i % 8] + static_cast<std::uint32_t>(rng_.below(kHigh[i % 8] - kLow[i % 8] + 1));
    } else if (w_.traffic == Traffic::kNatural) {
      e.max_tokens = 4096;
    }
    e.body = w_.body_sizes ? 2000 + static_cast<std::uint32_t>(rng_.below(65536)) : 2000;
    return e;
  }

  /// Serves one request on `replica` from `arrival_ms`; fills its events, returns (first token, finish) in ms.
  std::pair<double, double> serve(std::size_t replica, double arrival_ms, Event e, double body_after_ms) {
    const double raw = arrival_ms + 12 + rng_.exponential(8) + 0.02 * e.prompt;
    const double step = step_ms_[replica];
    const double first = std::ceil((raw - phase_ms_[replica]) / step) * step + phase_ms_[replica];
    const double last = first + step * (e.output - 1);
    e.ttft_s = (first - arrival_ms) / 1e3;
    e.e2e_s = (last - arrival_ms) / 1e3;
    const std::size_t prefill = w_.prefill_elsewhere ? rng_.below(w_.replicas) : replica;
    e.at_ms = first;
    replicas_[prefill].first_tokens.push_back(e);
    e.at_ms = last;
    replicas_[replica].finishes.push_back(e);
    e.at_ms = last + body_after_ms;
    replicas_[replica].bodies.push_back(e);
    return {first, last};
  }

  void requests() {
    double t = 500;
    for (std::size_t i = 0; i < w_.requests; ++i) {
      t += rng_.exponential(1000.0 / w_.rate_rps);
      const std::size_t replica = route();
      const Event e = shape(i);
      const double path = w_.path_base_ms + rng_.exponential(w_.path_mean_ms);
      const double after = 0.3 + rng_.exponential(0.7);
      const auto [first, last] = serve(replica, t + path, e, after);
      const double first_skew = skew(), last_skew = skew();
      double hold = 0;
      if (rng_.uniform() < w_.held_share) hold = w_.held_low_ms + (w_.held_high_ms - w_.held_low_ms) * rng_.uniform();
      add_record(i, t, first + first_skew, last + last_skew + hold, e);
      served_by_.push_back(replica);
      if (rng_.uniform() < w_.retried_share) serve(rng_.below(w_.replicas), t + path, e, after);
      if (rng_.uniform() < w_.foreign_share) foreign(t);
    }
    end_ms_ = t + 3000;
  }

  void foreign(double t) {
    Event e = shape(rng_.below(64));
    if (rng_.uniform() < 0.5) {
      e.prompt = 1 + static_cast<std::uint32_t>(rng_.below(3000));
      e.output = 1 + static_cast<std::uint32_t>(rng_.below(200));
      e.max_tokens = e.output;
    }
    const double at = t + 100 * rng_.uniform();
    serve(rng_.below(w_.replicas), at, e, 0.5);
  }

  void add_record(std::size_t i, double sent, double first, double done, const Event& e) {
    bench::RequestRecord r;
    r.index = static_cast<std::uint32_t>(i);
    r.due = r.intended = r.dispatched = r.sent = from_ms(sent);
    r.first_byte = r.first_token = r.first_choice = from_ms(first);
    r.last_token = r.done = from_ms(std::max(done, first));
    r.prompt_tokens = e.prompt;
    r.output_tokens = e.output;
    r.max_tokens = e.max_tokens;
    r.body_bytes = e.body;
    r.http_status = 200;
    r.outcome = bench::Outcome::kOk;
    out_.run.records.push_back(r);
  }

  void list_replicas() {
    for (std::size_t r = 0; r < w_.replicas; ++r) {
      if (w_.hidden_replica == static_cast<int>(r)) continue;
      listed_.push_back(r);
      bench::ReplicaInfo info;
      info.name = "r" + std::to_string(r);
      info.metrics_url = "http://127.0.0.1:" + std::to_string(9000 + r) + "/metrics";
      out_.run.manifest.replicas.push_back(info);
    }
    for (const std::size_t replica : served_by_) {
      const auto at = std::find(listed_.begin(), listed_.end(), replica);
      out_.truth.push_back(at == listed_.end() ? -1 : static_cast<int>(at - listed_.begin()));
    }
  }

  std::vector<double> round_times() {
    std::vector<double> out{-50};
    if (!w_.event_driven) {
      for (double t = 0; t < end_ms_; t += w_.scrape_interval_ms) out.push_back(t);
      return out;
    }
    std::vector<double> ends;
    for (const auto& r : out_.run.records) ends.push_back(core::to_ms(r.done));
    std::sort(ends.begin(), ends.end());
    for (const double end : ends) {
      while (end > out.back() + 1000) out.push_back(out.back() + 1000);
      if (end > out.back()) out.push_back(std::max(end + 0.05, out.back() + w_.scrape_interval_ms));
    }
    out.push_back(std::max(out.back(), end_ms_));
    return out;
  }

  void scrape() {
    const auto times = round_times();
    for (std::size_t l = 0; l < listed_.size(); ++l) scrape_replica(l, times);
    std::stable_sort(out_.run.scrapes.begin(), out_.run.scrapes.end(),
                     [](const bench::ReplicaScrape& a, const bench::ReplicaScrape& b) { return a.sent < b.sent; });
  }

  void scrape_replica(std::size_t l, const std::vector<double>& times) {
    std::size_t source = listed_[l];
    if (w_.doubled_replica == static_cast<int>(source)) source = 0;
    ReplicaEvents events = replicas_[source];
    if (w_.wrong_replica == static_cast<int>(source)) events = strangers();
    auto counters = fresh(w_, 1000.5 + static_cast<double>(source));
    std::size_t first = 0, last = 0, body = 0;
    bool restarted = false;
    const double middle = times[times.size() / 2];
    for (std::size_t k = 0; k < times.size(); ++k) {
      const bool edge = k == 0 || k + 1 == times.size();
      bench::ReplicaScrape s;
      s.replica = static_cast<std::uint16_t>(l);
      s.round = static_cast<std::uint32_t>(k);
      const double sent = times[k] + std::fabs(noise_.normal()) * (edge ? 0 : w_.scrape_jitter_ms);
      const double rtt = w_.rtt_base_ms + noise_.exponential(w_.rtt_mean_ms);
      const double snapshot = sent + rtt * noise_.uniform();
      s.sent = from_ms(sent);
      s.answered = from_ms(sent + rtt);
      if (w_.restart_replica == static_cast<int>(listed_[l]) && !restarted && times[k] >= middle) {
        counters = fresh(w_, 5000.25);
        restarted = true;
      }
      for (; first < events.first_tokens.size() && events.first_tokens[first].at_ms <= snapshot; ++first) {
        *counters.prompt_tokens += events.first_tokens[first].prompt;
        observe(counters.ttft, events.first_tokens[first].ttft_s, false);
      }
      for (; last < events.finishes.size() && events.finishes[last].at_ms <= snapshot; ++last) count_finish(w_, events.finishes[last], counters);
      for (; w_.body_sizes && body < events.bodies.size() && events.bodies[body].at_ms <= snapshot; ++body) {
        *counters.http_request_bytes_sum += events.bodies[body].body;
        *counters.http_request_count += 1;
      }
      const bool missed = noise_.uniform() < w_.missed_share, torn = noise_.uniform() < w_.torn_share;
      s.ok = edge || !missed;
      s.values = counters;
      // A page that was rendered while one more finish was being counted: some of its counters hold it, others do not.
      if (torn && !edge && last < events.finishes.size()) {
        *s.values.success += 1;
        observe(s.values.request_prompt_tokens, events.finishes[last].prompt, true);
      }
      out_.run.scrapes.push_back(std::move(s));
    }
  }

  ReplicaEvents strangers() {
    ReplicaEvents out;
    for (double t = 0; t < end_ms_; t += noise_.exponential(150)) {
      Event e;
      e.at_ms = t;
      e.prompt = 1 + static_cast<std::uint32_t>(noise_.below(2000));
      e.output = 1 + static_cast<std::uint32_t>(noise_.below(300));
      e.max_tokens = e.output;
      e.ttft_s = 0.05;
      e.e2e_s = 0.05 + 0.01 * e.output;
      out.first_tokens.push_back(e);
      out.finishes.push_back(e);
    }
    return out;
  }

  void finish() {
    out_.run.manifest.status = bench::RunStatus::kCompleted;
    out_.run.manifest.duration = from_ms(end_ms_);
  }

  GatewayWorld w_;
  core::Rng rng_, noise_;
  std::vector<ReplicaEvents> replicas_;
  std::vector<double> step_ms_, phase_ms_;
  std::vector<std::size_t> listed_, served_by_;
  double end_ms_ = 0;
  GatewayRun out_;
};

}  // namespace

GatewayRun simulate_gateway(const GatewayWorld& world) { return World(world).run(); }

}  // namespace tests_support
