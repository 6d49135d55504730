#include "router/core/endpoint_state.h"

#include <gtest/gtest.h>

namespace router {
namespace {

constexpr core::TimePoint kNow{core::Duration{1000}};

TEST(EndpointState, ChargesAreGivenBackOnce) {
  EndpointState endpoint;
  auto charge = begin_request(endpoint, 100);
  EXPECT_EQ(endpoint.in_flight_requests, 1u);
  EXPECT_EQ(endpoint.in_flight_tokens, 100u);
  first_response_byte(endpoint, charge);
  EXPECT_EQ(endpoint.in_flight_requests, 1u);
  EXPECT_EQ(endpoint.in_flight_tokens, 0u);
  end_request(endpoint, charge);
  end_request(endpoint, charge);
  EXPECT_EQ(endpoint.in_flight_requests, 0u);
  EXPECT_EQ(endpoint.in_flight_tokens, 0u);
  EXPECT_EQ(endpoint.picks, 1u);
}

TEST(EndpointState, AScrapeCoversOnlyPicksMadeBeforeItStarted) {
  EndpointState endpoint;
  auto before = begin_request(endpoint, 0);
  scrape_started(endpoint);
  auto during = begin_request(endpoint, 0);
  EXPECT_EQ(endpoint.unseen_picks(), 2u);
  scrape_succeeded(endpoint, {}, kNow);
  EXPECT_EQ(endpoint.unseen_picks(), 1u);
  end_request(endpoint, before);
  EXPECT_EQ(endpoint.unseen_picks(), 1u);
  end_request(endpoint, during);
  EXPECT_EQ(endpoint.unseen_picks(), 0u);
}

TEST(EndpointState, AFailedScrapeKeepsPicksUnseen) {
  EndpointState endpoint;
  auto charge = begin_request(endpoint, 0);
  scrape_started(endpoint);
  scrape_started(endpoint);
  EXPECT_EQ(endpoint.unseen_picks(), 1u);
  end_request(endpoint, charge);
  EXPECT_EQ(endpoint.unseen_picks(), 0u);
}

TEST(EndpointState, AbsentValuesKeepTheOldAndARestartIsNoticed) {
  EndpointState endpoint;
  LoadSample sample;
  sample.waiting = 3;
  sample.running = 4;
  sample.kv_used_fraction = .5;
  sample.block_size_tokens = 16;
  sample.num_gpu_blocks = 1000;
  sample.process_start_unix_s = 10;
  EXPECT_FALSE(scrape_succeeded(endpoint, sample, kNow));
  EXPECT_FALSE(scrape_succeeded(endpoint, {}, kNow + core::Duration{5}));
  EXPECT_EQ(endpoint.waiting, 3);
  EXPECT_EQ(endpoint.num_gpu_blocks, 1000u);
  EXPECT_EQ(endpoint.sampled_at, kNow + core::Duration{5});
  sample.process_start_unix_s = 11;
  EXPECT_TRUE(scrape_succeeded(endpoint, sample, kNow));
  EXPECT_FALSE(scrape_succeeded(endpoint, sample, kNow));
}

}  // namespace
}  // namespace router
