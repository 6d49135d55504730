// Reads and checks scenario files. Called by the command line and the catalog; everything wrong is listed at once.
// It must never accept a key it does not know, nor two settings that contradict each other.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "scenarios/object_reader.h"
#include "scenarios/scenario.h"

namespace scenarios {
namespace {

using Need = ObjectReader::Need;

constexpr std::uint32_t kMaxRequests = 10'000'000;
constexpr std::uint32_t kMaxConcurrency = 100'000;
constexpr std::uint32_t kMaxTokens = 2'000'000;
constexpr double kMaxSeconds = 7 * 86'400.0;
constexpr double kMaxRate = 1e6;

void read_load(const JsonValue& value, std::vector<Problem>& problems, Load& load) {
  ObjectReader reader(value, "$.load", problems);
  const bool open = reader.choice("model", Need::kRequired, {"closed", "open"}, 0) == 1;
  if (!open) {
    reader.count("concurrency", Need::kRequired, 1, kMaxConcurrency, load.concurrency);
    for (const std::string_view key : {"rate_rps", "arrivals", "burstiness", "max_concurrency"}) {
      if (reader.take(key) == nullptr) continue;
      reader.report(key, "has no meaning in a closed loop", "set \"model\": \"open\", or leave it out");
    }
    return reader.finish();
  }
  const bool constant = reader.choice("arrivals", Need::kOptional, {"poisson", "constant"}, 0) == 1;
  load.model = constant ? LoadModel::kOpenConstant : LoadModel::kOpenPoisson;
  reader.number("rate_rps", Need::kRequired, {1e-6, kMaxRate}, load.rate_rps);
  reader.number("burstiness", Need::kOptional, {1e-3, 1e6}, load.burstiness);
  if (constant && load.burstiness != 1.0) reader.report("burstiness", "has no meaning with constant arrivals");
  reader.count("max_concurrency", 1, kMaxConcurrency, load.max_concurrency);
  if (reader.take("concurrency") != nullptr) {
    reader.report("concurrency", "has no meaning in an open loop", "\"max_concurrency\" caps what is in flight");
  }
  reader.finish();
}

void read_stop(const JsonValue& value, std::vector<Problem>& problems, StopRule& stop) {
  ObjectReader reader(value, "$.stop", problems);
  reader.count("requests", 1, kMaxRequests, stop.requests);
  std::optional<double> seconds;
  reader.number("duration_s", {1e-3, kMaxSeconds}, seconds);
  if (seconds) stop.duration = core::from_seconds(*seconds);
  if (value.find("requests") == nullptr && value.find("duration_s") == nullptr) {
    problems.push_back({"$.stop", "needs \"requests\" or \"duration_s\"", "a run must end"});
  }
  reader.finish();
}

void read_prompt(const JsonValue& value, const std::string& path, std::vector<Problem>& problems, PromptSpec& prompt) {
  ObjectReader reader(value, path, problems);
  switch (reader.choice("kind", Need::kRequired, {"literal", "unique", "shared_prefix"}, 1)) {
    case 0:
      prompt.kind = PromptKind::kLiteral;
      reader.texts("texts", Need::kRequired, prompt.texts);
      reader.boolean("one_group", prompt.one_group);
      break;
    case 1:
      prompt.kind = PromptKind::kUnique;
      reader.count("tokens", Need::kRequired, 1, kMaxTokens, prompt.tokens);
      break;
    default:
      prompt.kind = PromptKind::kSharedPrefix;
      reader.count("groups", Need::kRequired, 1, 1'000'000, prompt.groups);
      reader.count("prefix_tokens", Need::kRequired, 1, kMaxTokens, prompt.prefix_tokens);
      reader.count("suffix_tokens", Need::kRequired, 1, kMaxTokens, prompt.suffix_tokens);
  }
  reader.counts("cycle_extra_tokens", 0, 65'535, prompt.cycle_extra_tokens);
  reader.finish();
}

void read_output(const JsonValue& value, const std::string& path, std::vector<Problem>& problems, OutputSpec& output) {
  ObjectReader reader(value, path, problems);
  reader.count("max_tokens", Need::kOptional, 1, kMaxTokens, output.max_tokens);
  reader.counts("max_tokens_cycle", 1, kMaxTokens, output.max_tokens_cycle);
  reader.count("min_tokens", 0, kMaxTokens, output.min_tokens);
  reader.boolean("ignore_eos", output.ignore_eos);
  std::uint32_t smallest = output.max_tokens;
  if (!output.max_tokens_cycle.empty()) {
    smallest = *std::min_element(output.max_tokens_cycle.begin(), output.max_tokens_cycle.end());
  }
  if (output.min_tokens && *output.min_tokens > smallest) {
    reader.report("min_tokens", fmt::format("{} is more than the smallest max_tokens, {}", *output.min_tokens, smallest));
  }
  reader.finish();
}

void read_workload(const JsonValue& value, const std::string& path, bool open_loop, std::vector<Problem>& problems,
                   Workload& workload) {
  ObjectReader reader(value, path, problems);
  reader.text("name", Need::kRequired, workload.name);
  reader.number("weight", Need::kOptional, {1e-9, 1e9}, workload.weight);
  if (const JsonValue* prompt = reader.take("prompt", Need::kRequired)) {
    read_prompt(*prompt, path + ".prompt", problems, workload.prompt);
  }
  if (const JsonValue* output = reader.take("output")) read_output(*output, path + ".output", problems, workload.output);
  reader.seconds("think_time_s", {0, kMaxSeconds}, workload.think_time);
  if (open_loop && workload.think_time > Duration{0}) {
    reader.report("think_time_s", "has no meaning in an open loop: arrivals do not wait for responses");
  }
  reader.finish();
}

void read_workloads(const JsonValue& value, bool open_loop, std::vector<Problem>& problems, Scenario& scenario) {
  if (value.kind != JsonValue::Kind::kArray || value.items.empty() || value.items.size() > 1000) {
    problems.push_back({"$.workloads", "must be an array of 1 to 1000 workloads", ""});
    return;
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    const std::string path = fmt::format("$.workloads[{}]", i);
    Workload workload;
    read_workload(value.items[i], path, open_loop, problems, workload);
    if (!workload.name.empty() && !names.insert(workload.name).second) {
      problems.push_back({path + ".name", fmt::format("\"{}\" is taken by an earlier workload", workload.name), ""});
    }
    scenario.workloads.push_back(std::move(workload));
  }
}

void read_limits(ObjectReader& root, std::vector<Problem>& problems, Scenario& scenario) {
  if (const JsonValue* value = root.take("slo")) {
    ObjectReader reader(*value, "$.slo", problems);
    reader.number("ttft_ms", {1e-3, 1e9}, scenario.slo.ttft_ms);
    reader.number("tpot_ms", {1e-3, 1e9}, scenario.slo.tpot_ms);
    reader.number("e2e_ms", {1e-3, 1e9}, scenario.slo.e2e_ms);
    reader.finish();
  }
  if (const JsonValue* value = root.take("timeouts")) {
    ObjectReader reader(*value, "$.timeouts", problems);
    reader.seconds("request_s", {1e-3, kMaxSeconds}, scenario.request_timeout);
    reader.seconds("connect_s", {1e-3, kMaxSeconds}, scenario.connect_timeout);
    reader.seconds("drain_s", {0, kMaxSeconds}, scenario.drain_timeout);
    reader.finish();
  }
}

/// What single members cannot tell: contradictions between them.
void check_whole(ObjectReader& root, Scenario& scenario) {
  const bool open_loop = scenario.load.model != LoadModel::kClosed;
  if (scenario.stop.duration && scenario.trim_start >= *scenario.stop.duration) {
    root.report("trim_start_s", "is not shorter than stop.duration_s: nothing would be measured");
  }
  if (scenario.serial_probe && (open_loop || scenario.load.concurrency != 1)) {
    root.report("serial_probe", "needs a closed loop with concurrency 1");
  }
  if (!scenario.ladder.empty() && open_loop) root.report("ladder", "is a list of concurrencies and needs a closed loop");
  for (std::size_t i = 1; i < scenario.ladder.size(); ++i) {
    if (scenario.ladder[i] > scenario.ladder[i - 1]) continue;
    root.report("ladder", "must ascend");
    break;
  }
  if (scenario.watermark == "prompt-length" &&
      std::all_of(scenario.workloads.begin(), scenario.workloads.end(),
                  [](const Workload& w) { return w.prompt.cycle_extra_tokens.empty(); })) {
    root.report("watermark", "is \"prompt-length\", but no workload has cycle_extra_tokens");
  }
  if (scenario.watermark == "max-tokens" &&
      std::all_of(scenario.workloads.begin(), scenario.workloads.end(),
                  [](const Workload& w) { return w.output.max_tokens_cycle.empty(); })) {
    root.report("watermark", "is \"max-tokens\", but no workload has max_tokens_cycle");
  }
  if (scenario.watermark == "body" && scenario.pad_body_bytes_cycle.empty()) {
    root.report("watermark", "is \"body\", but pad_body_bytes_cycle is empty");
  }
  if (scenario.continuous_usage && !scenario.stream) {
    root.report("continuous_usage", "needs \"stream\": true");
  }
  if (open_loop && scenario.stop.duration && !scenario.stop.requests &&
      scenario.load.rate_rps * core::to_seconds(*scenario.stop.duration) > kMaxRequests) {
    root.report("stop", fmt::format("rate x duration is more than {} requests", kMaxRequests));
  }
}

void read_scenario(const JsonValue& value, std::vector<Problem>& problems, Scenario& scenario) {
  ObjectReader root(value, "$", problems);
  root.choice("schema", Need::kRequired, {"gatebench.scenario"}, 0);
  root.choice("schema_version", Need::kRequired, {"1.0"}, 0);
  root.text("name", Need::kRequired, scenario.name);
  root.text("description", Need::kOptional, scenario.description);
  const bool chat = root.choice("api", Need::kOptional, {"completions", "chat"}, 0) == 1;
  scenario.api = chat ? protocol::Api::kChat : protocol::Api::kCompletions;
  root.boolean("stream", scenario.stream);
  root.boolean("continuous_usage", scenario.continuous_usage);
  if (const JsonValue* load = root.take("load", Need::kRequired)) read_load(*load, problems, scenario.load);
  if (const JsonValue* stop = root.take("stop", Need::kRequired)) read_stop(*stop, problems, scenario.stop);
  root.seconds("trim_start_s", {0, kMaxSeconds}, scenario.trim_start);
  if (const JsonValue* workloads = root.take("workloads", Need::kRequired)) {
    read_workloads(*workloads, scenario.load.model != LoadModel::kClosed, problems, scenario);
  }
  read_limits(root, problems, scenario);
  root.counts("ladder", 1, kMaxConcurrency, scenario.ladder);
  root.boolean("serial_probe", scenario.serial_probe);
  root.counts("pad_body_bytes_cycle", 0, 65'535, scenario.pad_body_bytes_cycle);
  const std::vector<std::string_view> watermarks{"none", "prompt-length", "max-tokens", "body"};
  scenario.watermark = watermarks[root.choice("watermark", Need::kOptional, watermarks, 0)];
  if (value.kind == JsonValue::Kind::kObject) check_whole(root, scenario);
  root.finish();
}

}  // namespace

core::Result<Scenario> parse_scenario(std::string_view json, std::string_view source, std::vector<Problem>* problems) {
  std::vector<Problem> found;
  JsonValue root;
  JsonProblem syntax;
  Scenario scenario;
  if (!read_json(json, root, syntax)) {
    found.push_back({syntax.place, syntax.message, ""});
  } else {
    read_scenario(root, found, scenario);
  }
  if (problems != nullptr) *problems = found;
  if (found.empty()) return scenario;
  std::string message;
  for (const Problem& problem : found) {
    if (!message.empty()) message += '\n';
    message += fmt::format("{}: {}: {}", source, problem.path, problem.message);
    if (!problem.hint.empty()) message += fmt::format(" ({})", problem.hint);
  }
  return core::fail(core::ErrorCode::kInvalid, std::move(message), "fix the scenario, or start from a bundled one");
}

core::Result<Scenario> apply(Scenario scenario, const Overrides& overrides) {
  const bool open_loop = scenario.load.model != LoadModel::kClosed;
  if ((overrides.rate_rps || overrides.burstiness) && !open_loop) {
    return core::fail(core::ErrorCode::kInvalid,
                      fmt::format("scenario \"{}\" is a closed loop: it has a concurrency, no rate", scenario.name),
                      "set the concurrency, or use an open-loop scenario");
  }
  if (overrides.concurrency) {
    // In an open loop the option means what it means for vLLM's benchmark: a cap on what is in flight.
    if (open_loop) {
      scenario.load.max_concurrency = overrides.concurrency;
    } else {
      scenario.load.concurrency = *overrides.concurrency;
    }
  }
  if (overrides.rate_rps) scenario.load.rate_rps = *overrides.rate_rps;
  if (overrides.burstiness) scenario.load.burstiness = *overrides.burstiness;
  if (overrides.requests) scenario.stop.requests = overrides.requests;
  if (overrides.duration) scenario.stop.duration = overrides.duration;
  if (overrides.trim_start) scenario.trim_start = *overrides.trim_start;
  for (Workload& workload : scenario.workloads) {
    if (overrides.ignore_eos) workload.output.ignore_eos = *overrides.ignore_eos;
    if (!overrides.max_tokens) continue;
    workload.output.max_tokens = *overrides.max_tokens;
    workload.output.max_tokens_cycle.clear();
  }
  return parse_scenario(to_json(scenario), fmt::format("scenario \"{}\" with the given options", scenario.name));
}

}  // namespace scenarios
