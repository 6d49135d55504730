// Attribution of one run (serial where probed, else decoded), and its summary row.
// Called by analyze() and by attribute(). Headers enter through truth_check.h alone, after all is claimed.
#include "analyzers/attribution.h"

#include <algorithm>
#include <map>
#include <set>

#include "analyzers/analyze.h"
#include "analyzers/statistics.h"
#include "analyzers/truth_check.h"

namespace analyzers {
namespace {

/// Rounds that contradict the counters: more than this and the list of replicas is not believed; at first sight, before
/// scrapes are dropped and holds allowed for, more are borne.
constexpr double kMaxInconsistentShare = 0.05;
constexpr double kMaxInconsistentAtFirst = 0.25;
constexpr double kLongHolds_s = 0.12;

double share(std::size_t part, std::size_t of) { return of == 0 ? 0 : static_cast<double>(part) / static_cast<double>(of); }

double inconsistent_share(const Decoded& d) { return d.inconsistent.size() < 2 ? 0 : share(d.inconsistent.size(), d.rounds_with_candidates); }

/// Scrapes between rounds that contradict the counters: a page that was torn unseen, or a response that was held back
/// over it. Round k lies between boundaries k - 1 and k.
void drop_suspects(const AttributionProblem& problem, const Decoded& decoded, std::set<std::uint32_t>& dropped) {
  const auto& bad = decoded.inconsistent;
  const auto drop = [&](std::uint32_t boundary) {
    if (boundary > 0 && boundary + 1 < problem.boundary_round_ids.size()) dropped.insert(problem.boundary_round_ids[boundary]);
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const bool pair_before = i > 0 && bad[i - 1] + 1 == bad[i];
    const bool pair_after = i + 1 < bad.size() && bad[i] + 1 == bad[i + 1];
    if (pair_after || !pair_before) drop(bad[i]);
    if (!pair_after && !pair_before && bad[i] > 0) drop(bad[i] - 1);
  }
}

/// Decodes; where rounds contradict the counters, allows for longer holds, then does without the scrapes between them.
Decoded decode_consistently(const bench::Run& run, const RunFacts& facts, AttributionProblem& problem) {
  Decoded decoded;
  if (problem.refusal.empty()) decoded = decode(problem, run.records.size());
  double hold_limit_s = problem.finish.model.hold_limit_s;
  if (!decoded.inconsistent.empty() && hold_limit_s < kLongHolds_s) {
    AttributionProblem patient = attribution_problem(run, facts);
    patient.finish.model.hold_limit_s = kLongHolds_s;
    Decoded again = decode(patient, run.records.size());
    if (again.inconsistent.size() < decoded.inconsistent.size()) {
      hold_limit_s = kLongHolds_s;
      problem = std::move(patient);
      decoded = std::move(again);
    }
  }
  std::set<std::uint32_t> dropped;
  for (int attempt = 0; attempt < 3 && !decoded.inconsistent.empty() && inconsistent_share(decoded) <= kMaxInconsistentAtFirst; ++attempt) {
    const std::size_t before = dropped.size();
    drop_suspects(problem, decoded, dropped);
    if (dropped.size() == before) break;
    problem = attribution_problem(run, facts, dropped);
    if (!problem.refusal.empty()) break;
    problem.finish.model.hold_limit_s = hold_limit_s;
    decoded = decode(problem, run.records.size());
  }
  return decoded;
}

void withdraw(RunAttribution& out, const bench::Run& run, const std::string& why) {
  out.refusal = why;
  for (std::size_t i = 0; i < out.of_record.size(); ++i) {
    Attribution none;
    if (succeeded(run.records[i])) none.reason = run.manifest.replicas.empty() ? "no scrape" : "inconsistent";
    out.of_record[i] = none;
  }
}

double mean_finishes(const LayerProblem& layer) {
  double sum = 0;
  std::size_t windows = 0;
  for (const auto& round : layer.rounds) {
    for (const auto& w : round.windows) {
      if (!w.known) continue;
      sum += static_cast<double>(w.count);
      ++windows;
    }
  }
  return windows == 0 ? 0 : sum / static_cast<double>(windows);
}

/// Takes over what serial probing proved; the rest stays as decoded.
void apply_serial(const SerialResult& serial, const bench::Run& run, RunAttribution& out) {
  for (std::size_t i = 0; i < serial.of_record.size(); ++i) {
    const auto& s = serial.of_record[i];
    if (s.replica >= 0) out.of_record[i] = s;
    // A probe that found a contradiction outweighs a decoded claim.
    else if (!s.reason.empty() && s.reason != "no scrape" && succeeded(run.records[i])) out.of_record[i] = s;
  }
}

}  // namespace

RunAttribution attribute_run(const bench::Run& run, const RunFacts& facts) {
  RunAttribution out;
  out.of_record.resize(run.records.size());
  AttributionProblem problem = attribution_problem(run, facts);
  const Decoded decoded = decode_consistently(run, facts, problem);
  out.scrape_interval = problem.scrape_interval;
  out.lambda = mean_finishes(problem.finish);
  out.totals_known = problem.finish.totals_known;
  out.extra_finishes = problem.finish.extra;
  for (const auto& round : problem.finish.rounds) out.counted_finishes += round.count();
  if (!problem.refusal.empty()) {
    withdraw(out, run, problem.refusal);
    return out;
  }
  out.of_record = decoded.of_record;
  out.expected_wrong = decoded.expected_wrong;
  out.note = decoded.note;
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    if (succeeded(run.records[i]) && run.records[i].done == core::kNever) out.of_record[i].reason = "no end time";
  }
  SerialResult serial;
  if (facts.scenario && (facts.scenario->serial_probe || (facts.closed_loop && facts.concurrency == 1))) {
    serial = serial_probe(run, facts);
    apply_serial(serial, run, out);
  }
  const double contradicted = inconsistent_share(decoded);
  if (contradicted > kMaxInconsistentShare) {
    withdraw(out, run, "inconsistent: in " + std::to_string(decoded.inconsistent.size()) + " of " +
                           std::to_string(decoded.rounds_with_candidates) +
                           " rounds the counters cannot be explained by our responses: a replica is missing from the list, a URL is "
                           "another server's, or the gateway holds responses back");
  } else if (share(serial.uncounted, serial.probes) > kMaxInconsistentShare) {
    withdraw(out, run, "inconsistent: " + std::to_string(serial.uncounted) + " of " + std::to_string(serial.probes) +
                           " probes were counted by no listed replica: one is missing from the list");
  }
  return out;
}

