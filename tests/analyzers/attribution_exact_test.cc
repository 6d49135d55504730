// The decoder's posterior against plain enumeration of every assignment, on problems small enough for that. The
// enumeration shares the probabilities of attribution_model.h with the decoder, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analyzers/attribution_layer.h"
#include "analyzers/attribution_model.h"
#include "core/rng.h"

namespace {

using namespace analyzers;
using core::from_ms;

constexpr double kNever = -std::numeric_limits<double>::infinity();

struct Small {
  LayerProblem problem;
  std::vector<std::size_t> truth;
};

struct SmallShape {
  std::size_t replicas = 3, rounds = 2, events = 8, foreign = 0;
  bool latency = true;
};

LayerWindow edge(std::size_t replica, double from_ms_value, double to_ms_value) {
  LayerWindow w;
  w.replica = static_cast<std::uint16_t>(replica);
  w.open_sent = w.open_answered = from_ms(from_ms_value);
  w.close_sent = w.close_answered = from_ms(to_ms_value);
  w.why_unknown = "no scrape";
  return w;
}

std::uint8_t bucket(std::int64_t value) { return value <= 11 ? 0 : 1; }

DelayModel small_model(bool latency) {
  DelayModel m;
  m.offset_s = 0.0005;
  m.mean_s = 0.002;
  m.held_share = 0.02;
  m.hold_limit_s = 0.045;
  m.bias_s = 0.003;
  m.variance_s2 = 4e-6;
  m.noise[0] = {0.8, -0.0005, 1e-6};
  m.noise[1] = {0.2, 0.002, 9e-6};
  m.latency_used = latency;
  prepare_sums(m);
  return m;
}

void frame(const SmallShape& shape, LayerProblem& p) {
  p.replicas = shape.replicas;
  p.latency_known = shape.latency;
  p.channel_used = {true, true, false};
  p.totals_known = true;
  p.extra = static_cast<std::int64_t>(shape.foreign);
  p.model = small_model(shape.latency);
  p.model.foreign_per_s = shape.foreign > 0 ? 1.5 : 0;
  const double end = 100.0 * static_cast<double>(shape.rounds);
  LayerRound before, after;
  for (std::size_t r = 0; r < shape.replicas; ++r) {
    before.windows.push_back(edge(r, -1e7, 0));
    after.windows.push_back(edge(r, end, 1e7));
  }
  p.rounds.push_back(before);
  for (std::size_t k = 0; k < shape.rounds; ++k) {
    LayerRound round;
    for (std::size_t r = 0; r < shape.replicas; ++r) {
      LayerWindow w = edge(r, 100.0 * static_cast<double>(k), 100.0 * static_cast<double>(k + 1));
      w.open_answered += from_ms(k == 0 ? 0 : 4);
      w.close_answered += from_ms(k + 1 == shape.rounds ? 0 : 4);
      w.known = true;
      for (std::size_t c = 0; c < 2; ++c) w.buckets.set(c, {0, 0});
      round.windows.push_back(w);
    }
    p.rounds.push_back(round);
  }
  p.rounds.push_back(after);
}

/// Counts an event on `replica` at a time; snapshots are taken in the middle of a scrape.
void count(LayerProblem& p, std::size_t replica, double at_ms, const LayerVector& v, double latency_s) {
  for (std::size_t k = 1; k + 1 < p.rounds.size(); ++k) {
    LayerWindow& w = p.rounds[k].windows[replica];
    const double opens = core::to_ms(w.open_sent + w.open_answered) / 2, closes = core::to_ms(w.close_sent + w.close_answered) / 2;
    if (at_ms <= opens || at_ms > closes) continue;
    ++w.count;
    w.latency_sum_s += latency_s;
    for (std::size_t c = 0; c < 2; ++c) {
      w.sum[c] += v.value[c];
      auto buckets = w.buckets.of(c);
      ++buckets[v.bucket[c]];
      w.buckets.set(c, buckets);
    }
  }
}

LayerVector small_vector(core::Rng& rng) {
  LayerVector v;
  v.value = {10 + static_cast<std::int64_t>(rng.below(3)), 5 + static_cast<std::int64_t>(rng.below(2)), 0};
  v.bucket = {bucket(v.value[0]), 0, 0};
  return v;
}

Small make_small(const SmallShape& shape, std::uint64_t seed) {
  core::Rng rng(seed);
  Small out;
  frame(shape, out.problem);
  const double end = 100.0 * static_cast<double>(shape.rounds);
  std::vector<std::pair<LayerCandidate, std::size_t>> made;
  for (std::size_t i = 0; i < shape.events; ++i) {
    LayerCandidate c;
    c.vector = small_vector(rng);
    const double at = 8 + (end - 60) * rng.uniform();
    const double delay = 0.5 + std::min(6.0, rng.exponential(2)) + (rng.uniform() < 0.03 ? 30 * rng.uniform() : 0);
    const double server_s = 0.3 + 0.01 * rng.uniform();
    c.latest = from_ms(at + delay);
    c.earliest = from_ms(1);
    c.latency_s = server_s + delay / 1e3 + 0.0005;
    const std::size_t replica = rng.below(shape.replicas);
    count(out.problem, replica, at, c.vector, server_s);
    made.emplace_back(c, replica);
  }
  for (std::size_t f = 0; f < shape.foreign; ++f) count(out.problem, rng.below(shape.replicas), 10 + (end - 20) * rng.uniform(), small_vector(rng), 0.3);
  std::stable_sort(made.begin(), made.end(), [](const auto& a, const auto& b) { return a.first.latest < b.first.latest; });
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i].first.record = static_cast<std::uint32_t>(i);
    out.problem.candidates.push_back(made[i].first);
    out.truth.push_back(made[i].second);
  }
  return out;
}

