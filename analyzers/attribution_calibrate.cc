// Fits the delay model of a layer to its own data: bias and covariance of client latency less server latency, the delay
// between count and sight, the share of responses held back. Called by decode() once per layer.
// It learns only from windows whose members are all but certain, and leaves latencies unused where those are too few.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "analyzers/attribution_layer.h"
#include "analyzers/attribution_model.h"

namespace analyzers {
namespace {

constexpr std::uint32_t kFirstResponses = 2500;
constexpr std::uint32_t kFirstUnaided = 10000;
constexpr std::size_t kMostNodes = 20'000;   ///< a round that costs more teaches nothing worth it
constexpr std::size_t kLeastWindows = 25;
constexpr std::size_t kLeastUnaided = 300;
constexpr std::size_t kLeastWindowsPerReplica = 60;
constexpr double kLeastHeldShare = 2e-4, kMostHeldShare = 0.25;
constexpr double kLeastHoldLimit_s = 0.045, kMostHoldLimit_s = 0.32;
constexpr double kTrim = 6;
constexpr double kNoiseFloor_s2 = 2e-5 * 2e-5;
constexpr int kMixtureSteps = 60;
constexpr int kPasses = 3;
constexpr std::size_t kLeastSingles = 150;   ///< windows of one event

struct Residual {
  static constexpr std::uint16_t kSeveral = 0xffff;
  double value_s = 0;  ///< client - server, summed over the window's events
  double n = 0;
  std::uint16_t replica = 0;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Of single windows; of whole rounds too where windows are few: their latencies add up whoever served whom.
std::vector<Residual> residuals_of(const LayerProblem& problem, const std::vector<SettledWindow>& settled, std::size_t enough) {
  const auto single = [](const SettledWindow& w) { return w.window != SettledWindow::kWholeRound; };
  const bool few = static_cast<std::size_t>(std::count_if(settled.begin(), settled.end(), single)) < enough;
  std::vector<Residual> out;
  for (const auto& w : settled) {
    if (!few && !single(w)) continue;
    const auto& windows = problem.rounds[w.round].windows;
    Residual r{0, static_cast<double>(w.candidates.size()), Residual::kSeveral};
    if (w.window != SettledWindow::kWholeRound) {
      r.value_s = -windows[w.window].latency_sum_s;
      r.replica = windows[w.window].replica;
    } else {
      for (const auto& each : windows) r.value_s -= each.latency_sum_s;
    }
    for (const auto i : w.candidates) r.value_s += problem.candidates[i].latency_s;
    out.push_back(r);
  }
  return out;
}

/// Median and MAD first, then mean and variance of what lies within kTrim of them.
bool fit_latency(const std::vector<Residual>& residuals, LayerProblem& problem) {
  if (residuals.size() < kLeastWindows || !problem.latency_known) return false;
  std::vector<double> per_event, deviation;
  for (const auto& r : residuals) per_event.push_back(r.value_s / r.n);
  const double centre = median(per_event);
  for (const auto& r : residuals) deviation.push_back(std::fabs(r.value_s - r.n * centre) / std::sqrt(r.n));
  const double reach = kTrim * std::max(1.4826 * median(deviation), 2e-5);
  std::vector<Residual> inside = residuals;
  std::erase_if(inside, [&](const Residual& r) { return std::fabs(r.value_s - r.n * centre) > reach * std::sqrt(r.n); });
  if (inside.size() < kLeastWindows / 2) return false;
  double sum = 0, events = 0, squares = 0;
  for (const auto& r : inside) {
    sum += r.value_s;
    events += r.n;
  }
  DelayModel& m = problem.model;
  m.bias_s = sum / events;
  for (const auto& r : inside) squares += (r.value_s - r.n * m.bias_s) * (r.value_s - r.n * m.bias_s) / r.n;
  m.variance_s2 = squares / static_cast<double>(inside.size() - 1) + kNoiseFloor_s2;
  m.latency_used = true;
  return true;
}

/// Responsibility-weighted moments of one normal of the mixture.
LatencyNoise weighted(const std::vector<double>& values, const std::vector<double>& weight) {
  LatencyNoise out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out.weight += weight[i];
    out.mean_s += weight[i] * values[i];
  }
  const double total = std::max(out.weight, 1e-9);
  out.mean_s /= total;
  for (std::size_t i = 0; i < values.size(); ++i) out.variance_s2 += weight[i] * (values[i] - out.mean_s) * (values[i] - out.mean_s);
  out.variance_s2 = out.variance_s2 / total + kNoiseFloor_s2;
  out.weight /= static_cast<double>(values.size());
  return out;
}

double density(const LatencyNoise& n, double value) {
  const double off = value - n.mean_s;
  return n.weight * std::exp(-0.5 * off * off / n.variance_s2) / std::sqrt(n.variance_s2);
}

/// Skewed and long-tailed noise as a mixture of two normals, by expectation maximisation (Dempster, Laird and Rubin 1977)
/// over windows of one event; with too few of those, a narrow and a wide normal with the variance that is known.
void fit_mixture(const std::vector<Residual>& residuals, DelayModel& m) {
  std::vector<double> values;
  const double reach = 2 * kTrim * std::sqrt(m.variance_s2);
  for (const auto& r : residuals) {
    if (r.n < 1.5 && std::fabs(r.value_s - m.bias_s) <= reach) values.push_back(r.value_s - m.bias_s);
  }
  m.noise[0] = {0.9, 0, 0.7 * m.variance_s2};
  m.noise[1] = {0.1, 0, 3.7 * m.variance_s2};
  if (values.size() < kLeastSingles) return;
  std::vector<double> first(values.size()), second(values.size());
  for (int step = 0; step < kMixtureSteps; ++step) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double a = density(m.noise[0], values[i]), b = density(m.noise[1], values[i]);
      first[i] = a + b > 0 ? a / (a + b) : 0.5;
      second[i] = 1 - first[i];
    }
    m.noise = {weighted(values, first), weighted(values, second)};
  }
}

