// The runner against a real socket: whole runs, serial probes, misbehaving servers, interruption, writing ahead.
#include "bench/shell/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "bench/shell/run_codec.h"
#include "bench/shell/run_writer.h"
#include "core/hash.h"
#include "tests/bench/mock_server.h"

namespace bench {
namespace {

using namespace std::chrono_literals;
using Mode = MockServer::Mode;
using scenarios::LoadModel;

RunRequest request_to(const MockServer& server, std::uint32_t concurrency, std::uint32_t requests) {
  RunRequest request;
  request.target_url = server.url();
  request.scenario.name = "test";
  request.scenario.load = {LoadModel::kClosed, concurrency, 0, 1, {}};
  request.scenario.stop = {requests, std::nullopt};
  request.scenario.workloads.resize(1);
  request.scenario.workloads[0].name = "w";
  request.scenario.workloads[0].prompt.tokens = 12;
  request.scenario.workloads[0].output.max_tokens = 2;
  request.replicas = {{"r0", server.metrics_url()}};
  request.cell.scenario = "test";
  request.seed = 5;
  return request;
}

TEST(Runner, AWholeRun) {
  MockServer server;
  RunRequest request = request_to(server, 4, 40);
  request.api_key = "secret-key";
  request.reset_caches = true;
  request.labels = {{"who", "test"}};
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value()) << run.error().message;
  ASSERT_EQ(run->records.size(), 40u);
  for (const RequestRecord& record : run->records) {
    EXPECT_EQ(record.outcome, Outcome::kOk);
    EXPECT_EQ(record.http_status, 200);
    EXPECT_EQ(record.output_tokens, 2u);
    EXPECT_EQ(record.prompt_tokens, 12u);
    EXPECT_EQ(record.observed_replica, 0u);
    EXPECT_LE(record.due, record.dispatched);
    EXPECT_LE(record.dispatched, record.sent);
    EXPECT_LE(record.sent, record.first_token);
    EXPECT_LE(record.first_token, record.last_token);
    EXPECT_LE(record.last_token, record.done);
  }
  EXPECT_EQ(run->observed_names, std::vector<std::string>{"mock-pod"});
  EXPECT_EQ(run->health.max_in_flight, 4u);
  EXPECT_EQ(run->health.new_connections, 4u);
  EXPECT_EQ(run->token_events.size(), 80u);
  EXPECT_EQ(run->manifest.status, RunStatus::kCompleted);
  EXPECT_EQ(run->manifest.model, "mock-model");
  EXPECT_EQ(run->manifest.id.size(), 26u);
  EXPECT_EQ(run->manifest.cache_state, "reset");
  EXPECT_EQ(server.resets, 1);
  ASSERT_EQ(run->manifest.replicas.size(), 1u);
  EXPECT_TRUE(run->manifest.replicas[0].simulated);
  EXPECT_EQ(run->manifest.replicas[0].block_size_tokens, 128u);
  const auto schedule = scenarios::plan(*scenarios::parse_scenario(run->manifest.scenario_json, "stored"), run->manifest.seed);
  EXPECT_EQ(run->manifest.schedule_digest, core::hex64(schedule->digest));
  ASSERT_GE(run->scrapes.size(), 2u);
  EXPECT_LT(run->scrapes.front().sent, Duration{0});
  EXPECT_EQ(run->scrapes.front().values.success, 0.0);
  EXPECT_EQ(run->scrapes.back().values.success, 40.0);
  EXPECT_EQ(run->health.scrapes, run->scrapes.size());
  const auto seen = server.authorizations();
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "Bearer secret-key"), 43);
  EXPECT_EQ(manifest_to_json(run->manifest).find("secret-key"), std::string::npos);
}

TEST(Runner, SerialProbeReadsTheReplicasBetweenRequests) {
  MockServer server, other;
  RunRequest request = request_to(server, 1, 5);
  request.replicas.push_back({"r1", other.metrics_url()});
  request.scenario.serial_probe = true;
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value()) << run.error().message;
  for (std::size_t i = 0; i < run->records.size(); ++i) {
    // Rounds that lie wholly between this request's end and the next one's dispatch.
    const Duration from = run->records[i].done;
    const Duration to = i + 1 < run->records.size() ? run->records[i + 1].dispatched : Duration::max();
    std::set<std::uint16_t> replicas;
    for (const ReplicaScrape& scrape : run->scrapes) {
      if (scrape.sent < from || scrape.answered > to) continue;
      replicas.insert(scrape.replica);
      EXPECT_EQ(scrape.values.success, scrape.replica == 0 ? static_cast<double>(i + 1) : 0.0);
    }
    EXPECT_EQ(replicas.size(), 2u) << i;
  }
  EXPECT_LT(run->health.send_lag_max, 50ms);
}

