// Timelines, cost, errors, how to reproduce, glossary. Called by build_report().
// Must never show a secret: it prints only what the Analysis carries, which holds none.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "reports/build.h"

namespace reports {
namespace {

using analyzers::ArmAnalysis;
using analyzers::CellAnalysis;
using analyzers::Series;

constexpr std::size_t kTimelineSeries = 2;   ///< in flight and requests/s; the others are in the JSON
constexpr std::size_t kTimelineRows = 40;
constexpr std::size_t kTimelinePoints = 400;

/// Drawing of one series of one cell; every nth point where there are very many.
Drawing timeline_drawing(const Context& context, std::size_t at, std::size_t which, double shared_max) {
  const CellAnalysis& cell = context.analysis.cells[at];
  const Series& series = cell.series[which];
  Drawing drawing;
  drawing.title = fmt::format("{}, {}, {}", metric_label(series.name), name(cell.scenario), name(cell.arm));
  drawing.caption = fmt::format("Block {}; the shaded part is the measured window ({}).", cell.block,
                                cell.window.method.empty() ? "no method stated" : sentence(cell.window.method));
  drawing.data.caption = "The same as a table; every point is in report.json";
  drawing.data.columns = {{"t, s", true}, {metric_label(series.name), true}};
  Plot plot;
  plot.legend = false;
  plot.x = Axis{"seconds", Scale::kLinear, 0, 1, Unit::kSeconds, {}};
  plot.y = Axis{name(series.unit.empty() ? series.name : series.unit), Scale::kLinear, 0, shared_max * 1.08, Unit::kPlain, {}};
  if (cell.window.end_s > cell.window.start_s) plot.band = std::make_pair(cell.window.start_s, cell.window.end_s);
  Curve curve{name(cell.arm), arm_index(context, cell.arm), {}, true, false};
  const std::size_t count = std::min(series.t_s.size(), series.value.size());
  const std::size_t point_step = count / kTimelinePoints + 1;
  const std::size_t row_step = count / kTimelineRows + 1;
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(series.t_s[i]) || !std::isfinite(series.value[i])) continue;
    plot.x.max = std::max(plot.x.max, series.t_s[i]);
    if (i % point_step == 0) curve.points.emplace_back(series.t_s[i], series.value[i]);
    if (i % row_step != 0) continue;
    const std::string path = fmt::format("/cells/{}/series/{}/", at, which);
    drawing.data.rows.push_back({figure_cell(six_digits(series.t_s[i]), fmt::format("{}t_s/{}", path, i), Unit::kSeconds),
                                 figure_cell(six_digits(series.value[i]), fmt::format("{}value/{}", path, i), Unit::kPlain)});
  }
  if (curve.points.size() < 2) {
    drawing.empty = fmt::format("{}: fewer than two points, so there is no line.", metric_label(series.name));
    return drawing;
  }
  drawing.description = fmt::format("{} over {} seconds.", metric_label(series.name), format_figure(plot.x.max, Unit::kSeconds));
  plot.curves.push_back(std::move(curve));
  drawing.chart = std::move(plot);
  return drawing;
}

Drawings timelines_of(const Context& context, std::string_view scenario) {
  std::vector<std::size_t> first_cells;
  for (const std::string& arm : context.arms) {
    for (const std::size_t at : cells_of(context, scenario, arm)) {
      if (context.analysis.cells[at].series.empty()) continue;
      first_cells.push_back(at);
      break;
    }
  }
  Drawings out;
  for (std::size_t which = 0; which < kTimelineSeries; ++which) {
    double shared_max = 0;
    for (const std::size_t at : first_cells) {
      const auto& all = context.analysis.cells[at].series;
      if (which >= all.size()) continue;
      for (const double value : all[which].value) {
        if (std::isfinite(value)) shared_max = std::max(shared_max, value);
      }
    }
    for (const std::size_t at : first_cells) {
      if (which >= context.analysis.cells[at].series.size()) continue;
      Drawing drawing = timeline_drawing(context, at, which, shared_max > 0 ? shared_max : 1);
      if (drawing.empty.empty()) out.items.push_back(std::move(drawing));
    }
  }
  return out;
}

std::string command_text(const std::vector<std::string>& command) {
  std::string text;
  for (const std::string& word : command) {
    const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             std::string_view("-_./:=,@%+").find(c) != std::string_view::npos;
    });
    std::string quoted = word;
    if (!plain) {
      quoted = "'";
      for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
      quoted += "'";
    }
    text += (text.empty() ? "" : " ") + quoted;
  }
  return text.empty() ? std::string("not recorded") : clean(text, 4000);
}

}  // namespace

