// Figures: the frame of every drawing, and forest, bar and heat charts as SVG. Called by the page writer.
// Must never draw an empty chart: without data there is a sentence with the reason.
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <type_traits>

#include <fmt/format.h>

#include "reports/html.h"

namespace reports {
namespace {

constexpr std::array<std::string_view, kArmStyles> kColours{"#0072B2", "#D55E00", "#009E73", "#CC79A7"};
constexpr std::array<std::string_view, kArmStyles> kDashes{"", "7 4", "2 3", "9 3 2 3"};

constexpr double kForestWidth = 700, kForestRow = 40, kForestLabel = 170, kForestText = 180, kForestTop = 14;
constexpr double kBarWidth = 440, kBarRow = 26, kBarText = 62;
constexpr double kHeatLabel = 54, kHeatWidth = 440, kHeatRow = 18, kHeatTop = 26;

void write_legend(const Plot& plot, std::string& out) {
  if (!plot.legend || plot.curves.empty()) return;
  out += "<p class=\"legend\">";
  for (const Curve& curve : plot.curves) {
    fmt::format_to(std::back_inserter(out), "<span>{} {}</span> ", swatch(curve.arm), escape(curve.name));
  }
  out += "</p>";
}

/// Log axis of the forest: always shows 1, and no less than a factor of 1.25 to each side.
struct RatioAxis {
  double low = 0.8, high = 1.25;
  [[nodiscard]] double x(double ratio) const {
    const double share = (std::log(std::clamp(ratio, low, high)) - std::log(low)) / (std::log(high) - std::log(low));
    return kForestLabel + share * (kForestWidth - kForestLabel - kForestText);
  }
};

RatioAxis axis_of(const Forest& forest) {
  RatioAxis axis;
  for (const ForestRow& row : forest.rows) {
    for (const auto& one : {row.value, row.low, row.high}) {
      if (!one || !std::isfinite(*one) || *one <= 0) continue;
      axis.low = std::min(axis.low, std::max(*one / 1.1, 1e-3));
      axis.high = std::max(axis.high, std::min(*one * 1.1, 1e3));
    }
  }
  return axis;
}

void write_ratio_axis(const RatioAxis& axis, double bottom, std::string& out) {
  double last = -1e9;
  for (const double tick : {0.001, 0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0, 1000.0}) {
    if (tick < axis.low || tick > axis.high) continue;
    const double x = axis.x(tick);
    const bool one = tick == 1.0;
    fmt::format_to(std::back_inserter(out), "<path class=\"{}\" d=\"M{:.1f} {:.1f}V{:.1f}\" stroke=\"{}\" fill=\"none\"/>",
                   one ? "axis" : "grid", x, kForestTop - 6, bottom, one ? "#8a94a0" : "#dfe3e8");
    if (!one && (x < last + 36 || std::fabs(x - axis.x(1)) < 36)) continue;
    last = x;
    write_text(x, bottom + 16, "middle", fmt::format("{:g}\u00D7", tick), true, out);
  }
}

constexpr std::size_t kBarLetters = 30;

/// Room for the longest label: letters are about 7 wide at this size.
double label_width(const Bars& bars) {
  std::size_t longest = 0;
  for (const Bar& bar : bars.bars) longest = std::max(longest, characters(bar.label));
  return std::clamp(7.0 * static_cast<double>(std::min(longest, kBarLetters)) + 14, 60.0, 214.0);
}

std::string heat_colour(double share) {
  // White to the first arm's blue, light first, so that darker is more on a light page.
  const double t = std::clamp(share, 0.0, 1.0);
  const auto mix = [t](double from, double to) { return static_cast<int>(std::lround(from + (to - from) * t)); };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(238, 0), mix(243, 82), mix(248, 147));
}

}  // namespace

std::string_view arm_colour(std::size_t arm) { return kColours[arm % kArmStyles]; }
std::string_view arm_dash(std::size_t arm) { return kDashes[arm % kArmStyles]; }

std::string marker(std::size_t arm, double x, double y, double size) {
  const std::size_t style = arm % kArmStyles;
  std::string shape;
  switch (style) {
    case 0: return fmt::format("<circle class=\"f0\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\"/>", x, y, size, kColours[0]);
    case 1:
      shape = fmt::format("M{:.1f} {:.1f}h{:.1f}v{:.1f}h-{:.1f}z", x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8, size * 1.8);
      break;
    case 2:
      shape = fmt::format("M{:.1f} {:.1f}l{:.1f} {:.1f}h-{:.1f}z", x, y - size * 1.15, size * 1.15, size * 2, size * 2.3);
      break;
    default:
      shape = fmt::format("M{:.1f} {:.1f}l{:.1f} {:.1f}l-{:.1f} {:.1f}l-{:.1f} -{:.1f}z", x, y - size * 1.3, size * 1.1, size * 1.3,
                          size * 1.1, size * 1.3, size * 1.1, size * 1.3);
  }
  return fmt::format("<path class=\"f{}\" d=\"{}\" fill=\"{}\"/>", style, shape, kColours[style]);
}

