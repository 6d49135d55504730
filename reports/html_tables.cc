// Tables, cells, pills and cards as HTML. Called by the page writer.
// Must never format a number anywhere but in write_figure().
#include <algorithm>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "reports/html.h"

namespace reports {
namespace {

constexpr std::size_t kLongText = 34;
constexpr std::size_t kShortText = 22;
constexpr std::size_t kNarrowColumns = 4;

std::string_view tone_class(Tone tone) {
  switch (tone) {
    case Tone::kGood: return "good";
    case Tone::kBad: return "bad";
    case Tone::kUnsure: return "unsure";
    case Tone::kNeutral: break;
  }
  return "neutral";
}

/// Reasons of one table, each told once, in order of appearance.
class Notes {
 public:
  std::size_t number_of(const std::string& reason) {
    const auto at = std::find(reasons_.begin(), reasons_.end(), reason);
    if (at != reasons_.end()) return static_cast<std::size_t>(at - reasons_.begin()) + 1;
    reasons_.push_back(reason);
    return reasons_.size();
  }
  [[nodiscard]] const std::vector<std::string>& all() const { return reasons_; }

 private:
  std::vector<std::string> reasons_;
};

void write_table_cell(const Cell& cell, const Column& column, bool head, Notes& notes, std::string& out) {
  std::string classes = column.numeric ? "num" : "";
  if (!column.numeric && characters(cell.text) > kLongText) classes += "long";
  else if (!column.numeric && cell.sub.empty() && characters(cell.text) < kShortText) classes += "short";
  out += head ? "<th scope=\"row\"" : "<td";
  if (!classes.empty()) out += " class=\"" + classes + "\"";
  out += ">";
  write_cell(cell, out);
  if (!cell.missing.empty()) fmt::format_to(std::back_inserter(out), "<sup>{}</sup>", notes.number_of(cell.missing));
  out += head ? "</th>" : "</td>";
}

void write_bar(const CardLine& line, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "<svg class=\"meter\" viewBox=\"0 0 1000 14\" preserveAspectRatio=\"none\" width=\"100%\" height=\"14\" "
                 "aria-hidden=\"true\"><rect class=\"band\" width=\"1000\" height=\"14\" fill=\"#eef1f4\"/>"
                 "<rect class=\"f{}\" width=\"{:.0f}\" height=\"14\" fill=\"{}\"/>",
                 line.index % kArmStyles, line.share * 1000, arm_colour(line.index));
  if (line.ideal_share) {
    fmt::format_to(std::back_inserter(out), "<rect class=\"tick\" x=\"{:.0f}\" width=\"4\" height=\"14\" fill=\"#1c2430\"/>",
                   std::min(996.0, *line.ideal_share * 1000 - 2));
  }
  out += "</svg>";
}

void write_missing_or(const Cell& cell, std::string& out) {
  if (cell.figure) write_cell(cell, out);
  else fmt::format_to(std::back_inserter(out), "<span class=\"none\">{}</span>", escape(cell.missing));
}

void write_card(const Card& card, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<article class=\"card {}\"><header><div><h3>{}</h3><p class=\"quiet\">{}</p></div>",
                 tone_class(card.verdict.tone), escape(card.scenario), escape(card.load));
  write_pill(card.verdict, out);
  out += "</header><p class=\"big\">";
  write_missing_or(card.ratio, out);
  fmt::format_to(std::back_inserter(out), "</p><p class=\"quiet\">{}</p>", escape(card.headline));
  if (card.efficiency.figure) {
    fmt::format_to(std::back_inserter(out), "<p class=\"efficiency\">{} <strong>", escape(card.efficiency_label));
    write_cell(card.efficiency, out);
    out += "</strong></p>";
  } else if (!card.efficiency.missing.empty()) {
    fmt::format_to(std::back_inserter(out), "<p class=\"efficiency\">{}: {}</p>", escape(card.efficiency_label),
                   escape(card.efficiency.missing));
  }
  out += "<dl class=\"lines\">";
  bool ideal = false;
  for (const CardLine& line : card.lines) {
    std::string about = line.replicas;
    if (!line.saturated.empty()) about += (about.empty() ? "" : ", ") + line.saturated;
    fmt::format_to(std::back_inserter(out), "<div><dt>{} <bdi>{}</bdi> <span class=\"quiet\">{}</span></dt><dd>", swatch(line.index),
                   escape(line.arm), escape(about));
    write_bar(line, out);
    out += "<span class=\"rate\">";
    write_missing_or(line.throughput, out);
    out += line.throughput.figure ? " req/s</span></dd></div>" : "</span></dd></div>";
    ideal = ideal || line.ideal_share.has_value();
  }
  out += "</dl>";
  if (ideal) out += "<p class=\"key\">The upright tick marks linear scaling.</p>";
  fmt::format_to(std::back_inserter(out), "<p class=\"reason\">{}</p></article>", escape(card.reason));
}

