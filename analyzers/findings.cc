// Sentences on stickiness, spread and serial attribution for small serial tests.
// Called by analyze() per scenario and arm. It must never say "hit" of a prefix that is shorter than a block.
#include "analyzers/findings.h"

#include <algorithm>
#include <cmath>

#include "analyzers/cache.h"
#include "analyzers/distribution.h"
#include "analyzers/statistics.h"

namespace analyzers {
namespace {

/// More requests than this are a load, not a test that a sentence can describe.
constexpr std::size_t kSmallTest = 200;

std::string plural(std::size_t n, const std::string& what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

std::string counts_text(const std::vector<std::size_t>& counts) {
  std::string out;
  for (const std::size_t c : counts) out += (out.empty() ? "" : "/") + std::to_string(c);
  return out;
}

/// Successful requests of all cells, with where each went; in schedule order.
struct Served {
  std::size_t sent = 0, succeeded = 0, attributed = 0, groups = 0;
  std::size_t followers = 0, followers_attributed = 0, followers_stuck = 0;  ///< all but the first of each cell's group
  double cached = 0;
  bool cached_known = true;
};

Served served(const ArmCells& cells) {
  Served out;
  for (const Cell* cell : cells.cells) {
    int home = -1;
    bool first = true;
    for (std::size_t i = 0; i < cell->run->records.size(); ++i) {
      const auto& r = cell->run->records[i];
      out.sent += was_sent(r) ? 1 : 0;
      if (!succeeded(r)) continue;
      ++out.succeeded;
      const int replica = cell->attribution.of_record[i].replica;
      out.attributed += replica >= 0 ? 1 : 0;
      if (r.prefix_group >= 0) ++out.groups;
      if (first) {
        home = replica;
        first = false;
        continue;
      }
      ++out.followers;
      out.followers_attributed += replica >= 0 ? 1 : 0;
      out.followers_stuck += replica >= 0 && replica == home ? 1 : 0;
      if (r.cached_tokens == bench::kUnknownCount) out.cached_known = false;
      else out.cached += r.cached_tokens;
    }
  }
  return out;
}

Finding start(const ArmCells& cells, const char* id) {
  Finding out;
  out.scenario = cells.scenario;
  out.arm = cells.arm;
  out.id = id;
  return out;
}

std::string hits_text(const ArmAnalysis& arm, const Served& s) {
  if (arm.cache.hit_tokens.value) {
    return "the replicas counted " + figure(*arm.cache.hit_tokens.value, 7) + " of " + figure(arm.cache.queried_tokens.value.value_or(0), 7) +
           " prompt tokens as cache hits";
  }
  if (s.cached_known && s.followers > 0) return "the responses report " + figure(s.cached, 7) + " cached tokens";
  return "whether the cache was hit is not known: " + arm.cache.hit_tokens.reason;
}

Finding stickiness_finding(const ArmCells& cells, const ArmAnalysis& arm, const Served& s) {
  Finding out = start(cells, "stickiness");
  const auto prefix = shared_prefix(*cells.cells.front()->run, cells.cells.front()->facts);
  const auto block = arm.cache.block_size_tokens;
  const bool can_hit = prefix && block && prefix->tokens >= *block;
  const bool cannot_hit = prefix && block && prefix->tokens < *block;
  std::optional<double> hits = arm.cache.hit_tokens.value;
  if (!hits && s.cached_known) hits = s.cached;
  out.sentence = plural(s.succeeded, "request") + " shared a prefix" + (prefix ? " of about " + figure(std::round(prefix->tokens), 5) + " tokens" : std::string()) + "; after the first, " +
                 std::to_string(s.followers_stuck) + " of " + std::to_string(s.followers) + " went to the same replica";
  if (s.followers_attributed < s.followers) out.sentence += " (" + plural(s.followers - s.followers_attributed, "response") + " could not be attributed)";
  out.sentence += "; " + hits_text(arm, s) + ".";
  if (cannot_hit) {
    out.sentence += " The prefix is shorter than one block of " + std::to_string(*block) +
                    " tokens, the smallest unit that can be reused: it sticks, but it cannot hit.";
  } else if (can_hit) {
    out.sentence += " The prefix fills " + figure(std::floor(prefix->tokens / *block), 6) + (prefix->tokens < 2.0 * *block ? " block of " : " blocks of ") + std::to_string(*block) + " tokens.";
  }
  if (s.followers == 0 || s.followers_attributed == 0) {
    out.verdict = Verdict::kInvalid;
    return out;
  }
  const bool stuck = s.followers_stuck == s.followers;
  const bool strayed = s.followers_stuck < s.followers_attributed;
  const bool hits_as_due = !hits || (!can_hit && !cannot_hit) || (can_hit ? *hits > 0 : *hits <= 0);
  if (strayed || !hits_as_due) out.verdict = Verdict::kFail;
  else out.verdict = stuck && hits ? Verdict::kPass : Verdict::kInconclusive;
  if (!hits_as_due && cannot_hit) out.sentence += " Hits were counted all the same: the cache was warm before the test, or other traffic used it.";
  if (!hits_as_due && can_hit) out.sentence += " It should have hit and did not: is prefix caching on?";
  return out;
}

Finding spread_finding(const ArmCells& cells, const ArmAnalysis& arm, const Served& s) {
  Finding out = start(cells, "spread");
  std::vector<std::size_t> counts;
  bool exact = true;
  for (const auto& row : arm.replicas) {
    exact = exact && row.finished_requests.value.has_value();
    counts.push_back(row.finished_requests.value ? static_cast<std::size_t>(std::llround(*row.finished_requests.value)) : row.attributed);
  }
  out.sentence = plural(s.succeeded, "unrelated prompt") + " were served " + counts_text(counts) + " by " + plural(counts.size(), "replica");
  if (arm.spread.uniformity_p.value) {
    out.sentence += " (" + std::string(exact ? "from the replicas' counters" : "from attributed responses") + "; p = " + figure(*arm.spread.uniformity_p.value, 2) + " for an even spread, " +
                    arm.spread.uniformity_p.method + ")";
  }
  out.sentence += ". " + power_sentence(s.succeeded, counts.size());
  if (!arm.spread.uniformity_p.value) out.verdict = Verdict::kInvalid;
  // A small p speaks against evenness; a large one with so few prompts says next to nothing.
  else out.verdict = *arm.spread.uniformity_p.value < 0.001 ? Verdict::kFail : Verdict::kInconclusive;
  return out;
}

Finding serial_finding(const ArmCells& cells, const AttributionRow& row) {
  Finding out = start(cells, "serial-attribution");
  out.sentence = plural(row.responses, "response") + ", one at a time: " + std::to_string(row.attributed) + " attributed from the replicas' counters alone";
  if (row.compared && row.wrong) {
    out.sentence += "; " + std::to_string(*row.compared - *row.wrong) + "/" + std::to_string(*row.compared) + " agree with the response header";
    if (*row.wrong == 0 && *row.compared > 0) {
      out.sentence += " (an error rate above " + figure(100 * clopper_pearson(0, *row.compared, 0.9).high, 2) + " % is excluded at 95 %)";
    }
  } else {
    out.sentence += "; no response names its replica, so nothing is compared";
  }
  out.sentence += ".";
  if (!row.reason.empty()) out.sentence += " " + row.reason + ".";
  if (row.responses == 0 || row.attributed == 0) out.verdict = Verdict::kInvalid;
  else if (row.wrong.value_or(0) > 0) out.verdict = Verdict::kFail;
  else out.verdict = row.attributed == row.responses ? Verdict::kPass : Verdict::kInconclusive;
  return out;
}

}  // namespace

std::vector<Finding> find_findings(const ArmCells& cells, const ArmAnalysis& arm, const AttributionRow& attribution) {
  std::vector<Finding> out;
  if (cells.cells.empty() || !cells.cells.front()->facts.scenario) return out;
  const auto& scenario = *cells.cells.front()->facts.scenario;
  const Served s = served(cells);
  if (!scenario.serial_probe || s.sent > kSmallTest || s.succeeded == 0) return out;
  const std::size_t replicas = arm.replicas.size();
  if (s.succeeded >= 2 && replicas > 1) {
    if (s.groups == s.succeeded) out.push_back(stickiness_finding(cells, arm, s));
    else if (s.groups == 0) out.push_back(spread_finding(cells, arm, s));
  }
  if (replicas > 0) out.push_back(serial_finding(cells, attribution));
  return out;
}

}  // namespace analyzers
