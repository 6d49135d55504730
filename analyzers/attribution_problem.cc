// Turns a Run into an AttributionProblem: windows between whole scrapes, finish brackets, and the tests that all counters
// together must pass before any claim is made. It must never look at a header that names a replica.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "analyzers/attribution.h"

namespace analyzers {
namespace {

using core::Duration;
using bench::ReplicaScrape;
using std::chrono::milliseconds;

/// A replica that misses more consecutive rounds than this has unknown windows there instead of one merged window.
constexpr std::size_t kMaxMissedRounds = 4;
constexpr Duration kHorizonUnproven = milliseconds(45);
constexpr Duration kHorizonFloor = milliseconds(8);
constexpr std::size_t kMaxReplicas = 64;

struct ScrapeRound {
  Duration begin = Duration::max(), end = Duration::min();
  std::vector<const ReplicaScrape*> of;  ///< per replica; null: missing, torn or failed
};

std::vector<ScrapeRound> scrape_rounds(const bench::Run& run) {
  const std::size_t replicas = run.manifest.replicas.size();
  std::map<std::uint32_t, ScrapeRound> by_id;
  for (const auto& s : run.scrapes) {
    if (s.replica >= replicas || !usable(s) || !finished_count(s.values) || s.answered < s.sent) continue;
    ScrapeRound& round = by_id[s.round];
    round.of.resize(replicas, nullptr);
    round.of[s.replica] = &s;
    round.begin = std::min(round.begin, s.sent);
    round.end = std::max(round.end, s.answered);
  }
  std::vector<ScrapeRound> rounds;
  for (auto& entry : by_id) rounds.push_back(std::move(entry.second));
  std::stable_sort(rounds.begin(), rounds.end(), [](const ScrapeRound& a, const ScrapeRound& b) { return a.begin < b.begin; });
  // A scrape that began before the same replica's previous one had ended tells nothing about the order of events.
  std::vector<Duration> last(replicas, Duration::min());
  for (auto& round : rounds) {
    for (std::size_t r = 0; r < replicas; ++r) {
      if (round.of[r] == nullptr) continue;
      if (round.of[r]->sent < last[r]) round.of[r] = nullptr;
      else last[r] = round.of[r]->answered;
    }
  }
  return rounds;
}

/// For each round and replica: is the replica expected there (its neighbouring scrapes are near enough to merge over)?
std::vector<std::vector<char>> expected(const std::vector<ScrapeRound>& rounds, std::size_t replicas) {
  std::vector<std::vector<char>> out(rounds.size(), std::vector<char>(replicas, 0));
  for (std::size_t r = 0; r < replicas; ++r) {
    std::optional<std::size_t> previous;
    for (std::size_t k = 0; k < rounds.size(); ++k) {
      if (rounds[k].of[r] == nullptr) continue;
      const bool near = previous && k - *previous <= kMaxMissedRounds + 1;
      for (std::size_t j = near ? *previous : k; j <= k; ++j) out[j][r] = 1;
      previous = k;
    }
  }
  return out;
}

std::vector<std::int32_t> bucket_delta(const protocol::HistogramTotals& before, const protocol::HistogramTotals& after) {
  std::vector<std::int32_t> out;
  if (!before.present || !after.present || before.bucket_count != after.bucket_count) return out;
  double below = 0;
  for (std::size_t i = 0; i < after.bucket_count && i < protocol::HistogramTotals::kMaxBuckets; ++i) {
    const double cumulative = after.cumulative[i] - before.cumulative[i];
    out.push_back(static_cast<std::int32_t>(std::lround(cumulative - below)));
    below = cumulative;
  }
  return out;
}

using Histogram = protocol::HistogramTotals protocol::VllmSnapshot::*;
constexpr std::array<Histogram, FinishVector::kChannels> kHistograms{&protocol::VllmSnapshot::request_prompt_tokens,
                                                                     &protocol::VllmSnapshot::request_generation_tokens,
                                                                     &protocol::VllmSnapshot::request_max_tokens};

FinishWindow window_between(const ReplicaScrape& before, const ReplicaScrape& after) {
  FinishWindow window;
  window.replica = after.replica;
  window.opens = before.sent;
  window.closes = after.answered;
  if (is_reset(before.values, after.values)) {
    window.why_unknown = "reset";
    return window;
  }
  const double count = *finished_count(after.values) - *finished_count(before.values);
  window.count = std::llround(count);
  window.known = std::fabs(count - static_cast<double>(window.count)) < 1e-6;
  for (std::size_t c = 0; c < FinishVector::kChannels; ++c) {
    const auto& b = before.values.*kHistograms[c];
    const auto& a = after.values.*kHistograms[c];
    if (!a.present || !b.present) continue;
    window.sum[c] = std::llround(a.sum - b.sum);
    window.buckets[c] = bucket_delta(b, a);
    // A torn update inside one histogram shows as a count that disagrees with the successes.
    if (std::llround(a.count - b.count) != window.count || window.sum[c] < 0) window.known = false;
  }
  if (!window.known) window.why_unknown = "no scrape";
  return window;
}

FinishWindow unknown_window(std::size_t replica, Duration opens, Duration closes) {
  FinishWindow window;
  window.replica = static_cast<std::uint16_t>(replica);
  window.opens = opens;
  window.closes = closes;
  window.why_unknown = "no scrape";
  return window;
}

FinishRound unknown_round(std::size_t replicas, Duration opens, Duration closes) {
  FinishRound round;
  for (std::size_t r = 0; r < replicas; ++r) round.windows.push_back(unknown_window(r, opens, closes));
  return round;
}

/// Windows between two complete boundaries; a replica scraped in between has several.
FinishRound round_between(const std::vector<ScrapeRound>& rounds, std::size_t from, std::size_t to, std::size_t replicas) {
  FinishRound out;
  for (std::size_t r = 0; r < replicas; ++r) {
    if (rounds[from].of[r] == nullptr || rounds[to].of[r] == nullptr) {
      out.windows.push_back(unknown_window(r, rounds[from].begin, rounds[to].end));
      continue;
    }
    const ReplicaScrape* previous = rounds[from].of[r];
    for (std::size_t k = from + 1; k <= to; ++k) {
      if (rounds[k].of[r] == nullptr) continue;
      out.windows.push_back(window_between(*previous, *rounds[k].of[r]));
      previous = rounds[k].of[r];
    }
  }
  return out;
}

std::vector<std::size_t> complete_boundaries(const std::vector<ScrapeRound>& rounds, std::size_t replicas) {
  const auto wanted = expected(rounds, replicas);
  std::vector<std::size_t> out;
  for (std::size_t k = 0; k < rounds.size(); ++k) {
    bool complete = true;
    for (std::size_t r = 0; r < replicas; ++r) complete = complete && (wanted[k][r] == 0 || rounds[k].of[r] != nullptr);
    if (complete) out.push_back(k);
  }
  return out;
}

std::uint8_t bucket_of(const protocol::HistogramTotals& histogram, std::int64_t value) {
  for (std::size_t i = 0; i < histogram.bucket_count && i < protocol::HistogramTotals::kMaxBuckets; ++i) {
    if (static_cast<double>(value) <= histogram.upper[i]) return static_cast<std::uint8_t>(i);
  }
  return static_cast<std::uint8_t>(protocol::HistogramTotals::kMaxBuckets);
}

std::array<std::uint32_t, FinishVector::kChannels> integers_of(const bench::RequestRecord& r) {
  return {r.prompt_tokens, r.output_tokens, r.max_tokens};
}

void add_candidates(const bench::Run& run, AttributionProblem& problem, const protocol::VllmSnapshot* layout) {
  // The local stack's delay is half before the request and half before each chunk; a tenth is left as margin.
  const Duration way_back = run.manifest.network_delay / 2 * 9 / 10;
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    const auto& r = run.records[i];
    if (!succeeded(r) || r.done == core::kNever) continue;
    FinishCandidate candidate;
    candidate.record = static_cast<std::uint32_t>(i);
    candidate.latest = r.done - way_back;
    const auto integers = integers_of(r);
    for (std::size_t c = 0; c < FinishVector::kChannels; ++c) {
      candidate.vector.value[c] = integers[c];
      if (layout != nullptr) candidate.vector.bucket[c] = bucket_of(layout->*kHistograms[c], integers[c]);
    }
    problem.candidates.push_back(candidate);
  }
  std::stable_sort(problem.candidates.begin(), problem.candidates.end(),
                   [](const FinishCandidate& a, const FinishCandidate& b) { return a.latest < b.latest; });
}

/// Largest hold (response seen - finish counted) that the joint counts prove, over all complete boundaries: the C-th
/// response to arrive cannot be the last of C counted finishes if it was counted later than it arrived.
Duration proven_hold(const AttributionProblem& problem, const std::vector<ScrapeRound>& rounds, const std::vector<std::size_t>& boundaries) {
  Duration hold{0};
  std::int64_t counted = 0;
  for (std::size_t b = 1; b < boundaries.size(); ++b) {
    counted += problem.rounds[b].count();
    if (counted <= 0 || static_cast<std::size_t>(counted) > problem.candidates.size()) continue;
    hold = std::max(hold, problem.candidates[static_cast<std::size_t>(counted) - 1].latest - rounds[boundaries[b]].end);
  }
  return hold;
}

Duration median_interval(const std::vector<ScrapeRound>& rounds) {
  std::vector<Duration> gaps;
  for (std::size_t k = 1; k < rounds.size(); ++k) gaps.push_back(rounds[k].begin - rounds[k - 1].begin);
  if (gaps.empty()) return Duration{0};
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::nth_element(gaps.begin(), middle, gaps.end());
  return *middle;
}

void place_candidates(const bench::Run& run, AttributionProblem& problem) {
  for (auto& candidate : problem.candidates) {
    const Duration sent = dispatch_time(run.records[candidate.record]);
    candidate.earliest = std::max(sent, candidate.latest - problem.horizon);
    bool placed = false;
    // Rounds are in time order; the windows of a far round cannot overlap the bracket.
    const auto first = std::partition_point(problem.rounds.begin(), problem.rounds.end(), [&](const FinishRound& round) {
      Duration closes = Duration::min();
      for (const auto& w : round.windows) closes = std::max(closes, w.closes);
      return closes < candidate.earliest;
    });
    for (auto it = first; it != problem.rounds.end(); ++it) {
      const bool overlaps = std::any_of(it->windows.begin(), it->windows.end(), [&](const FinishWindow& w) {
        return candidate.latest > w.opens && candidate.earliest <= w.closes;
      });
      if (!overlaps) break;
      const auto k = static_cast<std::uint32_t>(it - problem.rounds.begin());
      if (!placed) candidate.first_round = k;
      candidate.last_round = k;
      placed = true;
    }
    candidate.outside = !placed;
  }
}

/// Same process under two names: one address, or every movement of one mirrored in the other.
std::string doubled_replica(const bench::Run& run, const AttributionProblem& problem) {
  const auto& replicas = run.manifest.replicas;
  for (std::size_t a = 0; a < replicas.size(); ++a) {
    for (std::size_t b = a + 1; b < replicas.size(); ++b) {
      const std::string names = "\"" + replicas[a].name + "\" and \"" + replicas[b].name + "\"";
      if (!replicas[a].metrics_url.empty() && replicas[a].metrics_url == replicas[b].metrics_url) {
        return names + " have the same metrics URL: give each replica its own";
      }
      std::size_t moved = 0;
      std::size_t mirrored = 0;
      for (const auto& round : problem.rounds) {
        const FinishWindow* wa = nullptr;
        const FinishWindow* wb = nullptr;
        for (const auto& w : round.windows) {
          if (w.replica == a) wa = &w;
          if (w.replica == b) wb = &w;
        }
        if (wa == nullptr || wb == nullptr || !wa->known || !wb->known || wa->count + wb->count == 0) continue;
        ++moved;
        mirrored += wa->count == wb->count && wa->sum == wb->sum ? 1 : 0;
      }
      // Lock-step replicas mirror each other too; then the totals add up and there is nothing to suspect.
      if (moved >= 3 && mirrored * 5 >= moved * 4 && problem.totals_known && problem.extra_finishes != 0) {
        return "the counters of " + names + " move together: one replica listed twice";
      }
    }
  }
  return {};
}

/// Counters and responses added up over the whole run. Sets channel_used, extra_finishes and, when no list of replicas
/// could be this one, the refusal.
void check_totals(const bench::Run& run, const RunFacts& facts, AttributionProblem& problem) {
  problem.totals_known = scrapes_bracket_run(run, facts);
  std::array<double, FinishVector::kChannels> ours{};
  for (const auto& candidate : problem.candidates) {
    for (std::size_t c = 0; c < FinishVector::kChannels; ++c) ours[c] += static_cast<double>(candidate.vector.value[c]);
  }
  double counted = 0;
  std::array<double, FinishVector::kChannels> sums{};
  for (std::size_t c = 0; c < FinishVector::kChannels; ++c) {
    problem.channel_used[c] = std::none_of(problem.candidates.begin(), problem.candidates.end(), [&](const FinishCandidate& f) {
      return f.vector.value[c] == static_cast<std::int64_t>(bench::kUnknownCount);
    });
  }
  for (const auto& span : facts.counters) {
    if (!span.usable()) continue;
    const auto before = finished_count(span.first->values);
    const auto after = finished_count(span.last->values);
    if (!before || !after) problem.totals_known = false;
    else counted += *after - *before;
    for (std::size_t c = 0; c < FinishVector::kChannels; ++c) {
      const auto& b = span.first->values.*kHistograms[c];
      const auto& a = span.last->values.*kHistograms[c];
      if (!a.present || !b.present) problem.channel_used[c] = false;
      else sums[c] += a.sum - b.sum;
    }
  }
  if (!problem.totals_known) return;
  const auto n = static_cast<double>(problem.candidates.size());
  problem.extra_finishes = std::llround(counted - n);
  if (problem.extra_finishes < 0) {
    problem.refusal = "the replicas' counters show " + std::to_string(std::llround(counted)) + " finishes, but " +
                      std::to_string(problem.candidates.size()) +
                      " of our requests succeeded: a replica that served is missing from the list, or a listed URL is another server's";
    return;
  }
  for (std::size_t c = 0; c < FinishVector::kChannels; ++c) {
    if (!problem.channel_used[c]) continue;
    const double least = ours[c] + (c == 1 ? 0.0 : static_cast<double>(problem.extra_finishes));
    const bool fits = problem.extra_finishes == 0 ? std::llround(sums[c] - ours[c]) == 0 : sums[c] >= least;
    if (fits) continue;
    // Servers cap max_tokens to what the context leaves; that channel is then useless, but nothing is proven.
    if (c == 2) {
      problem.channel_used[c] = false;
      continue;
    }
    problem.refusal = std::string("inconsistent: the replicas' ") + (c == 0 ? "prompt" : "output") +
                      " token counters do not add up to our responses: a listed URL is another server's";
  }
}

}  // namespace

