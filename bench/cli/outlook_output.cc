// An Outlook as text and as JSON (schema gatebench.plan). See outlook.h.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "bench/cli/outlook.h"

namespace bench::cli {
namespace {

using Json = nlohmann::ordered_json;

bool open_loop(const Outlook& o) { return o.scenario.load.model != scenarios::LoadModel::kClosed; }

std::string load_text(const scenarios::Scenario& s) {
  if (s.load.model == scenarios::LoadModel::kClosed) return fmt::format("closed loop, {} in flight", s.load.concurrency);
  std::string out = fmt::format("open loop, Poisson {:g} req/s", s.load.rate_rps);
  if (s.load.model == scenarios::LoadModel::kOpenConstant) out = fmt::format("open loop, constant {:g} req/s", s.load.rate_rps);
  else if (s.load.burstiness != 1) out = fmt::format("open loop, gamma {:g} req/s, burstiness {:g}", s.load.rate_rps, s.load.burstiness);
  if (s.load.max_concurrency) out += fmt::format(", at most {} in flight", *s.load.max_concurrency);
  return out;
}

std::string bytes_text(double bytes) {
  constexpr double kStep = 1000;
  if (bytes < kStep) return fmt::format("{:.0f} B", bytes);
  if (bytes < kStep * kStep) return fmt::format("{:.1f} kB", bytes / kStep);
  if (bytes < kStep * kStep * kStep) return fmt::format("{:.1f} MB", bytes / (kStep * kStep));
  return fmt::format("{:.1f} GB", bytes / (kStep * kStep * kStep));
}

std::string forecast_text(const Outlook& o) {
  if (o.scenario.serial_probe) return "attribution by serial probing: exact, one request at a time between scrapes";
  return analyzers::describe_forecast(o.marked.forecast, open_loop(o), o.marked.kind);
}

std::string duration_text(const Outlook& o) {
  if (open_loop(o)) return o.schedule.requests.empty() ? "none: no arrival falls into the scenario's duration" : fmt::format("{:.1f} s of sending, then the last answer", *o.sending_s);
  const auto& stop = o.scenario.stop;
  if (!stop.requests) return fmt::format("{:.1f} s of sending; how many requests that takes is the target's", *o.sending_s);
  std::string out = fmt::format("the target's: about {:.0f} times its E2E ({} requests, {} at a time)", std::ceil(o.rounds), o.all.requests, o.scenario.load.concurrency);
  if (stop.duration) out += fmt::format(", {:.1f} s at most", core::to_seconds(*stop.duration));
  return out;
}

std::string percent_of(std::uint64_t tokens, const OutlookOptions& options) {
  if (options.kv_tokens == 0) return "";
  return fmt::format(" ({:.1f} % of a replica's {})", 100 * static_cast<double>(tokens) / static_cast<double>(options.kv_tokens), options.kv_tokens);
}

std::string kv_text(const Outlook& o, const OutlookOptions& options) {
  std::string out;
  if (o.shared_prefix_tokens > 0) {
    out = fmt::format("shared prefixes {} tokens{}", o.shared_prefix_tokens, percent_of(o.shared_prefix_tokens, options));
    if (options.replicas > 1) {
      const std::uint64_t each = (o.shared_prefix_tokens + options.replicas - 1) / options.replicas;
      out += fmt::format(", or {} on each of {} replicas where every group sticks to one{}", each, options.replicas, percent_of(each, options));
    }
    out += "; ";
  }
  if (!o.in_flight_tokens_most) return out + "in flight: nothing bounds it, as an open loop sends on";
  return out + fmt::format("in flight at most {} tokens over all replicas{}", *o.in_flight_tokens_most, percent_of(*o.in_flight_tokens_most, options));
}

std::vector<std::string> notes(const Outlook& o) {
  std::vector<std::string> out;
  out.push_back("tokens are gatebench's own count; a server's tokenizer gives others, and its usage the truth");
  const auto& lengths = o.marked.lengths;
  if (o.marked.forecast.replicas > 1 && !o.scenario.serial_probe && lengths.body_collision <= scenarios::kNaturalCollision && o.marked.kind != scenarios::WatermarkKind::kNatural) {
    out.push_back("body sizes differ: where the replicas count them exactly (run --watermark auto finds out) attribution is better than predicted");
  }
  if (o.marked.choice.kind == scenarios::WatermarkKind::kPrompt && o.scenario.watermark == "prompt-length" && !o.marked.choice.marks.empty()) {
    out.push_back("run --watermark auto asks the target first, and may find a watermark that costs less");
  }
  return out;
}

Json totals_json(const OutlookTotals& t) {
  return {{"requests", t.requests}, {"prompt_tokens", t.prompt_tokens}, {"most_output_tokens", t.most_output_tokens},
          {"output_tokens_exact", t.output_exact}, {"longest_tokens", t.longest_tokens}};
}

Json attribution_json(const Outlook& o) {
  const auto& input = o.marked.forecast;
  Json out{{"text", forecast_text(o)}, {"replicas", input.replicas}};
  const bool predicted = input.replicas > 1 && !o.scenario.serial_probe;
  const bool at_rate = predicted && open_loop(o);
  const auto forecast = analyzers::forecast_coverage(input);
  out["predicted_coverage_ratio"] = at_rate ? Json(forecast.coverage_ratio) : Json(nullptr);
  out["finishes_per_replica_and_round"] = at_rate ? Json(forecast.lambda) : Json(nullptr);
  out["most_finishes_per_replica_and_round"] = predicted ? Json(forecast.lambda_limit) : Json(nullptr);
  out["scrape_gap_ms"] = predicted ? Json(core::to_ms(at_rate ? forecast.gap : input.least_gap)) : Json(nullptr);
  out["scrapes"] = !predicted ? Json(nullptr) : input.fixed_interval ? Json("fixed interval") : !at_rate ? Json(nullptr) : Json(forecast.event_driven ? "after finishes" : "by finishes per round");
  out["rate_for_99_percent_rps"] = predicted ? Json(analyzers::rate_for_coverage(input, 0.99)) : Json(nullptr);
  out["rests_on"] = predicted ? Json(analyzers::forecast_basis(input)) : Json::array();
  Json levers = Json::array();
  if (at_rate && forecast.coverage_ratio < 0.99) {
    for (const auto& lever : analyzers::coverage_levers(input, o.marked.kind)) {
      levers.push_back({{"what", lever.what}, {"predicted_coverage_ratio", lever.coverage_ratio}});
    }
  }
  out["levers"] = std::move(levers);
  return out;
}

}  // namespace

std::string outlook_text(const Outlook& o, const OutlookOptions& options) {
  std::string out = fmt::format("{} · seed {} · schedule {:016x}\n{}\n\n", o.scenario.name, options.seed, o.schedule.digest, load_text(o.scenario));
  out += fmt::format("  {:<20}{:>10}{:>18}{:>22}{:>16}\n", "workload", "requests", "prompt tokens", "output tokens", "longest, tokens");
  const auto line = [&out](const std::string& name, const OutlookTotals& t) {
    out += fmt::format("  {:<20}{:>10}{:>18}{:>22}{:>16}\n", name.substr(0, 19), t.requests, t.prompt_tokens,
                       (t.output_exact ? "" : "at most ") + std::to_string(t.most_output_tokens), t.longest_tokens);
  };
  for (std::size_t i = 0; i < o.of_workload.size(); ++i) line(o.scenario.workloads[i].name, o.of_workload[i]);
  if (o.of_workload.size() > 1) line("all", o.all);
  const auto item = [&out](std::string_view name, const std::string& text) { out += fmt::format("  {:<16}{}\n", name, text); };
  out += '\n';
  item("duration", duration_text(o));
  item("request bodies", fmt::format("about {} each, {} in all; client memory at most {}", bytes_text(o.body_bytes_mean),
                                     bytes_text(o.body_bytes_mean * static_cast<double>(o.all.requests)), bytes_text(static_cast<double>(o.client_bytes_most))));
  item("prefix groups", std::to_string(o.schedule.prefix_groups));
  item("ideal hit rate", fmt::format("{:.1f} % of prompt tokens, one unbounded cache, blocks of {} tokens{}", 100 * o.ideal_hit_ratio, options.block_size_tokens,
                                     o.ideal_hit_requests < o.schedule.requests.size() ? fmt::format(", the first {} requests", o.ideal_hit_requests) : ""));
  item("KV cache", kv_text(o, options));
  const auto& mark = o.marked.choice;
  item("watermark", fmt::format("{}{}{}{}", scenarios::word_for(mark.kind), mark.rule.empty() ? "" : ": " + mark.rule, mark.cost.empty() ? "" : "; cost: " + mark.cost,
                                mark.why.empty() ? "" : " (" + mark.why + ")"));
  out += fmt::format("  {}\n", forecast_text(o));
  if (o.marked.forecast.replicas > 1 && !o.scenario.serial_probe) {
    for (const auto& basis : analyzers::forecast_basis(o.marked.forecast)) out += "    rests on: " + basis + "\n";
  }
  for (const auto& note : notes(o)) out += "  note: " + note + "\n";
  return out;
}

std::string outlook_json(const Outlook& o, const OutlookOptions& options) {
  Json workloads = Json::array();
  for (std::size_t i = 0; i < o.of_workload.size(); ++i) {
    Json one{{"name", o.scenario.workloads[i].name}};
    one.update(totals_json(o.of_workload[i]));
    workloads.push_back(std::move(one));
  }
  Json out{{"schema", "gatebench.plan"}, {"schema_version", "1.0"}, {"scenario", o.scenario.name}, {"seed", options.seed},
           {"schedule_digest", fmt::format("{:016x}", o.schedule.digest)}, {"load", load_text(o.scenario)}, {"total", totals_json(o.all)},
           {"workloads", std::move(workloads)}, {"prefix_groups", o.schedule.prefix_groups}};
  out["sending_s"] = o.sending_s ? Json(*o.sending_s) : Json(nullptr);
  out["answers_in_a_row"] = o.rounds > 0 ? Json(std::ceil(o.rounds)) : Json(nullptr);
  out["body_bytes_mean"] = o.body_bytes_mean;
  out["client_bytes_most"] = o.client_bytes_most;
  out["ideal_hit_ratio"] = o.ideal_hit_ratio;
  out["ideal_hit_requests"] = o.ideal_hit_requests;
  out["block_size_tokens"] = options.block_size_tokens;
  out["kv_cache"] = Json{{"shared_prefix_tokens", o.shared_prefix_tokens},
                         {"in_flight_tokens_most", o.in_flight_tokens_most ? Json(*o.in_flight_tokens_most) : Json(nullptr)},
                         {"replica_tokens", options.kv_tokens > 0 ? Json(options.kv_tokens) : Json(nullptr)}};
  const auto& mark = o.marked.choice;
  out["watermark"] = Json{{"kind", scenarios::word_for(mark.kind)}, {"why", mark.why}, {"rule", mark.rule}, {"cost", mark.cost},
                          {"extra_prompt_tokens_mean", mark.extra_prompt_tokens}, {"extra_body_bytes_mean", mark.extra_body_bytes}};
  out["attribution"] = attribution_json(o);
  out["notes"] = notes(o);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bench::cli
