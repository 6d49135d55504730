// gatebench run: one load run against a URL, stored, analysed and printed.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "bench/cli/exit_code.h"
#include "bench/cli/files.h"
#include "bench/cli/live_view.h"
#include "bench/cli/replica_options.h"
#include "bench/cli/scenario_options.h"
#include "bench/cli/scrape_cost.h"
#include "bench/cli/stored_analysis.h"
#include "bench/cli/verb.h"
#include "bench/cli/watermark_options.h"
#include "bench/shell/run_writer.h"
#include "bench/shell/runner.h"
#include "core/text.h"
#include "reports/render.h"

namespace bench::cli {
namespace {

constexpr Duration kScrapeCostPhase = std::chrono::seconds(4);
constexpr std::size_t kScrapeCostPairs = 6;

class RunVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "run"; }
  [[nodiscard]] std::string_view summary() const override { return "one load run against a gateway or server"; }

  void declare(OptionTable& o) override {
    scenario_options_.declare(o);
    o.option("target", "URL", "base URL of the gateway, http://host:port", &target_).required = true;
    o.option("model", "NAME", "model to ask for (default: the first of /v1/models)", &model_);
    replica_options_.declare(o);
    o.option("attribution", "SOURCE", "which replica served: metrics (their counters), or header (believe what responses say; default metrics)", &attribution_);
    o.option("measure-scrape-cost", "", "first measure what scraping costs: 6 pairs of 4 s, scraping on and off", &measure_scrape_cost_);
    watermark_options_.declare(o);
    o.option("goodput", "SLO", "service level in ms, repeatable: ttft:200 tpot:50 e2el:2000", &goodput_);
    o.option("gate", "GATE", "acceptance gate, repeatable: ttft_ms.p50<=450", &gates_);
    o.option("gates", "FILE", "acceptance gates from a file", &gates_file_);
    o.option("label", "KEY=VALUE", "stored with the run, repeatable", &labels_);
    o.option("store", "FILE", "run store (default gatebench.db)", &store_);
    o.option("out", "DIR", "also write report.html and report.json there", &out_);
    o.option("output", "FORMAT", "text or json on stdout", &output_);
    o.option("reset-caches", "", "POST /reset_prefix_cache at the target before the run", &reset_caches_);
    o.example("gatebench run hello --target http://127.0.0.1:8000");
    o.example("gatebench run shared-prefix --target http://gateway --max-concurrency 64 --duration 60s \\");
    o.example("    --replica a=http://10.0.0.1:8000/metrics --replica b=http://10.0.0.2:8000/metrics");
  }

  int run(Invocation& invocation) override {
    auto prepared = prepare(invocation);
    if (!prepared) return report_error(invocation, prepared.error());
    auto gates = read_gates(gates_file_, gates_);
    if (!gates) return report_error(invocation, gates.error());
    auto store = RunStore::open(store_, RunStore::Mode::kReadWrite);
    if (!store) return report_error(invocation, store.error());
    auto writer = RunWriter::open(store_);
    if (!writer) return report_error(invocation, writer.error());
    if (auto resolved = replica_options_.resolve(*prepared, invocation.terminal); !resolved) return report_error(invocation, resolved.error());
    if (auto marked = watermark_options_.apply(*prepared, invocation.terminal); !marked) return report_error(invocation, marked.error());
    if (measure_scrape_cost_) {
      auto cost = measure_scrape_cost(*prepared, kScrapeCostPhase, kScrapeCostPairs, invocation.terminal);
      if (!cost) return report_error(invocation, cost.error());
      scrape_cost_ = std::move(*cost);
      prepared->labels["scrape_cost"] = one_line(scrape_cost_);
    }
    (*writer)->attach(*prepared);
    LiveView live;
    live.attach(*prepared);
    draw_progress(*prepared, live, invocation.terminal);
    auto run = run_load(*prepared);
    invocation.terminal.clear_progress();
    if (!run) return report_error(invocation, run.error());
    if (auto written = (*writer)->finish(); !written) return report_error(invocation, written.error());
    if (const std::string work = watermark_options_.work_done(*run); !work.empty()) {
      invocation.terminal.note(work);
      run->manifest.labels["watermark_work"] = work;
    }
    if (attribution_ == "header" && run->manifest.replicas.empty()) name_replicas(*run);
    if (auto saved = (*store)->save_run(*run); !saved) return report_error(invocation, saved.error());
    std::vector<Run> runs;
    runs.push_back(std::move(*run));
    auto spec = spec_of(runs, prepared->scenario.name);
    spec.gates = std::move(*gates);
    const auto analysis = analyzers::analyze(runs, spec);
    return finish(invocation, analysis, runs.front());
  }

