// Prometheus text exposition format 0.0.4: a parser that allocates nothing per sample, and a writer.
// The scraper, the router's poller and the simulated replica share it; it does no I/O.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace core {

/// One sample line. Views point into the parsed text; label values are still escaped.
struct PromSample {
  std::string_view name;
  std::string_view labels;  ///< between the braces, without them; empty if none
  double value = 0;

  /// The raw value of a label, or an empty view.
  [[nodiscard]] std::string_view label(std::string_view key) const;
};

/// Calls `on_sample(const PromSample&)` per sample line, in order. Comments and blank lines are skipped; NaN and ±Inf
/// are accepted. A malformed line stops the parse: kProtocol with its line number.
template <class OnSample>
Status parse_prom_text(std::string_view text, OnSample&& on_sample);

/// Parses one line. `is_sample` is false for comments and blank lines. Returns false for a malformed line.
bool parse_prom_line(std::string_view line, PromSample& sample, bool& is_sample);

/// Builds exposition text; numbers are written as prometheus_client writes them (shortest float that reads back, "1.0").
class PromWriter {
 public:
  using Labels = std::span<const std::pair<std::string_view, std::string_view>>;

  void family(std::string_view name, std::string_view type, std::string_view help);
  /// Labels are written in the order given.
  void sample(std::string_view name, Labels labels, double value);
  [[nodiscard]] std::string take() { return std::move(text_); }
  [[nodiscard]] const std::string& text() const { return text_; }
  void clear() { text_.clear(); }

  static std::string number(double value);

 private:
  std::string text_;
};

template <class OnSample>
Status parse_prom_text(std::string_view text, OnSample&& on_sample) {
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    PromSample sample;
    bool is_sample = false;
    if (!parse_prom_line(line, sample, is_sample)) {
      return fail(ErrorCode::kProtocol,
                  "metrics line " + std::to_string(line_number) + " is not Prometheus text: " + std::string(line.substr(0, 80)));
    }
    if (is_sample) on_sample(sample);
  }
  return {};
}

}  // namespace core
