// Adds the cells of a scenario on an arm up: summary over blocks, pooled distributions, replicas, cache, spread, errors, cost.
// Called by analyze(). It must never average a percentile over replicas; over blocks it states the method.
#include "analyzers/arms.h"

#include <algorithm>
#include <map>
#include <set>

#include "analyzers/cache.h"
#include "analyzers/cost.h"
#include "analyzers/distribution.h"
#include "analyzers/replica_latency.h"
#include "analyzers/statistics.h"
#include "analyzers/throughput.h"

namespace analyzers {
namespace {

struct Pointers {
  std::vector<const bench::Run*> runs;
  std::vector<const RunFacts*> facts;
  std::vector<const RunAttribution*> attributions;
  std::vector<Window> windows;
};

Pointers pointers_of(const ArmCells& arm) {
  Pointers out;
  for (const Cell* cell : arm.cells) {
    out.runs.push_back(cell->run);
    out.facts.push_back(&cell->facts);
    out.attributions.push_back(&cell->attribution);
    out.windows.push_back(cell->analysis.window);
  }
  return out;
}

void add_counts(RequestCounts& to, const RequestCounts& from) {
  to.scheduled += from.scheduled;
  to.sent += from.sent;
  to.succeeded += from.succeeded;
  to.failed += from.failed;
  to.timed_out += from.timed_out;
  to.cancelled += from.cancelled;
  to.not_sent += from.not_sent;
  to.measured += from.measured;
  if (from.slo_met) to.slo_met = to.slo_met.value_or(0) + *from.slo_met;
}

/// Over the blocks that are valid for the metric; when none is, over all, and the row says that it is not valid.
Estimate summary_estimate(const ArmCells& arm, const std::string& metric) {
  const BlockValues valid = block_values(arm, metric);
  std::vector<double> values;
  for (const auto& v : valid.values) values.push_back(v.value);
  if (!values.empty()) {
    Estimate out = over_blocks(values);
    if (valid.invalid > 0) out.method += ", " + std::to_string(valid.invalid) + " invalid left out";
    if (valid.missing > 0) out.method += ", " + std::to_string(valid.missing) + " without it left out";
    return out;
  }
  if (valid.invalid == 0) return unmeasured(valid.reason.empty() ? "not measured" : valid.reason);
  for (const Cell* cell : arm.cells) {
    const MetricRow* found = find_row(cell->analysis.metrics, metric);
    if (found != nullptr && found->estimate.value) values.push_back(*found->estimate.value);
  }
  Estimate out = over_blocks(values);
  out.reason = "not valid: " + valid.reason;
  return out;
}

void summarise(const ArmCells& arm, ArmAnalysis& out) {
  for (const auto& first : arm.cells.front()->analysis.metrics) {
    if (first.metric == "failed_ratio") {
      out.summary.push_back(row(first.metric, proportion(out.counts.failed + out.counts.timed_out, out.counts.sent - out.counts.cancelled, "request ended")));
      continue;
    }
    out.summary.push_back(row(first.metric, summary_estimate(arm, first.metric)));
  }
  out.summary.push_back(row("stickiness_ratio", stickiness(out.prefix_groups)));
  out.summary.push_back(row("prefix_hit_ratio", out.cache.hit_ratio));
}

void pool_distributions(const ArmCells& arm, ArmAnalysis& out) {
  const auto& first = arm.cells.front()->latencies;
  for (std::size_t i = 0; i < first.size(); ++i) {
    LatencySamples pooled{first[i].metric, {}, first[i].reason};
    std::size_t used = 0;
    for (const Cell* cell : arm.cells) {
      const MetricFamily family = family_of(first[i].metric);
      if (!valid_for(cell->analysis.validity, family)) {
        if (used == 0) pooled.reason = "not valid: " + why_invalid(cell->analysis.validity, family);
        continue;
      }
      ++used;
      pooled.ms.insert(pooled.ms.end(), cell->latencies[i].ms.begin(), cell->latencies[i].ms.end());
    }
    std::string label = arm.cells.size() == 1 ? "within this run" : "within these runs";
    if (used > 0 && used < arm.cells.size()) label = "within the " + std::to_string(used) + " of " + std::to_string(arm.cells.size()) + " runs that are valid for it";
    out.distributions.push_back(describe(std::move(pooled), label));
  }
}

std::string error_kind(const bench::RequestRecord& r) {
  switch (r.outcome) {
    case bench::Outcome::kHttpError: return "http " + std::to_string(r.http_status);
    case bench::Outcome::kTransportError: return "transport error (code " + std::to_string(r.transport_code) + ")";
    case bench::Outcome::kTimeout: return "timeout";
    case bench::Outcome::kBadResponse: return "bad response";
    case bench::Outcome::kServerError: return "error in the stream";
    default: return {};
  }
}

std::vector<ErrorRow> error_rows(const ArmCells& arm) {
  std::map<std::string, ErrorRow> rows;
  for (const Cell* cell : arm.cells) {
    std::set<std::string> kinds;
    for (const auto& r : cell->run->records) {
      const std::string kind = error_kind(r);
      if (kind.empty()) continue;
      kinds.insert(kind);
      rows[kind].kind = kind;
      ++rows[kind].count;
    }
    // Samples carry no class; where a run has one kind of error only, they are of that kind, else they must name it.
    for (const auto& sample : cell->run->error_samples) {
      for (const auto& kind : kinds) {
        auto& samples = rows[kind].samples;
        const auto code = kind.find("code ");
        const std::string mark = code == std::string::npos ? kind : "transport " + kind.substr(code, kind.size() - code - 1);
        const bool fits = kinds.size() == 1 || sample.find(mark) != std::string::npos;
        if (fits && samples.size() < 2 && std::find(samples.begin(), samples.end(), sample) == samples.end()) samples.push_back(sample);
      }
    }
  }
  std::vector<ErrorRow> out;
  for (auto& entry : rows) out.push_back(std::move(entry.second));
  std::stable_sort(out.begin(), out.end(), [](const ErrorRow& a, const ErrorRow& b) { return a.count > b.count; });
  return out;
}

bool worse(const ValidityCheck& a, const ValidityCheck& b) {
  const auto rank = [](Verdict v) { return v == Verdict::kInvalid ? 2 : v == Verdict::kPass ? 1 : 0; };
  if (rank(a.verdict) != rank(b.verdict)) return rank(a.verdict) > rank(b.verdict);
  if (!a.observed || !b.observed) return a.observed.has_value() && !b.observed.has_value();
  // Limits may differ by run (a share of its median), so distance is taken relative to the limit.
  const double x = a.limit != 0 ? *a.observed / a.limit : *a.observed;
  const double y = b.limit != 0 ? *b.observed / b.limit : *b.observed;
  return a.op == "<=" ? x > y : x < y;
}

/// Notes of many runs that differ in their figures only become one, with the number of runs that have it.
void add_notes(const std::vector<const Validity*>& parts, Validity& out) {
  std::vector<std::pair<std::string, std::size_t>> seen;  // first wording, runs
  const auto topic = [](const std::string& note) { return note.substr(0, note.find(':')); };
  for (const Validity* part : parts) {
    for (const auto& note : part->notes) {
      const auto same = std::find_if(seen.begin(), seen.end(), [&](const auto& entry) { return topic(entry.first) == topic(note); });
      if (same == seen.end()) seen.emplace_back(note, 1);
      else ++same->second;
    }
  }
  for (auto& [note, runs] : seen) {
    out.notes.push_back(runs == 1 ? note : note + " (so or alike in " + std::to_string(runs) + " of " + std::to_string(parts.size()) + " runs)");
  }
}

}  // namespace

Validity worst_validity(const std::vector<const Validity*>& parts) {
  Validity out;
  for (const Validity* part : parts) {
    if (part->verdict == Verdict::kInvalid) out.verdict = Verdict::kInvalid;
    out.throughput_valid = out.throughput_valid && part->throughput_valid;
    out.ttft_valid = out.ttft_valid && part->ttft_valid;
    out.itl_valid = out.itl_valid && part->itl_valid;
    for (const auto& check : part->checks) {
      const auto at = std::find_if(out.checks.begin(), out.checks.end(), [&](const ValidityCheck& c) { return c.id == check.id; });
      if (at == out.checks.end()) out.checks.push_back(check);
      else if (worse(check, *at)) *at = check;
    }
  }
  add_notes(parts, out);
  return out;
}

ArmAnalysis analyze_arm(const ArmCells& arm) {
  ArmAnalysis out;
  out.scenario = arm.scenario;
  out.arm = arm.arm;
  out.role = arm.info.role;
  out.replicas_count = arm.info.replicas;
  std::vector<const Validity*> validities;
  for (const Cell* cell : arm.cells) {
    out.run_ids.push_back(cell->analysis.run_id);
    out.simulated = out.simulated || cell->facts.simulated;
    add_counts(out.counts, cell->analysis.counts);
    validities.push_back(&cell->analysis.validity);
  }
  const Pointers p = pointers_of(arm);
  out.replicas = replica_rows(p.runs, p.facts, p.attributions, p.windows);
  add_replica_latencies(arm.cells, out.replicas);
  out.prefix_groups = prefix_group_rows(p.runs, p.attributions, out.replicas);
  out.cache = analyze_cache(p.runs, p.facts);
  out.spread = spread(out.replicas, out.prefix_groups);
  out.validity = worst_validity(validities);
  out.errors = error_rows(arm);
  summarise(arm, out);
  pool_distributions(arm, out);
  out.cost = cost_rows(arm.info.usd_per_hour, out.summary);
  return out;
}

AttributionRow attribute_arm(const ArmCells& arm) {
  const Pointers p = pointers_of(arm);
  AttributionRow out = attribution_row(p.runs, p.facts, p.attributions);
  out.scenario = arm.scenario;
  out.arm = arm.arm;
  return out;
}

}  // namespace analyzers
