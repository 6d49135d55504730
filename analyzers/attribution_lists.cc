// WindowLister: all sets of members whose integers add up to a window's deltas, by meeting in the middle: half lists of
// partial sums, joined where their keys add up to the window's. Called by solve_round().
#include <algorithm>
#include <cmath>

#include "analyzers/attribution_round.h"

namespace analyzers {
namespace {

/// Odd constants of splitmix64's sequence: one per channel and per bucket.
std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t channel_constant(std::size_t c) { return scramble(1000 + c) | 1; }
std::uint64_t bucket_constant(std::size_t c, std::size_t b) { return scramble(2000 + 64 * c + b); }
std::uint64_t count_constant() { return scramble(7); }

double log2_choose(double n, double k) {
  if (k < 0 || k > n) return -1e9;
  return (std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1)) / 0.6931471805599453;
}

double log2_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return b < a - 60 ? a : a + std::log2(1 + std::exp2(b - a));
}

constexpr double kImpossible = 1e9;

}  // namespace

std::uint64_t vector_key(const LayerProblem& problem, const LayerWindow& window, const LayerVector& vector) {
  std::uint64_t key = count_constant();
  for (std::size_t c = 0; c < kIntegerChannels; ++c) {
    if (!problem.channel_used[c]) continue;
    key += static_cast<std::uint64_t>(vector.value[c]) * channel_constant(c);
    if (window.buckets.known(c)) key += bucket_constant(c, vector.bucket[c]);
  }
  return key;
}

std::uint64_t window_key(const LayerProblem& problem, const LayerWindow& window) {
  std::uint64_t key = static_cast<std::uint64_t>(window.count) * count_constant();
  for (std::size_t c = 0; c < kIntegerChannels; ++c) {
    if (!problem.channel_used[c]) continue;
    key += static_cast<std::uint64_t>(window.sum[c]) * channel_constant(c);
    window.buckets.each(c, [&](std::size_t b, std::int32_t count) {
      key += static_cast<std::uint64_t>(static_cast<std::int64_t>(count)) * bucket_constant(c, b);
    });
  }
  return key;
}

/// Classes are the buckets of the histogram that leaves the fewest combinations. False: no set can fit.
bool WindowLister::choose_classes(const LayerWindow& window, const std::vector<std::uint32_t>& free, const Mask& forced) {
  const auto vector_of = [&](std::size_t m) -> const LayerVector& { return problem_.candidates[in_.members[m].candidate].vector; };
  std::int64_t wanted = window.count - forced.count();
  if (wanted < 0 || wanted > static_cast<std::int64_t>(free.size())) return false;
  std::size_t best_channel = kIntegerChannels;
  double best = log2_choose(static_cast<double>(free.size()), static_cast<double>(wanted));
  std::vector<std::int64_t> best_need{wanted};
  for (std::size_t c = 0; c < kIntegerChannels; ++c) {
    if (!problem_.channel_used[c] || !window.buckets.known(c)) continue;
    const std::vector<std::int32_t> counts = window.buckets.of(c);
    std::vector<std::int64_t> need(counts.begin(), counts.end());
    std::vector<std::int64_t> have(need.size(), 0);
    bool inside = true;
    forced.each([&](std::size_t m) {
      const std::size_t b = vector_of(m).bucket[c];
      if (b < need.size()) --need[b];
      else inside = false;
    });
    if (!inside) return false;
    for (const auto m : free) {
      const std::size_t b = vector_of(m).bucket[c];
      if (b < have.size()) ++have[b];
    }
    double bits = 0;
    for (std::size_t b = 0; b < need.size(); ++b) {
      if (need[b] < 0 || need[b] > have[b]) return false;
      bits += log2_choose(static_cast<double>(have[b]), static_cast<double>(need[b]));
    }
    if (bits >= best) continue;
    best = bits;
    best_channel = c;
    best_need = need;
  }
  need_ = best_need;
  items_.clear();
  for (const auto m : free) {
    const auto& v = vector_of(m);
    const std::size_t group = best_channel == kIntegerChannels ? 0 : v.bucket[best_channel];
    if (group >= need_.size() || need_[group] == 0) continue;
    const auto& option = in_.options[m * round_.windows.size() + static_cast<std::size_t>(&window - round_.windows.data())];
    items_.push_back({m, group, vector_key(problem_, window, v), problem_.candidates[in_.members[m].candidate].latency_s,
                      std::max(0.0, in_.members[m].best_log - option.log_p)});
  }
  return true;
}

WindowLister::Plan WindowLister::plan(const WindowQuery& query) {
  const LayerWindow& window = round_.windows[query.window];
  std::vector<std::uint32_t> free;
  query.domain.without(query.forced).each([&](std::size_t m) { free.push_back(static_cast<std::uint32_t>(m)); });
  if (!choose_classes(window, free, query.forced)) return {false, 0, 0};
  std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.group < b.group; });
  class_end_.assign(need_.size(), 0);
  for (std::size_t i = 0; i < items_.size(); ++i) class_end_[items_[i].group] = i + 1;
  want_ = window_key(problem_, window);
  want_latency_s_ = window.latency_sum_s + static_cast<double>(window.count) * bias_of(problem_.model, window.replica);
  query.forced.each([&](std::size_t m) {
    const auto& c = problem_.candidates[in_.members[m].candidate];
    want_ -= vector_key(problem_, window, c.vector);
    want_latency_s_ -= c.latency_s;
  });
  // Partial sets of the items in [begin, end): whole classes give C(m, D), the class that is cut a sum over its split.
  const auto partials = [&](std::size_t begin, std::size_t end) {
    double bits = 0;
    for (std::size_t g = 0, from = 0; g < need_.size(); ++g) {
      if (class_end_[g] == 0) continue;
      const std::size_t to = class_end_[g];
      const std::size_t inside_from = std::max(from, begin), inside_to = std::min(to, end);
      if (inside_from < inside_to) {
        const double m = static_cast<double>(inside_to - inside_from);
        const double outside = static_cast<double>(to - from) - m;
        const double d = static_cast<double>(need_[g]);
        double sum = -1e9;
        for (double j = std::max(0.0, d - outside); j <= std::min(m, d); j += 1) sum = log2_add(sum, log2_choose(m, j));
        bits += sum;
      }
      from = to;
    }
    return bits;
  };
  Plan out{true, items_.size(), partials(0, items_.size())};
  if (out.log2_cost <= 6) return out;
  for (std::size_t cut = 1; cut < items_.size(); ++cut) {
    const double cost = std::max(partials(0, cut), partials(cut, items_.size()));
    if (cost < out.log2_cost) out = {true, cut, cost};
  }
  return out;
}

