// analyze() as a whole: seed tests with their findings, cache against the oracle, and hostile input.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "analyzers/analyze.h"
#include "analyzers/cache.h"
#include "analyzers/throughput.h"
#include "scenarios/schedule.h"
#include "tests/analyzers/made_runs.h"

namespace {

using namespace analyzers;
using namespace analyzers_test;

/// A bundled serial scenario, served one by one: request i by replica `where[i]`, with `cached` tokens hit each time but
/// the first; scrapes around each.
bench::Run seed_run(const char* scenario_name, const std::vector<int>& where, double cached, std::uint32_t prompt_tokens, std::uint32_t block_size) {
  bench::Run run;
  const auto scenario = *scenarios::catalog_scenario(scenario_name);
  const auto schedule = *scenarios::plan(scenario, 1, 0);
  run.manifest.id = scenario_name;
  run.manifest.seed = 1;
  run.manifest.status = bench::RunStatus::kCompleted;
  run.manifest.scenario_json = scenarios::to_json(scenario);
  run.manifest.cell.arm = "p3";
  run.manifest.cell.purpose = "probe";
  for (int r = 0; r < 3; ++r) {
    run.manifest.replicas.push_back({"r" + std::to_string(r), "http://127.0.0.1:" + std::to_string(9200 + r) + "/metrics", true, block_size, {}});
    run.observed_names.push_back("pod-" + std::to_string(r));
  }
  std::vector<protocol::VllmSnapshot> counters;
  for (int r = 0; r < 3; ++r) {
    counters.push_back(fresh_counters(10.0 + r));
    counters.back().prefix_queries_tokens = counters.back().prefix_hits_tokens = 0;
    counters.back().block_size_tokens = block_size;
  }
  std::uint32_t round = 0;
  const auto scrape = [&](double ms) {
    for (std::uint16_t r = 0; r < 3; ++r) {
      bench::ReplicaScrape s;
      s.replica = r;
      s.round = round;
      s.sent = core::from_ms(ms);
      s.answered = core::from_ms(ms + 1);
      s.ok = true;
      s.values = counters[r];
      run.scrapes.push_back(s);
    }
    ++round;
  };
  scrape(-10);
  for (std::size_t i = 0; i < where.size(); ++i) {
    auto r = plain_record(static_cast<std::uint32_t>(i), 100.0 * static_cast<double>(i), 20, 60, prompt_tokens + static_cast<std::uint32_t>(i % 3), 12);
    r.prefix_group = schedule.requests[i].prefix_group;
    r.observed_replica = static_cast<std::uint16_t>(where[i]);
    r.observed_source = bench::ObservedSource::kInferencePodHeader;
    auto& c = counters[static_cast<std::size_t>(where[i])];
    count_finish(c, r.prompt_tokens, r.output_tokens, r.max_tokens);
    *c.prefix_queries_tokens += r.prompt_tokens;
    if (i > 0) *c.prefix_hits_tokens += cached;
    run.records.push_back(r);
    scrape(100.0 * static_cast<double>(i) + 65);
  }
  run.manifest.duration = run.records.back().done;
  return run;
}

ExperimentSpec spec_of_three() {
  ExperimentSpec spec;
  spec.arms = {{"p3", "candidate", 3, {}}};
  return spec;
}

const Finding& finding(const Analysis& a, const char* id) {
  return *std::find_if(a.findings.begin(), a.findings.end(), [&](const Finding& f) { return f.id == id; });
}

TEST(Findings, MarsLongSticksAndHits) {
  const auto a = analyze(std::vector<bench::Run>{seed_run("mars-long", {1, 1, 1, 1, 1, 1}, 896, 980, 128)}, spec_of_three());
  const auto& f = finding(a, "stickiness");
  EXPECT_EQ(f.verdict, Verdict::kPass) << f.sentence;
  EXPECT_NE(f.sentence.find("5 of 5 went to the same replica"), std::string::npos) << f.sentence;
  EXPECT_NE(f.sentence.find("4480 of "), std::string::npos) << f.sentence;
  EXPECT_NE(f.sentence.find("blocks of 128"), std::string::npos) << f.sentence;
  EXPECT_TRUE(a.all_as_expected);
  const auto& arm = a.arms[0];
  EXPECT_DOUBLE_EQ(*arm.prefix_groups.at(0).stickiness_ratio.value, 1.0);
  EXPECT_TRUE(arm.cache.efficiency_ratio.value.has_value()) << arm.cache.efficiency_ratio.reason;
  EXPECT_GT(*arm.cache.oracle_hit_ratio.value, 0.5);
  EXPECT_EQ(arm.cache.note, "");
}

TEST(Findings, MarsLongThatStraysOrMissesFails) {
  auto a = analyze(std::vector<bench::Run>{seed_run("mars-long", {1, 1, 2, 1, 1, 1}, 896, 980, 128)}, spec_of_three());
  EXPECT_EQ(finding(a, "stickiness").verdict, Verdict::kFail);
  EXPECT_FALSE(a.all_as_expected);
  a = analyze(std::vector<bench::Run>{seed_run("mars-long", {1, 1, 1, 1, 1, 1}, 0, 980, 128)}, spec_of_three());
  EXPECT_EQ(finding(a, "stickiness").verdict, Verdict::kFail);
  EXPECT_NE(finding(a, "stickiness").sentence.find("is prefix caching on?"), std::string::npos);
}

TEST(Findings, MarsVerbatimSticksAndCannotHit) {
  const auto a = analyze(std::vector<bench::Run>{seed_run("mars-verbatim", {2, 2, 2, 2, 2}, 0, 128, 128)}, spec_of_three());
  const auto& f = finding(a, "stickiness");
  EXPECT_EQ(f.verdict, Verdict::kPass) << f.sentence;
  EXPECT_NE(f.sentence.find("0 of "), std::string::npos) << f.sentence;
  EXPECT_NE(f.sentence.find("shorter than one block of 128 tokens"), std::string::npos) << f.sentence;
  EXPECT_NE(a.arms[0].cache.note.find("cannot hit"), std::string::npos);
  EXPECT_EQ(a.arms[0].cache.efficiency_ratio.reason, "nothing in this traffic could be hit");
  const auto small_blocks = analyze(std::vector<bench::Run>{seed_run("mars-verbatim", {2, 2, 2, 2, 2}, 96, 128, 16)}, spec_of_three());
  EXPECT_EQ(finding(small_blocks, "stickiness").verdict, Verdict::kPass);
  EXPECT_EQ(small_blocks.arms[0].cache.note, "");
}

TEST(Findings, HaikuHasADistributionAndSaysHowWeakItIs) {
  const auto a = analyze(std::vector<bench::Run>{seed_run("haiku", {0, 1, 2, 0, 1, 2, 0, 1, 2}, 0, 9, 128)}, spec_of_three());
  const auto& f = finding(a, "spread");
  EXPECT_EQ(f.verdict, Verdict::kInconclusive);
  EXPECT_NE(f.sentence.find("9 unrelated prompts were served 3/3/3"), std::string::npos) << f.sentence;
  EXPECT_NE(f.sentence.find("prove little"), std::string::npos);
  EXPECT_TRUE(a.all_as_expected);
  const auto stuck = analyze(std::vector<bench::Run>{seed_run("haiku", {1, 1, 1, 1, 1, 1, 1, 1, 1}, 0, 9, 128)}, spec_of_three());
  EXPECT_EQ(finding(stuck, "spread").verdict, Verdict::kFail);
}

TEST(Findings, SerialAttributionAgreesWithTheHeader) {
  const auto a = analyze(std::vector<bench::Run>{seed_run("serial", {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, 0, 160, 128)}, spec_of_three());
  const auto& f = finding(a, "serial-attribution");
  EXPECT_EQ(f.verdict, Verdict::kPass) << f.sentence;
  EXPECT_NE(f.sentence.find("12/12 agree with the response header"), std::string::npos) << f.sentence;
  EXPECT_EQ(a.attribution[0].verdict, "exact");
  EXPECT_EQ(a.arms[0].replicas[1].observed_name, "pod-1");
  EXPECT_DOUBLE_EQ(*a.arms[0].replicas[0].finished_requests.value, 4);
  EXPECT_DOUBLE_EQ(*a.arms[0].replicas[0].foreign_requests.value, 0);
}

void expect_finite(const Estimate& e) {
  for (const auto& v : {e.value, e.low, e.high}) {
    EXPECT_TRUE(!v || std::isfinite(*v)) << e.method;
  }
  EXPECT_TRUE(e.value.has_value() || !e.reason.empty());
}

void expect_sane(const Analysis& a) {
  for (const auto& cell : a.cells) {
    for (const auto& m : cell.metrics) expect_finite(m.estimate);
    for (const auto& s : cell.series) for (const double v : s.value) EXPECT_TRUE(std::isfinite(v));
  }
  for (const auto& arm : a.arms) {
    for (const auto& m : arm.summary) expect_finite(m.estimate);
    for (const auto& m : arm.cost) expect_finite(m.estimate);
    for (const auto& r : arm.replicas) {
      for (const Estimate* e : {&r.finished_requests, &r.share_ratio, &r.prompt_tokens, &r.prefix_hit_ratio, &r.waiting_mean, &r.foreign_requests}) expect_finite(*e);
    }
    for (const Estimate* e : {&arm.cache.hit_ratio, &arm.cache.oracle_hit_ratio, &arm.cache.efficiency_ratio, &arm.spread.jain, &arm.spread.jain_vs_random,
                              &arm.spread.uniformity_p, &arm.spread.affinity, &arm.saturation.waiting_fraction_min, &arm.saturation.marginal_throughput_ratio}) {
      expect_finite(*e);
    }
  }
  for (const auto& row : a.attribution) {
    for (const Estimate* e : {&row.coverage_ratio, &row.lambda, &row.scrape_interval_ms, &row.foreign_ratio}) expect_finite(*e);
  }
  for (const auto& g : a.gates) expect_finite(g.observed);
  EXPECT_FALSE(a.verdict_sentence.empty());
}

TEST(Hostile, NothingAtAll) {
  const auto a = analyze({}, {});
  EXPECT_EQ(a.verdict, Verdict::kInvalid);
  EXPECT_FALSE(a.all_as_expected);
  expect_sane(a);
}

TEST(Hostile, EmptyRunsFailedRunsAndSingleRecords) {
  ExperimentSpec spec;
  for (const auto& metric : known_metrics()) {
    Gate g;
    g.id = metric;
    g.metric = metric;
    g.op = "<=";
    g.limit = 1;
    spec.gates.push_back(g);
  }
  bench::Run empty;
  auto a = analyze(std::vector<bench::Run>{empty}, spec);
  expect_sane(a);
  EXPECT_EQ(a.verdict, Verdict::kInvalid);
  for (const auto& g : a.gates) EXPECT_NE(g.verdict, Verdict::kPass) << g.id;

  auto failed = make_loop_run({});
  for (auto& r : failed.records) {
    r.outcome = bench::Outcome::kTransportError;
    r.first_token = r.last_token = core::kNever;
    r.prompt_tokens = r.output_tokens = bench::kUnknownCount;
  }
  failed.error_samples = {"connection refused"};
  a = analyze(std::vector<bench::Run>{failed}, spec);
  expect_sane(a);
  EXPECT_EQ(a.verdict, Verdict::kInvalid);
  EXPECT_EQ(a.arms[0].errors.at(0).count, failed.records.size());
  EXPECT_EQ(a.arms[0].errors.at(0).samples.size(), 1u);

  auto single = make_loop_run({});
  single.records.resize(1);
  single.scrapes.clear();
  a = analyze(std::vector<bench::Run>{single}, spec);
  expect_sane(a);
  EXPECT_EQ(a.arms[0].counts.succeeded, 1u);

  auto pending = make_loop_run({});
  for (auto& r : pending.records) {
    r.outcome = bench::Outcome::kNotSent;
    r.dispatched = r.sent = r.done = r.first_token = r.last_token = core::kNever;
  }
  pending.manifest.status = bench::RunStatus::kAborted;
  a = analyze(std::vector<bench::Run>{pending}, spec);
  expect_sane(a);
  EXPECT_EQ(a.status, "aborted");
}

TEST(Hostile, SixtyFourReplicas) {
  LoopWorld w;
  w.replicas = 64;
  w.concurrency = 64;
  w.duration_s = 1;
  auto run = make_loop_run(w);
  const auto a = analyze(std::vector<bench::Run>{run}, {});
  expect_sane(a);
  EXPECT_EQ(a.arms[0].replicas.size(), 64u);
  EXPECT_NEAR(*a.arms[0].spread.jain.value, 1.0, 1e-9);
}

TEST(Hostile, AnUnreadableScenarioIsSurvived) {
  auto run = make_loop_run({});
  run.manifest.scenario_json = "{\"not\": \"a scenario\"";
  const auto a = analyze(std::vector<bench::Run>{run}, {});
  expect_sane(a);
  EXPECT_NE(a.scenarios[0].load.find("could not be read"), std::string::npos);
}

TEST(Analyze, EveryRowOfASummaryIsAKnownMetric) {
  const auto a = analyze(std::vector<bench::Run>{make_loop_run({})}, {});
  const std::set<std::string> known(known_metrics().begin(), known_metrics().end());
  for (const auto& m : a.arms[0].summary) EXPECT_EQ(known.count(m.metric), 1u) << m.metric;
  for (const auto& m : a.cells[0].metrics) EXPECT_EQ(known.count(m.metric), 1u) << m.metric;
  for (const auto& m : a.arms[0].cost) EXPECT_EQ(known.count(m.metric), 1u) << m.metric;
}

TEST(Analyze, IsPure) {
  const std::vector<bench::Run> runs{make_loop_run({})};
  const auto a = analyze(runs, {});
  const auto b = analyze(runs, {});
  EXPECT_EQ(a.verdict_sentence, b.verdict_sentence);
  ASSERT_EQ(a.arms[0].summary.size(), b.arms[0].summary.size());
  for (std::size_t i = 0; i < a.arms[0].summary.size(); ++i) EXPECT_EQ(a.arms[0].summary[i].estimate.value, b.arms[0].summary[i].estimate.value);
}

}  // namespace