Section timeline_section(const Context& context) {
  Section section{"timelines", "Over time", "The first used block of each arm; the y axis is shared by the arms.", {}, true};
  for (const std::string& scenario : context.scenarios) {
    Drawings drawings = timelines_of(context, scenario);
    if (drawings.items.empty()) continue;
    section.blocks.push_back(Subheading{name(scenario)});
    section.blocks.push_back(std::move(drawings));
  }
  if (section.blocks.empty()) {
    section.lead.clear();
    section.blocks.push_back(Paragraph{"No series over time were recorded.", false});
  }
  return section;
}

Section cost_section(const Context& context) {
  Section section{"cost", "Cost", "", {}, true};
  section.lead = "Prices are inputs of the run. Cost per output token gives input tokens no share.";
  Table table;
  table.caption = "Cost by scenario and arm, at the measured throughput";
  table.columns = {{"Scenario", false}, {"Arm", false}};
  std::vector<std::string> metrics;
  for (const ArmAnalysis& arm : context.analysis.arms) {
    for (const auto& row : arm.cost) {
      if (std::find(metrics.begin(), metrics.end(), row.metric) != metrics.end()) continue;
      metrics.push_back(row.metric);
      table.columns.push_back({metric_label(row.metric), true});
    }
  }
  for (std::size_t i = 0; i < context.analysis.arms.size(); ++i) {
    const ArmAnalysis& arm = context.analysis.arms[i];
    if (arm.cost.empty()) continue;
    std::vector<Cell> cells{name_cell(arm.scenario), arm_cell(context, arm.arm)};
    for (const std::string& metric : metrics) {
      Cell cell = figure_cell(std::nullopt, "", Unit::kUsd, "not computed for this arm");
      for (std::size_t c = 0; c < arm.cost.size(); ++c) {
        if (arm.cost[c].metric != metric) continue;
        cell = estimate_cell(arm.cost[c].estimate, fmt::format("/arms/{}/cost/{}/estimate", i, c), Unit::kUsd);
      }
      cells.push_back(std::move(cell));
    }
    table.rows.push_back(std::move(cells));
  }
  table.empty = "No prices were given, so there is no cost.";
  section.blocks.push_back(std::move(table));
  return section;
}

Section errors_section(const Context& context) {
  Section section{"errors", "Errors", "", {}, true};
  Table table;
  table.caption = "Failed requests by kind";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"Kind", false}, {"count", true}, {"For example", false}};
  table.empty = context.analysis.arms.empty() ? "Nothing was run." : "No request failed.";
  for (std::size_t i = 0; i < context.analysis.arms.size(); ++i) {
    const ArmAnalysis& arm = context.analysis.arms[i];
    for (std::size_t e = 0; e < arm.errors.size(); ++e) {
      std::string samples;
      for (const std::string& sample : arm.errors[e].samples) {
        samples += (samples.empty() ? "" : " \u00B7 ") + clean(sample, 200);
      }
      table.rows.push_back({name_cell(arm.scenario), arm_cell(context, arm.arm), name_cell(arm.errors[e].kind),
                            count_cell(arm.errors[e].count, fmt::format("/arms/{}/errors/{}/count", i, e)),
                            text_cell(std::move(samples))});
    }
  }
  section.blocks.push_back(std::move(table));
  return section;
}

