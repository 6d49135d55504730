// render_text(): the result on stdout. Called by the command line after a run, demo, compare, report.
// Must never be wider than asked, nor let a control character of a name reach the terminal.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "reports/format.h"
#include "reports/margin.h"
#include "reports/render.h"
#include "reports/selection.h"
#include "reports/words.h"

namespace reports {
namespace {

using analyzers::Analysis;
using analyzers::ArmAnalysis;
using analyzers::Estimate;
using analyzers::Verdict;

constexpr std::size_t kNameWidth = 24;

/// What of Unicode has a plain equivalent is replaced; the rest becomes '?'.
std::string to_ascii(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) { out += text[i]; continue; }
    std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    length = std::min(length, text.size() - i);
    const std::string_view point = text.substr(i, length);
    if (point == "\u00D7") out += 'x';
    else if (point == "\u2014" || point == "\u2013" || point == "\u2212") out += '-';
    else if (point == "\u2026") out += "...";
    else if (point == "\u2265") out += ">=";
    else if (point == "\u2264") out += "<=";
    else out += '?';
    i += length - 1;
  }
  return out;
}

class Writer {
 public:
  explicit Writer(const TextOptions& options) : options_(options), width_(std::max<std::size_t>(options.width, 40)) {}

  [[nodiscard]] std::string plain(std::string_view text, std::size_t limit) const {
    const std::string safe = clean(text, limit);
    return options_.ascii ? to_ascii(safe) : safe;
  }

  /// Symbol and word, coloured when asked.
  [[nodiscard]] std::string verdict(Verdict of) const {
    const std::string words = fmt::format("{} {}", options_.ascii ? verdict_ascii_symbol(of) : verdict_symbol(of), verdict_word(of));
    if (!options_.colour) return words;
    const int code = of == Verdict::kPass ? 32 : of == Verdict::kNotJudged ? 37 : of == Verdict::kInconclusive ? 33 : 31;
    return fmt::format("\x1b[1;{}m{}\x1b[0m", code, words);
  }

  [[nodiscard]] std::string heading(std::string_view words) const {
    return options_.colour ? fmt::format("\x1b[1m{}\x1b[0m", words) : std::string(words);
  }

  /// Wraps words to the width, following lines indented; `visible` is the first line's width without colour codes.
  void wrapped(std::string_view first, std::size_t visible, std::string_view text, std::size_t indent) {
    out_ += first;
    std::size_t column = visible;
    std::size_t at = 0;
    bool fresh = visible == 0;
    while (at < text.size()) {
      std::size_t end = text.find(' ', at);
      if (end == std::string_view::npos) end = text.size();
      std::string_view word = text.substr(at, end - at);
      at = end + 1;
      if (word.empty()) continue;
      const std::size_t length = characters(word);
      if (column + (fresh ? 0 : 1) + length > width_ && column > indent) {
        out_ += "\n" + std::string(indent, ' ');
        column = indent;
        fresh = true;
      }
      if (!fresh) { out_ += ' '; ++column; }
      fresh = false;
      column += put(word, column, indent);
    }
    out_ += '\n';
  }

  void line(std::string_view text) { wrapped("", 0, text, 0); }
  void blank() { out_ += '\n'; }

