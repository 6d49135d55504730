// How numbers and untrusted words are shown. Called by the HTML and text renderers.
// Must never be locale-dependent.
#include "reports/format.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "core/text.h"

namespace reports {
namespace {

constexpr std::string_view kReplacement = "\uFFFD";

/// Groups the integer part of a plain decimal by thousands.
std::string grouped(std::string text) {
  const std::size_t begin = !text.empty() && text.front() == '-' ? 1 : 0;
  std::size_t end = text.find('.');
  if (end == std::string::npos) end = text.size();
  while (end > begin + 3) {
    end -= 3;
    text.insert(end, ",");
  }
  return text;
}

std::string three_digits(double value) {
  const double size = std::fabs(value);
  if (value == 0) return "0";
  if (size >= 1e15 || size < 1e-4) return fmt::format("{:.2e}", value);
  int decimals = 0;
  if (size < 99.95) decimals = 1;
  if (size < 9.995) decimals = 2;
  if (size < 0.9995) decimals = 3;
  if (size < 0.01) decimals = 4;
  return grouped(fmt::format("{:.{}f}", value, decimals));
}

std::string percent(double ratio) {
  if (ratio == 0) return "0 %";
  if (ratio == 1) return "100 %";
  return fmt::format("{:.1f} %", ratio * 100);
}

/// Length of the UTF-8 sequence at `at`, 0 when it is not valid; its code point in `point`.
std::size_t decode(std::string_view text, std::size_t at, std::uint32_t& point) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(at);
  std::size_t length = 1;
  point = lead;
  if (lead >= 0xF0 && lead < 0xF5) { length = 4; point = lead & 0x07U; }
  else if (lead >= 0xE0 && lead < 0xF0) { length = 3; point = lead & 0x0FU; }
  else if (lead >= 0xC2 && lead < 0xE0) { length = 2; point = lead & 0x1FU; }
  else if (lead >= 0x80) return 0;
  if (at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80U) return 0;
    point = (point << 6U) | (byte(at + i) & 0x3FU);
  }
  if (length == 3 && (point < 0x800 || (point >= 0xD800 && point < 0xE000))) return 0;
  if (length == 4 && (point < 0x10000 || point > 0x10FFFF)) return 0;
  return length;
}

bool is_harmful(std::uint32_t point) {
  const bool control = point < 0x20 || (point >= 0x7F && point < 0xA0);
  const bool direction = (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) ||
                         point == 0x200E || point == 0x200F || point == 0x061C;
  const bool breaks = point == 0x2028 || point == 0x2029 || point == 0xFEFF;
  return control || direction || breaks;
}

