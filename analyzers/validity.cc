// May a run's figures be believed? One table of limits; each check says which family of metrics it speaks for.
// Called by analyze() and, by the demo, per cell. It must never pass what it could not judge: that is "not judged".
#include <algorithm>
#include <array>
#include <cmath>

#include "analyzers/analyze.h"
#include "analyzers/experiment.h"
#include "analyzers/latency.h"
#include "analyzers/statistics.h"
#include "analyzers/throughput.h"
#include "analyzers/window.h"
#include "core/quantiles.h"

namespace analyzers {
namespace {

using core::to_ms;

constexpr std::array<ValidityLimit, 14> kLimits{{
    {"succeeded_requests", ">=", "requests that succeeded: a run in which every request failed measures nothing", 1, MetricFamily::kAll},
    {"fd_exhausted", "<=", "the client ran out of file descriptors: raise ulimit -n", 0, MetricFamily::kAll},
    {"port_exhausted", "<=", "the client ran out of local ports: widen ip_local_port_range or use more clients", 0, MetricFamily::kAll},
    {"foreign_ratio", "<=", "finishes that are not ours, of all counted by the replicas", 0.02, MetricFamily::kAll},
    {"offered_ratio", ">=", "open loop: requests sent within the window, of those scheduled in it", 0.99, MetricFamily::kAll},
    {"in_flight_ratio", ">=", "closed loop: mean in-flight over the window, of the concurrency asked", 0.95, MetricFamily::kThroughput},
    {"step_late_mean_ratio", "<=",
     "simulated replicas: mean lateness of an engine step, of the mean E2E. Steps run on absolute deadlines, so lateness delays a "
     "response once and does not add up over its steps",
     0.01, MetricFamily::kThroughput},
    {"send_lag_p99_ms", "<=", "sent - due, p99, as far as the client caused it: at most 1 ms, or 1 % of the TTFT limit (without one, of the median TTFT)", 1,
     MetricFamily::kTtft},
    {"ttft_loop_lag_p99_ms", "<=", "lateness of the client's event loop, p99, where stamps are not the kernel's: at most 1 ms or 1 % of the median TTFT", 1,
     MetricFamily::kTtft},
    {"step_late_ttft_ratio", "<=", "simulated replicas: p99 lateness of an engine step, of the median TTFT", 0.05, MetricFamily::kTtft},
    {"loop_lag_p99_ms", "<=", "lateness of the client's event loop, p99; does not matter where exact_fraction is reached", 1, MetricFamily::kItl},
    {"exact_fraction", ">=", "token times stamped by the kernel and not merged with others; does not matter where loop_lag_p99_ms is reached", 0.99,
     MetricFamily::kItl},
    {"step_late_p99_ratio", "<=", "simulated replicas: p99 lateness of an engine step, of the median step", 0.05, MetricFamily::kItl},
    {"littles_law_gap_ratio", "<=", "|L - lambda W| / L over the window: noted, not judged, since short windows have edges", 0.05,
     MetricFamily::kThroughput},
}};

const ValidityLimit& limit_of(std::string_view id) {
  return *std::find_if(kLimits.begin(), kLimits.end(), [&](const ValidityLimit& l) { return l.id == id; });
}

ValidityCheck check(std::string_view id, std::optional<double> observed, double limit, const std::string& context) {
  const auto& row = limit_of(id);
  ValidityCheck out;
  out.id = std::string(id);
  out.family = row.family;
  out.op = std::string(row.op);
  out.limit = limit;
  out.observed = observed && std::isfinite(*observed) ? observed : std::nullopt;
  if (!out.observed) {
    out.reason = context;
    return out;
  }
  const bool pass = out.op == "<=" ? *out.observed <= limit : *out.observed >= limit;
  out.verdict = pass ? Verdict::kPass : Verdict::kInvalid;
  if (!pass) {
    out.reason = std::string(row.meaning) + ": " + figure(*out.observed) + ", limit " + figure(limit) + (context.empty() ? "" : "; " + context);
  }
  return out;
}

ValidityCheck check(std::string_view id, std::optional<double> observed, const std::string& context) {
  return check(id, observed, limit_of(id).limit, context);
}

/// Quantile of what a histogram gained over the run, interpolated linearly inside its bucket: the bucket's upper bound
/// alone would overstate lateness by up to the bucket's width. In the open last bucket: its lower bound.
std::optional<double> gained_quantile(const protocol::HistogramTotals& before, const protocol::HistogramTotals& after, double q) {
  if (!before.present || !after.present || before.bucket_count != after.bucket_count) return std::nullopt;
  const double total = after.count - before.count;
  if (!(total > 0)) return std::nullopt;
  double below = 0;
  double lower = 0;
  for (std::size_t i = 0; i < after.bucket_count && i < protocol::HistogramTotals::kMaxBuckets; ++i) {
    const double cumulative = after.cumulative[i] - before.cumulative[i];
    if (cumulative >= q * total && cumulative > below) {
      if (!std::isfinite(after.upper[i])) return lower;
      return lower + (after.upper[i] - lower) * (q * total - below) / (cumulative - below);
    }
    below = cumulative;
    if (std::isfinite(after.upper[i])) lower = after.upper[i];
  }
  return lower;
}

/// Worst replica's lateness, in ms, over the run.
struct StepLateness {
  std::optional<double> p99_ms, mean_ms, p99_of_median_step;
};

StepLateness step_lateness(const RunFacts& facts) {
  StepLateness out;
  const auto worse = [](std::optional<double>& worst, std::optional<double> value) {
    if (value && (!worst || *value > *worst)) worst = value;
  };
  for (const auto& span : facts.counters) {
    if (!span.usable()) continue;
    const auto& a = span.first->values;
    const auto& b = span.last->values;
    const auto p99 = gained_quantile(a.sim_step_late, b.sim_step_late, 0.99);
    const auto median_step = gained_quantile(a.sim_step, b.sim_step, 0.5);
    const double count = b.sim_step_late.count - a.sim_step_late.count;
    if (!p99 || !(count > 0)) continue;
    worse(out.p99_ms, *p99 * 1e3);
    worse(out.mean_ms, (b.sim_step_late.sum - a.sim_step_late.sum) / count * 1e3);
    if (median_step && *median_step > 0) worse(out.p99_of_median_step, *p99 / *median_step);
  }
  return out;
}

std::optional<double> median(std::vector<double> samples) {
  if (samples.empty()) return std::nullopt;
  std::sort(samples.begin(), samples.end());
  return core::quantile_sorted(samples, 0.5);
}

class Judge {
 public:
  Judge(const bench::Run& run, const RunFacts& facts, const Window& window) : run_(run), facts_(facts), window_(window) {
    auto latencies = collect_latencies(run, facts, window);
    if (!latencies[5].ms.empty()) mean_e2e_ms_ = moments(latencies[5].ms).mean;
    median_ttft_ms_ = median(std::move(latencies[facts.streamed ? 0 : 5].ms));
  }

