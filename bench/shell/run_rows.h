// The rows of one run: requests with their token times, and scrapes. Used by run_store.cc inside its transactions.
#pragma once

#include <span>
#include <vector>

#include "bench/run.h"
#include "bench/shell/database.h"

namespace bench {

/// Where a record's token events are: at its own span, or one record's after the other's.
enum class Spans { kAsRecorded, kInOrder };

core::Status insert_records(Database& database, std::int64_t key, std::span<const RequestRecord> records,
                            std::span<const TokenEvent> events, Spans spans);
/// `first` is the sequence number of the first of them.
core::Status insert_scrapes(Database& database, std::int64_t key, std::span<const ReplicaScrape> scrapes, std::uint64_t first);
core::Status delete_rows(Database& database, std::int64_t key);
/// Fills records (by index) and token events (at their spans).
core::Status load_records(Database& database, std::int64_t key, Run& run);
core::Status load_scrapes(Database& database, std::int64_t key, std::vector<ReplicaScrape>& scrapes);

}  // namespace bench
