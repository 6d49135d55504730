// Replicas, cache and attribution. Called by build_report().
// Must never guess a replica: what could not be told is shown as ambiguous, with its reason.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "reports/build.h"

namespace reports {
namespace {

using analyzers::ArmAnalysis;
using analyzers::AttributionRow;

constexpr std::size_t kHeatRows = 24;
constexpr std::size_t kHeatCellBudget = 2400;  ///< rectangles on the whole page: SVG nodes cost time and bytes

constexpr std::size_t kManyReplicas = 16, kTopReplicas = 8, kBottomReplicas = 4;

/// All replicas in their order; of very many the largest and the smallest shares.
std::vector<std::size_t> shown_replicas(const ArmAnalysis& arm) {
  std::vector<std::size_t> order(arm.replicas.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (order.size() <= kManyReplicas) return order;
  const auto share = [&](std::size_t i) {
    const auto& value = arm.replicas[i].share_ratio.value;
    return value && std::isfinite(*value) ? *value : 0.0;
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return share(a) > share(b); });
  order.erase(order.begin() + kTopReplicas, order.end() - kBottomReplicas);
  return order;
}

/// Names of pods differ at their ends: what all share, up to a separator, becomes an ellipsis where they are too long.
std::vector<std::string> short_names(const ArmAnalysis& arm, std::size_t width) {
  std::vector<std::string> out;
  std::size_t longest = 0, shared = arm.replicas.empty() ? 0 : arm.replicas.front().replica.size();
  for (const auto& row : arm.replicas) {
    longest = std::max(longest, row.replica.size());
    const auto& first = arm.replicas.front().replica;
    const auto end = first.begin() + static_cast<std::ptrdiff_t>(std::min({shared, first.size(), row.replica.size()}));
    shared = static_cast<std::size_t>(std::mismatch(first.begin(), end, row.replica.begin()).first - first.begin());
  }
  const bool cut = longest > width && arm.replicas.size() > 1;
  const auto separator = cut && shared > 0 ? arm.replicas.front().replica.find_last_of("-./:_", shared - 1) : std::string::npos;
  for (const auto& row : arm.replicas) {
    out.push_back(separator == std::string::npos ? clean(row.replica, width) : clean("\u2026" + row.replica.substr(separator + 1), width));
  }
  return out;
}

Drawing share_drawing(const Context& context, std::size_t at) {
  const ArmAnalysis& arm = context.analysis.arms[at];
  Drawing drawing;
  drawing.title = fmt::format("Requests per replica, {}, {}", name(arm.scenario), name(arm.arm));
  drawing.caption = "Share of finished requests by the replicas' own counters; the dashed rule is the even share.";
  drawing.data.caption = "Replicas";
  drawing.data.columns = {{"Replica", false}, {"finished", true}, {"share", true}, {"attributed", true}, {"prompt tokens", true},
                          {"output tokens", true}, {"hit ratio", true}, {"waiting", true}, {"running", true},
                          {"KV used", true}, {"foreign", true}, {"named in responses", false}};
  Bars bars;
  bars.max = 0;
  const auto labels = short_names(arm, 18);
  for (const std::size_t i : shown_replicas(arm)) {
    const auto& row = arm.replicas[i];
    const std::string path = fmt::format("/arms/{}/replicas/{}/", at, i);
    drawing.data.rows.push_back({name_cell(row.replica),
                                 estimate_cell(row.finished_requests, path + "finished_requests", Unit::kCount),
                                 estimate_cell(row.share_ratio, path + "share_ratio", Unit::kPercent),
                                 count_cell(row.attributed, path + "attributed"),
                                 estimate_cell(row.prompt_tokens, path + "prompt_tokens", Unit::kCount),
                                 estimate_cell(row.output_tokens, path + "output_tokens", Unit::kCount),
                                 estimate_cell(row.prefix_hit_ratio, path + "prefix_hit_ratio", Unit::kPercent),
                                 estimate_cell(row.waiting_mean, path + "waiting_mean", Unit::kPlain),
                                 estimate_cell(row.running_mean, path + "running_mean", Unit::kPlain),
                                 estimate_cell(row.kv_used_mean_ratio, path + "kv_used_mean_ratio", Unit::kPercent),
                                 estimate_cell(row.foreign_requests, path + "foreign_requests", Unit::kCount),
                                 name_cell(row.observed_name.empty() ? "\u2014" : row.observed_name)});
    if (!row.share_ratio.value || !std::isfinite(*row.share_ratio.value)) continue;
    bars.bars.push_back({labels[i], arm_index(context, arm.arm), *row.share_ratio.value,
                         format_figure(*row.share_ratio.value, Unit::kPercent)});
    bars.max = std::max(bars.max, *row.share_ratio.value);
  }
  if (bars.bars.empty()) {
    drawing.empty = "No replica's counters were read, so shares are not known.";
    return drawing;
  }
  if (arm.replicas.size() > kManyReplicas) {
    drawing.caption += fmt::format(" The {} largest and {} smallest of {}; all are in report.json.", kTopReplicas,
                                   kBottomReplicas, arm.replicas.size());
  }
  const double even = 1.0 / static_cast<double>(arm.replicas.size());
  bars.reference = even;
  bars.reference_label = "even";
  bars.max = std::max(bars.max, even) * 1.05;
  drawing.description = fmt::format("{} replicas.", arm.replicas.size());
  drawing.chart = std::move(bars);
  return drawing;
}

Drawing heat_drawing(const Context& context, std::size_t at, std::size_t& budget) {
  const ArmAnalysis& arm = context.analysis.arms[at];
  Drawing drawing;
  drawing.title = fmt::format("Prefix groups by replica, {}, {}", name(arm.scenario), name(arm.arm));
  drawing.caption = "Share of each group's attributed requests; a dark cell is a group that sticks to one replica.";
  drawing.description = fmt::format("{} prefix groups over {} replicas.", arm.prefix_groups.size(), arm.replicas.size());
  drawing.data.caption = "Prefix groups";
  drawing.data.columns = {{"Group", false}, {"requests", true}, {"attributed", true}, {"stickiness", true}};
  const bool many = arm.replicas.size() > kManyReplicas;
  if (many) drawing.data.caption = "Prefix groups; the counts per replica are in report.json";
  for (const auto& replica : arm.replicas) {
    if (!many) drawing.data.columns.push_back({name(replica.replica), true});
  }
  std::vector<std::size_t> order(arm.prefix_groups.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return arm.prefix_groups[a].requests > arm.prefix_groups[b].requests;
  });
  if (order.size() > kHeatRows) {
    drawing.caption += fmt::format(" The {} largest groups; all are in report.json.", kHeatRows);
    order.resize(kHeatRows);
  }
  Heat heat{"prefix group", "replica", {}, {}, {}};
  heat.columns = short_names(arm, 12);
  bool any = false;
  for (const std::size_t g : order) {
    const auto& group = arm.prefix_groups[g];
    const std::string path = fmt::format("/arms/{}/prefix_groups/{}/", at, g);
    std::vector<Cell> row{text_cell(fmt::format("{}", group.group)), count_cell(group.requests, path + "requests"),
                          count_cell(group.attributed, path + "attributed"),
                          estimate_cell(group.stickiness_ratio, path + "stickiness_ratio", Unit::kPercent)};
    std::vector<double> shares(arm.replicas.size(), 0);
    for (std::size_t r = 0; r < arm.replicas.size() && r < group.per_replica.size(); ++r) {
      if (!many) row.push_back(count_cell(group.per_replica[r], fmt::format("{}per_replica/{}", path, r)));
      if (group.attributed > 0) shares[r] = static_cast<double>(group.per_replica[r]) / static_cast<double>(group.attributed);
    }
    any = any || group.attributed > 0;
    heat.rows.push_back(fmt::format("{}", group.group));
    heat.share.push_back(std::move(shares));
    drawing.data.rows.push_back(std::move(row));
  }
  const std::size_t cells = heat.rows.size() * heat.columns.size();
  if (!any || cells == 0) drawing.empty = "No request of a prefix group was attributed, so there is no map.";
  else if (cells > budget) drawing.empty = "Not drawn, to keep the page small; the table has the largest groups.";
  else {
    budget -= cells;
    drawing.chart = std::move(heat);
  }
  return drawing;
}

Table spread_table(const Context& context) {
  Table table;
  table.caption = "Balance and affinity";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"Jain", true}, {"Jain against random", true}, {"uniformity p", true},
                   {"affinity", true}, {"of which attributed", true}, {"Spread counted by", false}, {"In words", false}};
  table.empty = "No distribution over replicas is known.";
  for (std::size_t i = 0; i < context.analysis.arms.size(); ++i) {
    const ArmAnalysis& arm = context.analysis.arms[i];
    if (arm.replicas.size() < 2) continue;
    const std::string path = fmt::format("/arms/{}/spread/", i);
    table.rows.push_back({name_cell(arm.scenario), arm_cell(context, arm.arm),
                          estimate_cell(arm.spread.jain, path + "jain_ratio", Unit::kPlain),
                          estimate_cell(arm.spread.jain_vs_random, path + "jain_vs_random_ratio", Unit::kPlain),
                          estimate_cell(arm.spread.uniformity_p, path + "uniformity_p", Unit::kPlain),
                          estimate_cell(arm.spread.affinity, path + "affinity", Unit::kPlain),
                          estimate_cell(arm.spread.grouped_coverage_ratio, path + "grouped_coverage_ratio", Unit::kPercent),
                          text_cell(arm.spread.basis),
                          text_cell(sentence(arm.spread.sentence))});
  }
  return table;
}

