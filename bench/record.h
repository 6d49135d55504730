// RequestRecord: everything measured about one request. Written by the load engine, stored, read by analyzers.
// Trivially copyable; a failed request is a record too.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/time.h"
#include "protocol/openai.h"

namespace bench {

using core::Duration;
using core::kNever;
using protocol::kUnknownCount;

enum class Outcome : std::uint8_t {
  kOk,
  kHttpError,       ///< status outside 2xx
  kTransportError,  ///< refused, reset, cut
  kTimeout,
  kBadResponse,     ///< 2xx, but not what the API promises: no JSON, half an SSE event, no [DONE]
  kServerError,     ///< 2xx and an error event inside the stream
  kCancelled,       ///< cut off by us: end of the run or Ctrl-C
  kNotSent          ///< planned, never dispatched
};

enum class ObservedSource : std::uint8_t { kNone, kServedEndpointHeader, kInferencePodHeader, kSystemFingerprint };

/// All times are offsets from the run's start on the steady clock; kNever: not reached.
struct RequestRecord {
  std::uint32_t index = 0;             ///< position in the schedule
  std::uint32_t session = 0;
  std::int32_t prefix_group = -1;      ///< -1: none
  Duration intended = kNever;          ///< scheduled time; closed loop: kNever
  Duration due = kNever;               ///< intended; closed loop: when a slot was free; `after`: predecessor + think time
  Duration dispatched = kNever;        ///< the engine handed it to the transport
  Duration sent = kNever;              ///< handed to the socket
  Duration first_byte = kNever;        ///< of the response body
  Duration first_token = kNever;       ///< first token-bearing chunk
  Duration first_choice = kNever;      ///< first chunk with non-empty choices (vLLM's rule)
  Duration last_token = kNever;
  Duration done = kNever;              ///< stream closed
  std::uint32_t prompt_tokens = kUnknownCount;   ///< from usage
  std::uint32_t cached_tokens = kUnknownCount;   ///< from usage
  std::uint32_t output_tokens = kUnknownCount;   ///< from usage, never the number of chunks
  std::uint32_t max_tokens = 0;                  ///< as sent
  std::uint32_t body_bytes = 0;                  ///< Content-Length as sent
  std::uint32_t chunks = 0;                      ///< token-bearing chunks
  std::uint32_t token_events_begin = 0, token_events_count = 0;  ///< span in Run::token_events
  std::uint16_t http_status = 0;
  std::int16_t transport_code = 0;               ///< CURLcode
  std::uint16_t observed_replica = 0xffff;       ///< index into Run::observed_names; 0xffff: none
  std::uint16_t workload = 0;                    ///< index into the scenario's workloads
  Outcome outcome = Outcome::kNotSent;
  ObservedSource observed_source = ObservedSource::kNone;
  std::uint8_t attempt = 1;
  bool first_token_exact = false;                ///< kernel-stamped and not merged with other tokens
  bool finished_by_length = false;
};
static_assert(std::is_trivially_copyable_v<RequestRecord>);

/// One token-bearing chunk. `tokens` from continuous usage deltas where the server gives them, else 1.
struct TokenEvent {
  Duration at{};
  std::uint16_t tokens = 1;
  bool exact = false;  ///< false: an upper bound (merged read or our own clock)
};

}  // namespace bench
