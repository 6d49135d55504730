// Scaling ratio and efficiency with an interval over blocks, and the sentence that says why it is or is not shown.
// Called by analyze() per scenario and pair of arms. It must never show scaling at a load that does not saturate.
#include "analyzers/scaling.h"

#include <cmath>

#include "analyzers/statistics.h"
#include "analyzers/throughput.h"

namespace analyzers {
namespace {

struct LoadFigures {
  double requests_per_s = 0, latency_s = 0, in_flight = 0, concurrency = 0;
  bool known = false;
};

LoadFigures figures_of(const ArmCells& arm) {
  LoadFigures out;
  std::size_t n = 0;
  for (const Cell* cell : arm.cells) {
    const MetricRow* rate = find_row(cell->analysis.metrics, "requests_per_s");
    const MetricRow* latency = find_row(cell->analysis.metrics, "e2e_ms.mean");
    const MetricRow* flight = find_row(cell->analysis.metrics, "in_flight_mean");
    if (rate == nullptr || latency == nullptr || flight == nullptr) continue;
    if (!rate->estimate.value || !latency->estimate.value || !flight->estimate.value) continue;
    out.requests_per_s += *rate->estimate.value;
    out.latency_s += *latency->estimate.value / 1e3;
    out.in_flight += *flight->estimate.value;
    out.concurrency = cell->analysis.concurrency;
    ++n;
  }
  if (n == 0) return out;
  const auto dn = static_cast<double>(n);
  out.requests_per_s /= dn;
  out.latency_s /= dn;
  out.in_flight /= dn;
  out.known = out.latency_s > 0;
  return out;
}

std::string replicas_text(const ArmCells& arm) {
  return std::to_string(arm.info.replicas) + (arm.info.replicas == 1 ? " replica" : " replicas");
}

/// By Little's law a closed loop of c serves c / latency, whatever the replicas could do.
std::string latency_bound(const ArmCells& baseline, const ArmCells& candidate) {
  const LoadFigures b = figures_of(baseline);
  const LoadFigures c = figures_of(candidate);
  if (!b.known || !c.known) return {};
  const auto part = [](const ArmCells& arm, const LoadFigures& f) {
    return figure(f.in_flight) + " in flight / " + figure(f.latency_s) + " s = " + figure(f.in_flight / f.latency_s) + " req/s with " +
           replicas_text(arm) + " (measured " + figure(f.requests_per_s) + ")";
  };
  std::string text = b.concurrency > 0 ? "At c = " + figure(b.concurrency) + " the load is bound by latency, not by capacity: " : "By Little's law: ";
  return text + part(baseline, b) + ", " + part(candidate, c) + "; replicas that wait for work cannot show what they could serve.";
}

void set_ratio(ScalingRow& row, const ArmCells& baseline, const ArmCells& candidate) {
  const PairedLogs paired = paired_logs(baseline, candidate, "requests_per_s");
  if (paired.logs.empty()) {
    row.throughput_ratio = unmeasured(paired.reason.empty() ? "no block was measured on both arms" : paired.reason);
    row.efficiency_ratio = row.throughput_ratio;
    if (paired.invalid > 0) {
      row.verdict = "invalid";
      row.reason = "throughput is not valid: " + paired.reason;
    }
    return;
  }
  const Moments m = moments(paired.logs);
  row.throughput_ratio = measured(std::exp(m.mean), "paired log_t over " + std::to_string(m.n) + (m.n == 1 ? " block" : " blocks"), m.n);
  if (const auto interval = t_interval(m, 0.95)) {
    row.throughput_ratio.low = std::exp(interval->low);
    row.throughput_ratio.high = std::exp(interval->high);
  } else {
    row.throughput_ratio.reason = "one block gives no interval";
  }
  if (baseline.info.replicas == 0 || candidate.info.replicas == 0) {
    row.efficiency_ratio = unmeasured("the number of replicas is not known");
    return;
  }
  const double scale = static_cast<double>(baseline.info.replicas) / static_cast<double>(candidate.info.replicas);
  row.efficiency_ratio = row.throughput_ratio;
  for (auto* value : {&row.efficiency_ratio.value, &row.efficiency_ratio.low, &row.efficiency_ratio.high}) {
    if (*value) **value *= scale;
  }
}

}  // namespace

ScalingRow analyze_scaling(const ArmCells& baseline, const SaturationAnalysis& baseline_saturation, const ArmCells& candidate,
                           const SaturationAnalysis& candidate_saturation) {
  ScalingRow row;
  row.scenario = candidate.scenario;
  row.baseline = baseline.arm;
  row.candidate = candidate.arm;
  row.baseline_replicas = baseline.info.replicas;
  row.candidate_replicas = candidate.info.replicas;
  row.baseline_saturated = baseline_saturation.verdict == Verdict::kPass;
  row.candidate_saturated = candidate_saturation.verdict == Verdict::kPass;
  set_ratio(row, baseline, candidate);
  if (row.verdict == "invalid") return row;
  row.verdict = "not shown";
  if (!row.throughput_ratio.value) {
    row.reason = "Scaling is not shown: " + row.throughput_ratio.reason + ".";
    return row;
  }
  if (!row.baseline_saturated || !row.candidate_saturated) {
    const auto& weak = row.baseline_saturated ? candidate_saturation : baseline_saturation;
    const std::string& name = row.baseline_saturated ? row.candidate : row.baseline;
    const bool idle = baseline_saturation.verdict == Verdict::kFail || candidate_saturation.verdict == Verdict::kFail;
    row.reason = "Scaling is not shown. Load on " + name + " — " + weak.reason + ".";
    if (idle) {
      const std::string bound = latency_bound(baseline, candidate);
      if (!bound.empty()) row.reason += " " + bound;
    }
    return row;
  }
  row.verdict = "shown";
  row.reason = "Both arms are saturated: " + replicas_text(candidate) + " serve " + figure(*row.throughput_ratio.value) + " times what " +
               replicas_text(baseline) + (baseline.info.replicas == 1 ? " serves" : " serve") +
               (row.efficiency_ratio.value ? ", efficiency " + figure(*row.efficiency_ratio.value) : std::string()) + ".";
  if (row.efficiency_ratio.value && *row.efficiency_ratio.value > 1.0) {
    row.reason += " Above 1 is possible: several replicas together hold a larger prefix cache, and their queues differ.";
  }
  return row;
}

}  // namespace analyzers
