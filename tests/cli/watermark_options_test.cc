// What a watermark of max_tokens cost, as counted after the run.
#include "bench/cli/watermark_options.h"

#include <gtest/gtest.h>

namespace {

using namespace bench;
using namespace bench::cli;

Run answers(std::initializer_list<std::pair<std::uint16_t, std::uint32_t>> workload_and_tokens) {
  Run run;
  for (const auto& [workload, tokens] : workload_and_tokens) {
    RequestRecord record;
    record.outcome = Outcome::kOk;
    record.workload = workload;
    record.output_tokens = tokens;
    run.records.push_back(record);
  }
  return run;
}

TEST(WatermarkWork, CountsWhatRanPastTheWorkloadsOwnMaxTokens) {
  auto run = answers({{0, 10}, {0, 11}, {1, 11}, {1, 25}, {0, kUnknownCount}});
  EXPECT_EQ(work_beyond(run, {10, 20}), "the watermark made work: 2 of 4 answers are longer than the scenario's own max_tokens, by 6 output tokens in all");
  run.records[1].outcome = run.records[3].outcome = Outcome::kTimeout;
  EXPECT_EQ(work_beyond(run, {10, 20}), "the watermark made no work: no answer is longer than the scenario's own max_tokens");
  EXPECT_EQ(work_beyond(answers({{0, kUnknownCount}}), {10}), "");
  EXPECT_EQ(work_beyond(bench::Run{}, {10}), "");
}

TEST(WatermarkWork, WithoutAWatermarkNothingIsSaid) { EXPECT_EQ(WatermarkOptions().work_done(answers({{0, 10}})), ""); }

}  // namespace