  /// Aligned columns: the first to the left, the others to the right; columns that do not fit are left out from the right.
  void table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
    }
    std::size_t used = 2;
    std::size_t fitting = 0;
    while (fitting < widths.size() && used + widths[fitting] <= width_) used += widths[fitting++] + 2;
    for (const auto& row : rows) {
      std::string text = "  ";
      for (std::size_t i = 0; i < row.size() && i < fitting; ++i) {
        const std::string pad(widths[i] - characters(row[i]), ' ');
        text += (i == 0 ? "" : "  ") + (i == 0 ? row[i] + pad : pad + row[i]);
      }
      text.erase(text.find_last_not_of(' ') + 1);
      out_ += text + "\n";
    }
    if (fitting < widths.size()) line("  (more columns in the report; widen the terminal to see them)");
  }

  [[nodiscard]] std::string take() { return std::move(out_); }
  [[nodiscard]] bool ascii() const { return options_.ascii; }

 private:
  /// One word, cut over several lines when it alone is wider than the line; returns the columns it ends at.
  std::size_t put(std::string_view word, std::size_t column, std::size_t indent) {
    const std::size_t room = width_ > column ? width_ - column : 1;
    if (characters(word) <= room) {
      out_ += word;
      return characters(word);
    }
    std::size_t used = column;
    for (std::size_t i = 0; i < word.size(); ++i) {
      const bool starts = (static_cast<unsigned char>(word[i]) & 0xC0U) != 0x80U;
      if (starts && used >= width_) {
        out_ += "\n" + std::string(indent, ' ');
        used = indent;
      }
      out_ += word[i];
      if (starts) ++used;
    }
    return used - std::min(used, column);
  }

  TextOptions options_;
  std::size_t width_;
  std::string out_;
};

std::string figure(const Writer& writer, const Estimate& estimate, Unit unit, bool interval) {
  if (!estimate.value || !std::isfinite(*estimate.value)) return writer.ascii() ? "-" : "\u2014";
  std::string text = format_figure(*estimate.value, unit);
  if (interval && estimate.low && estimate.high && std::isfinite(*estimate.low) && std::isfinite(*estimate.high)) {
    text += fmt::format(" [{}, {}]", format_figure(*estimate.low, unit), format_figure(*estimate.high, unit));
  }
  return writer.plain(text, kNameLength);
}

const Estimate* summary_of(const ArmAnalysis& arm, std::string_view metric) {
  for (const auto& row : arm.summary) {
    if (row.metric == metric) return &row.estimate;
  }
  return nullptr;
}

/// Over blocks where known, else the pooled quantile.
Estimate median_of(const ArmAnalysis& arm, std::string_view metric) {
  if (const Estimate* one = summary_of(arm, fmt::format("{}.p50", metric)); one != nullptr) return *one;
  for (const auto& distribution : arm.distributions) {
    if (distribution.metric != metric) continue;
    for (const auto& row : distribution.quantiles) {
      if (row.name == "p50") return row.estimate;
    }
  }
  return {};
}

std::vector<std::string> table_head() {
  return {"arm", "replicas", "req/s [95 % CI]", "TTFT p50 ms", "TPOT p50 ms", "E2E p50 ms", "hit ratio", "attributed"};
}

std::vector<std::string> arm_row(const Analysis& analysis, const ArmAnalysis& arm, std::string label, const Writer& writer) {
  Estimate coverage;
  for (const auto& row : analysis.attribution) {
    if (row.scenario == arm.scenario && row.arm == arm.arm) coverage = row.coverage_ratio;
  }
  const Estimate* rate = summary_of(arm, "requests_per_s");
  return {std::move(label), arm.replicas_count > 0 ? fmt::format("{}", arm.replicas_count) : "?",
          figure(writer, rate != nullptr ? *rate : Estimate{}, Unit::kPerSecond, true),
          figure(writer, median_of(arm, "ttft_ms"), Unit::kMs, false),
          figure(writer, median_of(arm, "tpot_ms"), Unit::kMs, false),
          figure(writer, median_of(arm, "e2e_ms"), Unit::kMs, false),
          figure(writer, arm.cache.hit_ratio, Unit::kPercent, false), figure(writer, coverage, Unit::kPercent, false)};
}