std::vector<Attribution> attribute(const bench::Run& run) { return attribute_run(run, facts_of(run)).of_record; }

namespace {

void count_claims(const bench::Run& run, const RunAttribution& attribution, AttributionRow& row) {
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    if (!succeeded(run.records[i])) continue;
    ++row.responses;
    const auto& claim = attribution.of_record[i];
    if (claim.replica >= 0) {
      ++row.attributed;
      ++row.methods[claim.method];
    } else {
      ++row.ambiguous;
      ++row.ambiguous_reasons[claim.reason];
    }
  }
}

void add_totals(const bench::Run& run, const RunFacts& facts, std::vector<std::pair<std::string, double>>& totals) {
  for (std::size_t r = 0; r < facts.counters.size(); ++r) {
    const auto& span = facts.counters[r];
    if (!span.usable()) continue;
    const auto before = finished_count(span.first->values);
    const auto after = finished_count(span.last->values);
    if (!before || !after) continue;
    const std::string& name = run.manifest.replicas[r].name;
    const auto it = std::find_if(totals.begin(), totals.end(), [&](const auto& t) { return t.first == name; });
    if (it == totals.end()) totals.emplace_back(name, *after - *before);
    else it->second += *after - *before;
  }
}

void add_expected_wrong(const std::vector<const RunAttribution*>& attributions, AttributionRow& row) {
  double sum = 0;
  for (const auto* a : attributions) {
    if (a->by_header) row.source = "header";
    for (const auto& claim : a->of_record) sum += claim.replica >= 0 ? 1 - static_cast<double>(claim.confidence) : 0;
  }
  if (row.source == "header") row.expected_wrong = unmeasured("the header states no probability");
  else if (row.attributed == 0) row.expected_wrong = unmeasured("nothing is attributed");
  else row.expected_wrong = measured(sum, "sum of 1 - confidence over the attributed", row.attributed);
}

