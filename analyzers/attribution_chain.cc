// solve_layer(): places candidates in rounds, solves each round and chains them. A response whose bracket straddles a
// scrape is counted in exactly one of its rounds; forward-backward runs over the sets of straddlers already counted.
// It must never turn "cannot tell" into a replica: a round that is not solved lets everything through.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "analyzers/attribution_chain.h"

namespace analyzers {
namespace {

/// States this much (log) below the likeliest are left out. A foreign event costs about 45, and where it was counted may
/// show only rounds later.
constexpr double kLeastState = -160;
/// Chance that a round holds more foreign events than the solver allows for, and the most that it ever does.
constexpr double kForeignTail = 1e-5;
constexpr std::int64_t kMaxForeign = 6;
/// Rounds in a row that are too dense before a round's budget is halved, and the most halvings.
constexpr std::size_t kDensePatience = 6, kMostThrift = 4;
/// Rounds whose solutions are held at a time, and how many further rounds have a say in each; fewer where many ways
/// through them take more memory.
constexpr std::size_t kBlock = 96, kLookahead = 48, kLeastLookahead = 12;
constexpr std::size_t kMostHeld_bytes = std::size_t{24} << 20;

/// Least count that a Poisson variable of this mean exceeds with a chance below kForeignTail.
std::int64_t most_foreign(double mean) {
  double term = std::exp(-mean), tail = 1 - term;
  std::int64_t n = 0;
  for (; tail > kForeignTail && n < kMaxForeign; ++n) {
    term *= mean / static_cast<double>(n + 1);
    tail -= term;
  }
  return std::max<std::int64_t>(n, 1);
}

std::size_t solution_bytes(const RoundSolution& round) {
  std::size_t bytes = 0;
  for (const auto& g : round.groups) bytes += sizeof(g) + sizeof(double) * g.share.size() + sizeof(std::int16_t) * g.best.size();
  return bytes;
}

}  // namespace

double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == -std::numeric_limits<double>::infinity() ? a : a + std::log1p(std::exp(b - a));
}

LayerPosterior Chain::run() {
  const std::size_t n = problem_.candidates.size();
  out_.replicas = problem_.replicas;
  out_.p.assign(n * problem_.replicas, 0.0f);
  out_.settled.assign(n, 0);
  out_.blocked.assign(n, 0);
  out_.reason.assign(n, {});
  out_.rounds.assign(problem_.rounds.size(), RoundStatus::kUnknown);
  place();
  limit_foreign();
  links_.resize(problem_.rounds.size() + 1);
  links_[0].before.push_back({{}, 0, kNever});
  open_.assign(out_.p.size(), 0.0f);
  for (std::size_t k = 0; k < problem_.rounds.size(); ++k) {
    if (k == 0) solve_one(0);
    if (k + 1 < problem_.rounds.size()) solve_one(k + 1);
    forward(k);
    const std::size_t open = k + 1 - collected_;
    if (open >= kBlock + kLookahead) finish_block(k + 1, k + 1 - kLookahead);
    else if (held_bytes_ > kMostHeld_bytes && open >= 2 * kLeastLookahead) finish_block(k + 1, k + 1 - kLeastLookahead);
  }
  finish_block(problem_.rounds.size(), problem_.rounds.size());
  normalise();
  explain();
  return std::move(out_);
}

/// Rounds whose windows may hold an event between `earliest` and `latest`.
std::size_t Chain::first_round(core::Duration earliest) const {
  return static_cast<std::size_t>(std::partition_point(closes_.begin(), closes_.end(), [&](core::Duration close) { return close < earliest; }) - closes_.begin());
}

void Chain::place() {
  for (const auto& round : problem_.rounds) {
    core::Duration close = core::Duration::min();
    for (const auto& w : round.windows) close = std::max(close, w.close_answered);
    closes_.push_back(close);
  }
  const std::size_t end = std::min<std::size_t>(options_.last_candidate, problem_.candidates.size());
  solved_.resize(problem_.rounds.size());
  placements_.resize(problem_.candidates.size());
  for (std::size_t i = options_.first_candidate; i < end; ++i) place_one(static_cast<std::uint32_t>(i));
}

