// What scraping costs the measurement: the figures of one run, and the differences of pairs in words.
#include "bench/cli/scrape_cost.h"

#include <gtest/gtest.h>

namespace bench::cli {
namespace {

TEST(ScrapeCost, OneRunIsSummedUpOverItsSuccesses) {
  bench::Run run;
  run.manifest.duration = std::chrono::seconds(2);
  for (const int e2e_ms : {100, 300}) {
    RequestRecord record;
    record.outcome = Outcome::kOk;
    record.sent = std::chrono::milliseconds(10);
    record.first_token = std::chrono::milliseconds(20);
    record.last_token = std::chrono::milliseconds(50);
    record.done = record.sent + std::chrono::milliseconds(e2e_ms);
    record.output_tokens = 4;
    run.records.push_back(record);
  }
  run.records.emplace_back().outcome = Outcome::kTimeout;
  const auto sample = scrape_cost_sample(run);
  EXPECT_EQ(sample.requests, 2u);
  EXPECT_EQ(sample.e2e_mean_ms, 200);
  EXPECT_EQ(sample.tpot_mean_ms, 10);
  EXPECT_EQ(sample.requests_per_s, 1);
}

TEST(ScrapeCost, DifferencesCarryTheirUncertainty) {
  const std::vector<ScrapeCostSample> off{{100, 10, 5, 9}, {100, 10, 5, 9}, {100, 10, 5, 9}};
  const std::vector<ScrapeCostSample> on{{101, 9, 0, 9}, {102, 10, 0, 9}, {103, 11, 0, 9}};
  const std::string text = describe_scrape_cost(on, off);
  // Mean 2, s = 1, t(0.975, 2) = 4.303: 2 ± 2.48; and 0 ± 24.84.
  EXPECT_NE(text.find("E2E from send, mean    +2.00 % [-0.48, +4.48]  no difference shown\n"), std::string::npos) << text;
  EXPECT_NE(text.find("TPOT, mean             +0.00 % [-24.84, +24.84]  no difference shown\n"), std::string::npos) << text;
  EXPECT_NE(text.find("requests per second    not measured\n"), std::string::npos) << text;
  EXPECT_NE(text.find("3 alternating pairs"), std::string::npos);
  const std::string one = describe_scrape_cost({on.data(), 1}, {off.data(), 1});
  EXPECT_NE(one.find("+1.00 % (one pair: no interval)"), std::string::npos) << one;
}

}  // namespace
}  // namespace bench::cli
