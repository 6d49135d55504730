// Building blocks of report.json: values, estimates and rows as ordered JSON. Private to json.cc and json_rows.cc.
// Must never be included by a public header: it pulls in nlohmann_json.
// It must never let NaN or Infinity through: such a figure becomes null with a reason.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "analyzers/analysis.h"

namespace reports {

using Json = nlohmann::ordered_json;

/// A finite number, or null.
[[nodiscard]] Json number(double value);
[[nodiscard]] Json number(const std::optional<double>& value);
/// Rounded to 6 significant digits: points of curves, where more digits are only bytes.
[[nodiscard]] Json rounded(double value);
/// {"value","low","high","n","method","reason"}; a missing value always has a reason.
[[nodiscard]] Json to_json(const analyzers::Estimate& estimate);
[[nodiscard]] Json to_json(const analyzers::Validity& validity);
[[nodiscard]] Json to_json(const analyzers::CellAnalysis& cell);
[[nodiscard]] Json to_json(const analyzers::ArmAnalysis& arm);

}  // namespace reports
