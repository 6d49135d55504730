// ScrapeSchedule: when the replicas are to be read next. A pure controller: the scraper tells it what happened and arms
// a timer at next_due(). It never does I/O and reads no clock.
//
// While finishes are rarer than affordable rounds, each gets its own round (event-driven). When they are not, rounds come
// as often as the target of finishes per replica and window asks, and never more often than the cost limit allows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/time.h"

namespace bench {

using core::Duration;
using core::TimePoint;

struct ScrapeOptions {
  bool enabled = true;                                ///< off: replicas are read before and after the load only
  bool event_driven = true;                           ///< right after a finish, on average at least min_gap apart
  std::optional<Duration> interval;                   ///< fixed: a round every so often, finishes or not
  Duration min_gap = std::chrono::milliseconds(20);
  Duration burst_gap = std::chrono::milliseconds(4);  ///< within a burst: replicas finish whole batches within a few ms,
  std::uint32_t burst = 6;                            ///< and rounds between those batches tell the replicas apart
  Duration max_gap = std::chrono::seconds(1);
  double cost_limit_ratio = 0.05;                     ///< of a replica's time, spent on answering scrapes, at most
  double finishes_per_window = 0.2;                   ///< per replica, aimed at when not every finish can have its round
  bool name_filter = true;                            ///< ask for the samples that are read only, where the server can
};

class ScrapeSchedule {
 public:
  ScrapeSchedule(const ScrapeOptions& options, std::size_t replicas);

  void note_finish();
  /// A round goes out now.
  void note_fired(TimePoint now);
  /// What answering one scrape cost a replica, in its own time: at most the exchange less the round trip.
  void note_cost(Duration cost);

  /// When the next round is due; a time in the past means now.
  [[nodiscard]] TimePoint next_due() const;
  /// The average gap between rounds that is allowed at present.
  [[nodiscard]] Duration gap() const;
  /// Finishes per second over all replicas, smoothed over about two seconds.
  [[nodiscard]] double finish_rate() const { return rate_; }
  [[nodiscard]] Duration cost() const { return cost_; }

 private:
  [[nodiscard]] Duration affordable_gap() const;

  ScrapeOptions options_;
  std::size_t replicas_;
  TimePoint last_fired_{}, full_at_{};
  std::uint64_t finishes_ = 0;  ///< since the last round
  double rate_ = 0;
  Duration cost_{};
  bool fired_ = false;
};

}  // namespace bench
