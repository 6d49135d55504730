// Spread over replicas (Jain, exact uniformity test), affinity of prefix groups, per-replica rows.
// Called per scenario and arm. It must never call a handful of prompts a proof of evenness.
#include "analyzers/distribution.h"

#include <algorithm>
#include <map>

#include "analyzers/multinomial.h"
#include "analyzers/statistics.h"
#include "analyzers/truth_check.h"

namespace analyzers {
namespace {

constexpr std::size_t kMaxGroupRows = 200;

struct GaugeMeans {
  double waiting = 0, running = 0, kv = 0;
  std::size_t n_waiting = 0, n_running = 0, n_kv = 0;
};

void add_gauge(const std::optional<double>& value, double& sum, std::size_t& n) {
  if (!value) return;
  sum += *value;
  ++n;
}

Estimate mean_of(double sum, std::size_t n, const char* what) {
  if (n == 0) return unmeasured(std::string("no scrape in the window shows ") + what);
  return measured(sum / static_cast<double>(n), "mean over scrapes in the window", n);
}

struct Sum {
  double value = 0;
  bool complete = true;
  void add(std::optional<double> part) {
    if (part) value += *part;
    else complete = false;
  }
  [[nodiscard]] Estimate estimate(const char* reason, std::size_t runs) const {
    return complete && runs > 0 ? measured(value, "exact count", runs) : unmeasured(reason);
  }
};

struct ReplicaSums {
  Sum finished, prompt, output, queries, hits;
  GaugeMeans gauges;
  std::size_t attributed = 0, runs = 0;
};

std::optional<double> histogram_sum(const CounterSpan& span, protocol::HistogramTotals protocol::VllmSnapshot::*member) {
  if (!span.usable()) return std::nullopt;
  const auto& before = span.first->values.*member;
  const auto& after = span.last->values.*member;
  if (!before.present || !after.present || after.sum < before.sum) return std::nullopt;
  return after.sum - before.sum;
}

void add_run(const bench::Run& run, const RunFacts& facts, const RunAttribution& attribution, const Window& window, std::size_t r,
             ReplicaSums& sums) {
  const auto& span = facts.counters[r];
  ++sums.runs;
  std::optional<double> finished;
  if (span.usable()) {
    const auto before = finished_count(span.first->values);
    const auto after = finished_count(span.last->values);
    if (before && after) finished = *after - *before;
  }
  sums.finished.add(finished);
  sums.prompt.add(histogram_sum(span, &protocol::VllmSnapshot::request_prompt_tokens));
  sums.output.add(histogram_sum(span, &protocol::VllmSnapshot::request_generation_tokens));
  sums.queries.add(delta(span, &protocol::VllmSnapshot::prefix_queries_tokens));
  sums.hits.add(delta(span, &protocol::VllmSnapshot::prefix_hits_tokens));
  for (const auto& claim : attribution.of_record) sums.attributed += claim.replica == static_cast<int>(r) ? 1 : 0;
  for (const auto& s : run.scrapes) {
    const double t = core::to_seconds(s.answered);
    if (s.replica != r || !usable(s) || t < window.start_s || t > window.end_s) continue;
    add_gauge(s.values.waiting, sums.gauges.waiting, sums.gauges.n_waiting);
    add_gauge(s.values.running, sums.gauges.running, sums.gauges.n_running);
    add_gauge(s.values.kv_used_fraction, sums.gauges.kv, sums.gauges.n_kv);
  }
}

ReplicaRow to_row(const std::string& name, const ReplicaSums& sums) {
  ReplicaRow row;
  row.replica = name;
  constexpr const char* kNoCounter = "no usable counter: no scrape, or a restart in between";
  row.finished_requests = sums.finished.estimate(kNoCounter, sums.runs);
  row.attributed = sums.attributed;
  row.prompt_tokens = sums.prompt.estimate(kNoCounter, sums.runs);
  row.output_tokens = sums.output.estimate(kNoCounter, sums.runs);
  if (sums.queries.complete && sums.hits.complete && sums.queries.value > 0) {
    row.prefix_hit_ratio = measured(sums.hits.value / sums.queries.value, "exact count", sums.runs);
  } else {
    row.prefix_hit_ratio = unmeasured("no prefix-cache counters, or nothing was looked up");
  }
  row.waiting_mean = mean_of(sums.gauges.waiting, sums.gauges.n_waiting, "waiting requests");
  row.running_mean = mean_of(sums.gauges.running, sums.gauges.n_running, "running requests");
  row.kv_used_mean_ratio = mean_of(sums.gauges.kv, sums.gauges.n_kv, "KV cache usage");
  return row;
}

/// Foreign finishes of a replica are exact when there are none at all, or when every response of ours has its replica.
void set_foreign(std::vector<ReplicaRow>& rows, const std::vector<const bench::Run*>& runs, const std::vector<const RunAttribution*>& attributions) {
  bool known = !runs.empty();
  std::int64_t extra = 0;
  bool all_claimed = true;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    known = known && attributions[k]->totals_known && attributions[k]->refusal.empty();
    extra += attributions[k]->extra_finishes;
    for (std::size_t i = 0; i < runs[k]->records.size(); ++i) {
      all_claimed = all_claimed && (!succeeded(runs[k]->records[i]) || attributions[k]->of_record[i].replica >= 0);
    }
  }
  for (auto& row : rows) {
    if (!known) row.foreign_requests = unmeasured("counters do not bracket the run, or contradict it");
    else if (extra == 0) row.foreign_requests = measured(0, "exact count: nothing but our requests finished", runs.size());
    else if (all_claimed && row.finished_requests.value) {
      row.foreign_requests = measured(*row.finished_requests.value - static_cast<double>(row.attributed), "exact count", runs.size());
    } else {
      row.foreign_requests = unmeasured(std::to_string(extra) + " finishes over all replicas are not our successes; ambiguous responses hide whose");
    }
  }
}

}  // namespace

