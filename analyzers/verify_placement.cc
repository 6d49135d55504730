// Which replica served which probe, and what follows for the list, for stickiness, cache hits and spread.
#include "analyzers/verify_placement.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "analyzers/multinomial.h"
#include "analyzers/statistics.h"

namespace analyzers {
namespace {

constexpr std::uint32_t kPattern3Replicas = 3;
/// A placement by chance alone must be rarer than this before it counts as stickiness.
constexpr double kChance = 0.001;
constexpr double kEnoughPower = 0.8;

/// Where probes went. `where` is an index into names, -1: not known.
struct Placement {
  bool possible = false;
  std::string why_not, source;
  std::vector<std::string> names;
  std::vector<int> where;
  std::size_t placed = 0;
  bool list_is_wrong = false;  ///< what is counted is not all there is
  std::size_t replicas = 0;  ///< among which a router can choose
  [[nodiscard]] std::vector<std::size_t> counts() const {
    std::vector<std::size_t> out(std::max(names.size(), replicas), 0);
    for (const int w : where) {
      if (w >= 0) ++out[static_cast<std::size_t>(w)];
    }
    return out;
  }
};

Placement by_header(const VerifyObservations& o, const std::vector<ProbeObservation>& probes) {
  Placement out;
  out.source = "by response header";
  for (const auto& probe : probes) {
    if (probe.judgement.verdict == ProbeVerdict::kFailed || probe.observed_name.empty()) {
      out.where.push_back(-1);
      continue;
    }
    auto at = std::find(out.names.begin(), out.names.end(), probe.observed_name);
    if (at == out.names.end()) at = out.names.insert(out.names.end(), probe.observed_name);
    out.where.push_back(static_cast<int>(at - out.names.begin()));
    ++out.placed;
  }
  const std::size_t listed = o.expected_replicas != 0 ? o.expected_replicas : o.replicas.size();
  const std::size_t expected = listed != 0 ? listed : o.pattern == 1 ? 1 : kPattern3Replicas;
  out.replicas = std::max(out.names.size(), expected);
  out.possible = out.placed > 0;
  if (!out.possible) out.why_not = "no response names its replica in a header";
  return out;
}

Placement place(const VerifyObservations& o, const std::vector<ProbeObservation>& probes) {
  if (o.use_header) return by_header(o, probes);
  Placement out;
  out.source = "from the replicas' counters";
  out.replicas = o.replicas.size();
  for (const auto& replica : o.replicas) out.names.push_back(replica.name);
  for (const auto& probe : probes) {
    const bool believed = probe.judgement.verdict == ProbeVerdict::kExact && !(probe.reserved && o.reservation_broken);
    out.where.push_back(believed ? probe.judgement.replica : -1);
    out.placed += believed ? 1 : 0;
  }
  out.list_is_wrong = o.ledger && (o.ledger->list_is_wrong() || o.ledger->with(ProbeVerdict::kUncounted) > 0);
  out.possible = out.placed > 0;
  if (o.replicas.empty()) out.why_not = "nothing in a response says which replica served it, and no replica's metrics are known";
  else if (!out.possible) out.why_not = "no probe could be attributed to a listed replica";
  return out;
}

/// The verdict when there is nothing to judge by; nothing when there is.
bool cannot_judge(const VerifyObservations& o, const Placement& placement, std::size_t sent, VerifyCheck& check) {
  if (sent == 0 && (placement.why_not.empty() || !o.replicas.empty())) {
    const bool wrong_list = placement.list_is_wrong && !o.cut_short;
    if (wrong_list) {
      check.verdict = CheckVerdict::kInconclusive;
      check.observed = "not tested: the list of replicas is wrong";
      check.action = "see replica-list";
      return true;
    }
    check.verdict = o.cut_short ? CheckVerdict::kInconclusive : CheckVerdict::kSkipped;
    check.observed = "not tested" + (o.why_cut.empty() ? "" : ": " + o.why_cut);
    check.action = o.cut_short ? "run it again with more time" : "";
    return true;
  }
  if (placement.possible) return false;
  check.verdict = CheckVerdict::kInconclusive;
  check.observed = placement.why_not;
  check.action = o.replicas.empty() ? "give --replica NAME=URL for every replica, or --attribution header if the gateway's header is to be trusted"
                                    : "see replica-list and attribution";
  return true;
}

std::string counts_text(const Placement& placement) {
  const auto counts = placement.counts();
  std::string out;
  for (std::size_t i = 0; i < placement.names.size(); ++i) {
    out += (out.empty() ? "" : ", ") + placement.names[i] + " " + std::to_string(counts[i]);
  }
  const std::size_t others = counts.size() - placement.names.size();
  return others == 0 ? out : out + ", " + counted(others, "other") + " 0";
}

std::string p_text(double p) { return p < 0.0001 ? "p < 0.0001" : "p = " + figure(p, 2); }

std::string percent(double share) { return figure(100 * share, 3) + " %"; }

std::string unplaced_text(const Placement& placement) {
  const std::size_t unplaced = placement.where.size() - placement.placed;
  return unplaced == 0 ? "" : "; " + counted(unplaced, "probe") + " could not be attributed";
}

/// Responses whose header disagrees with the counters, by majority per replica; and how many were compared.
struct HeaderCheck {
  std::size_t compared = 0, wrong = 0;
};
HeaderCheck against_header(const VerifyObservations& o) {
  std::map<std::int16_t, std::map<std::string, std::size_t>> votes;
  HeaderCheck out;
  for (const auto* probes : {&o.sticky, &o.spread}) {
    for (const auto& probe : *probes) {
      if (probe.judgement.verdict != ProbeVerdict::kExact || probe.observed_name.empty()) continue;
      ++votes[probe.judgement.replica][probe.observed_name];
      ++out.compared;
    }
  }
  std::map<std::string, std::size_t> meant;
  for (const auto& [replica, names] : votes) {
    std::size_t all = 0;
    const auto most = std::max_element(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    for (const auto& [name, count] : names) all += count;
    out.wrong += all - most->second;
    // One name for two replicas names something else, a proxy for example.
    if (++meant[most->first] > 1) return {};
  }
  return out;
}

struct Complaint {
  CheckVerdict verdict;
  std::string text, action;
};

std::vector<Complaint> list_complaints(const VerifyObservations& o) {
  std::vector<Complaint> out;
  const ProbeLedger& ledger = *o.ledger;
  const auto tallies = ledger.replicas();
  for (const auto& [a, b] : ledger.same_process()) {
    out.push_back({CheckVerdict::kFail, o.replicas[a].name + " and " + o.replicas[b].name + " show the same process",
                   "give each replica its own metrics URL"});
  }
  // Prompts that stick leave the other replicas without any of ours; unrelated ones do not.
  const bool spread_out = o.spread.size() >= 4 * o.replicas.size();
  std::string idle;
  for (std::size_t r = 0; r < tallies.size(); ++r) {
    const std::string& name = o.replicas[r].name;
    if (tallies[r].ours == 0) idle += (idle.empty() ? "" : ", ") + name;
    if (!o.replicas[r].metrics_problem.empty() && tallies[r].unreadable_rounds > 0) {
      out.push_back({CheckVerdict::kFail, name + ": " + o.replicas[r].metrics_problem, "correct the URL, or take the replica out of the list"});
    } else if (!tallies[r].counts_finishes) {
      out.push_back({CheckVerdict::kInconclusive, name + " counts no finished requests", "give the inference server's own /metrics; vLLM exports nothing under --disable-log-stats"});
    } else if (tallies[r].several_processes) {
      out.push_back({CheckVerdict::kFail, name + "'s URL answers for several processes in turn", "give the URL of one pod, not of a service"});
    } else if (tallies[r].resets > 0) {
      out.push_back({CheckVerdict::kInconclusive, name + " restarted during the test", "run it again when the replicas are stable"});
    } else if (tallies[r].foreign_least > 0 && tallies[r].ours == 0 && spread_out) {
      out.push_back({CheckVerdict::kInconclusive, name + " counts what is not ours (" + std::to_string(tallies[r].foreign_least) + " finishes) and nothing that is",
                     "check that it is a replica of this target"});
    }
  }
  const std::size_t uncounted = ledger.with(ProbeVerdict::kUncounted);
  const std::string nothing_of_ours = idle.empty() ? "" : "; nothing of ours was counted by " + idle;
  if (uncounted > ledger.misfits()) {
    out.push_back({uncounted > 1 ? CheckVerdict::kFail : CheckVerdict::kInconclusive,
                   "a replica is missing from your list: " + counted(uncounted, "finished request") + (uncounted == 1 ? " was" : " were") +
                       " counted by no listed replica" + nothing_of_ours,
                   "list every replica behind the target; check that each URL is that of the right pod"});
  } else if (uncounted > 0) {
    // Other traffic on the listed replicas while ours went elsewhere looks the same as sizes that never fit.
    out.push_back({CheckVerdict::kInconclusive,
                   "what the replicas counted during " + counted(uncounted, "probe") + " was of other sizes than the responses' usage says" + nothing_of_ours,
                   "a replica may be missing from the list, or the gateway may rewrite prompts or usage"});
  }
  return out;
}

}  // namespace

VerifyCheck check_replica_list(const VerifyObservations& o) {
  VerifyCheck check{"replica-list", CheckVerdict::kPass, "", "each finished probe is counted by exactly one listed replica", ""};
  if (o.replicas.empty() || !o.ledger) {
    check.verdict = CheckVerdict::kSkipped;
    check.observed = "no replicas are listed";
    check.action = "give --replica NAME=URL for each";
    return check;
  }
  const ProbeLedger& ledger = *o.ledger;
  const std::size_t exact = ledger.with(ProbeVerdict::kExact);
  for (const Complaint& complaint : list_complaints(o)) {
    check.observed += (check.observed.empty() ? "" : "; ") + complaint.text;
    if (check.action.empty() || (complaint.verdict == CheckVerdict::kFail && check.verdict != CheckVerdict::kFail)) check.action = complaint.action;
    if (check.verdict != CheckVerdict::kFail) check.verdict = complaint.verdict;
  }
  if (check.verdict != CheckVerdict::kPass) return check;
  if (exact == 0) {
    check.verdict = CheckVerdict::kInconclusive;
    const std::size_t failed = ledger.with(ProbeVerdict::kFailed);
    const bool none_answered = failed == ledger.attempts();
    check.observed = none_answered ? "no probe was answered" : "no probe was counted exactly (" + counted(ledger.with(ProbeVerdict::kForeign), "attempt") + " ambiguous for other traffic)";
    check.action = none_answered ? "make completions work first" : "run it again with less traffic on the replicas";
    return check;
  }
  // With a share s of the requests a missing replica stays unseen with probability (1 - s)^n.
  const double unseen = 1 - std::pow(0.05, 1 / static_cast<double>(exact));
  check.observed = "all of " + counted(exact, "probe") + " were counted by one listed replica each; a missing one that serves " +
                   figure(100 * unseen, 2) + " %" + " or more would have shown at 95 %";
  if (o.expected_replicas != 0 && o.expected_replicas != o.replicas.size()) {
    check.verdict = CheckVerdict::kInconclusive;
    check.observed += "; " + std::to_string(o.replicas.size()) + " are listed, " + std::to_string(o.expected_replicas) + " expected";
    check.action = "list the others, or correct --expect-replicas";
  }
  for (std::size_t r = 0; r < o.replicas.size(); ++r) {
    const auto foreign = ledger.replicas()[r].foreign_least;
    if (foreign > 0) check.observed += "; " + o.replicas[r].name + " also counts what is not ours (" + std::to_string(foreign) + ")";
  }
  return check;
}

VerifyCheck check_attribution(const VerifyObservations& o) {
  VerifyCheck check{"attribution", CheckVerdict::kPass, "", "counts, token sums and latency sums on every replica; probes exact", ""};
  if (o.replicas.empty() || !o.ledger) {
    check.verdict = CheckVerdict::kSkipped;
    check.observed = "no replica's metrics are known: no response can be attributed";
    check.action = "give --replica NAME=URL for each";
    return check;
  }
  const auto tallies = o.ledger->replicas();
  std::string missing;
  const auto need = [&](bool ReplicaTally::*channel, const char* name) {
    for (const auto& tally : tallies) {
      if (tally.*channel) continue;
      missing += (missing.empty() ? "" : ", ") + std::string(name);
      return;
    }
    check.observed += (check.observed.empty() ? "channels: " : ", ") + std::string(name);
  };
  need(&ReplicaTally::counts_finishes, "finish counts");
  need(&ReplicaTally::has_prompt, "prompt tokens");
  need(&ReplicaTally::has_output, "output tokens");
  need(&ReplicaTally::has_max_tokens, "max_tokens");
  need(&ReplicaTally::has_e2e, "latency");
  need(&ReplicaTally::has_first_token, "first token");
  need(&ReplicaTally::has_http_bytes, "body bytes");
  if (!missing.empty()) check.observed += (check.observed.empty() ? "" : "; ") + ("not everywhere: " + missing);
  const std::size_t exact = o.ledger->with(ProbeVerdict::kExact);
  check.observed += "; " + std::to_string(exact) + " of " + counted(o.ledger->attempts(), "probe") + " exact";
  std::size_t reserved = 0;
  for (const auto* probes : {&o.sticky, &o.spread}) {
    reserved += static_cast<std::size_t>(std::count_if(probes->begin(), probes->end(), [](const ProbeObservation& p) { return p.reserved; }));
  }
  if (reserved > 0) check.observed += " (other traffic: " + std::to_string(reserved) + " by a max_tokens bucket that nobody else uses)";
  const ProbeCalibration& calibration = o.ledger->calibration();
  if (calibration.mean_ms && calibration.stddev_ms) {
    check.observed += "; client - server latency " + figure(*calibration.mean_ms, 3) + " ± " + figure(*calibration.stddev_ms, 2) + " ms";
  }
  if (calibration.sizes_compared > 0) {
    check.observed += "; body size arrived unchanged in " + std::to_string(calibration.sizes_equal) + " of " + std::to_string(calibration.sizes_compared);
  }
  const HeaderCheck header = against_header(o);
  if (header.compared > 0) {
    check.observed += "; the response header agrees in " + std::to_string(header.compared - header.wrong) + " of " + std::to_string(header.compared);
  }
  const bool counts = std::all_of(tallies.begin(), tallies.end(), [](const ReplicaTally& t) { return t.counts_finishes && t.has_prompt && t.has_output; });
  if (header.wrong > 0) {
    check.verdict = CheckVerdict::kFail;
    check.action = "headers and counters contradict each other: check the list of metrics URLs and what the header names";
  } else if (!counts || exact == 0 || o.reservation_broken || o.ledger->list_is_wrong()) {
    check.verdict = CheckVerdict::kInconclusive;
    if (o.reservation_broken) check.observed += "; claims by a reserved max_tokens bucket were withdrawn: others use it, or the server caps max_tokens";
    check.action = "see replica-list";
  }
  return check;
}

VerifyCheck check_one_replica(const VerifyObservations& o) {
  VerifyCheck check{"one-replica", CheckVerdict::kPass, "", "one replica serves everything", ""};
  std::vector<ProbeObservation> probes = o.sticky;
  probes.insert(probes.end(), o.spread.begin(), o.spread.end());
  const Placement placement = place(o, probes);
  if (cannot_judge(o, placement, probes.size(), check)) return check;
  const auto counts = placement.counts();
  const auto used = static_cast<std::size_t>(std::count_if(counts.begin(), counts.end(), [](std::size_t n) { return n > 0; }));
  check.observed = counted(placement.placed, "probe") + " " + placement.source + ": " + counts_text(placement) + unplaced_text(placement);
  if (used > 1) {
    check.verdict = CheckVerdict::kFail;
    check.action = "several replicas serve this target: it is no Pattern 1";
  } else if (placement.list_is_wrong || placement.placed * 10 < probes.size() * 9) {
    check.verdict = CheckVerdict::kInconclusive;
    check.action = "see replica-list";
  }
  return check;
}

VerifyCheck check_stickiness(const VerifyObservations& o) {
  VerifyCheck check{"stickiness", CheckVerdict::kPass, "", "prompts with a common prefix go to one replica", ""};
  const Placement placement = place(o, o.sticky);
  if (cannot_judge(o, placement, o.sticky.size(), check)) return check;
  if (placement.replicas < 2) {
    check.verdict = CheckVerdict::kInconclusive;
    check.observed = "one replica is listed: there is nothing to choose between";
    check.action = "list all replicas of Pattern 3";
    return check;
  }
  int home = -1;
  std::size_t followers = 0;
  std::size_t stuck = 0;
  for (const int w : placement.where) {
    if (w < 0) continue;
    if (home < 0) {
      home = w;
      continue;
    }
    ++followers;
    stuck += w == home ? 1 : 0;
  }
  const double chance = std::pow(1.0 / static_cast<double>(placement.replicas), static_cast<double>(followers));
  check.observed = "after the first, " + std::to_string(stuck) + " of " + std::to_string(followers) + " went to the same replica " + placement.source +
                   " (" + counts_text(placement) + ")" + unplaced_text(placement);
  if (stuck < followers) {
    check.verdict = CheckVerdict::kFail;
    check.action = "is the prefix scorer on, and is its weight above the others'? a gateway that bypasses its endpoint picker looks the same";
    return check;
  }
  check.observed += "; chance alone does that in " + percent(chance) + " of tests";
  if (placement.list_is_wrong || chance > kChance || placement.placed * 10 < o.sticky.size() * 8) {
    check.verdict = CheckVerdict::kInconclusive;
    check.action = placement.list_is_wrong ? "see replica-list" : "send more probes (--sticky-probes), or have less traffic on the replicas";
  }
  return check;
}

VerifyCheck check_cache_hits(const VerifyObservations& o) {
  VerifyCheck check{"cache-hits", CheckVerdict::kPass, "", "", ""};
  std::size_t answered = 0;
  std::size_t reporting = 0;
  double cached = 0;
  double shortest = 0;
  for (const auto& probe : o.sticky) {
    if (probe.judgement.verdict == ProbeVerdict::kFailed || probe.prompt_tokens == protocol::kUnknownCount) continue;
    shortest = answered == 0 ? probe.prompt_tokens : std::min(shortest, static_cast<double>(probe.prompt_tokens));
    ++answered;
    if (probe.cached_tokens == protocol::kUnknownCount) continue;
    ++reporting;
    cached += probe.cached_tokens;
  }
  if (answered < 2) {
    check.verdict = o.cut_short || !o.sticky.empty() ? CheckVerdict::kInconclusive : CheckVerdict::kSkipped;
    check.observed = "not tested" + (o.why_cut.empty() ? "" : ": " + o.why_cut);
    return check;
  }
  double block = 128;
  std::int64_t foreign = 0;
  if (o.ledger) {
    for (const auto& tally : o.ledger->replicas()) {
      if (tally.block_size_tokens) block = *tally.block_size_tokens;
      foreign += tally.foreign_least;
    }
  }
  const double due = static_cast<double>(answered - 1) * std::floor(o.prefix_share * shortest / block) * block;
  check.expected = figure(due, 7) + " tokens: " + std::to_string(answered - 1) + " requests × the prefix in whole blocks of " + figure(block, 4);
  std::optional<double> hits;
  std::string source;
  if (reporting == answered) {
    hits = cached;
    source = "the responses report ";
  } else {
    bool all = !o.replicas.empty();
    double sum = 0;
    for (const auto& replica : o.replicas) {
      all = all && replica.hit_tokens;
      sum += replica.hit_tokens.value_or(0);
    }
    if (all) hits = sum;
    source = "the replicas counted ";
  }
  if (!hits) {
    check.verdict = CheckVerdict::kInconclusive;
    check.observed = "neither the responses nor listed replicas tell of cache hits";
    check.action = "give --replica NAME=URL for each";
    return check;
  }
  check.observed = source + figure(*hits, 7) + " cached tokens";
  if (*hits < 0.8 * due) {
    check.verdict = CheckVerdict::kFail;
    check.action = "is prefix caching on at the replicas, and do prompts with a common prefix meet the same one?";
  } else if (reporting != answered && (foreign > 0 || o.ledger->list_is_wrong())) {
    check.verdict = CheckVerdict::kInconclusive;
    check.observed += foreign > 0 ? ", other traffic's included" : ", of a wrong list of replicas";
    check.action = foreign > 0 ? "run it again without other traffic" : "see replica-list";
  }
  return check;
}

VerifyCheck check_spread(const VerifyObservations& o) {
  VerifyCheck check{"spread", CheckVerdict::kPass, "", "unrelated prompts spread evenly", ""};
  const Placement placement = place(o, o.spread);
  if (cannot_judge(o, placement, o.spread.size(), check)) return check;
  const std::size_t k = placement.replicas;
  if (k < 2) {
    check.verdict = CheckVerdict::kInconclusive;
    check.observed = "one replica is listed: there is nothing to spread over";
    check.action = "list all replicas of Pattern 3";
    return check;
  }
  const double skew = spread_skew(k);
  const UniformityTest test = uniformity(placement.counts());
  const double power = power_against_skew(placement.placed, k, skew, kSpreadLevel);
  check.observed = counted(placement.placed, "unrelated prompt") + " " + placement.source + ": " + counts_text(placement) + " (" + p_text(test.p) + ", " + test.method + ")" + unplaced_text(placement) + "; this test finds a router that sends " + percent(skew) + " to one replica with " + percent(power) + " certainty";
  // Probes that were repeated because nobody counted them, or left out, would bend the counts.
  const bool too_few = placement.placed * 10 < o.spread.size() * 9;
  if (test.p < kSpreadLevel && !placement.list_is_wrong && !too_few) {
    check.verdict = CheckVerdict::kFail;
    check.action = "compare the replicas' load and the picker's weights; a replica that gets nothing may not be ready";
  } else if (power < kEnoughPower || placement.list_is_wrong || too_few) {
    check.verdict = CheckVerdict::kInconclusive;
    const auto needed = items_needed(k, skew, kSpreadLevel, kEnoughPower, 2000);
    check.action = placement.list_is_wrong ? "see replica-list"
                   : too_few               ? "have less traffic on the replicas"
                   : needed                ? "80 % certainty takes about " + std::to_string(*needed) + " prompts: --probes " + std::to_string(*needed)
                                           : "no test of up to 2,000 prompts would do";
  }
  return check;
}

}  // namespace analyzers
