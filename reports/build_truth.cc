// Latency per replica, and claims of the attribution against names that responses carry. Called by the replicas and
// attribution sections.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "reports/build.h"

namespace reports {
namespace {

using analyzers::AttributionRow;
using analyzers::ReplicaLatency;
using analyzers::TruthCheck;

constexpr std::size_t kMostReplicas = 32;

const ReplicaLatency* latency_of(const analyzers::ReplicaRow& row, std::string_view metric, std::size_t& at) {
  for (at = 0; at < row.latencies.size(); ++at) {
    if (row.latencies[at].metric == metric) return &row.latencies[at];
  }
  return nullptr;
}

void add_latency_row(const Context& context, std::size_t arm_at, std::size_t at, Table& table) {
  const auto& arm = context.analysis.arms[arm_at];
  const auto& row = arm.replicas[at];
  const std::string path = fmt::format("/arms/{}/replicas/{}/", arm_at, at);
  std::vector<Cell> cells{name_cell(arm.scenario), arm_cell(context, arm.arm), name_cell(row.replica),
                          estimate_cell(row.weighed_ratio, path + "weighed_ratio", Unit::kPercent)};
  const auto add = [&](std::string_view metric, analyzers::Estimate ReplicaLatency::*member, std::string_view key) {
    std::size_t i = 0;
    const ReplicaLatency* latency = latency_of(row, metric, i);
    if (latency == nullptr) {
      cells.push_back(text_cell("\u2014"));
      return;
    }
    cells.push_back(estimate_cell(latency->*member, fmt::format("{}latencies/{}/{}", path, i, key), Unit::kMs));
  };
  add("ttft_ms", &ReplicaLatency::mean, "mean");
  add("ttft_ms", &ReplicaLatency::p50, "p50");
  add("ttft_ms", &ReplicaLatency::p95, "p95");
  add("tpot_ms", &ReplicaLatency::mean, "mean");
  add("e2e_ms", &ReplicaLatency::mean, "mean");
  add("e2e_ms", &ReplicaLatency::p95, "p95");
  table.rows.push_back(std::move(cells));
}

Table confusion_table(const TruthCheck& truth, const std::string& path, const std::string& where) {
  Table table;
  table.caption = "Attributed replica (rows) against the name in the response (columns), " + where;
  table.columns = {{"Attributed to", false}};
  const std::size_t shown = std::min(truth.names.size(), kMostReplicas);
  for (std::size_t c = 0; c < shown; ++c) table.columns.push_back({name(truth.names[c]), true});
  if (shown < truth.names.size()) table.caption += fmt::format(", the first {} of {}; all are in report.json", shown, truth.names.size());
  for (std::size_t r = 0; r < std::min(truth.replicas.size(), kMostReplicas); ++r) {
    std::vector<Cell> cells{name_cell(truth.replicas[r])};
    for (std::size_t c = 0; c < shown; ++c) cells.push_back(count_cell(truth.confusion[r][c], fmt::format("{}confusion/{}/{}", path, r, c)));
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table bins_table(const TruthCheck& truth, const std::string& path, const std::string& where) {
  Table table;
  table.caption = "Is the stated confidence true? Likeliest replicas, " + where;
  table.columns = {{"Confidence", false}, {"responses", true}, {"right", true}, {"stated, mean", true}, {"observed", true}};
  for (std::size_t i = 0; i < truth.bins.size(); ++i) {
    const auto& bin = truth.bins[i];
    if (bin.responses == 0) continue;
    const std::string at = fmt::format("{}bins/{}/", path, i);
    const std::string range = bin.high < 1 ? fmt::format("{:g} to {:g}", bin.low, bin.high) : fmt::format("{:g} and more", bin.low);
    table.rows.push_back({text_cell(range), count_cell(bin.responses, at + "responses"), count_cell(bin.right, at + "right"),
                          figure_cell(bin.stated_mean, at + "stated_mean_ratio", Unit::kPercent),
                          figure_cell(static_cast<double>(bin.right) / static_cast<double>(bin.responses), at + "observed_ratio", Unit::kPercent)});
  }
  return table;
}

Table disagreements_table(const TruthCheck& truth, const std::string& path, const std::string& where) {
  Table table;
  table.caption = fmt::format("Disagreements, {}: the first {} of {}. They are listed, not corrected", where, truth.disagreements.size(), truth.wrong);
  table.columns = {{"Request", true}, {"Attributed to", false}, {"Named in the response", false}, {"confidence", true}, {"Method", false}};
  for (std::size_t i = 0; i < truth.disagreements.size(); ++i) {
    const auto& d = truth.disagreements[i];
    const std::string at = fmt::format("{}disagreements/{}/", path, i);
    table.rows.push_back({count_cell(d.request, at + "request"), name_cell(d.claimed), name_cell(d.named),
                          figure_cell(static_cast<double>(d.confidence), at + "confidence_ratio", Unit::kPercent), text_cell(name(d.method))});
  }
  return table;
}

Table summary_table(const Context& context) {
  Table table;
  table.caption = "Against the names in responses";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"Named by", false}, {"named", true}, {"compared", true}, {"wrong", true},
                   {"expected wrong", true}, {"error, 95 % bound", true}, {"Note", false}};
  for (std::size_t i = 0; i < context.analysis.attribution.size(); ++i) {
    const AttributionRow& row = context.analysis.attribution[i];
    if (row.truth.named == 0) continue;
    const std::string path = fmt::format("/attribution/{}/", i);
    table.rows.push_back({name_cell(row.scenario), arm_cell(context, row.arm), text_cell(name(row.truth.source)),
                          count_cell(row.truth.named, path + "truth/named"), count_cell(row.truth.compared, path + "truth/compared"),
                          count_cell(row.truth.wrong, path + "truth/wrong"),
                          estimate_cell(row.expected_wrong, path + "expected_wrong", Unit::kPlain),
                          estimate_cell(row.truth.error_ratio, path + "truth/error_ratio", Unit::kPercent), text_cell(sentence(row.truth.reason))});
  }
  return table;
}

}  // namespace

Table replica_latency_table(const Context& context) {
  Table table;
  table.caption = "Latency per replica, ms; each response counts by the probability that the replica served it";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"Replica", false}, {"responses known", true}, {"TTFT mean", true}, {"TTFT p50", true},
                   {"TTFT p95", true}, {"TPOT mean", true}, {"E2E mean", true}, {"E2E p95", true}};
  for (std::size_t a = 0; a < context.analysis.arms.size(); ++a) {
    const auto& replicas = context.analysis.arms[a].replicas;
    if (replicas.size() < 2 || replicas.front().latencies.empty()) continue;
    for (std::size_t r = 0; r < std::min(replicas.size(), kMostReplicas); ++r) add_latency_row(context, a, r, table);
    if (replicas.size() > kMostReplicas) table.caption += fmt::format("; the first {} of an arm, all are in report.json", kMostReplicas);
  }
  return table;
}

std::vector<Block> truth_blocks(const Context& context) {
  std::vector<Block> out;
  Table summary = summary_table(context);
  if (summary.rows.empty()) return out;
  out.emplace_back(std::move(summary));
  for (std::size_t i = 0; i < context.analysis.attribution.size(); ++i) {
    const AttributionRow& row = context.analysis.attribution[i];
    if (row.truth.compared == 0) continue;
    const std::string where = fmt::format("{}, {}", name(row.scenario), name(row.arm));
    const std::string path = fmt::format("/attribution/{}/truth/", i);
    if (row.truth.replicas.size() > 1) out.emplace_back(Folded{"Confusion matrix, " + where, confusion_table(row.truth, path, where)});
    out.emplace_back(Folded{"Accuracy by confidence, " + where, bins_table(row.truth, path, where)});
    if (row.truth.wrong > 0) out.emplace_back(Folded{"Disagreements, " + where, disagreements_table(row.truth, path, where)});
  }
  return out;
}

}  // namespace reports
