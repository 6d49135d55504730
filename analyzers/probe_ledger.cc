// The account of a series of probes: who counted what, whose pages are the same, how far clocks are apart.
// Fed by the verify verb's session. It must never accuse a replica of what one coincidence explains.
#include "analyzers/probe_ledger.h"

#include <algorithm>
#include <cmath>

#include "analyzers/counter_move.h"
#include "analyzers/run_facts.h"

namespace analyzers {
namespace {

using Snapshot = protocol::VllmSnapshot;

std::optional<double> identity_of(const Snapshot& page) {
  return page.process_start_unix_s ? page.process_start_unix_s : page.created_unix_s;
}

bool same_counters(const Snapshot& a, const Snapshot& b) {
  return finished_count(a) == finished_count(b) && a.request_prompt_tokens.sum == b.request_prompt_tokens.sum &&
         a.request_generation_tokens.sum == b.request_generation_tokens.sum && a.e2e.sum == b.e2e.sum;
}

/// Share of rounds in which two pages of one process are equal even when other traffic moves it between the two reads.
constexpr double kEqualShare = 0.8;

}  // namespace

ProbeLedger::Pair& ProbeLedger::pair(std::size_t a, std::size_t b) {
  const std::size_t n = tallies_.size();
  if (pairs_.empty()) pairs_.resize(n * n);
  return pairs_[a * n + b];
}

void ProbeLedger::note_identity(std::size_t replica, const Snapshot& page) {
  const auto identity = identity_of(page);
  auto& seen = identities_[replica];
  if (!identity || (!seen.empty() && seen.back() == *identity)) return;
  // A restart brings a new start time; only another process brings an old one back.
  if (std::find(seen.begin(), seen.end(), *identity) != seen.end()) tallies_[replica].several_processes = true;
  seen.push_back(*identity);
}

void ProbeLedger::compare_pages(const std::vector<std::optional<Snapshot>>& round) {
  for (std::size_t a = 0; a < round.size(); ++a) {
    for (std::size_t b = a + 1; b < round.size(); ++b) {
      if (!round[a] || !round[b] || !finished_count(*round[a])) continue;
      Pair& both = pair(a, b);
      const bool equal = same_counters(*round[a], *round[b]);
      ++both.compared;
      both.equal += equal ? 1 : 0;
      both.told_apart = both.told_apart || identity_of(*round[a]) != identity_of(*round[b]);
      const bool moved = equal && last_[a] && last_[b] && same_counters(*last_[a], *last_[b]) && !same_counters(*last_[a], *round[a]);
      both.moved_together += moved ? 1 : 0;
    }
  }
}

void ProbeLedger::compare_size(const std::vector<std::optional<Snapshot>>& round) {
  if (!pending_size_) return;
  const PendingSize pending = *pending_size_;
  pending_size_.reset();
  const auto& page = round[pending.replica];
  if (!page || !page->http_request_bytes_sum || !page->http_request_count) return;
  // Only a window with this one request says whose size it is.
  if (std::llround(*page->http_request_count - pending.requests_before) != 1) return;
  ++calibration_.sizes_compared;
  if (std::llround(*page->http_request_bytes_sum - pending.bytes_before) == static_cast<std::int64_t>(pending.body_bytes)) {
    ++calibration_.sizes_equal;
  }
}

void ProbeLedger::round(const std::vector<std::optional<Snapshot>>& round) {
  if (round.size() != tallies_.size()) return;
  compare_pages(round);
  compare_size(round);
  for (std::size_t r = 0; r < round.size(); ++r) {
    ReplicaTally& tally = tallies_[r];
    ++tally.rounds;
    if (!round[r]) {
      ++tally.unreadable_rounds;
      continue;
    }
    const Snapshot& page = *round[r];
    note_identity(r, page);
    if (last_[r]) {
      const CounterMove move = counter_move(&*last_[r], &page);
      tally.resets += move.reset ? 1 : 0;
      tally.counted += move.finishes;
    }
    tally.counts_finishes = finished_count(page).has_value();
    tally.has_prompt = page.request_prompt_tokens.present;
    tally.has_output = page.request_generation_tokens.present;
    tally.has_max_tokens = page.request_max_tokens.present;
    tally.has_e2e = page.e2e.present;
    tally.has_first_token = page.prompt_tokens.has_value() && page.ttft.present;
    tally.has_http_bytes = page.http_request_bytes_sum.has_value();
    tally.block_size_tokens = page.block_size_tokens;
    last_[r] = page;
  }
}

void ProbeLedger::attempt(const ProbeJudgement& judgement, const ProbeVector& probe, const ProbeRound& before,
                          const ProbeRound& after, std::uint32_t body_bytes) {
  ++attempts_;
  const auto known = std::find_if(verdicts_.begin(), verdicts_.end(), [&](const auto& v) { return v.first == judgement.verdict; });
  if (known == verdicts_.end()) verdicts_.emplace_back(judgement.verdict, 1);
  else ++known->second;
  if (judgement.verdict != ProbeVerdict::kExact) {
    // Counted twice is up to two finishes of ours on every replica's own account: one each.
    ++unclaimed_;
    misfits_ += judgement.verdict == ProbeVerdict::kUncounted && judgement.misfit ? 1 : 0;
    return;
  }
  const auto r = static_cast<std::size_t>(judgement.replica);
  ++tallies_[r].ours;
  const CounterMove move = counter_move(before[r], after[r]);
  if (move.finishes == 1 && move.e2e_s && probe.latency != core::kNever) {
    const double ms = core::to_ms(probe.latency) - *move.e2e_s * 1e3;
    ++calibration_.n;
    sum_ms_ += ms;
    sum_squares_ += ms * ms;
    const auto n = static_cast<double>(calibration_.n);
    calibration_.mean_ms = sum_ms_ / n;
    if (calibration_.n > 1) calibration_.stddev_ms = std::sqrt(std::max(0.0, (sum_squares_ - sum_ms_ * sum_ms_ / n) / (n - 1)));
  }
  if (before[r]->http_request_bytes_sum && before[r]->http_request_count) {
    pending_size_ = {r, *before[r]->http_request_bytes_sum, *before[r]->http_request_count, body_bytes};
  }
}

std::vector<ReplicaTally> ProbeLedger::replicas() const {
  std::vector<ReplicaTally> out = tallies_;
  for (ReplicaTally& tally : out) {
    tally.foreign_least = std::max<std::int64_t>(0, tally.counted - tally.ours - static_cast<std::int64_t>(unclaimed_));
  }
  return out;
}

std::vector<std::pair<std::size_t, std::size_t>> ProbeLedger::same_process() const {
  std::vector<std::pair<std::size_t, std::size_t>> out;
  const std::size_t n = tallies_.size();
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const Pair& both = pairs_[i];
    const bool equal = static_cast<double>(both.equal) >= kEqualShare * static_cast<double>(both.compared);
    if (both.moved_together > 0 && equal && !both.told_apart) out.emplace_back(i / n, i % n);
  }
  return out;
}

std::size_t ProbeLedger::with(ProbeVerdict verdict) const {
  for (const auto& [each, count] : verdicts_) {
    if (each == verdict) return count;
  }
  return 0;
}

bool ProbeLedger::list_is_wrong() const {
  constexpr std::size_t kEnoughRounds = 5;
  const bool unusable = std::any_of(tallies_.begin(), tallies_.end(), [](const ReplicaTally& tally) {
    return tally.several_processes || (tally.rounds >= kEnoughRounds && tally.unreadable_rounds == tally.rounds);
  });
  return with(ProbeVerdict::kUncounted) > 1 || unusable || !same_process().empty();
}

}  // namespace analyzers
