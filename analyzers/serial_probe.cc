// Judging probes from counter moves, reserved buckets, and the sequence of one probe.
// Called by attribution_serial.cc on stored runs and by the verify verb on live ones.
#include "analyzers/serial_probe.h"

#include <algorithm>
#include <cmath>

#include "analyzers/counter_move.h"

namespace analyzers {
namespace {

struct Moves {
  std::vector<CounterMove> of_replica;
  std::int64_t finishes = 0;
  bool reset = false, missing = false;
};

Moves moves_between(const ProbeRound& before, const ProbeRound& after) {
  Moves moves;
  moves.missing = before.empty() || before.size() != after.size();
  if (moves.missing) return moves;
  for (std::size_t r = 0; r < before.size(); ++r) {
    moves.of_replica.push_back(counter_move(before[r], after[r]));
    const CounterMove& move = moves.of_replica.back();
    moves.reset = moves.reset || move.reset;
    moves.missing = moves.missing || (!move.readable && !move.reset);
    moves.finishes += move.finishes;
  }
  return moves;
}

/// What forbids any judgement; nothing when all replicas were read.
std::optional<ProbeJudgement> unreadable(const Moves& moves) {
  if (moves.reset) return ProbeJudgement{ProbeVerdict::kReset, -1, moves.finishes, false};
  if (moves.missing) return ProbeJudgement{ProbeVerdict::kNoScrape, -1, moves.finishes, false};
  return std::nullopt;
}

bool holds_one(const CounterMove& move, const ProbeVector& probe, bool as_asked) {
  const ProbeVector* one[] = {&probe};
  return can_hold(move, one, as_asked);
}

ProbeJudgement exact(std::size_t replica, std::int64_t finishes) {
  return {ProbeVerdict::kExact, static_cast<std::int16_t>(replica), finishes, false};
}

std::int64_t in_bucket(const CounterMove& move, const ProbeVector& probe) {
  const std::size_t bucket = bucket_of(move.max_tokens.upper, probe.max_tokens);
  return bucket < move.max_tokens.buckets.size() ? move.max_tokens.buckets[bucket] : 0;
}

/// The replica whose bucket of this probe moved, by how much in all, and on how many replicas.
struct BucketMove {
  std::int64_t total = 0;
  std::size_t replica = 0, replicas = 0;
};
BucketMove bucket_move(const Moves& moves, const ProbeVector& probe) {
  BucketMove out;
  for (std::size_t r = 0; r < moves.of_replica.size(); ++r) {
    const std::int64_t n = in_bucket(moves.of_replica[r], probe);
    if (n == 0) continue;
    out.total += n;
    out.replica = r;
    ++out.replicas;
  }
  return out;
}

}  // namespace

std::string_view to_string(ProbeVerdict verdict) {
  switch (verdict) {
    case ProbeVerdict::kExact: return "exact";
    case ProbeVerdict::kNotYet: return "not counted yet";
    case ProbeVerdict::kUncounted: return "not counted";
    case ProbeVerdict::kForeign: return "foreign";
    case ProbeVerdict::kTwice: return "counted twice";
    case ProbeVerdict::kReset: return "reset";
    case ProbeVerdict::kNoScrape: return "no scrape";
    case ProbeVerdict::kFailed: return "failed";
  }
  return "";
}

ProbeJudgement judge_alone(const ProbeRound& before, const ProbeRound& after, const ProbeVector& probe) {
  const Moves moves = moves_between(before, after);
  if (auto bad = unreadable(moves)) return *bad;
  if (moves.finishes == 0) return {ProbeVerdict::kNotYet, -1, 0, false};
  std::size_t holders = 0;
  std::size_t exact_fits = 0;
  std::size_t holder = 0;
  for (std::size_t r = 0; r < moves.of_replica.size(); ++r) {
    if (!holds_one(moves.of_replica[r], probe, false)) continue;
    ++holders;
    holder = r;
    exact_fits += moves.of_replica[r].finishes == 1 ? 1 : 0;
  }
  if (holders == 0) return {ProbeVerdict::kNotYet, -1, moves.finishes, true};
  if (moves.finishes == 1) return exact(holder, 1);
  const bool twice = exact_fits >= 2 && static_cast<std::int64_t>(exact_fits) == moves.finishes;
  return {twice ? ProbeVerdict::kTwice : ProbeVerdict::kForeign, -1, moves.finishes, false};
}

ProbeJudgement judge_reserved(const ProbeRound& before, const ProbeRound& after, const ProbeVector& probe) {
  return judge_batch(before, after, {&probe, 1}, true).front();
}

std::vector<ProbeJudgement> judge_batch(const ProbeRound& before, const ProbeRound& after, std::span<const ProbeVector> probes,
                                        bool reserved) {
  const Moves moves = moves_between(before, after);
  const auto all = [&](ProbeVerdict verdict) {
    return std::vector<ProbeJudgement>(probes.size(), ProbeJudgement{verdict, -1, moves.finishes, false});
  };
  if (auto bad = unreadable(moves)) return all(bad->verdict);
  if (moves.finishes < static_cast<std::int64_t>(probes.size())) return all(ProbeVerdict::kNotYet);
  auto out = all(ProbeVerdict::kForeign);
  std::vector<std::vector<const ProbeVector*>> counted_by(moves.of_replica.size());
  bool all_found = true;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    const BucketMove bucket = bucket_move(moves, probes[i]);
    if (bucket.total == 1 && bucket.replicas == 1) {
      out[i] = exact(bucket.replica, moves.finishes);
      counted_by[bucket.replica].push_back(&probes[i]);
      continue;
    }
    all_found = false;
    if (bucket.total == 0) out[i].verdict = ProbeVerdict::kNotYet;
    if (bucket.total == 2 && bucket.replicas == 2) out[i].verdict = ProbeVerdict::kTwice;
  }
  const bool nothing_else = moves.finishes == static_cast<std::int64_t>(probes.size());
  bool fits = true;
  for (std::size_t r = 0; r < counted_by.size(); ++r) {
    const bool holds = can_hold(moves.of_replica[r], counted_by[r], true);
    fits = fits && holds;
    if (holds || !reserved) continue;
    for (std::size_t i = 0; i < probes.size(); ++i) {
      if (out[i].replica == static_cast<std::int16_t>(r)) out[i] = {ProbeVerdict::kForeign, -1, moves.finishes, false};
    }
  }
  if (reserved || (all_found && nothing_else && fits)) return out;
  for (ProbeJudgement& each : out) {
    if (each.verdict == ProbeVerdict::kExact) each = {ProbeVerdict::kForeign, -1, moves.finishes, false};
  }
  return out;
}

