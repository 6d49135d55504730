// The tables of the run store and their migrations. Used by run_store.cc.
#pragma once

#include <cstdint>

#include "bench/shell/database.h"

namespace bench {

inline constexpr std::int64_t kStoreVersion = 1;

/// Checks the file's version; creates or migrates it when `may_write`. kInvalid for a newer store, another program's
/// database, or an older store opened for reading only.
core::Status prepare_schema(Database& database, bool may_write);

}  // namespace bench
