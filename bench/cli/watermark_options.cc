// See watermark_options.h.
#include "bench/cli/watermark_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "bench/cli/page_cost.h"

namespace bench::cli {
namespace {

using scenarios::WatermarkKind;

constexpr std::array<std::pair<std::string_view, WatermarkKind>, 4> kForced{{{"none", WatermarkKind::kNone},
                                                                             {"max-tokens", WatermarkKind::kMaxTokens},
                                                                             {"body", WatermarkKind::kBody},
                                                                             {"prompt", WatermarkKind::kPrompt}}};
/// A longer ruler must raise the predicted coverage by kWorthwhile where 8 lengths do not reach kEnough. Below kHopeless no
/// tokens are spent.
constexpr double kEnough = 0.99, kWorthwhile = 0.02, kHopeless = 0.1;

std::string one_line(const scenarios::WatermarkChoice& choice) {
  std::string out = fmt::format("watermark {}: {}", scenarios::word_for(choice.kind), choice.rule.empty() ? "requests as they are" : choice.rule);
  if (!choice.cost.empty()) out += "; cost: " + choice.cost;
  return out + (choice.why.empty() ? "" : " (" + choice.why + ")");
}

bool open_loop(const scenarios::Scenario& scenario) { return scenario.load.model != scenarios::LoadModel::kClosed; }

WatermarkKind effective_kind(const scenarios::WatermarkChoice& choice, const scenarios::LengthSpread& lengths) {
  return choice.kind == WatermarkKind::kNone && lengths.collision <= scenarios::kNaturalCollision ? WatermarkKind::kNatural : choice.kind;
}

/// The rest of `marked`, whose choice and facts are known, for the scenario as it will be sent.
core::Status look_ahead(const scenarios::Scenario& scenario, std::uint64_t seed, std::uint64_t salt, std::size_t replicas,
                        ScrapeOptions scrape, MarkedScenario& marked) {
  const auto schedule = scenarios::plan(scenario, seed, salt);
  if (!schedule) return schedule.error();
  marked.lengths = scenarios::length_spread(scenario, *schedule);
  marked.kind = effective_kind(marked.choice, marked.lengths);
  scrape.finishes_per_window = scenarios::finishes_per_window(marked.kind, scenario);
  marked.forecast = forecast_input(scenario, marked.lengths, replicas, scrape);
  marked.forecast.body_counted = marked.facts.content_length_survives;
  return {};
}

/// 14 lengths instead of 8, where rounds hold so many finishes that it pays. Neither (unless `asked`), where no length helps.
core::Status fit_lengths(bool asked, const scenarios::Scenario& plain, std::uint64_t seed, std::uint64_t salt, std::size_t replicas,
                                   const ScrapeOptions& scrape, MarkedScenario& marked) {
  if (marked.choice.kind != WatermarkKind::kPrompt || !open_loop(plain)) return {};
  MarkedScenario longer = marked;
  MarkedScenario unmarked;
  if (auto seen = look_ahead(plain, seed, salt, replicas, scrape, unmarked); !seen) return seen;
  longer.choice = scenarios::with_more_lengths(marked.choice, unmarked.lengths);
  for (MarkedScenario* each : {&marked, &longer}) {
    if (auto seen = look_ahead(scenarios::with_watermark(plain, each->choice, each->facts, seed), seed, salt, replicas, scrape, *each); !seen) return seen;
  }
  const double with_8 = analyzers::forecast_coverage(marked.forecast).coverage_ratio;
  const double with_14 = analyzers::forecast_coverage(longer.forecast).coverage_ratio;
  if (with_8 < kEnough && with_14 >= with_8 + kWorthwhile) {
    longer.choice.why += fmt::format("; 8 lengths would do for {:.0f} % only, as predicted", 100 * with_8);
    marked = std::move(longer);
  }
  const double best = analyzers::forecast_coverage(marked.forecast).coverage_ratio;
  if (!asked && best < kHopeless) {
    marked.choice = {};
    marked.choice.why = fmt::format("rounds hold so many finishes that prompt lengths would do for {:.0f} % only, as predicted: no tokens are spent on them", 100 * best);
  }
  return {};
}

}  // namespace

void WatermarkOptions::declare(OptionTable& o) {
  o.option("watermark", "KIND", "tell responses apart: auto (the cheapest that works), none, max-tokens, body, prompt (default: the scenario's own)", &watermark_);
}

core::Status WatermarkOptions::check() const {
  if (watermark_.empty() || watermark_ == "auto") return {};
  for (const auto& [word, kind] : kForced) {
    if (watermark_ == word) return {};
  }
  return core::fail(core::ErrorCode::kInvalid, fmt::format("--watermark {} is unknown", watermark_), "use auto, none, max-tokens, body or prompt");
}

core::Result<MarkedScenario> WatermarkOptions::choose(scenarios::Scenario& scenario, std::uint64_t seed, std::uint64_t salt, std::size_t replicas,
                                                      const ScrapeOptions& scrape, const RunRequest* target) const {
  MarkedScenario out;
  out.facts.replicas = replicas;
  if (watermark_.empty()) {
    out.choice = scenarios::own_watermark(scenario);
  } else {
    scenarios::Scenario plain = scenarios::without_watermark(scenario);
    const auto schedule = scenarios::plan(plain, seed, salt);
    if (!schedule) return schedule.error();
    out.choice = scenarios::choose_watermark(plain, *schedule, out.facts);
    const bool depends = watermark_ == "auto" ? out.choice.kind == WatermarkKind::kPrompt : watermark_ == "max-tokens" || watermark_ == "body";
    if (depends && target != nullptr) {
      auto probed = probe_watermark_facts(*target, plain);
      if (!probed) return probed.error();
      out.facts = *probed;
      out.choice = scenarios::choose_watermark(plain, *schedule, out.facts);
    }
    for (const auto& [word, kind] : kForced) {
      if (watermark_ != word) continue;
      auto forced = scenarios::force_watermark(kind, plain, *schedule, out.facts);
      if (!forced) return forced.error();
      out.choice = std::move(*forced);
    }
    if (auto fitted = fit_lengths(watermark_ != "auto", plain, seed, salt, replicas, scrape, out); !fitted) return fitted.error();
    scenario = scenarios::with_watermark(std::move(plain), out.choice, out.facts, seed);
  }
  if (auto seen = look_ahead(scenario, seed, salt, replicas, scrape, out); !seen) return seen.error();
  return out;
}

core::Result<MarkedScenario> WatermarkOptions::apply_offline(scenarios::Scenario& scenario, std::uint64_t seed, std::size_t replicas,
                                                             const ScrapeOptions& scrape) const {
  if (watermark_ == "max-tokens" || watermark_ == "body") {
    return core::fail(core::ErrorCode::kInvalid, fmt::format("--watermark {}: whether it works only the target can tell, and plan asks none", watermark_),
                      "plan with auto, none or prompt; run probes the target");
  }
  return choose(scenario, seed, 0, replicas, scrape, nullptr);
}

core::Status WatermarkOptions::apply(RunRequest& request, Terminal& terminal) {
  if (request.replicas.empty()) {
    if (watermark_.empty() || watermark_ == "none") return {};
    return core::fail(core::ErrorCode::kInvalid, "--watermark " + watermark_ + ": no replica's metrics are read, so nothing could see it",
                      "add --replica NAME=URL or --replicas kube:…");
  }
  const Duration cost = request.scenario.serial_probe ? Duration{} : measured_page_cost(request);
  const scenarios::Scenario before = scenarios::without_watermark(request.scenario);
  auto marked = choose(request.scenario, request.seed, request.cell_salt, request.replicas.size(), affordable(request.scrape, cost), &request);
  if (!marked) return marked.error();
  marked->forecast.page_cost = cost;
  request.scrape.finishes_per_window = scenarios::finishes_per_window(marked->kind, request.scenario);
  request.labels["watermark"] = one_line(marked->choice);
  if (!watermark_.empty()) terminal.note(one_line(marked->choice));
  if (marked->choice.kind == WatermarkKind::kMaxTokens && !watermark_.empty()) {
    for (const auto& workload : before.workloads) {
      const auto& cycle = workload.output.max_tokens_cycle;
      own_max_tokens_.push_back(cycle.empty() ? workload.output.max_tokens : *std::max_element(cycle.begin(), cycle.end()));
    }
  }
  if (request.scenario.serial_probe) return {};
  const std::string forecast = analyzers::describe_forecast(marked->forecast, open_loop(request.scenario), marked->kind);
  request.labels["attribution_forecast"] = forecast;
  terminal.note(forecast);
  return {};
}

std::string work_beyond(const Run& run, const std::vector<std::uint32_t>& own_max_tokens) {
  std::size_t answers = 0, longer = 0;
  std::uint64_t tokens = 0;
  for (const auto& record : run.records) {
    if (record.outcome != Outcome::kOk || record.output_tokens == kUnknownCount || record.workload >= own_max_tokens.size()) continue;
    ++answers;
    const std::uint32_t own = own_max_tokens[record.workload];
    if (record.output_tokens <= own) continue;
    ++longer;
    tokens += record.output_tokens - own;
  }
  if (answers == 0) return {};
  if (longer == 0) return "the watermark made no work: no answer is longer than the scenario's own max_tokens";
  return fmt::format("the watermark made work: {} of {} answers are longer than the scenario's own max_tokens, by {} output tokens in all", longer, answers, tokens);
}

analyzers::ForecastInput forecast_input(const scenarios::Scenario& scenario, const scenarios::LengthSpread& lengths, std::size_t replicas,
                                        const ScrapeOptions& scrape) {
  analyzers::ForecastInput out;
  out.replicas = replicas;
  out.rate_rps = open_loop(scenario) ? scenario.load.rate_rps : 0;
  out.least_gap = scrape.interval.value_or(scrape.min_gap);
  out.fixed_interval = scrape.interval.has_value();
  out.finishes_per_window = scrape.finishes_per_window;
  out.lengths = lengths;
  return out;
}

}  // namespace bench::cli
