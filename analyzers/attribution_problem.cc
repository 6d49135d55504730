// Turns a Run into an AttributionProblem: windows between whole scrapes, finish brackets, and the tests that all counters
// together must pass before any claim is made. It must never look at a header that names a replica.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "analyzers/attribution.h"

namespace analyzers {
namespace {

using core::Duration;
using bench::ReplicaScrape;

/// A replica that misses more consecutive rounds than this has unknown windows there instead of one merged window.
constexpr std::size_t kMaxMissedRounds = 4;
constexpr std::size_t kMaxReplicas = 64;

struct ScrapeRound {
  std::uint32_t id = 0;
  Duration begin = Duration::max(), end = Duration::min();
  std::vector<const ReplicaScrape*> of;  ///< per replica; null: missing, torn or failed
};

std::vector<ScrapeRound> scrape_rounds(const bench::Run& run, const std::set<std::uint32_t>& dropped) {
  const std::size_t replicas = run.manifest.replicas.size();
  std::map<std::uint32_t, ScrapeRound> by_id;
  for (const auto& s : run.scrapes) {
    if (s.replica >= replicas || dropped.count(s.round) != 0 || !usable(s) || !finished_count(s.values) || s.answered < s.sent) continue;
    ScrapeRound& round = by_id[s.round];
    round.id = s.round;
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
/// What one layer reads of a scrape.
struct LayerSource {
  std::optional<double> (*count)(const protocol::VllmSnapshot&) = nullptr;
  std::array<Histogram, kIntegerChannels> histograms{};              ///< integers with buckets; null: none
  std::array<std::optional<double> protocol::VllmSnapshot::*, kIntegerChannels> counters{};  ///< integers without
  Histogram latency = nullptr;
};

LayerSource finish_source() {
  using protocol::VllmSnapshot;
  LayerSource s;
  s.count = finished_count;
  s.histograms = {&VllmSnapshot::request_prompt_tokens, &VllmSnapshot::request_generation_tokens, &VllmSnapshot::request_max_tokens};
  s.latency = &VllmSnapshot::e2e;
  return s;
}

LayerSource first_token_source() {
  using protocol::VllmSnapshot;
  LayerSource s;
  s.count = [](const VllmSnapshot& v) { return v.ttft.present ? std::optional<double>(v.ttft.count) : std::nullopt; };
  s.counters[0] = &VllmSnapshot::prompt_tokens;
  s.latency = &VllmSnapshot::ttft;
  return s;
}

LayerSource body_source() {
  using protocol::VllmSnapshot;
  LayerSource s;
  s.count = [](const VllmSnapshot& v) { return std::optional<double>(v.http_request_count.value_or(0)); };  // appears with the first request
  s.counters[0] = &VllmSnapshot::http_request_bytes_sum;
  return s;
}

bool whole(double value) { return std::fabs(value - std::round(value)) < 1e-6; }

/// Fills the integers of channel `c`; false: what the scrapes say cannot be one consistent change.
bool read_channel(const LayerSource& source, std::size_t c, const protocol::VllmSnapshot& before, const protocol::VllmSnapshot& after,
                  LayerWindow& window) {
  if (source.histograms[c] != nullptr) {
    const auto& b = before.*source.histograms[c];
    const auto& a = after.*source.histograms[c];
    if (!a.present || !b.present) return true;
    window.sum[c] = std::llround(a.sum - b.sum);
    window.buckets.set(c, bucket_delta(b, a));
    // A torn update inside one histogram shows as a count that disagrees with the events.
    return std::llround(a.count - b.count) == window.count && window.sum[c] >= 0;
  }
  if (source.counters[c] == nullptr) return true;
  const auto& b = before.*source.counters[c];
  const auto& a = after.*source.counters[c];
  if (!a) return true;
  window.sum[c] = std::llround(*a - b.value_or(0));
  return window.sum[c] >= 0 && (window.count > 0 || window.sum[c] == 0);
}

LayerWindow window_between(const LayerSource& source, const ReplicaScrape& before, const ReplicaScrape& after) {
  LayerWindow window;
  window.replica = after.replica;
  window.open_sent = before.sent;
  window.open_answered = before.answered;
  window.close_sent = after.sent;
  window.close_answered = after.answered;
  const auto from = source.count(before.values), to = source.count(after.values);
  if (!from || !to || is_reset(before.values, after.values)) {
    window.why_unknown = from && to ? "reset" : "no scrape";
    return window;
  }
  window.count = std::llround(*to - *from);
  window.known = whole(*to - *from) && window.count >= 0;
  for (std::size_t c = 0; c < kIntegerChannels; ++c) window.known = read_channel(source, c, before.values, after.values, window) && window.known;
  if (source.latency != nullptr && (before.values.*source.latency).present && (after.values.*source.latency).present) {
    window.latency_sum_s = (after.values.*source.latency).sum - (before.values.*source.latency).sum;
  }
  if (!window.known) window.why_unknown = "no scrape";
  return window;
}

LayerWindow unknown_window(std::size_t replica, Duration opens, Duration closes) {
  LayerWindow window;
  window.replica = static_cast<std::uint16_t>(replica);
  window.open_sent = window.open_answered = opens;
  window.close_sent = window.close_answered = closes;
  window.why_unknown = "no scrape";
  return window;
}

/// Before the first or after the last scrape of all: each replica's own scrape is the edge.
LayerRound edge_round(const ScrapeRound& edge, std::size_t replicas, bool before) {
  LayerRound round;
  for (std::size_t r = 0; r < replicas; ++r) {
    LayerWindow window = unknown_window(r, Duration::min() / 4, Duration::max() / 4);
    const ReplicaScrape* s = edge.of[r];
    (before ? window.close_sent : window.open_sent) = s != nullptr ? s->sent : before ? edge.begin : edge.begin;
    (before ? window.close_answered : window.open_answered) = s != nullptr ? s->answered : edge.end;
    round.windows.push_back(std::move(window));
  }
  return round;
}

/// Windows between two complete boundaries; a replica scraped in between has several.
LayerRound round_between(const LayerSource& source, const std::vector<ScrapeRound>& rounds, std::size_t from, std::size_t to, std::size_t replicas) {
  LayerRound out;
  for (std::size_t r = 0; r < replicas; ++r) {
    if (rounds[from].of[r] == nullptr || rounds[to].of[r] == nullptr) {
      LayerWindow window = unknown_window(r, rounds[from].begin, rounds[to].begin);
      window.open_answered = rounds[from].end;
      window.close_answered = rounds[to].end;
      out.windows.push_back(std::move(window));
      continue;
    }
    const ReplicaScrape* previous = rounds[from].of[r];
    for (std::size_t k = from + 1; k <= to; ++k) {
      if (rounds[k].of[r] == nullptr) continue;
      out.windows.push_back(window_between(source, *previous, *rounds[k].of[r]));
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

/// The local stack's delay is half before the request and half before each chunk; a tenth is left as margin.
Duration way_back(const bench::Run& run) { return run.manifest.network_delay / 2 * 9 / 10; }

void finish_candidates(const bench::Run& run, const protocol::VllmSnapshot& layout, LayerProblem& out) {
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    const auto& r = run.records[i];
    if (!succeeded(r) || r.done == core::kNever) continue;
    LayerCandidate c;
    c.record = static_cast<std::uint32_t>(i);
    c.latest = r.done - way_back(run);
    c.earliest = dispatch_time(r);
    const std::array<std::uint32_t, kIntegerChannels> integers{r.prompt_tokens, r.output_tokens, r.max_tokens};
    for (std::size_t k = 0; k < kIntegerChannels; ++k) {
      c.vector.value[k] = integers[k];
      c.vector.bucket[k] = bucket_of(layout.*finish_source().histograms[k], integers[k]);
    }
    const Duration from = r.sent != core::kNever ? r.sent : dispatch_time(r);
    c.latency_s = core::to_seconds(r.done - from);
    out.candidates.push_back(c);
  }
}

void first_token_candidates(const bench::Run& run, LayerProblem& out) {
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    const auto& r = run.records[i];
    if (!was_sent(r) || r.first_token == core::kNever || r.prompt_tokens == bench::kUnknownCount) continue;
    LayerCandidate c;
    c.record = static_cast<std::uint32_t>(i);
    c.latest = r.first_token - way_back(run);
    c.earliest = dispatch_time(r);
    c.vector.value[0] = r.prompt_tokens;
    c.latency_s = core::to_seconds(r.first_token - (r.sent != core::kNever ? r.sent : dispatch_time(r)));
    out.candidates.push_back(c);
  }
}

void body_candidates(const bench::Run& run, LayerProblem& out) {
  for (std::size_t i = 0; i < run.records.size(); ++i) {
    const auto& r = run.records[i];
    if (!succeeded(r) || r.done == core::kNever) continue;
    LayerCandidate c;
    c.record = static_cast<std::uint32_t>(i);
    c.latest = r.done - way_back(run);
    c.earliest = dispatch_time(r);
    c.vector.value[0] = r.body_bytes;
    out.candidates.push_back(c);
  }
}

Duration median_interval(const std::vector<ScrapeRound>& rounds) {
  std::vector<Duration> gaps;
  for (std::size_t k = 1; k < rounds.size(); ++k) gaps.push_back(rounds[k].begin - rounds[k - 1].begin);
  if (gaps.empty()) return Duration{0};
  const auto middle = gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2);
  std::nth_element(gaps.begin(), middle, gaps.end());
  return *middle;
}

/// Same process under two names: one address, or every movement of one mirrored in the other.
std::string doubled_replica(const bench::Run& run, const LayerProblem& problem) {
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
        const LayerWindow* wa = nullptr;
        const LayerWindow* wb = nullptr;
        for (const auto& w : round.windows) {
          if (w.replica == a) wa = &w;
          if (w.replica == b) wb = &w;
        }
        if (wa == nullptr || wb == nullptr || !wa->known || !wb->known || wa->count + wb->count == 0) continue;
        ++moved;
        mirrored += wa->count == wb->count && wa->sum == wb->sum ? 1 : 0;
      }
      // Lock-step replicas mirror each other too; then the totals add up and there is nothing to suspect.
      if (moved >= 3 && mirrored * 5 >= moved * 4 && problem.totals_known && problem.extra != 0) {
        return "the counters of " + names + " move together: one replica listed twice";
      }
    }
  }
  return {};
}

/// Counted less ours over the whole run, per layer; and for finishes: can these counters be those of the replicas that
/// served? Sets totals, channels and, when no list of replicas could be this one, the refusal.
void total_up(const LayerSource& source, const RunFacts& facts, bool bracketed, LayerProblem& layer,
              std::array<double, kIntegerChannels>& counted_sum) {
  layer.totals_known = bracketed;
  double counted = 0;
  counted_sum = {};
  for (const auto& span : facts.counters) {
    if (!span.usable()) continue;
    const auto& before = span.first->values;
    const auto& after = span.last->values;
    const auto from = source.count(before), to = source.count(after);
    if (!from || !to) {
      layer.totals_known = false;
      continue;
    }
    counted += *to - *from;
    for (std::size_t c = 0; c < kIntegerChannels; ++c) {
      const bool histogram = source.histograms[c] != nullptr && (before.*source.histograms[c]).present && (after.*source.histograms[c]).present;
      const bool counter = source.counters[c] != nullptr;
      if (histogram) counted_sum[c] += (after.*source.histograms[c]).sum - (before.*source.histograms[c]).sum;
      else if (counter) counted_sum[c] += (after.*source.counters[c]).value_or(0) - (before.*source.counters[c]).value_or(0);
      else layer.channel_used[c] = false;
    }
    layer.latency_known = layer.latency_known && source.latency != nullptr && (before.*source.latency).present && (after.*source.latency).present;
  }
  layer.extra = layer.totals_known ? std::llround(counted) - static_cast<std::int64_t>(layer.candidates.size()) : 0;
}

std::array<double, kIntegerChannels> own_sum(const LayerProblem& layer) {
  std::array<double, kIntegerChannels> out{};
  for (const auto& c : layer.candidates) {
    for (std::size_t k = 0; k < kIntegerChannels; ++k) out[k] += static_cast<double>(c.vector.value[k]);
  }
  return out;
}

std::string judge_totals(LayerProblem& finish, const std::array<double, kIntegerChannels>& counted_sum) {
  if (!finish.totals_known) return {};
  if (finish.extra < 0) {
    return "the replicas' counters show " + std::to_string(static_cast<std::int64_t>(finish.candidates.size()) + finish.extra) + " finishes, but " +
           std::to_string(finish.candidates.size()) +
           " of our requests succeeded: a replica that served is missing from the list, or a listed URL is another server's";
  }
  const auto ours = own_sum(finish);
  for (std::size_t c = 0; c < kIntegerChannels; ++c) {
    if (!finish.channel_used[c]) continue;
    const double least = ours[c] + (c == 1 ? 0.0 : static_cast<double>(finish.extra));
    const bool fits = finish.extra == 0 ? std::llround(counted_sum[c] - ours[c]) == 0 : counted_sum[c] >= least;
    if (fits) continue;
    // Servers cap max_tokens to what the context leaves; that channel is then useless, but nothing is proven.
    if (c == 2) {
      finish.channel_used[c] = false;
      continue;
    }
    return std::string("inconsistent: the replicas' ") + (c == 0 ? "prompt" : "output") +
           " token counters do not add up to our responses: a listed URL is another server's";
  }
  return {};
}

void add_rounds(const LayerSource& source, const std::vector<ScrapeRound>& rounds, const std::vector<std::size_t>& boundaries,
                std::size_t replicas, LayerProblem& layer) {
  layer.rounds.clear();
  layer.rounds.push_back(edge_round(rounds[boundaries.front()], replicas, true));
  for (std::size_t b = 1; b < boundaries.size(); ++b) {
    layer.rounds.push_back(round_between(source, rounds, boundaries[b - 1], boundaries[b], replicas));
  }
  layer.rounds.push_back(edge_round(rounds[boundaries.back()], replicas, false));
}

/// A channel in which a response of ours has no value cannot be used at all.
void choose_channels(const LayerSource& source, LayerProblem& layer) {
  for (std::size_t c = 0; c < kIntegerChannels; ++c) {
    layer.channel_used[c] = (source.histograms[c] != nullptr || source.counters[c] != nullptr) &&
                            std::none_of(layer.candidates.begin(), layer.candidates.end(), [&](const LayerCandidate& f) {
                              return f.vector.value[c] == static_cast<std::int64_t>(bench::kUnknownCount);
                            });
  }
  std::stable_sort(layer.candidates.begin(), layer.candidates.end(), [](const LayerCandidate& a, const LayerCandidate& b) { return a.latest < b.latest; });
}

std::vector<double> shares_of(const RunFacts& facts) {
  std::vector<double> out;
  double total = 0;
  for (const auto& span : facts.counters) {
    const auto from = span.usable() ? finished_count(span.first->values) : std::nullopt;
    const auto to = span.usable() ? finished_count(span.last->values) : std::nullopt;
    if (!from || !to) return {};
    out.push_back(*to - *from + 1);
    total += out.back();
  }
  for (double& share : out) share /= total;
  return out;
}

double foreign_rate(const LayerProblem& layer, const RunFacts& facts) {
  Duration length{0};
  for (const auto& span : facts.counters) {
    if (span.usable()) length = std::max(length, span.last->answered - span.first->sent);
  }
  if (layer.extra <= 0 || length.count() <= 0) return 0;
  return static_cast<double>(layer.extra) / core::to_seconds(length) / static_cast<double>(layer.replicas);
}

LayerProblem without_events(const LayerProblem& layer) {
  LayerProblem out;
  out.replicas = layer.replicas;
  out.model = layer.model;
  return out;
}

/// The other layers stand on their own totals; one that does not add up is left out, which costs coverage only.
void add_other_layers(const bench::Run& run, const RunFacts& facts, const std::vector<ScrapeRound>& rounds,
                      const std::vector<std::size_t>& boundaries, bool bracketed, AttributionProblem& problem) {
  std::array<double, kIntegerChannels> counted{};
  LayerProblem first = without_events(problem.finish);
  first.latency_known = true;
  first_token_candidates(run, first);
  choose_channels(first_token_source(), first);
  total_up(first_token_source(), facts, bracketed, first, counted);
  const bool adds_up = !first.totals_known || (first.extra >= 0 && counted[0] >= own_sum(first)[0] - 0.5);
  if (!first.candidates.empty() && adds_up && first.channel_used[0] && exports(facts, &protocol::VllmSnapshot::prompt_tokens)) {
    add_rounds(first_token_source(), rounds, boundaries, problem.replicas, first);
    first.model.foreign_per_s = foreign_rate(first, facts);
    problem.first_token = std::move(first);
  }
  LayerProblem body = without_events(problem.finish);
  body.latency_known = false;
  body_candidates(run, body);
  choose_channels(body_source(), body);
  total_up(body_source(), facts, bracketed, body, counted);
  // Content-Length must have survived the gateway byte for byte, and the sizes must tell responses apart.
  const auto ours = own_sum(body);
  const bool varied = std::any_of(body.candidates.begin(), body.candidates.end(), [&](const LayerCandidate& c) {
    return c.vector.value[0] != body.candidates.front().vector.value[0];
  });
  if (!varied || !body.totals_known || body.extra != 0 || !body.channel_used[0] || std::llround(counted[0] - ours[0]) != 0) return;
  add_rounds(body_source(), rounds, boundaries, problem.replicas, body);
  // Counted just after the response has left: up to some milliseconds after the client has seen its end.
  body.model.offset_s = -0.005;
  body.model.mean_s = 0.0025;
  problem.body = std::move(body);
}

}  // namespace