  Validity judge() {
    judge_run();
    judge_load();
    judge_client();
    judge_simulator();
    conclude();
    return std::move(validity_);
  }

 private:
  void add(ValidityCheck c) { validity_.checks.push_back(std::move(c)); }

  void judge_run() {
    std::size_t succeeded_count = 0;
    std::size_t abandoned = 0;
    for (const auto& r : run_.records) {
      succeeded_count += succeeded(r) ? 1 : 0;
      abandoned += was_sent(r) && !succeeded(r) ? 1 : 0;
    }
    add(check("succeeded_requests", static_cast<double>(succeeded_count), {}));
    add(check("fd_exhausted", run_.health.fd_exhausted ? 1 : 0, {}));
    add(check("port_exhausted", run_.health.port_exhausted ? 1 : 0, {}));
    std::optional<double> foreign;
    if (scrapes_bracket_run(run_, facts_)) {
      double counted = 0;
      for (const auto& span : facts_.counters) {
        counted += finished_count(span.last->values).value_or(0) - finished_count(span.first->values).value_or(0);
      }
      const double extra = counted - static_cast<double>(succeeded_count + abandoned);
      if (counted > 0) foreign = std::max(0.0, extra) / counted;
    }
    add(check("foreign_ratio", foreign, foreign ? "something else uses these replicas" : "the replicas' counters do not bracket the run"));
    if (run_.health.steal_fraction > 0.001) {
      validity_.notes.push_back("CPU steal: " + figure(100 * run_.health.steal_fraction, 2) + " % of the host's time went to other machines");
    }
    if (run_.health.failed_scrapes + run_.health.torn_scrapes > 0) {
      validity_.notes.push_back(std::to_string(run_.health.failed_scrapes) + " scrapes failed and " +
                                std::to_string(run_.health.torn_scrapes) + " were torn, of " + std::to_string(run_.health.scrapes));
    }
    if (run_.manifest.status == bench::RunStatus::kAborted) validity_.notes.emplace_back("the run was aborted: it covers what ran until then");
  }