ScrapingCost scraping_cost(const std::vector<const bench::Run*>& runs) {
  ScrapingCost out;
  double p50 = 0, p99 = 0, busy = 0, bytes = 0;
  for (const auto* run : runs) {
    const auto& h = run->health;
    out.scrapes += h.scrapes;
    out.failed += h.failed_scrapes;
    out.torn += h.torn_scrapes;
    p50 = std::max(p50, core::to_ms(h.scrape_p50));
    p99 = std::max(p99, core::to_ms(h.scrape_p99));
    busy = std::max(busy, h.scrape_busy_ratio);
    bytes += h.scrape_bytes_mean * static_cast<double>(h.scrapes);
    const auto label = run->manifest.labels.find("scrape_cost");
    if (label != run->manifest.labels.end()) out.measured = label->second;
  }
  if (out.scrapes == 0) {
    out.answer_p50_ms = out.answer_p99_ms = out.page_bytes = out.busy_ratio = unmeasured("no scrapes");
    return out;
  }
  const std::string method = runs.size() == 1 ? "within this run" : "the worst of " + std::to_string(runs.size()) + " runs";
  out.answer_p50_ms = measured(p50, method, out.scrapes);
  out.answer_p99_ms = measured(p99, method, out.scrapes);
  out.busy_ratio = measured(busy, method, out.scrapes);
  out.page_bytes = measured(bytes / static_cast<double>(out.scrapes), "mean", out.scrapes);
  return out;
}

void judge_row(AttributionRow& row, const std::string& refusal) {
  if (!refusal.empty() && row.attributed == 0) {
    row.verdict = "none";
    row.reason = refusal;
  } else if (row.responses == 0) {
    row.verdict = "none";
    row.reason = "no request succeeded";
  } else if (row.attributed == row.responses) {
    row.verdict = "exact";
  } else {
    row.verdict = row.attributed == 0 ? "none" : "partial";
    std::string most;
    std::size_t most_count = 0;
    for (const auto& entry : row.ambiguous_reasons) {
      if (entry.second > most_count) {
        most = entry.first;
        most_count = entry.second;
      }
    }
    row.reason = std::to_string(row.ambiguous) + " of " + std::to_string(row.responses) + " responses are ambiguous, most often: " + most;
    if (!refusal.empty()) row.reason += "; in a part of the runs nothing is claimed: " + refusal;
  }
}

}  // namespace

AttributionRow attribution_row(const std::vector<const bench::Run*>& runs, const std::vector<const RunFacts*>& facts,
                               const std::vector<const RunAttribution*>& attributions) {
  AttributionRow row;
  std::string refusal;
  std::vector<double> lambdas;
  std::vector<double> intervals;
  std::int64_t extra = 0;
  std::int64_t counted = 0;
  std::int64_t abandoned = 0;
  bool totals = !runs.empty();
  for (std::size_t k = 0; k < runs.size(); ++k) {
    const auto& a = *attributions[k];
    count_claims(*runs[k], a, row);
    add_totals(*runs[k], *facts[k], row.replica_totals);
    if (refusal.empty()) refusal = a.refusal;
    if (a.scrape_interval.count() > 0) {
      lambdas.push_back(a.lambda);
      intervals.push_back(core::to_ms(a.scrape_interval));
    }
    totals = totals && a.totals_known;
    extra += a.extra_finishes;
    counted += a.counted_finishes;
    for (const auto& r : runs[k]->records) abandoned += was_sent(r) && !succeeded(r) ? 1 : 0;
  }
  row.coverage_ratio = proportion(row.attributed, row.responses, "request succeeded");
  row.truth = check_truth(runs, attributions);
  if (row.truth.compared > 0) {
    row.compared = row.truth.compared;
    row.wrong = row.truth.wrong;
  }
  add_expected_wrong(attributions, row);
  row.scraping = scraping_cost(runs);
  if (lambdas.empty()) {
    row.lambda = unmeasured("no scrapes");
    row.scrape_interval_ms = unmeasured("no scrapes");
  } else {
    row.lambda = measured(moments(lambdas).mean, "mean finishes per replica and round", lambdas.size());
    std::sort(intervals.begin(), intervals.end());
    row.scrape_interval_ms = measured(intervals[(intervals.size() - 1) / 2], "median between rounds", intervals.size());
  }
  if (!totals || counted <= 0) {
    row.foreign_ratio = unmeasured("the scrapes do not bracket every run, or a counter was reset");
  } else {
    // Requests that we gave up on may have finished all the same: they are not foreign.
    const auto foreign = std::max<std::int64_t>(0, extra - abandoned);
    row.foreign_ratio = measured(static_cast<double>(foreign) / static_cast<double>(counted), "exact count", static_cast<std::size_t>(counted));
  }
  judge_row(row, refusal);
  // Where no counters could be read nothing was attempted: that is no coverage of zero.
  if (row.verdict == "none") row.coverage_ratio = unmeasured(row.reason);
  if (row.source == "metrics" && row.truth.named > 0 && row.truth.compared == 0 && !row.truth.reason.empty() && row.attributed > 0) {
    row.reason += (row.reason.empty() ? "" : "; ") + row.truth.reason;
  }
  return row;
}

}  // namespace analyzers
