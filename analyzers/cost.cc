// usd per 1M = usd per hour / 3,600 / throughput per second × 1e6.
// Called by analyze(). Output tokens carry the whole price; input tokens carry no share.
#include "analyzers/cost.h"

#include "analyzers/statistics.h"
#include "analyzers/throughput.h"

namespace analyzers {
namespace {

Estimate per_million(double usd_per_hour, const MetricRow* rate) {
  if (rate == nullptr || !rate->estimate.value || *rate->estimate.value <= 0) {
    return unmeasured(rate != nullptr && !rate->estimate.reason.empty() ? rate->estimate.reason : "no throughput was measured");
  }
  const auto price = [&](double per_s) { return usd_per_hour / 3600 / per_s * 1e6; };
  Estimate out = measured(price(*rate->estimate.value), rate->estimate.method, rate->estimate.n);
  out.reason = rate->estimate.reason;
  // The dearest price belongs to the lowest throughput.
  if (rate->estimate.low && *rate->estimate.low > 0) out.high = price(*rate->estimate.low);
  if (rate->estimate.high && *rate->estimate.high > 0) out.low = price(*rate->estimate.high);
  return out;
}

}  // namespace

std::vector<MetricRow> cost_rows(std::optional<double> usd_per_hour, const std::vector<MetricRow>& summary) {
  if (!usd_per_hour) {
    const auto none = unmeasured("no price was given for this arm");
    return {row("usd_per_hour", none), row("usd_per_1m_requests", none), row("usd_per_1m_output_tokens", none)};
  }
  return {row("usd_per_hour", measured(*usd_per_hour, "as configured", 1)),
          row("usd_per_1m_requests", per_million(*usd_per_hour, find_row(summary, "requests_per_s"))),
          row("usd_per_1m_output_tokens", per_million(*usd_per_hour, find_row(summary, "output_tokens_per_s")))};
}

}  // namespace analyzers
