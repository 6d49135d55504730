// Headline figures, distributions, ratios, blocks and ladders. Called by build_report().
// Must never draw a quantile that n does not allow.
#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "reports/build.h"
#include "reports/selection.h"

namespace reports {
namespace {

using analyzers::ArmAnalysis;
using analyzers::ComparisonRow;
using analyzers::Distribution;

constexpr std::array<std::string_view, 4> kQuantiles{"p50", "p90", "p95", "p99"};
constexpr std::array<std::string_view, 3> kPlotted{"ttft_ms", "tpot_ms", "e2e_ms"};
constexpr std::string_view kThroughput = "requests_per_s";

bool is_latency(std::string_view metric) { return metric.find("_ms") != std::string_view::npos; }

Cell quantile_cell(const Distribution& distribution, std::string_view wanted, const std::string& path) {
  for (std::size_t i = 0; i < distribution.quantiles.size(); ++i) {
    if (distribution.quantiles[i].name != wanted) continue;
    return estimate_cell(distribution.quantiles[i].estimate, fmt::format("{}/quantiles/{}/estimate", path, i), Unit::kMs);
  }
  return figure_cell(std::nullopt, "", Unit::kMs, "not among the percentiles asked for");
}

Table latency_table(const Context& context, std::string_view scenario) {
  Table table;
  table.caption = "Latency, ms: nearest rank over the successful requests of all used blocks; intervals are within these runs";
  table.columns = {{"Latency", false}, {"Arm", false}, {"n", true}, {"mean", true},
                   {"p50", true}, {"p90", true}, {"p95", true}, {"p99", true}};
  table.empty = "No request succeeded inside the window, so there is no latency.";
  const std::vector<std::size_t> arms = arms_of(context, scenario);
  std::vector<std::string> metrics;
  for (const std::size_t at : arms) {
    for (const Distribution& one : context.analysis.arms[at].distributions) {
      if (std::find(metrics.begin(), metrics.end(), one.metric) == metrics.end()) metrics.push_back(one.metric);
    }
  }
  for (const std::string& metric : metrics) {
    for (const std::size_t at : arms) {
      const ArmAnalysis& arm = context.analysis.arms[at];
      for (std::size_t d = 0; d < arm.distributions.size(); ++d) {
        const Distribution& one = arm.distributions[d];
        if (one.metric != metric) continue;
        const std::string path = fmt::format("/arms/{}/distributions/{}", at, d);
        std::vector<Cell> row{text_cell(metric_label(metric)), arm_cell(context, arm.arm), count_cell(one.n, path + "/n"),
                              figure_cell(one.mean, path + "/mean", Unit::kMs, "no samples")};
        for (const std::string_view wanted : kQuantiles) row.push_back(quantile_cell(one, wanted, path));
        table.rows.push_back(std::move(row));
      }
    }
  }
  return table;
}

/// One row per metric of the arms' summaries, one column per arm; `latencies` chooses which kind.
Table summary_table(const Context& context, std::string_view scenario, bool latencies, std::string caption) {
  Table table;
  table.caption = std::move(caption);
  table.columns = {{"Figure", false}};
  table.empty = "There are no such figures for this scenario.";
  const std::vector<std::size_t> arms = arms_of(context, scenario);
  std::vector<std::string> metrics;
  for (const std::size_t at : arms) {
    table.columns.push_back({name(context.analysis.arms[at].arm), true});
    for (const auto& row : context.analysis.arms[at].summary) {
      if (is_latency(row.metric) == latencies && std::find(metrics.begin(), metrics.end(), row.metric) == metrics.end()) {
        metrics.push_back(row.metric);
      }
    }
  }
  for (const std::string& metric : metrics) {
    std::vector<Cell> cells{text_cell(metric_label(metric))};
    for (const std::size_t at : arms) {
      const auto& summary = context.analysis.arms[at].summary;
      Cell cell = figure_cell(std::nullopt, "", Unit::kPlain, "not computed for this arm");
      for (std::size_t i = 0; i < summary.size(); ++i) {
        if (summary[i].metric != metric) continue;
        cell = estimate_cell(summary[i].estimate, fmt::format("/arms/{}/summary/{}/estimate", at, i), unit_of_metric(metric));
      }
      cells.push_back(std::move(cell));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table counts_table(const Context& context, const std::vector<std::string>& scenarios) {
  Table table;
  table.caption = "Requests";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"scheduled", true}, {"sent", true}, {"succeeded", true},
                   {"failed", true}, {"timed out", true}, {"cancelled", true}, {"not sent", true}, {"measured", true},
                   {"met the SLO", true}};
  for (const std::string& scenario : scenarios) {
    for (const std::size_t at : arms_of(context, scenario)) {
      const ArmAnalysis& arm = context.analysis.arms[at];
      const std::string path = fmt::format("/arms/{}/requests/", at);
      const analyzers::RequestCounts& of = arm.counts;
      std::optional<double> met;
      if (of.slo_met) met = static_cast<double>(*of.slo_met);
      table.rows.push_back({name_cell(scenario), arm_cell(context, arm.arm), count_cell(of.scheduled, path + "scheduled"),
                            count_cell(of.sent, path + "sent"), count_cell(of.succeeded, path + "succeeded"),
                            count_cell(of.failed, path + "failed"), count_cell(of.timed_out, path + "timed_out"),
                            count_cell(of.cancelled, path + "cancelled"), count_cell(of.not_sent, path + "not_sent"),
                            count_cell(of.measured, path + "measured"),
                            figure_cell(met, path + "slo_met", Unit::kCount, "the scenario sets no SLO")});
    }
  }
  table.empty = "No requests were recorded for this scenario.";
  return table;
}

Table small_tests_table(const Context& context, const std::vector<std::string>& scenarios) {
  Table table;
  table.caption = "Tests of a few requests each: means, because no percentile is worth its name here";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"requests", true}, {"succeeded", true}, {"requests/s", true},
                   {"TTFT mean, ms", true}, {"TPOT mean, ms", true}, {"E2E mean, ms", true}};
  for (const std::string& scenario : scenarios) {
    for (const std::size_t at : arms_of(context, scenario)) {
      const ArmAnalysis& arm = context.analysis.arms[at];
      const std::string path = fmt::format("/arms/{}/", at);
      std::vector<Cell> row{name_cell(scenario), arm_cell(context, arm.arm),
                            count_cell(arm.counts.scheduled, path + "requests/scheduled"),
                            count_cell(arm.counts.succeeded, path + "requests/succeeded")};
      Cell rate = figure_cell(std::nullopt, "", Unit::kPerSecond, "not computed for this arm");
      for (std::size_t i = 0; i < arm.summary.size(); ++i) {
        if (arm.summary[i].metric != kThroughput) continue;
        rate = estimate_cell(arm.summary[i].estimate, fmt::format("{}summary/{}/estimate", path, i), Unit::kPerSecond);
      }
      row.push_back(std::move(rate));
      for (const std::string_view metric : kPlotted) {
        Cell cell = figure_cell(std::nullopt, "", Unit::kMs, "no samples");
        for (std::size_t d = 0; d < arm.distributions.size(); ++d) {
          if (arm.distributions[d].metric != metric) continue;
          cell = figure_cell(arm.distributions[d].mean, fmt::format("{}distributions/{}/mean", path, d), Unit::kMs, "no samples");
        }
        row.push_back(std::move(cell));
      }
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

const Distribution* find_distribution(const ArmAnalysis& arm, std::string_view metric) {
  for (const Distribution& one : arm.distributions) {
    if (one.metric == metric) return &one;
  }
  return nullptr;
}

/// Share above the highest percentile that n allows: curves end there. 1: none is allowed.
double tail_end(const Distribution& distribution) {
  double end = 1;
  for (const auto& row : distribution.quantiles) {
    if (row.estimate.value && row.q > 0 && row.q < 1) end = std::min(end, 1 - row.q);
  }
  return end;
}

constexpr double kDrawnTail = 0.1001;  ///< a curve has to reach p90

struct Extent {
  double low = 0, high = 0;
  bool any = false;
  void add(double value) {
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
};

Drawing survival_drawing(const Context& context, std::string_view scenario, std::string_view metric) {
  Drawing drawing;
  const std::string label = metric_label(metric);
  drawing.title = fmt::format("{}, {}", label, name(scenario));
  drawing.caption = fmt::format("Share of requests whose {} is above x; further left is faster.", label);
  Plot plot;
  plot.x = Axis{label + ", ms", Scale::kLog, 1, 10, Unit::kMs, {}};
  plot.y = Axis{"percentile", Scale::kTail, 1, 1, Unit::kPercent, {}};
  plot.width = 340;
  Extent x;
  drawing.data = latency_table(context, scenario);
  std::erase_if(drawing.data.rows, [&](const std::vector<Cell>& row) { return row.front().text != label; });
  drawing.data.caption = fmt::format("{} by arm, ms; the whole curve is in report.json", label);
  for (const std::size_t at : arms_of(context, scenario)) {
    const ArmAnalysis& arm = context.analysis.arms[at];
    const Distribution* one = find_distribution(arm, metric);
    if (one == nullptr) continue;
    const double end = tail_end(*one);
    Curve curve{name(arm.arm), arm_index(context, arm.arm), {}, true, false};
    for (const auto& point : one->survival) {
      if (!std::isfinite(point.first) || point.first <= 0 || !(point.second >= end * 0.999) || point.second > 1) continue;
      curve.points.push_back(point);
      x.add(point.first);
    }
    if (curve.points.size() < 2 || end > kDrawnTail) continue;
    plot.y.min = std::min(plot.y.min, curve.points.back().second < end * 1.25 ? end : curve.points.back().second);
    drawing.description += fmt::format("{}: median {}. ", name(arm.arm), [&] {
      for (const auto& row : one->quantiles) {
        if (row.name == "p50" && row.estimate.value) return format_figure(*row.estimate.value, Unit::kMs) + " ms";
      }
      return std::string("not known");
    }());
    plot.curves.push_back(std::move(curve));
  }
  if (plot.curves.empty()) {
    drawing.empty = fmt::format("No curve of {}: no arm has enough samples for its p90.", label);
    return drawing;
  }
  plot.x.min = x.low;
  plot.x.max = std::max(x.high, x.low * 1.05);
  drawing.chart = std::move(plot);
  return drawing;
}

std::string ratio_text(const ComparisonRow& row) { return estimate_text(row.ratio, Unit::kTimes); }

Cell outcome_cell(const std::string& outcome) {
  if (outcome == "better") return word_cell("better", "\u2713", Tone::kGood);
  if (outcome == "worse") return word_cell("worse", "\u2717", Tone::kBad);
  if (outcome == "equivalent") return word_cell("equivalent", "=", Tone::kNeutral);
  return word_cell(outcome.empty() ? "unclear" : name(outcome), "?", Tone::kUnsure);
}

constexpr std::size_t kForestRows = 24;

Drawing forest_drawing(const Context& context, std::string_view scenario) {
  Drawing drawing;
  drawing.title = fmt::format("Ratios, {}", name(scenario));
  drawing.caption = "Candidate divided by baseline, 95 % interval over paired blocks, log axis; 1\u00D7 is no difference.";
  drawing.data.caption = "The same ratios as a table";
  drawing.data.columns = {{"Figure", false}, {"Candidate", false}, {"Baseline", false}, {"Ratio", true}, {"blocks", true},
                          {"Better is", false}, {"Outcome", false}, {"Design and reason", false}};
  Forest forest;
  std::size_t better = 0, worse = 0;
  for (std::size_t i = 0; i < context.analysis.comparisons.size(); ++i) {
    const ComparisonRow& row = context.analysis.comparisons[i];
    if (row.scenario != scenario) continue;
    const std::string path = fmt::format("/comparisons/{}", i);
    std::string why = name(row.design);
    if (!row.reason.empty()) why += (why.empty() ? "" : ": ") + sentence(row.reason);
    drawing.data.rows.push_back({text_cell(metric_label(row.metric)), arm_cell(context, row.candidate),
                                 arm_cell(context, row.baseline), estimate_cell(row.ratio, path + "/ratio", Unit::kTimes),
                                 count_cell(row.blocks, path + "/blocks"),
                                 text_cell(row.lower_is_better ? "lower" : "higher"), outcome_cell(row.outcome),
                                 text_cell(std::move(why))});
    better += row.outcome == "better" ? 1U : 0U;
    worse += row.outcome == "worse" ? 1U : 0U;
    if (forest.rows.size() == kForestRows || !row.ratio.value || !std::isfinite(*row.ratio.value) ||
        *row.ratio.value <= 0) {
      continue;
    }
    std::string label = metric_label(row.metric);
    if (context.arms.size() > 2) label += ", " + clean(row.candidate, 16);
    forest.rows.push_back({label, row.lower_is_better ? "lower is better" : "higher is better", row.ratio.value,
                           row.ratio.low, row.ratio.high, ratio_text(row), outcome_cell(row.outcome)});
  }
  drawing.description = fmt::format("{} ratios: {} better, {} worse.", drawing.data.rows.size(), better, worse);
  if (forest.rows.empty()) drawing.empty = "No ratio could be formed for this scenario; the table says why.";
  else drawing.chart = std::move(forest);
  return drawing;
}

struct BlockPoint {
  std::uint32_t block = 0;
  std::size_t arm = 0;
  double value = 0;
  std::string path;
};

std::vector<BlockPoint> block_points(const Context& context, std::string_view scenario) {
  std::vector<BlockPoint> out;
  for (std::size_t i = 0; i < context.analysis.cells.size(); ++i) {
    const auto& cell = context.analysis.cells[i];
    if (!cell.used || cell.scenario != scenario) continue;
    for (std::size_t m = 0; m < cell.metrics.size(); ++m) {
      const auto& row = cell.metrics[m];
      if (row.metric != kThroughput || !row.estimate.value || !std::isfinite(*row.estimate.value)) continue;
      out.push_back({cell.block, arm_index(context, cell.arm), *row.estimate.value,
                     fmt::format("/cells/{}/metrics/{}/estimate/value", i, m)});
    }
  }
  return out;
}

Drawing block_drawing(const Context& context, std::string_view scenario) {
  Drawing drawing;
  drawing.title = fmt::format("Throughput per block, {}", name(scenario));
  drawing.caption = "One line per block: parallel lines mean that no block was odd and the machine did not drift.";
  drawing.description = "Requests per second of each arm in each block.";
  drawing.data.caption = "Requests/s per block";
  drawing.data.columns = {{"Block", false}};
  Plot plot;
  plot.legend = false;
  plot.width = 340;
  plot.x = Axis{"", Scale::kLinear, -0.25, static_cast<double>(context.arms.size()) - 0.75, Unit::kPlain, {}};
  plot.y = Axis{"requests/s", Scale::kLinear, 0, 1, Unit::kPerSecond, {}};
  for (std::size_t a = 0; a < context.arms.size(); ++a) {
    plot.x.ticks.emplace_back(static_cast<double>(a), clean(context.arms[a], 18));
    drawing.data.columns.push_back({name(context.arms[a]), true});
  }
  const std::vector<BlockPoint> points = block_points(context, scenario);
  std::vector<std::uint32_t> blocks;
  for (const BlockPoint& point : points) {
    if (std::find(blocks.begin(), blocks.end(), point.block) == blocks.end()) blocks.push_back(point.block);
    plot.y.max = std::max(plot.y.max, point.value * 1.05);
  }
  std::sort(blocks.begin(), blocks.end());
  bool paired = false;
  for (const std::uint32_t block : blocks) {
    Curve curve{fmt::format("block {}", block), kNoArm, {}, true, true};
    std::vector<Cell> row{text_cell(fmt::format("{}", block))};
    for (std::size_t a = 0; a < context.arms.size(); ++a) {
      Cell cell = figure_cell(std::nullopt, "", Unit::kPerSecond, "no valid cell in this block");
      for (const BlockPoint& point : points) {
        if (point.block != block || point.arm != a) continue;
        cell = figure_cell(point.value, point.path, Unit::kPerSecond);
        curve.points.emplace_back(static_cast<double>(a), point.value);
      }
      row.push_back(std::move(cell));
    }
    paired = paired || curve.points.size() > 1;
    plot.curves.push_back(std::move(curve));
    drawing.data.rows.push_back(std::move(row));
  }
  if (!paired) drawing.empty = "No block holds two arms, so there is no line to draw.";
  else drawing.chart = std::move(plot);
  return drawing;
}

Drawing ladder_drawing(const Context& context, std::string_view scenario) {
  Drawing drawing;
  drawing.title = fmt::format("Ladder, {}", name(scenario));
  drawing.caption = "Where the curve is flat, more requests in flight bring no more throughput: the arm is saturated.";
  drawing.data.caption = "Ladder steps";
  drawing.data.columns = {{"Arm", false}, {"in flight", true}, {"requests/s", true}};
  Plot plot;
  plot.x = Axis{"requests in flight", Scale::kLinear, 0, 1, Unit::kCount, {}};
  plot.y = Axis{"requests/s", Scale::kLinear, 0, 1, Unit::kPerSecond, {}};
  for (const std::size_t at : arms_of(context, scenario)) {
    const ArmAnalysis& arm = context.analysis.arms[at];
    Curve curve{name(arm.arm), arm_index(context, arm.arm), {}, true, true};
    for (std::size_t i = 0; i < arm.saturation.ladder.size(); ++i) {
      const auto& step = arm.saturation.ladder[i];
      if (!std::isfinite(step.first) || !std::isfinite(step.second)) continue;
      curve.points.push_back(step);
      plot.x.max = std::max(plot.x.max, step.first * 1.04);
      plot.y.max = std::max(plot.y.max, step.second * 1.08);
      const std::string path = fmt::format("/arms/{}/saturation/ladder/{}/", at, i);
      drawing.data.rows.push_back({arm_cell(context, arm.arm), figure_cell(step.first, path + "concurrency", Unit::kCount),
                                   figure_cell(step.second, path + "requests_per_s", Unit::kPerSecond)});
    }
    if (curve.points.empty()) continue;
    drawing.description += fmt::format("{}: {} requests/s at {} in flight. ", name(arm.arm),
                                       format_figure(curve.points.back().second, Unit::kPerSecond),
                                       format_figure(curve.points.back().first, Unit::kCount));
    plot.curves.push_back(std::move(curve));
  }
  if (!plot.curves.empty()) drawing.chart = std::move(plot);
  return drawing;
}

}  // namespace

Section headline_section(const Context& context) {
  Section section{"headline", "Headline figures", "", {}, true};
  section.lead = "Every figure is defined in the glossary. A percentile is printed only where n suffices.";
  std::vector<std::string> few;
  for (const std::string& scenario : context.scenarios) {
    if (is_small_test(context.analysis, scenario)) {
      few.push_back(scenario);
      continue;
    }
    const std::string load = load_of(context, scenario);
    section.blocks.push_back(Subheading{name(scenario) + (load.empty() ? "" : " \u2014 " + load)});
    section.blocks.push_back(summary_table(context, scenario, false, "Rates over blocks, 95 % interval"));
    section.blocks.push_back(latency_table(context, scenario));
    section.blocks.push_back(Folded{"Latencies over blocks", summary_table(context, scenario, true,
                                                                            "Latencies over blocks, ms, 95 % interval")});
    section.blocks.push_back(Folded{"Request counts", counts_table(context, {scenario})});
  }
  if (!few.empty()) {
    section.blocks.push_back(Subheading{"Small tests"});
    section.blocks.push_back(small_tests_table(context, few));
    section.blocks.push_back(Folded{"Request counts of the small tests", counts_table(context, few)});
  }
  if (context.scenarios.empty()) section.blocks.push_back(Paragraph{"No scenario was run, so there are no figures.", false});
  return section;
}

Section distribution_section(const Context& context) {
  Section section{"distributions", "Distributions", "", {}, true};
  section.lead =
      "Each curve falls from all requests (p0) to its slowest; the axis is logarithmic, so the tail has room. A curve "
      "ends where n no longer allows a percentile.";
  std::string left_out;
  for (const std::string& scenario : context.scenarios) {
    Drawings drawings;
    drawings.layout = Layout::kThree;
    for (const std::string_view metric : kPlotted) {
      Drawing drawing = survival_drawing(context, scenario, metric);
      if (drawing.empty.empty()) drawings.items.push_back(std::move(drawing));
    }
    if (drawings.items.empty()) {
      left_out += (left_out.empty() ? "" : ", ") + name(scenario);
      continue;
    }
    section.blocks.push_back(Subheading{name(scenario)});
    section.blocks.push_back(std::move(drawings));
  }
  if (!left_out.empty()) {
    section.blocks.push_back(Paragraph{
        "Not drawn, because no arm has enough samples for a p90: " + clean(left_out, 400) + ".", true});
  }
  if (context.scenarios.empty()) section.blocks.push_back(Paragraph{"No scenario was run.", false});
  return section;
}

Section comparison_section(const Context& context) {
  Section section{"ratios", "Ratios and blocks", "", {}, true};
  section.lead = "The unit of inference is the block, not the request: requests of one run depend on each other.";
  for (const std::string& scenario : context.scenarios) {
    const auto& all = context.analysis.comparisons;
    if (std::none_of(all.begin(), all.end(), [&](const ComparisonRow& row) { return row.scenario == scenario; })) continue;
    section.blocks.push_back(Subheading{name(scenario)});
    Drawings pair;
    pair.layout = Layout::kWideAndNarrow;
    pair.items.push_back(forest_drawing(context, scenario));
    pair.items.push_back(block_drawing(context, scenario));
    section.blocks.push_back(std::move(pair));
  }
  if (section.blocks.empty()) {
    section.lead.clear();
    section.blocks.push_back(Paragraph{"No ratios: nothing was compared.", false});
  }
  return section;
}

Section ladder_section(const Context& context) {
  Section section{"saturation", "Saturation", "", {}, true};
  section.lead =
      "An arm is saturated when every replica has requests waiting through the window and one more step of the ladder "
      "brings hardly any throughput. Without it a scaling claim is inconclusive.";
  Table table;
  table.caption = "Saturation by scenario and arm";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"Verdict", false}, {"Waiting share, least replica", true},
                   {"Last step's gain", true}, {"Reason", false}};
  table.empty = "No arm was judged for saturation.";
  Drawings ladders;
  for (const std::string& scenario : context.scenarios) {
    for (const std::size_t at : arms_of(context, scenario)) {
      const ArmAnalysis& arm = context.analysis.arms[at];
      const auto& of = arm.saturation;
      const std::string path = fmt::format("/arms/{}/saturation/", at);
      if (of.verdict == analyzers::Verdict::kNotJudged && of.ladder.empty()) continue;
      const bool yes = of.verdict == analyzers::Verdict::kPass;
      const bool no = of.verdict == analyzers::Verdict::kFail;
      table.rows.push_back({name_cell(scenario), arm_cell(context, arm.arm),
                            word_cell(yes ? "saturated" : no ? "not saturated" : "cannot tell", yes ? "\u2713" : no ? "\u2013" : "?",
                                      yes ? Tone::kGood : no ? Tone::kNeutral : Tone::kUnsure),
                            estimate_cell(of.waiting_fraction_min, path + "waiting_fraction_min_ratio", Unit::kPercent),
                            estimate_cell(of.marginal_throughput_ratio, path + "marginal_throughput_ratio", Unit::kPercent),
                            text_cell(sentence(of.reason))});
    }
    Drawing drawing = ladder_drawing(context, scenario);
    if (!std::holds_alternative<std::monostate>(drawing.chart)) ladders.items.push_back(std::move(drawing));
  }
  section.blocks.push_back(std::move(table));
  if (ladders.items.empty()) section.blocks.push_back(Paragraph{"No ladder was climbed in this run.", true});
  else section.blocks.push_back(std::move(ladders));
  return section;
}

}  // namespace reports