Drawing coverage_drawing(const Context& context) {
  Drawing drawing;
  drawing.title = "Attribution coverage";
  drawing.caption = "Share of successful responses whose replica the counters prove; the rest is ambiguous, never guessed.";
  drawing.data.caption = "Coverage by scenario and arm";
  drawing.data.columns = {{"Scenario", false}, {"Arm", false}, {"coverage", true}};
  Bars bars;
  bars.max = 1;
  for (std::size_t i = 0; i < context.analysis.attribution.size(); ++i) {
    const AttributionRow& row = context.analysis.attribution[i];
    drawing.data.rows.push_back({name_cell(row.scenario), arm_cell(context, row.arm),
                                 estimate_cell(row.coverage_ratio, fmt::format("/attribution/{}/coverage_ratio", i),
                                               Unit::kPercent)});
    if (!row.coverage_ratio.value || !std::isfinite(*row.coverage_ratio.value)) continue;
    bars.bars.push_back({clean(row.scenario, 20) + ", " + clean(row.arm, 14), arm_index(context, row.arm),
                         *row.coverage_ratio.value, format_figure(*row.coverage_ratio.value, Unit::kPercent)});
  }
  drawing.description = fmt::format("Coverage of {} scenario and arm pairs.", bars.bars.size());
  if (bars.bars.empty()) drawing.empty = "No response was attributed: no metrics of replicas were read.";
  else drawing.chart = std::move(bars);
  return drawing;
}

