// One HTTP exchange, waited for: readiness, model list, cache reset. Used by the runner before a run, and by
// the command line's checks of a deployment.
// It runs the loop until the answer is there; it must never be called from a callback of that loop.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/net/http_client.h"

namespace bench {

struct Answer {
  int status = 0;
  std::string body;
};

/// kUnreachable with URL, phase and reason when no complete answer came; any HTTP status is an Answer.
core::Result<Answer> exchange(core::net::Loop& loop, core::net::HttpClient& client, std::string_view method,
                              const std::string& url, const std::vector<std::string>& headers, core::Duration timeout, std::string_view body = {});

[[nodiscard]] std::string_view name_of(core::net::TransferPhase phase);

}  // namespace bench
