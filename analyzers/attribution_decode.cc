// decode(): layers solved, combined and turned into claims. Called by attribute_run().
// It must never claim a response next to a contradiction, nor one whose layers disagree.
#include <algorithm>
#include <bit>
#include <cmath>

#include "analyzers/attribution.h"

namespace analyzers {
namespace {

/// Only what is this certain crosses from one layer to another: softer messages count shared evidence twice.
constexpr float kFact = 0.9995f;
constexpr float kDisagree = 0.99f;
constexpr float kLeastShown = 1e-4f;
constexpr double kMuchForeign = 0.1;  ///< foreign finishes per response of ours

/// A solved layer, and where each record is in it.
struct SolvedLayer {
  LayerProblem* problem = nullptr;
  LayerPosterior posterior;
  std::vector<std::int32_t> of_record;  ///< candidate index; -1: not in this layer

  SolvedLayer(LayerProblem& p, std::size_t records) : problem(&p), of_record(records, -1) {
    for (std::size_t i = 0; i < p.candidates.size(); ++i) of_record[p.candidates[i].record] = static_cast<std::int32_t>(i);
  }
  [[nodiscard]] const float* row(std::size_t record) const {
    return of_record[record] < 0 ? nullptr : &posterior.p[static_cast<std::size_t>(of_record[record]) * problem->replicas];
  }
  [[nodiscard]] bool blocked(std::size_t record) const { return of_record[record] >= 0 && posterior.blocked[static_cast<std::size_t>(of_record[record])] != 0; }
  [[nodiscard]] bool foreign_about(std::size_t record) const {
    return of_record[record] >= 0 && posterior.reason[static_cast<std::size_t>(of_record[record])] == "foreign";
  }
  /// The replica that is all but certain; -1: none.
  [[nodiscard]] int fact(std::size_t record, float least) const {
    const float* p = row(record);
    if (p == nullptr || blocked(record)) return -1;
    const auto best = std::max_element(p, p + problem->replicas);
    return *best >= least ? static_cast<int>(best - p) : -1;
  }
};

/// Facts of one layer narrow another's candidates; not where they were found to disagree. False: it knew them all.
bool hand_over(const SolvedLayer& from, SolvedLayer& to, const std::vector<std::uint8_t>& disagree) {
  bool narrowed = false;
  for (std::size_t record = 0; record < from.of_record.size(); ++record) {
    if (to.of_record[record] < 0 || disagree[record] != 0) continue;
    const int replica = from.fact(record, kFact);
    auto& allowed = to.problem->candidates[static_cast<std::size_t>(to.of_record[record])].replicas;
    if (replica < 0) continue;
    const std::uint64_t only = std::uint64_t{1} << replica;
    // The other layer's own fact is no news to it.
    narrowed = narrowed || (allowed != only && to.fact(record, kFact) != replica);
    allowed = only;
  }
  return narrowed;
}

void forget_facts(SolvedLayer& layer) {
  for (auto& c : layer.problem->candidates) c.replicas = ~std::uint64_t{0};
}

/// Prefill and decode on different pods: the first token's replica is then not the finish's.
bool same_replicas(const SolvedLayer& a, const SolvedLayer& b) {
  std::size_t both = 0, different = 0;
  for (std::size_t record = 0; record < a.of_record.size(); ++record) {
    const int x = a.fact(record, 0.99f), y = b.fact(record, 0.99f);
    if (x < 0 || y < 0) continue;
    ++both;
    different += x == y ? 0 : 1;
  }
  return both < 20 || different * 50 <= both;
}

class Decoder {
 public:
  Decoder(AttributionProblem& problem, std::size_t records) : problem_(problem), records_(records), finish_(problem.finish, records), disagree_(records, 0) {}

  Decoded run() {
    calibrate(problem_.finish, options_.limits);
    finish_.posterior = solve_layer(problem_.finish, options_);
    alone_ = finish_.posterior.settled;
    for (auto* other : {&problem_.first_token, &problem_.body}) {
      if (!*other || finish_done()) continue;
      add_layer(**other, other == &problem_.body ? "request sizes" : "first tokens");
    }
    return claims();
  }

 private:
  [[nodiscard]] bool much_foreign() const {
    return static_cast<double>(problem_.finish.extra) > kMuchForeign * static_cast<double>(problem_.finish.candidates.size());
  }

  [[nodiscard]] bool finish_done() const {
    for (std::size_t record = 0; record < records_; ++record) {
      if (finish_.of_record[record] >= 0 && finish_.fact(record, 0.99999f) < 0) return false;
    }
    return true;
  }

