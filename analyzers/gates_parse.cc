// Reads gates files and stored experiment specs, strictly, with all problems at once; writes specs.
// Called by the command line and the run store. An unknown key or metric is an error, never ignored.
#include <array>
#include <cmath>
#include <cstdio>
#include <set>

#include "analyzers/analyze.h"
#include "analyzers/experiment.h"
#include "core/text.h"
#include "protocol/openai.h"
#include "scenarios/object_reader.h"

namespace analyzers {
namespace {

using scenarios::JsonValue;
using scenarios::ObjectReader;
using scenarios::Problem;
using Need = ObjectReader::Need;

constexpr double kBig = 1e15;
const std::vector<std::string_view> kOps{"<=", "<", ">=", ">"};
const std::vector<std::string_view> kRules{"run_t", "run_sign", "paired_t", "binomial_exact", "point"};
const std::vector<std::string_view> kVerdicts{"pass", "fail", "inconclusive", "invalid"};

struct Defaults {
  double confidence = 0.95;
  std::optional<double> guard_ratio;
  std::uint32_t min_repeats = 0;
  std::string baseline_arm;
};

core::Error joined(const std::vector<Problem>& problems, std::string_view source, std::string_view what) {
  std::string text;
  for (const auto& p : problems) {
    if (!text.empty()) text += '\n';
    text += std::string(source) + ": " + p.path + ": " + p.message;
    if (!p.hint.empty()) text += " (" + p.hint + ")";
  }
  return core::fail(core::ErrorCode::kInvalid, std::move(text), "correct the " + std::string(what) + "; `gatebench schema gates` prints its schema");
}

/// Quantiles taken from one window are biased low under load; a default guard exists for them alone.
bool is_tail(std::string_view metric) { return metric.find("_ms.p") != std::string_view::npos; }

bool is_scaling(std::string_view metric) { return metric.substr(0, 8) == "scaling."; }

void read_metric(ObjectReader& reader, Gate& gate) {
  reader.text("metric", Need::kRequired, gate.metric);
  const auto& names = known_metrics();
  if (gate.metric.empty() || std::find(names.begin(), names.end(), gate.metric) != names.end()) return;
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const auto near = core::did_you_mean(gate.metric, candidates);
  reader.report("metric", "\"" + gate.metric + "\" is no metric", near ? "did you mean \"" + *near + "\"?" : "`gatebench metrics` lists them");
}

void read_scope(ObjectReader& reader, const JsonValue* scope, std::vector<Problem>& problems, Gate& gate) {
  if (scope == nullptr) return;
  ObjectReader inner(*scope, reader.path_of("scope"), problems);
  inner.text("arm", Need::kOptional, gate.arm);
  inner.text("scenario", Need::kOptional, gate.scenario);
  std::string stage = "*";
  inner.text("stage", Need::kOptional, stage);
  if (stage != "*") inner.report("stage", "only \"*\" is known: runs have one stage");
  inner.finish();
}

void read_confidence(ObjectReader& reader, const JsonValue* confidence, std::vector<Problem>& problems, Gate& gate) {
  if (confidence == nullptr) return;
  ObjectReader inner(*confidence, reader.path_of("confidence"), problems);
  if (inner.take("rule") != nullptr) gate.rule = kRules[inner.choice("rule", Need::kRequired, kRules, 0)];
  inner.number("level", Need::kOptional, {0.5, 0.9999}, gate.confidence);
  inner.finish();
}

void read_limit(ObjectReader& reader, const Defaults& defaults, Gate& gate) {
  std::string relative;
  reader.text("relative_to", Need::kOptional, relative);
  std::optional<double> value;
  std::optional<double> ratio;
  reader.number("value", {-kBig, kBig}, value);
  reader.number("ratio", {1e-9, kBig}, ratio);
  if (relative == "baseline") {
    relative = defaults.baseline_arm;
    if (relative.empty()) reader.report("relative_to", "there is no baseline arm", "add \"baseline\": {\"arm\": \"…\"} to the file, or name the arm here");
  }
  gate.baseline = relative;
  const bool wants_ratio = !relative.empty() && !is_scaling(gate.metric);
  if (value && ratio) reader.report("ratio", "\"value\" and \"ratio\" exclude each other");
  else if (wants_ratio && !ratio) reader.report("ratio", "is required beside \"relative_to\"");
  else if (!wants_ratio && ratio) reader.report("ratio", "needs \"relative_to\"; an absolute limit is called \"value\"");
  else if (!wants_ratio && !value) reader.report("value", "is required, but missing");
  gate.limit = ratio.value_or(value.value_or(0));
}

Gate read_gate(const JsonValue& json, const std::string& path, const Defaults& defaults, std::vector<Problem>& problems) {
  Gate gate;
  ObjectReader reader(json, path, problems);
  gate.confidence = defaults.confidence;
  gate.min_repeats = defaults.min_repeats;
  reader.text("id", Need::kRequired, gate.id);
  std::string description;
  reader.text("description", Need::kOptional, description);
  read_metric(reader, gate);
  read_scope(reader, reader.take("scope"), problems, gate);
  gate.op = kOps[reader.choice("op", Need::kRequired, kOps, 0)];
  read_limit(reader, defaults, gate);
  read_confidence(reader, reader.take("confidence"), problems, gate);
  std::optional<double> guard;
  reader.number("guard_ratio", {0, 0.9}, guard);
  const bool guarded = gate.baseline.empty() && is_tail(gate.metric);
  gate.guard_ratio = guard.value_or(guarded ? defaults.guard_ratio.value_or(0.05) : 0.0);
  std::optional<std::uint32_t> repeats;
  reader.count("min_repeats", 1, 1000, repeats);
  if (repeats) gate.min_repeats = *repeats;
  gate.warn_only = reader.choice("severity", Need::kOptional, {"error", "warn"}, 0) == 1;
  if (reader.take("expect") != nullptr) {
    constexpr std::array<Verdict, 4> kValues{Verdict::kPass, Verdict::kFail, Verdict::kInconclusive, Verdict::kInvalid};
    gate.expect = kValues[reader.choice("expect", Need::kRequired, kVerdicts, 0)];
  }
  reader.finish();
  if (gate.rule == "paired_t" && gate.baseline.empty() && !is_scaling(gate.metric)) {
    problems.push_back({path + ".confidence.rule", "paired_t needs \"relative_to\"", "use run_t for an absolute limit"});
  }
  return gate;
}

std::vector<Gate> read_gates(const JsonValue* list, const std::string& path, const Defaults& defaults, std::vector<Problem>& problems) {
  std::vector<Gate> gates;
  if (list == nullptr) return gates;
  if (list->kind != JsonValue::Kind::kArray) {
    problems.push_back({path, "must be an array, is " + std::string(list->kind_name()), ""});
    return gates;
  }
  std::set<std::string> ids;
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    gates.push_back(read_gate(list->items[i], at, defaults, problems));
    if (!gates.back().id.empty() && !ids.insert(gates.back().id).second) {
      problems.push_back({at + ".id", "\"" + gates.back().id + "\" is used twice", "give each gate its own id"});
    }
  }
  return gates;
}

Defaults read_defaults(ObjectReader& reader, std::vector<Problem>& problems) {
  Defaults defaults;
  if (const JsonValue* baseline = reader.take("baseline")) {
    ObjectReader inner(*baseline, reader.path_of("baseline"), problems);
    inner.text("arm", Need::kRequired, defaults.baseline_arm);
    inner.finish();
  }
  if (const JsonValue* json = reader.take("defaults")) {
    ObjectReader inner(*json, reader.path_of("defaults"), problems);
    inner.number("confidence", Need::kOptional, {0.5, 0.9999}, defaults.confidence);
    inner.number("guard_ratio", {0, 0.9}, defaults.guard_ratio);
    inner.count("min_repeats", Need::kOptional, 1, 1000, defaults.min_repeats);
    inner.finish();
  }
  return defaults;
}

void read_schema(ObjectReader& reader, const std::string& expected) {
  std::string schema;
  std::string version;
  reader.text("$schema", Need::kOptional, schema);
  schema.clear();
  reader.text("schema", Need::kRequired, schema);
  reader.text("schema_version", Need::kRequired, version);
  if (!schema.empty() && schema != expected) reader.report("schema", "must be \"" + expected + "\", is \"" + schema + "\"");
  if (!version.empty() && version.substr(0, 2) != "1.") reader.report("schema_version", "must be \"1.0\", is \"" + version + "\"");
}

// ---- writing ----

std::string quoted(std::string_view text) {
  std::string out = "\"";
  protocol::append_escaped(text, out);
  return out + "\"";
}

std::string number(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.17g", std::isfinite(value) ? value : 0.0);
  return text.data();
}

std::string gate_json(const Gate& gate) {
  std::string out = "{\"id\":" + quoted(gate.id) + ",\"metric\":" + quoted(gate.metric);
  out += ",\"scope\":{\"arm\":" + quoted(gate.arm) + ",\"scenario\":" + quoted(gate.scenario) + "}";
  out += ",\"op\":" + quoted(gate.op);
  if (!gate.baseline.empty()) out += ",\"relative_to\":" + quoted(gate.baseline);
  const bool ratio = !gate.baseline.empty() && !is_scaling(gate.metric);
  out += std::string(ratio ? ",\"ratio\":" : ",\"value\":") + number(gate.limit);
  out += ",\"confidence\":{" + (gate.rule.empty() ? std::string() : "\"rule\":" + quoted(gate.rule) + ",") + "\"level\":" + number(gate.confidence) + "}";
  out += ",\"guard_ratio\":" + number(gate.guard_ratio);
  if (gate.min_repeats > 0) out += ",\"min_repeats\":" + std::to_string(gate.min_repeats);
  if (gate.warn_only) out += ",\"severity\":\"warn\"";
  if (gate.expect) out += ",\"expect\":" + quoted(to_string(*gate.expect));
  return out + "}";
}

ArmInfo read_arm(const JsonValue& json, const std::string& path, std::vector<Problem>& problems) {
  ArmInfo arm;
  ObjectReader reader(json, path, problems);
  reader.text("name", Need::kRequired, arm.name);
  reader.text("role", Need::kOptional, arm.role);
  reader.count("replicas", Need::kOptional, 0, 1'000'000, arm.replicas);
  reader.number("usd_per_hour", {0, kBig}, arm.usd_per_hour);
  reader.finish();
  return arm;
}

}  // namespace

