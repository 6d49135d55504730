// See outlook.h.
#include "bench/cli/outlook.h"

#include <algorithm>

#include "bench/record.h"

namespace bench::cli {
namespace {

/// Prompts that are rendered and hashed for the ideal hit rate: so many, or so many tokens of them.
constexpr std::size_t kHitRequests = 2000;
constexpr std::uint64_t kHitTokens = 4'000'000;

void add(OutlookTotals& to, std::uint32_t prompt, std::uint32_t output, bool exact) {
  ++to.requests;
  to.prompt_tokens += prompt;
  to.most_output_tokens += output;
  to.longest_tokens = std::max(to.longest_tokens, std::uint64_t{prompt} + output);
  to.output_exact = to.output_exact && exact;
}

void add_up_tokens(Outlook& out) {
  out.of_workload.resize(out.scenario.workloads.size());
  scenarios::PromptTokenCounts counts(out.scenario);
  std::uint64_t tokens = 0;
  for (const auto& request : out.schedule.requests) {
    const auto& output = out.scenario.workloads[request.workload].output;
    const std::uint32_t prompt = counts.of(request);
    add(out.of_workload[request.workload], prompt, request.max_tokens, output.ignore_eos);
    add(out.all, prompt, request.max_tokens, output.ignore_eos);
    tokens += prompt;
    if (out.ideal_hit_requests < kHitRequests && (tokens <= kHitTokens || out.ideal_hit_requests < 2)) ++out.ideal_hit_requests;
  }
}

void add_up_memory(Outlook& out) {
  const auto requests = static_cast<std::uint64_t>(out.schedule.requests.size());
  out.client_bytes_most = requests * (sizeof(scenarios::PlannedRequest) + sizeof(RequestRecord));
  if (out.scenario.stream) out.client_bytes_most += out.all.most_output_tokens * sizeof(TokenEvent);
  for (const auto& workload : out.scenario.workloads) {
    const auto& prompt = workload.prompt;
    if (prompt.kind == scenarios::PromptKind::kSharedPrefix) out.shared_prefix_tokens += std::uint64_t{prompt.groups} * prompt.prefix_tokens;
  }
  const auto& load = out.scenario.load;
  const bool open = load.model != scenarios::LoadModel::kClosed;
  if (open && !load.max_concurrency) return;
  const std::uint64_t in_flight = std::min<std::uint64_t>(open ? *load.max_concurrency : load.concurrency, requests);
  out.in_flight_tokens_most = in_flight * out.all.longest_tokens;
}

void add_up_time(Outlook& out) {
  const bool open = out.scenario.load.model != scenarios::LoadModel::kClosed;
  if (open) {
    out.sending_s = out.schedule.requests.empty() ? 0 : core::to_seconds(out.schedule.requests.back().intended);
  } else if (out.scenario.stop.requests) {
    out.rounds = static_cast<double>(out.all.requests) / std::max(1U, out.scenario.load.concurrency);
    // The duration only ends what the requests do not.
  } else if (out.scenario.stop.duration) {
    out.sending_s = core::to_seconds(*out.scenario.stop.duration);
  }
}

}  // namespace

core::Result<Outlook> look_ahead(scenarios::Scenario scenario, const WatermarkOptions& watermark, const OutlookOptions& options) {
  Outlook out;
  out.scenario = std::move(scenario);
  auto marked = watermark.apply_offline(out.scenario, options.seed, options.replicas, options.scrape);
  if (!marked) return marked.error();
  out.marked = std::move(*marked);
  auto schedule = scenarios::plan(out.scenario, options.seed);
  if (!schedule) return schedule.error();
  out.schedule = std::move(*schedule);
  add_up_tokens(out);
  add_up_memory(out);
  add_up_time(out);
  out.body_bytes_mean = out.marked.lengths.body_mean;
  const auto hits = scenarios::oracle_hits(out.scenario, out.schedule, out.ideal_hit_requests, options.block_size_tokens, {});
  if (hits.prompt_tokens > 0) out.ideal_hit_ratio = static_cast<double>(hits.shared_cache_hit_tokens) / static_cast<double>(hits.prompt_tokens);
  return out;
}

}  // namespace bench::cli
