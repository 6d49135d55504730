// Makes cells of runs: facts, window, counts, figures, validity, attribution; and decides which of them are used.
// Called by analyze(). A repeat supersedes its earlier attempts whatever it found.
#include <algorithm>
#include <map>
#include <tuple>

#include "analyzers/arms.h"
#include "analyzers/statistics.h"
#include "analyzers/throughput.h"
#include "analyzers/truth_check.h"
#include "analyzers/window.h"

namespace analyzers {
namespace {

std::string status_text(bench::RunStatus status) {
  switch (status) {
    case bench::RunStatus::kCompleted: return "completed";
    case bench::RunStatus::kAborted: return "aborted";
    case bench::RunStatus::kRunning: break;
  }
  // A run that was never closed was killed: what is there is what it got to.
  return "aborted";
}

void add_distributions(Cell& cell) {
  for (const auto& samples : cell.latencies) {
    Distribution d = describe(samples, "within this run");
    Estimate mean = d.mean ? measured(*d.mean, "mean within this run", d.n) : unmeasured(samples.reason);
    cell.analysis.metrics.push_back(row(d.metric + ".mean", std::move(mean)));
    for (const auto& q : d.quantiles) cell.analysis.metrics.push_back(row(d.metric + "." + q.name, q.estimate));
    cell.analysis.distributions.push_back(std::move(d));
  }
}

Cell make_cell(const bench::Run& run) {
  Cell cell;
  cell.run = &run;
  cell.facts = facts_of(run);
  auto& a = cell.analysis;
  const auto& ref = run.manifest.cell;
  a.run_id = run.manifest.id;
  a.scenario = !ref.scenario.empty() ? ref.scenario : cell.facts.scenario ? cell.facts.scenario->name : "run";
  a.arm = !ref.arm.empty() ? ref.arm : "target";
  a.block = ref.block;
  a.position = ref.position;
  a.attempt = ref.attempt;
  a.purpose = ref.purpose;
  a.status = status_text(run.manifest.status);
  a.window = measured_window(run, cell.facts);
  a.counts = count_requests(run, cell.facts, a.window);
  a.metrics = throughput_rows(run, a.window, a.counts);
  a.concurrency = cell.facts.concurrency;
  a.offered_rps = cell.facts.offered_rps;
  a.validity = judge_validity(run);
  a.series = time_series(run);
  cell.latencies = collect_latencies(run, cell.facts, a.window);
  add_distributions(cell);
  return cell;
}

}  // namespace

std::vector<Cell> make_cells(std::span<const bench::Run> runs) {
  std::vector<Cell> cells;
  cells.reserve(runs.size());
  for (const auto& run : runs) cells.push_back(make_cell(run));
  std::stable_sort(cells.begin(), cells.end(), [](const Cell& x, const Cell& y) {
    const auto& a = x.analysis;
    const auto& b = y.analysis;
    return std::tie(a.scenario, a.arm, a.block, a.position, a.attempt) < std::tie(b.scenario, b.arm, b.block, b.position, b.attempt);
  });
  std::map<std::tuple<std::string, std::string, std::uint32_t>, std::uint32_t> last;
  for (const auto& cell : cells) {
    if (cell.analysis.purpose == "ladder") continue;
    auto& attempt = last[{cell.analysis.scenario, cell.analysis.arm, cell.analysis.block}];
    attempt = std::max(attempt, cell.analysis.attempt);
  }
  for (auto& cell : cells) {
    auto& a = cell.analysis;
    a.used = a.purpose != "ladder" && a.attempt == last[{a.scenario, a.arm, a.block}];
    cell.attribution.of_record.resize(cell.run->records.size());
    if (!a.used) continue;
    cell.attribution = attribute_run(*cell.run, cell.facts);
    const auto source = cell.run->manifest.labels.find("attribution");
    if (source != cell.run->manifest.labels.end() && source->second == "header") {
      cell.attribution = header_attribution(*cell.run, cell.attribution);
    }
  }
  return cells;
}

std::vector<ArmCells> sort_into_arms(const std::vector<Cell>& cells, const ExperimentSpec& spec) {
  std::vector<ArmCells> arms;
  for (const auto& cell : cells) {
    const auto& a = cell.analysis;
    auto at = std::find_if(arms.begin(), arms.end(), [&](const ArmCells& arm) { return arm.scenario == a.scenario && arm.arm == a.arm; });
    if (at == arms.end()) {
      ArmCells arm;
      arm.scenario = a.scenario;
      arm.arm = a.arm;
      arm.info.name = a.arm;
      const auto info = std::find_if(spec.arms.begin(), spec.arms.end(), [&](const ArmInfo& i) { return i.name == a.arm; });
      if (info != spec.arms.end()) arm.info = *info;
      if (arm.info.replicas == 0) arm.info.replicas = static_cast<std::uint32_t>(cell.run->manifest.replicas.size());
      at = arms.insert(arms.end(), std::move(arm));
    }
    if (a.purpose == "ladder") at->ladder.push_back(&cell);
    else if (a.used) at->cells.push_back(&cell);
  }
  std::erase_if(arms, [](const ArmCells& arm) { return arm.cells.empty(); });
  // Arms as the experiment lists them, baseline first: readers compare from left to right.
  const auto rank = [&](const ArmCells& arm) {
    const auto info = std::find_if(spec.arms.begin(), spec.arms.end(), [&](const ArmInfo& i) { return i.name == arm.arm; });
    return info - spec.arms.begin();
  };
  std::stable_sort(arms.begin(), arms.end(), [&](const ArmCells& a, const ArmCells& b) {
    return a.scenario != b.scenario ? a.scenario < b.scenario : rank(a) < rank(b);
  });
  return arms;
}

}  // namespace analyzers