std::string swatch(std::size_t arm) {
  const std::string_view dash = arm_dash(arm);
  return fmt::format(
      "<svg class=\"swatch\" width=\"26\" height=\"10\" viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"s{}\" d=\"M1 5H25\" "
      "stroke=\"{}\" stroke-width=\"2\"{}/>{}</svg>",
      arm % kArmStyles, arm_colour(arm), dash.empty() ? std::string() : fmt::format(" stroke-dasharray=\"{}\"", dash),
      marker(arm, 13, 5, 3.4));
}

Size size_of(const Forest& forest) {
  return {kForestWidth, kForestTop + kForestRow * static_cast<double>(forest.rows.size()) + 24};
}

void write_forest(const Forest& forest, std::string& out) {
  const RatioAxis axis = axis_of(forest);
  const double bottom = kForestTop + kForestRow * static_cast<double>(forest.rows.size());
  write_ratio_axis(axis, bottom, out);
  double y = kForestTop + kForestRow / 2;
  for (const ForestRow& row : forest.rows) {
    write_text(0, y - 2, "start", clean(row.label, 24), false, out);
    write_text(0, y + 13, "start", row.direction, true, out);
    if (row.low && row.high) {
      fmt::format_to(std::back_inserter(out),
                     "<path class=\"s0\" d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"#0072B2\" stroke-width=\"2.5\" fill=\"none\"/>",
                     axis.x(*row.low), y, axis.x(*row.high));
    }
    if (row.value) out += marker(0, axis.x(*row.value), y, 4.5);
    write_text(kForestWidth - kForestText + 14, y - 2, "start", row.text, false, out);
    write_text(kForestWidth - kForestText + 14, y + 13, "start", row.outcome.symbol + " " + row.outcome.text, true, out);
    y += kForestRow;
  }
}

Size size_of(const Bars& bars) { return {kBarWidth, kBarRow * static_cast<double>(bars.bars.size()) + 22}; }

void write_bars(const Bars& bars, std::string& out) {
  const double left = label_width(bars);
  const double span = kBarWidth - left - kBarText;
  const double bottom = kBarRow * static_cast<double>(bars.bars.size());
  std::optional<double> rule;  // bars' figures step aside for it
  if (bars.reference && bars.max > 0) rule = left + std::clamp(*bars.reference / bars.max, 0.0, 1.0) * span;
  double y = 0;
  for (const Bar& bar : bars.bars) {
    const double width = bars.max > 0 ? std::clamp(bar.value / bars.max, 0.0, 1.0) * span : 0;
    write_text(left - 8, y + 17, "end", clean(bar.label, kBarLetters), false, out);
    fmt::format_to(std::back_inserter(out),
                   "<rect class=\"f{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\" fill=\"{}\"/>",
                   bar.arm % kArmStyles, left, y + 5, width, kBarRow - 10, arm_colour(bar.arm));
    double text_x = left + width + 6;
    if (rule && text_x < *rule + 2 && *rule < text_x + 7.0 * static_cast<double>(characters(bar.text))) text_x = *rule + 5;
    write_text(text_x, y + 17, "start", bar.text, true, out);
    y += kBarRow;
  }
  if (!rule) return;
  fmt::format_to(std::back_inserter(out),
                 "<path class=\"rule\" d=\"M{:.1f} 2V{:.1f}\" stroke=\"#1c2430\" stroke-dasharray=\"3 3\" fill=\"none\"/>", *rule, bottom);
  write_text(*rule, bottom + 14, "middle", bars.reference_label, true, out);
}

Size size_of(const Heat& heat) { return {kHeatWidth, kHeatTop + kHeatRow * static_cast<double>(heat.rows.size()) + 42}; }