Section reproduce_section(const Context& context) {
  Section section{"reproduce", "Reproduce", "", {}, false};
  section.blocks.push_back(Code{"Command", command_text(context.analysis.command)});
  Table scenarios;
  scenarios.caption = "Scenarios: equal seed and digest mean equal requests in equal order";
  scenarios.columns = {{"Scenario", false}, {"Load", false}, {"Seed", false}, {"Schedule digest", false}, {"Config digest", false},
                       {"What it is", false}};
  scenarios.empty = "No scenario is part of this report.";
  for (const auto& info : context.analysis.scenarios) {
    Cell seed = text_cell(std::to_string(info.seed));
    Cell schedule = name_cell(info.schedule_digest);
    Cell config = name_cell(info.digest);
    seed.code = schedule.code = config.code = true;
    scenarios.rows.push_back({name_cell(info.name), name_cell(info.load), std::move(seed), std::move(schedule),
                              std::move(config), text_cell(clean(info.description, 300))});
  }
  section.blocks.push_back(std::move(scenarios));
  Table environment;
  environment.caption = "Environment";
  environment.columns = {{"What", false}, {"Value", false}};
  environment.empty = "The environment was not recorded.";
  for (const auto& entry : context.analysis.environment) {
    environment.rows.push_back({name_cell(entry.first), text_cell(clean(entry.second, 200))});
  }
  environment.rows.push_back({text_cell("gatebench"), name_cell(context.analysis.tool_version)});
  section.blocks.push_back(Folded{"Environment", std::move(environment)});
  Table runs;
  runs.caption = "Runs behind this report";
  runs.columns = {{"Run", false}, {"Scenario", false}, {"Arm", false}, {"block", true}, {"position", true}, {"attempt", true},
                  {"Purpose", false}, {"Status", false}, {"Used", false}};
  runs.empty = "No run is part of this report.";
  for (std::size_t i = 0; i < context.analysis.cells.size(); ++i) {
    const CellAnalysis& cell = context.analysis.cells[i];
    const std::string path = fmt::format("/cells/{}/", i);
    Cell id = name_cell(cell.run_id);
    id.code = true;
    runs.rows.push_back({std::move(id), name_cell(cell.scenario), arm_cell(context, cell.arm),
                         count_cell(cell.block, path + "block"), count_cell(cell.position, path + "position"),
                         count_cell(cell.attempt, path + "attempt"), name_cell(cell.purpose), name_cell(cell.status),
                         text_cell(cell.used ? "yes" : "no")});
  }
  section.blocks.push_back(Folded{"Runs", std::move(runs)});
  return section;
}

Section glossary_section() {
  Section section{"glossary", "Glossary", "", {}, false};
  section.blocks.push_back(Definitions{{
      {"TTFT", "Time to first token: first chunk with content, reasoning or a tool call, minus the time the request was due. "
               "In an open loop that is its scheduled time, so a late client cannot hide a slow server."},
      {"TTFT from send", "The same, from the moment the request was handed to the socket; comparable with other tools."},
      {"TPOT", "Time per output token: (last token \u2212 first token) / (output tokens \u2212 1), for two tokens or more."},
      {"ITL", "Inter-token latency: gaps between tokens; a chunk of k tokens counts as k gaps of gap/k."},
      {"ICL", "Inter-chunk latency: gaps between chunks as they came."},
      {"E2E", "Last token minus the time the request was due. Normalised latency is E2E divided by output tokens."},
      {"Percentile", "Nearest rank: always a request that happened. Printed only when n suffices: p90 36, p95 72, p99 368, "
                     "p99.9 3,688 samples. Never averaged over replicas or time."},
      {"Throughput", "Successful requests, or tokens, per second over the measured window. Output tokens are the usage "
                     "block's, never the number of chunks."},
      {"Goodput", "Requests per second that met every objective; attainment is good divided by offered."},
      {"Block", "One interleaved round of all arms under the same schedule. The unit of inference is the block: intervals "
                "over requests hold within a run only."},
      {"Interval", "95 % unless stated; over blocks from the t distribution of log ratios."},
      {"Scaling efficiency", "E(N) = X_N / (N \u00B7 X_1) at saturating load. It may exceed 1 where the caches of more "
                             "replicas hold more shared prefixes."},
      {"Saturated", "Requests waiting through the window on every replica, and a flat last step of the ladder. Without it in "
                    "both arms a scaling claim is inconclusive."},
      {"Valid", "The client and the simulator kept up: rates were delivered, sends were on time, stamps are exact. Judged per "
                "family of figures."},
      {"Attribution coverage", "Successful responses whose replica is proven by counters, divided by all successful ones."},
      {"\u03BB", "Finished requests per replica and scrape window; the higher, the harder to tell responses apart."},
      {"Foreign traffic", "Finished requests in the replicas' counters that this run did not send."},
      {"Jain's index", "(\u03A3x)\u00B2 / (k \u03A3x\u00B2) of the load of k replicas: 1 is perfectly even, 1/k is all on one."},
      {"Affinity", "(s \u2212 b) / (1 \u2212 b) per prefix group, s being the largest replica's share and b its mean under "
                   "random assignment: 0 is chance, 1 is perfect stickiness."},
      {"Cache efficiency", "Observed hit ratio divided by that of one unbounded cache shared by all replicas."},
      {"Verdicts", "Invalid over fail over inconclusive over pass. A gate may expect a verdict other than pass."},
  }});
  return section;
}

}  // namespace reports
