// Pieces of the HTML renderer. Private to reports/.
// Must never write untrusted text without escape(), nor a script, nor a link that leaves the page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "reports/report.h"

namespace reports {

/// Counts what needs a distinct id on the page.
struct PageState {
  bool simulated = false;
  std::size_t next_id = 1;
};

[[nodiscard]] std::string_view style_sheet();

/// Line sample of an arm: colour, dash and marker, as in the drawings.
[[nodiscard]] std::string swatch(std::size_t arm);
[[nodiscard]] std::string_view arm_colour(std::size_t arm);  ///< on white
[[nodiscard]] std::string_view arm_dash(std::size_t arm);
/// Colours cycle after this many arms; dash and marker then tell them apart.
inline constexpr std::size_t kArmStyles = 4;
[[nodiscard]] std::string marker(std::size_t arm, double x, double y, double size);

/// One number: formatted once, with the JSON's value and place as attributes.
void write_figure(const Figure& figure, std::string& out);
void write_cell(const Cell& cell, std::string& out);
void write_pill(const Cell& cell, std::string& out);
void write_table(const Table& table, std::string& out);
void write_cards(const Cards& cards, std::string& out);
void write_drawing(const Drawing& drawing, PageState& state, std::string& out);

void write_plot(const Plot& plot, std::string& out);      ///< contents of the <svg>
void write_forest(const Forest& forest, std::string& out);
void write_bars(const Bars& bars, std::string& out);
void write_heat(const Heat& heat, std::string& out);

struct Size {
  double width = 0, height = 0;
};
[[nodiscard]] Size size_of(const Plot& plot);
[[nodiscard]] Size size_of(const Forest& forest);
[[nodiscard]] Size size_of(const Bars& bars);
[[nodiscard]] Size size_of(const Heat& heat);

/// <text> with the page's text or muted colour; anchor: "start", "middle", "end".
void write_text(double x, double y, std::string_view anchor, std::string_view words, bool muted, std::string& out);

}  // namespace reports