 private:
  static int report_error(Invocation& invocation, const core::Error& error) {
    invocation.terminal.error(error);
    return exit_code_of(error.code);
  }

  core::Result<RunRequest> prepare(Invocation& invocation) {
    RunRequest request;
    auto resolved = scenario_options_.resolve();
    if (!resolved) return resolved.error();
    request.scenario = std::move(*resolved);
    if (auto parsed = parse_lists(request); !parsed) return parsed.error();
    if (output_ != "text" && output_ != "json") {
      return core::fail(core::ErrorCode::kInvalid, fmt::format("--output {} is unknown", output_), "use text or json");
    }
    if (target_.rfind("http://", 0) != 0 && target_.rfind("https://", 0) != 0) {
      return core::fail(core::ErrorCode::kInvalid, fmt::format("--target {} is no URL", target_), "write http://host:port");
    }
    while (!target_.empty() && target_.back() == '/') target_.pop_back();
    request.target_url = target_;
    request.model = model_;
    request.seed = scenario_options_.seed();
    request.cell.scenario = request.scenario.name;
    request.cell.arm = "target";
    request.cell.block = 1;
    request.command = invocation.command;
    request.reset_caches = reset_caches_;
    if (const char* key = std::getenv("OPENAI_API_KEY"); key != nullptr) request.api_key = key;
    request.interrupted = &invocation.interrupted;
    return request;
  }

  static void draw_progress(RunRequest& request, const LiveView& view, Terminal& terminal) {
    request.on_progress = [&terminal, &view, name = request.scenario.name](const LiveStats& live, Duration elapsed) {
      std::vector<std::string> lines{
          fmt::format("{}: {:.0f} s · {} of {} sent · {} in flight · {} done · {} failed", name, core::to_seconds(elapsed), live.dispatched,
                      live.planned, live.in_flight, live.finished, live.failed),
          fmt::format("  TTFT of the last requests: p50 {:.0f} ms", core::to_ms(live.ttft_p50_recent))};
      if (const std::string attributed = view.line(elapsed); !attributed.empty()) lines.push_back("  " + attributed);
      terminal.progress(lines);
    };
  }

  core::Status parse_lists(RunRequest& request) {
    std::string errors;
    if (const auto parsed = replica_options_.parse(request); !parsed) errors += parsed.error().message + "\n";
    if (const auto known = watermark_options_.check(); !known) errors += known.error().message + ": " + known.error().hint + "\n";
    for (const auto& text : labels_) {
      const auto equals = text.find('=');
      if (equals == std::string::npos || equals == 0) errors += fmt::format("--label {}: write KEY=VALUE\n", text);
      else request.labels[text.substr(0, equals)] = text.substr(equals + 1);
    }
    for (const auto& text : goodput_) {
      const auto colon = text.find(':');
      const auto value = colon == std::string::npos ? std::nullopt : core::parse_number(text.substr(colon + 1));
      const std::string metric = text.substr(0, colon);
      auto& slo = request.scenario.slo;
      if (!value || *value <= 0) errors += fmt::format("--goodput {}: write METRIC:MILLISECONDS\n", text);
      else if (metric == "ttft") slo.ttft_ms = value;
      else if (metric == "tpot") slo.tpot_ms = value;
      else if (metric == "e2el" || metric == "e2e") slo.e2e_ms = value;
      else errors += fmt::format("--goodput {}: {} is not one of ttft, tpot, e2el\n", text, metric);
    }
    if (attribution_ != "metrics" && attribution_ != "header") errors += fmt::format("--attribution {}: use metrics or header\n", attribution_);
    for (const std::string taken : {"attribution", "watermark", "watermark_work", "attribution_forecast", "scrape_cost"}) {
      if (request.labels.count(taken) != 0) errors += fmt::format("--label {}=…: the name is taken by what a run records itself\n", taken);
    }
    request.labels["attribution"] = attribution_;
    if (measure_scrape_cost_ && request.replicas.empty() && !replica_options_.discovers()) errors += "--measure-scrape-cost: needs replicas to scrape\n";
    if (errors.empty()) return {};
    errors.pop_back();
    return core::fail(core::ErrorCode::kInvalid, errors);
  }