void write_scaling(const Analysis& analysis, const std::string& scenario, Writer& writer) {
  for (const auto& row : analysis.scaling) {
    if (row.scenario != scenario) continue;
    const std::string head = fmt::format("  {} gives", writer.plain(row.candidate, kNameWidth));
    const std::string words =
        fmt::format("{} of the throughput of {}, {} per replica: scaling {}. {}", figure(writer, row.throughput_ratio, Unit::kTimes, true),
                    writer.plain(row.baseline, kNameWidth), figure(writer, row.efficiency_ratio, Unit::kPercent, false),
                    writer.plain(row.verdict, kNameWidth), writer.plain(row.reason, kSentenceLength));
    writer.wrapped(head, characters(head), words, 4);
  }
}

/// One line where responses name their replicas: how often the attribution was wrong, and how wrong it can be.
void write_truth(const Analysis& analysis, const std::string& scenario, Writer& writer) {
  for (const auto& row : analysis.attribution) {
    if (row.scenario != scenario || row.truth.compared == 0) continue;
    const std::string head = fmt::format("  {}:", writer.plain(row.arm, kNameWidth));
    const auto& high = row.truth.error_ratio.high;
    const std::string bound = high ? fmt::format("; an error of up to {} is not excluded (95 %)", format_figure(*high, Unit::kPercent)) : "";
    writer.wrapped(head, characters(head),
                   fmt::format("of {} attributed responses {} disagree with {}, {} expected by their confidence{}",
                               format_figure(static_cast<double>(row.truth.compared), Unit::kCount),
                               format_figure(static_cast<double>(row.truth.wrong), Unit::kCount), writer.plain(row.truth.source, kNameLength),
                               figure(writer, row.expected_wrong, Unit::kPlain, false), bound), 4);
  }
}

void write_arms(const Analysis& analysis, const std::string& scenario, const std::string& load, Writer& writer) {
  std::vector<std::vector<std::string>> rows{table_head()};
  for (const ArmAnalysis& arm : analysis.arms) {
    if (arm.scenario == scenario) rows.push_back(arm_row(analysis, arm, writer.plain(arm.arm, kNameWidth), writer));
  }
  if (rows.size() == 1) return;
  std::string title = writer.plain(scenario, kNameLength);
  if (!load.empty()) title += " (" + writer.plain(load, kNameLength) + ")";
  if (analysis.simulated) title += " - simulated";
  writer.blank();
  writer.line(writer.heading(title));
  writer.table(rows);
  write_scaling(analysis, scenario, writer);
  write_truth(analysis, scenario, writer);
}

/// Tests of a few requests share one table.
void write_small_tests(const Analysis& analysis, Writer& writer) {
  std::vector<std::vector<std::string>> rows{table_head()};
  rows.front().front() = "scenario, arm";
  for (const ArmAnalysis& arm : analysis.arms) {
    if (!is_small_test(analysis, arm.scenario)) continue;
    std::string label = writer.plain(arm.scenario, kNameWidth) + ", " + writer.plain(arm.arm, kNameWidth);
    rows.push_back(arm_row(analysis, arm, std::move(label), writer));
  }
  if (rows.size() == 1) return;
  writer.blank();
  writer.line(writer.heading(analysis.simulated ? "Small tests - simulated" : "Small tests"));
  writer.table(rows);
}

void write_scenarios(const Analysis& analysis, Writer& writer) {
  std::vector<std::pair<std::string, std::string>> names;
  for (const auto& info : analysis.scenarios) names.emplace_back(info.name, info.load);
  for (const ArmAnalysis& arm : analysis.arms) {
    if (std::none_of(names.begin(), names.end(), [&](const auto& one) { return one.first == arm.scenario; })) {
      names.emplace_back(arm.scenario, std::string());
    }
  }
  for (const auto& one : names) {
    if (!is_small_test(analysis, one.first)) write_arms(analysis, one.first, one.second, writer);
  }
  write_small_tests(analysis, writer);
}

/// "✓ PASS  " with its visible width, and the rest wrapped beside it.
void write_judged(Verdict verdict, const std::string& words, Writer& writer) {
  constexpr std::size_t kColumn = 18;
  const std::size_t visible = 2 + characters(writer.ascii() ? verdict_ascii_symbol(verdict) : verdict_symbol(verdict)) + 1 +
                              verdict_word(verdict).size();
  const std::size_t pad = visible < kColumn ? kColumn - visible : 1;
  writer.wrapped("  " + writer.verdict(verdict) + std::string(pad - 1, ' '), visible + pad - 1, words, kColumn);
}