  void judge_load() {
    std::optional<double> offered;
    if (!facts_.closed_loop) {
      std::size_t scheduled = 0;
      std::size_t sent = 0;
      // A request may be late by what the send-lag limit allows and still count as offered.
      const double grace_s = send_lag_limit_ms() / 1e3;
      for (const auto& r : run_.records) {
        if (!due_in(window_, r)) continue;
        ++scheduled;
        sent += was_sent(r) && core::to_seconds(dispatch_time(r)) <= window_.end_s + grace_s ? 1 : 0;
      }
      if (scheduled > 0) offered = static_cast<double>(sent) / static_cast<double>(scheduled);
      const auto served = std::count_if(run_.records.begin(), run_.records.end(), [&](const auto& r) { return succeeded(r) && counts_in(window_, r); });
      if (static_cast<double>(served) < 0.95 * static_cast<double>(scheduled)) {
        validity_.notes.push_back("the target fell behind the offered load: " + std::to_string(served) + " responses ended while " +
                                  std::to_string(scheduled) + " requests came due; latencies grow with the length of the run");
      }
    }
    add(check("offered_ratio", offered, facts_.closed_loop ? "closed loop: nothing is scheduled" : "the client or a concurrency cap held requests back"));
    // Serial probing waits for scrapes between requests on purpose; its throughput is nobody's claim.
    const bool probing = facts_.scenario && facts_.scenario->serial_probe;
    std::optional<double> ratio;
    // Without the scenario the concurrency that was asked is not known, only the highest that was reached.
    if (facts_.closed_loop && facts_.scenario && !probing && facts_.concurrency > 0 && !run_.records.empty()) {
      ratio = mean_in_flight(in_flight_steps(run_), window_.start_s, window_.end_s) / facts_.concurrency;
    }
    add(check("in_flight_ratio", ratio,
              probing ? "serial probing pauses between requests on purpose"
                      : facts_.closed_loop ? "the client could not keep the slots filled, or the run was too short" : "open loop: no concurrency was asked"));
    const Estimate gap = facts_.closed_loop ? littles_law_gap(run_, window_) : unmeasured("open loop");
    ValidityCheck little = check("littles_law_gap_ratio", gap.value, gap.reason);
    if (little.verdict == Verdict::kInvalid) little.verdict = Verdict::kNotJudged;
    add(std::move(little));
  }

  [[nodiscard]] double send_lag_limit_ms() const {
    std::optional<double> base = facts_.scenario ? facts_.scenario->slo.ttft_ms : std::nullopt;
    if (!base) base = median_ttft_ms_;
    return std::max(1.0, 0.01 * base.value_or(0));
  }

  void judge_client() {
    if (run_.manifest.virtual_time) {
      for (const char* id : {"send_lag_p99_ms", "ttft_loop_lag_p99_ms", "loop_lag_p99_ms", "exact_fraction"}) {
        add(check(id, std::nullopt, "virtual time: there is no client to be late"));
      }
      return;
    }
    const auto& h = run_.health;
    add(check("send_lag_p99_ms", to_ms(h.send_lag_p99), send_lag_limit_ms(), "the client was late; give it more CPU or lower the load"));
    std::optional<double> exact;
    if (h.token_events > 0) exact = static_cast<double>(h.exact_token_events) / static_cast<double>(h.token_events);
    auto lag = check("loop_lag_p99_ms", to_ms(h.loop_lag_p99), "the client's loop was late; give it more CPU");
    auto stamps = check("exact_fraction", exact, exact ? "several tokens came in one read, or the kernel's stamps were missing" : "no token times");
    auto ttft = check("ttft_loop_lag_p99_ms", to_ms(h.loop_lag_p99), std::max(1.0, 0.01 * median_ttft_ms_.value_or(0)), "give the client more CPU");
    // Kernel stamps are taken before the loop sees them, so its lateness cannot reach them, and the other way round.
    const bool exact_enough = stamps.verdict == Verdict::kPass;
    const bool prompt = lag.verdict == Verdict::kPass;
    if (exact_enough) excuse(lag, "token times are the kernel's");
    if (exact_enough) excuse(ttft, "token times are the kernel's");
    if (prompt) excuse(stamps, "the client's loop was on time");
    add(std::move(ttft));
    add(std::move(lag));
    add(std::move(stamps));
  }

