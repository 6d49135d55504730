// See scrape_schedule.h.
#include "bench/engine/scrape_schedule.h"

#include <algorithm>
#include <cmath>

namespace bench {
namespace {

constexpr double kRateMemory_s = 2.0;
// A page costs about the same each time; what comes on top is waiting. So the estimate falls quickly and rises slowly.
constexpr double kFallWeight = 0.3, kRiseWeight = 0.02;

Duration from_seconds(double seconds) { return Duration(static_cast<std::int64_t>(seconds * 1e9)); }

}  // namespace

ScrapeSchedule::ScrapeSchedule(const ScrapeOptions& options, std::size_t replicas)
    : options_(options), replicas_(std::max<std::size_t>(1, replicas)) {}

void ScrapeSchedule::note_finish() { ++finishes_; }

void ScrapeSchedule::note_fired(TimePoint now) {
  if (fired_ && now > last_fired_) {
    const double elapsed_s = core::to_seconds(now - last_fired_);
    const double kept = std::exp(-elapsed_s / kRateMemory_s);
    rate_ = kept * rate_ + (1 - kept) * static_cast<double>(finishes_) / elapsed_s;
  }
  fired_ = true;
  finishes_ = 0;
  last_fired_ = now;
  full_at_ = std::max(full_at_, now) + gap();
}

void ScrapeSchedule::note_cost(Duration cost) {
  cost = std::max(cost, Duration{0});
  cost_ = cost_ == Duration{0} ? cost : cost_ + from_seconds((cost < cost_ ? kFallWeight : kRiseWeight) * core::to_seconds(cost - cost_));
}

Duration ScrapeSchedule::affordable_gap() const {
  if (options_.cost_limit_ratio <= 0) return options_.max_gap;
  const Duration by_cost = from_seconds(std::min(core::to_seconds(cost_) / options_.cost_limit_ratio, 1e6));
  return std::clamp(by_cost, options_.min_gap, std::max(options_.min_gap, options_.max_gap));
}

Duration ScrapeSchedule::gap() const {
  if (options_.interval) return *options_.interval;
  const Duration affordable = affordable_gap();
  if (rate_ * core::to_seconds(affordable) <= 1) return affordable;
  const Duration aimed = from_seconds(options_.finishes_per_window * static_cast<double>(replicas_) / rate_);
  return std::clamp(aimed, affordable, std::max(affordable, options_.max_gap));
}

TimePoint ScrapeSchedule::next_due() const {
  if (options_.interval) return last_fired_ + *options_.interval;
  const TimePoint idle = last_fired_ + options_.max_gap;
  if (finishes_ == 0 || !options_.event_driven) return idle;
  // Slower than it could be on purpose: then evenly, as a burst would be followed by a round that holds too much.
  if (gap() > affordable_gap()) return last_fired_ + gap();
  // full_at_ is when the allowance of `burst` rounds is whole again; a round may be taken up to burst - 1 gaps before.
  const TimePoint allowed = full_at_ - gap() * (std::max(1u, options_.burst) - 1);
  return std::min(std::max(last_fired_ + options_.burst_gap, allowed), std::max(idle, last_fired_ + gap()));
}

}  // namespace bench
