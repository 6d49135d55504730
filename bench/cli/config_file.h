// Options from outside the command line. Precedence: flags > GATEBENCH_* variables > --config > ./gatebench.json >
// $XDG_CONFIG_HOME/gatebench/config.json > defaults. Unknown keys are errors, all listed at once.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/cli/option_table.h"
#include "core/result.h"

namespace bench::cli {

/// Fills every target of the table. `given`: what flags said, by option name. A configuration file is an object of
/// option names (for every verb that has them) and of verb names with objects of option names. `known`: verbs and the
/// option names of all verbs. A required option that nobody gave is an error too.
struct KnownNames {
  std::vector<std::string> verbs, options;
};
core::Status resolve_options(const OptionTable& table, std::string_view verb, const KnownNames& known,
                             const std::map<std::string, std::vector<std::string>>& given);

}  // namespace bench::cli
