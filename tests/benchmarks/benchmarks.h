// What main.cc of the benchmarks runs. Benchmarks print nothing themselves and assert nothing.
#pragma once

#include <string>
#include <vector>

namespace benchmarks {

struct Row {
  std::string id;
  double value = 0, goal = 0;
  bool more_is_better = true;
  std::string reference;  ///< the peer, or what the goal is a budget of
  std::string note;       ///< how it was measured
  [[nodiscard]] bool met() const { return more_is_better ? value >= goal : value <= goal; }
};

/// Client's CPU per streamed request against wrk's. `folder`: for wrk's script. Empty: a round failed.
[[nodiscard]] std::vector<Row> client_cpu(const std::string& folder);

/// CPU seconds and peak memory that attribution of 100,000 simulated responses takes. Empty: it could not be measured.
[[nodiscard]] std::vector<Row> attribution_cost();

}  // namespace benchmarks
