// Hit ratio from counters, oracle hit ratio from a replay of the schedule, and the note on prefixes below one block.
// Called per scenario and arm. It must never take a cache that was warm before the run for good routing.
#include "analyzers/cache.h"

#include <algorithm>
#include <cmath>

#include "analyzers/statistics.h"
#include "core/text.h"
#include "scenarios/schedule.h"

namespace analyzers {
namespace {

/// Prompts are rendered and hashed again for the oracle; beyond this many tokens that would take longer than the run.
constexpr double kMaxOracleTokens = 4e7;
constexpr std::size_t kPrefixSamples = 16;

/// The schedule of what the run really sent: a closed loop that only has a duration plans far more than it sends.
std::optional<scenarios::Schedule> replan(const bench::Run& run, scenarios::Scenario scenario, std::size_t requests) {
  if (scenario.load.model == scenarios::LoadModel::kClosed) {
    scenario.stop.requests = static_cast<std::uint32_t>(requests);
    scenario.stop.duration.reset();
  }
  std::uint64_t salt = 0;
  const auto label = run.manifest.labels.find("cell_salt");
  if (label != run.manifest.labels.end()) salt = static_cast<std::uint64_t>(core::parse_integer(label->second).value_or(0));
  auto schedule = scenarios::plan(scenario, run.manifest.seed, salt);
  if (!schedule) return std::nullopt;
  return std::move(*schedule);
}

std::size_t sent_requests(const bench::Run& run) {
  return static_cast<std::size_t>(std::count_if(run.records.begin(), run.records.end(), [](const auto& r) { return was_sent(r); }));
}

double prompt_tokens_sent(const bench::Run& run) {
  double sum = 0;
  for (const auto& r : run.records) sum += r.prompt_tokens != bench::kUnknownCount ? r.prompt_tokens : 0;
  return sum;
}

std::size_t common_bytes(const std::string& a, const std::string& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin()).first - a.begin());
}

struct Counters {
  double queried = 0, hit = 0;
  bool complete = true;
  std::string reason;
};

Counters cache_counters(const std::vector<const RunFacts*>& facts) {
  Counters out;
  bool any = false;
  for (const RunFacts* f : facts) {
    for (const auto& span : f->counters) {
      any = true;
      const auto queried = delta(span, &protocol::VllmSnapshot::prefix_queries_tokens);
      const auto hit = delta(span, &protocol::VllmSnapshot::prefix_hits_tokens);
      if (!queried || !hit) {
        out.complete = false;
        out.reason = span.reset ? "a replica restarted during the run" : "a replica exports no prefix-cache counters, or was not scraped twice";
        continue;
      }
      out.queried += *queried;
      out.hit += *hit;
    }
  }
  if (!any) {
    out.complete = false;
    out.reason = "no replica's metrics are known";
  }
  return out;
}

Estimate oracle_ratio(const std::vector<const bench::Run*>& runs, const std::vector<const RunFacts*>& facts, std::uint32_t block_size) {
  double prompt = 0;
  double hits = 0;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    if (!facts[k]->scenario) return unmeasured("the stored scenario could not be read");
    const std::size_t n = sent_requests(*runs[k]);
    if (prompt_tokens_sent(*runs[k]) > kMaxOracleTokens) return unmeasured("too many prompt tokens to replay");
    const auto schedule = replan(*runs[k], *facts[k]->scenario, n);
    if (!schedule) return unmeasured("the schedule could not be planned again");
    const auto oracle = scenarios::oracle_hits(*facts[k]->scenario, *schedule, n, block_size, std::vector<std::int32_t>(n, -1));
    prompt += static_cast<double>(oracle.prompt_tokens);
    hits += static_cast<double>(oracle.shared_cache_hit_tokens);
  }
  if (prompt <= 0) return unmeasured("no prompt was sent");
  return measured(hits / prompt, "replay through one unbounded shared cache, gatebench's own tokenizer", runs.size());
}

}  // namespace

std::optional<std::uint32_t> block_size_of(const std::vector<const bench::Run*>& runs) {
  std::optional<std::uint32_t> size;
  const auto take = [&](std::optional<std::uint32_t> seen) {
    if (!seen) return true;
    if (size && *size != *seen) return false;
    size = seen;
    return true;
  };
  for (const bench::Run* run : runs) {
    for (const auto& replica : run->manifest.replicas) {
      if (!take(replica.block_size_tokens)) return std::nullopt;
    }
    for (const auto& s : run->scrapes) {
      if (s.ok && !take(s.values.block_size_tokens)) return std::nullopt;
    }
  }
  return size;
}

