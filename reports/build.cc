// build_report(): the page's order, and the cells that all sections share. Called by render_html().
// Must never invent a figure: a cell without a value says why.
#include "reports/build.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "reports/words.h"

namespace reports {
namespace {

using analyzers::Analysis;
using analyzers::Verdict;

void add_distinct(std::vector<std::string>& names, const std::string& one) {
  if (std::find(names.begin(), names.end(), one) == names.end()) names.push_back(one);
}

Context context_of(const Analysis& analysis) {
  Context context{analysis, {}, {}};
  for (const auto& scenario : analysis.scenarios) add_distinct(context.scenarios, scenario.name);
  // Baselines first: every table and chart reads from them to the candidates.
  for (const auto& arm : analysis.arms) {
    add_distinct(context.scenarios, arm.scenario);
    if (arm.role == "baseline") add_distinct(context.arms, arm.arm);
  }
  for (const auto& arm : analysis.arms) add_distinct(context.arms, arm.arm);
  return context;
}

std::string title_of(const Context& context) {
  if (!context.analysis.name.empty()) return name(context.analysis.name);
  std::string title;
  for (const std::string& arm : context.arms) {
    if (!title.empty()) title += " and ";
    title += name(arm);
    if (title.size() > 2 * kNameLength) break;
  }
  return title.empty() ? std::string("gatebench report") : title;
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds)) return "unknown";
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  return fmt::format("{} min {} s", static_cast<long long>(seconds) / 60, static_cast<long long>(seconds) % 60);
}

std::vector<std::pair<std::string, std::string>> facts_of(const Context& context) {
  const Analysis& analysis = context.analysis;
  std::string arms;
  for (const std::string& arm : context.arms) {
    if (!arms.empty()) arms += ", ";
    arms += name(arm);
  }
  return {{"Run", name(analysis.id)},
          {"Started", name(analysis.started_at)},
          {"Took", duration_text(analysis.duration_s)},
          {"Arms", arms.empty() ? "none" : clean(arms, 4 * kNameLength)},
          {"Status", name(analysis.status)},
          {"Tool", "gatebench " + name(analysis.tool_version)}};
}

}  // namespace

std::size_t arm_index(const Context& context, std::string_view arm) {
  const auto at = std::find(context.arms.begin(), context.arms.end(), arm);
  return static_cast<std::size_t>(at - context.arms.begin());
}

std::vector<std::size_t> arms_of(const Context& context, std::string_view scenario) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < context.analysis.arms.size(); ++i) {
    if (context.analysis.arms[i].scenario == scenario) out.push_back(i);
  }
  return out;
}

std::vector<std::size_t> cells_of(const Context& context, std::string_view scenario, std::string_view arm) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < context.analysis.cells.size(); ++i) {
    const auto& cell = context.analysis.cells[i];
    if (cell.used && cell.scenario == scenario && cell.arm == arm) out.push_back(i);
  }
  return out;
}

std::string name(std::string_view untrusted) { return clean(untrusted, kNameLength); }
std::string sentence(std::string_view untrusted) { return clean(untrusted, kSentenceLength); }

std::string load_of(const Context& context, std::string_view scenario) {
  for (const auto& info : context.analysis.scenarios) {
    if (info.name == scenario) return name(info.load);
  }
  return {};
}

Cell text_cell(std::string text) {
  Cell cell;
  cell.text = std::move(text);
  return cell;
}

Cell name_cell(std::string_view untrusted) { return text_cell(name(untrusted)); }

Cell arm_cell(const Context& context, std::string_view arm) {
  Cell cell = name_cell(arm);
  cell.arm = arm_index(context, arm);
  return cell;
}

Cell word_cell(std::string_view word, std::string_view symbol, Tone tone) {
  Cell cell;
  cell.text = std::string(word);
  cell.symbol = std::string(symbol);
  cell.tone = tone;
  return cell;
}

Tone tone_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return Tone::kGood;
    case Verdict::kFail: return Tone::kBad;
    case Verdict::kInvalid: return Tone::kBad;
    case Verdict::kInconclusive: return Tone::kUnsure;
    case Verdict::kNotJudged: break;
  }
  return Tone::kNeutral;
}

Cell verdict_cell(Verdict verdict) { return word_cell(verdict_word(verdict), verdict_symbol(verdict), tone_of(verdict)); }

Cell figure_cell(std::optional<double> value, std::string path, Unit unit, std::string_view reason) {
  Cell cell;
  if (value && std::isfinite(*value)) {
    cell.figure = Figure{*value, std::move(path), unit};
    return cell;
  }
  cell.missing = reason.empty() ? std::string("not measured") : sentence(reason);
  return cell;
}

Cell count_cell(std::size_t value, std::string path) {
  return figure_cell(static_cast<double>(value), std::move(path), Unit::kCount);
}

Cell estimate_cell(const analyzers::Estimate& estimate, const std::string& path, Unit unit) {
  Cell cell = figure_cell(estimate.value, path + "/value", unit, estimate.reason);
  if (!cell.figure) return cell;
  const bool has_low = estimate.low && std::isfinite(*estimate.low);
  const bool has_high = estimate.high && std::isfinite(*estimate.high);
  if (has_low) cell.low = Figure{*estimate.low, path + "/low", unit};
  if (has_high) cell.high = Figure{*estimate.high, path + "/high", unit};
  if (!has_low && !has_high) cell.missing = sentence(estimate.reason);
  return cell;
}

std::string estimate_text(const analyzers::Estimate& estimate, Unit unit) {
  if (!estimate.value || !std::isfinite(*estimate.value)) {
    return estimate.reason.empty() ? std::string("not measured") : sentence(estimate.reason);
  }
  std::string text = format_figure(*estimate.value, unit);
  if (estimate.low && estimate.high && std::isfinite(*estimate.low) && std::isfinite(*estimate.high)) {
    text += " [" + format_figure(*estimate.low, unit) + ", " + format_figure(*estimate.high, unit) + "]";
  }
  return text;
}

Report build_report(const Analysis& analysis) {
  const Context context = context_of(analysis);
  Report report;
  report.title = title_of(context);
  report.sentence = sentence(analysis.verdict_sentence);
  report.verdict = verdict_cell(analysis.verdict);
  report.facts = facts_of(context);
  report.simulated = analysis.simulated;
  report.sections.push_back(scaling_section(context));
  report.sections.push_back(gates_section(context));
  report.sections.push_back(validity_section(context));
  report.sections.push_back(findings_section(context));
  report.sections.push_back(headline_section(context));
  report.sections.push_back(distribution_section(context));
  report.sections.push_back(comparison_section(context));
  report.sections.push_back(ladder_section(context));
  report.sections.push_back(replicas_section(context));
  report.sections.push_back(cache_section(context));
  report.sections.push_back(attribution_section(context));
  report.sections.push_back(timeline_section(context));
  report.sections.push_back(cost_section(context));
  report.sections.push_back(errors_section(context));
  report.sections.push_back(reproduce_section(context));
  report.sections.push_back(glossary_section());
  return report;
}

}  // namespace reports
