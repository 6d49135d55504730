// The `name[]` query of a Prometheus exposition: which names a scrape asked for, and the text cut down to them.
// Called by the replica server's /metrics. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace simulator {

/// Values of every `name[]` parameter in a request target, percent-decoded.
[[nodiscard]] std::vector<std::string> asked_names(std::string_view target);

/// Keeps the samples whose name is asked for, with their HELP and TYPE lines. No names: the text as it is.
[[nodiscard]] std::string filter_exposition(std::string text, const std::vector<std::string>& names);

}  // namespace simulator