std::string counts_text(const std::map<std::string, std::size_t>& counts) {
  std::string text;
  for (const auto& entry : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name(entry.first),
                        format_figure(static_cast<double>(entry.second), Unit::kCount));
  }
  return clean(text, kSentenceLength);
}

std::string how_text(const AttributionRow& row) {
  std::string text = counts_text(row.methods);
  if (!text.empty()) text = "By " + text + ".";
  const std::string ambiguous = counts_text(row.ambiguous_reasons);
  if (!ambiguous.empty()) text += (text.empty() ? "" : " ") + ("Ambiguous: " + ambiguous + ".");
  if (!row.reason.empty()) text += (text.empty() ? "" : " ") + sentence(row.reason);
  return text;
}

std::vector<Cell> attribution_row(const Context& context, std::size_t at) {
  const AttributionRow& row = context.analysis.attribution[at];
  const std::string path = fmt::format("/attribution/{}/", at);
  const auto optional = [](const std::optional<std::size_t>& value) {
    return value ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
  };
  constexpr std::string_view kNoHeader = "no response named its replica, so there is nothing to compare with";
  const bool exact_row = row.verdict == "exact";
  return {name_cell(row.scenario),
          arm_cell(context, row.arm),
          word_cell(name(row.verdict), exact_row ? "\u2713" : row.verdict == "partial" ? "\u25D0" : "\u2013",
                    exact_row ? Tone::kGood : Tone::kUnsure),
          count_cell(row.responses, path + "responses"),
          count_cell(row.attributed, path + "attributed"),
          count_cell(row.ambiguous, path + "ambiguous"),
          figure_cell(optional(row.wrong), path + "wrong", Unit::kCount, kNoHeader),
          figure_cell(optional(row.compared), path + "compared", Unit::kCount, kNoHeader),
          estimate_cell(row.lambda, path + "lambda", Unit::kPlain),
          text_cell(how_text(row))};
}

