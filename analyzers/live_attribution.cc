// See live_attribution.h. The part of the run that is undecided, and a little before it, goes through the same problem and
// solver as the whole run does afterwards; the delay model is fitted to the last responses now and then.
#include "analyzers/live_attribution.h"

#include <algorithm>
#include <array>

#include "analyzers/attribution_model.h"

namespace analyzers {
namespace {

using core::Duration;
using namespace std::chrono_literals;

constexpr Duration kBeginning = Duration::min() / 4;
/// A response counted before a scrape is seen by the client this much later at most; longer holds show as contradictions.
constexpr Duration kHold = 60ms;
constexpr Duration kContext = 300ms;          ///< what is decided anew for the sake of what straddles its end
constexpr std::size_t kLag = 2;               ///< rounds
constexpr std::size_t kRetained = 1500;       ///< responses that the model is fitted to
constexpr std::size_t kMostScrapes = 8000;
constexpr std::array<std::size_t, 3> kFirstFits{150, 500, 1500};
constexpr std::size_t kFitEvery = 5000;
constexpr double kMaxContradicting = 0.05;
constexpr std::size_t kLeastContradicting = 3;
/// Responses whose finish no replica has counted: more than these, and the list is wrong.
constexpr double kMissingShare = 0.01, kMissingFew = 5;

Duration opening(const LayerRound& round) {
  Duration out = Duration::max();
  for (const auto& w : round.windows) out = std::min(out, w.open_sent);
  return out;
}

Duration closing(const LayerRound& round) {
  Duration out = Duration::min();
  for (const auto& w : round.windows) out = std::max(out, w.close_answered);
  return out;
}

}  // namespace

LiveAttribution::LiveAttribution(const std::vector<bench::ReplicaInfo>& replicas, Duration network_delay)
    : decided_until_(kBeginning), now_(kBeginning), first_scrape_(kBeginning), latest_(replicas.size()), counted_(replicas.size(), 0) {
  manifest_.replicas = replicas;
  manifest_.network_delay = network_delay;
  shares_.of_replica.assign(replicas.size(), 0);
  shares_.as_of = kBeginning;
}

void LiveAttribution::add(const std::vector<bench::RequestRecord>& records, const std::vector<bench::ReplicaScrape>& scrapes) {
  for (const auto& s : scrapes) {
    now_ = std::max(now_, s.answered);
    if (usable(s) && s.replica < latest_.size() && finished_count(s.values)) fresh_.push_back(s);
  }
  for (const auto& r : records) {
    if (!succeeded(r) || r.done == core::kNever) continue;
    ++succeeded_;
    now_ = std::max(now_, r.done);
    if (r.done < decided_until_) {
      ++shares_.decided;
      ++shares_.passed_over;
      continue;
    }
    ++shares_.undecided;
    records_.push_back(r);
  }
}

/// Scrapes so old that whatever they counted has been seen; fresh ones wait.
void LiveAttribution::take_scrapes() {
  std::deque<bench::ReplicaScrape> later;
  for (auto& scrape : fresh_) {
    if (scrape.answered > now_ - kHold) {
      later.push_back(std::move(scrape));
      continue;
    }
    if (first_scrape_ == kBeginning) first_scrape_ = scrape.sent;
    auto& latest = latest_[scrape.replica];
    if (!latest.ok) totals_known_ = totals_known_ && ended_before(scrape.sent) == 0;
    else if (is_reset(latest.values, scrape.values)) totals_known_ = false;
    else counted_[scrape.replica] += *finished_count(scrape.values) - *finished_count(latest.values);
    latest = scrape;
    scrapes_.push_back(std::move(scrape));
  }
  fresh_.swap(later);
}

double LiveAttribution::ended_before(Duration when) const {
  const auto later = std::count_if(records_.begin(), records_.end(), [&](const auto& r) { return r.done >= when; });
  return static_cast<double>(succeeded_) - static_cast<double>(later);
}

/// What the counters as a whole say: is a replica missing, and how much is not ours?
void LiveAttribution::judge_totals() {
  model_.foreign_per_s = 0;
  Duration sent = Duration::max(), answered = Duration::min();
  double counted = 0;
  for (std::size_t r = 0; r < latest_.size(); ++r) {
    if (!latest_[r].ok) return;
    sent = std::min(sent, latest_[r].sent);
    answered = std::max(answered, latest_[r].answered);
    counted += counted_[r];
  }
  if (!totals_known_) return;
  const double ours = ended_before(sent);
  if (ours - counted > std::max(kMissingFew, kMissingShare * ours)) {
    shares_.contradiction = "the replicas have counted " + std::to_string(static_cast<std::size_t>(counted)) + " finishes, but " +
                            std::to_string(static_cast<std::size_t>(ours)) +
                            " responses have ended: a replica that serves is missing from the list";
  }
  const double foreign = counted - ended_before(answered + kHold);
  const double elapsed_s = core::to_seconds(sent - first_scrape_);
  if (foreign > 0 && elapsed_s > 0) model_.foreign_per_s = foreign / elapsed_s / static_cast<double>(latest_.size());
}

bench::Run LiveAttribution::part_from(Duration begin) const {
  bench::Run part;
  part.manifest = manifest_;
  for (const auto& s : scrapes_) {
    if (s.sent >= begin) part.scrapes.push_back(s);
  }
  for (const auto& r : records_) {
    if (r.done >= begin) part.records.push_back(r);
  }
  return part;
}

/// Of a round of scrapes, so that what ended before it need not be known.
Duration LiveAttribution::context_begin() const {
  const bench::ReplicaScrape* last = nullptr;
  for (const auto& s : scrapes_) {
    if (s.sent <= decided_until_ - kContext) last = &s;
  }
  Duration begin = last == nullptr ? kBeginning : last->sent;
  for (const auto& s : scrapes_) {
    if (last != nullptr && s.round == last->round) begin = std::min(begin, s.sent);
  }
  return begin;
}

void LiveAttribution::fit_when_due() {
  if (succeeded_ < next_fit_) return;
  const bench::Run part = part_from(kBeginning);
  AttributionProblem problem = attribution_problem(part, facts_of(part));
  if (!problem.refusal.empty() || problem.finish.candidates.empty()) return;
  problem.finish.model.foreign_per_s = model_.foreign_per_s;
  problem.finish.model.replica_share = shares_of_counters();
  calibrate(problem.finish, LayerLimits{});
  model_ = std::move(problem.finish.model);
  const auto* const next = std::upper_bound(kFirstFits.begin(), kFirstFits.end(), succeeded_);
  next_fit_ = succeeded_ < kFirstFits.front() ? succeeded_ + 1 : next != kFirstFits.end() ? *next : succeeded_ + kFitEvery;
}

std::vector<double> LiveAttribution::shares_of_counters() const {
  std::vector<double> out;
  double sum = 0;
  for (const double c : counted_) sum += c + 1;
  for (const double c : counted_) out.push_back((c + 1) / sum);
  return out;
}

void LiveAttribution::decide() {
  if (latest_.empty()) return;
  take_scrapes();
  shares_.contradiction.clear();
  judge_totals();
  if (shares_.undecided > kMostUndecided) pass_over();
  fit_when_due();
  const bench::Run part = part_from(context_begin());
  AttributionProblem problem = attribution_problem(part, facts_of(part));
  if (!problem.refusal.empty()) {
    if (problem.refusal.rfind("inconsistent", 0) == 0) shares_.contradiction = problem.refusal;
    return;
  }
  if (problem.finish.rounds.size() < kLag + 3) return;
  const Duration until = opening(problem.finish.rounds[problem.finish.rounds.size() - 1 - kLag]);
  if (until <= decided_until_) return;
  problem.finish.model = model_;
  problem.finish.model.replica_share = shares_of_counters();
  decide_until(until, problem, part);
  forget();
}

void LiveAttribution::decide_until(Duration until, const AttributionProblem& problem, const bench::Run& part) {
  const LayerPosterior posterior = solve_layer(problem.finish);
  for (std::size_t i = 0; i < problem.finish.candidates.size(); ++i) {
    const Duration done = part.records[problem.finish.candidates[i].record].done;
    if (done < decided_until_ || done >= until) continue;
    ++shares_.decided;
    --shares_.undecided;
    for (std::size_t r = 0; r < latest_.size() && posterior.blocked[i] == 0; ++r) {
      if (posterior.at(i, r) < static_cast<float>(kClaimConfidence)) continue;
      ++shares_.attributed;
      ++shares_.of_replica[r];
    }
  }
  for (std::size_t k = 1; k + 1 < problem.finish.rounds.size(); ++k) {
    if (opening(problem.finish.rounds[k]) < decided_until_ || closing(problem.finish.rounds[k]) > until) continue;
    rounds_ += posterior.rounds[k] == RoundStatus::kUnknown ? 0 : 1;
    contradicting_ += posterior.rounds[k] == RoundStatus::kInconsistent ? 1 : 0;
  }
  if (shares_.contradiction.empty() && contradicting_ >= kLeastContradicting &&
      static_cast<double>(contradicting_) > kMaxContradicting * static_cast<double>(rounds_)) {
    shares_.contradiction = "in " + std::to_string(contradicting_) + " of " + std::to_string(rounds_) +
                            " rounds the counters cannot be explained by our responses";
  }
  decided_until_ = until;
  shares_.as_of = until;
}

void LiveAttribution::pass_over() {
  const Duration until = now_ - kHold;
  for (const auto& r : records_) {
    if (r.done < decided_until_ || r.done >= until) continue;
    ++shares_.decided;
    ++shares_.passed_over;
    --shares_.undecided;
  }
  decided_until_ = std::max(decided_until_, until);
  forget();
}

void LiveAttribution::forget() {
  const Duration needed = decided_until_ - 2 * kContext;
  while (!records_.empty() && records_.size() > kRetained && records_.front().done < needed) records_.pop_front();
  const Duration oldest = records_.empty() ? needed : std::min(needed, records_.front().done - kContext);
  while (!scrapes_.empty() && scrapes_.front().sent < (scrapes_.size() > kMostScrapes ? needed : oldest)) scrapes_.pop_front();
}

}  // namespace analyzers
