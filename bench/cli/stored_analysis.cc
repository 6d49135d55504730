#include "bench/cli/stored_analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "bench/cli/files.h"
#include "core/text.h"

namespace bench::cli {

StoredReference split_reference(const std::string& text, const std::string& store_path) {
  const auto colon = text.rfind(':');
  std::error_code error;
  if (colon != std::string::npos && colon > 0 && std::filesystem::exists(text.substr(0, colon), error)) {
    return {text.substr(0, colon), text.substr(colon + 1)};
  }
  return {store_path, text};
}

analyzers::ExperimentSpec spec_of(const std::vector<Run>& runs, const std::string& name) {
  analyzers::ExperimentSpec spec;
  spec.name = name;
  std::set<std::string> seen;
  for (const auto& run : runs) {
    if (spec.id.empty()) spec.id = run.manifest.id;
    if (!seen.insert(run.manifest.cell.arm).second) continue;
    analyzers::ArmInfo arm;
    arm.name = run.manifest.cell.arm;
    arm.role = spec.arms.empty() ? "baseline" : "candidate";
    arm.replicas = static_cast<std::uint32_t>(run.manifest.replicas.size());
    spec.arms.push_back(std::move(arm));
  }
  return spec;
}

core::Result<LoadedRuns> load_runs(const StoredReference& reference) {
  auto store = RunStore::open(reference.store_path, RunStore::Mode::kReadOnly);
  if (!store) return store.error();
  const auto resolved = (*store)->resolve(reference.reference);
  if (!resolved) return resolved.error();
  LoadedRuns loaded;
  if (!resolved->is_experiment) {
    auto run = (*store)->load_run(resolved->id);
    if (!run) return run.error();
    loaded.runs.push_back(std::move(*run));
    loaded.spec = spec_of(loaded.runs, loaded.runs.front().manifest.cell.scenario);
    return loaded;
  }
  const auto info = (*store)->load_experiment(resolved->id);
  if (!info) return info.error();
  auto spec = analyzers::parse_experiment_spec(info->config_json, reference.store_path);
  if (!spec) return spec.error();
  loaded.spec = std::move(*spec);
  const auto summaries = (*store)->list(resolved->id);
  if (!summaries) return summaries.error();
  for (const auto& summary : *summaries) {
    auto run = (*store)->load_run(summary.id);
    if (!run) return run.error();
    loaded.runs.push_back(std::move(*run));
  }
  std::sort(loaded.runs.begin(), loaded.runs.end(),
            [](const Run& a, const Run& b) { return a.manifest.id < b.manifest.id; });
  if (loaded.runs.empty()) {
    return core::fail(core::ErrorCode::kInvalid, fmt::format("experiment {} has no runs in {}", resolved->id, reference.store_path));
  }
  return loaded;
}

namespace {

/// "B/A metric<=x" or "metric<=x" as a Gate; an empty id means that the text is none.
analyzers::Gate parse_gate_line(std::string_view line) {
  analyzers::Gate gate;
  const auto at = line.find_first_of("<>");
  if (at == std::string_view::npos) return gate;
  const bool with_equals = at + 1 < line.size() && line[at + 1] == '=';
  const auto limit = core::parse_number(core::trim(line.substr(at + (with_equals ? 2 : 1))));
  std::string_view left = core::trim(line.substr(0, at));
  const auto space = left.rfind(' ');
  if (space != std::string_view::npos) {
    const auto arms = core::trim(left.substr(0, space));
    const auto slash = arms.find('/');
    gate.arm = std::string(arms.substr(0, slash));
    if (slash != std::string_view::npos) gate.baseline = std::string(arms.substr(slash + 1));
    left = left.substr(space + 1);
  }
  if (!limit || left.empty()) return gate;
  gate.metric = std::string(left);
  gate.op = std::string(line.substr(at, with_equals ? 2 : 1));
  gate.limit = *limit;
  gate.id = std::string(line);
  return gate;
}

}  // namespace

core::Result<std::vector<analyzers::Gate>> read_gates(const std::string& file, const std::vector<std::string>& lines) {
  std::vector<analyzers::Gate> gates;
  std::string errors;
  if (!file.empty()) {
    const auto text = read_file(file);
    if (!text) return text.error();
    auto parsed = analyzers::parse_gates(*text, file);
    if (!parsed) return parsed.error();
    gates = std::move(*parsed);
  }
  for (const auto& line : lines) {
    auto gate = parse_gate_line(line);
    if (gate.id.empty()) {
      errors += fmt::format("--gate \"{}\" is not a gate: write METRIC<=NUMBER, for example ttft_ms.p50<=450, or CANDIDATE/BASELINE METRIC<=RATIO\n", line);
      continue;
    }
    const auto& known = analyzers::known_metrics();
    if (std::find(known.begin(), known.end(), gate.metric) == known.end()) {
      const std::vector<std::string_view> names(known.begin(), known.end());
      const auto near = core::did_you_mean(gate.metric, names);
      errors += fmt::format("--gate \"{}\": there is no metric \"{}\"{}\n", line, gate.metric, near ? fmt::format("; did you mean \"{}\"?", *near) : "");
      continue;
    }
    gates.push_back(std::move(gate));
  }
  if (!errors.empty()) {
    errors.pop_back();
    return core::fail(core::ErrorCode::kInvalid, errors, "gatebench schema gates and docs/definitions.md name the metrics");
  }
  return gates;
}

}  // namespace bench::cli