  /// Without any --replica the names in the responses are the list.
  static void name_replicas(Run& run) {
    for (const auto& observed : run.observed_names) {
      ReplicaInfo info;
      info.name = observed;
      run.manifest.replicas.push_back(std::move(info));
    }
  }

  static std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ';');
    return text;
  }

  /// What the scrapes of this run cost; empty without any.
  static std::string scrape_line(const ClientHealth& health) {
    if (health.scrapes == 0) return {};
    return fmt::format("{} scrapes, {} failed, {} torn, {} counter resets: p50 {:.2f} ms, p99 {:.2f} ms, {:.1f} kB each; the busiest replica "
                       "was answering them {:.1f} % of the time at most", health.scrapes, health.failed_scrapes, health.torn_scrapes,
                       health.counter_resets, core::to_ms(health.scrape_p50), core::to_ms(health.scrape_p99),
                       health.scrape_bytes_mean / 1000, 100 * health.scrape_busy_ratio);
  }

  int finish(Invocation& invocation, const analyzers::Analysis& analysis, const Run& run) {
    if (!out_.empty()) {
      if (auto written = write_reports(analysis, out_); !written) return report_error(invocation, written.error());
    }
    Terminal& terminal = invocation.terminal;
    terminal.result(output_ == "json" ? reports::render_json(analysis)
                                      : reports::render_text(analysis, {terminal.stdout_colour(), terminal.ascii(), terminal.width()}));
    if (const std::string line = scrape_line(run.health); !line.empty()) terminal.note(line);
    if (!scrape_cost_.empty()) terminal.note(scrape_cost_);
    terminal.note(fmt::format("stored as {} in {}", run.manifest.id, store_));
    if (!out_.empty()) terminal.note(fmt::format("report: {}/report.html", out_));
    if (run.manifest.status == RunStatus::kAborted) return kExitInterrupted;
    std::size_t sent = 0, succeeded = 0;
    for (const auto& record : run.records) {
      sent += record.outcome != Outcome::kNotSent ? 1 : 0;
      succeeded += record.outcome == Outcome::kOk ? 1 : 0;
    }
    if (sent > 0 && succeeded == 0) {
      terminal.error(core::fail(core::ErrorCode::kProtocol, fmt::format("every one of the {} requests failed", sent),
                                run.error_samples.empty() ? "" : "first error: " + run.error_samples.front()));
      return kExitInvalid;
    }
    return exit_code_of(analysis);
  }

  ScenarioOptions scenario_options_;
  WatermarkOptions watermark_options_;
  std::string target_, model_, store_ = "gatebench.db", out_, output_ = "text", gates_file_, scrape_cost_, attribution_ = "metrics";
  std::vector<std::string> goodput_, gates_, labels_;
  ReplicaOptions replica_options_;
  bool reset_caches_ = false, measure_scrape_cost_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_run_verb() { return std::make_unique<RunVerb>(); }

}  // namespace bench::cli