/// A replica farther away than the others gets a bias of its own once enough of its windows say so.
void fit_replicas(const std::vector<Residual>& residuals, LayerProblem& problem) {
  DelayModel& m = problem.model;
  m.replica_bias_s.assign(problem.replicas, 0);
  const double sigma = std::sqrt(m.variance_s2);
  for (std::size_t replica = 0; replica < problem.replicas; ++replica) {
    std::vector<double> own;
    for (const auto& r : residuals) {
      if (r.replica == replica) own.push_back(r.value_s / r.n - m.bias_s);
    }
    if (own.size() < kLeastWindowsPerReplica) continue;
    const double shift = median(own);
    if (std::fabs(shift) > 0.25 * sigma) m.replica_bias_s[replica] = shift;
  }
}

/// Responses whose window shows far more client latency than the rest were held back.
void fit_holds(const std::vector<Residual>& residuals, LayerProblem& problem) {
  DelayModel& m = problem.model;
  double held = 0, events = 0, longest = 0;
  for (const auto& r : residuals) {
    events += r.n;
    const double over = r.value_s - r.n * bias_of(m, r.replica);
    if (over < kTrim * std::sqrt(m.variance_s2 * r.n)) continue;
    held += 1;
    longest = std::max(longest, over);
  }
  // One imagined hold in 200 responses keeps the share from zero while little is known.
  m.held_share = std::clamp((held + 0.5) / (events + 100), kLeastHeldShare, kMostHeldShare);
  m.hold_limit_s = std::clamp(1.25 * longest, kLeastHoldLimit_s, kMostHoldLimit_s);
}

/// log likelihood of where the certain events were counted.
double bracket_likelihood(const LayerProblem& problem, const DelayModel& model, const std::vector<SettledWindow>& windows) {
  double sum = 0;
  for (const auto& w : windows) {
    if (w.window == SettledWindow::kWholeRound) continue;
    const LayerWindow& window = problem.rounds[w.round].windows[w.window];
    for (const auto i : w.candidates) sum += std::log(std::max(window_option(model, problem.candidates[i], window, problem.replicas).p, 1e-9));
  }
  return sum;
}

void fit_delay(LayerProblem& problem, const std::vector<SettledWindow>& windows, bool holds_known) {
  constexpr std::array kMeans{0.1e-3, 0.2e-3, 0.35e-3, 0.5e-3, 0.8e-3, 1.2e-3, 2e-3, 3e-3, 5e-3, 8e-3};
  constexpr std::array kOffsets{0.0, 0.1e-3, 0.2e-3, 0.5e-3, 1e-3, 2e-3, 4e-3};
  constexpr std::array kShares{2e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1};
  if (windows.size() < kLeastWindows) return;
  const bool after = problem.model.offset_s < 0;
  DelayModel best = problem.model;
  double best_likelihood = bracket_likelihood(problem, best, windows);
  const auto consider = [&](const DelayModel& model) {
    const double likelihood = bracket_likelihood(problem, model, windows);
    if (likelihood <= best_likelihood) return;
    best_likelihood = likelihood;
    best = model;
  };
  for (const double mean : kMeans) {
    for (const double offset : kOffsets) {
      DelayModel model = problem.model;
      model.mean_s = mean;
      model.offset_s = after ? problem.model.offset_s + offset : offset;
      consider(model);
    }
  }
  if (!holds_known) {
    for (const double share : kShares) {
      DelayModel model = best;
      model.held_share = share;
      consider(model);
    }
  }
  // The offset is a cut-off: an event ahead of it would be a contradiction. Half of it goes to the tail instead.
  if (!after) {
    best.offset_s /= 2;
    best.mean_s += best.offset_s;
  }
  problem.model = best;
}

}  // namespace

void calibrate(LayerProblem& problem, const LayerLimits& limits) {
  LayerOptions options;
  options.limits = limits;
  options.limits.nodes = std::min(limits.nodes, kMostNodes);
  options.want_windows = true;
  problem.model.latency_used = false;
  bool shaped = false, delayed = false;
  for (int pass = 0; pass < kPasses; ++pass) {
    const bool by_latency = problem.model.latency_used;
    // What is certain without latencies shows their noise as it is; what latencies made certain shows it without its tails.
    options.last_candidate = std::min<std::uint32_t>(pass == 0 ? kFirstUnaided : kFirstResponses, static_cast<std::uint32_t>(problem.candidates.size()));
    const auto posterior = solve_layer(problem, options);
    const std::size_t wanted = pass == 0 ? kLeastUnaided : kLeastWindows;
    const auto residuals = residuals_of(problem, posterior.windows, wanted);
    const bool enough = residuals.size() >= wanted;
    const bool fitted = !shaped && residuals.size() >= kLeastWindows && fit_latency(residuals, problem);
    if (fitted) {
      fit_mixture(residuals, problem.model);
      shaped = pass == 0 && enough;
    }
    if (problem.model.latency_used && enough) {
      fit_replicas(residuals, problem);
      fit_holds(residuals, problem);
    }
    prepare_sums(problem.model);
    // Latencies settle what was counted near a scrape: without them only clear cases are left, which look as if there were
    // no delay. A second fit would see only what the first one's cut-off let through, and confirm it.
    if (!delayed && (by_latency || pass == kPasses - 1)) {
      fit_delay(problem, posterior.windows, fitted);
      delayed = true;
    }
  }
}

}  // namespace analyzers