bool FinishRound::all_known() const {
  return std::all_of(windows.begin(), windows.end(), [](const FinishWindow& w) { return w.known; });
}

std::int64_t FinishRound::count() const {
  std::int64_t sum = 0;
  for (const auto& w : windows) sum += w.known ? w.count : 0;
  return sum;
}

AttributionProblem attribution_problem(const bench::Run& run, const RunFacts& facts, Duration least_horizon) {
  AttributionProblem problem;
  problem.replicas = run.manifest.replicas.size();
  const auto rounds = scrape_rounds(run);
  const protocol::VllmSnapshot* layout = nullptr;
  for (const auto& s : run.scrapes) {
    if (layout == nullptr && usable(s) && s.values.request_prompt_tokens.present) layout = &s.values;
  }
  add_candidates(run, problem, layout);
  if (problem.replicas == 0) problem.refusal = "no replica's metrics were given (--replica NAME=URL)";
  else if (problem.replicas > kMaxReplicas) problem.refusal = "more than 64 replicas: attribution from counters is not attempted";
  else if (rounds.size() < 2) problem.refusal = "the replicas' metrics could not be scraped, or hold no finish counters";
  if (!problem.refusal.empty()) return problem;
  const auto boundaries = complete_boundaries(rounds, problem.replicas);
  if (boundaries.size() < 2) {
    problem.refusal = "no two rounds of scrapes reached every replica";
    return problem;
  }
  problem.rounds.push_back(unknown_round(problem.replicas, Duration::min() / 2, rounds[boundaries.front()].end));
  for (std::size_t b = 1; b < boundaries.size(); ++b) {
    problem.rounds.push_back(round_between(rounds, boundaries[b - 1], boundaries[b], problem.replicas));
  }
  problem.rounds.push_back(unknown_round(problem.replicas, rounds[boundaries.back()].begin, Duration::max() / 2));
  problem.scrape_interval = median_interval(rounds);
  check_totals(run, facts, problem);
  if (problem.refusal.empty()) {
    const std::string doubled = doubled_replica(run, problem);
    if (!doubled.empty()) problem.refusal = "inconsistent: " + doubled;
  }
  // Twice the hold that is proven, because a scrape sees only part of it; never less than the floor, and a fixed one where
  // nothing can be proven.
  const bool provable = problem.totals_known && problem.extra_finishes == 0;
  const Duration proven = provable ? proven_hold(problem, rounds, boundaries) : Duration{0};
  problem.horizon = provable ? std::max(kHorizonFloor, 2 * proven + milliseconds(5)) : kHorizonUnproven;
  problem.horizon = std::max(problem.horizon, least_horizon);
  place_candidates(run, problem);
  return problem;
}

}  // namespace analyzers