std::optional<double> jain_index(const std::vector<double>& load) {
  double sum = 0;
  double squares = 0;
  for (const double x : load) {
    sum += x;
    squares += x * x;
  }
  if (squares <= 0) return std::nullopt;
  return sum * sum / (static_cast<double>(load.size()) * squares);
}

std::vector<ReplicaRow> replica_rows(const std::vector<const bench::Run*>& runs, const std::vector<const RunFacts*>& facts,
                                     const std::vector<const RunAttribution*>& attributions, const std::vector<Window>& windows) {
  std::vector<std::string> names;
  std::vector<ReplicaSums> sums;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    for (std::size_t r = 0; r < runs[k]->manifest.replicas.size(); ++r) {
      const std::string& name = runs[k]->manifest.replicas[r].name;
      const auto at = std::find(names.begin(), names.end(), name);
      const auto index = static_cast<std::size_t>(at - names.begin());
      if (at == names.end()) {
        names.push_back(name);
        sums.emplace_back();
      }
      add_run(*runs[k], *facts[k], *attributions[k], windows[k], r, sums[index]);
    }
  }
  std::vector<ReplicaRow> rows;
  double total = 0;
  bool complete = true;
  for (std::size_t r = 0; r < names.size(); ++r) {
    rows.push_back(to_row(names[r], sums[r]));
    if (rows.back().finished_requests.value) total += *rows.back().finished_requests.value;
    else complete = false;
  }
  const auto named = names_of_replicas(runs, attributions);
  for (auto& row : rows) {
    row.share_ratio = complete && total > 0 ? measured(*row.finished_requests.value / total, "exact count", static_cast<std::size_t>(total))
                                            : unmeasured("not every replica has a usable counter");
    const auto name = named.find(row.replica);
    if (name != named.end()) row.observed_name = name->second;
  }
  set_foreign(rows, runs, attributions);
  return rows;
}

std::vector<PrefixGroupRow> prefix_group_rows(const std::vector<const bench::Run*>& runs,
                                              const std::vector<const RunAttribution*>& attributions,
                                              const std::vector<ReplicaRow>& replicas) {
  // Groups of different runs have different prefixes (salts), so a group is counted per run.
  std::map<std::pair<std::int32_t, std::size_t>, PrefixGroupRow> groups;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    std::vector<std::size_t> index;
    for (const auto& replica : runs[k]->manifest.replicas) {
      const auto at = std::find_if(replicas.begin(), replicas.end(), [&](const ReplicaRow& row) { return row.replica == replica.name; });
      index.push_back(static_cast<std::size_t>(at - replicas.begin()));
    }
    for (std::size_t i = 0; i < runs[k]->records.size(); ++i) {
      const auto& r = runs[k]->records[i];
      if (r.prefix_group < 0 || !succeeded(r)) continue;
      auto& row = groups[{r.prefix_group, k}];
      row.group = r.prefix_group;
      row.per_replica.resize(replicas.size(), 0);
      ++row.requests;
      const auto claim = attributions[k]->of_record[i].replica;
      if (claim < 0 || index[static_cast<std::size_t>(claim)] >= replicas.size()) continue;
      ++row.attributed;
      ++row.per_replica[index[static_cast<std::size_t>(claim)]];
    }
  }
  std::vector<PrefixGroupRow> rows;
  for (auto& entry : groups) {
    if (entry.second.requests < 2) continue;
    auto& row = entry.second;
    const std::size_t largest = row.per_replica.empty() ? 0 : *std::max_element(row.per_replica.begin(), row.per_replica.end());
    row.stickiness_ratio = proportion(largest, row.attributed, "response of this group is attributed");
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const PrefixGroupRow& a, const PrefixGroupRow& b) { return a.requests > b.requests; });
  if (rows.size() > kMaxGroupRows) rows.resize(kMaxGroupRows);
  return rows;
}