core::Result<std::vector<Gate>> parse_gates(std::string_view json, std::string_view source) {
  JsonValue root;
  scenarios::JsonProblem syntax;
  if (!scenarios::read_json(json, root, syntax)) {
    return core::fail(core::ErrorCode::kInvalid, std::string(source) + ": " + syntax.place + ": " + syntax.message, "correct the JSON");
  }
  std::vector<Problem> problems;
  ObjectReader reader(root, "$", problems);
  read_schema(reader, "gatebench.gates");
  if (reader.take("on_inconclusive") != nullptr) reader.choice("on_inconclusive", Need::kOptional, {"report"}, 0);
  const Defaults defaults = read_defaults(reader, problems);
  auto gates = read_gates(reader.take("gates", Need::kRequired), "$.gates", defaults, problems);
  reader.finish();
  if (!problems.empty()) return joined(problems, source, "gates file");
  return gates;
}

std::string to_json(const ExperimentSpec& spec) {
  std::string out = "{\"schema\":\"gatebench.experiment_spec\",\"schema_version\":\"1.0\",\"id\":" + quoted(spec.id) + ",\"name\":" + quoted(spec.name);
  out += ",\"arms\":[";
  for (std::size_t i = 0; i < spec.arms.size(); ++i) {
    const auto& arm = spec.arms[i];
    out += std::string(i == 0 ? "" : ",") + "{\"name\":" + quoted(arm.name) + ",\"role\":" + quoted(arm.role) + ",\"replicas\":" + std::to_string(arm.replicas);
    if (arm.usd_per_hour) out += ",\"usd_per_hour\":" + number(*arm.usd_per_hour);
    out += "}";
  }
  out += "],\"gates\":[";
  for (std::size_t i = 0; i < spec.gates.size(); ++i) out += (i == 0 ? "" : ",") + gate_json(spec.gates[i]);
  return out + "]}";
}

core::Result<ExperimentSpec> parse_experiment_spec(std::string_view json, std::string_view source) {
  JsonValue root;
  scenarios::JsonProblem syntax;
  if (!scenarios::read_json(json, root, syntax)) {
    return core::fail(core::ErrorCode::kInvalid, std::string(source) + ": " + syntax.place + ": " + syntax.message, "correct the JSON");
  }
  std::vector<Problem> problems;
  ObjectReader reader(root, "$", problems);
  read_schema(reader, "gatebench.experiment_spec");
  ExperimentSpec spec;
  reader.text("id", Need::kOptional, spec.id);
  reader.text("name", Need::kOptional, spec.name);
  if (const JsonValue* arms = reader.take("arms")) {
    for (std::size_t i = 0; i < arms->items.size(); ++i) spec.arms.push_back(read_arm(arms->items[i], "$.arms[" + std::to_string(i) + "]", problems));
    if (arms->kind != JsonValue::Kind::kArray) reader.report("arms", "must be an array");
  }
  spec.gates = read_gates(reader.take("gates"), "$.gates", {}, problems);
  reader.finish();
  if (!problems.empty()) return joined(problems, source, "experiment");
  return spec;
}

}  // namespace analyzers