double WindowLister::cost(const WindowQuery& query) {
  const Plan p = plan(query);
  return p.possible ? p.log2_cost : 0;
}

bool WindowLister::descend(std::size_t at, std::size_t end, const Partial& so_far, std::vector<Partial>& out, std::size_t& nodes) {
  if (++nodes > limits_.nodes || out.size() > limits_.lists) return false;
  if (at == end) {
    out.push_back(so_far);
    return true;
  }
  const Item& item = items_[at];
  const std::int64_t missing = need_[item.group] - taken_[item.group];
  // Leaving it out must leave enough of its class, in this half or beyond.
  if (static_cast<std::int64_t>(class_end_[item.group] - at - 1) >= missing && !descend(at + 1, end, so_far, out, nodes)) return false;
  if (missing <= 0 || so_far.penalty + item.penalty > -limits_.least_log_weight) return true;
  Partial next = so_far;
  next.key += item.key;
  next.latency_s += item.latency_s;
  next.penalty += item.penalty;
  next.members |= Mask::bit(item.member);
  ++taken_[item.group];
  const bool within = descend(at + 1, end, next, out, nodes);
  --taken_[item.group];
  return within;
}

bool WindowLister::enumerate(std::size_t begin, std::size_t end, std::vector<Partial>& out, std::size_t& nodes) {
  out.clear();
  taken_.assign(need_.size(), 0);
  // The right half of a class that is cut may need fewer than the class does: its own key check decides.
  if (begin == 0 || begin == items_.size() || items_[begin - 1].group != items_[begin].group) return descend(begin, end, {}, out, nodes);
  const std::size_t group = items_[begin].group;
  std::size_t before = 0;
  while (before < begin && items_[begin - 1 - before].group == group) ++before;
  const std::int64_t need = need_[group];
  const auto here = static_cast<std::int64_t>(class_end_[group] - begin);
  // Fewer on the left than the right can complete would list the same right halves once more.
  for (std::int64_t left = std::max<std::int64_t>(0, need - here); left <= std::min<std::int64_t>(need, static_cast<std::int64_t>(before)); ++left) {
    taken_[group] = left;
    if (!descend(begin, end, {}, out, nodes)) return false;
  }
  return true;
}

void WindowLister::accept(const WindowQuery& query, const Mask& members, std::vector<WindowSet>& out, bool& dropped) const {
  const LayerWindow& window = round_.windows[query.window];
  WindowMembers sums;
  double log_weight = 0;
  members.each([&](std::size_t m) {
    const auto& option = in_.options[m * round_.windows.size() + query.window];
    sums.add(problem_.candidates[in_.members[m].candidate], option);
    log_weight += option.log_p;
  });
  log_weight += latency_log_likelihood(problem_, window, sums);
  if (!std::isfinite(log_weight)) dropped = true;
  else out.push_back({members, log_weight});
}

void WindowLister::match(const WindowQuery& query, std::vector<WindowSet>& out, bool& dropped, std::size_t& nodes) {
  const auto by_key = [](const Partial& a, const Partial& b) { return a.key != b.key ? a.key < b.key : a.latency_s < b.latency_s; };
  std::sort(left_.begin(), left_.end(), by_key);
  const bool bounded = problem_.model.latency_used;
  const LatencyBounds bounds = latency_bounds(problem_, static_cast<std::size_t>(round_.windows[query.window].count));
  for (const Partial& right : right_) {
    const std::uint64_t key = want_ - right.key;
    auto it = std::lower_bound(left_.begin(), left_.end(), key, [](const Partial& p, std::uint64_t k) { return p.key < k; });
    for (; it != left_.end() && it->key == key; ++it) {
      ++nodes;
      const double residual = it->latency_s + right.latency_s - want_latency_s_;
      if (bounded && (residual < bounds.low_s || residual > bounds.high_s)) {
        dropped = true;
        continue;
      }
      accept(query, it->members | right.members | query.forced, out, dropped);
    }
  }
}

bool WindowLister::list(const WindowQuery& query, std::vector<WindowSet>& out, bool& dropped, std::size_t& nodes) {
  out.clear();
  const Plan p = plan(query);
  if (!p.possible) return true;
  if (std::exp2(p.log2_cost) > static_cast<double>(limits_.lists)) return false;
  if (!enumerate(0, p.cut, left_, nodes) || !enumerate(p.cut, items_.size(), right_, nodes)) return false;
  match(query, out, dropped, nodes);
  return nodes <= limits_.nodes && out.size() <= limits_.lists;
}

}  // namespace analyzers