std::optional<SharedPrefix> shared_prefix(const bench::Run& run, const RunFacts& facts) {
  if (!facts.scenario || facts.scenario->workloads.size() != 1 || run.records.size() < 2) return std::nullopt;
  const auto& prompt = facts.scenario->workloads.front().prompt;
  if (prompt.kind == scenarios::PromptKind::kUnique) return std::nullopt;
  const std::size_t n = std::min(kPrefixSamples, run.records.size());
  const auto schedule = replan(run, *facts.scenario, n);
  if (!schedule || schedule->requests.size() < 2) return std::nullopt;
  SharedPrefix out;
  std::string first;
  std::string other;
  std::size_t common = std::string::npos;
  std::size_t shortest = std::string::npos;
  std::uint32_t tokens = bench::kUnknownCount;
  for (std::size_t i = 0; i < std::min(n, schedule->requests.size()); ++i) {
    const auto& planned = schedule->requests[i];
    scenarios::render_prompt(*facts.scenario, planned, other);
    if (i == 0) {
      first = other;
      common = first.size();
    } else if (planned.prefix_group == schedule->requests[0].prefix_group) {
      common = std::min(common, common_bytes(first, other));
    }
    if (other.size() < shortest) {
      shortest = other.size();
      tokens = run.records[i].prompt_tokens;
    }
  }
  if (shortest == 0 || common == 0) return std::nullopt;
  out.measured = tokens != bench::kUnknownCount;
  out.prompt_tokens = out.measured ? tokens : static_cast<double>(protocol::count_tokens(first));
  out.tokens = out.prompt_tokens * static_cast<double>(std::min(common, shortest)) / static_cast<double>(shortest);
  return out;
}

CacheAnalysis analyze_cache(const std::vector<const bench::Run*>& runs, const std::vector<const RunFacts*>& facts) {
  CacheAnalysis out;
  const Counters counters = cache_counters(facts);
  if (counters.complete) {
    out.queried_tokens = measured(counters.queried, "exact count", runs.size());
    out.hit_tokens = measured(counters.hit, "exact count", runs.size());
    out.hit_ratio = counters.queried > 0 ? measured(counters.hit / counters.queried, "hit tokens / queried tokens, from counters", runs.size())
                                         : unmeasured("the replicas looked nothing up in their caches");
  } else {
    out.queried_tokens = out.hit_tokens = out.hit_ratio = unmeasured(counters.reason);
  }
  out.block_size_tokens = block_size_of(runs);
  out.oracle_hit_ratio = out.block_size_tokens ? oracle_ratio(runs, facts, *out.block_size_tokens)
                                               : unmeasured("the replicas report no block size, or different ones");
  if (!out.hit_ratio.value) out.efficiency_ratio = unmeasured(out.hit_ratio.reason);
  else if (!out.oracle_hit_ratio.value) out.efficiency_ratio = unmeasured(out.oracle_hit_ratio.reason);
  else if (*out.oracle_hit_ratio.value <= 0) out.efficiency_ratio = unmeasured("nothing in this traffic could be hit");
  else out.efficiency_ratio = measured(*out.hit_ratio.value / *out.oracle_hit_ratio.value, "observed / oracle hit ratio", runs.size());
  if (!runs.empty() && out.block_size_tokens) {
    const auto prefix = shared_prefix(*runs.front(), *facts.front());
    if (prefix && prefix->tokens > 0.3 * prefix->prompt_tokens && prefix->tokens < *out.block_size_tokens) {
      out.note = "The shared prefix of about " + figure(std::round(prefix->tokens)) + " tokens is shorter than one block of " +
                 std::to_string(*out.block_size_tokens) + " tokens: requests can stick to a replica, but they cannot hit its cache.";
    }
  }
  if (out.efficiency_ratio.value && *out.efficiency_ratio.value > 1.0 + 1e-9) {
    out.note += std::string(out.note.empty() ? "" : " ") +
                "More was hit than this run's own prompts explain: the cache was warm before it, or generated text was hit.";
  }
  return out;
}

}  // namespace analyzers
