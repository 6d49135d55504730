// report.json: the published schema gatebench.report 1.0. Called by the command line and by exporters.
// Must never depend on anything but the Analysis: equal input gives equal bytes.
#include <string>
#include <utility>

#include <fmt/format.h>

#include "reports/json_build.h"
#include "reports/margin.h"
#include "reports/render.h"
#include "reports/words.h"

namespace reports {
namespace {

using analyzers::Analysis;

Json run_of(const Analysis& analysis) {
  return Json{{"id", analysis.id},
              {"name", analysis.name},
              {"started_at", analysis.started_at},
              {"duration_s", number(analysis.duration_s)},
              {"tool", Json{{"name", "gatebench"}, {"version", analysis.tool_version}}},
              {"command", analysis.command},
              {"status", analysis.status},
              {"simulated", analysis.simulated},
              {"verdict", verdict_key(analysis.verdict)},
              {"all_as_expected", analysis.all_as_expected},
              {"verdict_sentence", analysis.verdict_sentence},
              {"percentile_method", "nearest rank"}};
}

Json environment_of(const Analysis& analysis) {
  Json out = Json::object();
  for (const auto& entry : analysis.environment) out[entry.first] = entry.second;
  return out;
}

Json scenario_of(const analyzers::ScenarioInfo& scenario) {
  Json slo = Json::object();
  if (scenario.slo_ttft_ms) slo["ttft_ms"] = number(*scenario.slo_ttft_ms);
  if (scenario.slo_tpot_ms) slo["tpot_ms"] = number(*scenario.slo_tpot_ms);
  if (scenario.slo_e2e_ms) slo["e2e_ms"] = number(*scenario.slo_e2e_ms);
  Json out{{"name", scenario.name},
           {"description", scenario.description},
           {"load", scenario.load},
           {"seed", std::to_string(scenario.seed)},
           {"schedule_digest", scenario.schedule_digest},
           {"config_digest", scenario.digest},
           {"slo", std::move(slo)}};
  Json config = Json::parse(scenario.config_json, nullptr, false);
  if (config.is_object()) {
    out["config"] = std::move(config);
  } else {
    out["config"] = nullptr;
    out["config_reason"] = "the run does not carry a readable scenario";
  }
  return out;
}

Json comparison_of(const analyzers::ComparisonRow& row) {
  return Json{{"scenario", row.scenario},
              {"baseline", row.baseline},
              {"candidate", row.candidate},
              {"metric", row.metric},
              {"lower_is_better", row.lower_is_better},
              {"ratio", to_json(row.ratio)},
              {"blocks", row.blocks},
              {"design", row.design},
              {"outcome", row.outcome},
              {"reason", row.reason}};
}

Json scaling_of(const analyzers::ScalingRow& row) {
  return Json{{"scenario", row.scenario},
              {"baseline", row.baseline},
              {"candidate", row.candidate},
              {"baseline_replicas", row.baseline_replicas},
              {"candidate_replicas", row.candidate_replicas},
              {"throughput_ratio", to_json(row.throughput_ratio)},
              {"efficiency_ratio", to_json(row.efficiency_ratio)},
              {"baseline_saturated", row.baseline_saturated},
              {"candidate_saturated", row.candidate_saturated},
              {"verdict", row.verdict},
              {"reason", row.reason}};
}

Json truth_of(const analyzers::TruthCheck& truth) {
  Json out{{"source", truth.source},
           {"named", truth.named},
           {"compared", truth.compared},
           {"wrong", truth.wrong},
           {"error_ratio", to_json(truth.error_ratio)},
           {"reason", truth.reason},
           {"replicas", truth.replicas},
           {"names", truth.names},
           {"confusion", truth.confusion}};
  Json bins = Json::array();
  for (const auto& bin : truth.bins) {
    Json one{{"from_ratio", bin.low}, {"to_ratio", bin.high}, {"responses", bin.responses}, {"right", bin.right}};
    one["stated_mean_ratio"] = bin.responses > 0 ? number(bin.stated_mean) : Json(nullptr);
    one["observed_ratio"] = bin.responses > 0 ? number(static_cast<double>(bin.right) / static_cast<double>(bin.responses)) : Json(nullptr);
    bins.push_back(std::move(one));
  }
  out["bins"] = std::move(bins);
  Json disagreements = Json::array();
  for (const auto& d : truth.disagreements) {
    disagreements.push_back(Json{{"run_id", d.run_id}, {"request", d.request}, {"claimed", d.claimed}, {"named", d.named},
                                 {"confidence_ratio", number(static_cast<double>(d.confidence))}, {"method", d.method}});
  }
  out["disagreements"] = std::move(disagreements);
  return out;
}

Json attribution_of(const analyzers::AttributionRow& row) {
  Json methods = Json::object();
  for (const auto& entry : row.methods) methods[entry.first] = entry.second;
  Json reasons = Json::object();
  for (const auto& entry : row.ambiguous_reasons) reasons[entry.first] = entry.second;
  Json totals = Json::array();
  for (const auto& entry : row.replica_totals) {
    totals.push_back(Json{{"replica", entry.first}, {"finished_requests", number(entry.second)}});
  }
  Json out{{"scenario", row.scenario},
           {"arm", row.arm},
           {"source", row.source},
           {"responses", row.responses},
           {"attributed", row.attributed},
           {"ambiguous", row.ambiguous},
           {"coverage_ratio", to_json(row.coverage_ratio)}};
  out["wrong"] = row.wrong ? Json(*row.wrong) : Json(nullptr);
  out["compared"] = row.compared ? Json(*row.compared) : Json(nullptr);
  if (!row.wrong || !row.compared) {
    out["wrong_reason"] = row.truth.reason.empty() ? "no response named its replica, so there is nothing to compare with" : row.truth.reason;
  }
  out["verdict"] = row.verdict;
  out["methods"] = std::move(methods);
  out["ambiguous_reasons"] = std::move(reasons);
  out["lambda"] = to_json(row.lambda);
  out["scrape_interval_ms"] = to_json(row.scrape_interval_ms);
  out["replica_totals"] = std::move(totals);
  out["foreign_ratio"] = to_json(row.foreign_ratio);
  out["expected_wrong"] = to_json(row.expected_wrong);
  out["truth"] = truth_of(row.truth);
  out["scraping"] = Json{{"scrapes", row.scraping.scrapes},
                         {"failed", row.scraping.failed},
                         {"torn", row.scraping.torn},
                         {"answer_p50_ms", to_json(row.scraping.answer_p50_ms)},
                         {"answer_p99_ms", to_json(row.scraping.answer_p99_ms)},
                         {"page_bytes", to_json(row.scraping.page_bytes)},
                         {"busy_ratio", to_json(row.scraping.busy_ratio)},
                         {"measured", row.scraping.measured}};
  out["reason"] = row.reason;
  return out;
}

Json gate_of(const analyzers::GateResult& gate) {
  Json out{{"id", gate.id}, {"scenario", gate.scenario}, {"arm", gate.arm}};
  if (!gate.baseline.empty()) out["baseline"] = gate.baseline;
  out["metric"] = gate.metric;
  out["op"] = gate.op;
  out["limit"] = number(gate.limit);
  out["observed"] = to_json(gate.observed);
  const Margin margin = margin_of(gate);
  out["margin"] = number(margin.absolute);
  out["margin_ratio"] = number(margin.ratio);
  if (!margin.absolute || !margin.ratio) {
    out["margin_reason"] = margin.absolute ? "the limit is 0" : "nothing was observed";
  }
  out["verdict"] = verdict_key(gate.verdict);
  out["expect"] = verdict_key(gate.expect.value_or(analyzers::Verdict::kPass));
  out["as_expected"] = gate.as_expected;
  out["severity"] = gate.warn_only ? "warn" : "hard";
  out["reason"] = gate.reason;
  out["next_action"] = gate.next_action;
  return out;
}

Json finding_of(const analyzers::Finding& finding) {
  return Json{{"id", finding.id},
              {"scenario", finding.scenario},
              {"arm", finding.arm},
              {"verdict", verdict_key(finding.verdict)},
              {"sentence", finding.sentence}};
}

template <class Row, class One>
Json rows(const std::vector<Row>& all, One one) {
  Json out = Json::array();
  for (const Row& row : all) out.push_back(one(row));
  return out;
}

std::string scalar(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Arrays of scalars stay on one line, so that curves do not take a line per point.
void write(const Json& value, std::size_t depth, std::string& out) {
  if (!value.is_structured() || value.empty()) {
    out += scalar(value);
    return;
  }
  bool flat = value.is_array();
  for (const Json& item : value) flat = flat && !item.is_structured();
  const std::string indent = flat ? std::string() : "\n" + std::string(depth + 1, ' ');
  out += value.is_array() ? '[' : '{';
  bool first = true;
  for (const auto& item : value.items()) {
    if (!first) out += flat ? ", " : ",";
    first = false;
    out += indent;
    if (value.is_object()) out += scalar(Json(item.key())) + ": ";
    write(item.value(), depth + 1, out);
  }
  if (!flat) out += "\n" + std::string(depth, ' ');
  out += value.is_array() ? ']' : '}';
}

}  // namespace

std::string render_json(const Analysis& analysis) {
  const auto plain = [](const auto& row) { return to_json(row); };
  Json root{{"schema", "gatebench.report"}, {"schema_version", "1.0"}};
  root["run"] = run_of(analysis);
  root["environment"] = environment_of(analysis);
  root["scenarios"] = rows(analysis.scenarios, scenario_of);
  root["validity"] = to_json(analysis.validity);
  root["arms"] = rows(analysis.arms, plain);
  root["comparisons"] = rows(analysis.comparisons, comparison_of);
  root["scaling"] = rows(analysis.scaling, scaling_of);
  root["attribution"] = rows(analysis.attribution, attribution_of);
  root["gates"] = rows(analysis.gates, gate_of);
  root["findings"] = rows(analysis.findings, finding_of);
  root["cells"] = rows(analysis.cells, plain);
  std::string out;
  write(root, 0, out);
  out += '\n';
  return out;
}

}  // namespace reports
