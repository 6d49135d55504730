// Judges gates by the rules run_t, run_sign, paired_t, binomial_exact and point.
// Called by analyze(). It must never pass a gate on a figure that is missing, invalid or, for scaling, unsaturated.
#include "analyzers/gates.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "analyzers/statistics.h"
#include "analyzers/throughput.h"

namespace analyzers {
namespace {

/// What a gate's metric offers: a pooled figure, values per block, counts.
struct Figure {
  std::optional<double> point;
  std::vector<double> values;  ///< per block; relative and scaling gates: ratios
  std::optional<std::pair<std::size_t, std::size_t>> counts;
  std::size_t ambiguous = 0;   ///< responses that `counts` leaves out; the verdict must hold whoever served them
  std::string missing;         ///< why there is nothing
  std::string invalid;         ///< why it may not be judged
  std::string inconclusive;    ///< why it may be looked at, yet proves nothing
  std::string next;            ///< what to do about that
  std::string note;
};

/// Figures of attributed responses alone prove nothing about the rest below this: a tenth left out can hide a fault of a
/// tenth, about what gates on spread are there to find.
constexpr double kLeastCoverage = 0.9;
constexpr const char* kMoreCoverage = "raise the coverage of attribution: `gatebench plan` says what would";

struct Bounds {
  double low = 0, high = 0;
};

bool is_upper(const Gate& gate) { return gate.op == "<=" || gate.op == "<"; }

bool meets(const std::string& op, double value, double limit) {
  if (op == "<=") return value <= limit;
  if (op == "<") return value < limit;
  if (op == ">=") return value >= limit;
  return value > limit;
}

/// The limit that a pass must clear: tighter by the guard.
double guarded(const Gate& gate) { return gate.limit * (is_upper(gate) ? 1 - gate.guard_ratio : 1 + gate.guard_ratio); }

Verdict decide(const Gate& gate, const Bounds& bounds) {
  const double worst = is_upper(gate) ? bounds.high : bounds.low;
  const double best = is_upper(gate) ? bounds.low : bounds.high;
  if (meets(gate.op, worst, guarded(gate))) return Verdict::kPass;
  return meets(gate.op, best, gate.limit) ? Verdict::kInconclusive : Verdict::kFail;
}

std::string blocks_text(std::size_t n) { return std::to_string(n) + (n == 1 ? " more block" : " more blocks"); }

Figure from_logs(const PairedLogs& paired) {
  Figure out;
  for (const double v : paired.logs) out.values.push_back(std::exp(v));
  if (!paired.logs.empty()) out.point = std::exp(moments(paired.logs).mean);
  if (paired.invalid > 0 && (paired.logs.empty() || paired.invalid > paired.logs.size() / 2)) out.invalid = paired.reason;
  else if (paired.invalid > 0) out.note = std::to_string(paired.invalid) + " invalid block(s) left out";
  if (paired.logs.empty()) out.missing = paired.reason.empty() ? "no block was measured on both arms" : paired.reason;
  return out;
}

Figure from_blocks(const BlockValues& blocks) {
  Figure out;
  for (const auto& v : blocks.values) out.values.push_back(v.value);
  if (!out.values.empty()) out.point = over_blocks(out.values).value;
  if (blocks.invalid > 0 && blocks.invalid > blocks.values.size() / 2) out.invalid = blocks.reason;
  else if (blocks.invalid > 0) out.note = std::to_string(blocks.invalid) + " invalid block(s) left out";
  if (out.values.empty()) out.missing = blocks.reason.empty() ? "no block was measured" : blocks.reason;
  // A figure that some valid blocks lack would be judged on the lucky ones alone.
  else if (blocks.missing > 0) out.missing = std::to_string(blocks.missing) + " block(s) have no such figure: " + blocks.reason;
  return out;
}

Figure from_estimate(const Estimate& estimate) {
  Figure out;
  out.point = estimate.value;
  if (!estimate.value) out.missing = estimate.reason.empty() ? "not measured" : estimate.reason;
  return out;
}

Figure cost_figure(const ArmCells& cells, const std::string& metric) {
  if (!cells.info.usd_per_hour) return from_estimate(unmeasured("no price was given for this arm"));
  if (metric == "usd_per_hour") return from_estimate(measured(*cells.info.usd_per_hour, "as configured", 1));
  auto blocks = block_values(cells, metric == "usd_per_1m_requests" ? "requests_per_s" : "output_tokens_per_s");
  std::erase_if(blocks.values, [](const BlockValue& v) { return v.value <= 0; });
  for (auto& v : blocks.values) v.value = *cells.info.usd_per_hour / 3600 / v.value * 1e6;
  return from_blocks(blocks);
}

class GateJudge {
 public:
  GateJudge(const Gate& gate, const GateEvidence& evidence, std::size_t arm) : gate_(gate), evidence_(evidence), arm_(arm) {
    result_.id = gate.id;
    result_.scenario = evidence.cells[arm].scenario;
    result_.arm = evidence.cells[arm].arm;
    result_.baseline = gate.baseline;
    result_.metric = gate.metric;
    result_.op = gate.op;
    result_.limit = gate.limit;
    result_.expect = gate.expect;
    result_.warn_only = gate.warn_only;
  }