/// Sums the weight of every assignment of events to windows; [event][replica].
class Enumeration {
 public:
  explicit Enumeration(const LayerProblem& p) : problem_(p), posterior_(p.candidates.size(), std::vector<double>(p.replicas, 0.0)) {
    for (const auto& round : p.rounds) {
      for (const auto& w : round.windows) windows_.push_back(&w);
    }
    taken_.resize(windows_.size());
    at_.resize(p.candidates.size());
    assign(0, 0);
    for (auto& row : posterior_) {
      for (double& x : row) x /= total_;
    }
  }
  [[nodiscard]] const std::vector<std::vector<double>>& posterior() const { return posterior_; }
  [[nodiscard]] double solutions() const { return solutions_; }

 private:
  void assign(std::size_t i, double log_weight) {
    if (i == at_.size()) return weigh(log_weight);
    const LayerCandidate& c = problem_.candidates[i];
    for (std::size_t w = 0; w < windows_.size(); ++w) {
      const WindowOption option = window_option(problem_.model, c, *windows_[w], problem_.replicas);
      if (!(option.p > 1e-12)) continue;
      if (windows_[w]->known && static_cast<std::int64_t>(taken_[w].size()) >= windows_[w]->count) continue;
      taken_[w].push_back(i);
      at_[i] = w;
      assign(i + 1, log_weight + std::log(option.p));
      taken_[w].pop_back();
    }
  }

  [[nodiscard]] double fit(std::size_t w) const {
    const LayerWindow& window = *windows_[w];
    if (!window.known) return 0;
    WindowMembers members;
    auto sum = window.sum;
    std::array buckets{window.buckets.of(0), window.buckets.of(1)};
    double latency = window.latency_sum_s;
    for (const std::size_t i : taken_[w]) {
      const LayerCandidate& c = problem_.candidates[i];
      members.add(c, window_option(problem_.model, c, window, problem_.replicas));
      latency -= c.latency_s - problem_.model.bias_s;
      for (std::size_t k = 0; k < 2; ++k) {
        sum[k] -= c.vector.value[k];
        if (--buckets[k][c.vector.bucket[k]] < 0) return kNever;
      }
    }
    const std::int64_t foreign = window.count - static_cast<std::int64_t>(members.n);
    if (foreign == 0) return sum[0] == 0 && sum[1] == 0 ? latency_log_likelihood(problem_, window, members) : kNever;
    return members.log_not_held + members.log_held + foreign_log_weight(problem_, window, foreign, sum, latency);
  }

  void weigh(double log_weight) {
    for (std::size_t w = 0; w < windows_.size(); ++w) {
      log_weight += fit(w);
      if (log_weight == kNever) return;
    }
    // Weights are densities: large with many windows. 40 keeps the sums in range.
    const double weight = std::exp(log_weight - 40);
    total_ += weight;
    solutions_ += 1;
    for (std::size_t i = 0; i < at_.size(); ++i) posterior_[i][windows_[at_[i]]->replica] += weight;
  }

  const LayerProblem& problem_;
  std::vector<const LayerWindow*> windows_;
  std::vector<std::vector<std::size_t>> taken_;
  std::vector<std::size_t> at_;
  std::vector<std::vector<double>> posterior_;
  double total_ = 0, solutions_ = 0;
};