void Chain::place_one(std::uint32_t i) {
  const LayerCandidate& c = problem_.candidates[i];
  const DelayModel& m = problem_.model;
  const auto reach = core::from_seconds(m.hold_limit_s + std::max(0.0, m.offset_s) + 30 * m.mean_s);
  Placement& placement = placements_[i];
  struct Found {
    std::uint32_t round = 0;
    std::vector<WindowOption> options;
    double best = kNever;
  };
  std::vector<Found> found;
  for (std::size_t k = first_round(std::max(c.earliest, c.latest - reach)); k < problem_.rounds.size(); ++k) {
    Found f{static_cast<std::uint32_t>(k), {}, kNever};
    bool later = true;
    for (const auto& w : problem_.rounds[k].windows) {
      f.options.push_back(window_option(m, c, w, problem_.replicas));
      if (f.options.back().p > 0) f.best = std::max(f.best, f.options.back().log_p);
      later = later && w.open_sent > c.latest + core::from_seconds(std::max(0.0, -m.offset_s));
    }
    if (later) break;
    if (f.best == kNever) continue;
    placement.best_log = std::max(placement.best_log, f.best);
    found.push_back(std::move(f));
  }
  std::erase_if(found, [&](const Found& f) { return f.best < placement.best_log + options_.limits.least_log_weight; });
  if (found.empty()) return;
  placement.placed = true;
  placement.first = found.front().round;
  placement.last = found.back().round;
  for (std::size_t at = 0; at < found.size(); ++at) {
    double outside = kNever;
    for (std::size_t other = 0; other < found.size(); ++other) {
      if (other != at) outside = std::max(outside, found[other].best);
    }
    RoundSolution& round = solved_[found[at].round];
    round.members.push_back({i, at > 0, at + 1 < found.size(), placement.best_log, outside});
    round.options.insert(round.options.end(), found[at].options.begin(), found[at].options.end());
  }
}

/// Between boundaries that no bracket crosses, counted less ours is exactly the number of foreign events.
void Chain::limit_foreign() {
  std::size_t begin = 0;
  for (std::size_t k = 0; k < problem_.rounds.size(); ++k) {
    const bool crosses = std::any_of(solved_[k].members.begin(), solved_[k].members.end(), [](const RoundMember& m) { return m.goes_on; });
    if (crosses && k + 1 < problem_.rounds.size()) continue;
    limit_foreign(begin, k + 1);
    begin = k + 1;
  }
}

void Chain::limit_foreign(std::size_t begin, std::size_t end) {
  std::int64_t counted = 0, ours = 0;
  bool known = true;
  for (std::size_t k = begin; k < end; ++k) {
    known = known && problem_.rounds[k].all_known();
    counted += problem_.rounds[k].count();
    for (const auto& m : solved_[k].members) ours += m.came_in ? 0 : 1;
  }
  std::int64_t foreign = known ? counted - ours : problem_.model.foreign_per_s > 0 ? 1 : 0;
  if (problem_.totals_known) foreign = std::min(foreign, problem_.extra);
  foreign = std::max<std::int64_t>(foreign, 0);
  for (std::size_t k = begin; k < end; ++k) {
    foreign_.push_back(std::min({foreign, problem_.rounds[k].count(), most_foreign_in(k)}));
    if (known && counted < ours) solved_[k].status = RoundStatus::kInconsistent;
  }
}

void Chain::solve_one(std::size_t k) {
  RoundSolution& round = solved_[k];
  if (round.status == RoundStatus::kUnknown) {
    if (!round.members.empty() || problem_.rounds[k].count() > 0) {
      solve_round(problem_, static_cast<std::uint32_t>(k), foreign_[k], limits_now(), round);
      dense_in_a_row_ = round.status == RoundStatus::kTooDense ? dense_in_a_row_ + 1 : 0;
    } else {
      round.status = RoundStatus::kSolved;
      round.groups.push_back({{}, 0, {}, {}, 1});
    }
  }
  held_bytes_ += solution_bytes(round);
  // Rounds outside the part that is decoded hold others' events; they must not be read as contradictions.
  if (partial() && round.members.empty()) round.status = RoundStatus::kUnknown;
}

