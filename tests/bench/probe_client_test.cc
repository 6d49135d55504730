// The probe client against a real socket: answers read to their end, scrapes around them, misbehaviour, limits.
#include "bench/shell/probe_client.h"

#include <gtest/gtest.h>

#include "tests/bench/mock_server.h"

namespace bench {
namespace {

using namespace std::chrono_literals;
using Mode = MockServer::Mode;

std::unique_ptr<ProbeClient> client_of(const MockServer& server, const std::atomic<bool>* interrupted = nullptr) {
  ProbeClientOptions options;
  options.target_url = server.url();
  options.api_key = "secret-key";
  options.replicas = {{"r0", server.metrics_url()}};
  options.interrupted = interrupted;
  auto client = ProbeClient::open(std::move(options));
  EXPECT_TRUE(client.has_value());
  if (!client) return nullptr;
  (*client)->set_model("mock-model");
  return std::move(*client);
}

ProbeRequest prompt(const std::string& text) { return {protocol::Api::kCompletions, text, 2, true}; }

TEST(ProbeClient, AnAnswerIsReadToItsEndAndCountedBetweenScrapes) {
  MockServer server;
  const auto client = client_of(server);
  const auto models = client->get("/v1/models");
  ASSERT_TRUE(models.has_value());
  EXPECT_EQ(models->status, 200);
  const auto before = client->scrape();
  const ProbeRequest request = prompt("hello");
  const auto answers = client->send({&request, 1});
  const auto after = client->scrape();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].whole) << answers[0].problem;
  EXPECT_EQ(answers[0].status, 200);
  EXPECT_EQ(answers[0].output_tokens, 2u);
  EXPECT_GT(answers[0].text_bytes, 0u);
  EXPECT_TRUE(answers[0].finish_reason);
  EXPECT_GT(answers[0].latency, 0ns);
  EXPECT_GT(answers[0].body_bytes, 0u);
  EXPECT_EQ(answers[0].observed_name, "mock-pod");
  ASSERT_TRUE(before[0] && after[0]);
  EXPECT_EQ(*after[0]->success - *before[0]->success, 1);
  EXPECT_EQ(client->requests_sent(), 1u);
  for (const auto& authorization : server.authorizations()) {
    EXPECT_TRUE(authorization.empty() || authorization == "Bearer secret-key");
  }
}

TEST(ProbeClient, MetricsGetTheirOwnTokenAndNeverTheKey) {
  MockServer server;
  ProbeClientOptions options;
  options.target_url = server.url();
  options.api_key = "secret-key";
  options.replicas = {{"r0", server.metrics_url()}};
  options.metrics_access.token = "metrics-token";
  const auto client = ProbeClient::open(std::move(options));
  ASSERT_TRUE(client.has_value());
  const auto before = server.authorizations().size();
  ASSERT_TRUE((*client)->scrape()[0].has_value());
  const auto seen = server.authorizations();
  ASSERT_EQ(seen.size(), before + 1);
  EXPECT_EQ(seen.back(), "Bearer metrics-token");
}

TEST(ProbeClient, SeveralAreInFlightAtOnceAndNoMoreThanAllowed) {
  MockServer server;
  const auto client = client_of(server);
  const std::vector<ProbeRequest> requests(11, prompt("x"));
  const auto answers = client->send(requests);
  EXPECT_EQ(answers.size(), 8u);
  for (const auto& answer : answers) EXPECT_TRUE(answer.whole);
}

TEST(ProbeClient, MisbehaviourIsNotWholeAndSaysWhy) {
  MockServer server;
  const auto client = client_of(server);
  const ProbeRequest request = prompt("x");
  for (const Mode mode : {Mode::kCutMidStream, Mode::kHalfEvent, Mode::kStatus500, Mode::kNotJson}) {
    server.mode = mode;
    const auto answer = client->send({&request, 1}).front();
    EXPECT_FALSE(answer.whole) << static_cast<int>(mode);
    EXPECT_FALSE(answer.problem.empty()) << static_cast<int>(mode);
  }
}

TEST(ProbeClient, ATornPageIsReadAgainAndAPageThatStaysTornIsNone) {
  MockServer server;
  const auto client = client_of(server);
  server.torn_pages = 1;
  EXPECT_TRUE(client->scrape()[0].has_value());
  server.torn_pages = 3;
  EXPECT_FALSE(client->scrape()[0].has_value());
  EXPECT_TRUE(client->scrape()[0].has_value());
}

TEST(ProbeClient, AnInterruptionEndsAHangingRequest) {
  MockServer server;
  server.mode = Mode::kHang;
  const std::atomic<bool> interrupted{true};
  const auto client = client_of(server, &interrupted);
  const ProbeRequest request = prompt("x");
  const auto answer = client->send({&request, 1}).front();
  EXPECT_FALSE(answer.whole);
  EXPECT_TRUE(client->stopped());
  EXPECT_TRUE(client->interrupted());
}

TEST(ProbeClient, ADeadTargetAnswersNothing) {
  ProbeClientOptions options;
  options.target_url = "http://127.0.0.1:9";
  options.replicas = {{"r0", "http://127.0.0.1:9/metrics"}};
  const auto client = ProbeClient::open(std::move(options));
  ASSERT_TRUE(client.has_value());
  const auto answer = (*client)->get("/v1/models");
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, core::ErrorCode::kUnreachable);
  EXPECT_FALSE((*client)->scrape()[0].has_value());
  EXPECT_NE((*client)->scrape_problem(0).find("connect"), std::string::npos);
  const ProbeRequest request = prompt("x");
  const auto sent = (*client)->send({&request, 1}).front();
  EXPECT_EQ(sent.status, 0);
  EXPECT_FALSE(sent.problem.empty());
}

}  // namespace
}  // namespace bench