void write_findings(const Analysis& analysis, Writer& writer) {
  if (analysis.findings.empty()) return;
  writer.blank();
  writer.line(writer.heading("Findings"));
  for (const auto& finding : analysis.findings) {
    write_judged(finding.verdict, fmt::format("{}, {}: {}", writer.plain(finding.scenario, kNameWidth),
                                              writer.plain(finding.id, kNameWidth), writer.plain(finding.sentence, kSentenceLength)),
                 writer);
  }
}

void write_gates(const Analysis& analysis, Writer& writer) {
  if (analysis.gates.empty()) return;
  writer.blank();
  writer.line(writer.heading("Gates"));
  for (const auto& gate : analysis.gates) {
    const Unit unit = unit_of_gate(gate);
    std::string words = fmt::format("{}: {} {} ", writer.plain(gate.id, kNameWidth), writer.plain(gate.metric, kNameLength),
                                    figure(writer, gate.observed, unit, true));
    words += fmt::format("(limit {} {})", writer.plain(gate.op, 2),
                         std::isfinite(gate.limit) ? writer.plain(format_figure(gate.limit, unit), kNameLength) : "not a number");
    const Verdict expected = gate.expect.value_or(Verdict::kPass);
    if (gate.as_expected && expected != Verdict::kPass) words += ", as expected";
    if (!gate.as_expected) words += fmt::format(", expected {}", verdict_word(expected));
    std::string reason = writer.plain(gate.reason, kSentenceLength);
    if (reason.ends_with('.')) reason.pop_back();
    if (!reason.empty()) words += "; " + reason;
    if (!gate.next_action.empty()) words += "; next: " + writer.plain(gate.next_action, kSentenceLength);
    write_judged(gate.verdict, words, writer);
  }
}

void write_notes(const Analysis& analysis, Writer& writer) {
  std::vector<std::string> notes;
  for (const auto& check : analysis.validity.checks) {
    if (check.verdict != Verdict::kInvalid) continue;
    notes.push_back(fmt::format("{} breaks its limit: {}", writer.plain(check.id, kNameLength), writer.plain(check.reason, kSentenceLength)));
  }
  for (const std::string& note : analysis.validity.notes) notes.push_back(writer.plain(note, kSentenceLength));
  for (const ArmAnalysis& arm : analysis.arms) {
    for (const auto& error : arm.errors) {
      notes.push_back(fmt::format("{}, {}: {} x {}", writer.plain(arm.scenario, kNameWidth), writer.plain(arm.arm, kNameWidth),
                                  error.count, writer.plain(error.kind, kNameLength)));
    }
  }
  if (notes.empty()) return;
  writer.blank();
  writer.line(writer.heading("Notes"));
  for (const std::string& note : notes) writer.wrapped("  -", 3, note, 4);
}

}  // namespace

std::string render_text(const Analysis& analysis, const TextOptions& options) {
  Writer writer(options);
  const std::size_t visible = characters(options.ascii ? verdict_ascii_symbol(analysis.verdict) : verdict_symbol(analysis.verdict)) +
                              1 + verdict_word(analysis.verdict).size();
  std::string words = writer.plain(analysis.verdict_sentence, kSentenceLength);
  if (analysis.simulated) words += " (simulated replicas)";
  if (analysis.status == "aborted") words += " The run was aborted: figures are of what had finished.";
  writer.wrapped(writer.verdict(analysis.verdict), visible, words, 2);
  write_scenarios(analysis, writer);
  write_findings(analysis, writer);
  write_gates(analysis, writer);
  write_notes(analysis, writer);
  return writer.take();
}

}  // namespace reports