std::vector<FreeBucket> free_buckets(const ProbeRound& first, const ProbeRound& last, std::uint32_t most_tokens) {
  const Moves moves = moves_between(first, last);
  if (moves.reset || moves.missing) return {};
  const HistogramMove& lead = moves.of_replica.front().max_tokens;
  for (const CounterMove& move : moves.of_replica) {
    if (move.max_tokens.buckets.empty() || move.max_tokens.upper != lead.upper) return {};
  }
  std::vector<FreeBucket> out;
  for (std::size_t b = 0; b < lead.upper.size(); ++b) {
    const double least = b == 0 ? 1 : std::floor(lead.upper[b - 1]) + 1;
    if (least > most_tokens || least > lead.upper[b]) continue;
    const bool still = std::all_of(moves.of_replica.begin(), moves.of_replica.end(),
                                   [b](const CounterMove& move) { return move.max_tokens.buckets[b] == 0; });
    if (still) out.push_back({static_cast<std::uint8_t>(b), static_cast<std::uint32_t>(least)});
  }
  return out;
}

bool ProbeReservation::holds(const ProbeRound& first, const ProbeRound& newest, std::size_t finished) const {
  const Moves moves = moves_between(first, newest);
  if (moves.reset || moves.missing) return false;
  std::int64_t counted = 0;
  for (const CounterMove& move : moves.of_replica) {
    for (const FreeBucket& each : buckets_) {
      if (each.bucket < move.max_tokens.buckets.size()) counted += move.max_tokens.buckets[each.bucket];
    }
  }
  return counted == static_cast<std::int64_t>(finished);
}

