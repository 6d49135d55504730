// analyze(): puts cells, arms, comparisons, scaling, attribution, gates and findings together.
// Called by the command line for runs just made and for stored ones. Pure: no clock, no I/O.
#include "analyzers/analyze.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "analyzers/arms.h"
#include "analyzers/compare.h"
#include "analyzers/findings.h"
#include "analyzers/gates.h"
#include "analyzers/saturation.h"
#include "analyzers/scaling.h"
#include "analyzers/statistics.h"
#include "core/hash.h"

namespace analyzers {
namespace {

std::string load_text(const scenarios::Scenario& s) {
  switch (s.load.model) {
    case scenarios::LoadModel::kClosed: return "closed, " + std::to_string(s.load.concurrency) + " in flight";
    case scenarios::LoadModel::kOpenConstant: return "open, constant " + figure(s.load.rate_rps, 4) + " req/s";
    case scenarios::LoadModel::kOpenPoisson: break;
  }
  return s.load.burstiness == 1.0 ? "open, Poisson " + figure(s.load.rate_rps, 4) + " req/s"
                                  : "open, gamma " + figure(s.load.rate_rps, 4) + " req/s, burstiness " + figure(s.load.burstiness);
}

std::vector<ScenarioInfo> scenario_infos(const std::vector<ArmCells>& arms) {
  std::vector<ScenarioInfo> out;
  for (const auto& arm : arms) {
    if (std::any_of(out.begin(), out.end(), [&](const ScenarioInfo& s) { return s.name == arm.scenario; })) continue;
    const Cell& cell = *arm.cells.front();
    const auto& manifest = cell.run->manifest;
    ScenarioInfo info;
    info.name = arm.scenario;
    info.config_json = manifest.scenario_json;
    info.digest = core::hex64(core::xxh64(manifest.scenario_json));
    info.seed = manifest.seed;
    info.schedule_digest = manifest.schedule_digest;
    info.load = "unknown: the stored scenario could not be read";
    if (cell.facts.scenario) {
      info.description = cell.facts.scenario->description;
      info.load = load_text(*cell.facts.scenario);
      info.slo_ttft_ms = cell.facts.scenario->slo.ttft_ms;
      info.slo_tpot_ms = cell.facts.scenario->slo.tpot_ms;
      info.slo_e2e_ms = cell.facts.scenario->slo.e2e_ms;
    }
    out.push_back(std::move(info));
  }
  return out;
}

std::map<std::string, std::string> environment_of(const bench::RunManifest& m) {
  std::map<std::string, std::string> out;
  const auto put = [&](const char* key, std::string value) {
    if (!value.empty()) out[key] = std::move(value);
  };
  put("kernel", m.host.kernel);
  put("cpu_model", m.host.cpu_model);
  if (m.host.cores > 0) out["cores"] = std::to_string(m.host.cores);
  if (m.host.cores > 0) out["load_average_1m"] = figure(m.host.load_average_1m);
  if (m.host.fd_limit > 0) out["fd_limit"] = std::to_string(m.host.fd_limit);
  put("tcp_congestion", m.host.tcp_congestion);
  put("target_url", m.target_url);
  put("model", m.model);
  put("router_mode", m.router_mode);
  put("router_config_digest", m.router_config_digest);
  put("cache_state", m.cache_state);
  out["clock"] = m.virtual_time ? "virtual" : "real";
  if (m.network_delay.count() > 0) out["network_delay_ms"] = figure(core::to_ms(m.network_delay));
  return out;
}

/// Comparisons, scaling, saturation and findings: all that relates arms of one scenario.
void relate_arms(const std::vector<ArmCells>& cells, Analysis& out) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    out.arms[i].saturation = analyze_saturation(cells[i]);
    const auto findings = find_findings(cells[i], out.arms[i], out.attribution[i]);
    out.findings.insert(out.findings.end(), findings.begin(), findings.end());
  }
  for (std::size_t b = 0; b < cells.size(); ++b) {
    if (cells[b].info.role != "baseline") continue;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      if (c == b || cells[c].scenario != cells[b].scenario || cells[c].info.role == "baseline") continue;
      // Probes are too small to compare by; their findings say what they show.
      const bool probe = std::all_of(cells[c].cells.begin(), cells[c].cells.end(), [](const Cell* cell) {
        return cell->analysis.purpose == "probe" || (cell->facts.scenario && cell->facts.scenario->serial_probe);
      });
      if (probe) continue;
      const auto rows = compare_arms(cells[b], cells[c]);
      out.comparisons.insert(out.comparisons.end(), rows.begin(), rows.end());
      if (cells[c].info.replicas > cells[b].info.replicas && cells[b].info.replicas > 0) {
        out.scaling.push_back(analyze_scaling(cells[b], out.arms[b].saturation, cells[c], out.arms[c].saturation));
      }
    }
  }
}

