// The load engine's scheduling: closed and open loops, stopping, lag, chains, cancelling, and its silence in the heap.
#include "bench/engine/load_engine.h"

#include <gtest/gtest.h>

#include "tests/bench/allocation_count.h"
#include "tests/bench/fake_transport.h"

namespace bench {
namespace {

using namespace std::chrono_literals;
using scenarios::LoadModel;

constexpr TimePoint kStart{1000s};
constexpr std::string_view kAnswer =
    "data: {\"choices\":[{\"index\":0,\"text\":\" a\",\"finish_reason\":null}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n"
    "data: [DONE]\n\n";

scenarios::Scenario scenario_of(scenarios::Load load, scenarios::StopRule stop) {
  scenarios::Scenario scenario;
  scenario.name = "test";
  scenario.load = load;
  scenario.stop = stop;
  scenario.workloads.resize(1);
  scenario.workloads[0].prompt.tokens = 5;
  return scenario;
}

/// An engine, its fake transport and its schedule.
struct Bench {
  explicit Bench(scenarios::Scenario given) : scenario(std::move(given)), schedule(*scenarios::plan(scenario, 1)) {
    LoadEngineOptions options;
    options.model = "m";
    engine = std::make_unique<LoadEngine>(scenario, schedule, options, transport);
  }
  void answer(std::uint32_t slot, TimePoint at) {
    transport.body(slot, kAnswer, at);
    transport.done(slot, at);
  }
  Run take() {
    Run run;
    engine->take(run);
    return run;
  }