  GateResult judge() {
    const Figure figure_of_metric = figure_for();
    apply(figure_of_metric);
    if (!figure_of_metric.note.empty()) result_.reason += (result_.reason.empty() ? "" : "; ") + figure_of_metric.note;
    result_.as_expected = result_.verdict == gate_.expect.value_or(Verdict::kPass);
    return std::move(result_);
  }

 private:
  [[nodiscard]] const ArmCells& cells() const { return evidence_.cells[arm_]; }
  [[nodiscard]] const ArmAnalysis& arm() const { return evidence_.arms[arm_]; }
  [[nodiscard]] bool starts(std::string_view prefix) const { return std::string_view(gate_.metric).substr(0, prefix.size()) == prefix; }

  Figure figure_for() {
    if (starts("scaling.")) return scaling_figure();
    if (!gate_.baseline.empty()) return relative_figure();
    Figure out = absolute_figure();
    if (out.invalid.empty() && family_of(gate_.metric) == MetricFamily::kAll) {
      for (const Cell* cell : cells().cells) {
        if (!valid_for(cell->analysis.validity, MetricFamily::kAll)) out.invalid = why_invalid(cell->analysis.validity, MetricFamily::kAll);
      }
    }
    return out;
  }

  Figure scaling_figure() {
    for (const auto& row : evidence_.scaling) {
      if (row.scenario != cells().scenario || row.candidate != cells().arm) continue;
      if (!gate_.baseline.empty() && row.baseline != gate_.baseline) continue;
      result_.baseline = row.baseline;
      const ArmCells* baseline = find_arm(row.baseline);
      Figure out = from_logs(paired_logs(*baseline, cells(), "requests_per_s"));
      if (gate_.metric == "scaling.efficiency_ratio") {
        if (!row.efficiency_ratio.value) return from_estimate(row.efficiency_ratio);
        const double scale = *row.efficiency_ratio.value / *row.throughput_ratio.value;
        for (double& v : out.values) v *= scale;
        if (out.point) *out.point *= scale;
      }
      if (row.verdict == "invalid") out.invalid = row.reason;
      else if (row.verdict != "shown") out.inconclusive = "scaling is not shown by this load; the scaling verdict of " + row.scenario + " says why";
      return out;
    }
    Figure none;
    none.missing = "no baseline arm ran this scenario";
    return none;
  }

  [[nodiscard]] const ArmCells* find_arm(const std::string& name) const {
    for (const auto& other : evidence_.cells) {
      if (other.scenario == cells().scenario && other.arm == name) return &other;
    }
    return nullptr;
  }

  Figure relative_figure() {
    const ArmCells* baseline = find_arm(gate_.baseline);
    if (baseline == nullptr) return from_estimate(unmeasured("baseline arm \"" + gate_.baseline + "\" did not run this scenario"));
    return from_logs(paired_logs(*baseline, cells(), gate_.metric));
  }

  Figure absolute_figure() {
    if (starts("usd_")) return cost_figure(cells(), gate_.metric);
    if (starts("attribution.")) return attribution_figure();
    if (gate_.metric == "stickiness_ratio") return sticky_figure();
    if (gate_.metric == "prefix_hit_ratio") return from_estimate(arm().cache.hit_ratio);
    if (gate_.metric == "cache.efficiency_ratio") return from_estimate(arm().cache.efficiency_ratio);
    if (starts("spread.")) return spread_figure();
    Figure out = from_blocks(block_values(cells(), gate_.metric));
    if (gate_.metric == "failed_ratio") {
      const auto& c = arm().counts;
      out.counts = {c.failed + c.timed_out, c.sent - c.cancelled};
    }
    return out;
  }

