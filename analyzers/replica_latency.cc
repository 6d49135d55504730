// See replica_latency.h.
#include "analyzers/replica_latency.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "analyzers/statistics.h"
#include "analyzers/window.h"

namespace analyzers {
namespace {

using Latency = std::optional<double> (*)(const bench::RequestRecord&);
struct Metric {
  const char* name;
  Latency of;
};
constexpr std::array<Metric, 3> kMetrics{{{"ttft_ms", ttft_ms}, {"tpot_ms", tpot_ms}, {"e2e_ms", e2e_ms}}};
/// Nearest rank needs these many samples for p50 and p95, as everywhere else.
constexpr double kLeastForMedian = 1, kLeastForP95 = 72;
/// Below this share of a response is a trace of one, not a figure.
constexpr double kLeastWeight = 0.5;

struct Weighted {
  double value = 0, weight = 0;
};

struct Samples {
  std::vector<Weighted> of;
  double weight = 0, squares = 0, sum = 0;
  void add(double value, double w) {
    of.push_back({value, w});
    weight += w;
    squares += w * w;
    sum += w * value;
  }
  [[nodiscard]] double effective() const { return squares > 0 ? weight * weight / squares : 0; }
};

Estimate quantile(const Samples& samples, double q, double least, const std::string& method) {
  const auto n = static_cast<std::size_t>(samples.effective() + 1e-9);
  if (samples.effective() < least) {
    return unmeasured("needs " + std::to_string(static_cast<std::size_t>(least)) + " responses, has about " + std::to_string(n));
  }
  double below = 0;
  for (const auto& s : samples.of) {
    below += s.weight;
    if (below >= q * samples.weight * (1 - 1e-12)) return measured(s.value, method, n);
  }
  return measured(samples.of.back().value, method, n);
}

/// Samples per row, of one metric; `reason`: why a cell was left out.
std::vector<Samples> collect(const std::vector<const Cell*>& cells, const std::vector<ReplicaRow>& rows, const Metric& metric, std::string& reason) {
  std::vector<Samples> out(rows.size());
  for (const Cell* cell : cells) {
    const MetricFamily family = family_of(metric.name);
    if (!valid_for(cell->analysis.validity, family)) {
      reason = "not valid: " + why_invalid(cell->analysis.validity, family);
      continue;
    }
    std::vector<std::size_t> row_of;
    for (const auto& replica : cell->run->manifest.replicas) {
      const auto at = std::find_if(rows.begin(), rows.end(), [&](const ReplicaRow& row) { return row.replica == replica.name; });
      row_of.push_back(static_cast<std::size_t>(at - rows.begin()));
    }
    for (std::size_t i = 0; i < cell->run->records.size(); ++i) {
      const auto& record = cell->run->records[i];
      if (!succeeded(record) || !due_in(cell->analysis.window, record)) continue;
      const auto value = metric.of(record);
      if (!value) continue;
      for (const auto& candidate : cell->attribution.of_record[i].candidates) {
        if (candidate.p > 0 && candidate.replica < row_of.size()) out[row_of[candidate.replica]].add(*value, static_cast<double>(candidate.p));
      }
    }
  }
  for (auto& samples : out) {
    std::stable_sort(samples.of.begin(), samples.of.end(), [](const Weighted& a, const Weighted& b) { return a.value < b.value; });
  }
  return out;
}

Estimate weighed(const std::vector<const Cell*>& cells, bool& all_claimed) {
  std::size_t responses = 0, known = 0;
  for (const Cell* cell : cells) {
    for (std::size_t i = 0; i < cell->run->records.size(); ++i) {
      const auto& record = cell->run->records[i];
      if (!succeeded(record) || !due_in(cell->analysis.window, record)) continue;
      const auto& claim = cell->attribution.of_record[i];
      ++responses;
      known += !claim.candidates.empty() && claim.candidates.front().p > 0 ? 1 : 0;
      all_claimed = all_claimed && claim.replica >= 0;
    }
  }
  if (responses == 0) return unmeasured("no response in the measured window");
  return measured(static_cast<double>(known) / static_cast<double>(responses), "exact count", responses);
}

}  // namespace

void add_replica_latencies(const std::vector<const Cell*>& cells, std::vector<ReplicaRow>& rows) {
  if (rows.empty()) return;
  bool all_claimed = true;
  const Estimate known = weighed(cells, all_claimed);
  const std::string method = all_claimed ? "all responses attributed" : "responses weighed by posterior";
  for (auto& row : rows) row.weighed_ratio = known;
  if (!known.value || *known.value <= 0) return;
  for (const auto& metric : kMetrics) {
    std::string reason;
    const auto samples = collect(cells, rows, metric, reason);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      ReplicaLatency latency;
      latency.metric = metric.name;
      if (samples[r].weight < kLeastWeight) {
        latency.mean = latency.p50 = latency.p95 = unmeasured(!reason.empty() ? reason : "no response of this replica has one");
      } else {
        latency.mean = measured(samples[r].sum / samples[r].weight, method, static_cast<std::size_t>(samples[r].effective() + 1e-9));
        latency.p50 = quantile(samples[r], 0.50, kLeastForMedian, method);
        latency.p95 = quantile(samples[r], 0.95, kLeastForP95, method);
      }
      rows[r].latencies.push_back(std::move(latency));
    }
  }
}

}  // namespace analyzers