/// Where round after round is too dense, the next one hardly is not: less is spent on finding that out.
LayerLimits Chain::limits_now() const {
  LayerLimits limits = options_.limits;
  limits.nodes >>= std::min<std::size_t>(dense_in_a_row_ / kDensePatience, kMostThrift);
  return limits;
}

std::int64_t Chain::most_foreign_in(std::size_t k) const {
  const auto& windows = problem_.rounds[k].windows;
  double seconds = 0;
  for (const auto& w : windows) seconds += core::to_seconds(w.close_answered - w.open_sent);
  return most_foreign(problem_.model.foreign_per_s * std::clamp(seconds, 0.0, 60.0));
}

/// Bits of round k's members in round k + 1 (a member that skips k + 1 is carried by none: brackets are contiguous).
std::vector<std::size_t> Chain::bits_after(std::size_t k) const {
  std::vector<std::size_t> out(solved_[k].members.size(), kGone);
  if (k + 1 == solved_.size()) return out;
  const auto& next = solved_[k + 1].members;
  for (std::size_t m = 0; m < out.size(); ++m) {
    const std::uint32_t candidate = solved_[k].members[m].candidate;
    const auto at = std::lower_bound(next.begin(), next.end(), candidate, [](const RoundMember& a, std::uint32_t c) { return a.candidate < c; });
    if (at != next.end() && at->candidate == candidate && at->came_in) out[m] = static_cast<std::size_t>(at - next.begin());
  }
  return out;
}

Mask Chain::carry(const Mask& counted, const std::vector<std::size_t>& bits) {
  Mask out;
  counted.each([&](std::size_t m) {
    if (bits[m] != kGone) out |= Mask::bit(bits[m]);
  });
  return out;
}

void Chain::prepare_link(std::size_t k) {
  Link& link = links_[k];
  link.next_index = bits_after(k);
  const auto& members = solved_[k].members;
  for (std::size_t m = 0; m < members.size() && m < Mask::kBits; ++m) {
    if (!members[m].goes_on) link.ends |= Mask::bit(m);
    if (members[m].came_in) link.came_in |= Mask::bit(m);
  }
  const Mask decided = link.ends & link.came_in;
  for (std::size_t g = 0; g < solved_[k].groups.size(); ++g) link.by_need.emplace_back(solved_[k].groups[g].counted & decided, static_cast<std::uint32_t>(g));
  std::sort(link.by_need.begin(), link.by_need.end());
}

/// Round k + 1 is solved already: where neither is, how its members enter it does not matter.
void Chain::forward(std::size_t k) {
  prepare_link(k);
  std::map<Mask, double> after;
  if (solved_[k].status == RoundStatus::kSolved) solved_[k].status = step_forward(k, after);
  if (solved_[k].status != RoundStatus::kSolved) {
    const bool wanted = k + 1 < solved_.size() && solved_[k + 1].status == RoundStatus::kSolved;
    if (!wanted) after = {{Mask{}, 0.0}};
    // Too many ways to enter the next round: it cannot be solved either.
    else if (!open_states(k, after)) solved_[k + 1].status = RoundStatus::kTooDense;
  }
  take_states(after, links_[k + 1].before);
}

RoundStatus Chain::step_forward(std::size_t k, std::map<Mask, double>& after) const {
  std::size_t pairs = 0;
  const bool within = steps(k, [&](std::size_t s, std::size_t g, const Mask& next) {
    const double w = links_[k].before[s].log_forward + solved_[k].groups[g].log_weight;
    const auto at = after.emplace(next, w);
    if (!at.second) at.first->second = log_add(at.first->second, w);
    return ++pairs <= options_.limits.steps && after.size() <= options_.limits.states;
  });
  if (!within) return RoundStatus::kTooDense;
  return after.empty() ? RoundStatus::kInconsistent : RoundStatus::kSolved;
}

void Chain::take_states(const std::map<Mask, double>& after, std::vector<State>& out) {
  double best = kNever;
  for (const auto& entry : after) best = std::max(best, entry.second);
  for (const auto& entry : after) {
    // Relative to the best: a long chain must not run out of exponents.
    if (entry.second >= best + kLeastState) out.push_back({entry.first, entry.second - best, kNever});
  }
}

