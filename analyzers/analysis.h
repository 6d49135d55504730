// Analysis: everything concluded from the Runs of one experiment (or of one run), as plain values.
// Made by analyze(); read by reports and by the command line's tables. Nothing here is ever guessed: a figure that was
// not measured is an Estimate without a value and with a reason.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace analyzers {

enum class Verdict { kPass, kFail, kInconclusive, kInvalid, kNotJudged };
[[nodiscard]] const char* to_string(Verdict verdict);  ///< "pass", "fail", "inconclusive", "invalid", "not_judged"

/// A figure with its interval. No value: `reason` says why not.
struct Estimate {
  std::optional<double> value, low, high;  ///< interval: 95 % unless `method` says otherwise
  std::string method;                      ///< "log_t over 6 blocks", "order statistic within this run", "exact count", …
  std::string reason;                      ///< why there is no value or no interval
  std::size_t n = 0;                       ///< samples or blocks behind it
};

/// One named figure: the rows every exporter, gate and table works from. metric ends in its unit: "ttft_ms.p50",
/// "requests_per_s", "usd_per_1m_requests".
struct MetricRow {
  std::string metric, unit;
  Estimate estimate;
};

struct QuantileRow {
  std::string name;       ///< "p50", "p90", "p95", "p99", "p99_9"
  double q = 0;
  Estimate estimate;      ///< no value when n is too small: reason "needs 368 samples, has 120"
};

/// Distribution of one latency over the successful requests of a window (ITL: over token gaps).
struct Distribution {
  std::string metric;     ///< "ttft_ms", "ttft_from_send_ms", "tpot_ms", "itl_ms", "icl_ms", "e2e_ms", "normalised_latency_ms"
  std::size_t n = 0;
  std::optional<double> mean, stddev, min, max;
  std::vector<QuantileRow> quantiles;
  std::vector<std::pair<double, double>> survival;  ///< (ms, share of samples above), ≤ 240 points, for the plot
};

/// What a limit applies to: a cell may be good for throughput and not for ITL.
enum class MetricFamily { kThroughput, kTtft, kItl, kAll };
[[nodiscard]] const char* to_string(MetricFamily family);  ///< "throughput", "ttft", "itl", "all"

struct ValidityCheck {
  std::string id;         ///< "send_lag_p99_ms", "in_flight_ratio", "offered_ratio", "step_late_p99_ratio", …
  MetricFamily family = MetricFamily::kAll;
  std::optional<double> observed;
  double limit = 0;
  std::string op;         ///< "<=" or ">="
  Verdict verdict = Verdict::kNotJudged;  ///< kPass, kInvalid or kNotJudged (with reason)
  std::string reason;     ///< what it means and what to do, when not a pass
};

struct Validity {
  Verdict verdict = Verdict::kPass;       ///< kPass ("valid") or kInvalid
  bool throughput_valid = true, ttft_valid = true, itl_valid = true;
  std::vector<ValidityCheck> checks;
  std::vector<std::string> notes;         ///< CPU steal and the like: noted, not judged
};

struct RequestCounts {
  std::size_t scheduled = 0, sent = 0, succeeded = 0, failed = 0, timed_out = 0, cancelled = 0, not_sent = 0;
  std::size_t measured = 0;               ///< successful requests inside the window
  std::optional<std::size_t> slo_met;     ///< of those due in the window; none without an SLO
};

struct Window {
  double start_s = 0, end_s = 0;
  std::string method;                     ///< "trim 1 s, in-flight >= 0.95 c", "whole run", …
};

/// Named series over time for charts; t in seconds from the run's start.
struct Series {
  std::string name, unit;
  std::vector<double> t_s, value;
};

/// One Run of an experiment (or the only one).
struct CellAnalysis {
  std::string run_id, scenario, arm;
  std::uint32_t block = 0, position = 0, attempt = 1;
  bool used = true;                       ///< false: repeated because invalid, or a ladder step
  std::string purpose, status;            ///< "measure" | "ladder" | "probe"; "completed" | "aborted"
  Window window;
  RequestCounts counts;
  std::vector<MetricRow> metrics;         ///< requests_per_s, output_tokens_per_s, …, and "<distribution>.<quantile>"
  std::vector<Distribution> distributions;
  Validity validity;
  std::vector<Series> series;             ///< in-flight, requests per second, output tokens per second, …
  double concurrency = 0;                 ///< closed loop: asked; open loop: 0
  double offered_rps = 0;
};

/// Latency of the responses of one replica. Each response counts by the probability that the replica served it.
struct ReplicaLatency {
  std::string metric;                     ///< "ttft_ms", "tpot_ms", "e2e_ms"
  Estimate mean, p50, p95;                ///< n: effective number of responses, (sum of weights)²/(sum of squares)
};

