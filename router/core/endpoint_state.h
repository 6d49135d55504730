// EndpointState: all the router knows about one endpoint, as a value. Owned by whoever drives the pipeline (the proxy,
// the ext_proc front, a virtual fleet); the pipeline only reads it.
// The functions here are the only writers. They read no clock and never allocate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/time.h"

namespace router {

/// What one scrape of an endpoint's /metrics said; absent values keep the old ones.
struct LoadSample {
  std::optional<double> waiting, running, kv_used_fraction;
  std::optional<std::uint32_t> block_size_tokens, num_gpu_blocks;
  std::optional<double> process_start_unix_s;
};

struct EndpointState {
  std::string name;            ///< how people call it
  std::string address;         ///< "host:port": what the served-endpoint header says
  bool healthy = true;         ///< false: several probes in a row got no answer
  bool draining = false;       ///< takes no new requests

  bool sampled = false;        ///< a scrape has succeeded at least once
  core::TimePoint sampled_at{};
  double waiting = 0, running = 0, kv_used_fraction = 0;
  std::uint32_t block_size_tokens = 0, num_gpu_blocks = 0;  ///< 0: unknown
  double process_start_unix_s = 0;                          ///< 0: unknown

  // The router's own counts.
  std::uint64_t in_flight_requests = 0;
  std::uint64_t in_flight_tokens = 0;  ///< uncached prompt tokens of requests without a first response byte
  std::uint64_t picks = 0;

  // Picks that no successful scrape can have seen yet, by the scrape that was under way when they were made.
  std::uint64_t scrapes_started = 0, scrapes_covered = 0;
  std::uint64_t unseen_before_scrape = 0, unseen_since_scrape = 0;

  [[nodiscard]] std::uint64_t unseen_picks() const { return unseen_before_scrape + unseen_since_scrape; }
};

/// What one request holds on its endpoint; returned by begin_request and given back to end_request exactly once.
struct Charge {
  std::uint64_t tokens = 0;
  std::uint64_t scrape = 0;
  bool active = false;
};

/// Counts a request at pick time, before the next pick is computed.
[[nodiscard]] Charge begin_request(EndpointState& endpoint, std::uint64_t uncached_tokens);
/// The first response byte came: prefill is over, its tokens weigh no more.
void first_response_byte(EndpointState& endpoint, Charge& charge);
/// The request ended, was cut or moves to another endpoint. Idempotent per charge.
void end_request(EndpointState& endpoint, Charge& charge);

void scrape_started(EndpointState& endpoint);
/// Takes a scrape's values. True when the endpoint's process was restarted since the last one.
bool scrape_succeeded(EndpointState& endpoint, const LoadSample& sample, core::TimePoint now);

}  // namespace router