  void add_layer(LayerProblem& problem, const char* name) {
    SolvedLayer layer(problem, records_);
    calibrate(problem, options_.limits);
    layer.posterior = solve_layer(problem, options_);
    if (!same_replicas(finish_, layer)) {
      out_.note += std::string(out_.note.empty() ? "" : "; ") + name + " were counted by other replicas than finishes (disaggregated prefill?): not used";
      return;
    }
    find_disagreement(layer);
    for (int sweep = 0; sweep < 2; ++sweep) {
      if (!hand_over(finish_, layer, disagree_) && sweep > 0) break;
      layer.posterior = solve_layer(problem, options_);
      if (!hand_over(layer, finish_, disagree_)) break;
      finish_.posterior = solve_layer(problem_.finish, options_);
    }
    forget_facts(layer);
    others_.push_back(std::move(layer));
  }

  /// Two layers, each sure of another replica, before either has seen the other's facts: one of them is fooled.
  void find_disagreement(const SolvedLayer& other) {
    for (std::size_t record = 0; record < records_; ++record) {
      const int a = finish_.fact(record, kDisagree), b = other.fact(record, kDisagree);
      if (a >= 0 && b >= 0 && a != b) disagree_[record] = 1;
    }
  }

  /// Product of the layers' posteriors over the shared prior: their evidence is independent given the replica. Where much
  /// is foreign and such a request may be about, it fools all layers at once, so they are averaged (a logarithmic opinion pool).
  [[nodiscard]] std::vector<double> combined(std::size_t record) const {
    const std::size_t r = problem_.replicas;
    const float* own = finish_.row(record);
    std::vector<double> p(own, own + r);
    const auto& share = problem_.finish.model.replica_share;
    for (const auto& layer : others_) {
      const float* theirs = layer.row(record);
      if (theirs == nullptr || layer.blocked(record) || !(*std::max_element(theirs, theirs + r) > 0)) continue;
      if (much_foreign() && (finish_.foreign_about(record) || layer.foreign_about(record))) {
        for (std::size_t k = 0; k < r; ++k) p[k] = std::sqrt(std::max(p[k], 1e-9) * std::max(static_cast<double>(theirs[k]), 1e-9));
        continue;
      }
      for (std::size_t k = 0; k < r; ++k) p[k] = std::max(p[k], 1e-9) * std::max(static_cast<double>(theirs[k]), 1e-9) / (share.empty() ? 1.0 : share[k]);
    }
    double sum = 0;
    for (const double x : p) sum += x;
    for (double& x : p) x = sum > 0 ? x / sum : 0;
    return p;
  }

  [[nodiscard]] Attribution claim(std::size_t record) const {
    Attribution out;
    const auto i = static_cast<std::size_t>(finish_.of_record[record]);
    const bool disagree = disagree_[record] != 0;
    const auto p = combined(record);
    for (std::size_t k = 0; k < p.size(); ++k) {
      if (p[k] >= static_cast<double>(kLeastShown)) out.candidates.push_back({static_cast<std::uint16_t>(k), static_cast<float>(p[k])});
    }
    std::stable_sort(out.candidates.begin(), out.candidates.end(), [](const auto& a, const auto& b) { return a.p > b.p; });
    if (out.candidates.empty()) {
      out.reason = finish_.posterior.reason[i];
      return out;
    }
    out.confidence = out.candidates.front().p;
    if (disagree || finish_.posterior.blocked[i] != 0 || static_cast<double>(out.confidence) < kClaimConfidence) {
      out.reason = disagree ? "layers disagree" : finish_.posterior.reason[i];
      return out;
    }
    out.replica = static_cast<std::int16_t>(out.candidates.front().replica);
    const bool finish_alone = finish_.row(record)[out.replica] >= static_cast<float>(kClaimConfidence);
    const std::string_view reason = finish_.posterior.reason[i];
    const bool counters_missing = reason == "reset" || reason == "no scrape" || reason == "foreign";
    out.method = !finish_alone ? "first-token" : alone_[i] != 0 ? (counters_missing ? "elimination" : "exact") : "posterior";
    return out;
  }

  Decoded claims() {
    out_.of_record.resize(records_);
    for (std::size_t record = 0; record < records_; ++record) {
      if (finish_.of_record[record] < 0) continue;
      out_.of_record[record] = claim(record);
      if (out_.of_record[record].replica >= 0) out_.expected_wrong += 1 - static_cast<double>(out_.of_record[record].confidence);
    }
    for (std::uint32_t k = 0; k < finish_.posterior.rounds.size(); ++k) {
      if (finish_.posterior.rounds[k] == RoundStatus::kInconsistent) out_.inconsistent.push_back(k);
    }
    out_.rounds_with_candidates = finish_.posterior.rounds_with_candidates;
    out_.dense_rounds = finish_.posterior.dense_rounds;
    forget_facts(finish_);
    return std::move(out_);
  }

  AttributionProblem& problem_;
  std::size_t records_;
  LayerOptions options_;
  SolvedLayer finish_;
  std::vector<std::uint8_t> alone_;   ///< settled by the finish layer's own integers, no other layer's facts
  std::vector<std::uint8_t> disagree_;
  std::vector<SolvedLayer> others_;
  Decoded out_;
};

}  // namespace

Decoded decode(AttributionProblem& problem, std::size_t records) { return Decoder(problem, records).run(); }

}  // namespace analyzers