Table scrapes_table(const Context& context) {
  Table table;
  table.caption = "Scrapes, what they took, and finished requests that this run did not send";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"scrape interval, ms", true}, {"scrapes", true}, {"failed", true}, {"torn", true},
                   {"answer p50, ms", true}, {"answer p99, ms", true}, {"page, bytes", true}, {"busiest replica answering", true},
                   {"foreign share", true}, {"Measured effect of scraping", false}};
  table.empty = "No replica was scraped.";
  for (std::size_t i = 0; i < context.analysis.attribution.size(); ++i) {
    const AttributionRow& row = context.analysis.attribution[i];
    const std::string path = fmt::format("/attribution/{}/", i);
    table.rows.push_back({name_cell(row.scenario), arm_cell(context, row.arm),
                          estimate_cell(row.scrape_interval_ms, path + "scrape_interval_ms", Unit::kMs),
                          count_cell(row.scraping.scrapes, path + "scraping/scrapes"), count_cell(row.scraping.failed, path + "scraping/failed"),
                          count_cell(row.scraping.torn, path + "scraping/torn"),
                          estimate_cell(row.scraping.answer_p50_ms, path + "scraping/answer_p50_ms", Unit::kMs),
                          estimate_cell(row.scraping.answer_p99_ms, path + "scraping/answer_p99_ms", Unit::kMs),
                          estimate_cell(row.scraping.page_bytes, path + "scraping/page_bytes", Unit::kCount),
                          estimate_cell(row.scraping.busy_ratio, path + "scraping/busy_ratio", Unit::kPercent),
                          estimate_cell(row.foreign_ratio, path + "foreign_ratio", Unit::kPercent), text_cell(sentence(row.scraping.measured))});
  }
  return table;
}

Table totals_table(const Context& context) {
  Table table;
  table.caption = "Finished requests per replica: exact totals from the replicas' counters";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"Replica", false}, {"finished", true}};
  table.empty = "No replica's counters were read.";
  for (std::size_t i = 0; i < context.analysis.attribution.size(); ++i) {
    const AttributionRow& row = context.analysis.attribution[i];
    for (std::size_t r = 0; r < row.replica_totals.size(); ++r) {
      table.rows.push_back({name_cell(row.scenario), arm_cell(context, row.arm), name_cell(row.replica_totals[r].first),
                            figure_cell(row.replica_totals[r].second,
                                        fmt::format("/attribution/{}/replica_totals/{}/finished_requests", i, r), Unit::kCount)});
    }
  }
  return table;
}

}  // namespace

