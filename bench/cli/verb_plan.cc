// gatebench plan: what a scenario will send, before anything is sent.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/cli/exit_code.h"
#include "bench/cli/scenario_options.h"
#include "bench/cli/verb.h"
#include "bench/cli/watermark_options.h"
#include "scenarios/schedule.h"

namespace bench::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kOracleRequests = 2000;  ///< prompts that are rendered and hashed for the ideal hit rate
constexpr std::uint32_t kOracleBlock = 16;     ///< vLLM's default on GPUs

struct Totals {
  std::uint64_t requests = 0, prompt_tokens = 0, most_output_tokens = 0;
  std::uint32_t longest = 0;  ///< prompt and output together
  bool output_exact = true;   ///< ignore_eos: answers are as long as asked
};

struct Outlook {
  scenarios::Scenario scenario;
  scenarios::Schedule schedule;
  std::vector<Totals> of_workload;
  Totals all;
  std::optional<double> duration_s;
  double ideal_hit_ratio = 0;
  std::size_t oracle_requests = 0;
  scenarios::WatermarkChoice watermark;
  std::string forecast;
  std::vector<std::string> notes;
};

void add(Totals& to, std::uint32_t prompt, std::uint32_t output, bool exact) {
  ++to.requests;
  to.prompt_tokens += prompt;
  to.most_output_tokens += output;
  to.longest = std::max(to.longest, prompt + output);
  to.output_exact = to.output_exact && exact;
}

class PlanVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "plan"; }
  [[nodiscard]] std::string_view summary() const override { return "what a scenario will send, and what attribution to expect"; }

  void declare(OptionTable& o) override {
    scenario_options_.declare(o);
    watermark_options_.declare(o);
    o.option("replicas-count", "N", "replicas behind the target, for the predicted attribution (default 3)", &replicas_);
    o.option("block-size", "TOKENS", "prefix block for the ideal hit rate (default 16)", &block_size_);
    o.option("output", "FORMAT", "text or json on stdout", &output_);
    o.example("gatebench plan shared-prefix --max-concurrency 64 --duration 60s");
    o.example("gatebench plan my.json --request-rate 100 --watermark auto --replicas-count 8");
  }

  int run(Invocation& invocation) override {
    auto outlook = look_ahead();
    if (!outlook) {
      invocation.terminal.error(outlook.error());
      return exit_code_of(outlook.error().code);
    }
    invocation.terminal.result(output_ == "json" ? json_of(*outlook) : text_of(*outlook));
    return kExitOk;
  }

 private:
  core::Result<Outlook> look_ahead() {
    if (auto known = watermark_options_.check(); !known) return known.error();
    if (output_ != "text" && output_ != "json") return core::fail(core::ErrorCode::kInvalid, fmt::format("--output {} is unknown", output_), "use text or json");
    if (block_size_ == 0 || block_size_ > 65'536) return core::fail(core::ErrorCode::kInvalid, "--block-size must be 1 to 65536");
    if (replicas_ > 64) return core::fail(core::ErrorCode::kInvalid, "--replicas-count must be 0 to 64: attribution is not attempted beyond");
    auto scenario = scenario_options_.resolve();
    if (!scenario) return scenario.error();
    Outlook out;
    out.scenario = std::move(*scenario);
    auto choice = watermark_options_.apply_offline(out.scenario, scenario_options_.seed());
    if (!choice) return choice.error();
    out.watermark = std::move(*choice);
    auto schedule = scenarios::plan(out.scenario, scenario_options_.seed());
    if (!schedule) return schedule.error();
    out.schedule = std::move(*schedule);
    add_up(out);
    foresee(out);
    return out;
  }

  void add_up(Outlook& out) const {
    out.of_workload.resize(out.scenario.workloads.size());
    for (const auto& request : out.schedule.requests) {
      const auto& output = out.scenario.workloads[request.workload].output;
      const std::uint32_t tokens = scenarios::planned_prompt_tokens(out.scenario, request);
      add(out.of_workload[request.workload], tokens, request.max_tokens, output.ignore_eos);
      add(out.all, tokens, request.max_tokens, output.ignore_eos);
    }
    const bool open = out.scenario.load.model != scenarios::LoadModel::kClosed;
    if (open && !out.schedule.requests.empty()) out.duration_s = core::to_seconds(out.schedule.requests.back().intended);
    else if (!open && out.scenario.stop.duration) out.duration_s = core::to_seconds(*out.scenario.stop.duration);
    out.oracle_requests = std::min(kOracleRequests, out.schedule.requests.size());
    const auto hits = scenarios::oracle_hits(out.scenario, out.schedule, out.oracle_requests, static_cast<std::uint32_t>(block_size_), {});
    out.ideal_hit_ratio = hits.prompt_tokens == 0 ? 0 : static_cast<double>(hits.shared_cache_hit_tokens) / static_cast<double>(hits.prompt_tokens);
  }

  void foresee(Outlook& out) const {
    const bool open = out.scenario.load.model != scenarios::LoadModel::kClosed;
    const auto lengths = scenarios::length_spread(out.scenario, out.schedule);
    const auto kind = effective_kind(out.watermark, lengths);
    ScrapeOptions scrape;
    scrape.finishes_per_window = scenarios::finishes_per_window(kind, out.scenario);
    const auto input = forecast_input(out.scenario, out.schedule, replicas_, scrape);
    out.forecast = out.scenario.serial_probe ? "attribution by serial probing: exact, one request at a time" : analyzers::describe_forecast(input, open, kind);
    if (!open && !out.scenario.stop.requests) {
      out.notes.push_back(fmt::format("a closed loop ends after its duration: of the {} requests planned as many are sent as the target serves", out.all.requests));
    }
    if (!open && !out.duration_s) {
      out.notes.push_back(fmt::format("a closed loop takes as long as its target: at an E2E of 1 s about {:.0f} s", static_cast<double>(out.all.requests) / std::max(1U, out.scenario.load.concurrency)));
    }
    out.notes.push_back("tokens are gatebench's own count; a server's tokenizer gives others, and its usage the truth");
    if (lengths.body_collision <= 1.0 / 16 && kind != scenarios::WatermarkKind::kNatural) {
      out.notes.push_back("body sizes differ: where the replicas count them exactly (run --watermark auto finds out) attribution is better than predicted");
    }
  }

  static std::string load_text(const scenarios::Scenario& s) {
    if (s.load.model == scenarios::LoadModel::kClosed) return fmt::format("closed loop, {} in flight", s.load.concurrency);
    if (s.load.model == scenarios::LoadModel::kOpenConstant) return fmt::format("open loop, constant {:g} req/s", s.load.rate_rps);
    return s.load.burstiness == 1 ? fmt::format("open loop, Poisson {:g} req/s", s.load.rate_rps)
                                  : fmt::format("open loop, gamma {:g} req/s, burstiness {:g}", s.load.rate_rps, s.load.burstiness);
  }

  [[nodiscard]] std::string text_of(const Outlook& o) const {
    std::string out = fmt::format("{} · seed {} · schedule {:016x}\n{}\n\n", o.scenario.name, scenario_options_.seed(), o.schedule.digest, load_text(o.scenario));
    out += fmt::format("  {:<20}{:>10}{:>18}{:>22}{:>16}\n", "workload", "requests", "prompt tokens", "output tokens", "longest, tokens");
    const auto line = [&out](const std::string& name, const Totals& t) {
      out += fmt::format("  {:<20}{:>10}{:>18}{:>22}{:>16}\n", name.substr(0, 19), t.requests, t.prompt_tokens,
                         (t.output_exact ? "" : "at most ") + std::to_string(t.most_output_tokens), t.longest);
    };
    for (std::size_t i = 0; i < o.of_workload.size(); ++i) line(o.scenario.workloads[i].name, o.of_workload[i]);
    if (o.of_workload.size() > 1) line("all", o.all);
    out += fmt::format("\n  duration        {}\n", o.duration_s ? fmt::format("{:.1f} s of sending", *o.duration_s) : "the target's");
    out += fmt::format("  prefix groups   {}\n", o.schedule.prefix_groups);
    out += fmt::format("  ideal hit rate  {:.1f} % of prompt tokens, one unbounded cache, blocks of {} tokens{}\n", 100 * o.ideal_hit_ratio, block_size_,
                       o.oracle_requests < o.schedule.requests.size() ? fmt::format(", the first {} requests", o.oracle_requests) : "");
    out += fmt::format("  watermark       {}{}{}\n", scenarios::word_for(o.watermark.kind), o.watermark.rule.empty() ? "" : ": " + o.watermark.rule,
                       o.watermark.cost.empty() ? "" : "; cost: " + o.watermark.cost);
    out += fmt::format("  {}\n", o.forecast);
    for (const auto& note : o.notes) out += "  note: " + note + "\n";
    return out;
  }

  [[nodiscard]] std::string json_of(const Outlook& o) const {
    const auto totals = [](const Totals& t) {
      return Json{{"requests", t.requests}, {"prompt_tokens", t.prompt_tokens}, {"most_output_tokens", t.most_output_tokens},
                  {"output_tokens_exact", t.output_exact}, {"longest_tokens", t.longest}};
    };
    Json workloads = Json::array();
    for (std::size_t i = 0; i < o.of_workload.size(); ++i) {
      Json one{{"name", o.scenario.workloads[i].name}};
      one.update(totals(o.of_workload[i]));
      workloads.push_back(std::move(one));
    }
    Json out{{"schema", "gatebench.plan"}, {"schema_version", "1.0"}, {"scenario", o.scenario.name}, {"seed", scenario_options_.seed()},
             {"schedule_digest", fmt::format("{:016x}", o.schedule.digest)}, {"load", load_text(o.scenario)}, {"total", totals(o.all)},
             {"workloads", std::move(workloads)}, {"prefix_groups", o.schedule.prefix_groups}};
    out["duration_s"] = o.duration_s ? Json(*o.duration_s) : Json(nullptr);
    out["ideal_hit_ratio"] = o.ideal_hit_ratio;
    out["ideal_hit_requests"] = o.oracle_requests;
    out["block_size_tokens"] = block_size_;
    out["watermark"] = Json{{"kind", scenarios::word_for(o.watermark.kind)}, {"why", o.watermark.why}, {"rule", o.watermark.rule}, {"cost", o.watermark.cost}};
    out["attribution"] = o.forecast;
    out["notes"] = o.notes;
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  ScenarioOptions scenario_options_;
  WatermarkOptions watermark_options_;
  std::string output_ = "text";
  std::uint64_t replicas_ = 3, block_size_ = kOracleBlock;
};

}  // namespace

std::unique_ptr<Verb> make_plan_verb() { return std::make_unique<PlanVerb>(); }

}  // namespace bench::cli