  Figure spread_figure() {
    const SpreadAnalysis& spread = arm().spread;
    const bool affinity = gate_.metric == "spread.affinity";
    Figure out = from_estimate(affinity ? spread.affinity : gate_.metric == "spread.uniformity_p" ? spread.uniformity_p
                               : gate_.metric == "spread.jain" ? spread.jain : spread.jain_vs_random);
    if (!affinity && spread.basis != "attributed responses") return out;
    Estimate coverage = spread.grouped_coverage_ratio;
    for (const auto& row : evidence_.attribution) {
      if (!affinity && row.scenario == cells().scenario && row.arm == cells().arm) coverage = row.coverage_ratio;
    }
    if (out.point && coverage.value && *coverage.value < kLeastCoverage) {
      out.inconclusive = "only " + figure(100 * *coverage.value) + " % of the responses it rests on are attributed, and those may be the easy ones";
      out.next = kMoreCoverage;
    }
    return out;
  }

  Figure attribution_figure() {
    for (const auto& row : evidence_.attribution) {
      if (row.scenario != cells().scenario || row.arm != cells().arm) continue;
      Figure out = from_estimate(row.coverage_ratio);
      if (gate_.metric == "attribution.coverage_ratio") {
        out.counts = {row.attributed, row.responses};
        return out;
      }
      if (gate_.metric == "attribution.error_ratio") {
        out = from_estimate(row.truth.error_ratio);
        if (row.truth.compared > 0) out.counts = {row.truth.wrong, row.truth.compared};
        return out;
      }
      if (!row.wrong) return from_estimate(unmeasured("no response names its replica, so nothing can be compared"));
      return from_estimate(measured(static_cast<double>(*row.wrong), "exact count", row.compared.value_or(0)));
    }
    return from_estimate(unmeasured("attribution was not attempted"));
  }

  Figure sticky_figure() {
    const MetricRow* sticky = find_row(arm().summary, "stickiness_ratio");
    Figure out = from_estimate(sticky != nullptr ? sticky->estimate : unmeasured("no request shares a prefix group"));
    std::size_t largest = 0;
    std::size_t attributed = 0;
    for (const auto& group : arm().prefix_groups) {
      largest += group.per_replica.empty() ? 0 : *std::max_element(group.per_replica.begin(), group.per_replica.end());
      attributed += group.attributed;
      out.ambiguous += group.requests - group.attributed;
    }
    if (attributed > 0) out.counts = {largest, attributed};
    return out;
  }

  [[nodiscard]] std::string rule() const {
    if (!gate_.rule.empty()) return gate_.rule;
    if (!gate_.baseline.empty() || starts("scaling.")) return "paired_t";
    if (gate_.metric == "attribution.coverage_ratio" || gate_.metric == "attribution.error_ratio" || gate_.metric == "stickiness_ratio") {
      return "binomial_exact";
    }
    // A count of failures can be judged within one run; from five blocks on the blocks speak for themselves.
    if (gate_.metric == "failed_ratio") return cells().cells.size() < 5 ? "binomial_exact" : "run_sign";
    if (starts("attribution.") || starts("spread.") || starts("cache.") || gate_.metric == "prefix_hit_ratio" || gate_.metric == "usd_per_hour") {
      return "point";
    }
    return "run_t";
  }

  void apply(const Figure& f) {
    if (f.point) result_.observed = measured(*f.point, rule(), f.values.empty() ? 1 : f.values.size());
    else result_.observed = unmeasured(!f.missing.empty() ? f.missing : !f.invalid.empty() ? f.invalid : "not measured");
    if (!f.invalid.empty()) return set(Verdict::kInvalid, "not judged, the run is not valid for this figure: " + f.invalid, "repeat the run on a quieter or larger client");
    if (!f.missing.empty() || !f.point) {
      return set(Verdict::kInvalid, "no data: " + (f.missing.empty() ? result_.observed.reason : f.missing), "measure this figure, or drop the gate");
    }
    const std::string name = rule();
    if (name == "point") apply_point(f);
    else if (name == "binomial_exact") apply_binomial(f);
    else if (name == "run_sign") apply_sign(f);
    else apply_t(f, name);
    if (!f.inconclusive.empty() && result_.verdict != Verdict::kInvalid) {
      set(Verdict::kInconclusive, f.inconclusive, f.next.empty() ? "measure at a load that saturates both arms (a ladder shows it)" : f.next);
    }
  }

