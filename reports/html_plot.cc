// Line plots as SVG: axes, grid, curves. Called by write_drawing().
// Must never draw outside its plot area: points are clamped to the axes.
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "reports/html.h"

namespace reports {
namespace {

constexpr double kHeight = 270;
constexpr double kLeft = 54, kRight = 18, kTop = 12, kBottom = 44;

using Ticks = std::vector<std::pair<double, std::string>>;

double nice_step(double span, int wanted) {
  const double raw = span / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= raw * 0.999) return factor * power;
  }
  return 10 * power;
}

std::string tick_label(double value, double step) {
  if (std::fabs(value) < step * 1e-6) return "0";
  if (step >= 1 && std::fabs(value) < 1e6) return fmt::format("{:.0f}", value);
  if (std::fabs(value) >= 1e6) return fmt::format("{:.3g}", value);
  return fmt::format("{:.{}f}", value, std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6));
}

Ticks linear_ticks(double low, double high, int wanted) {
  Ticks ticks;
  if (!(high > low)) return {{low, tick_label(low, 1)}};
  const double step = nice_step(high - low, wanted);
  for (double at = std::ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) {
    ticks.emplace_back(at, tick_label(at, step));
  }
  return ticks;
}

Ticks log_ticks(double low, double high) {
  Ticks ticks;
  const bool wide = std::log10(high / low) > 2.4;
  for (double decade = std::pow(10.0, std::floor(std::log10(low))); decade <= high; decade *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double at = decade * factor;
      if (at < low * 0.9999 || at > high * 1.0001 || (wide && factor > 1)) continue;
      ticks.emplace_back(at, at >= 1 ? fmt::format("{:.0f}", at) : fmt::format("{:g}", at));
    }
  }
  return ticks.size() >= 2 ? ticks : linear_ticks(low, high, 4);
}

Ticks tail_ticks(double low) {
  constexpr std::array<std::pair<double, std::string_view>, 6> kAll{
      {{1, "p0"}, {0.5, "p50"}, {0.1, "p90"}, {0.05, "p95"}, {0.01, "p99"}, {0.001, "p99.9"}}};
  Ticks ticks;
  for (const auto& one : kAll) {
    if (one.first >= low * 0.999) ticks.emplace_back(one.first, std::string(one.second));
  }
  return ticks;
}

Ticks ticks_of(const Axis& axis, int wanted) {
  if (!axis.ticks.empty()) return axis.ticks;
  if (axis.scale == Scale::kLog) return log_ticks(axis.min, axis.max);
  if (axis.scale == Scale::kTail) return tail_ticks(axis.min);
  return linear_ticks(axis.min, axis.max, wanted);
}

/// Where a value lies on its axis, 0..1; clamped.
double place(const Axis& axis, double value) {
  double low = axis.min, high = axis.max;
  if (axis.scale != Scale::kLinear) {
    low = std::log(std::max(low, 1e-12));
    high = std::log(std::max(high, 1e-12));
    value = std::log(std::max(value, 1e-12));
  }
  return high > low ? std::clamp((value - low) / (high - low), 0.0, 1.0) : 0.5;
}

struct Frame {
  const Plot& plot;
  [[nodiscard]] double right() const { return plot.width - kRight; }
  [[nodiscard]] double x(double value) const { return kLeft + place(plot.x, value) * (right() - kLeft); }
  [[nodiscard]] double y(double value) const {
    return kHeight - kBottom - place(plot.y, value) * (kHeight - kTop - kBottom);
  }
};

