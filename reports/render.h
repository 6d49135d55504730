// Renderers of an Analysis: JSON (the published schema), one self-contained HTML page, and a text table for stdout.
// They format and never compute: every number in HTML and text is a number of the JSON.
#pragma once

#include <string>
#include <string_view>

#include "analyzers/analysis.h"
#include "core/result.h"

namespace reports {

/// report.json, schema gatebench.report 1.0; equal Analysis gives equal bytes.
[[nodiscard]] std::string render_json(const analyzers::Analysis& analysis);
/// One page: inline SVG, no network, complete without scripts, light and dark, printable.
[[nodiscard]] std::string render_html(const analyzers::Analysis& analysis);
struct TextOptions {
  bool colour = false;
  bool ascii = false;
  std::size_t width = 100;
};
/// The table for stdout: verdict, headline figures per scenario and arm, scaling, attribution, gates, notes.
[[nodiscard]] std::string render_text(const analyzers::Analysis& analysis, const TextOptions& options);

/// JSON Schema (draft 7) of report.json and of gates and scenario files: "report", "gates", "scenario".
core::Result<std::string_view> schema(std::string_view name);

}  // namespace reports
