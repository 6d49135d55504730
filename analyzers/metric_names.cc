// The names of all figures that a gate may judge.
// Called by the gates parser and by listings. A name that is not here is a configuration error.
#include <algorithm>

#include "analyzers/analyze.h"
#include "analyzers/latency.h"

namespace analyzers {

const std::vector<std::string>& known_metrics() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out{"requests_per_s", "input_tokens_per_s", "output_tokens_per_s", "total_tokens_per_s", "goodput_requests_per_s",
                                 "slo_attainment_ratio", "failed_ratio", "in_flight_mean", "cached_prompt_tokens_ratio",
                                 "usd_per_hour", "usd_per_1m_requests", "usd_per_1m_output_tokens",
                                 "scaling.throughput_ratio", "scaling.efficiency_ratio",
                                 "attribution.coverage_ratio", "attribution.error_ratio", "attribution.wrong", "stickiness_ratio", "prefix_hit_ratio",
                                 "cache.efficiency_ratio", "spread.uniformity_p", "spread.jain", "spread.jain_vs_random", "spread.affinity"};
    for (const char* distribution : {"ttft_ms", "ttft_from_send_ms", "tpot_ms", "itl_ms", "icl_ms", "e2e_ms", "normalised_latency_ms"}) {
      out.push_back(std::string(distribution) + ".mean");
      for (const auto& point : quantile_points()) out.push_back(std::string(distribution) + "." + point.first);
    }
    std::sort(out.begin(), out.end());
    return out;
  }();
  return names;
}

}  // namespace analyzers