void write_axes(const Frame& frame, std::string& out) {
  const Plot& plot = frame.plot;
  const double bottom = kHeight - kBottom;
  if (plot.band) {
    const double from = frame.x(plot.band->first), to = frame.x(plot.band->second);
    fmt::format_to(std::back_inserter(out),
                   "<rect class=\"band\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"#eef1f4\"/>", from,
                   kTop, std::max(0.0, to - from), bottom - kTop);
  }
  std::string grid;
  std::string labels;
  double last_y = 1e9;
  for (const auto& tick : ticks_of(plot.y, 5)) {
    const double y = frame.y(tick.first);
    grid += fmt::format("M{:.1f} {:.1f}H{:.1f}", kLeft, y, frame.right());
    if (std::fabs(last_y - y) < 13) continue;
    last_y = y;
    write_text(kLeft - 8, y + 4, "end", tick.second, true, labels);
  }
  double last_x = -1e9;
  for (const auto& tick : ticks_of(plot.x, plot.width > 400 ? 6 : 4)) {
    const double x = frame.x(tick.first);
    const double half = 3.2 * static_cast<double>(characters(tick.second));
    grid += fmt::format("M{:.1f} {:.1f}v4", x, bottom);
    if (x - half < last_x + 6) continue;
    last_x = x + half;
    write_text(x, bottom + 18, "middle", tick.second, true, labels);
  }
  fmt::format_to(std::back_inserter(out), "<path class=\"grid\" d=\"{}\" stroke=\"#dfe3e8\" fill=\"none\"/>", grid);
  fmt::format_to(std::back_inserter(out),
                 "<path class=\"axis\" d=\"M{:.1f} {:.1f}H{:.1f}\" stroke=\"#8a94a0\" fill=\"none\"/>", kLeft, bottom,
                 frame.right());
  out += labels;
  if (!plot.x.title.empty()) write_text((kLeft + frame.right()) / 2, kHeight - 8, "middle", plot.x.title, false, out);
  fmt::format_to(std::back_inserter(out),
                 "<text class=\"t\" transform=\"translate(12 {:.1f}) rotate(-90)\" text-anchor=\"middle\" fill=\"#1c2430\">{}</text>",
                 (kTop + bottom) / 2, escape(plot.y.title));
}

void write_line(const Frame& frame, const Curve& curve, std::string& out) {
  std::string path;
  for (const auto& point : curve.points) {
    fmt::format_to(std::back_inserter(path), "{}{:.1f} {:.1f}", path.empty() ? "M" : "L", frame.x(point.first),
                   frame.y(point.second));
  }
  const bool neutral = curve.arm == kNoArm;
  const std::string dash(neutral ? "" : arm_dash(curve.arm));
  fmt::format_to(std::back_inserter(out),
                 "<path class=\"{}\" d=\"{}\" stroke=\"{}\" stroke-width=\"{}\" fill=\"none\" stroke-linejoin=\"round\"{}/>",
                 neutral ? std::string("axis") : fmt::format("s{}", curve.arm % kArmStyles), path,
                 neutral ? "#8a94a0" : arm_colour(curve.arm), neutral ? "1" : "2",
                 dash.empty() ? std::string() : fmt::format(" stroke-dasharray=\"{}\"", dash));
}

void write_markers(const Frame& frame, const Curve& curve, bool sparse, std::string& out) {
  constexpr std::size_t kMarks = 5;
  if (curve.markers) {
    for (const auto& point : curve.points) {
      const std::size_t arm = curve.arm == kNoArm ? static_cast<std::size_t>(std::max(0.0, point.first)) : curve.arm;
      out += marker(arm, frame.x(point.first), frame.y(point.second), 4);
    }
    return;
  }
  if (!sparse) return;
  for (std::size_t i = 0; i < kMarks; ++i) {
    // Offset by arm, so that markers of curves that coincide do not hide each other.
    const std::size_t at = (2 * i + 1 + curve.arm % 2) * curve.points.size() / (2 * kMarks + 1);
    if (at >= curve.points.size()) continue;
    out += marker(curve.arm, frame.x(curve.points[at].first), frame.y(curve.points[at].second), 4);
  }
}

}  // namespace

Size size_of(const Plot& plot) { return {plot.width, kHeight}; }

void write_text(double x, double y, std::string_view anchor, std::string_view words, bool muted, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" fill=\"{}\">{}</text>",
                 muted ? "m" : "t", x, y, anchor, muted ? "#566270" : "#1c2430", escape(words));
}

void write_plot(const Plot& plot, std::string& out) {
  const Frame frame{plot};
  write_axes(frame, out);
  for (const Curve& curve : plot.curves) {
    if (curve.line && curve.points.size() > 1) write_line(frame, curve, out);
  }
  for (const Curve& curve : plot.curves) write_markers(frame, curve, plot.curves.size() > 1, out);
}

}  // namespace reports
