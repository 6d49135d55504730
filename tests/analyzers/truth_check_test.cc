// The truth check against hand-counted cases, headers that name something else, headers as the source, and latencies per
// replica weighed by probability.
#include "analyzers/truth_check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "analyzers/experiment.h"
#include "analyzers/distribution.h"
#include "analyzers/gates.h"
#include "analyzers/replica_latency.h"

namespace {

using namespace analyzers;
using namespace std::chrono_literals;

/// A run over replicas "a", "b" (and more), whose responses are claimed and named as each test says.
struct Made {
  bench::Run run;
  RunAttribution attribution;

  explicit Made(std::size_t replicas = 2) {
    for (std::size_t r = 0; r < replicas; ++r) {
      bench::ReplicaInfo info;
      info.name = std::string(1, static_cast<char>('a' + r));
      info.metrics_url = "http://10.0.0." + std::to_string(r + 1) + ":8000/metrics";
      run.manifest.replicas.push_back(info);
    }
    run.manifest.id = "RUN";
  }
  /// claimed -1: ambiguous. named -1: no header. p: confidence of the likeliest.
  void add(int claimed, int named, float p = 1, const char* method = "exact") {
    bench::RequestRecord record;
    record.index = static_cast<std::uint32_t>(run.records.size());
    record.outcome = bench::Outcome::kOk;
    record.due = record.dispatched = record.sent = 10ms * record.index;
    record.done = record.sent + 100ms;
    if (named >= 0) {
      record.observed_replica = static_cast<std::uint16_t>(named);
      record.observed_source = bench::ObservedSource::kInferencePodHeader;
    }
    run.records.push_back(record);
    Attribution claim;
    claim.replica = static_cast<std::int16_t>(claimed);
    claim.confidence = p;
    if (claimed >= 0) claim.method = method;
    claim.candidates = {{static_cast<std::uint16_t>(claimed >= 0 ? claimed : 0), p}};
    if (p < 1) claim.candidates.push_back({static_cast<std::uint16_t>(claimed > 0 ? 0 : 1), 1 - p});
    attribution.of_record.push_back(claim);
  }
  [[nodiscard]] TruthCheck check() const { return check_truth({&run}, {&attribution}); }
};

TEST(TruthCheck, CountsConfusionBinsAndTheExactBound) {
  Made made;
  made.run.observed_names = {"pod-x", "pod-y"};
  for (int i = 0; i < 60; ++i) made.add(0, 0);
  for (int i = 0; i < 39; ++i) made.add(1, 1, 0.995F, "posterior");
  made.add(1, 1);
  made.add(0, 1, 0.995F, "posterior");
  made.add(-1, 1, 0.6F);
  made.add(0, -1);
  const auto truth = made.check();
  EXPECT_EQ(truth.source, "x-inference-pod");
  EXPECT_EQ(truth.named, 102U);
  EXPECT_EQ(truth.compared, 101U);
  EXPECT_EQ(truth.wrong, 1U);
  EXPECT_EQ(truth.replicas, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(truth.names, (std::vector<std::string>{"pod-x", "pod-y"}));
  EXPECT_EQ(truth.confusion, (std::vector<std::vector<std::size_t>>{{60, 1}, {0, 40}}));
  ASSERT_EQ(truth.disagreements.size(), 1U);
  EXPECT_EQ(truth.disagreements[0].request, 100U);
  EXPECT_EQ(truth.disagreements[0].claimed, "a");
  EXPECT_EQ(truth.disagreements[0].named, "pod-y");
  // P(Binomial(101, q) <= 1) = 5 % at q = 0.04610.
  EXPECT_NEAR(truth.error_ratio.high.value(), 0.0461, 0.0002);
  const double q = truth.error_ratio.high.value();
  EXPECT_NEAR(std::pow(1 - q, 101) + 101 * q * std::pow(1 - q, 100), 0.05, 1e-9);
  ASSERT_EQ(truth.bins.size(), 6U);
  EXPECT_EQ(truth.bins[1].responses, 1U);  // 0.6, and wrong: candidate a, named y
  EXPECT_EQ(truth.bins[1].right, 0U);
  EXPECT_EQ(truth.bins[4].responses, 40U);
  EXPECT_EQ(truth.bins[4].right, 39U);
  EXPECT_NEAR(truth.bins[4].stated_mean, 0.995, 1e-6);
  EXPECT_EQ(truth.bins[5].responses, 61U);
}

TEST(TruthCheck, NoneWrongOfThreeThousandBoundsTheErrorAtAThousandth) {
  Made made;
  made.run.observed_names = {"x", "y"};
  for (int i = 0; i < 2995; ++i) made.add(i % 2, i % 2);
  EXPECT_NEAR(made.check().error_ratio.high.value(), 1 - std::pow(0.05, 1 / 2995.0), 1e-9);
  EXPECT_LT(made.check().error_ratio.high.value(), 0.001001);
}

TEST(TruthCheck, OneNameForAllIsAProxysAndNothingIsCompared) {
  Made made;
  made.run.observed_names = {"gateway"};
  for (int i = 0; i < 8; ++i) made.add(i % 2, 0);
  const auto truth = made.check();
  EXPECT_EQ(truth.compared, 0U);
  EXPECT_NE(truth.reason.find("one name"), std::string::npos);
  EXPECT_FALSE(truth.error_ratio.value.has_value());
  EXPECT_TRUE(names_of_replicas({&made.run}, {&made.attribution}).empty());
}

TEST(TruthCheck, TwoReplicasUnderOneOfSeveralNamesAreAConflict) {
  Made made(3);
  made.run.observed_names = {"x", "proxy"};
  for (int i = 0; i < 60; ++i) made.add(i % 3, i % 3 == 0 ? 0 : 1);
  const auto truth = made.check();
  EXPECT_EQ(truth.compared, 0U);
  EXPECT_NE(truth.reason.find("both named \"proxy\""), std::string::npos) << truth.reason;
}

TEST(TruthCheck, ExactResponsesDecideWhoIsWhoNotTheManyOthers) {
  Made made;
  made.run.observed_names = {"x", "y"};
  for (int i = 0; i < 5; ++i) made.add(0, 0);
  for (int i = 0; i < 5; ++i) made.add(1, 1);
  for (int i = 0; i < 30; ++i) made.add(0, 1, 0.99F, "posterior");
  EXPECT_EQ(made.check().wrong, 30U);
  EXPECT_EQ(names_of_replicas({&made.run}, {&made.attribution}).at("a"), "x");
}

TEST(TruthCheck, AReplicaWithoutExactResponsesIsNamedByItsOthers) {
  Made made(3);
  made.run.observed_names = {"x", "y", "z"};
  made.add(0, 0);
  for (int i = 0; i < 40; ++i) made.add(1 + i % 2, 1 + i % 2, 0.999F, "posterior");
  const auto truth = made.check();
  EXPECT_EQ(truth.compared, 41U);
  EXPECT_EQ(truth.wrong, 0U);
}

TEST(TruthCheck, NothingNamedNothingClaimedAndNoRunsAreSaid) {
  Made made;
  made.add(0, -1);
  EXPECT_NE(made.check().reason.find("no response names its replica"), std::string::npos);
  Made ambiguous;
  ambiguous.run.observed_names = {"x"};
  ambiguous.add(-1, 0, 0.5F);
  EXPECT_EQ(ambiguous.check().compared, 0U);
  EXPECT_NE(ambiguous.check().reason, "");
  EXPECT_EQ(check_truth({}, {}).named, 0U);
}

TEST(HeaderAttribution, MatchesByNameThenAddressThenMajority) {
  Made made(3);
  made.run.observed_names = {"b", "10.0.0.1:8000", "pod-c", "stranger"};
  for (int i = 0; i < 3; ++i) made.add(2, 2);
  made.add(0, 0);
  made.add(0, 1);
  made.add(0, 3);
  made.add(0, -1);
  const auto claims = header_attribution(made.run, made.attribution);
  EXPECT_EQ(claims.of_record[0].replica, 2);
  EXPECT_EQ(claims.of_record[3].replica, 1);
  EXPECT_EQ(claims.of_record[4].replica, 0);
  EXPECT_EQ(claims.of_record[5].replica, -1);
  EXPECT_EQ(claims.of_record[5].reason, "unknown name");
  EXPECT_EQ(claims.of_record[6].reason, "no header");
  EXPECT_EQ(claims.of_record[3].method, "header");
  EXPECT_TRUE(claims.by_header);
  EXPECT_EQ(claims.refusal, "");
  EXPECT_NE(check_truth({&made.run}, {&claims}).reason.find("nothing is left to compare"), std::string::npos);
}

TEST(HeaderAttribution, WithoutHeadersOrWithStrangersItRefusesAndSaysWhatToDo) {
  Made none;
  none.add(0, -1);
  EXPECT_NE(header_attribution(none.run, none.attribution).refusal.find("--attribution metrics"), std::string::npos);
  Made strangers;
  strangers.run.observed_names = {"gw"};
  strangers.add(-1, 0, 0.5F);
  EXPECT_NE(header_attribution(strangers.run, strangers.attribution).refusal.find("\"gw\""), std::string::npos);
}

Cell cell_of(const Made& made) {
  Cell cell;
  cell.run = &made.run;
  cell.attribution = made.attribution;
  cell.analysis.window = {0, 100, "whole run"};
  return cell;
}

TEST(ReplicaLatency, AResponseCountsByTheProbabilityOfEachReplica) {
  Made made;
  made.add(0, -1);
  made.add(1, -1);
  made.add(-1, -1, 0.75F);
  const double e2e_ms[] = {100, 200, 400};
  for (std::size_t i = 0; i < 3; ++i) made.run.records[i].done = made.run.records[i].due + core::from_ms(e2e_ms[i]);
  std::vector<ReplicaRow> rows(2);
  rows[0].replica = "a";
  rows[1].replica = "b";
  const Cell cell = cell_of(made);
  add_replica_latencies({&cell}, rows);
  ASSERT_EQ(rows[0].latencies.size(), 3U);
  EXPECT_EQ(rows[0].latencies[2].metric, "e2e_ms");
  EXPECT_NEAR(rows[0].latencies[2].mean.value.value(), (100 + 0.75 * 400) / 1.75, 1e-9);
  EXPECT_NEAR(rows[1].latencies[2].mean.value.value(), (200 + 0.25 * 400) / 1.25, 1e-9);
  EXPECT_EQ(rows[0].latencies[2].p50.value, 100);
  EXPECT_FALSE(rows[0].latencies[2].p95.value.has_value());
  EXPECT_EQ(rows[0].latencies[2].mean.method, "responses weighed by posterior");
  EXPECT_EQ(rows[0].weighed_ratio.value, 1);
  EXPECT_FALSE(rows[0].latencies[0].mean.value.has_value());  // nothing was streamed
}

TEST(ReplicaLatency, WithoutAnyCandidateThereAreNoRowsAndNoGuess) {
  Made made;
  made.add(-1, -1, 0.5F);
  made.attribution.of_record[0].candidates.clear();
  std::vector<ReplicaRow> rows(2);
  rows[0].replica = "a";
  rows[1].replica = "b";
  const Cell cell = cell_of(made);
  add_replica_latencies({&cell}, rows);
  EXPECT_TRUE(rows[0].latencies.empty());
  EXPECT_EQ(rows[0].weighed_ratio.value, 0);
}

TEST(ReplicaLatency, NinetyFifthPercentileWithEnoughAndAllAttributed) {
  Made made;
  for (int i = 0; i < 100; ++i) {
    made.add(0, -1);
    made.run.records.back().done = made.run.records.back().due + core::from_ms(i + 1);
  }
  std::vector<ReplicaRow> rows(2);
  rows[0].replica = "a";
  rows[1].replica = "b";
  const Cell cell = cell_of(made);
  add_replica_latencies({&cell}, rows);
  EXPECT_EQ(rows[0].latencies[2].p95.value, 95);
  EXPECT_EQ(rows[0].latencies[2].p50.value, 50);
  EXPECT_EQ(rows[0].latencies[2].p95.method, "all responses attributed");
  EXPECT_FALSE(rows[1].latencies[2].mean.value.has_value());
}

/// A gate on an arm with the given prefix groups.
GateResult gate_on(const std::string& metric, const std::string& op, double limit, std::vector<PrefixGroupRow> groups, AttributionRow row = {}) {
  ArmCells cells;
  cells.scenario = row.scenario = "s";
  cells.arm = row.arm = "x";
  ArmAnalysis arm;
  arm.prefix_groups = std::move(groups);
  std::vector<ReplicaRow> replicas(3);
  for (auto& replica : replicas) replica.finished_requests.value = 100;
  arm.spread = spread(replicas, arm.prefix_groups);
  arm.summary.push_back({"stickiness_ratio", "", stickiness(arm.prefix_groups)});
  Gate gate;
  gate.id = "g";
  gate.metric = metric;
  gate.op = op;
  gate.limit = limit;
  const std::vector<ArmCells> all_cells{cells};
  const std::vector<ArmAnalysis> arms{arm};
  const std::vector<AttributionRow> rows{row};
  const std::vector<Gate> gates{gate};
  return judge_gates(gates, {all_cells, arms, {}, rows}).front();
}

PrefixGroupRow group_of(std::size_t requests, std::vector<std::size_t> per_replica) {
  PrefixGroupRow row;
  row.requests = requests;
  for (const auto n : per_replica) row.attributed += n;
  row.stickiness_ratio.value = static_cast<double>(*std::max_element(per_replica.begin(), per_replica.end())) / static_cast<double>(row.attributed);
  row.per_replica = std::move(per_replica);
  return row;
}

TEST(CoverageGates, StickinessMustHoldWhoeverServedTheAmbiguous) {
  EXPECT_EQ(gate_on("stickiness_ratio", ">=", 0.9, {group_of(1000, {1000, 0, 0})}).verdict, Verdict::kPass);
  EXPECT_EQ(gate_on("stickiness_ratio", ">=", 0.9, {group_of(1000, {950, 0, 0})}).verdict, Verdict::kPass);
  const auto half = gate_on("stickiness_ratio", ">=", 0.9, {group_of(1000, {500, 0, 0})});
  EXPECT_EQ(half.verdict, Verdict::kInconclusive);
  EXPECT_NE(half.reason.find("500 of 1000 responses are ambiguous"), std::string::npos) << half.reason;
  // Even if all the rest stuck it would fail.
  EXPECT_EQ(gate_on("stickiness_ratio", ">=", 0.9, {group_of(1000, {400, 300, 200})}).verdict, Verdict::kFail);
}

TEST(CoverageGates, AffinityNeedsNineTenths) {
  EXPECT_EQ(gate_on("spread.affinity", ">=", 0.9, {group_of(1000, {950, 0, 0})}).verdict, Verdict::kPass);
  EXPECT_EQ(gate_on("spread.affinity", ">=", 0.9, {group_of(1000, {850, 0, 0})}).verdict, Verdict::kInconclusive);
  EXPECT_EQ(gate_on("spread.jain", ">=", 0.9, {group_of(1000, {100, 0, 0})}).verdict, Verdict::kPass);  // by counters
}

TEST(CoverageGates, CoverageAndErrorAreJudgedByTheirBounds) {
  AttributionRow row;
  row.responses = 10000;
  row.attributed = 9990;
  row.coverage_ratio.value = 0.999;
  row.truth.compared = 9990;
  row.truth.error_ratio.value = 0;
  EXPECT_EQ(gate_on("attribution.coverage_ratio", ">=", 0.99, {}, row).verdict, Verdict::kPass);
  EXPECT_EQ(gate_on("attribution.coverage_ratio", ">=", 0.9995, {}, row).verdict, Verdict::kFail);
  EXPECT_EQ(gate_on("attribution.error_ratio", "<=", 0.001, {}, row).verdict, Verdict::kPass);
  EXPECT_EQ(gate_on("attribution.error_ratio", "<=", 0.0001, {}, row).verdict, Verdict::kInconclusive);
}

}  // namespace
