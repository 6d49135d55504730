// Reads the stored scenario and finds the scrapes between which counters may be subtracted.
// Called first by every analyzer of a Run. It looks at no header that names a replica.
#include "analyzers/run_facts.h"

#include <algorithm>

namespace analyzers {
namespace {

bool fell(const std::optional<double>& before, const std::optional<double>& after) {
  return before && after && *after < *before;
}

bool moved(const std::optional<double>& before, const std::optional<double>& after) {
  return before && after && *after != *before;
}

}  // namespace

bool usable(const bench::ReplicaScrape& scrape) { return scrape.ok && !scrape.torn; }

std::optional<double> finished_count(const protocol::VllmSnapshot& values) {
  if (values.success) return values.success;
  if (values.request_prompt_tokens.present) return values.request_prompt_tokens.count;
  if (values.e2e.present) return values.e2e.count;
  return std::nullopt;
}

bool is_reset(const protocol::VllmSnapshot& before, const protocol::VllmSnapshot& after) {
  if (moved(before.created_unix_s, after.created_unix_s)) return true;
  if (moved(before.process_start_unix_s, after.process_start_unix_s)) return true;
  return fell(finished_count(before), finished_count(after)) || fell(before.prompt_tokens, after.prompt_tokens) ||
         fell(before.generation_tokens, after.generation_tokens);
}

RunFacts facts_of(const bench::Run& run) {
  RunFacts facts;
  if (auto parsed = scenarios::parse_scenario(run.manifest.scenario_json, "stored scenario")) {
    facts.scenario = std::move(*parsed);
    const auto& load = facts.scenario->load;
    facts.closed_loop = load.model == scenarios::LoadModel::kClosed;
    facts.concurrency = facts.closed_loop ? load.concurrency : 0;
    facts.offered_rps = facts.closed_loop ? 0 : load.rate_rps;
    facts.streamed = facts.scenario->stream;
  } else {
    // Without the scenario the records still tell the load model: only an open loop has intended times.
    facts.closed_loop = std::none_of(run.records.begin(), run.records.end(),
                                     [](const bench::RequestRecord& r) { return r.intended != core::kNever; });
    facts.concurrency = facts.closed_loop ? run.health.max_in_flight : 0;
  }
  // A simulated replica says so in its version even when nobody gave its metrics.
  const auto version = run.manifest.labels.find("server_version");
  const bool says_so = version != run.manifest.labels.end() && version->second.find("gatebench.simulated") != std::string::npos;
  facts.simulated = run.manifest.virtual_time || says_so ||
                    std::any_of(run.manifest.replicas.begin(), run.manifest.replicas.end(),
                                [](const bench::ReplicaInfo& r) { return r.simulated; });
  facts.counters.resize(run.manifest.replicas.size());
  for (const auto& scrape : run.scrapes) {
    if (scrape.replica >= facts.counters.size() || !usable(scrape)) continue;
    CounterSpan& span = facts.counters[scrape.replica];
    if (span.first == nullptr) span.first = &scrape;
    if (span.last != nullptr && is_reset(span.last->values, scrape.values)) span.reset = true;
    span.last = &scrape;
  }
  return facts;
}

bool exports(const RunFacts& facts, std::optional<double> protocol::VllmSnapshot::*member) {
  return std::any_of(facts.counters.begin(), facts.counters.end(),
                     [&](const CounterSpan& span) { return span.last != nullptr && (span.last->values.*member).has_value(); });
}

bool scrapes_bracket_run(const bench::Run& run, const RunFacts& facts) {
  if (facts.counters.empty()) return false;
  core::Duration first = core::Duration::max();
  core::Duration last = core::Duration::min();
  for (const auto& record : run.records) {
    if (!was_sent(record)) continue;
    // Counters move at the first token at the earliest, so a scrape that was answered by then has missed nothing.
    const core::Duration seen = record.first_byte != core::kNever ? record.first_byte : record.done;
    if (seen != core::kNever) first = std::min(first, seen);
    last = std::max({last, record.done, record.last_token, dispatch_time(record)});
  }
  // Nothing was sent: any two scrapes bracket that, none do not.
  const bool nothing_sent = last == core::Duration::min();
  return std::all_of(facts.counters.begin(), facts.counters.end(), [&](const CounterSpan& span) {
    return span.usable() && (nothing_sent || (span.first->answered <= first && span.last->sent >= last));
  });
}

}  // namespace analyzers
