// The page's first panels: the key comparison, gates, validity, findings. Called by build_report().
// Must never soften a verdict: words, symbols and reasons are the Analysis' own.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "reports/build.h"
#include "reports/margin.h"
#include "reports/words.h"

namespace reports {
namespace {

using analyzers::ArmAnalysis;
using analyzers::ComparisonRow;
using analyzers::Estimate;
using analyzers::GateResult;
using analyzers::ScalingRow;

constexpr std::string_view kThroughput = "requests_per_s";

std::optional<std::size_t> row_of(const ArmAnalysis& arm, std::string_view metric) {
  for (std::size_t i = 0; i < arm.summary.size(); ++i) {
    if (arm.summary[i].metric == metric) return i;
  }
  return std::nullopt;
}

/// Throughput of one arm, for its bar; zero-length when there is none.
CardLine line_of(const Context& context, std::string_view scenario, std::string_view arm, std::optional<bool> saturated) {
  CardLine line;
  line.arm = name(arm);
  line.index = arm_index(context, arm);
  line.throughput = figure_cell(std::nullopt, "", Unit::kPerSecond, "no throughput was measured");
  if (saturated) line.saturated = *saturated ? "saturated" : "not saturated";
  for (const std::size_t at : arms_of(context, scenario)) {
    const ArmAnalysis& row = context.analysis.arms[at];
    if (row.arm != arm) continue;
    if (row.replicas_count > 0) {
      line.replicas = fmt::format("{} replica{}", row.replicas_count, row.replicas_count == 1 ? "" : "s");
    }
    const auto metric = row_of(row, kThroughput);
    if (!metric) continue;
    line.throughput = estimate_cell(row.summary[*metric].estimate, fmt::format("/arms/{}/summary/{}/estimate", at, *metric),
                                    Unit::kPerSecond);
  }
  return line;
}

double value_of(const CardLine& line) { return line.throughput.figure ? std::max(0.0, line.throughput.figure->value) : 0; }

/// Bars share one scale; the candidate's carries a mark where linear scaling would be.
void scale_lines(Card& card, std::optional<double> linear_factor) {
  const double ideal = linear_factor && !card.lines.empty() ? value_of(card.lines.front()) * *linear_factor : 0;
  double longest = ideal;
  for (const CardLine& line : card.lines) longest = std::max(longest, value_of(line));
  if (longest <= 0) return;
  for (CardLine& line : card.lines) line.share = value_of(line) / longest;
  if (ideal > 0) card.lines.back().ideal_share = ideal / longest;
}

Card card_of(const Context& context, std::string_view scenario) {
  Card card;
  card.scenario = name(scenario);
  for (const auto& info : context.analysis.scenarios) {
    if (info.name != scenario) continue;
    card.load = name(info.load);
    card.description = clean(info.description, 220);
  }
  return card;
}

Card scaling_card(const Context& context, std::size_t at) {
  const ScalingRow& row = context.analysis.scaling[at];
  Card card = card_of(context, row.scenario);
  const bool shown = row.verdict == "shown";
  const bool invalid = row.verdict == "invalid";
  card.verdict = word_cell(shown ? "Scaling shown" : invalid ? "Invalid" : "Scaling not shown",
                           shown ? "\u2713" : invalid ? "!" : "?",
                           shown ? Tone::kGood : invalid ? Tone::kBad : Tone::kUnsure);
  card.ratio = estimate_cell(row.throughput_ratio, fmt::format("/scaling/{}/throughput_ratio", at), Unit::kTimes);
  card.efficiency = estimate_cell(row.efficiency_ratio, fmt::format("/scaling/{}/efficiency_ratio", at), Unit::kPercent);
  card.efficiency_label = shown ? "Scaling efficiency" : "Ratio per replica, not a scaling efficiency";
  card.headline = fmt::format("throughput of {} against {}", name(row.candidate), name(row.baseline));
  card.reason = sentence(row.reason);
  card.lines.push_back(line_of(context, row.scenario, row.baseline, row.baseline_saturated));
  card.lines.push_back(line_of(context, row.scenario, row.candidate, row.candidate_saturated));
  std::optional<double> factor;
  if (row.baseline_replicas > 0 && row.candidate_replicas > row.baseline_replicas) {
    factor = static_cast<double>(row.candidate_replicas) / row.baseline_replicas;
  }
  scale_lines(card, factor);
  return card;
}

Card comparison_card(const Context& context, std::size_t at) {
  const ComparisonRow& row = context.analysis.comparisons[at];
  Card card = card_of(context, row.scenario);
  const bool better = row.outcome == "better";
  const bool worse = row.outcome == "worse";
  card.verdict = word_cell(name(row.outcome), better ? "\u2713" : worse ? "\u2717" : "?",
                           better ? Tone::kGood : worse ? Tone::kBad : Tone::kUnsure);
  card.ratio = estimate_cell(row.ratio, fmt::format("/comparisons/{}/ratio", at), Unit::kTimes);
  card.headline = fmt::format("throughput of {} against {}", name(row.candidate), name(row.baseline));
  card.reason = sentence(row.reason);
  card.lines.push_back(line_of(context, row.scenario, row.baseline, std::nullopt));
  card.lines.push_back(line_of(context, row.scenario, row.candidate, std::nullopt));
  scale_lines(card, std::nullopt);
  return card;
}

bool has_scaling(const Context& context, const ComparisonRow& row) {
  return std::any_of(context.analysis.scaling.begin(), context.analysis.scaling.end(), [&](const ScalingRow& scaling) {
    return scaling.scenario == row.scenario && scaling.candidate == row.candidate && scaling.baseline == row.baseline;
  });
}

std::string scope_of(const GateResult& gate) {
  std::string scope = name(gate.scenario);
  if (!gate.arm.empty()) scope += (scope.empty() ? "" : " \u00B7 ") + name(gate.arm);
  if (!gate.baseline.empty()) scope += " against " + name(gate.baseline);
  return scope.empty() ? "all" : scope;
}

std::string sign(std::string_view op) {
  if (op == "<=") return "\u2264 ";
  if (op == ">=") return "\u2265 ";
  return name(op) + " ";
}

bool ends_a_sentence(std::string_view text) { return text.ends_with('.') || text.ends_with('!') || text.ends_with('?'); }

std::vector<Cell> gate_row(const GateResult& gate, std::size_t at) {
  const std::string path = fmt::format("/gates/{}", at);
  const Unit unit = unit_of_gate(gate);
  const Margin margin = margin_of(gate);
  Cell limit = figure_cell(gate.limit, path + "/limit", unit, "the limit is not a number");
  limit.text = sign(gate.op);
  const auto expected = gate.expect.value_or(analyzers::Verdict::kPass);
  Cell verdict = verdict_cell(gate.verdict);
  verdict.sub = gate.as_expected ? "as expected" : fmt::format("\u2260 expected {}", verdict_word(expected));
  std::string next = sentence(gate.next_action);
  std::string reason = sentence(gate.reason);
  if (gate.warn_only) reason += reason.empty() ? "Warns only." : ends_a_sentence(reason) ? " Warns only." : ". Warns only.";
  if (!next.empty()) reason += (reason.empty() ? "Next: " : ends_a_sentence(reason) ? " Next: " : ". Next: ") + next;
  Cell what = text_cell(metric_label(gate.metric));
  what.sub = scope_of(gate);
  return {text_cell(name(gate.id)),
          std::move(what),
          estimate_cell(gate.observed, path + "/observed", unit),
          std::move(limit),
          figure_cell(margin.ratio, path + "/margin_ratio", Unit::kPercent,
                      margin.absolute ? "the limit is 0" : "nothing was observed"),
          count_cell(gate.observed.n, path + "/observed/n"),
          std::move(verdict),
          text_cell(std::move(reason))};
}

std::vector<Cell> check_row(const analyzers::ValidityCheck& check, std::size_t at) {
  const std::string path = fmt::format("/validity/checks/{}", at);
  const Unit unit = unit_of_metric(check.id);
  Cell limit = figure_cell(check.limit, path + "/limit", unit);
  limit.text = sign(check.op);
  return {text_cell(name(check.id)), text_cell(std::string(family_key(check.family))),
          figure_cell(check.observed, path + "/observed", unit, "not measured"), std::move(limit),
          verdict_cell(check.verdict), text_cell(sentence(check.reason))};
}

Cell family_cell(std::string_view family, bool valid) {
  return word_cell(fmt::format("{} {}", family, valid ? "valid" : "invalid"), valid ? "\u2713" : "!",
                   valid ? Tone::kGood : Tone::kBad);
}

}  // namespace

Section scaling_section(const Context& context) {
  Section section{"comparison", "Does it scale?", "", {}, true};
  Cards cards;
  for (std::size_t i = 0; i < context.analysis.scaling.size(); ++i) cards.items.push_back(scaling_card(context, i));
  for (std::size_t i = 0; i < context.analysis.comparisons.size(); ++i) {
    const ComparisonRow& row = context.analysis.comparisons[i];
    if (row.metric == kThroughput && !has_scaling(context, row)) cards.items.push_back(comparison_card(context, i));
  }
  if (cards.items.empty()) {
    section.title = "Comparison";
    section.blocks.push_back(Paragraph{context.arms.size() < 2
                                           ? "There is one arm in this report, so there is nothing to compare it with."
                                           : "No arm was compared with another on throughput.",
                                       false});
    return section;
  }
  section.lead =
      "A ratio of throughputs says how far the replicas were used, and only at a load that saturates both arms does it "
      "say how far they scale. Below saturation throughput is concurrency divided by latency, whatever stands behind.";
  section.blocks.push_back(std::move(cards));
  return section;
}

Section gates_section(const Context& context) {
  Section section{"gates", "Acceptance gates", "", {}, true};
  Table table;
  table.caption = "Gates, with 95 % intervals unless the gate says otherwise";
  table.columns = {{"Gate", false}, {"Figure and scope", false}, {"Observed", true}, {"Limit", true},
                   {"Margin", true},   {"n", true},         {"Verdict", false},
                   {"Why, and what next", false}};
  table.empty = "No gates were set, so nothing was judged.";
  for (std::size_t i = 0; i < context.analysis.gates.size(); ++i) {
    table.rows.push_back(gate_row(context.analysis.gates[i], i));
  }
  section.blocks.push_back(std::move(table));
  return section;
}

Section validity_section(const Context& context) {
  const analyzers::Validity& validity = context.analysis.validity;
  Section section{"validity", "Can the figures be trusted?", "", {}, true};
  section.lead =
      "A run in which the client or the simulator was the bottleneck says nothing about the service: it is invalid, per "
      "family of figures.";
  section.blocks.push_back(Pills{{family_cell("Throughput", validity.throughput_valid),
                                  family_cell("TTFT", validity.ttft_valid), family_cell("ITL", validity.itl_valid)}});
  Table table;
  table.caption = "Validity checks, the worst over all used cells";
  table.columns = {{"Check", false}, {"Family", false}, {"Observed", true}, {"Limit", true}, {"Verdict", false},
                   {"What it means", false}};
  table.empty = "No validity check was made, so the figures below are unproven.";
  for (std::size_t i = 0; i < validity.checks.size(); ++i) table.rows.push_back(check_row(validity.checks[i], i));
  section.blocks.push_back(std::move(table));
  for (const std::string& note : validity.notes) section.blocks.push_back(Paragraph{"Noted: " + sentence(note), true});
  return section;
}

Section findings_section(const Context& context) {
  Section section{"findings", "Findings of the small tests", "", {}, true};
  Table table;
  table.caption = "What was sent, what came, and what it proves";
  table.columns = {{"Test", false}, {"Scenario", false}, {"Arm", false}, {"Verdict", false}, {"Finding", false}};
  table.empty = "No small tests were part of this run.";
  for (const auto& finding : context.analysis.findings) {
    table.rows.push_back({name_cell(finding.id), name_cell(finding.scenario), arm_cell(context, finding.arm),
                          verdict_cell(finding.verdict), text_cell(sentence(finding.sentence))});
  }
  section.blocks.push_back(std::move(table));
  return section;
}

}  // namespace reports
