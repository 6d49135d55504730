// Outlook: what a scenario will send and what to expect of it, from scenario and seed alone. Made by the plan verb.
// It sends nothing and asks nobody; what it cannot know it leaves out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/cli/watermark_options.h"
#include "core/result.h"
#include "scenarios/schedule.h"

namespace bench::cli {

struct OutlookOptions {
  std::uint64_t seed = 1;
  std::size_t replicas = 3;             ///< behind the target, all read; 0: none is read
  std::uint32_t block_size_tokens = 16; ///< of the replicas' prefix caches
  std::uint64_t kv_tokens = 0;          ///< that one replica's KV cache holds; 0: unknown
  ScrapeOptions scrape;
};

struct OutlookTotals {
  std::uint64_t requests = 0, prompt_tokens = 0, most_output_tokens = 0;
  std::uint64_t longest_tokens = 0;  ///< prompt and output of one request together
  bool output_exact = true;          ///< ignore_eos: answers are as long as asked
};

struct Outlook {
  scenarios::Scenario scenario;      ///< as it will be sent, watermark included
  scenarios::Schedule schedule;
  std::vector<OutlookTotals> of_workload;
  OutlookTotals all;
  std::optional<double> sending_s;   ///< from the first to the last request; none: the target's speed decides
  double rounds = 0;                 ///< closed loop: so many answers follow one another in each slot
  double ideal_hit_ratio = 0;        ///< of prompt tokens, one unbounded cache
  std::size_t ideal_hit_requests = 0;  ///< that it was counted over
  double body_bytes_mean = 0;        ///< prompt text and padding
  std::uint64_t client_bytes_most = 0; ///< schedule, records and token times in memory
  std::uint64_t shared_prefix_tokens = 0;          ///< all groups' prefixes together
  std::optional<std::uint64_t> in_flight_tokens_most;  ///< none: nothing bounds what is in flight
  MarkedScenario marked;
};

core::Result<Outlook> look_ahead(scenarios::Scenario scenario, const WatermarkOptions& watermark, const OutlookOptions& options);

[[nodiscard]] std::string outlook_text(const Outlook& outlook, const OutlookOptions& options);
/// Schema gatebench.plan 1.0.
[[nodiscard]] std::string outlook_json(const Outlook& outlook, const OutlookOptions& options);

}  // namespace bench::cli
