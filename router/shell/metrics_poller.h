// MetricsPoller: reads every endpoint's /metrics at an interval into its EndpointState, and judges its health.
// Owned by RouterServer. One scrape per endpoint at a time; a slow endpoint delays no other.
// A failed scrape never changes a value: epp mode keeps the old ones for ever, improved mode lets them grow stale.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/net/http_client.h"
#include "core/net/loop.h"
#include "router/core/pipeline.h"
#include "router/shell/router_stats.h"

namespace router {

struct PollerOptions {
  core::Duration interval = core::Duration{50'000'000};
  core::Duration timeout = core::Duration{1'000'000'000};
  /// Scrapes in a row without any answer after which an endpoint counts as dead.
  std::uint32_t failures_until_dead = 3;
};

class MetricsPoller {
 public:
  /// `urls` are the endpoints' metrics URLs, in endpoint order. The references must outlive the poller.
  static core::Result<std::unique_ptr<MetricsPoller>> start(core::net::Loop& loop, const PollerOptions& options,
                                                            std::vector<std::string> urls, std::vector<EndpointState>& endpoints,
                                                            Pipeline& pipeline, RouterStats& stats);
  ~MetricsPoller();
  MetricsPoller(const MetricsPoller&) = delete;
  MetricsPoller& operator=(const MetricsPoller&) = delete;

  void stop();

 private:
  class Probe;
  MetricsPoller(core::net::Loop& loop, const PollerOptions& options, std::vector<EndpointState>& endpoints,
                Pipeline& pipeline, RouterStats& stats);
  void tick(core::TimePoint deadline);
  void take(std::size_t endpoint, const core::net::TransferResult& result, const std::string& text);
  void count_failure(std::size_t endpoint, bool no_answer);

  core::net::Loop& loop_;
  PollerOptions options_;
  std::vector<EndpointState>& endpoints_;
  Pipeline& pipeline_;
  RouterStats& stats_;
  std::vector<std::unique_ptr<Probe>> probes_;
  std::unique_ptr<core::net::HttpClient> client_;  // destroyed before the probes it calls
  core::net::Timer timer_;
};

}  // namespace router
