// The checks of verify that need to know which replica served which probe. Called by verify_checks() only.
// Nothing here may place a response by its header unless the user asked for that.
#pragma once

#include "analyzers/verify.h"

namespace analyzers {

[[nodiscard]] VerifyCheck check_replica_list(const VerifyObservations& o);
[[nodiscard]] VerifyCheck check_attribution(const VerifyObservations& o);
[[nodiscard]] VerifyCheck check_one_replica(const VerifyObservations& o);  ///< Pattern 1
[[nodiscard]] VerifyCheck check_stickiness(const VerifyObservations& o);   ///< Pattern 3
[[nodiscard]] VerifyCheck check_cache_hits(const VerifyObservations& o);
[[nodiscard]] VerifyCheck check_spread(const VerifyObservations& o);       ///< Pattern 3

/// "3 probes", "1 probe".
[[nodiscard]] std::string counted(std::size_t n, const std::string& what);

}  // namespace analyzers