  static void excuse(ValidityCheck& c, const char* why) {
    if (c.verdict != Verdict::kInvalid) return;
    c.verdict = Verdict::kPass;
    c.reason = std::string("beyond its limit, but ") + why;
  }

  void judge_simulator() {
    const StepLateness late = step_lateness(facts_);
    const auto ratio = [](std::optional<double> part, std::optional<double> of) -> std::optional<double> {
      if (!part || !of || *of <= 0) return std::nullopt;
      return *part / *of;
    };
    const std::string why = late.p99_ms ? "the box is too busy for the simulated replicas (quantile interpolated within its bucket)"
                                        : "no simulated replica reports step lateness";
    add(check("step_late_mean_ratio", ratio(late.mean_ms, mean_e2e_ms_), why));
    add(check("step_late_ttft_ratio", ratio(late.p99_ms, median_ttft_ms_), why));
    add(check("step_late_p99_ratio", late.p99_of_median_step, why));
  }

  void conclude() {
    const auto fails = [&](MetricFamily family) {
      return std::any_of(validity_.checks.begin(), validity_.checks.end(), [&](const ValidityCheck& c) {
        return c.verdict == Verdict::kInvalid && (c.family == family || c.family == MetricFamily::kAll);
      });
    };
    validity_.throughput_valid = !fails(MetricFamily::kThroughput);
    validity_.ttft_valid = !fails(MetricFamily::kTtft);
    validity_.itl_valid = !fails(MetricFamily::kItl);
    // The headline families decide the word; a run that is only unfit for inter-token times says so in a note.
    validity_.verdict = validity_.throughput_valid && validity_.ttft_valid ? Verdict::kPass : Verdict::kInvalid;
    if (validity_.verdict == Verdict::kPass && !validity_.itl_valid) {
      validity_.notes.push_back("not valid for inter-token times: " + why_invalid(validity_, MetricFamily::kItl));
    }
  }

  const bench::Run& run_;
  const RunFacts& facts_;
  const Window& window_;
  std::optional<double> median_ttft_ms_, mean_e2e_ms_;
  Validity validity_;
};

}  // namespace

std::span<const ValidityLimit> validity_limits() { return kLimits; }

Validity judge_validity(const bench::Run& run) {
  const RunFacts facts = facts_of(run);
  const Window window = measured_window(run, facts);
  return Judge(run, facts, window).judge();
}

MetricFamily family_of(std::string_view metric) {
  const auto starts = [&](std::string_view prefix) { return metric.substr(0, prefix.size()) == prefix; };
  if (starts("ttft") || starts("e2e") || starts("normalised")) return MetricFamily::kTtft;
  if (starts("tpot") || starts("itl") || starts("icl")) return MetricFamily::kItl;
  if (starts("goodput") || starts("slo_attainment")) return MetricFamily::kTtft;
  if (metric.find("per_s") != std::string_view::npos || starts("usd_per_1m") || starts("scaling.") || starts("in_flight")) {
    return MetricFamily::kThroughput;
  }
  return MetricFamily::kAll;
}

bool valid_for(const Validity& validity, MetricFamily family) {
  switch (family) {
    case MetricFamily::kThroughput: return validity.throughput_valid;
    case MetricFamily::kTtft: return validity.ttft_valid;
    case MetricFamily::kItl: return validity.itl_valid;
    case MetricFamily::kAll: break;
  }
  return std::none_of(validity.checks.begin(), validity.checks.end(),
                      [](const ValidityCheck& c) { return c.family == MetricFamily::kAll && c.verdict == Verdict::kInvalid; });
}

std::string why_invalid(const Validity& validity, MetricFamily family) {
  std::string out;
  for (const auto& c : validity.checks) {
    if (c.verdict != Verdict::kInvalid || (c.family != family && c.family != MetricFamily::kAll)) continue;
    if (!out.empty()) out += "; ";
    out += c.id + ": " + c.reason;
  }
  return out;
}

}  // namespace analyzers
