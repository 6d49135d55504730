// See watermark_options.h.
#include "bench/cli/watermark_options.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace bench::cli {
namespace {

using scenarios::WatermarkKind;

constexpr std::array<std::pair<std::string_view, WatermarkKind>, 4> kForced{{{"none", WatermarkKind::kNone},
                                                                             {"max-tokens", WatermarkKind::kMaxTokens},
                                                                             {"body", WatermarkKind::kBody},
                                                                             {"prompt", WatermarkKind::kPrompt}}};

std::string one_line(const scenarios::WatermarkChoice& choice) {
  std::string out = fmt::format("watermark {}: {}", scenarios::word_for(choice.kind), choice.rule.empty() ? "requests as they are" : choice.rule);
  if (!choice.cost.empty()) out += "; cost: " + choice.cost;
  return out + (choice.why.empty() ? "" : " (" + choice.why + ")");
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

core::Result<WatermarkOptions::Chosen> WatermarkOptions::choose(scenarios::Scenario& scenario, std::uint64_t seed, std::uint64_t salt,
                                                                const RunRequest* target) const {
  if (watermark_.empty()) return Chosen{scenarios::own_watermark(scenario), {}};
  scenarios::Scenario plain = scenarios::without_watermark(scenario);
  scenarios::WatermarkChoice choice;
  scenarios::WatermarkFacts facts;
  choice.why = "asked for";
  if (watermark_ != "none") {
    const auto schedule = scenarios::plan(plain, seed, salt);
    if (!schedule) return schedule.error();
    choice = scenarios::choose_watermark(plain, *schedule, {});
    const bool settled = (watermark_ == "auto" && choice.kind == WatermarkKind::kNatural) || watermark_ == "prompt";
    if (!settled && target != nullptr) {
      auto probed = probe_watermark_facts(*target, plain);
      if (!probed) return probed.error();
      facts = *probed;
    }
    if (watermark_ == "auto") {
      choice = scenarios::choose_watermark(plain, *schedule, facts);
    } else {
      for (const auto& [word, kind] : kForced) {
        if (watermark_ != word) continue;
        auto forced = scenarios::force_watermark(kind, plain, *schedule, facts);
        if (!forced) return forced.error();
        choice = std::move(*forced);
      }
    }
    plain = scenarios::with_watermark(std::move(plain), choice, facts, seed);
  }
  scenario = std::move(plain);
  return Chosen{std::move(choice), facts};
}

core::Result<scenarios::WatermarkChoice> WatermarkOptions::apply_offline(scenarios::Scenario& scenario, std::uint64_t seed) const {
  auto chosen = choose(scenario, seed, 0, nullptr);
  if (!chosen) return chosen.error();
  return std::move(chosen->choice);
}

core::Status WatermarkOptions::apply(RunRequest& request, Terminal& terminal) const {
  if (request.replicas.empty()) {
    if (watermark_.empty() || watermark_ == "none") return {};
    return core::fail(core::ErrorCode::kInvalid, "--watermark " + watermark_ + ": no replica's metrics are read, so nothing could see it",
                      "add --replica NAME=URL or --replicas kube:…");
  }
  const auto chosen = choose(request.scenario, request.seed, request.cell_salt, &request);
  if (!chosen) return chosen.error();
  const auto& choice = chosen->choice;
  const auto schedule = scenarios::plan(request.scenario, request.seed, request.cell_salt);
  if (!schedule) return schedule.error();
  const WatermarkKind kind = effective_kind(choice, scenarios::length_spread(request.scenario, *schedule));
  request.scrape.finishes_per_window = scenarios::finishes_per_window(kind, request.scenario);
  auto input = forecast_input(request.scenario, *schedule, request.replicas.size(), request.scrape);
  input.body_counted = chosen->facts.content_length_survives;
  const bool open = request.scenario.load.model != scenarios::LoadModel::kClosed;
  const std::string forecast = analyzers::describe_forecast(input, open, kind);
  request.labels["watermark"] = one_line(choice);
  request.labels["attribution_forecast"] = forecast;
  if (!watermark_.empty()) terminal.note(one_line(choice));
  if (!request.scenario.serial_probe) terminal.note(forecast);
  return {};
}

scenarios::WatermarkKind effective_kind(const scenarios::WatermarkChoice& choice, const scenarios::LengthSpread& lengths) {
  constexpr double kNatural = 1.0 / 16;
  return choice.kind == WatermarkKind::kNone && lengths.collision <= kNatural ? WatermarkKind::kNatural : choice.kind;
}

analyzers::ForecastInput forecast_input(const scenarios::Scenario& scenario, const scenarios::Schedule& schedule, std::size_t replicas,
                                        const ScrapeOptions& scrape) {
  analyzers::ForecastInput out;
  out.replicas = replicas;
  out.rate_rps = scenario.load.model == scenarios::LoadModel::kClosed ? 0 : scenario.load.rate_rps;
  out.least_gap = scrape.interval.value_or(scrape.min_gap);
  out.finishes_per_window = scrape.interval ? 0 : scrape.finishes_per_window;
  out.lengths = scenarios::length_spread(scenario, schedule);
  return out;
}

}  // namespace bench::cli
