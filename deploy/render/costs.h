// What a bundle costs, from the prices in its values: the runbook's figures, each with its arithmetic.
// A month is 730 h (8,760 h / 12). Nothing here is measured.
#pragma once

#include <string>

#include "deploy/render/template.h"
#include "deploy/render/values.h"

namespace deploy {

inline constexpr double kHoursPerMonth = 730;

/// Dollars with cents and thousands' separators: "$11,022.70". Halves round away from zero.
[[nodiscard]] std::string dollars(double amount);

struct HourlyCost {
  double node = 0;      ///< one TPU node: chips times the chip's price
  double standing = 0;  ///< CPU nodes and what is billed at zero replicas
  [[nodiscard]] double of(std::int64_t nodes) const { return static_cast<double>(nodes) * node + standing; }
};
[[nodiscard]] HourlyCost hourly_cost(const BundleValues& values);

/// The keys cost.* of the runbook.
void add_costs(const BundleValues& values, TemplateInput& out);

}  // namespace deploy
