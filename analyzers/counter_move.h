// CounterMove: by how much one replica's finish counters moved between two scrapes, and which requests that can hold.
// Used by serial probing and by the ledger of probes. Integers only, but for the e2e sum.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "analyzers/serial_probe.h"

namespace analyzers {

/// A token histogram's difference. `present` is false when either side has none.
struct HistogramMove {
  bool present = false;
  std::int64_t sum = 0;
  std::vector<std::int64_t> buckets;  ///< not cumulative
  std::vector<double> upper;          ///< bounds; the last may be infinite
};

struct CounterMove {
  bool readable = false;  ///< both scrapes are there, count finishes, and no restart lies between them
  bool reset = false;
  std::int64_t finishes = 0;
  HistogramMove prompt, output, max_tokens;
  std::optional<double> e2e_s, http_bytes, http_requests;
};

[[nodiscard]] CounterMove counter_move(const protocol::VllmSnapshot* before, const protocol::VllmSnapshot* after);

/// Index of the bucket that a value falls into; the number of buckets when none does.
[[nodiscard]] std::size_t bucket_of(std::span<const double> upper, double value);

/// The replica can have finished all these probes, and the rest of what it counted can be other requests: counts, and per
/// histogram the remaining sum within what the remaining buckets hold. No rest: an exact fit. max_tokens may have been
/// capped by the server, unless `as_asked`.
[[nodiscard]] bool can_hold(const CounterMove& move, std::span<const ProbeVector* const> probes, bool as_asked);

}  // namespace analyzers