  scenarios::Scenario scenario;
  scenarios::Schedule schedule;
  FakeTransport transport;
  std::unique_ptr<LoadEngine> engine;
};

scenarios::Load closed(std::uint32_t concurrency) { return {LoadModel::kClosed, concurrency, 0, 1, {}}; }
scenarios::Load constant(double rate, std::optional<std::uint32_t> cap = {}) { return {LoadModel::kOpenConstant, 1, rate, 1, cap}; }

TEST(LoadEngine, ClosedLoopKeepsItsSlotsBusyUntilTheScheduleEnds) {
  Bench b(scenario_of(closed(2), {5u, std::nullopt}));
  b.engine->begin(kStart);
  EXPECT_EQ(b.engine->next_due(), kStart);
  b.engine->advance(kStart);
  ASSERT_EQ(b.transport.started.size(), 2u);
  EXPECT_EQ(b.engine->next_due(), std::nullopt);
  b.engine->advance(kStart + 1s);
  EXPECT_EQ(b.transport.started.size(), 2u);
  b.answer(1, kStart + 2s);
  EXPECT_EQ(b.engine->next_due(), kStart + 2s);
  b.engine->advance(kStart + 2s + 1ms);
  ASSERT_EQ(b.transport.started.size(), 3u);
  EXPECT_EQ(b.transport.started[2].slot, 1u);
  EXPECT_FALSE(b.engine->dispatching_done());
  for (const int round : {3, 4}) {
    const TimePoint at = kStart + std::chrono::seconds(round);
    b.answer(0, at);
    if (round == 3) b.answer(1, at);
    b.engine->advance(at);
  }
  EXPECT_EQ(b.transport.started.size(), 5u);
  EXPECT_TRUE(b.engine->dispatching_done());
  EXPECT_FALSE(b.engine->finished());
  b.answer(1, kStart + 5s);
  EXPECT_TRUE(b.engine->finished());
  const auto run = b.take();
  ASSERT_EQ(run.records.size(), 5u);
  EXPECT_EQ(run.records[2].due, 2s);
  EXPECT_EQ(run.records[2].dispatched, 2s + 1ms);
  EXPECT_EQ(run.records[2].intended, kNever);
  EXPECT_EQ(run.health.max_in_flight, 2u);
  EXPECT_EQ(run.health.token_events, 5u);
  for (std::uint32_t i = 0; i < 5; ++i) {
    EXPECT_EQ(run.records[i].index, i);
    EXPECT_EQ(run.records[i].outcome, Outcome::kOk);
    EXPECT_EQ(run.records[i].token_events_count, 1u);
  }
}

TEST(LoadEngine, ThinkTimePausesTheSlot) {
  auto scenario = scenario_of(closed(1), {2u, std::nullopt});
  scenario.workloads[0].think_time = 250ms;
  Bench b(scenario);
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  b.answer(0, kStart + 1s);
  EXPECT_EQ(b.engine->next_due(), kStart + 1250ms);
  b.engine->advance(kStart + 1249ms);
  EXPECT_EQ(b.transport.started.size(), 1u);
  b.engine->advance(kStart + 1250ms);
  EXPECT_EQ(b.transport.started.size(), 2u);
  EXPECT_EQ(b.take().records[1].due, 1250ms);
}

TEST(LoadEngine, RequestsCarryWhatTheScenarioSays) {
  auto scenario = scenario_of(closed(1), {1u, std::nullopt});
  scenario.workloads[0].output.min_tokens = 3;
  scenario.workloads[0].output.max_tokens = 9;
  scenario.request_timeout = 7s;
  scenario.connect_timeout = 2s;
  Bench b(scenario);
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  ASSERT_EQ(b.transport.started.size(), 1u);
  const auto& started = b.transport.started[0];
  EXPECT_EQ(started.path, "/v1/completions");
  EXPECT_EQ(started.timeout, 7s);
  EXPECT_EQ(started.connect_timeout, 2s);
  std::string prompt;
  scenarios::render_prompt(b.scenario, b.schedule.requests[0], prompt);
  EXPECT_EQ(started.body, "{\"model\":\"m\",\"prompt\":\"" + prompt +
                              "\",\"max_tokens\":9,\"min_tokens\":3,\"ignore_eos\":true,\"temperature\":0,\"stream\":true,"
                              "\"stream_options\":{\"include_usage\":true}}");
  b.answer(0, kStart + 1s);
  const auto run = b.take();
  EXPECT_EQ(run.records[0].max_tokens, 9u);
  EXPECT_EQ(run.records[0].body_bytes, started.body.size());
}

TEST(LoadEngine, OpenLoopDispatchesAtIntendedTimesAndShowsItsLag) {
  Bench b(scenario_of(constant(10), {3u, std::nullopt}));
  b.engine->begin(kStart);
  EXPECT_EQ(b.engine->next_due(), kStart);
  b.transport.sent_at = kStart + 1ms;
  b.engine->advance(kStart);
  EXPECT_EQ(b.engine->next_due(), kStart + 100ms);
  b.engine->advance(kStart + 99ms);
  EXPECT_EQ(b.transport.started.size(), 1u);
  b.transport.sent_at = kStart + 230ms;
  b.engine->advance(kStart + 230ms);
  EXPECT_EQ(b.transport.started.size(), 3u);
  EXPECT_TRUE(b.engine->dispatching_done());
  for (std::uint32_t slot = 0; slot < 3; ++slot) b.answer(slot, kStart + 300ms);
  const auto run = b.take();
  EXPECT_EQ(run.records[1].intended, 100ms);
  EXPECT_EQ(run.records[1].due, 100ms);
  EXPECT_EQ(run.records[1].dispatched, 230ms);
  EXPECT_EQ(run.records[1].sent, 230ms);
  EXPECT_EQ(run.health.send_lag_max, 130ms);
  EXPECT_GE(run.health.send_lag_p50, 30ms);
  EXPECT_LE(run.health.send_lag_p50, 31ms);
}

TEST(LoadEngine, TheTrimmedStartIsNoSendLag) {
  auto scenario = scenario_of(constant(10), {3u, std::nullopt});
  scenario.trim_start = 150ms;
  Bench b(scenario);
  b.engine->begin(kStart);
  b.engine->advance(kStart + 120ms);
  b.engine->advance(kStart + 203ms);
  for (std::uint32_t slot = 0; slot < 3; ++slot) b.answer(slot, kStart + 300ms);
  EXPECT_EQ(b.take().health.send_lag_max, 3ms);
}

TEST(LoadEngine, ACapDelaysRequestsAndIsNotTheClientsLag) {
  Bench b(scenario_of(constant(10, 1u), {2u, std::nullopt}));
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  EXPECT_EQ(b.engine->next_due(), std::nullopt);
  b.engine->advance(kStart + 500ms);
  EXPECT_EQ(b.transport.started.size(), 1u);
  b.answer(0, kStart + 700ms);
  EXPECT_EQ(b.engine->next_due(), kStart + 100ms);
  b.engine->advance(kStart + 702ms);
  EXPECT_EQ(b.transport.started.size(), 2u);
  b.answer(0, kStart + 1s);
  const auto run = b.take();
  EXPECT_EQ(run.records[1].due, 100ms);
  EXPECT_EQ(run.records[1].dispatched, 702ms);
  EXPECT_EQ(run.health.send_lag_max, 2ms);
}

TEST(LoadEngine, DurationEndsTheDispatching) {
  Bench b(scenario_of(closed(1), {std::nullopt, Duration(1s)}));
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  EXPECT_EQ(b.engine->next_due(), kStart + 1s);
  b.answer(0, kStart + 900ms);
  b.engine->advance(kStart + 999ms);
  EXPECT_EQ(b.transport.started.size(), 2u);
  b.answer(0, kStart + 1s);
  b.engine->advance(kStart + 1s);
  EXPECT_EQ(b.transport.started.size(), 2u);
  EXPECT_TRUE(b.engine->finished());
  EXPECT_EQ(b.engine->next_due(), std::nullopt);
  EXPECT_EQ(b.take().records.size(), 2u);
}

TEST(LoadEngine, ManyDueAtOnceAreSentInSlices) {
  Bench b(scenario_of(closed(100), {100u, std::nullopt}));
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  EXPECT_EQ(b.transport.started.size(), 32u);
  EXPECT_EQ(b.engine->next_due(), kStart);
  while (b.engine->next_due()) b.engine->advance(kStart);
  EXPECT_EQ(b.transport.started.size(), 100u);
}

TEST(LoadEngine, SuccessorsWaitForTheirPredecessor) {
  auto scenario = scenario_of(constant(10), {3u, std::nullopt});
  Bench b(scenario);
  b.schedule.requests[1].after = 0;
  b.schedule.requests[1].intended = kNever;
  b.schedule.requests[1].think_time = 50ms;
  b.engine = std::make_unique<LoadEngine>(b.scenario, b.schedule, LoadEngineOptions{}, b.transport);
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  b.engine->advance(kStart + 200ms);
  EXPECT_EQ(b.transport.started.size(), 2u);
  EXPECT_FALSE(b.engine->dispatching_done());
  b.answer(0, kStart + 400ms);
  EXPECT_EQ(b.engine->next_due(), kStart + 450ms);
  b.engine->advance(kStart + 450ms);
  EXPECT_EQ(b.transport.started.size(), 3u);
  EXPECT_TRUE(b.engine->dispatching_done());
  EXPECT_EQ(b.take().records[1].due, 450ms);
}

TEST(LoadEngine, StoppingLeavesTheRestNotSent) {
  Bench b(scenario_of(closed(2), {6u, std::nullopt}));
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  b.answer(0, kStart + 1s);
  b.engine->stop_dispatching();
  b.engine->advance(kStart + 1s);
  EXPECT_EQ(b.transport.started.size(), 2u);
  EXPECT_FALSE(b.engine->finished());
  b.transport.cancelled_at = kStart + 3s;
  b.engine->cancel_all();
  EXPECT_TRUE(b.engine->finished());
  const auto run = b.take();
  ASSERT_EQ(run.records.size(), 6u);
  EXPECT_EQ(run.records[0].outcome, Outcome::kOk);
  EXPECT_EQ(run.records[1].outcome, Outcome::kCancelled);
  EXPECT_EQ(run.records[1].done, 3s);
  EXPECT_EQ(run.records[5].outcome, Outcome::kNotSent);
  EXPECT_EQ(run.records[5].index, 5u);
  EXPECT_EQ(run.records[5].dispatched, kNever);
  EXPECT_TRUE(run.error_samples.empty());
}

TEST(LoadEngine, ARefusedStartIsARecordAndPausesTheClosedLoop) {
  Bench b(scenario_of(closed(1), {3u, std::nullopt}));
  b.transport.refuse = true;
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  EXPECT_EQ(b.engine->next_due(), kStart + 100ms);
  EXPECT_EQ(b.engine->live().failed, 1u);
  b.engine->stop_dispatching();
  const auto run = b.take();
  EXPECT_EQ(run.records[0].outcome, Outcome::kTransportError);
  ASSERT_EQ(run.error_samples.size(), 1u);
  EXPECT_NE(run.error_samples[0].find("refused by the test"), std::string::npos);
}

TEST(LoadEngine, PostponedSlotsAreDueLater) {
  Bench b(scenario_of(closed(1), {2u, std::nullopt}));
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  b.answer(0, kStart + 1s);
  b.engine->postpone_free_slots(kStart + 3s);
  EXPECT_EQ(b.engine->next_due(), kStart + 3s);
  b.engine->advance(kStart + 3s);
  EXPECT_EQ(b.take().records[1].due, 3s);
}

TEST(LoadEngine, RecordsAreFinalWhenReported) {
  Bench b(scenario_of(closed(1), {1u, std::nullopt}));
  std::vector<RequestRecord> reported;
  b.engine->on_record = [&](const RequestRecord& record) { reported.push_back(record); };
  b.engine->begin(kStart);
  b.engine->advance(kStart);
  b.answer(0, kStart + 40ms);
  ASSERT_EQ(reported.size(), 1u);
  EXPECT_EQ(reported[0].done, 40ms);
  EXPECT_EQ(reported[0].output_tokens, 1u);
  const LiveStats live = b.engine->live();
  EXPECT_EQ(live.finished, 1u);
  EXPECT_EQ(live.output_tokens, 1u);
  EXPECT_EQ(live.ttft_p50_recent, 40ms);
  EXPECT_EQ(live.ttft_p99_recent, 40ms);
}

TEST(LoadEngine, AllocatesNothingAfterWarmUp) {
  Bench b(scenario_of(closed(4), {400u, std::nullopt}));
  b.transport.keep = false;
  b.transport.sent_at = kStart;
  b.engine->begin(kStart);
  TimePoint now = kStart;
  std::size_t before = 0;
  for (int i = 0; i < 400; ++i) {
    if (i == 100) before = allocation_count();  // every buffer has grown by now
    b.engine->advance(now);
    now += 1ms;
    const std::uint32_t slot = static_cast<std::uint32_t>(i) % 4;
    b.transport.header(slot, "X-Gateway-Destination-Endpoint-Served", "10.11.12.13:8000/a-long-name");
    b.answer(slot, now);
  }
  EXPECT_GT(before, 0u);
  EXPECT_EQ(allocation_count() - before, 0u);
  EXPECT_TRUE(b.engine->finished());
}

}  // namespace
}  // namespace bench
