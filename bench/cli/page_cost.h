// What answering one scrape costs a replica, found by asking a few times before the load. Used by `run` for its forecast:
// how often replicas can be read follows from it.
#pragma once

#include "bench/shell/runner.h"

namespace bench::cli {

/// As the scraper estimates it while it follows a run; 0: a replica did not answer, so nothing is known. Blocks for a few
/// round trips.
[[nodiscard]] Duration measured_page_cost(const RunRequest& request);

/// The scrape options as the cost limit leaves them: `min_gap` is what is affordable. `cost` 0: unknown, nothing changes.
[[nodiscard]] ScrapeOptions affordable(ScrapeOptions options, Duration cost);

}  // namespace bench::cli
