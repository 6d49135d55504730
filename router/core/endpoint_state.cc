// Bookkeeping of one endpoint: own in-flight counts and which picks a scrape can have seen.
// Called by the router's shells around every request and scrape; pure functions on one value.
#include "router/core/endpoint_state.h"

#include <algorithm>

namespace router {

Charge begin_request(EndpointState& endpoint, std::uint64_t uncached_tokens) {
  ++endpoint.in_flight_requests;
  endpoint.in_flight_tokens += uncached_tokens;
  ++endpoint.picks;
  ++endpoint.unseen_since_scrape;
  return Charge{uncached_tokens, endpoint.scrapes_started, true};
}

void first_response_byte(EndpointState& endpoint, Charge& charge) {
  endpoint.in_flight_tokens -= std::min(endpoint.in_flight_tokens, charge.tokens);
  charge.tokens = 0;
}

void end_request(EndpointState& endpoint, Charge& charge) {
  if (!charge.active) return;
  charge.active = false;
  first_response_byte(endpoint, charge);
  if (endpoint.in_flight_requests > 0) --endpoint.in_flight_requests;
  // A pick that came and went between two scrapes must not weigh on as a waiting request.
  if (charge.scrape == endpoint.scrapes_started) {
    if (endpoint.unseen_since_scrape > 0) --endpoint.unseen_since_scrape;
  } else if (charge.scrape >= endpoint.scrapes_covered && endpoint.unseen_before_scrape > 0) {
    --endpoint.unseen_before_scrape;
  }
}

void scrape_started(EndpointState& endpoint) {
  ++endpoint.scrapes_started;
  endpoint.unseen_before_scrape += endpoint.unseen_since_scrape;
  endpoint.unseen_since_scrape = 0;
}

bool scrape_succeeded(EndpointState& endpoint, const LoadSample& sample, core::TimePoint now) {
  endpoint.scrapes_covered = endpoint.scrapes_started;
  endpoint.unseen_before_scrape = 0;
  endpoint.sampled = true;
  endpoint.sampled_at = now;
  endpoint.waiting = sample.waiting.value_or(endpoint.waiting);
  endpoint.running = sample.running.value_or(endpoint.running);
  endpoint.kv_used_fraction = sample.kv_used_fraction.value_or(endpoint.kv_used_fraction);
  endpoint.block_size_tokens = sample.block_size_tokens.value_or(endpoint.block_size_tokens);
  endpoint.num_gpu_blocks = sample.num_gpu_blocks.value_or(endpoint.num_gpu_blocks);
  const double started = sample.process_start_unix_s.value_or(endpoint.process_start_unix_s);
  const bool restarted = endpoint.process_start_unix_s != 0 && started != endpoint.process_start_unix_s;
  endpoint.process_start_unix_s = started;
  return restarted;
}

}  // namespace router
