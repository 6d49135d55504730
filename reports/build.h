// Pieces that build_report() is made of, and the cells they share. Private to reports/.
// Must never read anything but the Analysis.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "analyzers/analysis.h"
#include "reports/report.h"

namespace reports {

/// Names in the order in which the page shows them.
struct Context {
  const analyzers::Analysis& analysis;
  std::vector<std::string> arms;        ///< distinct; the position is the arm's colour, dash and marker
  std::vector<std::string> scenarios;   ///< distinct
};

[[nodiscard]] std::size_t arm_index(const Context& context, std::string_view arm);
/// Positions in Analysis::arms of one scenario's rows.
[[nodiscard]] std::vector<std::size_t> arms_of(const Context& context, std::string_view scenario);
/// Positions in Analysis::cells that count for one scenario and arm.
[[nodiscard]] std::vector<std::size_t> cells_of(const Context& context, std::string_view scenario, std::string_view arm);
[[nodiscard]] std::string name(std::string_view untrusted);
[[nodiscard]] std::string sentence(std::string_view untrusted);
/// "closed, 15 in flight" of a scenario; empty when unknown.
[[nodiscard]] std::string load_of(const Context& context, std::string_view scenario);

[[nodiscard]] Cell text_cell(std::string text);
[[nodiscard]] Cell name_cell(std::string_view untrusted);
[[nodiscard]] Cell arm_cell(const Context& context, std::string_view arm);
[[nodiscard]] Cell word_cell(std::string_view word, std::string_view symbol, Tone tone);
[[nodiscard]] Cell verdict_cell(analyzers::Verdict verdict);
/// A measured number; a missing or non-finite one becomes a note with the reason.
[[nodiscard]] Cell figure_cell(std::optional<double> value, std::string path, Unit unit, std::string_view reason = {});
[[nodiscard]] Cell count_cell(std::size_t value, std::string path);
/// path: of the estimate object; interval shown when there is one.
[[nodiscard]] Cell estimate_cell(const analyzers::Estimate& estimate, const std::string& path, Unit unit);
/// "2.99× [2.95, 3.03]" or the reason in words.
[[nodiscard]] std::string estimate_text(const analyzers::Estimate& estimate, Unit unit);
[[nodiscard]] Tone tone_of(analyzers::Verdict verdict);

[[nodiscard]] Section scaling_section(const Context& context);
[[nodiscard]] Section gates_section(const Context& context);
[[nodiscard]] Section validity_section(const Context& context);
[[nodiscard]] Section findings_section(const Context& context);
[[nodiscard]] Section headline_section(const Context& context);
[[nodiscard]] Section distribution_section(const Context& context);
[[nodiscard]] Section comparison_section(const Context& context);
[[nodiscard]] Section ladder_section(const Context& context);
[[nodiscard]] Section replicas_section(const Context& context);
[[nodiscard]] Table replica_latency_table(const Context& context);
/// Claims against names that responses carry, one block of tables per scenario and arm that has any.
[[nodiscard]] std::vector<Block> truth_blocks(const Context& context);
[[nodiscard]] Section cache_section(const Context& context);
[[nodiscard]] Section attribution_section(const Context& context);
[[nodiscard]] Section timeline_section(const Context& context);
[[nodiscard]] Section cost_section(const Context& context);
[[nodiscard]] Section errors_section(const Context& context);
[[nodiscard]] Section reproduce_section(const Context& context);
[[nodiscard]] Section glossary_section();

}  // namespace reports
