// render_html(): one self-contained page from a Report. Called by the command line.
// Must never need a network, a script or a font file.
#include <iterator>
#include <string>
#include <type_traits>

#include <fmt/format.h>

#include "reports/html.h"
#include "reports/render.h"

namespace reports {
namespace {

std::string_view tone_class(Tone tone) {
  switch (tone) {
    case Tone::kGood: return "good";
    case Tone::kBad: return "bad";
    case Tone::kUnsure: return "unsure";
    case Tone::kNeutral: break;
  }
  return "neutral";
}

void write_block(const Paragraph& block, PageState&, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<p{}>{}</p>\n", block.quiet ? " class=\"quiet\"" : "", escape(block.text));
}

void write_block(const Subheading& block, PageState&, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<h3>{}</h3>\n", escape(block.text));
}

void write_block(const Table& block, PageState&, std::string& out) { write_table(block, out); }

void write_block(const Pills& block, PageState&, std::string& out) {
  out += "<p class=\"pills\">";
  for (const Cell& cell : block.items) {
    write_pill(cell, out);
    out += ' ';
  }
  out += "</p>\n";
}

void write_block(const Folded& block, PageState&, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<details><summary>{}</summary>", escape(block.summary));
  write_table(block.table, out);
  out += "</details>\n";
}

void write_block(const Drawings& block, PageState& state, std::string& out) {
  const std::string_view layout = block.layout == Layout::kThree ? " three" : block.layout == Layout::kWideAndNarrow ? " pair" : "";
  fmt::format_to(std::back_inserter(out), "<div class=\"plots{}\">", layout);
  for (const Drawing& drawing : block.items) write_drawing(drawing, state, out);
  out += "</div>\n";
}

void write_block(const Code& block, PageState&, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "<h3>{}</h3><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><pre><code>{}</code></pre></div>\n",
                 escape(block.title), escape(block.title), escape(block.text));
}

void write_block(const Definitions& block, PageState&, std::string& out) {
  out += "<dl class=\"glossary\">";
  for (const auto& entry : block.entries) {
    fmt::format_to(std::back_inserter(out), "<div><dt>{}</dt><dd>{}</dd></div>", escape(entry.first), escape(entry.second));
  }
  out += "</dl>\n";
}

void write_block(const Cards& block, PageState&, std::string& out) { write_cards(block, out); }

void write_section(const Section& section, PageState& state, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<section id=\"{}\" aria-labelledby=\"{}-h\"><h2 id=\"{}-h\">{}{}</h2>\n", section.id,
                 section.id, section.id, escape(section.title),
                 state.simulated && section.data ? " <span class=\"sim\">simulated</span>" : "");
  if (!section.lead.empty()) fmt::format_to(std::back_inserter(out), "<p class=\"lead\">{}</p>\n", escape(section.lead));
  PageState tables = state;
  tables.simulated = state.simulated && section.data;
  for (const Block& block : section.blocks) {
    std::visit([&](const auto& one) { write_block(one, tables, out); }, block);
  }
  state.next_id = tables.next_id;
  out += "</section>\n";
}

void write_head(const Report& report, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                 "<meta name=\"color-scheme\" content=\"light dark\"><meta name=\"referrer\" content=\"no-referrer\">"
                 "<title>{} \u2014 {}</title><style>{}</style></head><body>\n",
                 escape(report.verdict.text), escape(report.title), style_sheet());
}

void write_verdict_bar(const Report& report, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<header class=\"top {}\"><div class=\"inner\"><p class=\"kicker\">gatebench report",
                 tone_class(report.verdict.tone));
  if (report.simulated) out += " <span class=\"sim strong\">simulated replicas</span>";
  fmt::format_to(std::back_inserter(out),
                 "</p><h1>{}</h1><p class=\"verdict\"><span class=\"symbol\" aria-hidden=\"true\">{}</span><strong>{}</strong>"
                 "<span class=\"why\">{}</span></p>",
                 escape(report.title), escape(report.verdict.symbol), escape(report.verdict.text), escape(report.sentence));
  if (report.simulated) {
    out += "<p class=\"simnote\">The replicas in this report are <strong>simulated</strong>: a model of a vLLM replica served "
           "the requests, not an accelerator. The figures show how routing and measurement behave, not what hardware gives.</p>";
  }
  out += "<dl class=\"facts\">";
  for (const auto& fact : report.facts) {
    fmt::format_to(std::back_inserter(out), "<div><dt>{}</dt><dd><bdi>{}</bdi></dd></div>", escape(fact.first), escape(fact.second));
  }
  out += "</dl></div></header>\n";
}

}  // namespace

std::string render_html(const analyzers::Analysis& analysis) {
  const Report report = build_report(analysis);
  PageState state{report.simulated, 1};
  std::string out;
  out.reserve(256 * 1024);
  write_head(report, out);
  write_verdict_bar(report, out);
  out += "<nav aria-label=\"Contents\"><ul>";
  for (const Section& section : report.sections) {
    fmt::format_to(std::back_inserter(out), "<li><a href=\"#{}\">{}</a></li>", section.id, escape(section.title));
  }
  out += "</ul></nav>\n<main>\n";
  for (const Section& section : report.sections) write_section(section, state, out);
  fmt::format_to(std::back_inserter(out), "</main>\n<footer><p>{} \u00B7 {} \u00B7 every number here is in report.json</p></footer></body></html>\n",
                 escape(report.title), escape(report.facts.empty() ? std::string() : report.facts.front().second));
  return out;
}

}  // namespace reports
