// A made-up gateway for attribution tests and benchmarks: requests over replicas whose counters move as vLLM's do, scraped
// over a jittery network, with every impairment that a test asks for. Seeded; it knows the truth, the code under test must
// not. It simulates counters, not an engine: latencies are drawn, not computed.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/run.h"

namespace tests_support {

enum class Traffic { kFixed, kNatural };

struct GatewayWorld {
  std::uint64_t seed = 1;
  std::size_t replicas = 3, requests = 10000;
  double rate_rps = 25;
  Traffic traffic = Traffic::kFixed;
  std::uint32_t prompt_tokens = 512, output_tokens = 50;
  std::vector<std::uint32_t> extra_prompt_tokens;  ///< cycled: a prompt-length watermark
  bool random_prompt_tokens = false;               ///< uniform +-64 on top
  bool max_tokens_classes = false;                 ///< max_tokens cycled over 8 histogram buckets, random inside
  bool body_sizes = false;                         ///< body bytes that spell the request
  double affinity = 0;                             ///< share of requests that go to one replica of three
  double tpot_ms = 8, tpot_spread = 0.05;          ///< per token; replicas differ by up to this share
  double path_base_ms = 0.2, path_mean_ms = 0.3;   ///< client to server
  double skew_base_ms = 0.2, skew_mean_ms = 0.8;   ///< server's count to client's sight, capped at skew_cap_ms
  double skew_cap_ms = 5;
  double held_share = 0, held_low_ms = 10, held_high_ms = 40;  ///< responses that the gateway holds back at their end
  double scrape_interval_ms = 100, scrape_jitter_ms = 2, rtt_base_ms = 1.5, rtt_mean_ms = 1.0;
  bool event_driven = false;                       ///< a round after each end, at least scrape_interval_ms apart
  double missed_share = 0, torn_share = 0, foreign_share = 0;
  double retried_share = 0;                        ///< served by two replicas, seen once
  int restart_replica = -1;                        ///< loses its counters in the middle; unreachable for 5 s
  int hidden_replica = -1;                         ///< serves, but is not listed
  int wrong_replica = -1;                          ///< its URL is another server's: counters that have nothing to do with us
  int doubled_replica = -1;                        ///< its URL shows replica 0
  bool prefill_elsewhere = false;                  ///< first tokens are counted by another replica than finishes
  bool process_metrics = true;                     ///< false: several API servers, no process_* and no _created
  bool latency_sums = true;                        ///< false: a server without e2e, TTFT and decode sums
};

struct GatewayRun {
  bench::Run run;
  std::vector<int> truth;                          ///< per record: index into the run's replicas; -1: not listed
};

[[nodiscard]] GatewayRun simulate_gateway(const GatewayWorld& world);

}  // namespace tests_support