TEST(Runner, WithoutReplicasNothingIsScraped) {
  MockServer server;
  RunRequest request = request_to(server, 1, 2);
  request.replicas.clear();
  request.scenario.serial_probe = true;
  request.cell_salt = 3;
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value()) << run.error().message;
  EXPECT_EQ(run->records.size(), 2u);
  EXPECT_TRUE(run->scrapes.empty());
  EXPECT_EQ(run->manifest.cache_state, "salted");
  EXPECT_EQ(run->manifest.cell_salt, 3u);
}

TEST(Runner, OpenLoop) {
  MockServer server;
  RunRequest request = request_to(server, 1, 30);
  request.scenario.load = {LoadModel::kOpenPoisson, 1, 2000, 1, {}};
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value()) << run.error().message;
  ASSERT_EQ(run->records.size(), 30u);
  for (const RequestRecord& record : run->records) {
    EXPECT_EQ(record.outcome, Outcome::kOk);
    EXPECT_EQ(record.due, record.intended);
    EXPECT_GE(record.dispatched, record.intended);
  }
}

TEST(Runner, TornPagesAreReadAgain) {
  MockServer server;
  server.torn_pages = 2;
  const auto run = run_load(request_to(server, 1, 1));
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->health.torn_scrapes, 2u);
  ASSERT_GE(run->scrapes.size(), 3u);
  EXPECT_TRUE(run->scrapes[0].torn);
  EXPECT_TRUE(run->scrapes[1].torn);
  EXPECT_FALSE(run->scrapes[2].torn);
  EXPECT_EQ(run->scrapes[2].round, 0u);
}

TEST(Runner, MisbehavingServersAreRecordsNotFailures) {
  struct Case {
    Mode mode;
    Outcome outcome;
  };
  for (const Case& c : {Case{Mode::kCutMidStream, Outcome::kTransportError}, Case{Mode::kHalfEvent, Outcome::kBadResponse},
                        Case{Mode::kStatus500, Outcome::kHttpError}, Case{Mode::kNotJson, Outcome::kBadResponse}}) {
    MockServer server;
    server.mode = c.mode;
    const auto run = run_load(request_to(server, 2, 4));
    ASSERT_TRUE(run.has_value()) << run.error().message;
    ASSERT_EQ(run->records.size(), 4u);
    for (const RequestRecord& record : run->records) EXPECT_EQ(record.outcome, c.outcome);
    EXPECT_FALSE(run->error_samples.empty());
    EXPECT_EQ(run->manifest.status, RunStatus::kCompleted);
  }
}

TEST(Runner, ReplicaWithoutMetricsIsNotedAndTheRunGoesOn) {
  MockServer server;
  RunRequest request = request_to(server, 1, 2);
  request.replicas = {{"r0", server.url() + "/v1/models"}, {"r1", "http://127.0.0.1:1/metrics"}};
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->records[1].outcome, Outcome::kOk);
  for (const ReplicaScrape& scrape : run->scrapes) EXPECT_FALSE(scrape.ok);
  EXPECT_EQ(run->health.failed_scrapes, run->scrapes.size());
  ASSERT_EQ(run->error_samples.size(), 2u);
  EXPECT_NE(run->error_samples[1].find("connect"), std::string::npos) << run->error_samples[1];
}

TEST(Runner, TimeoutsAreRecords) {
  MockServer server;
  server.mode = Mode::kHang;
  RunRequest request = request_to(server, 2, 2);
  request.scenario.request_timeout = 50ms;
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value());
  for (const RequestRecord& record : run->records) {
    EXPECT_EQ(record.outcome, Outcome::kTimeout);
    EXPECT_NE(record.first_token, kNever);
  }
}

