// JSON of estimates, validity, cells and arms: the long rows of report.json. Called by json.cc.
// Must never emit NaN or Infinity, nor a null without the reason beside it.
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "reports/format.h"
#include "reports/json_build.h"
#include "reports/words.h"

namespace reports {
namespace {

using analyzers::CacheAnalysis;
using analyzers::Distribution;
using analyzers::Estimate;
using analyzers::MetricRow;
using analyzers::PrefixGroupRow;
using analyzers::ReplicaRow;
using analyzers::RequestCounts;
using analyzers::SaturationAnalysis;
using analyzers::Series;
using analyzers::SpreadAnalysis;

constexpr std::string_view kNotFinite = "the computed figure is not a finite number";

template <class Row>
Json rows(const std::vector<Row>& all, Json (*one)(const Row&)) {
  Json out = Json::array();
  for (const Row& row : all) out.push_back(one(row));
  return out;
}

Json metric_row(const MetricRow& row) {
  return Json{{"metric", row.metric}, {"unit", row.unit}, {"estimate", to_json(row.estimate)}};
}

Json quantile_row(const analyzers::QuantileRow& row) {
  return Json{{"name", row.name}, {"q_ratio", number(row.q)}, {"estimate", to_json(row.estimate)}};
}

Json distribution(const Distribution& of) {
  Json at = Json::array();
  Json above = Json::array();
  for (const auto& point : of.survival) {
    if (!std::isfinite(point.first) || !std::isfinite(point.second)) continue;
    at.push_back(rounded(point.first));
    above.push_back(rounded(point.second));
  }
  Json out{{"metric", of.metric},       {"unit", "ms"},           {"n", of.n},
           {"mean", number(of.mean)},   {"stddev", number(of.stddev)}, {"min", number(of.min)},
           {"max", number(of.max)},     {"quantiles", rows(of.quantiles, quantile_row)},
           {"survival", Json{{"at_ms", std::move(at)}, {"above_ratio", std::move(above)}}}};
  if (out["mean"].is_null() || out["stddev"].is_null() || out["min"].is_null() || out["max"].is_null()) {
    out["reason"] = of.n == 0 ? "no samples" : "too few samples for every moment, or one is not a finite number";
  }
  return out;
}

Json series(const Series& of) {
  Json times = Json::array();
  Json values = Json::array();
  for (std::size_t i = 0; i < of.t_s.size() && i < of.value.size(); ++i) {
    times.push_back(rounded(of.t_s[i]));
    values.push_back(rounded(of.value[i]));
  }
  return Json{{"name", of.name}, {"unit", of.unit}, {"t_s", std::move(times)}, {"value", std::move(values)}};
}

Json counts_of(const RequestCounts& counts) {
  Json out{{"scheduled", counts.scheduled}, {"sent", counts.sent},         {"succeeded", counts.succeeded},
           {"failed", counts.failed},       {"timed_out", counts.timed_out}, {"cancelled", counts.cancelled},
           {"not_sent", counts.not_sent},   {"measured", counts.measured}};
  if (counts.slo_met) out["slo_met"] = *counts.slo_met;
  return out;
}

Json check(const analyzers::ValidityCheck& of) {
  Json out{{"id", of.id},
           {"family", family_key(of.family)},
           {"observed", number(of.observed)},
           {"op", of.op},
           {"limit", number(of.limit)},
           {"verdict", verdict_key(of.verdict)},
           {"reason", of.reason}};
  if (out["observed"].is_null() && of.reason.empty()) out["reason"] = of.observed ? kNotFinite : "not measured";
  return out;
}

Json replica_latency(const analyzers::ReplicaLatency& row) {
  return Json{{"metric", row.metric}, {"mean", to_json(row.mean)}, {"p50", to_json(row.p50)}, {"p95", to_json(row.p95)}};
}

Json replica(const ReplicaRow& row) {
  return Json{{"replica", row.replica},
              {"observed_name", row.observed_name},
              {"finished_requests", to_json(row.finished_requests)},
              {"share_ratio", to_json(row.share_ratio)},
              {"attributed", row.attributed},
              {"prompt_tokens", to_json(row.prompt_tokens)},
              {"output_tokens", to_json(row.output_tokens)},
              {"prefix_hit_ratio", to_json(row.prefix_hit_ratio)},
              {"waiting_mean", to_json(row.waiting_mean)},
              {"running_mean", to_json(row.running_mean)},
              {"kv_used_mean_ratio", to_json(row.kv_used_mean_ratio)},
              {"foreign_requests", to_json(row.foreign_requests)},
              {"weighed_ratio", to_json(row.weighed_ratio)},
              {"latencies", rows(row.latencies, replica_latency)}};
}

Json group(const PrefixGroupRow& row) {
  return Json{{"group", row.group},
              {"requests", row.requests},
              {"attributed", row.attributed},
              {"per_replica", row.per_replica},
              {"stickiness_ratio", to_json(row.stickiness_ratio)}};
}

Json cache(const CacheAnalysis& of) {
  Json out{{"queried_tokens", to_json(of.queried_tokens)},
           {"hit_tokens", to_json(of.hit_tokens)},
           {"hit_ratio", to_json(of.hit_ratio)},
           {"oracle_hit_ratio", to_json(of.oracle_hit_ratio)},
           {"efficiency_ratio", to_json(of.efficiency_ratio)},
           {"note", of.note}};
  out["block_size_tokens"] = of.block_size_tokens ? Json(*of.block_size_tokens) : Json(nullptr);
  if (!of.block_size_tokens) out["block_size_reason"] = "the replicas do not state their block size";
  return out;
}

Json spread(const SpreadAnalysis& of) {
  return Json{{"jain_ratio", to_json(of.jain)},
              {"jain_vs_random_ratio", to_json(of.jain_vs_random)},
              {"uniformity_p", to_json(of.uniformity_p)},
              {"affinity", to_json(of.affinity)},
              {"basis", of.basis},
              {"grouped_coverage_ratio", to_json(of.grouped_coverage_ratio)},
              {"sentence", of.sentence}};
}

Json saturation(const SaturationAnalysis& of) {
  Json ladder = Json::array();
  for (const auto& step : of.ladder) {
    ladder.push_back(Json{{"concurrency", number(step.first)}, {"requests_per_s", number(step.second)}});
  }
  return Json{{"verdict", verdict_key(of.verdict)},
              {"waiting_fraction_min_ratio", to_json(of.waiting_fraction_min)},
              {"marginal_throughput_ratio", to_json(of.marginal_throughput_ratio)},
              {"ladder", std::move(ladder)},
              {"reason", of.reason}};
}

Json error_row(const analyzers::ErrorRow& row) {
  return Json{{"kind", row.kind}, {"count", row.count}, {"samples", row.samples}};
}

}  // namespace

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json number(const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); }