std::string scaling_sentence(const std::vector<ScalingRow>& rows) {
  std::string out;
  for (const auto& row : rows) {
    out += " " + row.scenario + ": ";
    if (row.verdict == "shown" && row.throughput_ratio.value) {
      out += std::to_string(row.candidate_replicas) + " against " + std::to_string(row.baseline_replicas) + " gave " + figure(*row.throughput_ratio.value) + " times the throughput";
      if (row.throughput_ratio.low) out += " (" + figure(*row.throughput_ratio.low) + " to " + figure(*row.throughput_ratio.high) + ")";
      out += ".";
    } else {
      out += "scaling " + row.verdict + ".";
    }
  }
  return out;
}

void conclude(Analysis& out) {
  out.verdict = overall_verdict(out.gates);
  std::size_t hard = 0;
  std::size_t expected = 0;
  std::size_t declared = 0;
  std::string unexpected;
  for (const auto& gate : out.gates) {
    if (gate.warn_only) continue;
    ++hard;
    expected += gate.as_expected ? 1 : 0;
    declared += gate.as_expected && gate.expect && *gate.expect != Verdict::kPass ? 1 : 0;
    if (!gate.as_expected && unexpected.empty()) unexpected = gate.id + " is " + to_string(gate.verdict);
  }
  const auto broken = std::find_if(out.findings.begin(), out.findings.end(),
                                   [](const Finding& f) { return f.verdict == Verdict::kFail || f.verdict == Verdict::kInvalid; });
  const bool nothing_served = !out.arms.empty() && std::all_of(out.arms.begin(), out.arms.end(), [](const ArmAnalysis& a) { return a.counts.succeeded == 0; });
  if (hard == 0) out.verdict = nothing_served || out.cells.empty() ? Verdict::kInvalid : Verdict::kNotJudged;
  out.all_as_expected = expected == hard && broken == out.findings.end() && !nothing_served && !out.cells.empty();
  if (out.cells.empty()) out.verdict_sentence = "There is no run to judge.";
  else if (nothing_served) out.verdict_sentence = "Not one request succeeded.";
  else if (hard == 0) out.verdict_sentence = out.validity.verdict == Verdict::kInvalid ? "No gates; some figures are not valid." : "No gates were given; the figures are valid.";
  else {
    out.verdict_sentence = std::to_string(expected) + " of " + std::to_string(hard) + " gates are as expected";
    if (declared > 0) out.verdict_sentence += " (" + std::to_string(declared) + " of them expected not to pass)";
    out.verdict_sentence += unexpected.empty() ? "." : "; " + unexpected + ".";
  }
  std::size_t failed = 0;
  std::size_t ended = 0;
  for (const auto& arm : out.arms) {
    failed += arm.counts.failed + arm.counts.timed_out;
    ended += arm.counts.succeeded + arm.counts.failed + arm.counts.timed_out;
  }
  if (failed > 0 && !nothing_served) out.verdict_sentence += " " + std::to_string(failed) + " of " + std::to_string(ended) + " requests failed.";
  if (broken != out.findings.end()) out.verdict_sentence += " Finding " + broken->id + " of " + broken->scenario + " on " + broken->arm + ": " + to_string(broken->verdict) + ".";
  out.verdict_sentence += scaling_sentence(out.scaling);
}

void describe_runs(const std::vector<Cell>& cells, Analysis& out) {
  out.status = "completed";
  for (const auto& cell : cells) {
    const auto& m = cell.run->manifest;
    if (out.started_at.empty() || (!m.started_at.empty() && m.started_at < out.started_at)) {
      out.started_at = m.started_at;
      out.command = m.command;
      out.tool_version = m.tool_version;
      out.environment = environment_of(m);
    }
    out.duration_s += core::to_seconds(m.duration);
    out.simulated = out.simulated || cell.facts.simulated;
    if (cell.analysis.status != "completed") out.status = "aborted";
  }
}

}  // namespace

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "pass";
    case Verdict::kFail: return "fail";
    case Verdict::kInconclusive: return "inconclusive";
    case Verdict::kInvalid: return "invalid";
    case Verdict::kNotJudged: break;
  }
  return "not_judged";
}

const char* to_string(MetricFamily family) {
  switch (family) {
    case MetricFamily::kThroughput: return "throughput";
    case MetricFamily::kTtft: return "ttft";
    case MetricFamily::kItl: return "itl";
    case MetricFamily::kAll: break;
  }
  return "all";
}

Analysis analyze(std::span<const bench::Run> runs, const ExperimentSpec& spec) {
  Analysis out;
  out.id = spec.id;
  out.name = spec.name;
  const std::vector<Cell> cells = make_cells(runs);
  if (out.id.empty() && !cells.empty()) out.id = cells.front().run->manifest.id;
  describe_runs(cells, out);
  const std::vector<ArmCells> arms = sort_into_arms(cells, spec);
  out.scenarios = scenario_infos(arms);
  std::vector<const Validity*> used;
  for (const auto& cell : cells) {
    out.cells.push_back(cell.analysis);
    if (cell.analysis.used) used.push_back(&cell.analysis.validity);
  }
  out.validity = worst_validity(used);
  for (const auto& arm : arms) {
    out.arms.push_back(analyze_arm(arm));
    out.attribution.push_back(attribute_arm(arm));
  }
  relate_arms(arms, out);
  out.gates = judge_gates(spec.gates, {arms, out.arms, out.scaling, out.attribution});
  conclude(out);
  return out;
}

}  // namespace analyzers
