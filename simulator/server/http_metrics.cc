#include "simulator/server/http_metrics.h"

#include <algorithm>
#include <string>
#include <vector>

#include "simulator/engine/engine_metrics.h"

namespace simulator {
namespace {

using Label = std::pair<std::string_view, std::string_view>;

constexpr double kBounds[] = {.1, .5, 1};
constexpr double kHighResolutionBounds[] = {.01, .025, .05, .075, .1, .25, .5, .75, 1,   1.5, 2,
                                            2.5, 3,    3.5, 4,    4.5, 5, 7.5, 10,  30,  60};
constexpr std::array<std::string_view, 6> kStatusNames = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};

}  // namespace

HttpMetrics::HttpMetrics() : duration_highr_(kHighResolutionBounds) {}

HttpMetrics::Row& HttpMetrics::row(std::string_view handler, std::string_view method) {
  for (auto& row : rows_) {
    if (row.handler == handler && row.method == method) return row;
  }
  Row fresh{handler, method, {}, 0, 0, 0, Histogram(kBounds)};
  rows_.push_back(fresh);
  return rows_.back();
}

void HttpMetrics::record(std::string_view handler, std::string_view method, int status, std::uint64_t request_bytes,
                         std::uint64_t response_bytes, core::Duration duration) {
  Row& to = row(handler, method);
  ++to.by_status[static_cast<std::size_t>(std::clamp(status / 100, 0, 5))];
  ++to.requests;
  to.request_bytes += static_cast<double>(request_bytes);
  to.response_bytes += static_cast<double>(response_bytes);
  to.duration.observe(core::to_seconds(duration));
  duration_highr_.observe(core::to_seconds(duration));
}

void HttpMetrics::render_sizes(std::string_view name, double Row::*sum, double created_unix_s,
                               core::PromWriter& writer) const {
  struct Total {
    std::string_view handler;
    double count, sum;
  };
  std::vector<Total> totals;  // these families know no method
  for (const auto& row : rows_) {
    auto it = std::find_if(totals.begin(), totals.end(), [&](const Total& t) { return t.handler == row.handler; });
    if (it == totals.end()) it = totals.insert(it, Total{row.handler, 0, 0});
    it->count += static_cast<double>(row.requests);
    it->sum += row.*sum;
  }
  const std::string help = "Content length by handler; 0 where the header is absent.";
  writer.family(name, "summary", help);
  for (const auto& total : totals) {
    const Label labels[] = {{"handler", total.handler}};
    writer.sample(std::string(name) + "_count", labels, total.count);
    writer.sample(std::string(name) + "_sum", labels, total.sum);
  }
  writer.family(std::string(name) + "_created", "gauge", help);
  for (const auto& total : totals) {
    const Label labels[] = {{"handler", total.handler}};
    writer.sample(std::string(name) + "_created", labels, created_unix_s);
  }
}

void HttpMetrics::render(double created_unix_s, core::PromWriter& writer) const {
  std::deque<std::array<Label, 3>> labels;
  std::vector<CounterRow> counts;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.by_status.size(); ++i) {
      if (row.by_status[i] == 0) continue;
      labels.push_back({{{"handler", row.handler}, {"method", row.method}, {"status", kStatusNames[i]}}});
      counts.push_back({labels.back(), static_cast<double>(row.by_status[i])});
    }
  }
  render_counter("http_requests_total", "Requests by method, status and handler.", counts, created_unix_s, writer);
  render_sizes("http_request_size_bytes", &Row::request_bytes, created_unix_s, writer);
  render_sizes("http_response_size_bytes", &Row::response_bytes, created_unix_s, writer);
  render_histogram("http_request_duration_highr_seconds", "Latency with many buckets and no labels.", {},
                   duration_highr_, created_unix_s, writer);
  for (const auto& row : rows_) {
    const Label by[] = {{"handler", row.handler}, {"method", row.method}};
    render_histogram("http_request_duration_seconds", "Latency with few buckets by handler.", by, row.duration,
                     created_unix_s, writer);
  }
}

}  // namespace simulator
