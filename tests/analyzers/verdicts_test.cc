// Saturation, scaling, comparison, gates, validity: what may be claimed and what may not.
#include <gtest/gtest.h>

#include <cmath>

#include "analyzers/analyze.h"
#include "analyzers/gates.h"
#include "analyzers/statistics.h"
#include "analyzers/throughput.h"
#include "tests/analyzers/made_runs.h"

namespace {

using namespace analyzers;
using namespace analyzers_test;

ExperimentSpec two_arms() {
  ExperimentSpec spec;
  spec.name = "test";
  spec.arms = {{"p1", "baseline", 1, 5.0}, {"p3", "candidate", 3, 15.0}};
  return spec;
}

/// `blocks` of both arms; the candidate is `speedup` times as fast in block b, times 1 ± jitter.
std::vector<bench::Run> blocks_of(std::size_t blocks, double speedup, double jitter, double waiting) {
  std::vector<bench::Run> runs;
  for (std::uint32_t b = 0; b < blocks; ++b) {
    for (const bool candidate : {false, true}) {
      LoopWorld w;
      w.arm = candidate ? "p3" : "p1";
      w.replicas = candidate ? 3 : 1;
      w.block = b;
      w.waiting = waiting;
      w.concurrency = 12;
      // Laps divide the duration, so that throughput is exactly c / latency.
      w.latency_ms = candidate ? 300 / speedup * (1 + jitter * (b % 2 == 0 ? 1 : -1)) : 300;
      w.duration_s = w.latency_ms * 12 / 1e3;
      runs.push_back(make_loop_run(w));
    }
  }
  return runs;
}

void add_ladder(std::vector<bench::Run>& runs, double last_gain) {
  for (const bool candidate : {false, true}) {
    for (const std::uint32_t c : {6u, 12u, 24u}) {
      LoopWorld w;
      w.arm = candidate ? "p3" : "p1";
      w.replicas = candidate ? 3 : 1;
      w.concurrency = c;
      w.purpose = "ladder";
      w.latency_ms = (candidate ? 100.0 : 300.0) * c / 12 / (c == 24 ? 1 + last_gain : 1);
      w.duration_s = w.latency_ms * 12 / 1e3;
      w.waiting = 5;
      runs.push_back(make_loop_run(w));
    }
  }
}

Gate gate(const char* id, const char* metric, const char* op, double limit, const char* rule) {
  Gate g;
  g.id = id;
  g.arm = "p3";
  g.metric = metric;
  g.op = op;
  g.limit = limit;
  g.rule = rule;
  return g;
}

TEST(Scaling, ShownAtSaturationWithAnInterval) {
  auto runs = blocks_of(4, 3.0, 0.01, 5);
  add_ladder(runs, 0.02);
  auto spec = two_arms();
  spec.gates = {gate("scale", "scaling.throughput_ratio", ">=", 2.7, ""), gate("efficiency", "scaling.efficiency_ratio", ">=", 0.9, "")};
  const auto a = analyze(runs, spec);
  ASSERT_EQ(a.scaling.size(), 1u);
  const auto& row = a.scaling[0];
  EXPECT_EQ(row.verdict, "shown") << row.reason;
  EXPECT_NEAR(*row.throughput_ratio.value, 3.0, 0.01);
  EXPECT_LT(*row.throughput_ratio.low, *row.throughput_ratio.value);
  EXPECT_NEAR(*row.efficiency_ratio.value, *row.throughput_ratio.value / 3, 1e-12);
  EXPECT_EQ(a.gates[0].verdict, Verdict::kPass) << a.gates[0].reason;
  EXPECT_EQ(a.gates[1].verdict, Verdict::kPass) << a.gates[1].reason;
  EXPECT_EQ(a.verdict, Verdict::kPass);
  EXPECT_TRUE(a.all_as_expected) << a.verdict_sentence;
  EXPECT_EQ(a.cells.size(), 14u);
  EXPECT_EQ(std::count_if(a.cells.begin(), a.cells.end(), [](const CellAnalysis& c) { return c.used; }), 8);
  for (const auto& arm : a.arms) EXPECT_EQ(arm.saturation.verdict, Verdict::kPass) << arm.saturation.reason;
}

TEST(Scaling, NotShownWhenNothingWaitsHoweverGoodTheRatio) {
  auto runs = blocks_of(4, 3.0, 0.01, 0);
  auto spec = two_arms();
  spec.gates = {gate("scale", "scaling.throughput_ratio", ">=", 2.5, "")};
  spec.gates[0].expect = Verdict::kInconclusive;
  const auto a = analyze(runs, spec);
  EXPECT_EQ(a.scaling[0].verdict, "not shown");
  EXPECT_NE(a.scaling[0].reason.find("bound by latency"), std::string::npos) << a.scaling[0].reason;
  EXPECT_NE(a.scaling[0].reason.find("12.0 in flight / 0.300 s = 40.0 req/s with 1 replica (measured "), std::string::npos) << a.scaling[0].reason;
  EXPECT_EQ(a.gates[0].verdict, Verdict::kInconclusive);
  EXPECT_TRUE(a.gates[0].as_expected);
  EXPECT_EQ(a.verdict, Verdict::kPass);
  EXPECT_TRUE(a.all_as_expected);
  EXPECT_NE(a.verdict_sentence.find("scaling not shown"), std::string::npos);
}

TEST(Scaling, ASteepLadderIsNoSaturationEvenWithRequestsWaiting) {
  auto runs = blocks_of(4, 3.0, 0.01, 5);
  add_ladder(runs, 0.4);
  const auto a = analyze(runs, two_arms());
  EXPECT_EQ(a.scaling[0].verdict, "not shown");
  EXPECT_EQ(a.arms[0].saturation.verdict, Verdict::kFail);
  EXPECT_NEAR(*a.arms[0].saturation.marginal_throughput_ratio.value, 0.4, 0.02);
}

TEST(Scaling, WithoutALadderItIsInconclusive) {
  const auto a = analyze(blocks_of(4, 3.0, 0.01, 5), two_arms());
  EXPECT_EQ(a.arms[0].saturation.verdict, Verdict::kInconclusive);
  EXPECT_EQ(a.scaling[0].verdict, "not shown");
  EXPECT_NE(a.scaling[0].reason.find("no ladder"), std::string::npos);
}

TEST(Scaling, InvalidThroughputIsInvalid) {
  auto runs = blocks_of(3, 3.0, 0.01, 5);
  add_ladder(runs, 0.0);
  for (auto& run : runs) run.health.fd_exhausted = true;
  auto spec = two_arms();
  spec.gates = {gate("scale", "scaling.throughput_ratio", ">=", 2.7, ""), gate("rate", "requests_per_s", ">=", 1, "run_t")};
  const auto a = analyze(runs, spec);
  EXPECT_EQ(a.scaling[0].verdict, "invalid");
  EXPECT_EQ(a.gates[0].verdict, Verdict::kInvalid);
  EXPECT_EQ(a.gates[1].verdict, Verdict::kInvalid);
  EXPECT_NE(a.gates[1].reason.find("fd_exhausted"), std::string::npos);
  EXPECT_EQ(a.verdict, Verdict::kInvalid);
  EXPECT_FALSE(a.all_as_expected);
}

TEST(Cells, ARepeatSupersedesTheInvalidAttempt) {
  auto runs = blocks_of(3, 3.0, 0.01, 5);
  auto bad = runs[0];
  runs[0].manifest.cell.attempt = 2;
  bad.health.port_exhausted = true;
  bad.records.resize(10);
  runs.push_back(bad);
  const auto a = analyze(runs, two_arms());
  EXPECT_EQ(a.validity.verdict, Verdict::kPass);
  EXPECT_EQ(a.arms[0].run_ids.size(), 3u);
  EXPECT_EQ(std::count_if(a.cells.begin(), a.cells.end(), [](const CellAnalysis& c) { return !c.used; }), 1);
}

TEST(Compare, WordsComeFromTheInterval) {
  const auto a = analyze(blocks_of(6, 3.0, 0.01, 5), two_arms());
  const auto find = [&](const char* metric) {
    return *std::find_if(a.comparisons.begin(), a.comparisons.end(), [&](const ComparisonRow& r) { return r.metric == metric; });
  };
  EXPECT_EQ(find("requests_per_s").outcome, "better");
  EXPECT_EQ(find("e2e_ms.p50").outcome, "better");
  EXPECT_NE(find("requests_per_s").reason.find("p = 0.031"), std::string::npos) << find("requests_per_s").reason;
  EXPECT_EQ(find("ttft_ms.p50").outcome, "equivalent");
  EXPECT_NEAR(*find("e2e_ms.p50").ratio.value, 1 / 3.0, 0.01);
  // n is too small for a p99 on either arm: no row rather than an empty one.
  for (const auto& r : a.comparisons) EXPECT_NE(r.metric, "e2e_ms.p99");
  const auto one = analyze(blocks_of(1, 3.0, 0.01, 5), two_arms());
  EXPECT_EQ(one.comparisons[0].outcome, "unclear");
}

TEST(Gates, RulesAndTheirVerdicts) {
  auto spec = two_arms();
  auto relative = gate("relative", "requests_per_s", ">=", 2.5, "");
  relative.baseline = "p1";
  auto warn = gate("warn", "requests_per_s", ">=", 1e6, "run_t");
  warn.warn_only = true;
  spec.gates = {gate("pass", "requests_per_s", ">=", 100, "run_t"),  gate("fail", "requests_per_s", ">=", 200, "run_t"),
                gate("unsure", "requests_per_s", ">=", 110.0, "run_t"), gate("sign", "requests_per_s", ">=", 100, "run_sign"),
                gate("point", "requests_per_s", "<", 200, "point"),  gate("errors", "failed_ratio", "<=", 0.01, "binomial_exact"),
                gate("missing", "goodput_requests_per_s", ">=", 1, "run_t"), gate("p99", "e2e_ms.p99", "<=", 1e6, "run_t"), relative,
                gate("cost", "usd_per_1m_requests", "<=", 40, "run_t"), warn};
  const auto a = analyze(blocks_of(5, 3.0, 0.01, 5), spec);
  std::map<std::string, GateResult> by_id;
  for (const auto& g : a.gates) by_id[g.id] = g;
  EXPECT_EQ(by_id["pass"].verdict, Verdict::kPass) << by_id["pass"].reason;
  EXPECT_EQ(by_id["fail"].verdict, Verdict::kFail);
  EXPECT_EQ(by_id["unsure"].verdict, Verdict::kInconclusive) << by_id["unsure"].reason;
  EXPECT_FALSE(by_id["unsure"].next_action.empty());
  EXPECT_EQ(by_id["sign"].verdict, Verdict::kPass);
  EXPECT_EQ(by_id["point"].verdict, Verdict::kPass);
  EXPECT_EQ(by_id["point"].observed.method, "point, no confidence");
  EXPECT_EQ(by_id["errors"].verdict, Verdict::kPass) << by_id["errors"].reason;
  EXPECT_EQ(by_id["missing"].verdict, Verdict::kInvalid);
  EXPECT_EQ(by_id["p99"].verdict, Verdict::kInvalid);
  EXPECT_NE(by_id["p99"].reason.find("needs 368 samples"), std::string::npos) << by_id["p99"].reason;
  EXPECT_EQ(by_id["relative"].verdict, Verdict::kPass) << by_id["relative"].reason;
  EXPECT_NEAR(*by_id["relative"].observed.value, 3.0, 0.05);
  EXPECT_EQ(by_id["cost"].verdict, Verdict::kPass) << by_id["cost"].reason;  // 15 / 3600 / 120 × 1e6 = 34.7
  EXPECT_EQ(by_id["warn"].verdict, Verdict::kFail);
  EXPECT_EQ(a.verdict, Verdict::kInvalid);
}

TEST(Gates, TooFewBlocksSayHowManyAreMissing) {
  auto spec = two_arms();
  spec.gates = {gate("rate", "requests_per_s", ">=", 100, "run_t")};
  const auto a = analyze(blocks_of(2, 3.0, 0.01, 5), spec);
  EXPECT_EQ(a.gates[0].verdict, Verdict::kInconclusive);
  EXPECT_EQ(a.gates[0].next_action, "needs 3 more blocks");
  EXPECT_EQ(a.verdict, Verdict::kInconclusive);
}

// Bounds by hand: values 100, 110, 121 are log-spaced; s = ln 1.1, t(2, .95) = 2.91999.
TEST(Gates, OneSidedBoundAndGuardByHand) {
  const double half = 2.91998558036 * std::log(1.1) / std::sqrt(3.0);
  const double high = 110 * std::exp(half);
  std::vector<Cell> cells(3);
  bench::Run empty;
  ArmCells arm;
  arm.scenario = "s";
  arm.arm = "p3";
  for (std::uint32_t b = 0; b < 3; ++b) {
    cells[b].run = &empty;
    cells[b].analysis.block = b;
    cells[b].analysis.metrics = {row("ttft_ms.p50", measured(100 * std::pow(1.1, b), "x", 1))};
    arm.cells.push_back(&cells[b]);
  }
  const std::vector<ArmCells> arms{arm};
  const std::vector<ArmAnalysis> analyses(1);
  auto g = gate("g", "ttft_ms.p50", "<=", high * 1.001, "run_t");
  g.min_repeats = 3;
  auto verdict = [&](double limit, double guard) {
    g.limit = limit;
    g.guard_ratio = guard;
    return judge_gates(std::vector<Gate>{g}, {arms, analyses, {}, {}})[0];
  };
  EXPECT_EQ(verdict(high * 1.001, 0).verdict, Verdict::kPass);
  EXPECT_EQ(verdict(high * 0.999, 0).verdict, Verdict::kInconclusive);
  EXPECT_EQ(verdict(high * 1.001, 0.05).verdict, Verdict::kInconclusive);
  EXPECT_EQ(verdict(high * 1.06, 0.05).verdict, Verdict::kPass);
  const double low = 110 * std::exp(-half);
  EXPECT_EQ(verdict(low * 1.001, 0).verdict, Verdict::kInconclusive);
  EXPECT_EQ(verdict(low * 0.999, 0).verdict, Verdict::kFail);
  EXPECT_NEAR(*verdict(high, 0).observed.high, high, 1e-6);
  // More blocks help where the estimate lies within the limit.
  EXPECT_EQ(verdict(115, 0).next_action.substr(0, 11), "needs about");
  EXPECT_NE(verdict(105, 0).next_action.find("will not settle"), std::string::npos);
}

TEST(Gates, AScopeThatMatchesNothingIsInvalid) {
  auto spec = two_arms();
  auto g = gate("g", "requests_per_s", ">=", 1, "point");
  g.arm = "p9";
  spec.gates = {g};
  const auto a = analyze(blocks_of(1, 3.0, 0, 5), spec);
  EXPECT_EQ(a.gates[0].verdict, Verdict::kInvalid);
  EXPECT_EQ(a.verdict, Verdict::kInvalid);
}

TEST(Validity, EachLimitHitsItsFamily) {
  const auto judge = [](auto change) {
    auto run = make_loop_run({});
    change(run);
    return judge_validity(run);
  };
  const auto clean = judge([](bench::Run&) {});
  EXPECT_EQ(clean.verdict, Verdict::kPass);
  EXPECT_TRUE(clean.itl_valid && clean.ttft_valid && clean.throughput_valid);
  EXPECT_EQ(clean.checks.size(), validity_limits().size());
  // Median TTFT is 40 ms: 1 % of it is below 1 ms, so 1 ms is the limit.
  const auto lag = judge([](bench::Run& r) { r.health.send_lag_p99 = core::from_ms(1.2); });
  EXPECT_FALSE(lag.ttft_valid);
  EXPECT_TRUE(lag.throughput_valid);
  EXPECT_EQ(lag.verdict, Verdict::kInvalid);
  const auto loop = judge([](bench::Run& r) { r.health.loop_lag_p99 = core::from_ms(3); });
  EXPECT_TRUE(loop.itl_valid && loop.ttft_valid);  // stamps are the kernel's
  const auto both = judge([](bench::Run& r) {
    r.health.loop_lag_p99 = core::from_ms(3);
    r.health.exact_token_events = 50;
  });
  EXPECT_FALSE(both.itl_valid);
  EXPECT_FALSE(judge([](bench::Run& r) { r.health.port_exhausted = true; }).throughput_valid);
  EXPECT_FALSE(judge([](bench::Run& r) { for (auto& q : r.records) q.outcome = bench::Outcome::kHttpError; }).throughput_valid);
  const auto foreign = judge([](bench::Run& r) {
    for (auto& s : r.scrapes) {
      if (s.sent > core::from_seconds(2)) for (int i = 0; i < 5; ++i) count_finish(s.values, 100, 11, 11);
    }
  });
  EXPECT_FALSE(foreign.throughput_valid);  // 5 of 165
  const auto idle = judge([](bench::Run& r) {
    auto scenario = closed_scenario(8);
    r.manifest.scenario_json = scenarios::to_json(scenario);
  });
  EXPECT_FALSE(idle.throughput_valid);
}

TEST(Validity, StepLatenessIsReadFromTheHistogramsOfTheRun) {
  auto run = make_loop_run({});
  const auto set = [&](double late_upper_count, double late_sum_s) {
    for (auto& s : run.scrapes) {
      const bool end = s.sent > core::from_seconds(3.5);
      auto& late = s.values.sim_step_late;
      late = {};
      late.present = true;
      late.bucket_count = 3;
      late.upper = {0.0001, 0.001, HUGE_VAL};
      late.count = end ? 1000 : 0;
      late.sum = end ? late_sum_s : 0;
      late.cumulative = {end ? 1000 - late_upper_count : 0, late.count, late.count};
      auto& step = s.values.sim_step;
      step = late;
      step.upper = {0.008, 0.012, HUGE_VAL};
      step.cumulative = {0, late.count, late.count};
    }
    return judge_validity(run);
  };
  const auto check = [](const Validity& v, const char* id) {
    return *std::find_if(v.checks.begin(), v.checks.end(), [&](const ValidityCheck& c) { return c.id == id; });
  };
  // All within 0.1 ms: p99 = 0.099 ms of a 10 ms median step.
  const auto good = set(0, 0.05);
  EXPECT_NEAR(*check(good, "step_late_p99_ratio").observed, 0.0099, 1e-9);
  EXPECT_TRUE(good.itl_valid);
  // 60 steps between 0.1 and 1 ms: p99 at rank 990 is 50/60 into that bucket = 0.85 ms.
  const auto late = set(60, 0.05);
  EXPECT_NEAR(*check(late, "step_late_p99_ratio").observed, 0.085, 1e-9);
  EXPECT_FALSE(late.itl_valid);
  EXPECT_TRUE(late.throughput_valid);
  EXPECT_TRUE(late.ttft_valid);  // 0.85 ms of 40 ms is 2 %
  // A mean of 2 ms against a mean E2E of 100 ms is 2 %.
  const auto slow = set(0, 2.0);
  EXPECT_NEAR(*check(slow, "step_late_mean_ratio").observed, 0.02, 1e-9);
  EXPECT_FALSE(slow.throughput_valid);
}

}  // namespace
