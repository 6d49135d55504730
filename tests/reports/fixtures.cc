// The fixtures themselves. Called by every test of this folder.
// Must never use a clock or a random number.
#include "fixtures.h"

#include <cmath>
#include <string>

#include <fmt/format.h>

namespace reports::fixtures {
namespace {

using namespace analyzers;

Estimate estimate(double value, double half_ratio, std::size_t n, std::string method = "log_t over 6 blocks") {
  return {value, value * (1 - half_ratio), value * (1 + half_ratio), std::move(method), "", n};
}

Estimate point(double value, std::size_t n = 1, std::string method = "exact count") {
  return {value, {}, {}, std::move(method), "", n};
}

Estimate none(std::string reason, std::size_t n = 0) { return {{}, {}, {}, "", std::move(reason), n}; }

/// Even wiggle in [-1, 1] that depends on nothing but its argument.
double wiggle(std::size_t i) { return static_cast<double>((i * 37 + 11) % 41) / 20.0 - 1.0; }

/// A lognormal-looking latency: quantile q of a distribution with this median and spread.
double latency(double median, double spread, double q) { return median * std::exp(spread * std::log(q / (1 - q)) * 0.55); }

Distribution distribution(std::string metric, std::size_t n, double median, double spread) {
  Distribution out;
  out.metric = std::move(metric);
  out.n = n;
  const struct { const char* name; double q; std::size_t needs; } kAsked[] = {
      {"p50", 0.5, 6}, {"p90", 0.9, 36}, {"p95", 0.95, 72}, {"p99", 0.99, 368}, {"p99_9", 0.999, 3688}};
  for (const auto& asked : kAsked) {
    QuantileRow row{asked.name, asked.q, {}};
    if (n >= asked.needs) row.estimate = estimate(latency(median, spread, asked.q), 0.4 / std::sqrt(static_cast<double>(n)) + 0.01, n, "order statistic within these runs");
    else row.estimate = none(fmt::format("needs {} samples, has {}", asked.needs, n), n);
    out.quantiles.push_back(row);
  }
  if (n == 0) return out;
  out.mean = median * 1.06;
  out.stddev = median * spread;
  out.min = latency(median, spread, 0.002);
  out.max = latency(median, spread, 0.998);
  for (std::size_t i = 0; i < 120; ++i) {
    const double above = std::pow(10.0, -2.6 * static_cast<double>(i) / 119.0) * 0.998;
    out.survival.emplace_back(latency(median, spread, 1 - above), above);
  }
  return out;
}

struct Load {
  std::string scenario, arm;
  double concurrency, rps, ttft, tpot, e2e, tokens;
  std::size_t replicas, n;
  bool saturated;
};

std::vector<ValidityCheck> checks() {
  return {{"offered_ratio", MetricFamily::kThroughput, 1.0, 0.99, ">=", Verdict::kPass, ""},
          {"in_flight_ratio", MetricFamily::kThroughput, 0.991, 0.95, ">=", Verdict::kPass, ""},
          {"send_lag_p99_ms", MetricFamily::kTtft, 0.41, 1, "<=", Verdict::kPass, ""},
          {"loop_lag_p99_ms", MetricFamily::kItl, 0.62, 1, "<=", Verdict::kPass, ""},
          {"step_late_p99_ratio", MetricFamily::kAll, 0.031, 0.05, "<=", Verdict::kPass, ""},
          {"foreign_ratio", MetricFamily::kThroughput, 0.0, 0.02, "<=", Verdict::kPass, ""},
          {"port_exhaustion", MetricFamily::kAll, std::nullopt, 0, "<=", Verdict::kNotJudged,
           "the kernel did not say; look at net.ipv4.ip_local_port_range"}};
}

CellAnalysis cell(const Load& load, std::uint32_t block, std::uint32_t position) {
  CellAnalysis out;
  out.run_id = fmt::format("01JABCDEFGHJKMNPQRS{:03}{}{}", block, load.arm.back(), load.saturated ? "S" : "C");
  out.scenario = load.scenario;
  out.arm = load.arm;
  out.block = block;
  out.position = position;
  out.purpose = "measure";
  out.status = "completed";
  out.concurrency = load.concurrency;
  out.window = {1, 9, "trim 1 s, in-flight >= 0.95 c"};
  out.counts = {load.n, load.n, load.n, 0, 0, 0, 0, load.n, {}};
  const double rps = load.rps * (1 + 0.012 * wiggle(block * 7 + position));
  out.metrics = {{"requests_per_s", "1/s", point(rps, load.n, "count over window")},
                 {"output_tokens_per_s", "1/s", point(rps * load.tokens, load.n, "count over window")}};
  out.distributions = {distribution("ttft_ms", load.n, load.ttft, 0.2)};
  out.validity.checks = checks();
  Series in_flight{"in_flight", "requests", {}, {}};
  Series rate{"requests_per_s", "requests/s", {}, {}};
  for (std::size_t t = 0; t <= 10; ++t) {
    const double s = static_cast<double>(t);
    in_flight.t_s.push_back(s);
    in_flight.value.push_back(t == 0 ? 0 : t == 10 ? load.concurrency * 0.3 : load.concurrency * (0.99 + 0.01 * wiggle(t)));
    rate.t_s.push_back(s);
    rate.value.push_back(t == 0 ? 0 : rps * (1 + 0.06 * wiggle(t + block)));
  }
  out.series = {in_flight, rate};
  return out;
}

std::vector<ReplicaRow> replicas(const Load& load) {
  std::vector<ReplicaRow> out;
  const std::size_t total = load.n * 6;
  for (std::size_t i = 0; i < load.replicas; ++i) {
    ReplicaRow row;
    row.replica = fmt::format("replica-{}", i);
    const double share = 1.0 / static_cast<double>(load.replicas) * (1 + (load.replicas > 1 ? 0.04 * wiggle(i + 3) : 0));
    row.finished_requests = point(std::floor(share * static_cast<double>(total)), 1, "exact count");
    row.share_ratio = point(share, total);
    row.attributed = static_cast<std::size_t>(share * static_cast<double>(total) * 0.7);
    row.prompt_tokens = point(std::floor(share * static_cast<double>(total) * 1600));
    row.output_tokens = point(std::floor(share * static_cast<double>(total) * load.tokens));
    row.prefix_hit_ratio = point(0.02 + 0.01 * static_cast<double>(i % 3));
    row.waiting_mean = point(load.saturated ? 18.2 + static_cast<double>(i) : 0);
    row.running_mean = point(load.saturated ? 14.0 : 5.1);
    row.kv_used_mean_ratio = point(0.21);
    row.foreign_requests = point(0);
    row.observed_name = fmt::format("127.0.0.1:{}", 40100 + i);
    row.weighed_ratio = point(0.993, total);
    for (const char* metric : {"ttft_ms", "tpot_ms", "e2e_ms"}) {
      const double base = 40 + 3 * static_cast<double>(i);
      row.latencies.push_back({metric, point(base, load.n, "responses weighed by posterior"), point(base - 4, load.n), none("needs 72 responses, has about 60")});
    }
    out.push_back(row);
  }
  return out;
}

ArmAnalysis arm(const Load& load, double usd_per_hour) {
  ArmAnalysis out;
  out.scenario = load.scenario;
  out.arm = load.arm;
  out.role = load.arm == "pattern1" ? "baseline" : "candidate";
  out.replicas_count = static_cast<std::uint32_t>(load.replicas);
  out.simulated = true;
  const std::size_t total = load.n * 6;
  out.counts = {total, total, total, 0, 0, 0, 0, total, {}};
  out.summary = {{"requests_per_s", "1/s", estimate(load.rps, 0.011, 6)},
                 {"output_tokens_per_s", "1/s", estimate(load.rps * load.tokens, 0.011, 6)},
                 {"total_tokens_per_s", "1/s", estimate(load.rps * (load.tokens + 1600), 0.011, 6)},
                 {"goodput_requests_per_s", "1/s", none("the scenario sets no SLO")},
                 {"failed_ratio", "1", point(0, total, "count")},
                 {"ttft_ms.p50", "ms", estimate(load.ttft, 0.02, 6)},
                 {"tpot_ms.p50", "ms", estimate(load.tpot, 0.015, 6)},
                 {"e2e_ms.p50", "ms", estimate(load.e2e, 0.013, 6)}};
  out.distributions = {distribution("ttft_ms", total, load.ttft, 0.22), distribution("tpot_ms", total, load.tpot, 0.08),
                       distribution("itl_ms", total * 12, load.tpot, 0.11), distribution("e2e_ms", total, load.e2e, 0.12)};
  out.replicas = replicas(load);
  out.cache.queried_tokens = point(1'920'000);
  out.cache.hit_tokens = point(38'400);
  out.cache.hit_ratio = point(0.02);
  out.cache.oracle_hit_ratio = point(0.021, 1, "one unbounded shared cache");
  out.cache.efficiency_ratio = point(0.952);
  out.cache.block_size_tokens = 128;
  out.spread.jain = point(0.998, total);
  out.spread.jain_vs_random = point(1.001, total);
  out.spread.uniformity_p = point(0.41, total, "Monte Carlo, 99,999 draws");
  out.spread.affinity = none("unique prompts form no groups");
  out.spread.sentence = load.replicas > 1 ? "Unique prompts spread as evenly as random assignment would." : "One replica: nothing to spread over.";
  out.saturation.verdict = load.saturated ? Verdict::kPass : Verdict::kFail;
  out.saturation.waiting_fraction_min = point(load.saturated ? 1.0 : 0.0, 88);
  out.saturation.marginal_throughput_ratio = load.saturated ? point(0.008, 1, "last ladder step") : none("no ladder was climbed");
  out.saturation.reason = load.saturated ? "Requests wait on every replica and the last step brought 0.8 %."
                                         : "No request ever waited: the replicas were never full.";
  if (load.saturated) {
    for (const double c : {6.0, 12.0, 24.0, 48.0, 96.0, 128.0}) {
      out.saturation.ladder.emplace_back(c, load.rps * (1 - std::exp(-c / (9.0 * static_cast<double>(load.replicas)))));
    }
  }
  out.cost = {{"usd_per_hour", "USD", point(usd_per_hour, 1, "input")},
              {"usd_per_1m_requests", "USD", estimate(usd_per_hour / load.rps / 3600 * 1e6, 0.011, 6)},
              {"usd_per_1m_output_tokens", "USD", estimate(usd_per_hour / load.rps / load.tokens / 3600 * 1e6, 0.011, 6)}};
  out.validity.checks = checks();
  return out;
}

void add_seed_test(Analysis& analysis, const std::string& scenario, const std::string& text, std::size_t n, double hit,
                   std::string note, std::vector<std::size_t> spread) {
  analysis.scenarios.push_back({scenario, text, R"({"name":")" + scenario + R"("})", "cfg-" + scenario, "closed, 1 in flight", 7, "9c1e" + scenario, {}, {}, {}});
  ArmAnalysis out;
  out.scenario = scenario;
  out.arm = "pattern3";
  out.role = "candidate";
  out.replicas_count = 3;
  out.simulated = true;
  out.counts = {n, n, n, 0, 0, 0, 0, n, {}};
  out.summary = {{"requests_per_s", "1/s", point(2.08, n)}};
  out.distributions = {distribution("ttft_ms", n, 96, 0.1), distribution("e2e_ms", n, 478, 0.05)};
  PrefixGroupRow group{0, n, n, spread, {}};
  for (std::size_t i = 0; i < spread.size(); ++i) {
    ReplicaRow row;
    row.replica = fmt::format("replica-{}", i);
    row.finished_requests = point(static_cast<double>(spread[i]));
    row.share_ratio = point(static_cast<double>(spread[i]) / static_cast<double>(n), n);
    row.attributed = spread[i];
    row.prompt_tokens = point(static_cast<double>(spread[i] * 400));
    row.output_tokens = point(static_cast<double>(spread[i] * 50));
    row.prefix_hit_ratio = spread[i] > 0 ? point(hit) : none("no prompt tokens were queried");
    row.waiting_mean = row.running_mean = point(0);
    row.kv_used_mean_ratio = point(0.01);
    row.foreign_requests = point(0);
    out.replicas.push_back(row);
    group.stickiness_ratio = point(1.0, n);
  }
  if (scenario != "haiku") out.prefix_groups = {group};
  out.cache.queried_tokens = point(static_cast<double>(n * 400));
  out.cache.hit_tokens = point(hit * static_cast<double>(n * 400));
  out.cache.hit_ratio = point(hit, n);
  out.cache.oracle_hit_ratio = point(hit, n);
  out.cache.efficiency_ratio = hit > 0 ? point(1.0, n) : none("the oracle has no hits either");
  out.cache.block_size_tokens = 128;
  out.cache.note = std::move(note);
  out.saturation.verdict = Verdict::kNotJudged;
  analysis.arms.push_back(out);
  AttributionRow row;
  row.scenario = scenario;
  row.arm = "pattern3";
  row.responses = row.attributed = n;
  row.coverage_ratio = point(1.0, n);
  row.wrong = 0;
  row.compared = n;
  row.verdict = "exact";
  row.methods = {{"serial", n}};
  row.lambda = point(1.0, n);
  row.scrape_interval_ms = point(4.2, n);
  for (std::size_t i = 0; i < spread.size(); ++i) row.replica_totals.emplace_back(fmt::format("replica-{}", i), static_cast<double>(spread[i]));
  row.foreign_ratio = point(0, n);
  analysis.attribution.push_back(row);
}

analyzers::TruthCheck truth(const AttributionRow& row) {
  analyzers::TruthCheck out;
  out.source = "x-inference-pod";
  out.named = row.responses;
  out.compared = row.attributed;
  out.wrong = 1;
  out.error_ratio = point(1.0 / static_cast<double>(row.attributed), row.attributed);
  out.error_ratio.low = 0;
  out.error_ratio.high = 4.744 / static_cast<double>(row.attributed);
  out.replicas = {"replica-0", "replica-1"};
  out.names = {"pod-a", "pod-b"};
  out.confusion = {{row.attributed / 2, 1}, {0, row.attributed - row.attributed / 2 - 1}};
  out.bins = {{0, 0.5, 3, 1, 0.41}, {0.5, 0.99, 0, 0, 0}, {0.99, 1, row.attributed, row.attributed - 1, 0.9996}};
  out.disagreements = {{"01J0000000000000000000RICH", "replica-0", "pod-b", 17, 0.993F, "posterior"}};
  return out;
}

AttributionRow attribution_row(const Load& load) {
  AttributionRow row;
  row.scenario = load.scenario;
  row.arm = load.arm;
  const std::size_t total = load.n * 6;
  row.responses = total;
  const bool one = load.replicas == 1;
  row.attributed = one ? total : load.saturated ? total * 31 / 100 : total * 71 / 100;
  row.ambiguous = total - row.attributed;
  row.coverage_ratio = point(static_cast<double>(row.attributed) / static_cast<double>(total), total);
  row.wrong = 0;
  row.compared = row.attributed;
  row.verdict = one ? "exact" : "partial";
  row.methods = {{one ? "serial" : "posterior", row.attributed}};
  if (!one) row.ambiguous_reasons = {{"several finishers with equal sums", row.ambiguous}};
  row.expected_wrong = point(0.4, row.attributed);
  row.truth = truth(row);
  row.lambda = point(load.saturated ? 4.1 : 0.8, 400);
  row.scrape_interval_ms = point(20.4, 400);
  for (std::size_t i = 0; i < load.replicas; ++i) row.replica_totals.emplace_back(fmt::format("replica-{}", i), static_cast<double>(total / load.replicas));
  row.foreign_ratio = point(0, total);
  if (!one) row.reason = "More than one response finished per replica between two scrapes; the totals per replica are exact.";
  return row;
}

GateResult gate(std::string id, const Load& load, std::string metric, std::string op, double limit, Estimate observed,
                Verdict verdict, std::optional<Verdict> expect, std::string reason, std::string next) {
  GateResult out{std::move(id), load.scenario, load.arm, "", std::move(metric), std::move(op), limit, std::move(observed), verdict,
                 expect, verdict == expect.value_or(Verdict::kPass), false, std::move(reason), std::move(next)};
  return out;
}

void compare(Analysis& out, const Load& base, const Load& candidate) {
  const double ratio = candidate.rps / base.rps;
  const auto add = [&](const char* metric, double value, double half, bool lower, const char* outcome) {
    out.comparisons.push_back({base.scenario, base.arm, candidate.arm, metric, lower, estimate(value, half, 6), 6,
                               "interleaved, same trace", outcome, ""});
  };
  add("requests_per_s", ratio, 0.012, false, "better");
  add("output_tokens_per_s", ratio, 0.012, false, "better");
  add("ttft_ms.p50", candidate.ttft / base.ttft, 0.03, true, candidate.ttft < base.ttft * 0.97 ? "better" : "unclear");
  add("tpot_ms.p50", candidate.tpot / base.tpot, 0.02, true, "better");
  add("e2e_ms.p50", candidate.e2e / base.e2e, 0.02, true, "better");
  const bool shown = base.saturated && candidate.saturated;
  ScalingRow row{base.scenario, base.arm, candidate.arm, 1, static_cast<std::uint32_t>(candidate.replicas), estimate(ratio, 0.012, 6),
                 estimate(ratio / static_cast<double>(candidate.replicas), 0.012, 6), base.saturated, candidate.saturated,
                 shown ? "shown" : "not shown",
                 shown ? "Both arms are saturated, so the ratio says what three replicas can do: nearly three times one."
                       : "Neither arm is saturated: at 15 in flight throughput is 15 divided by the latency, so three replicas "
                         "can bring no 2.5\u00D7, and this ratio says nothing about how they scale."};
  out.scaling.push_back(row);
}

const Load kSeed1{"seed-throughput", "pattern1", 15, 29.4, 92, 8.2, 508, 50, 1, 300, false};
const Load kSeed3{"seed-throughput", "pattern3", 15, 36.2, 61, 7.0, 412, 50, 3, 300, false};
const Load kSat1{"saturate", "pattern1", 96, 94.1, 870, 9.1, 1018, 16, 1, 752, true};
const Load kSat3{"saturate", "pattern3", 96, 281.3, 262, 5.2, 341, 16, 3, 2250, true};

Analysis base(std::string name) {
  Analysis out;
  out.id = "01JABCDEFGHJKMNPQRSTVWXYZ0";
  out.name = std::move(name);
  out.started_at = "2026-01-02T03:04:05.678Z";
  out.tool_version = "0.1.0";
  out.duration_s = 193.4;
  out.status = "completed";
  out.command = {"gatebench", "demo", "--out", "gatebench-demo"};
  out.environment = {{"cores", "2"}, {"cpu", "Example CPU @ 2.0 GHz"}, {"kernel", "6.1.0"}, {"load average", "0.42"}};
  out.simulated = true;
  out.verdict = Verdict::kPass;
  out.all_as_expected = true;
  out.verdict_sentence = "All five gates came out as expected: 3 replicas give 2.99\u00D7 of one at saturation, and at the seeds' 15 in flight nothing can be said.";
  out.validity.checks = checks();
  out.validity.notes = {"CPU steal 0.3 % during the runs."};
  return out;
}

}  // namespace

Analysis rich() {
  Analysis out = base("Pattern 1 against Pattern 3");
  out.scenarios = {{"seed-throughput", "300 requests of 50 output tokens, 15 in flight: the load of the seeds' own test.", R"({"schema":"gatebench.scenario","name":"seed-throughput","load":{"model":"closed","concurrency":15}})", "c15a", "closed, 15 in flight", 18446744073709551615ULL, "5f0c3c6dd6b0a9e1", {}, {}, {}},
                   {"saturate", "Unique prompts of 1,600 tokens and 16 output tokens: bound by prefill, found by a short ladder.", R"({"schema":"gatebench.scenario","name":"saturate","load":{"model":"closed","concurrency":96}})", "5a7e", "closed, 96 in flight", 42, "77aa0c6dd6b0a9e1", {}, {}, {}}};
  for (const auto* pair : {&kSeed1, &kSat1}) {
    const Load& one = *pair;
    const Load& three = one.saturated ? kSat3 : kSeed3;
    for (std::uint32_t block = 1; block <= 6; ++block) {
      out.cells.push_back(cell(one, block, block % 2));
      out.cells.push_back(cell(three, block, 1 - block % 2));
    }
    out.arms.push_back(arm(one, 5.50));
    out.arms.push_back(arm(three, 15.74));
    out.attribution.push_back(attribution_row(one));
    out.attribution.push_back(attribution_row(three));
    compare(out, one, three);
  }
  add_seed_test(out, "mars-verbatim", "The seed's prefix of about 115 tokens, five times.", 5, 0, "The shared prefix is shorter than one 128-token block: it sticks to a replica and can never hit.", {5, 0, 0});
  add_seed_test(out, "mars-long", "The same idea, several pages long.", 5, 0.76, "", {0, 5, 0});
  add_seed_test(out, "haiku", "Nine different prompts.", 9, 0, "", {4, 2, 3});
  out.findings = {{"mars-long", "pattern3", "stickiness", Verdict::kPass, "Five requests with one long prefix: all five went to replica-1, and from the second on 76 % of the prompt came from its cache."},
                  {"mars-verbatim", "pattern3", "stickiness", Verdict::kInconclusive, "Five requests stuck to replica-0 but hit nothing: the prefix is shorter than one 128-token block."},
                  {"haiku", "pattern3", "spread", Verdict::kInconclusive, "Nine prompts fell 4, 2 and 3. That is what random assignment gives, but a router that sends half of everything to one replica gives it too, one time in five: 42 prompts would tell."}};
  out.gates = {gate("scaling", kSat3, "scaling.throughput_ratio", ">=", 2.5, estimate(2.99, 0.012, 6), Verdict::kPass, {}, "", ""),
               gate("seed-load", kSeed3, "scaling.throughput_ratio", ">=", 2.5, estimate(1.23, 0.012, 6), Verdict::kInconclusive, Verdict::kInconclusive, "Neither arm is saturated.", "judge scaling at a load that saturates both arms"),
               gate("attribution", kSeed3, "attribution.coverage_ratio", ">=", 0.6, point(0.71, 1800), Verdict::kPass, {}, "", ""),
               gate("wrong", kSeed3, "attribution.wrong", "<=", 0, point(0, 1278), Verdict::kPass, {}, "", ""),
               gate("ttft", kSat3, "ttft_ms.p99", "<=", 900, none("needs 368 samples, has 120", 120), Verdict::kInconclusive, Verdict::kInconclusive, "too few samples", "run 3 more blocks")};
  return out;
}

Analysis small() {
  Analysis out = base("small");
  out.validity.checks.resize(2);
  Load one = kSat1;
  Load three = kSat3;
  one.n = three.n = 12;
  out.scenarios = {{"saturate", "Unique prompts.", R"({"name":"saturate"})", "5a7e", "closed, 96 in flight", 42, "77aa0c6dd6b0a9e1", 500.0, {}, {}}};
  for (const Load& load : {one, three}) {
    ArmAnalysis row = arm(load, 5.5);
    for (auto& each : row.distributions) each.survival.resize(4);
    row.distributions.resize(1);
    row.summary.resize(2);
    row.validity.checks.resize(1);
    row.saturation.ladder.resize(2);
    row.errors = {{"http 503", 2, {"upstream connect error <&>"}}};
    out.arms.push_back(row);
    CellAnalysis one_cell = cell(load, 1, 0);
    one_cell.distributions.clear();
    one_cell.validity.checks.resize(1);
    for (auto& series : one_cell.series) { series.t_s.resize(3); series.value.resize(3); }
    out.cells.push_back(one_cell);
    out.attribution.push_back(attribution_row(load));
  }
  compare(out, one, three);
  out.comparisons.resize(2);
  out.findings = {{"saturate", "pattern3", "spread", Verdict::kPass, "Even."}};
  out.gates = {gate("scaling", kSat3, "scaling.throughput_ratio", ">=", 2.5, estimate(2.99, 0.012, 6), Verdict::kPass, {}, "", "")};
  return out;
}

Analysis single_run() {
  Analysis out = base("");
  out.verdict = Verdict::kNotJudged;
  out.verdict_sentence = "No gates were set.";
  out.scenarios = {{"saturate", "Unique prompts.", "", "5a7e", "closed, 96 in flight", 42, "77aa", {}, {}, {}}};
  out.arms.push_back(arm(kSat1, 5.5));
  out.arms.back().replicas_count = 0;
  out.arms.back().cost.clear();
  out.arms.back().cache.block_size_tokens.reset();
  out.cells.push_back(cell(kSat1, 0, 0));
  out.simulated = false;
  AttributionRow row;
  row.scenario = "saturate";
  row.arm = "pattern1";
  row.responses = row.ambiguous = 752;
  row.coverage_ratio = none("the target exports no metrics");
  row.verdict = "none";
  row.lambda = row.scrape_interval_ms = row.foreign_ratio = none("no metrics");
  row.reason = "No replica metrics were given.";
  out.attribution.push_back(row);
  return out;
}

Analysis zero_successes() {
  Analysis out = base("zero");
  out.verdict = Verdict::kInvalid;
  out.all_as_expected = false;
  out.verdict_sentence = "Every request failed, so there is nothing to judge.";
  out.scenarios = {{"saturate", "", "{}", "5a7e", "closed, 96 in flight", 42, "77aa", {}, {}, {}}};
  ArmAnalysis row;
  row.scenario = "saturate";
  row.arm = "pattern3";
  row.role = "candidate";
  row.counts = {100, 100, 0, 90, 10, 0, 0, 0, {}};
  row.summary = {{"requests_per_s", "1/s", point(0, 0, "count over window")}, {"ttft_ms.p50", "ms", none("no successful request")}};
  row.distributions = {distribution("ttft_ms", 0, 1, 1), distribution("e2e_ms", 0, 1, 1)};
  row.errors = {{"connection refused", 90, {"127.0.0.1:1: connection refused"}}, {"timeout", 10, {}}};
  row.validity.verdict = Verdict::kInvalid;
  out.arms.push_back(row);
  out.validity.verdict = Verdict::kInvalid;
  out.validity.throughput_valid = false;
  out.gates = {gate("ttft", kSat3, "ttft_ms.p50", "<=", 500, none("no successful request"), Verdict::kInvalid, {}, "", "look at the errors")};
  return out;
}

Analysis three_arms() {
  Analysis out = rich();
  Load third = kSat3;
  third.arm = "pattern3-random";
  third.rps = 250;
  third.ttft = 300;
  out.arms.push_back(arm(third, 15.74));
  for (std::uint32_t block = 1; block <= 6; ++block) out.cells.push_back(cell(third, block, 2));
  out.attribution.push_back(attribution_row(third));
  compare(out, kSat1, third);
  return out;
}

Analysis replicas_64() {
  Analysis out = rich();
  for (ArmAnalysis& row : out.arms) {
    if (row.arm != "pattern3") continue;
    Load wide = row.scenario == "saturate" ? kSat3 : kSeed3;
    wide.replicas = 64;
    row.replicas = replicas(wide);
    row.replicas_count = 64;
    row.prefix_groups.clear();
    for (std::int32_t g = 0; g < 100; ++g) {
      PrefixGroupRow group{g, 64, 64, std::vector<std::size_t>(64, 0), point(0.75, 64)};
      group.per_replica[static_cast<std::size_t>(g) % 64] = 48;
      group.per_replica[static_cast<std::size_t>(g * 7 + 5) % 64] += 16;
      row.prefix_groups.push_back(group);
    }
  }
  return out;
}

}  // namespace reports::fixtures
