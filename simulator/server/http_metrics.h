// HttpMetrics: the http_* families that vLLM's instrumentation middleware exports beside the engine's.
// Moved by the replica when a response has ended, so just after the client's last byte. Excluded handlers never come here.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string_view>

#include "core/prom_text.h"
#include "core/time.h"
#include "simulator/engine/histogram.h"

namespace simulator {

class HttpMetrics {
 public:
  HttpMetrics();

  /// `handler` and `method` must have static storage. request_bytes: the Content-Length header's value, 0 without one;
  /// response_bytes: 0 for streams.
  void record(std::string_view handler, std::string_view method, int status, std::uint64_t request_bytes,
              std::uint64_t response_bytes, core::Duration duration);
  /// Appends the families; series appear with their first use, in that order.
  void render(double created_unix_s, core::PromWriter& writer) const;

 private:
  /// One handler and method.
  struct Row {
    std::string_view handler, method;
    std::array<std::uint64_t, 6> by_status{};  ///< index 2: "2xx"
    std::uint64_t requests = 0;
    double request_bytes = 0, response_bytes = 0;
    Histogram duration;
  };
  Row& row(std::string_view handler, std::string_view method);
  void render_sizes(std::string_view name, double Row::*sum, double created_unix_s, core::PromWriter& writer) const;

  std::deque<Row> rows_;
  Histogram duration_highr_;
};

}  // namespace simulator
