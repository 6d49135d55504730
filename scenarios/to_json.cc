// Canonical JSON of a scenario: what a run stores. Keys in a fixed order, durations in seconds, absent settings left out.
// parse_scenario() reads it back to an equal value; it must never write a number that reads back differently.
#include <fmt/format.h>

#include "scenarios/scenario.h"

namespace scenarios {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  protocol::append_escaped(text, out);
  out += '"';
  return out;
}

/// fmt's shortest form that reads back; nanoseconds up to 104 days survive the way through a double.
std::string seconds(Duration duration) { return fmt::format("{}", core::to_seconds(duration)); }

std::string list(const std::vector<std::uint32_t>& values) { return fmt::format("[{}]", fmt::join(values, ",")); }

std::string load_json(const Load& load) {
  if (load.model == LoadModel::kClosed) return fmt::format(R"({{"model":"closed","concurrency":{}}})", load.concurrency);
  const bool constant = load.model == LoadModel::kOpenConstant;
  std::string out = fmt::format(R"({{"model":"open","arrivals":"{}","rate_rps":{},"burstiness":{})",
                                constant ? "constant" : "poisson", load.rate_rps, load.burstiness);
  if (load.max_concurrency) out += fmt::format(R"(,"max_concurrency":{})", *load.max_concurrency);
  return out + "}";
}

std::string stop_json(const StopRule& stop) {
  std::string out;
  if (stop.requests) out += fmt::format(R"("requests":{})", *stop.requests);
  if (stop.duration) out += fmt::format(R"({}"duration_s":{})", out.empty() ? "" : ",", seconds(*stop.duration));
  return "{" + out + "}";
}

std::string prompt_json(const PromptSpec& prompt) {
  std::string out;
  switch (prompt.kind) {
    case PromptKind::kLiteral: {
      std::string texts;
      for (const std::string& text : prompt.texts) texts += (texts.empty() ? "" : ",") + quoted(text);
      out = fmt::format(R"({{"kind":"literal","texts":[{}],"one_group":{})", texts, prompt.one_group);
      break;
    }
    case PromptKind::kUnique:
      out = fmt::format(R"({{"kind":"unique","tokens":{})", prompt.tokens);
      break;
    case PromptKind::kSharedPrefix:
      out = fmt::format(R"({{"kind":"shared_prefix","groups":{},"prefix_tokens":{},"suffix_tokens":{})", prompt.groups,
                        prompt.prefix_tokens, prompt.suffix_tokens);
  }
  return out + fmt::format(R"(,"cycle_extra_tokens":{}}})", list(prompt.cycle_extra_tokens));
}

std::string output_json(const OutputSpec& output) {
  std::string out = fmt::format(R"({{"max_tokens":{},"max_tokens_cycle":{},"ignore_eos":{})", output.max_tokens,
                                list(output.max_tokens_cycle), output.ignore_eos);
  if (output.min_tokens) out += fmt::format(R"(,"min_tokens":{})", *output.min_tokens);
  return out + "}";
}

std::string slo_json(const Slo& slo) {
  std::string out;
  const auto add = [&out](std::string_view key, const std::optional<double>& value) {
    if (value) out += fmt::format(R"({}"{}":{})", out.empty() ? "" : ",", key, *value);
  };
  add("ttft_ms", slo.ttft_ms);
  add("tpot_ms", slo.tpot_ms);
  add("e2e_ms", slo.e2e_ms);
  return "{" + out + "}";
}

}  // namespace

std::string to_json(const Scenario& scenario) {
  std::string workloads;
  for (const Workload& workload : scenario.workloads) {
    workloads += fmt::format(R"({}{{"name":{},"weight":{},"prompt":{},"output":{},"think_time_s":{}}})",
                             workloads.empty() ? "" : ",", quoted(workload.name), workload.weight,
                             prompt_json(workload.prompt), output_json(workload.output), seconds(workload.think_time));
  }
  std::string out = fmt::format(
      R"({{"schema":"gatebench.scenario","schema_version":"1.0","name":{},"description":{},"api":"{}","stream":{})",
      quoted(scenario.name), quoted(scenario.description), scenario.api == protocol::Api::kChat ? "chat" : "completions",
      scenario.stream);
  out += fmt::format(R"(,"continuous_usage":{},"load":{},"stop":{},"trim_start_s":{},"workloads":[{}],"slo":{})",
                     scenario.continuous_usage, load_json(scenario.load), stop_json(scenario.stop),
                     seconds(scenario.trim_start), workloads, slo_json(scenario.slo));
  out += fmt::format(R"(,"timeouts":{{"request_s":{},"connect_s":{},"drain_s":{}}})", seconds(scenario.request_timeout),
                     seconds(scenario.connect_timeout), seconds(scenario.drain_timeout));
  out += fmt::format(R"(,"ladder":{},"serial_probe":{})", list(scenario.ladder), scenario.serial_probe);
  if (!scenario.pad_body_bytes_cycle.empty()) out += fmt::format(R"(,"pad_body_bytes_cycle":{})", list(scenario.pad_body_bytes_cycle));
  out += fmt::format(R"(,"watermark":{}}})", quoted(scenario.watermark));
  return out;
}

}  // namespace scenarios
