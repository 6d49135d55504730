// What a served request costs on an arm: node price over throughput. Prices are inputs, never defaults.
// Used by analyze() per scenario and arm.
#pragma once

#include <optional>
#include <vector>

#include "analyzers/analysis.h"

namespace analyzers {

/// usd_per_hour, usd_per_1m_requests, usd_per_1m_output_tokens; intervals carried over from the summary's throughput.
[[nodiscard]] std::vector<MetricRow> cost_rows(std::optional<double> usd_per_hour, const std::vector<MetricRow>& summary);

}  // namespace analyzers
