// Transport: how the load engine gets a request to a server and hears of it again. Two real implementations: HTTP
// (bench/shell) and the virtual fleet (simulator/fleet). Events come on the engine's thread and must not throw.
#pragma once

#include <cstdint>
#include <string_view>

#include "bench/record.h"
#include "core/result.h"

namespace bench {

using core::TimePoint;

/// One request as the transport needs it. The views stay valid until on_done.
struct OutgoingRequest {
  std::uint32_t slot = 0;           ///< 0 .. slots-1; at most one request per slot is in flight
  std::string_view path;
  std::string_view body;
  Duration timeout{}, connect_timeout{};
};

/// Arrival of bytes, as in core/net: exact only when the kernel stamped this very read and nothing was merged.
struct Arrival {
  TimePoint at{};
  bool exact = false;
};

struct TransportEnd {
  int transport_code = 0;      ///< CURLcode or 0
  int http_status = 0;
  bool timed_out = false, cancelled = false;
  bool out_of_descriptors = false, out_of_ports = false;
  TimePoint sent{}, done{};    ///< epoch 0: never
  std::string_view message;
};

class TransportSink {
 public:
  virtual ~TransportSink() = default;
  virtual void on_sent(std::uint32_t slot, TimePoint at) = 0;
  virtual void on_header(std::uint32_t slot, std::string_view name, std::string_view value) = 0;
  virtual void on_body(std::uint32_t slot, std::string_view bytes, const Arrival& arrival) = 0;
  virtual void on_done(std::uint32_t slot, const TransportEnd& end) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  /// Must not call the sink before it returns, except on_sent.
  virtual core::Status start(const OutgoingRequest& request, TransportSink& sink) = 0;
  virtual void cancel(std::uint32_t slot) = 0;
};

}  // namespace bench