constexpr std::array<std::pair<Unit, std::string_view>, 8> kUnitKeys{{{Unit::kPlain, "plain"},
                                                                      {Unit::kCount, "count"},
                                                                      {Unit::kMs, "ms"},
                                                                      {Unit::kSeconds, "s"},
                                                                      {Unit::kPerSecond, "per_s"},
                                                                      {Unit::kTimes, "times"},
                                                                      {Unit::kPercent, "percent"},
                                                                      {Unit::kUsd, "usd"}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 33> kLabels{{
    {"ttft_ms", "TTFT"},
    {"ttft_from_send_ms", "TTFT from send"},
    {"tpot_ms", "TPOT"},
    {"itl_ms", "ITL"},
    {"icl_ms", "ICL"},
    {"e2e_ms", "E2E"},
    {"normalised_latency_ms", "Normalised latency"},
    {"requests_per_s", "Requests/s"},
    {"goodput_requests_per_s", "Goodput, requests/s"},
    {"input_tokens_per_s", "Input tokens/s"},
    {"output_tokens_per_s", "Output tokens/s"},
    {"total_tokens_per_s", "Total tokens/s"},
    {"slo_attainment_ratio", "SLO attainment"},
    {"failed_ratio", "Failed"},
    {"exact_fraction", "Exact time stamps"},
    {"exact_ratio", "Exact time stamps"},
    {"usd_per_hour", "$ per hour"},
    {"usd_per_1m_requests", "$ per 1M requests"},
    {"usd_per_1m_output_tokens", "$ per 1M output tokens"},
    {"scaling.throughput_ratio", "Throughput ratio"},
    {"scaling.efficiency_ratio", "Scaling efficiency"},
    {"attribution.coverage_ratio", "Attribution coverage"},
    {"attribution.wrong", "Wrong attributions"},
    {"stickiness_ratio", "Stickiness"},
    {"prefix_hit_ratio", "Prefix hit ratio"},
    {"spread.uniformity_p", "Uniformity p"},
    {"spread.jain", "Jain"},
    {"spread.jain_vs_random", "Jain against random"},
    {"spread.affinity", "Affinity"},
    {"cache.efficiency_ratio", "Cache efficiency"},
    {"cached_prompt_tokens_ratio", "Cached prompt tokens"},
    {"in_flight_mean", "Requests in flight, mean"},
    {"in_flight", "Requests in flight"},
}};

}  // namespace

std::string format_figure(double value, Unit unit) {
  switch (unit) {
    case Unit::kTimes: return grouped(fmt::format("{:.2f}", value)) + "\u00D7";
    case Unit::kPercent: return percent(value);
    case Unit::kUsd: return "$" + grouped(fmt::format("{:.2f}", value));
    case Unit::kCount:
      if (std::fabs(value) < 1e15 && value == std::floor(value)) return grouped(fmt::format("{:.0f}", value));
      break;
    case Unit::kPlain:
    case Unit::kMs:
    case Unit::kSeconds:
    case Unit::kPerSecond: break;
  }
  return three_digits(value);
}

std::string_view unit_key(Unit unit) {
  for (const auto& entry : kUnitKeys) {
    if (entry.first == unit) return entry.second;
  }
  return "plain";
}

Unit unit_from_key(std::string_view key) {
  for (const auto& entry : kUnitKeys) {
    if (entry.second == key) return entry.first;
  }
  return Unit::kPlain;
}

Unit unit_of_metric(std::string_view metric) {
  const auto has = [&](std::string_view part) { return metric.find(part) != std::string_view::npos; };
  if (has("throughput_ratio")) return Unit::kTimes;
  if (has("usd")) return Unit::kUsd;
  if (has("_ms")) return Unit::kMs;
  if (has("_per_s")) return Unit::kPerSecond;
  if (has("_ratio") || has("fraction") || has("share")) return Unit::kPercent;
  if (has("_count") || has(".wrong") || has("_tokens")) return Unit::kCount;
  if (metric.ends_with("_s")) return Unit::kSeconds;
  return Unit::kPlain;
}

std::string metric_label(std::string_view metric) {
  const auto label = [](std::string_view name) -> std::string_view {
    for (const auto& entry : kLabels) {
      if (entry.first == name) return entry.second;
    }
    return {};
  };
  if (const std::string_view whole = label(metric); !whole.empty()) return std::string(whole);
  const std::size_t dot = metric.rfind('.');
  if (dot != std::string_view::npos) {
    if (const std::string_view base = label(metric.substr(0, dot)); !base.empty()) {
      std::string statistic(metric.substr(dot + 1));
      if (statistic == "p99_9") statistic = "p99.9";
      return std::string(base) + " " + clean(statistic, kNameLength);
    }
  }
  return clean(metric, kNameLength);
}

std::string exact(double value) { return fmt::format("{}", value); }

double six_digits(double value) {
  return core::parse_number(fmt::format("{:.6g}", value)).value_or(value);
}

std::string clean(std::string_view text, std::size_t max_characters) {
  std::string out;
  std::size_t count = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    if (count == max_characters) return out + "\u2026";
    std::uint32_t point = 0;
    const std::size_t length = decode(text, at, point);
    if (point == '\n' || point == '\t') out += ' ';
    else if (length == 0 || is_harmful(point)) out += kReplacement;
    else out += text.substr(at, length);
    at += length == 0 ? 1 : length;
    ++count;
  }
  return out;
}

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<std::uint8_t>(c) & 0xC0U) != 0x80U ? 1U : 0U;
  return count;
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace reports