struct ReplicaRow {
  std::string replica;
  Estimate finished_requests;             ///< exact, from counters
  Estimate share_ratio;
  std::size_t attributed = 0;             ///< responses of ours attributed to it
  Estimate prompt_tokens, output_tokens, prefix_hit_ratio;  ///< from counters
  Estimate waiting_mean, running_mean, kv_used_mean_ratio;  ///< means over scrapes in the window
  Estimate foreign_requests;              ///< finishes that our requests do not explain
  std::vector<ReplicaLatency> latencies;  ///< empty: nothing is known of any response's replica
  Estimate weighed_ratio;                 ///< of the window's responses, those whose replica is known at least in probability
  std::string observed_name;              ///< header value mapped to it by majority over exact responses; may be empty
};

struct PrefixGroupRow {
  std::int32_t group = 0;
  std::size_t requests = 0, attributed = 0;
  std::vector<std::size_t> per_replica;   ///< in the order of ArmAnalysis::replicas
  Estimate stickiness_ratio;              ///< largest replica's share of the attributed
};

struct CacheAnalysis {
  Estimate queried_tokens, hit_tokens, hit_ratio;  ///< from the replicas' counters over the run
  Estimate oracle_hit_ratio;              ///< one unbounded shared cache
  Estimate efficiency_ratio;              ///< observed / oracle
  std::optional<std::uint32_t> block_size_tokens;
  std::string note;                       ///< e.g. prefix shorter than one block: it can stick but never hit
};

struct SpreadAnalysis {
  Estimate jain, jain_vs_random;          ///< Jain's index; divided by what random assignment gives
  Estimate uniformity_p;                  ///< exact multinomial or Monte Carlo; says which
  Estimate affinity;                      ///< mean (s_g - b_g)/(1 - b_g), weighted by requests
  std::string basis;                      ///< of the spread: "finish counters" (exact) or "attributed responses"
  Estimate grouped_coverage_ratio;        ///< attributed share of the responses of prefix groups: what affinity rests on
  std::string sentence;                   ///< e.g. how weak nine prompts are as proof, and how many would do
};

struct SaturationAnalysis {
  Verdict verdict = Verdict::kNotJudged;  ///< kPass: saturated; kFail: not; kInconclusive: cannot tell
  Estimate waiting_fraction_min;          ///< least share, over replicas, of in-window scrapes with waiting > 0
  Estimate marginal_throughput_ratio;     ///< last ladder step: relative gain of throughput
  std::vector<std::pair<double, double>> ladder;  ///< (concurrency, requests per s)
  std::string reason;
};

struct ErrorRow {
  std::string kind;                       ///< "http 503", "timeout", "connection refused", …
  std::size_t count = 0;
  std::vector<std::string> samples;       ///< at most two messages
};

/// All used cells of one scenario on one arm.
struct ArmAnalysis {
  std::string scenario, arm, role;        ///< role: "baseline" or "candidate"
  std::uint32_t replicas_count = 0;       ///< that serve the arm; 0: unknown
  bool simulated = false;
  std::vector<std::string> run_ids;
  RequestCounts counts;
  std::vector<MetricRow> summary;         ///< over blocks; interval log_t over blocks
  std::vector<Distribution> distributions;  ///< samples of all used blocks pooled; labelled "within these runs"
  std::vector<ReplicaRow> replicas;
  std::vector<PrefixGroupRow> prefix_groups;
  CacheAnalysis cache;
  SpreadAnalysis spread;
  SaturationAnalysis saturation;
  std::vector<ErrorRow> errors;
  std::vector<MetricRow> cost;            ///< usd_per_hour, usd_per_1m_requests, usd_per_1m_output_tokens
  Validity validity;                      ///< worst over its used cells
};

struct ScenarioInfo {
  std::string name, description, config_json, digest;
  std::string load;                       ///< "closed, 15 in flight", "open, Poisson 8 req/s"
  std::uint64_t seed = 0;
  std::string schedule_digest;
  std::optional<double> slo_ttft_ms, slo_tpot_ms, slo_e2e_ms;
};

struct ComparisonRow {
  std::string scenario, baseline, candidate;
  std::string metric;                     ///< as in MetricRow
  bool lower_is_better = false;
  Estimate ratio;                         ///< candidate / baseline, over paired blocks
  std::size_t blocks = 0;
  std::string design;                     ///< "interleaved, same trace"
  std::string outcome;                    ///< "better" | "worse" | "equivalent" | "unclear"
  std::string reason;
};

struct ScalingRow {
  std::string scenario, baseline, candidate;
  std::uint32_t baseline_replicas = 0, candidate_replicas = 0;
  Estimate throughput_ratio, efficiency_ratio;
  bool baseline_saturated = false, candidate_saturated = false;
  std::string verdict;                    ///< "shown" | "not shown" | "invalid"
  std::string reason;                     ///< one sentence a sceptic accepts
};

/// Accuracy of what was stated with a confidence in [low, high).
struct ConfidenceBin {
  double low = 0, high = 0;
  std::size_t responses = 0, right = 0;
  double stated_mean = 0;                 ///< mean confidence of the likeliest replica
};