void write_sub(const Cell& cell, std::string& out) {
  if (!cell.sub.empty()) out += "<br><span class=\"sub\"><bdi>" + escape(cell.sub) + "</bdi></span>";
}

}  // namespace

void write_figure(const Figure& figure, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<span data-json-path=\"{}\" data-value=\"{}\" data-unit=\"{}\">{}</span>", figure.path,
                 exact(figure.value), unit_key(figure.unit), format_figure(figure.value, figure.unit));
}

void write_pill(const Cell& cell, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<span class=\"pill {}\"><span aria-hidden=\"true\">{}</span> {}</span>",
                 tone_class(cell.tone), escape(cell.symbol), escape(cell.text));
}

void write_cell(const Cell& cell, std::string& out) {
  if (!cell.symbol.empty()) {
    write_pill(cell, out);
    return write_sub(cell, out);
  }
  if (cell.arm) out += "<span class=\"arm\">" + swatch(*cell.arm) + " ";
  if (cell.figure) {
    out += escape(cell.text);
    write_figure(*cell.figure, out);
    if (cell.low || cell.high) {
      out += " <span class=\"ci\">[";
      if (cell.low) write_figure(*cell.low, out);
      else out += "\u2026";
      out += ", ";
      if (cell.high) write_figure(*cell.high, out);
      else out += "\u2026";
      out += "]</span>";
    }
    return;
  }
  if (!cell.missing.empty()) {
    // "needs 368 samples, has 120"
    const bool few = cell.missing.starts_with("needs ") && cell.missing.find(" samples") != std::string::npos;
    out += few ? "<span class=\"none\">n too small</span>" : "<span class=\"none\">n/a</span>";
    return;
  }
  if (cell.code) out += "<code>" + escape(cell.text) + "</code>";
  else out += "<bdi>" + escape(cell.text) + "</bdi>";
  if (cell.arm) out += "</span>";
  write_sub(cell, out);
}

void write_table(const Table& table, std::string& out) {
  if (table.rows.empty()) {
    fmt::format_to(std::back_inserter(out), "<p class=\"empty\">{}</p>",
                   escape(table.empty.empty() ? "There are no rows." : table.empty));
    return;
  }
  Notes notes;
  fmt::format_to(std::back_inserter(out),
                 "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table{}><caption><span>{}</span></caption><thead><tr>",
                 escape(table.caption), table.columns.size() <= kNarrowColumns ? " class=\"narrow\"" : "", escape(table.caption));
  for (const Column& column : table.columns) {
    fmt::format_to(std::back_inserter(out), "<th scope=\"col\"{}><bdi>{}</bdi></th>", column.numeric ? " class=\"num\"" : "",
                   escape(column.title));
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size() && i < table.columns.size(); ++i) {
      write_table_cell(row[i], table.columns[i], i == 0, notes, out);
    }
    out += "</tr>\n";
  }
  out += "</tbody></table></div>";
  if (notes.all().empty()) return;
  out += "<ol class=\"notes\">";
  for (const std::string& reason : notes.all()) out += "<li>" + escape(reason) + "</li>";
  out += "</ol>";
}

void write_cards(const Cards& cards, std::string& out) {
  out += "<div class=\"cards\">";
  for (const Card& card : cards.items) write_card(card, out);
  out += "</div>\n";
}

}  // namespace reports
