// HttpClient: many concurrent HTTP requests through libcurl's multi socket API on a Loop.
// Used by the load transport, the metrics scraper and readiness probes. Connections are spread over several curl
// multi handles of at most ~64 each: curl 7.88 scans all connections of a multi handle per request.
// It never queues: whoever calls start() has enforced the concurrency.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/net/loop.h"
#include "core/result.h"

namespace core::net {

/// When bytes arrived. Exact: stamped by the kernel (SO_TIMESTAMPNS) for this very read. Not exact: read by our clock,
/// or the read merged bytes of several arrivals, so the true time is not later than `at`.
struct ArrivalStamp {
  TimePoint at{};
  bool exact = false;
  bool from_kernel = false;
};

enum class TransferPhase { kNone, kResolve, kConnect, kTls, kSend, kHeaders, kBody };

struct TransferResult {
  int curl_code = 0;      ///< CURLcode; 0 when the exchange completed, whatever the HTTP status
  int http_status = 0;    ///< 0 when no status line was seen
  bool timed_out = false;
  bool new_connection = false;
  TransferPhase phase = TransferPhase::kNone;  ///< where it failed; kNone on success
  TimePoint sent{};       ///< when the request was handed to the socket; epoch 0 if never
  TimePoint done{};       ///< when the stream closed, by our clock
  std::string_view message;  ///< curl's text for a failure; static storage
};

/// Receives one request's events, on the loop's thread. Must outlive the transfer. Must not throw.
class TransferSink {
 public:
  virtual ~TransferSink() = default;
  virtual void on_sent(TimePoint) {}
  virtual void on_header(std::string_view name, std::string_view value) { (void)name, (void)value; }
  /// Body bytes with transfer coding removed.
  virtual void on_body(std::string_view bytes, const ArrivalStamp& stamp) = 0;
  /// Last event; the transfer's slot is free again when it returns. Starting another transfer in it is allowed.
  virtual void on_done(const TransferResult& result) = 0;
};

struct TransferRequest {
  std::string_view method = "GET";
  std::string_view url{};     ///< must stay valid until on_done
  std::string_view body{};    ///< must stay valid until on_done
  const std::vector<std::string>* headers = nullptr;  ///< "Name: value"; must stay valid until on_done
  Duration timeout = 60s;
  Duration connect_timeout = 5s;
};

struct HttpClientOptions {
  std::size_t max_in_flight = 64;      ///< slots made ahead; more than this in flight is a programmer error
  std::size_t connections_per_multi = 64;
  bool kernel_stamps = true;
  std::string ca_file{};               ///< empty: the system's
  bool insecure_tls = false;
};

struct HttpClientStats {
  std::uint64_t transfers = 0, new_connections = 0;
  std::uint64_t reads = 0, exact_reads = 0, stamp_fallbacks = 0;
};

using TransferId = std::uint32_t;

class HttpClient {
 public:
  static Result<std::unique_ptr<HttpClient>> create(Loop& loop, const HttpClientOptions& options);
  virtual ~HttpClient() = default;

  /// Starts at once: the request is handed to the socket before start() returns when a connection is ready.
  virtual Result<TransferId> start(const TransferRequest& request, TransferSink& sink) = 0;
  /// Stops a transfer; its sink gets on_done with CURLE_ABORTED_BY_CALLBACK before cancel() returns.
  virtual void cancel(TransferId id) = 0;
  [[nodiscard]] virtual std::size_t in_flight() const = 0;
  [[nodiscard]] virtual const HttpClientStats& stats() const = 0;
};

}  // namespace core::net