void write_heat(const Heat& heat, std::string& out) {
  const double columns = std::max<double>(1, static_cast<double>(heat.columns.size()));
  const double cell = (kHeatWidth - kHeatLabel) / columns;
  const double bottom = kHeatTop + kHeatRow * static_cast<double>(heat.rows.size());
  const double gap = cell > 6 ? 1.5 : 0.3;
  const bool sparse = heat.columns.size() > 16;  // one ground per row, and only cells that hold something
  double next_label = 0;
  for (std::size_t c = 0; c < heat.columns.size(); ++c) {
    const double middle = kHeatLabel + (static_cast<double>(c) + 0.5) * cell;
    const double half = 3.4 * static_cast<double>(characters(heat.columns[c]));
    if (middle - half < next_label) continue;
    next_label = middle + half + 6;
    write_text(middle, kHeatTop - 8, "middle", heat.columns[c], true, out);
  }
  double last_label = -1e9;
  for (std::size_t r = 0; r < heat.rows.size(); ++r) {
    const double y = kHeatTop + kHeatRow * static_cast<double>(r);
    if (y - last_label >= 14) {
      last_label = y;
      write_text(kHeatLabel - 8, y + 13, "end", clean(heat.rows[r], 8), true, out);
    }
    if (sparse) {
      fmt::format_to(std::back_inserter(out), "<rect class=\"h\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" style=\"--h:0\"/>",
                     kHeatLabel, y, kHeatWidth - kHeatLabel, kHeatRow - 1.5, heat_colour(0));
    }
    for (std::size_t c = 0; c < heat.columns.size() && c < heat.share[r].size(); ++c) {
      if (sparse && heat.share[r][c] <= 0) continue;
      // In dark mode the style sheet swaps the ramp: opacity over a dark ground instead of these colours.
      fmt::format_to(std::back_inserter(out),
                     "<rect class=\"h\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" style=\"--h:{:.2f}\"/>",
                     kHeatLabel + static_cast<double>(c) * cell, y, std::max(0.3, cell - gap), kHeatRow - 1.5,
                     heat_colour(heat.share[r][c]), heat.share[r][c]);
    }
  }
  constexpr int kSteps = 5;
  write_text(kHeatLabel, bottom + 24, "start", "share of the group: 0 %", true, out);
  for (int i = 0; i < kSteps; ++i) {
    const double share = static_cast<double>(i) / (kSteps - 1);
    fmt::format_to(std::back_inserter(out), "<rect class=\"h\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"22\" height=\"12\" fill=\"{}\" style=\"--h:{:.2f}\"/>",
                   kHeatLabel + 142 + 22.0 * i, bottom + 14, heat_colour(share), share);
  }
  write_text(kHeatLabel + 142 + 22 * kSteps + 6, bottom + 24, "start", "100 %", true, out);
}

void write_drawing(const Drawing& drawing, PageState& state, std::string& out) {
  const std::size_t id = state.next_id++;
  fmt::format_to(std::back_inserter(out), "<figure class=\"{}\"><figcaption><h4>{}</h4><p>{}{}</p></figcaption>",
                 std::holds_alternative<Forest>(drawing.chart) ? "plot forest" : "plot", escape(drawing.title), escape(drawing.caption),
                 state.simulated ? " <span class=\"sim\">simulated</span>" : "");
  if (!drawing.empty.empty() || std::holds_alternative<std::monostate>(drawing.chart)) {
    fmt::format_to(std::back_inserter(out), "<p class=\"empty\">{}</p>",
                   escape(drawing.empty.empty() ? "There is nothing to draw." : drawing.empty));
  } else {
    if (const Plot* plot = std::get_if<Plot>(&drawing.chart)) write_legend(*plot, out);
    std::visit(
        [&](const auto& chart) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(chart)>, std::monostate>) {
            const Size size = size_of(chart);
            fmt::format_to(std::back_inserter(out),
                           "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><svg role=\"img\" "
                           "aria-labelledby=\"g{}t g{}d\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"100%\" style=\"max-width:{:.0f}px\" font-size=\"12\" "
                           "font-family=\"system-ui,sans-serif\"><title id=\"g{}t\">{}</title><desc id=\"g{}d\">{}</desc>",
                           escape(drawing.title), id, id, size.width, size.height, size.width * 1.15, id, escape(drawing.title), id,
                           escape(drawing.description + " " + drawing.caption));
            if constexpr (std::is_same_v<std::decay_t<decltype(chart)>, Plot>) write_plot(chart, out);
            if constexpr (std::is_same_v<std::decay_t<decltype(chart)>, Forest>) write_forest(chart, out);
            if constexpr (std::is_same_v<std::decay_t<decltype(chart)>, Bars>) write_bars(chart, out);
            if constexpr (std::is_same_v<std::decay_t<decltype(chart)>, Heat>) write_heat(chart, out);
            out += "</svg></div>";
          }
        },
        drawing.chart);
  }
  if (!drawing.data.rows.empty()) {
    out += "<details><summary>Data</summary>";
    write_table(drawing.data, out);
    out += "</details>";
  }
  out += "</figure>\n";
}

}  // namespace reports