  void set(Verdict verdict, std::string reason, std::string next = {}) {
    result_.verdict = verdict;
    result_.reason = std::move(reason);
    result_.next_action = std::move(next);
  }

  void apply_point(const Figure& f) {
    result_.observed.method = "point, no confidence";
    const bool pass = meets(gate_.op, *f.point, gate_.limit);
    set(pass ? Verdict::kPass : Verdict::kFail, "the figure itself is " + std::string(pass ? "within" : "beyond") + " the limit (rule point: no confidence)");
  }

  void apply_binomial(const Figure& f) {
    if (!f.counts || f.counts->second == 0) {
      return set(Verdict::kInvalid, "rule binomial_exact needs counts, which this figure does not have", "use run_t or point");
    }
    // One-sided: both tails of a two-sided interval at 2·confidence - 1.
    const Interval interval = clopper_pearson(f.counts->first, f.counts->second, 2 * gate_.confidence - 1);
    result_.observed = measured(static_cast<double>(f.counts->first) / static_cast<double>(f.counts->second),
                                "Clopper-Pearson, one-sided " + figure(100 * gate_.confidence) + " %", f.counts->second);
    conclude({interval.low, interval.high}, f.counts->second, {}, {});
    if (result_.verdict == Verdict::kInconclusive) result_.next_action = "more requests: " + std::to_string(f.counts->second) + " are too few for this limit";
    else if (f.ambiguous > 0) judge_ambiguous(f);
  }

  /// A verdict on attributed responses stands only if it would whatever the ambiguous ones are (Manski bounds).
  void judge_ambiguous(const Figure& f) {
    const std::size_t all = f.counts->second + f.ambiguous;
    for (const std::size_t successes : {f.counts->first, f.counts->first + f.ambiguous}) {
      const Interval interval = clopper_pearson(successes, all, 2 * gate_.confidence - 1);
      if (decide(gate_, {interval.low, interval.high}) == result_.verdict) continue;
      return set(Verdict::kInconclusive, std::to_string(f.ambiguous) + " of " + std::to_string(all) + " responses are ambiguous, and could turn the verdict", kMoreCoverage);
    }
  }

  [[nodiscard]] std::size_t wanted_blocks(const std::string& name) const {
    if (gate_.min_repeats > 0) return gate_.min_repeats;
    return name == "paired_t" ? 3 : 5;
  }

  /// True: too few blocks for the rule, and said so.
  bool too_few(const Figure& f, const std::string& name) {
    const std::size_t wanted = std::max<std::size_t>(name == "run_sign" ? 1 : 2, wanted_blocks(name));
    if (f.values.size() >= wanted) return false;
    set(Verdict::kInconclusive, "rule " + name + " wants " + std::to_string(wanted) + " blocks, there are " + std::to_string(f.values.size()),
        "needs " + blocks_text(wanted - f.values.size()));
    return true;
  }

  void apply_sign(const Figure& f) {
    if (too_few(f, "run_sign")) return;
    const auto inside = static_cast<std::size_t>(std::count_if(f.values.begin(), f.values.end(), [&](double v) { return meets(gate_.op, v, guarded(gate_)); }));
    const auto beyond = static_cast<std::size_t>(std::count_if(f.values.begin(), f.values.end(), [&](double v) { return !meets(gate_.op, v, gate_.limit); }));
    const std::string of = " of " + std::to_string(f.values.size()) + " blocks";
    if (inside == f.values.size()) return set(Verdict::kPass, "all" + of + " are within the limit");
    if (beyond == f.values.size()) return set(Verdict::kFail, "all" + of + " are beyond the limit");
    set(Verdict::kInconclusive, std::to_string(inside) + of + " are within the limit", "blocks disagree: look for what differs between them");
  }

  void apply_t(const Figure& f, const std::string& name) {
    const bool logs = std::all_of(f.values.begin(), f.values.end(), [](double v) { return v > 0; });
    if (too_few(f, name)) return;
    std::vector<double> scaled = f.values;
    if (logs) {
      for (double& v : scaled) v = std::log(v);
    }
    const Moments m = moments(scaled);
    const auto n = static_cast<double>(m.n);
    const double half = student_t_quantile(gate_.confidence, n - 1) * m.stddev / std::sqrt(n);
    const auto back = [&](double v) { return logs ? std::exp(v) : v; };
    result_.observed = measured(back(m.mean), name + ", one-sided " + figure(100 * gate_.confidence) + " % over " + std::to_string(m.n) + " blocks", m.n);
    const double target = guarded(gate_);
    std::optional<double> distance;
    if (!logs || target > 0) {
      const double goal = logs ? std::log(target) : target;
      distance = is_upper(gate_) ? goal - m.mean : m.mean - goal;
    }
    conclude({back(m.mean - half), back(m.mean + half)}, m.n, distance, m.stddev);
  }

