// Analyses made by hand for the renderers' tests: a rich one, and the corner cases.
// Used by tests/reports only. Must never use randomness: equal calls give equal values.
#pragma once

#include <string_view>

#include "analyzers/analysis.h"

namespace reports::fixtures {

/// Two load scenarios, two arms, six blocks, three seed tests, gates with expectations, attribution.
[[nodiscard]] analyzers::Analysis rich();
/// One scenario, two arms, one block, few points: small enough for golden bytes.
[[nodiscard]] analyzers::Analysis small();
[[nodiscard]] analyzers::Analysis single_run();     ///< one arm, nothing to compare
[[nodiscard]] analyzers::Analysis zero_successes(); ///< every request failed
[[nodiscard]] analyzers::Analysis three_arms();
[[nodiscard]] analyzers::Analysis replicas_64();
[[nodiscard]] analyzers::Analysis hostile();        ///< every name and sentence tries to break out
[[nodiscard]] analyzers::Analysis not_finite();     ///< NaN and infinities wherever a double stands

struct Named {
  std::string_view name;
  analyzers::Analysis analysis;
};
[[nodiscard]] const std::vector<Named>& all();

}  // namespace reports::fixtures