ProbeVerdict confirm(const ProbeRound& after, const ProbeRound& later, const ProbeVector& probe, bool reserved) {
  const Moves moves = moves_between(after, later);
  if (const auto bad = unreadable(moves)) return bad->verdict;
  const bool again = std::any_of(moves.of_replica.begin(), moves.of_replica.end(), [&](const CounterMove& move) {
    return holds_one(move, probe, reserved) && (!reserved || in_bucket(move, probe) > 0);
  });
  return again ? ProbeVerdict::kTwice : ProbeVerdict::kExact;
}

ProbeRound view(const std::vector<std::optional<protocol::VllmSnapshot>>& round) {
  ProbeRound out;
  for (const auto& each : round) out.push_back(each ? &*each : nullptr);
  return out;
}

ProbeRound ProbeSequence::before() const { return view(before_); }
ProbeRound ProbeSequence::after() const { return view(after_); }

void ProbeSequence::scraped(std::vector<std::optional<protocol::VllmSnapshot>> round) {
  if (step_ == Step::kScrapeBefore) {
    before_ = std::move(round);
    step_ = Step::kSend;
    return;
  }
  if (step_ == Step::kSend || step_ == Step::kDone) return;
  if (step_ == Step::kConfirm) {
    const ProbeVerdict verdict = confirm(after(), view(round), probe_, reserved_);
    if (verdict == ProbeVerdict::kNoScrape && ++confirmations_ < limits_.scrapes_after) return;
    if (verdict != ProbeVerdict::kExact) judgement_ = {verdict, -1, judgement_.finishes, false};
    return settle();
  }
  after_ = std::move(round);
  ++scrapes_;
  judge();
}

void ProbeSequence::answered(const ProbeVector& probe) {
  if (step_ != Step::kSend) return;
  probe_ = probe;
  ++attempts_;
  scrapes_ = 0;
  step_ = Step::kScrapeAfter;
}

void ProbeSequence::failed() {
  if (step_ != Step::kSend) return;
  ++attempts_;
  judgement_ = {ProbeVerdict::kFailed, -1, 0, false};
  step_ = Step::kDone;
}

void ProbeSequence::judge() {
  judgement_ = reserved_ ? judge_reserved(before(), after(), probe_) : judge_alone(before(), after(), probe_);
  const bool may_come = judgement_.verdict == ProbeVerdict::kNotYet || judgement_.verdict == ProbeVerdict::kNoScrape;
  if (may_come && scrapes_ < limits_.scrapes_after) {
    step_ = Step::kWaitThenScrapeAfter;
    return;
  }
  if (judgement_.verdict == ProbeVerdict::kNotYet) judgement_.verdict = ProbeVerdict::kUncounted;
  if (judgement_.verdict == ProbeVerdict::kExact) {
    step_ = Step::kConfirm;
    confirmations_ = 0;
    return;
  }
  settle();
}

void ProbeSequence::settle() {
  // What was counted nowhere, or twice, or could not be scraped in several rounds, will be so again: one repeat confirms it.
  const bool lasting = judgement_.verdict == ProbeVerdict::kUncounted || judgement_.verdict == ProbeVerdict::kTwice ||
                       judgement_.verdict == ProbeVerdict::kNoScrape;
  if (judgement_.verdict == ProbeVerdict::kExact || attempts_ >= limits_.attempts || (lasting && attempts_ >= 2)) {
    step_ = Step::kDone;
    return;
  }
  earlier_.push_back(judgement_);
  step_ = Step::kScrapeBefore;
}

}  // namespace analyzers
