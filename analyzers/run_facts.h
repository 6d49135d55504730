// RunFacts: what every analyzer needs to know of a Run before it counts anything: its scenario, its replicas' scrapes.
// Made once per run; pure. It must never read headers that name a replica.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/run.h"
#include "scenarios/scenario.h"

namespace analyzers {

/// First and last usable scrape of one replica, and whether its counters may be subtracted between them.
struct CounterSpan {
  const bench::ReplicaScrape* first = nullptr;
  const bench::ReplicaScrape* last = nullptr;
  bool reset = false;  ///< the replica restarted in between: no delta
  [[nodiscard]] bool usable() const { return first != nullptr && last != nullptr && first != last && !reset; }
};

struct RunFacts {
  std::optional<scenarios::Scenario> scenario;  ///< none: the stored scenario could not be read
  bool closed_loop = true;
  double concurrency = 0;                       ///< closed loop
  double offered_rps = 0;                       ///< open loop
  bool streamed = true;
  bool simulated = false;                       ///< any replica says so, or virtual time
  std::vector<CounterSpan> counters;            ///< per replica
};

[[nodiscard]] RunFacts facts_of(const bench::Run& run);

/// Answered, parsed and whole.
[[nodiscard]] bool usable(const bench::ReplicaScrape& scrape);
/// Requests counted at finish; none when the server exports no such counter.
[[nodiscard]] std::optional<double> finished_count(const protocol::VllmSnapshot& values);
/// The replica restarted between two scrapes: creation or start time moved, or a counter fell.
[[nodiscard]] bool is_reset(const protocol::VllmSnapshot& before, const protocol::VllmSnapshot& after);

/// A replica shows the counter at the end; it may appear with the first request only.
[[nodiscard]] bool exports(const RunFacts& facts, std::optional<double> protocol::VllmSnapshot::*member);

/// Difference of an optional counter over a span; none when absent or reset.
template <class Member>
[[nodiscard]] std::optional<double> delta(const CounterSpan& span, Member protocol::VllmSnapshot::*member) {
  if (!span.usable()) return std::nullopt;
  const auto& before = span.first->values.*member;
  const auto& after = span.last->values.*member;
  if (!before || !after || *after < *before) return std::nullopt;
  return *after - *before;
}

/// Scrapes bracket the load: for each replica the first is before the first request, the last after the last end.
[[nodiscard]] bool scrapes_bracket_run(const bench::Run& run, const RunFacts& facts);

/// The request was handed to the transport.
[[nodiscard]] inline bool was_sent(const bench::RequestRecord& r) {
  return r.outcome != bench::Outcome::kNotSent && (r.dispatched != core::kNever || r.sent != core::kNever);
}
[[nodiscard]] inline core::Duration dispatch_time(const bench::RequestRecord& r) {
  return r.dispatched != core::kNever ? r.dispatched : r.sent;
}
[[nodiscard]] inline bool succeeded(const bench::RequestRecord& r) { return r.outcome == bench::Outcome::kOk; }

}  // namespace analyzers