Section replicas_section(const Context& context) {
  Section section{"replicas", "Replicas", "", {}, true};
  std::size_t budget = kHeatCellBudget;
  Drawings shares;
  Drawings heats;
  for (std::size_t i = 0; i < context.analysis.arms.size(); ++i) {
    const ArmAnalysis& arm = context.analysis.arms[i];
    if (arm.replicas.size() > 1) shares.items.push_back(share_drawing(context, i));
    if (arm.replicas.size() > 1 && !arm.prefix_groups.empty()) heats.items.push_back(heat_drawing(context, i, budget));
  }
  if (shares.items.empty()) {
    section.blocks.push_back(Paragraph{"No arm has more than one replica whose counters were read, so there is no spread to show.", false});
  } else {
    section.blocks.push_back(std::move(shares));
    section.blocks.push_back(spread_table(context));
  }
  if (Table latencies = replica_latency_table(context); !latencies.rows.empty()) section.blocks.push_back(std::move(latencies));
  if (!heats.items.empty()) section.blocks.push_back(std::move(heats));
  return section;
}

Section cache_section(const Context& context) {
  Section section{"cache", "Prefix cache", "", {}, true};
  section.lead =
      "Hits by the replicas' own counters, beside what one unbounded cache shared by all replicas would have had "
      "(the oracle). Efficiency is the one divided by the other.";
  Table table;
  table.caption = "Prefix cache by scenario and arm";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"queried tokens", true}, {"hit tokens", true}, {"hit ratio", true},
                   {"oracle", true}, {"efficiency", true}, {"block, tokens", true}, {"Note", false}};
  table.empty = "No arm was measured, so nothing is known of its cache.";
  for (std::size_t i = 0; i < context.analysis.arms.size(); ++i) {
    const ArmAnalysis& arm = context.analysis.arms[i];
    const std::string path = fmt::format("/arms/{}/cache/", i);
    std::optional<double> block;
    if (arm.cache.block_size_tokens) block = *arm.cache.block_size_tokens;
    table.rows.push_back({name_cell(arm.scenario), arm_cell(context, arm.arm),
                          estimate_cell(arm.cache.queried_tokens, path + "queried_tokens", Unit::kCount),
                          estimate_cell(arm.cache.hit_tokens, path + "hit_tokens", Unit::kCount),
                          estimate_cell(arm.cache.hit_ratio, path + "hit_ratio", Unit::kPercent),
                          estimate_cell(arm.cache.oracle_hit_ratio, path + "oracle_hit_ratio", Unit::kPercent),
                          estimate_cell(arm.cache.efficiency_ratio, path + "efficiency_ratio", Unit::kPercent),
                          figure_cell(block, path + "block_size_tokens", Unit::kCount,
                                      "the replicas do not state their block size"),
                          text_cell(sentence(arm.cache.note))});
  }
  section.blocks.push_back(std::move(table));
  return section;
}

Section attribution_section(const Context& context) {
  Section section{"attribution", "Which replica served each response", "", {}, true};
  section.lead =
      "Worked out from the change of each replica's counters alone. Where a response header names the replica, it is "
      "used only to count wrong answers, unless the run asked for --attribution header.";
  section.blocks.push_back(Drawings{{coverage_drawing(context)}});
  Table table;
  table.caption = "Attribution by scenario and arm";
  table.columns = {{"Scenario", false}, {"Arm", false}, {"Verdict", false}, {"responses", true}, {"attributed", true},
                   {"ambiguous", true}, {"wrong", true}, {"compared", true}, {"\u03BB", true}, {"How, and why not all", false}};
  table.empty = "Nothing was attributed.";
  for (std::size_t i = 0; i < context.analysis.attribution.size(); ++i) {
    table.rows.push_back(attribution_row(context, i));
  }
  section.blocks.push_back(std::move(table));
  for (auto& block : truth_blocks(context)) section.blocks.push_back(std::move(block));
  section.blocks.push_back(Folded{"Exact totals per replica", totals_table(context)});
  section.blocks.push_back(Folded{"Scrapes and foreign traffic", scrapes_table(context)});
  return section;
}

}  // namespace reports