AttributionProblem attribution_problem(const bench::Run& run, const RunFacts& facts, const std::set<std::uint32_t>& dropped_rounds) {
  AttributionProblem problem;
  problem.replicas = problem.finish.replicas = run.manifest.replicas.size();
  const auto rounds = scrape_rounds(run, dropped_rounds);
  protocol::VllmSnapshot layout;
  for (const auto& s : run.scrapes) {
    if (!usable(s) || !s.values.request_prompt_tokens.present) continue;
    layout = s.values;
    break;
  }
  finish_candidates(run, layout, problem.finish);
  if (problem.replicas == 0) problem.refusal = "no replica's metrics were given (--replica NAME=URL)";
  else if (problem.replicas > kMaxReplicas) problem.refusal = "more than 64 replicas: attribution from counters is not attempted";
  else if (rounds.size() < 2) problem.refusal = "the replicas' metrics could not be scraped, or hold no finish counters";
  if (!problem.refusal.empty()) return problem;
  const auto boundaries = complete_boundaries(rounds, problem.replicas);
  if (boundaries.size() < 2) {
    problem.refusal = "no two rounds of scrapes reached every replica";
    return problem;
  }
  LayerProblem& finish = problem.finish;
  finish.latency_known = true;
  choose_channels(finish_source(), finish);
  std::array<double, kIntegerChannels> counted{};
  const bool bracketed = scrapes_bracket_run(run, facts);
  total_up(finish_source(), facts, bracketed, finish, counted);
  add_rounds(finish_source(), rounds, boundaries, problem.replicas, finish);
  for (const std::size_t b : boundaries) problem.boundary_round_ids.push_back(rounds[b].id);
  problem.scrape_interval = median_interval(rounds);
  problem.refusal = judge_totals(finish, counted);
  if (problem.refusal.empty()) {
    const std::string doubled = doubled_replica(run, finish);
    if (!doubled.empty()) problem.refusal = "inconsistent: " + doubled;
  }
  if (!problem.refusal.empty()) return problem;
  finish.model.replica_share = shares_of(facts);
  finish.model.foreign_per_s = foreign_rate(finish, facts);
  add_other_layers(run, facts, rounds, boundaries, bracketed, problem);
  return problem;
}

}  // namespace analyzers
