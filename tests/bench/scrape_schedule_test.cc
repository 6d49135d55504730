// The scrape controller in virtual time: event-driven when finishes are rare, bounded by cost and target when they are not.
#include "bench/engine/scrape_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = TimePoint(seconds(100));

/// Rounds fired in `length` when a request ends every `every`, each scrape costing `cost`.
int rounds_in(ScrapeSchedule& schedule, Duration every, Duration length, Duration cost = Duration{0}) {
  schedule.note_fired(kStart);
  int rounds = 0;
  TimePoint now = kStart, finish = kStart + every;
  for (;;) {
    const TimePoint due = std::max(now, schedule.next_due());
    if (std::min(due, finish) >= kStart + length) return rounds;
    if (finish <= due) {
      schedule.note_finish();
      now = finish;
      finish += every;
      continue;
    }
    now = due;
    schedule.note_fired(now);
    schedule.note_cost(cost);
    ++rounds;
  }
}

TEST(ScrapeSchedule, WithoutFinishesOneRoundASecond) {
  ScrapeSchedule schedule({}, 3);
  schedule.note_fired(kStart);
  EXPECT_EQ(schedule.next_due(), kStart + seconds(1));
}

TEST(ScrapeSchedule, AFinishIsReadAtOnce) {
  ScrapeSchedule schedule({}, 3);
  schedule.note_fired(kStart);
  schedule.note_finish();
  EXPECT_EQ(schedule.next_due(), kStart + milliseconds(4));
  ScrapeOptions plain;
  plain.burst = 1;
  ScrapeSchedule apart(plain, 3);
  apart.note_fired(kStart);
  apart.note_finish();
  EXPECT_EQ(apart.next_due(), kStart + milliseconds(20));
}

TEST(ScrapeSchedule, RareFinishesGetARoundEach) {
  ScrapeSchedule schedule({}, 3);
  EXPECT_NEAR(rounds_in(schedule, milliseconds(200), seconds(20)), 99, 1);
  EXPECT_NEAR(schedule.finish_rate(), 5, 0.3);
}

TEST(ScrapeSchedule, ManyFinishesAreReadAsOftenAsTheTargetAsks) {
  // 16 replicas, 100 finishes/s, 0.2 per replica and window: every 32 ms.
  ScrapeSchedule wide({}, 16);
  rounds_in(wide, milliseconds(10), seconds(30));
  EXPECT_NEAR(core::to_ms(wide.gap()), 32, 0.5);
  // 3 replicas would need 6 ms; the least gap is 20.
  ScrapeSchedule narrow({}, 3);
  EXPECT_NEAR(rounds_in(narrow, milliseconds(10), seconds(30)), 1500, 15);
  EXPECT_EQ(narrow.gap(), milliseconds(20));
}

TEST(ScrapeSchedule, RoundsThatAreRareOnPurposeAreEven) {
  // 2 finishes per replica and window at 100/s over 3: every 60 ms, never a burst and then a gap.
  ScrapeOptions options;
  options.finishes_per_window = 2;
  ScrapeSchedule schedule(options, 3);
  rounds_in(schedule, milliseconds(10), seconds(30));
  EXPECT_NEAR(core::to_ms(schedule.gap()), 60, 1);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 6; ++i) schedule.note_finish();
    const TimePoint due = schedule.next_due();
    schedule.note_fired(due);
    schedule.note_finish();
    EXPECT_EQ(schedule.next_due(), due + schedule.gap());
  }
}

TEST(ScrapeSchedule, TheCostLimitHolds) {
  ScrapeSchedule schedule({}, 3);
  // 5 ms each at 5 % of the time: at most one per 100 ms.
  EXPECT_NEAR(rounds_in(schedule, milliseconds(10), seconds(60), milliseconds(5)), 600, 12);
  EXPECT_EQ(schedule.cost(), milliseconds(5));
  ScrapeOptions dear;
  dear.cost_limit_ratio = 0.001;
  ScrapeSchedule rare(dear, 3);
  rare.note_cost(milliseconds(5));
  EXPECT_EQ(rare.gap(), seconds(1));  // never rarer than the idle gap
}

TEST(ScrapeSchedule, AFixedIntervalIsKept) {
  ScrapeOptions options;
  options.interval = milliseconds(250);
  ScrapeSchedule schedule(options, 3);
  EXPECT_EQ(rounds_in(schedule, milliseconds(3), seconds(10), milliseconds(90)), 39);
}

}  // namespace
}  // namespace bench
