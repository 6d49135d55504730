// See page_cost.h.
#include "bench/cli/page_cost.h"

#include <algorithm>

#include "bench/shell/scraper.h"

namespace bench::cli {
namespace {

/// The first connects, the second tries `name[]`; the estimate has then forgotten both.
constexpr int kRounds = 8;

}  // namespace

Duration measured_page_cost(const RunRequest& request) {
  core::net::Loop loop;
  core::net::HttpClientOptions http;
  http.max_in_flight = request.replicas.size() + 1;
  http.ca_file = request.metrics_access.ca_file;
  http.insecure_tls = request.metrics_access.insecure_tls;
  const auto client = core::net::HttpClient::create(loop, http);
  if (!client || request.replicas.empty()) return {};
  Scraper scraper(loop, **client, request.replicas, request.scrape, request.metrics_access.token);
  for (int i = 0; i < kRounds; ++i) {
    bool done = false;
    scraper.round([&] {
      done = true;
      loop.stop();
    });
    while (!done) loop.run();
    for (std::size_t r = 0; r < request.replicas.size(); ++r) {
      if (!scraper.problem(r).empty()) return {};
    }
  }
  return scraper.cost();
}

ScrapeOptions affordable(ScrapeOptions options, Duration cost) {
  ScrapeSchedule schedule(options, 1);
  if (options.interval || cost <= Duration{0}) return options;
  schedule.note_cost(cost);
  options.min_gap = schedule.gap();
  return options;
}

}  // namespace bench::cli
