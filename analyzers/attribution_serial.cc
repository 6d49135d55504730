// Serial probing: one request between two rounds of scrapes is exact when exactly one replica moved, by exactly this request.
// Called by attribute_run() for scenarios that probe. It must never claim a request that was not alone.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "analyzers/attribution.h"

namespace analyzers {
namespace {

using bench::ReplicaScrape;

/// Largest number of scrapes after the end in which the finish may still turn up.
constexpr int kTries = 3;

struct Move {
  std::int64_t finishes = 0;
  bool matches = false;
  bool reset = false;
};

std::int64_t sum_delta(const protocol::HistogramTotals& before, const protocol::HistogramTotals& after) {
  return std::llround(after.sum - before.sum);
}

Move movement(const protocol::VllmSnapshot& before, const protocol::VllmSnapshot& after, const bench::RequestRecord& r) {
  Move move;
  move.reset = is_reset(before, after);
  const auto from = finished_count(before);
  const auto to = finished_count(after);
  if (move.reset || !from || !to) {
    move.reset = true;
    return move;
  }
  move.finishes = std::llround(*to - *from);
  const auto same = [](const protocol::HistogramTotals& b, const protocol::HistogramTotals& a, std::uint32_t value) {
    return !a.present || !b.present || value == bench::kUnknownCount || sum_delta(b, a) == static_cast<std::int64_t>(value);
  };
  // The server may cap max_tokens to what its context leaves, so less than asked still fits.
  const std::int64_t max_tokens = sum_delta(before.request_max_tokens, after.request_max_tokens);
  const bool max_fits = !after.request_max_tokens.present || (max_tokens > 0 && max_tokens <= static_cast<std::int64_t>(r.max_tokens));
  move.matches = same(before.request_prompt_tokens, after.request_prompt_tokens, r.prompt_tokens) &&
                 same(before.request_generation_tokens, after.request_generation_tokens, r.output_tokens) && max_fits;
  return move;
}

/// Scrapes of one replica: the last answered by `sent`, and the tries-th one sent after `done` and answered by `limit`.
struct Pair {
  const ReplicaScrape* before = nullptr;
  const ReplicaScrape* after = nullptr;
};

Pair bracket(const std::vector<const ReplicaScrape*>& scrapes, core::Duration sent, core::Duration done, core::Duration limit, int attempt) {
  Pair pair;
  int seen = 0;
  for (const ReplicaScrape* s : scrapes) {
    if (s->answered <= sent) pair.before = s;
    if (s->sent >= done && s->answered <= limit && seen++ == attempt) {
      pair.after = s;
      break;
    }
  }
  return pair;
}

class SerialProbe {
 public:
  SerialProbe(const bench::Run& run, const RunFacts& facts) : run_(run), by_replica_(facts.counters.size()) {
    for (const auto& s : run.scrapes) {
      if (s.replica < by_replica_.size() && usable(s)) by_replica_[s.replica].push_back(&s);
    }
  }

  Attribution probe(const bench::RequestRecord& r, core::Duration next_dispatch, bool& uncounted) const {
    Attribution out;
    out.reason = "no scrape";
    for (int attempt = 0; attempt < kTries; ++attempt) {
      std::int64_t finishes = 0;
      std::int16_t mover = -1;
      bool matches = false;
      bool reset = false;
      for (std::size_t k = 0; k < by_replica_.size(); ++k) {
        const Pair pair = bracket(by_replica_[k], dispatch_time(r), r.done, next_dispatch, attempt);
        if (pair.before == nullptr || pair.after == nullptr) return out;
        const Move move = movement(pair.before->values, pair.after->values, r);
        finishes += move.finishes;
        reset = reset || move.reset;
        if (move.finishes > 0) {
          mover = static_cast<std::int16_t>(k);
          matches = move.matches;
        }
      }
      uncounted = finishes == 0 && !reset;
      out.reason = reset ? "reset" : finishes == 0 ? "inconsistent" : finishes == 1 && matches ? "" : "foreign";
      if (finishes == 0 && !reset) continue;
      if (out.reason.empty()) {
        out.replica = mover;
        out.confidence = 1;
        out.method = "serial";
        out.candidates = {{static_cast<std::uint16_t>(mover), 1.0f}};
      }
      return out;
    }
    return out;
  }

 private:
  const bench::Run& run_;
  std::vector<std::vector<const ReplicaScrape*>> by_replica_;
};

}  // namespace

SerialResult serial_probe(const bench::Run& run, const RunFacts& facts) {
  SerialResult result;
  result.of_record.resize(run.records.size());
  if (facts.counters.empty()) return result;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    if (was_sent(run.records[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return dispatch_time(run.records[a]) < dispatch_time(run.records[b]);
  });
  const SerialProbe probe(run, facts);
  core::Duration busy_until = core::Duration::min();
  for (std::size_t n = 0; n < order.size(); ++n) {
    const auto& r = run.records[order[n]];
    const core::Duration next = n + 1 < order.size() ? dispatch_time(run.records[order[n + 1]]) : core::Duration::max();
    const bool alone = busy_until <= dispatch_time(r) && r.done != core::kNever && r.done <= next;
    busy_until = std::max(busy_until, r.done == core::kNever ? core::Duration::max() : r.done);
    if (!succeeded(r) || !alone) continue;
    bool uncounted = false;
    result.of_record[order[n]] = probe.probe(r, next, uncounted);
    ++result.probes;
    result.uncounted += uncounted ? 1 : 0;
  }
  return result;
}

}  // namespace analyzers
