// Serial probing: one request between two rounds of scrapes is exact when exactly one replica moved, by exactly this request.
// Called by attribute_run() for scenarios that probe. It must never claim a request that was not alone.
#include <algorithm>
#include <string>

#include "analyzers/attribution.h"
#include "analyzers/serial_probe.h"

namespace analyzers {
namespace {

using bench::ReplicaScrape;

/// Largest number of scrapes after the end in which the finish may still turn up.
constexpr int kTries = 3;

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

core::Duration latency(const bench::RequestRecord& r) {
  return r.sent == core::kNever || r.done == core::kNever ? core::kNever : r.done - r.sent;
}

/// The words of Attribution::reason; empty for an exact probe.
std::string reason_of(const ProbeJudgement& judged) {
  switch (judged.verdict) {
    case ProbeVerdict::kExact: return "";
    case ProbeVerdict::kNotYet: return judged.finishes == 0 ? "inconsistent" : "foreign";
    case ProbeVerdict::kReset: return "reset";
    case ProbeVerdict::kNoScrape: return "no scrape";
    default: return "foreign";
  }
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
    const ProbeVector vector{r.prompt_tokens, r.output_tokens, r.max_tokens, latency(r)};
    for (int attempt = 0; attempt < kTries; ++attempt) {
      ProbeRound before, after;
      for (const auto& scrapes : by_replica_) {
        const Pair pair = bracket(scrapes, dispatch_time(r), r.done, next_dispatch, attempt);
        if (pair.before == nullptr || pair.after == nullptr) return out;
        before.push_back(&pair.before->values);
        after.push_back(&pair.after->values);
      }
      const ProbeJudgement judged = judge_alone(before, after, vector);
      uncounted = judged.verdict == ProbeVerdict::kNotYet && judged.finishes == 0;
      out.reason = reason_of(judged);
      if (judged.verdict == ProbeVerdict::kNotYet) continue;
      if (judged.verdict == ProbeVerdict::kExact) {
        out.replica = judged.replica;
        out.confidence = 1;
        out.method = "serial";
        out.candidates = {{static_cast<std::uint16_t>(judged.replica), 1.0f}};
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