TEST(Runner, StragglersAreCancelledAfterTheDrainTimeout) {
  MockServer server;
  server.mode = Mode::kHang;
  RunRequest request = request_to(server, 3, 1);
  request.scenario.stop = {std::nullopt, Duration(50ms)};
  request.scenario.drain_timeout = 20ms;
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->manifest.status, RunStatus::kCompleted);
  ASSERT_EQ(run->records.size(), 3u);
  for (const RequestRecord& record : run->records) EXPECT_EQ(record.outcome, Outcome::kCancelled);
}

TEST(Runner, AnInterruptKeepsWhatThereIs) {
  MockServer server;
  server.mode = Mode::kHang;
  std::atomic<bool> interrupted{false};
  RunRequest request = request_to(server, 2, 9);
  request.interrupted = &interrupted;
  request.on_progress = [&](const LiveStats& live, Duration) {
    EXPECT_EQ(live.in_flight, 2u);
    interrupted = true;
  };
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->manifest.status, RunStatus::kAborted);
  ASSERT_EQ(run->records.size(), 9u);
  EXPECT_EQ(run->records[0].outcome, Outcome::kCancelled);
  EXPECT_EQ(run->records[8].outcome, Outcome::kNotSent);
}

TEST(Runner, TargetsThatCannotBeMeasured) {
  MockServer server;
  RunRequest request = request_to(server, 1, 1);
  request.target_url = "http://127.0.0.1:1";
  const auto down = run_load(request);
  ASSERT_FALSE(down.has_value());
  EXPECT_EQ(down.error().code, core::ErrorCode::kUnreachable);
  EXPECT_NE(down.error().message.find("http://127.0.0.1:1"), std::string::npos);
  EXPECT_NE(down.error().message.find("\"connect\""), std::string::npos) << down.error().message;
  EXPECT_FALSE(down.error().hint.empty());
  request.target_url = "ftp://x";
  EXPECT_EQ(run_load(request).error().code, core::ErrorCode::kInvalid);
  request = request_to(server, 1, 1);
  request.model = "mock-modle";
  const auto unknown = run_load(request);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, core::ErrorCode::kInvalid);
  EXPECT_EQ(unknown.error().hint, "did you mean \"mock-model\"?");
  request.model.clear();
  server.bad_models = true;
  const auto html = run_load(request);
  ASSERT_FALSE(html.has_value());
  EXPECT_EQ(html.error().code, core::ErrorCode::kProtocol);
}

TEST(Runner, NamesAreResolvedOnceAndSentAsHost) {
  MockServer server;
  RunRequest request = request_to(server, 1, 1);
  request.target_url = "http://user:pass@localhost:" + server.url().substr(server.url().rfind(':') + 1) + "/";
  const auto run = run_load(request);
  ASSERT_TRUE(run.has_value()) << run.error().message;
  EXPECT_EQ(run->records[0].outcome, Outcome::kOk);
  EXPECT_EQ(run->manifest.target_url, "http://localhost:" + server.url().substr(server.url().rfind(':') + 1));
}

TEST(Runner, WhatIsWrittenAheadIsWhatIsReturned) {
  std::string pattern = (std::filesystem::temp_directory_path() / "gatebench-writer-XXXXXX").string();
  const std::string folder = mkdtemp(pattern.data());
  MockServer server;
  RunRequest request = request_to(server, 2, 20);
  std::string id;
  {
    auto writer = RunWriter::open(folder + "/runs.db");
    ASSERT_TRUE(writer.has_value());
    (*writer)->attach(request);
    const auto run = run_load(request);
    ASSERT_TRUE(run.has_value());
    ASSERT_TRUE((*writer)->finish());
    id = run->manifest.id;
    auto store = RunStore::open(folder + "/runs.db", RunStore::Mode::kReadOnly);
    const auto ahead = (*store)->load_run(id);
    ASSERT_TRUE(ahead.has_value()) << ahead.error().message;
    ASSERT_EQ(ahead->records.size(), 20u);
    EXPECT_EQ(ahead->observed_names, run->observed_names);
    EXPECT_EQ(ahead->scrapes.size(), run->scrapes.size());
    ASSERT_EQ(ahead->token_events.size(), run->token_events.size());
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(ahead->records[i].done, run->records[i].done);
    for (std::size_t i = 0; i < ahead->token_events.size(); ++i) EXPECT_EQ(ahead->token_events[i].at, run->token_events[i].at);
  }
  EXPECT_FALSE(RunWriter::open(folder + "/none/runs.db").has_value());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace bench
