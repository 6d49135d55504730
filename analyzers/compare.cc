// Paired comparison of two arms on one scenario, and the block values that gates and scaling share with it.
// Called by analyze(). It must never pair cells of different blocks.
#include "analyzers/compare.h"

#include <algorithm>
#include <cmath>

#include "analyzers/statistics.h"
#include "analyzers/throughput.h"

namespace analyzers {

BlockValues block_values(const ArmCells& arm, std::string_view metric) {
  BlockValues out;
  const MetricFamily family = family_of(metric);
  for (const Cell* cell : arm.cells) {
    if (!valid_for(cell->analysis.validity, family)) {
      ++out.invalid;
      out.reason = "block " + std::to_string(cell->analysis.block) + ": " + why_invalid(cell->analysis.validity, family);
      continue;
    }
    const MetricRow* row = find_row(cell->analysis.metrics, metric);
    if (row == nullptr || !row->estimate.value) {
      ++out.missing;
      out.reason = row == nullptr ? "not measured" : row->estimate.reason;
      continue;
    }
    out.values.push_back({cell->analysis.block, *row->estimate.value});
  }
  return out;
}

PairedLogs paired_logs(const ArmCells& baseline, const ArmCells& candidate, std::string_view metric) {
  const BlockValues b = block_values(baseline, metric);
  const BlockValues c = block_values(candidate, metric);
  PairedLogs out;
  out.invalid = std::max(b.invalid, c.invalid);
  out.missing = std::max(b.missing, c.missing);
  out.reason = !c.reason.empty() ? c.reason : b.reason;
  for (const auto& base : b.values) {
    const auto match = std::find_if(c.values.begin(), c.values.end(), [&](const BlockValue& v) { return v.block == base.block; });
    if (match == c.values.end()) continue;
    if (base.value > 0 && match->value > 0) out.logs.push_back(std::log(match->value / base.value));
    else {
      ++out.missing;
      out.reason = "a ratio of " + std::string(metric) + " needs positive figures";
    }
  }
  return out;
}

double equivalence_ratio(std::string_view metric) {
  if (metric.find("per_s") != std::string_view::npos) return 1.02;
  if (metric.find(".p50") != std::string_view::npos || metric.find(".mean") != std::string_view::npos) return 1.03;
  return 1.05;
}

ComparisonRow compare_metric(const ArmCells& baseline, const ArmCells& candidate, const std::string& metric) {
  ComparisonRow out;
  out.scenario = candidate.scenario;
  out.baseline = baseline.arm;
  out.candidate = candidate.arm;
  out.metric = metric;
  out.lower_is_better = lower_is_better(metric);
  const PairedLogs paired = paired_logs(baseline, candidate, metric);
  out.blocks = paired.logs.size();
  out.design = out.blocks > 1 ? "interleaved blocks, same trace" : "one block";
  out.outcome = "unclear";
  if (paired.logs.empty()) {
    out.ratio = unmeasured(paired.reason.empty() ? "no block has this figure on both arms" : paired.reason);
    out.reason = out.ratio.reason;
    return out;
  }
  const Moments m = moments(paired.logs);
  out.ratio = measured(std::exp(m.mean), "paired log_t over " + std::to_string(m.n) + (m.n == 1 ? " block" : " blocks"), m.n);
  const auto wide = t_interval(m, 0.95);
  const auto narrow = t_interval(m, 0.90);
  if (!wide) {
    out.ratio.reason = "one block gives no interval";
    out.reason = "one block gives no interval: repeat in interleaved blocks";
    return out;
  }
  out.ratio.low = std::exp(wide->low);
  out.ratio.high = std::exp(wide->high);
  const double margin = equivalence_ratio(metric);
  const bool higher = *out.ratio.low > margin;
  const bool lower = *out.ratio.high < 1 / margin;
  if (higher || lower) out.outcome = lower == out.lower_is_better ? "better" : "worse";
  else if (std::exp(narrow->low) >= 1 / margin && std::exp(narrow->high) <= margin) out.outcome = "equivalent";
  if (out.outcome == "unclear") out.reason = "the interval reaches across the equivalence ratio " + figure(margin) + ": more blocks would narrow it";
  else out.reason = "equivalence ratio " + figure(margin);
  if (const auto p = sign_flip_p(paired.logs)) out.reason += "; exact sign-flip p = " + figure(*p, 2);
  if (paired.invalid > 0) out.reason += "; " + std::to_string(paired.invalid) + " invalid block(s) left out";
  return out;
}

std::vector<ComparisonRow> compare_arms(const ArmCells& baseline, const ArmCells& candidate) {
  std::vector<ComparisonRow> out;
  for (const char* metric : {"requests_per_s", "output_tokens_per_s", "goodput_requests_per_s", "ttft_ms.p50", "ttft_ms.p99", "tpot_ms.p50",
                             "tpot_ms.p99", "itl_ms.p50", "itl_ms.p99", "e2e_ms.p50", "e2e_ms.p99"}) {
    const auto b = block_values(baseline, metric);
    const auto c = block_values(candidate, metric);
    if (b.values.empty() && c.values.empty() && b.invalid + c.invalid == 0) continue;
    out.push_back(compare_metric(baseline, candidate, metric));
  }
  return out;
}

}  // namespace analyzers