struct Disagreement {
  std::string run_id, claimed, named;     ///< replica's name; header's value
  std::uint32_t request = 0;
  float confidence = 0;
  std::string method;
};

/// The attribution from counters against what responses say of themselves. Nothing of it feeds the attribution.
struct TruthCheck {
  std::string source;                     ///< "x-inference-pod", "x-gateway-destination-endpoint-served", "system_fingerprint"; empty: none
  std::size_t named = 0;                  ///< successful responses that name their replica
  std::size_t compared = 0, wrong = 0;    ///< attributed ones among them
  Estimate error_ratio;                   ///< wrong/compared; high: one-sided 95 % Clopper-Pearson bound
  std::string reason;                     ///< why nothing is compared
  std::vector<std::string> replicas, names;          ///< rows and columns of the confusion matrix
  std::vector<std::vector<std::size_t>> confusion;   ///< [replica][name]
  std::vector<ConfidenceBin> bins;        ///< over the likeliest replicas of named responses, ambiguous ones too
  std::vector<Disagreement> disagreements;  ///< the first twenty
};

/// What scraping took, over the runs of an arm.
struct ScrapingCost {
  std::uint64_t scrapes = 0, failed = 0, torn = 0;
  Estimate answer_p50_ms, answer_p99_ms;  ///< of one page; of several runs the slowest
  Estimate page_bytes, busy_ratio;        ///< busy: of the load's time, in which the busiest replica was answering, at most
  std::string measured;                   ///< differences that `run --measure-scrape-cost` found; empty: not measured
};

struct AttributionRow {
  std::string scenario, arm;
  std::string source = "metrics";         ///< or "header": the user chose to believe it
  std::size_t responses = 0, attributed = 0, ambiguous = 0;
  Estimate coverage_ratio;                ///< attributed / successful responses
  std::optional<std::size_t> wrong;       ///< against the header; none without one
  std::optional<std::size_t> compared;
  std::string verdict;                    ///< "exact" | "partial" | "none"
  std::map<std::string, std::size_t> methods;  ///< Attribution::method -> responses
  std::map<std::string, std::size_t> ambiguous_reasons;
  Estimate lambda;                        ///< finishes per replica and window
  Estimate scrape_interval_ms;            ///< median over rounds
  std::vector<std::pair<std::string, double>> replica_totals;  ///< exact, from counters
  Estimate foreign_ratio;
  Estimate expected_wrong;                ///< sum of 1 - confidence over the attributed
  TruthCheck truth;
  ScrapingCost scraping;
  std::string reason;                     ///< why partial or none
};

/// An acceptance gate's outcome (reports.md §3.2).
struct GateResult {
  std::string id, scenario, arm, baseline;  ///< baseline: relative gates only
  std::string metric, op;
  double limit = 0;
  Estimate observed;
  Verdict verdict = Verdict::kNotJudged;
  std::optional<Verdict> expect;          ///< the verdict the author expects; none: pass
  bool as_expected = false;
  bool warn_only = false;
  std::string reason, next_action;
};

/// A plain-language finding of a seed test: what was sent, what came, what it proves.
struct Finding {
  std::string scenario, arm, id;          ///< "stickiness", "spread", "serial-attribution"
  Verdict verdict = Verdict::kNotJudged;
  std::string sentence;
};

/// A replica that may have served a response, and how probable that is.
struct AttributionCandidate {
  std::uint16_t replica = 0;              ///< index into the run's replicas
  float p = 0;                            ///< posterior; 0 where only the set is known
};

/// Which replica a response was attributed to; kept per run for the store and for drill-down.
struct Attribution {
  std::int16_t replica = -1;              ///< index into the run's replicas; -1: ambiguous
  float confidence = 0;                   ///< posterior of `replica`, or of the likeliest candidate of an ambiguous response
  std::string method;                     ///< "serial", "exact", "elimination", "posterior", "first-token", "header"; empty: ambiguous
  std::string reason;                     ///< when ambiguous: "twins", "too dense", "inconsistent", "foreign", "reset", "no scrape", …
  std::vector<AttributionCandidate> candidates;  ///< likeliest first
};

struct Analysis {
  std::string id, name, started_at, tool_version;
  double duration_s = 0;
  std::string status;                     ///< "completed" | "aborted"
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;  ///< kernel, cpu, cores, load average, …; values as text
  bool simulated = false;
  Verdict verdict = Verdict::kNotJudged;  ///< over gates: invalid > fail > inconclusive > pass; as expected counts
  bool all_as_expected = false;
  std::string verdict_sentence;
  std::vector<ScenarioInfo> scenarios;
  std::vector<CellAnalysis> cells;
  std::vector<ArmAnalysis> arms;
  std::vector<ComparisonRow> comparisons;
  std::vector<ScalingRow> scaling;
  std::vector<AttributionRow> attribution;
  std::vector<GateResult> gates;
  std::vector<Finding> findings;
  Validity validity;                      ///< over all used cells
};

}  // namespace analyzers