  void conclude(const Bounds& bounds, std::size_t n, std::optional<double> distance, std::optional<double> stddev) {
    result_.observed.low = bounds.low;
    result_.observed.high = bounds.high;
    const Verdict verdict = decide(gate_, bounds);
    const std::string interval = figure(bounds.low, 4) + " to " + figure(bounds.high, 4);
    if (verdict == Verdict::kPass) return set(verdict, "the whole interval " + interval + " is within the limit");
    if (verdict == Verdict::kFail) return set(verdict, "the whole interval " + interval + " is beyond the limit");
    set(verdict, "the interval " + interval + " reaches across the limit" + (gate_.guard_ratio > 0 ? " or its guard of " + figure(100 * gate_.guard_ratio) + " %" : ""));
    if (!distance || !stddev) return;
    if (*distance <= 0) {
      result_.next_action = "repeating will not settle it: the estimate itself is not within the limit" + std::string(gate_.guard_ratio > 0 ? " and its guard" : "");
      return;
    }
    const auto needed = blocks_needed(*distance, *stddev, gate_.confidence);
    result_.next_action = needed && *needed > n ? "needs about " + blocks_text(*needed - n)
                                                : "more than 1,000 blocks would be needed: lower the noise, or move the limit";
  }

  const Gate& gate_;
  const GateEvidence& evidence_;
  std::size_t arm_;
  GateResult result_;
};

bool matches(const std::string& pattern, const std::string& name) { return pattern.empty() || pattern == "*" || pattern == name; }

GateResult unmatched(const Gate& gate) {
  GateResult out;
  out.id = gate.id;
  out.scenario = gate.scenario;
  out.arm = gate.arm;
  out.baseline = gate.baseline;
  out.metric = gate.metric;
  out.op = gate.op;
  out.limit = gate.limit;
  out.expect = gate.expect;
  out.warn_only = gate.warn_only;
  out.verdict = Verdict::kInvalid;
  out.observed = unmeasured("no run of this scenario on this arm");
  out.reason = "no data: there is no usable run of scenario \"" + gate.scenario + "\" on arm \"" + gate.arm + "\"";
  out.next_action = "run that cell, or correct the gate's scope";
  out.as_expected = gate.expect == Verdict::kInvalid;
  return out;
}

}  // namespace

std::vector<GateResult> judge_gates(std::span<const Gate> gates, const GateEvidence& evidence) {
  std::vector<GateResult> out;
  for (const Gate& gate : gates) {
    bool any = false;
    for (std::size_t i = 0; i < evidence.cells.size(); ++i) {
      if (!matches(gate.scenario, evidence.cells[i].scenario) || !matches(gate.arm, evidence.cells[i].arm)) continue;
      // A gate on all arms relative to one of them does not compare that one with itself.
      if (!gate.baseline.empty() && evidence.cells[i].arm == gate.baseline) continue;
      if (gate.metric.substr(0, 8) == "scaling." && gate.arm.empty() && evidence.cells[i].info.role == "baseline") continue;
      out.push_back(GateJudge(gate, evidence, i).judge());
      any = true;
    }
    if (!any) out.push_back(unmatched(gate));
  }
  return out;
}

Verdict overall_verdict(std::span<const GateResult> results) {
  const auto rank = [](Verdict v) {
    switch (v) {
      case Verdict::kInvalid: return 4;
      case Verdict::kFail: return 3;
      case Verdict::kInconclusive: return 2;
      case Verdict::kPass: return 1;
      case Verdict::kNotJudged: break;
    }
    return 0;
  };
  Verdict worst = Verdict::kNotJudged;
  for (const auto& result : results) {
    if (result.warn_only) continue;
    const Verdict verdict = result.expect && result.as_expected ? Verdict::kPass : result.verdict;
    if (rank(verdict) > rank(worst)) worst = verdict;
  }
  return worst;
}

}  // namespace analyzers