Json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  return six_digits(value);
}

Json to_json(const Estimate& estimate) {
  Json out{{"value", number(estimate.value)},
           {"low", number(estimate.low)},
           {"high", number(estimate.high)},
           {"n", estimate.n},
           {"method", estimate.method},
           {"reason", estimate.reason}};
  if (out["value"].is_null() && estimate.reason.empty()) {
    out["reason"] = estimate.value ? kNotFinite : "not measured";
  }
  return out;
}

Json to_json(const analyzers::Validity& validity) {
  return Json{{"verdict", validity.verdict == analyzers::Verdict::kPass ? "valid" : verdict_key(validity.verdict)},
              {"throughput_valid", validity.throughput_valid},
              {"ttft_valid", validity.ttft_valid},
              {"itl_valid", validity.itl_valid},
              {"checks", rows(validity.checks, check)},
              {"notes", validity.notes}};
}

Json to_json(const analyzers::CellAnalysis& cell) {
  Json out{{"run_id", cell.run_id},
           {"scenario", cell.scenario},
           {"arm", cell.arm},
           {"block", cell.block},
           {"position", cell.position},
           {"attempt", cell.attempt},
           {"used", cell.used},
           {"purpose", cell.purpose},
           {"status", cell.status}};
  if (std::isfinite(cell.concurrency) && cell.concurrency > 0) out["concurrency"] = number(cell.concurrency);
  if (std::isfinite(cell.offered_rps) && cell.offered_rps > 0) out["offered_requests_per_s"] = number(cell.offered_rps);
  out["window"] = Json{{"start_s", number(cell.window.start_s)},
                       {"end_s", number(cell.window.end_s)},
                       {"method", cell.window.method}};
  out["requests"] = counts_of(cell.counts);
  out["metrics"] = rows(cell.metrics, metric_row);
  out["distributions"] = rows(cell.distributions, distribution);
  out["validity"] = to_json(cell.validity);
  out["series"] = rows(cell.series, series);
  return out;
}

Json to_json(const analyzers::ArmAnalysis& arm) {
  Json out{{"scenario", arm.scenario}, {"arm", arm.arm}, {"role", arm.role}};
  out["replicas_count"] = arm.replicas_count > 0 ? Json(arm.replicas_count) : Json(nullptr);
  if (arm.replicas_count == 0) out["replicas_reason"] = "the number of replicas was not stated";
  out["simulated"] = arm.simulated;
  out["run_ids"] = arm.run_ids;
  out["requests"] = counts_of(arm.counts);
  out["summary"] = rows(arm.summary, metric_row);
  out["distributions"] = rows(arm.distributions, distribution);
  out["replicas"] = rows(arm.replicas, replica);
  out["prefix_groups"] = rows(arm.prefix_groups, group);
  out["cache"] = cache(arm.cache);
  out["spread"] = spread(arm.spread);
  out["saturation"] = saturation(arm.saturation);
  out["errors"] = rows(arm.errors, error_row);
  out["cost"] = rows(arm.cost, metric_row);
  out["validity"] = to_json(arm.validity);
  return out;
}

}  // namespace reports
