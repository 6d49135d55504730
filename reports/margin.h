// How far a gate's observed figure is from its limit, and in which unit. Used by JSON and by people's renderers, so that both say the same.
// Must never judge: the verdict is the analyzers'.
#pragma once

#include <cmath>
#include <optional>

#include "analyzers/analysis.h"
#include "reports/format.h"

namespace reports {

struct Margin {
  std::optional<double> absolute, ratio;  ///< positive: on the good side; ratio: absolute / |limit|, none for limit 0
};

[[nodiscard]] inline Margin margin_of(const analyzers::GateResult& gate) {
  Margin margin;
  if (!gate.observed.value || !std::isfinite(*gate.observed.value) || !std::isfinite(gate.limit)) return margin;
  const bool upper = !gate.op.empty() && gate.op.front() == '<';
  margin.absolute = upper ? gate.limit - *gate.observed.value : *gate.observed.value - gate.limit;
  if (gate.limit != 0) margin.ratio = *margin.absolute / std::fabs(gate.limit);
  return margin;
}

/// Relative gates judge a ratio of arms; all others, the scaling ratios among them, the metric itself.
[[nodiscard]] inline Unit unit_of_gate(const analyzers::GateResult& gate) {
  if (gate.baseline.empty() || gate.metric.starts_with("scaling.")) return unit_of_metric(gate.metric);
  return Unit::kTimes;
}

}  // namespace reports