Estimate stickiness(const std::vector<PrefixGroupRow>& groups) {
  std::size_t largest = 0;
  std::size_t attributed = 0;
  for (const auto& group : groups) {
    if (group.per_replica.empty()) continue;
    largest += *std::max_element(group.per_replica.begin(), group.per_replica.end());
    attributed += group.attributed;
  }
  if (groups.empty()) return unmeasured("no request shares a prefix group");
  return proportion(largest, attributed, "response of a prefix group is attributed");
}

std::string power_sentence(std::size_t n, std::size_t k) {
  if (k < 2 || n == 0) return "One replica: there is nothing to spread over.";
  constexpr double kSkew = 0.6;
  const double pass = 1 - power_against_skew(n, k, kSkew, 0.05);
  const auto needed = items_needed(k, kSkew, 0.05, 0.8, 2000);
  std::string text = std::to_string(n) + " prompts over " + std::to_string(k) +
                     " replicas prove little: a router that sends 60 % to one replica would pass a 5 % test of evenness in " +
                     figure(100 * pass, 2) + " % of such tests; ";
  if (!needed) return text + "no test of up to 2,000 prompts would find that with 80 % certainty.";
  return text + "finding that with 80 % certainty takes about " + std::to_string(*needed) + " prompts.";
}

namespace {

Estimate grouped_coverage(const std::vector<PrefixGroupRow>& groups) {
  std::size_t requests = 0, attributed = 0;
  for (const auto& group : groups) {
    requests += group.requests;
    attributed += group.attributed;
  }
  return proportion(attributed, requests, "request shares a prefix group");
}

}  // namespace

SpreadAnalysis spread(const std::vector<ReplicaRow>& replicas, const std::vector<PrefixGroupRow>& groups) {
  SpreadAnalysis out;
  const std::size_t k = replicas.size();
  std::vector<double> load;
  std::vector<std::size_t> counts;
  bool exact = true;
  for (const auto& row : replicas) exact = exact && row.finished_requests.value.has_value();
  std::size_t n = 0;
  for (const auto& row : replicas) {
    const double x = exact ? *row.finished_requests.value : static_cast<double>(row.attributed);
    load.push_back(x);
    counts.push_back(static_cast<std::size_t>(std::max(0.0, x) + 0.5));
    n += counts.back();
  }
  const std::string source = exact ? "finish counters" : "attributed responses";
  out.basis = k == 0 ? "" : source;
  out.grouped_coverage_ratio = grouped_coverage(groups);
  const auto jain = jain_index(load);
  if (k < 2 || !jain) {
    const std::string reason = k == 0 ? "no replica's metrics are known" : k == 1 ? "one replica: nothing to spread over" : "no finished requests";
    out.jain = out.jain_vs_random = out.uniformity_p = unmeasured(reason);
  } else {
    out.jain = measured(*jain, "Jain's index over " + source, n);
    // What random assignment gives: about n/(n + k - 1).
    const double random = static_cast<double>(n) / static_cast<double>(n + k - 1);
    out.jain_vs_random = measured(*jain / random, "Jain / (n/(n+k-1)) over " + source, n);
    const auto test = uniformity(counts);
    out.uniformity_p = measured(test.p, test.method + " over " + source, n);
    if (n < 200 && groups.empty()) out.sentence = power_sentence(n, k);
  }
  double weighted = 0;
  double weight = 0;
  std::map<std::size_t, double> baseline;
  for (const auto& group : groups) {
    if (group.attributed < 2 || k < 2) continue;
    if (baseline.find(group.attributed) == baseline.end()) baseline[group.attributed] = expected_largest_share(group.attributed, k);
    const double b = baseline[group.attributed];
    const double s = *group.stickiness_ratio.value;
    weighted += static_cast<double>(group.attributed) * (s - b) / (1 - b);
    weight += static_cast<double>(group.attributed);
  }
  out.affinity = weight > 0 ? measured(weighted / weight, "mean (s - b)/(1 - b) over prefix groups, weighted by requests", groups.size())
                            : unmeasured(k < 2 ? "one replica: nothing to stick to" : "no prefix group has two attributed responses");
  return out;
}

}  // namespace analyzers
