// Attribution of serially probed runs by hand-worked counters, and that headers never enter a claim.
#include <gtest/gtest.h>

#include <algorithm>

#include "analyzers/attribution.h"
#include "analyzers/truth_check.h"
#include "tests/analyzers/simulated_counters.h"

namespace {

using namespace analyzers;
using namespace analyzers_test;

/// One request at a time, scrapes before and after each.
CounterRun serial_run(std::size_t n) {
  CounterWorld world;
  world.requests = n;
  world.rate_rps = 2;
  auto made = make_counter_run(world);
  made.run.scrapes.clear();
  std::vector<protocol::VllmSnapshot> counters;
  for (int r = 0; r < 3; ++r) counters.push_back(fresh_counters(10.0 + r));
  std::uint32_t round = 0;
  const auto scrape = [&](double ms) {
    for (std::uint16_t r = 0; r < 3; ++r) {
      bench::ReplicaScrape s;
      s.replica = r;
      s.round = round;
      s.sent = core::from_ms(ms);
      s.answered = core::from_ms(ms + 2);
      s.ok = true;
      s.values = counters[r];
      made.run.scrapes.push_back(s);
    }
    ++round;
  };
  scrape(0);
  for (std::size_t i = 0; i < n; ++i) {
    auto& r = made.run.records[i];
    const double start = 10 + 100.0 * static_cast<double>(i);
    r.due = r.dispatched = r.sent = core::from_ms(start);
    r.first_byte = r.first_token = core::from_ms(start + 20);
    r.last_token = r.done = core::from_ms(start + 60);
    count_finish(counters[static_cast<std::size_t>(made.truth[i])], r.prompt_tokens, r.output_tokens, r.max_tokens);
    scrape(start + 65);
  }
  auto scenario = closed_scenario(1);
  scenario.serial_probe = true;
  made.run.manifest.scenario_json = scenarios::to_json(scenario);
  return made;
}

TEST(AttributionSerial, SerialProbingIsExact) {
  const auto made = serial_run(12);
  const auto facts = facts_of(made.run);
  const auto result = attribute_run(made.run, facts);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(result.of_record[i].replica, made.truth[i]);
    EXPECT_EQ(result.of_record[i].method, "serial");
  }
  const auto row = attribution_row({&made.run}, {&facts}, {&result});
  EXPECT_EQ(row.verdict, "exact");
  EXPECT_EQ(row.methods.at("serial"), 12u);
  EXPECT_EQ(row.wrong, 0u);
  EXPECT_EQ(row.compared, 12u);
  EXPECT_DOUBLE_EQ(*row.foreign_ratio.value, 0);
}

TEST(AttributionSerial, ASerialProbeWithAForeignFinishIsAmbiguous) {
  auto made = serial_run(12);
  for (auto& s : made.run.scrapes) {
    if (s.round >= 5 && s.replica == (made.truth[4] + 1) % 3) count_finish(s.values, 512, 50, 50);
  }
  const auto result = attribute_run(made.run, facts_of(made.run));
  EXPECT_EQ(result.of_record[4].replica, -1);
  EXPECT_EQ(result.of_record[4].reason, "foreign");
  EXPECT_EQ(result.of_record[5].replica, made.truth[5]);
}

TEST(AttributionSerial, ASerialProbeThatNobodyCountedWithdrawsAllClaims) {
  auto made = serial_run(6);
  made.run.manifest.replicas.pop_back();
  std::erase_if(made.run.scrapes, [](const bench::ReplicaScrape& s) { return s.replica == 2; });
  const auto facts = facts_of(made.run);
  const auto result = attribute_run(made.run, facts);
  const auto row = attribution_row({&made.run}, {&facts}, {&result});
  ASSERT_TRUE(std::count(made.truth.begin(), made.truth.end(), 2) > 0);
  EXPECT_EQ(row.attributed, 0u);
  EXPECT_EQ(row.verdict, "none");
  EXPECT_NE(row.reason.find("missing from the list"), std::string::npos);
}

TEST(AttributionSerial, HeadersAreComparedOneToOneAndNeverFedIn) {
  auto made = serial_run(12);
  const auto before = attribute_run(made.run, facts_of(made.run));
  for (auto& r : made.run.records) r.observed_replica = static_cast<std::uint16_t>((r.observed_replica + r.index) % 3);
  const auto facts = facts_of(made.run);
  const auto after = attribute_run(made.run, facts);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(before.of_record[i].replica, after.of_record[i].replica);
  EXPECT_GT(check_truth({&made.run}, {&after}).wrong, 3u);
  for (auto& r : made.run.records) r.observed_replica = 0;
  const auto row = attribution_row({&made.run}, {&facts}, {&after});
  EXPECT_FALSE(row.wrong.has_value());
  EXPECT_NE(row.reason.find("one name"), std::string::npos);
}

}  // namespace