/// After a round that proves nothing: what goes on may have been counted by then or not, each by its own prior. False:
/// too many combinations.
bool Chain::open_states(std::size_t k, std::map<Mask, double>& out) const {
  out = {{Mask{}, 0.0}};
  const auto& members = solved_[k].members;
  for (std::size_t m = 0; m < members.size(); ++m) {
    const std::size_t bit = links_[k].next_index[m];
    if (bit == kGone) continue;
    const double here = std::exp(here_log(k, m)), later = std::exp(std::min(0.0, members[m].outside_log));
    std::map<Mask, double> next;
    for (const auto& entry : out) {
      const double counted = entry.second + std::log(here / (here + later));
      const double open = entry.second + std::log(later / (here + later));
      if (open >= kLeastState) next[entry.first] = open;
      if (counted >= kLeastState) next[entry.first | Mask::bit(bit)] = counted;
    }
    if (bit >= Mask::kBits || next.size() > options_.limits.states) {
      out = {{Mask{}, 0.0}};
      return false;
    }
    out = std::move(next);
  }
  return true;
}

double Chain::here_log(std::size_t k, std::size_t m) const {
  const std::size_t windows = problem_.rounds[k].windows.size();
  double p = 0;
  for (std::size_t w = 0; w < windows; ++w) p += solved_[k].options[m * windows + w].p;
  return std::log(p);
}

/// What rounds up to `end` say, back to the first that is not collected yet.
void Chain::backward(std::size_t end) {
  for (auto& state : links_[end].before) state.log_backward = 0;
  for (std::size_t k = end; k-- > collected_;) {
    auto& before = links_[k].before;
    if (solved_[k].status != RoundStatus::kSolved) {
      for (auto& state : before) state.log_backward = 0;
      continue;
    }
    for (auto& state : before) state.log_backward = kNever;
    steps(k, [&](std::size_t s, std::size_t g, const Mask& next) {
      const State* after = find_state(k + 1, next);
      if (after != nullptr) before[s].log_backward = log_add(before[s].log_backward, solved_[k].groups[g].log_weight + after->log_backward);
      return true;
    });
    double best = kNever;
    for (const auto& state : before) best = std::max(best, state.log_backward);
    if (best == kNever) {
      // Nothing after this round fits what it left open: the contradiction is here.
      solved_[k].status = RoundStatus::kInconsistent;
      for (auto& state : before) state.log_backward = 0;
      continue;
    }
    for (auto& state : before) state.log_backward -= best;
  }
}

/// Reads off rounds up to `upto` by what all rounds up to `end` say, and lets go of their solutions: those of a long run
/// would not fit into memory.
void Chain::finish_block(std::size_t end, std::size_t upto) {
  backward(end);
  for (std::size_t k = collected_; k < upto; ++k) collect(k);
  for (std::size_t k = collected_; k < upto; ++k) {
    RoundSolution& round = solved_[k];
    held_bytes_ -= solution_bytes(round);
    std::vector<RoundGroup>().swap(round.groups);
    std::vector<WindowOption>().swap(round.options);
    links_[k] = {};
  }
  collected_ = upto;
}

void BucketCounts::set(std::size_t channel, const std::vector<std::int32_t>& counts) {
  buckets_[channel] = static_cast<std::uint8_t>(counts.size());
  std::erase_if(moved_, [&](const Moved& m) { return m.channel == channel; });
  for (std::size_t b = 0; b < counts.size(); ++b) {
    if (counts[b] != 0) moved_.push_back({static_cast<std::uint8_t>(channel), static_cast<std::uint8_t>(b), counts[b]});
  }
  moved_.shrink_to_fit();
}

std::vector<std::int32_t> BucketCounts::of(std::size_t channel) const {
  std::vector<std::int32_t> out(buckets_[channel], 0);
  each(channel, [&](std::size_t b, std::int32_t count) { out[b] = count; });
  return out;
}

bool LayerRound::all_known() const {
  return std::all_of(windows.begin(), windows.end(), [](const LayerWindow& w) { return w.known; });
}

std::int64_t LayerRound::count() const {
  std::int64_t sum = 0;
  for (const auto& w : windows) sum += w.known ? w.count : 0;
  return sum;
}

LayerPosterior solve_layer(const LayerProblem& problem, const LayerOptions& options) { return Chain(problem, options).run(); }

}  // namespace analyzers
