#include "simulator/server/faults.h"

#include <gtest/gtest.h>

#include "client.h"
#include "simulator/server/delay_line.h"
#include "simulator/server/exposition_filter.h"

namespace simulator {
namespace {

using testing::Bench;

constexpr const char* kStream = R"({"prompt":"Hello there","max_tokens":20,"stream":true})";

TEST(Faults, ParsedStrictlyAndWrittenBack) {
  const auto faults = parse_faults(R"({"fail_rate":0.25,"status":429,"cut_after_tokens":3,"refuse":false,"non_json":null})");
  ASSERT_TRUE(faults.has_value()) << faults.error().message;
  EXPECT_EQ(faults->fail_rate, 0.25);
  EXPECT_EQ(faults->status, 429);
  EXPECT_EQ(faults->cut_after_tokens, 3u);
  EXPECT_FALSE(faults->stall_after_tokens.has_value());
  const auto again = parse_faults(faults_json(*faults));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(faults_json(*again), faults_json(*faults));
}

TEST(Faults, EveryMistakeIsNamed) {
  const auto faults = parse_faults(R"({"refused":true,"fail_rate":2,"status":200,"cut_after_tokens":-1,"half_event":1})");
  ASSERT_FALSE(faults.has_value());
  for (const char* key : {"/refused", "/fail_rate", "/status", "/cut_after_tokens", "/half_event"}) {
    EXPECT_NE(faults.error().message.find(key), std::string::npos) << key;
  }
  for (const char* text : {"", "[", "[]", "3"}) EXPECT_FALSE(parse_faults(text).has_value()) << text;
}

TEST(Faults, AdminRouteSwitchesThem) {
  Bench bench;
  EXPECT_EQ(bench.call("/admin/faults", R"({"fail_rate":1,"status":503})")->status, 200);
  const auto failed = bench.call("/v1/completions", kStream);
  EXPECT_EQ(failed->status, 503);
  EXPECT_EQ(bench.call("/health")->status, 200);
  EXPECT_EQ(bench.call("/admin/faults", R"({"fale_rate":1})")->status, 400);
  EXPECT_NE(bench.call("/admin/faults")->answer.find("\"fail_rate\":1.0"), std::string::npos);
  EXPECT_EQ(bench.call("/admin/faults", "{}")->status, 200);
  EXPECT_EQ(bench.call("/v1/completions", kStream)->status, 200);
}

TEST(Faults, FailRateIsAShare) {
  Bench bench([](ReplicaOptions& options) { options.faults.fail_rate = 0.3; });
  int failed = 0;
  for (int i = 0; i < 300; ++i) failed += bench.call("/v1/completions", R"({"prompt":"x","max_tokens":1})")->status == 503;
  EXPECT_GT(failed, 60);
  EXPECT_LT(failed, 120);
}

TEST(Faults, RefusedConnectionIsAnErrorWithoutAnswer) {
  Bench bench([](ReplicaOptions& options) { options.faults.refuse = true; });
  const auto call = bench.call("/v1/completions", kStream);
  EXPECT_NE(call->curl_code, 0);
  EXPECT_EQ(call->status, 0);
  EXPECT_TRUE(call->answer.empty());
}

TEST(Faults, NonJsonAndHalfEvent) {
  Bench bench([](ReplicaOptions& options) { options.faults.non_json = true; });
  const auto html = bench.call("/v1/completions", kStream);
  EXPECT_EQ(html->status, 200);
  EXPECT_TRUE(html->answer.starts_with("<html>"));
  bench.call("/admin/faults", R"({"half_event":true})");
  const auto half = bench.call("/v1/completions", kStream);
  EXPECT_EQ(half->curl_code, 0);
  EXPECT_TRUE(half->answer.starts_with("data: {"));
  EXPECT_TRUE(half->events().empty());
  core::SseParser parser;
  parser.feed(half->answer, [](std::string_view) {});
  EXPECT_TRUE(parser.has_partial_event());
  bench.call("/admin/faults", "{}");
  EXPECT_EQ(bench.call("/v1/completions", kStream)->events().size(), 21u);
}

class CutAfter : public ::testing::TestWithParam<int> {};

TEST_P(CutAfter, ResetsTheConnection) {
  Bench bench([](ReplicaOptions& options) {
    options.faults.cut_after_tokens = 3;
    options.network_delay = std::chrono::milliseconds(GetParam());
  });
  const auto call = bench.call("/v1/completions", kStream);
  EXPECT_NE(call->curl_code, 0);
  EXPECT_LE(call->events().size(), 3u);
  const auto whole = bench.call("/v1/completions", R"({"prompt":"x","max_tokens":9})");
  EXPECT_NE(whole->curl_code, 0);
  bench.call("/admin/faults", R"({"cut_after_tokens":0})");
  const auto nothing = bench.call("/v1/completions", kStream);
  EXPECT_NE(nothing->curl_code, 0);
  EXPECT_TRUE(nothing->answer.empty());
  EXPECT_EQ(bench.call("/load")->answer, R"({"server_load":0})");
}

INSTANTIATE_TEST_SUITE_P(DirectAndDelayed, CutAfter, ::testing::Values(0, 4));

TEST(Faults, StallKeepsTheConnectionAndSendsNothingMore) {
  Bench bench([](ReplicaOptions& options) { options.faults.stall_after_tokens = 2; });
  auto stalled = bench.make("/v1/completions", kStream);
  const auto id = bench.begin(*stalled);
  // By the time another replica-wide request has run its 50 steps, 20 tokens would have come.
  bench.call("/v1/completions", R"({"prompt":"x","max_tokens":1})");
  for (int i = 0; i < 50; ++i) bench.call("/v1/completions", R"({"prompt":"x","max_tokens":1})");
  EXPECT_FALSE(stalled->over);
  EXPECT_EQ(stalled->events().size(), 2u);
  bench.client->cancel(id);
  EXPECT_TRUE(stalled->over);
}

TEST(Faults, DiesAtTheRequestAfterSoMany) {
  Bench bench([](ReplicaOptions& options) { options.faults.die_after_requests = 2; });
  EXPECT_EQ(bench.call("/v1/completions", kStream)->status, 200);
  EXPECT_EQ(bench.call("/v1/completions", kStream)->status, 200);
  EXPECT_NE(bench.call("/v1/completions", kStream)->curl_code, 0);
  EXPECT_NE(bench.call("/health")->curl_code, 0) << "the default death closes the server";
}

TEST(Faults, DeathIsTheCallersToChoose) {
  int deaths = 0;
  Bench bench([&](ReplicaOptions& options) {
    options.faults.die_after_requests = 0;
    options.on_die = [&deaths] { ++deaths; };
  });
  EXPECT_NE(bench.call("/v1/completions", kStream)->curl_code, 0);
  EXPECT_EQ(bench.call("/health")->status, 200);
  EXPECT_EQ(deaths, 1);
}

TEST(DelayLine, FirstInFirstOutAcrossGrowth) {
  DelayLine<int> line;
  int next = 0, expected = 0;
  for (int round = 0; round < 300; ++round) {
    line.push(core::TimePoint{core::Duration{next}}) = next;
    ++next;
    if (round % 3 == 2) {
      EXPECT_EQ(line.front(), expected);
      EXPECT_EQ(line.first_due(), core::TimePoint{core::Duration{expected}});
      ++expected;
      line.pop();
    }
  }
  EXPECT_EQ(line.size(), 200u);
  for (; !line.empty(); line.pop()) EXPECT_EQ(line.front(), expected++);
  EXPECT_EQ(expected, 300);
}

TEST(ExpositionFilter, NamesAreDecoded) {
  EXPECT_TRUE(asked_names("/metrics").empty());
  EXPECT_TRUE(asked_names("/metrics?x=1&&name[]").empty());
  EXPECT_EQ(asked_names("/metrics?name[]=a%3Ab&name%5b%5D=c+d&name[]=%zz"),
            (std::vector<std::string>{"a:b", "c d", "%zz"}));
}

TEST(ExpositionFilter, KeepsCommentsOfWhatStays) {
  const std::string text = "# HELP a x\n# TYPE a gauge\na 1\n# HELP b x\n# TYPE b gauge\nb{c=\"d\"} 2\nb{c=\"e\"} 3\n";
  EXPECT_EQ(filter_exposition(text, {}), text);
  EXPECT_EQ(filter_exposition(text, {"b"}), "# HELP b x\n# TYPE b gauge\nb{c=\"d\"} 2\nb{c=\"e\"} 3\n");
  EXPECT_EQ(filter_exposition("a 1", {"a"}), "a 1");
  EXPECT_EQ(filter_exposition("", {"a"}), "");
}

}  // namespace
}  // namespace simulator