/// Largest difference between the decoder and enumeration over `seeds` problems; prints how ambiguous they were.
double worst_difference(const SmallShape& shape, std::uint64_t seeds) {
  double worst = 0, solutions = 0;
  std::size_t uncertain = 0, events = 0;
  LayerOptions wide;
  wide.limits.least_log_weight = -40;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const auto small = make_small(shape, seed);
    const Enumeration all(small.problem);
    const auto decoded = solve_layer(small.problem, wide);
    solutions += all.solutions();
    for (std::size_t i = 0; i < small.truth.size(); ++i) {
      ++events;
      uncertain += all.posterior()[i][small.truth[i]] < 0.99 ? 1 : 0;
      for (std::size_t r = 0; r < shape.replicas; ++r) {
        worst = std::max(worst, std::fabs(all.posterior()[i][r] - static_cast<double>(decoded.at(i, r))));
      }
    }
  }
  std::printf("[ enumeration ] %zu events, %.0f solutions, %zu uncertain, worst difference %.2e\n", events, solutions, uncertain, worst);
  EXPECT_GT(uncertain, 0u);
  return worst;
}

TEST(AttributionExact, PosteriorEqualsEnumerationWithLatencies) { EXPECT_LT(worst_difference({3, 2, 8, 0, true}, 60), 2e-5); }
TEST(AttributionExact, PosteriorEqualsEnumerationWithoutLatencies) { EXPECT_LT(worst_difference({3, 2, 8, 0, false}, 60), 2e-5); }
TEST(AttributionExact, PosteriorEqualsEnumerationOfTwelveInOneRound) {
  EXPECT_LT(worst_difference({3, 1, 12, 0, true}, 12), 2e-5);
  EXPECT_LT(worst_difference({2, 1, 12, 0, false}, 12), 2e-5);
}
TEST(AttributionExact, PosteriorEqualsEnumerationOverThreeRounds) { EXPECT_LT(worst_difference({2, 3, 10, 0, true}, 20), 2e-5); }
TEST(AttributionExact, PosteriorEqualsEnumerationWithForeignEvents) {
  EXPECT_LT(worst_difference({3, 2, 6, 1, true}, 60), 2e-5);
  EXPECT_LT(worst_difference({3, 2, 6, 2, true}, 30), 2e-5);
  EXPECT_LT(worst_difference({2, 1, 5, 3, false}, 30), 2e-5);
}

TEST(AttributionExact, OverBudgetIsTooDenseNotAGuess) {
  const auto small = make_small({}, 3);
  LayerOptions options;
  options.limits.nodes = 0;
  const auto decoded = solve_layer(small.problem, options);
  for (std::size_t i = 0; i < small.truth.size(); ++i) {
    for (std::size_t r = 0; r < 3; ++r) EXPECT_LT(decoded.at(i, r), 0.9f);
    EXPECT_EQ(decoded.reason[i], "too dense");
  }
}

TEST(AttributionExact, NoiseOfSummedEventsIsADensity) {
  const LayerProblem p = make_small({}, 1).problem;
  LayerWindow window;
  for (const std::size_t n : {1u, 3u, 30u}) {
    double integral = 0, mean = 0;
    constexpr double kStep = 2e-5;
    for (double x = -0.25; x < 0.25; x += kStep) {
      WindowMembers members;
      members.n = n;
      members.latency_s = x + static_cast<double>(n) * p.model.bias_s;
      const double density = std::exp(latency_log_likelihood(p, window, members));
      integral += density * kStep;
      mean += x * density * kStep;
    }
    // The guard against noise that no calibration has seen adds its share on top.
    EXPECT_NEAR(integral, 1 + 3e-4 * static_cast<double>(n), 1e-5) << n;
    EXPECT_NEAR(mean, 0, 2e-6) << n;
  }
}

TEST(AttributionExact, OptionsOfAllWindowsOfAReplicaAddUpToItsShare) {
  const LayerProblem p = make_small({3, 2, 4, 0, true}, 5).problem;
  for (const auto& c : p.candidates) {
    for (std::uint16_t r = 0; r < 3; ++r) {
      double sum = 0;
      for (const auto& round : p.rounds) sum += window_option(p.model, c, round.windows[r], 3).p;
      EXPECT_NEAR(sum, 1.0 / 3, 1e-6);
    }
  }
}

}  // namespace
