// Judges saturation of one arm from its scrapes and its ladder.
// Called by analyze() for every scenario and arm. It must never call a busy replica a saturated one.
#include "analyzers/saturation.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "analyzers/statistics.h"
#include "analyzers/throughput.h"

namespace analyzers {
namespace {

struct WaitingCount {
  std::size_t scrapes = 0, waiting = 0;
};

/// Least share over the replicas of all cells; none when a replica has no gauge in a window.
Estimate waiting_fraction(const ArmCells& arm) {
  double least = 1;
  std::size_t scrapes = 0;
  for (const Cell* cell : arm.cells) {
    std::vector<WaitingCount> counts(cell->run->manifest.replicas.size());
    for (const auto& s : cell->run->scrapes) {
      const double t = core::to_seconds(s.answered);
      if (s.replica >= counts.size() || !usable(s) || !s.values.waiting) continue;
      if (t < cell->analysis.window.start_s || t > cell->analysis.window.end_s) continue;
      ++counts[s.replica].scrapes;
      counts[s.replica].waiting += *s.values.waiting > 0 ? 1 : 0;
    }
    if (counts.empty()) return unmeasured("no replica's metrics are known");
    for (const auto& c : counts) {
      if (c.scrapes == 0) return unmeasured("a replica was not scraped within the window");
      least = std::min(least, static_cast<double>(c.waiting) / static_cast<double>(c.scrapes));
      scrapes += c.scrapes;
    }
  }
  if (scrapes == 0) return unmeasured("no scrape within the window");
  return measured(least, "least over replicas and blocks", scrapes);
}

std::vector<std::pair<double, double>> ladder_points(const ArmCells& arm) {
  std::map<double, std::pair<double, std::size_t>> sums;
  const auto add = [&](const Cell* cell) {
    const MetricRow* rate = find_row(cell->analysis.metrics, "requests_per_s");
    const double c = cell->analysis.concurrency;
    if (rate == nullptr || !rate->estimate.value || c <= 0 || !cell->analysis.validity.throughput_valid) return;
    auto& sum = sums[c];
    sum.first += *rate->estimate.value;
    ++sum.second;
  };
  for (const Cell* cell : arm.ladder) add(cell);
  // The measured cells are points of the same curve; a step to the measured load needs no extra run.
  if (!arm.ladder.empty()) {
    for (const Cell* cell : arm.cells) add(cell);
  }
  std::vector<std::pair<double, double>> points;
  for (const auto& entry : sums) points.emplace_back(entry.first, entry.second.first / static_cast<double>(entry.second.second));
  return points;
}

double measured_concurrency(const ArmCells& arm) {
  double c = 0;
  for (const Cell* cell : arm.cells) c = std::max(c, cell->analysis.concurrency);
  return c;
}

}  // namespace

SaturationAnalysis analyze_saturation(const ArmCells& arm) {
  SaturationAnalysis out;
  out.waiting_fraction_min = waiting_fraction(arm);
  out.ladder = ladder_points(arm);
  const std::size_t n = out.ladder.size();
  if (n < 2) {
    out.marginal_throughput_ratio = unmeasured(arm.ladder.empty() ? "no ladder was run" : "the ladder has fewer than two valid steps");
  } else {
    const auto& from = out.ladder[n - 2];
    const auto& to = out.ladder[n - 1];
    // Scaled to a doubling, so that steps of different width are held to one limit.
    const double doublings = std::log2(to.first / from.first);
    out.marginal_throughput_ratio = from.second > 0 && to.second > 0
                                        ? measured(std::pow(to.second / from.second, 1 / doublings) - 1,
                                                   "gain per doubling from c = " + figure(from.first) + " to " + figure(to.first), n)
                                        : unmeasured("a ladder step served nothing");
  }
  const auto& waiting = out.waiting_fraction_min;
  const auto& gain = out.marginal_throughput_ratio;
  const bool waits = waiting.value && *waiting.value >= kMinWaitingFraction;
  const bool flat = gain.value && *gain.value <= kMaxGainPerDoubling;
  const bool idle = waiting.value && *waiting.value < 0.5;
  const bool steep = gain.value && *gain.value > 2 * kMaxGainPerDoubling;
  const bool reached = n < 2 || measured_concurrency(arm) >= out.ladder[n - 2].first;
  if (waits && flat && reached) out.verdict = Verdict::kPass;
  else out.verdict = idle || steep ? Verdict::kFail : Verdict::kInconclusive;
  const std::string waiting_text = waiting.value ? "requests were waiting in " + figure(100 * *waiting.value, 3) + " % of the scrapes of the replica where they waited least"
                                                 : "whether requests were waiting is not known (" + waiting.reason + ")";
  const std::string gain_text = gain.value ? "the ladder's last step changed throughput by " + figure(100 * *gain.value, 2) + " % per doubling of the concurrency"
                                           : "how throughput grows with load is not known (" + gain.reason + ")";
  out.reason = std::string(out.verdict == Verdict::kPass ? "saturated: " : out.verdict == Verdict::kFail ? "not saturated: " : "saturation not shown: ") +
               waiting_text + ", " + gain_text;
  if (!reached) out.reason += "; the measured concurrency lies below the ladder's last step";
  return out;
}

}  // namespace analyzers
