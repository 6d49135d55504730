// gatebench compare, report, gate: judge and render stored runs again, offline.
#include <fmt/format.h>

#include "bench/cli/exit_code.h"
#include "bench/cli/files.h"
#include "bench/cli/stored_analysis.h"
#include "bench/cli/verb.h"
#include "reports/render.h"

namespace bench::cli {
namespace {

int report_error(Invocation& invocation, const core::Error& error) {
  invocation.terminal.error(error);
  return exit_code_of(error.code);
}

/// Prints an analysis to stdout and, when asked, writes its reports.
int show(Invocation& invocation, const analyzers::Analysis& analysis, const std::string& format, const std::string& out) {
  Terminal& terminal = invocation.terminal;
  if (!out.empty()) {
    if (auto written = write_reports(analysis, out); !written) return report_error(invocation, written.error());
  }
  if (format == "json") terminal.result(reports::render_json(analysis));
  else if (format == "html") terminal.result(reports::render_html(analysis));
  else if (format == "text") terminal.result(reports::render_text(analysis, {terminal.stdout_colour(), terminal.ascii(), terminal.width()}));
  else return report_error(invocation, core::fail(core::ErrorCode::kInvalid, fmt::format("--format {} is unknown", format), "use text, json or html"));
  if (!out.empty()) terminal.note(fmt::format("report: {}/report.html", out));
  return kExitOk;
}

class ReportVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "report"; }
  [[nodiscard]] std::string_view summary() const override { return "render a stored run or experiment again"; }
  void declare(OptionTable& o) override {
    o.positional("REF", "run or experiment: id, unique prefix, label, latest, or FILE:id", &reference_, false);
    o.option("store", "FILE", "run store (default gatebench.db)", &store_);
    o.option("format", "FORMAT", "text, json or html on stdout", &format_);
    o.option("out", "DIR", "also write report.html and report.json there", &out_);
    o.example("gatebench report latest --store gatebench-demo/gatebench.db --out again");
  }
  int run(Invocation& invocation) override {
    const auto loaded = load_runs(split_reference(reference_, store_));
    if (!loaded) return report_error(invocation, loaded.error());
    return show(invocation, analyzers::analyze(loaded->runs, loaded->spec), format_, out_);
  }

 private:
  std::string reference_ = "latest", store_ = "gatebench.db", format_ = "text", out_;
};

class GateVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "gate"; }
  [[nodiscard]] std::string_view summary() const override { return "judge acceptance gates on a stored run: the exit code is the verdict"; }
  void declare(OptionTable& o) override {
    o.positional("REF", "run or experiment: id, unique prefix, label, latest, or FILE:id", &reference_, false);
    o.option("gates", "FILE", "gates file; without it and --gate, the stored gates", &gates_file_);
    o.option("gate", "GATE", "one gate, repeatable: ttft_ms.p50<=450 or B/A ttft_ms.p50<=1.05", &gates_);
    o.option("store", "FILE", "run store (default gatebench.db)", &store_);
    o.option("format", "FORMAT", "text, json or html on stdout", &format_);
    o.example("gatebench gate latest --gate 'ttft_ms.p50<=450' --gate 'failed_ratio<=0.001'");
  }
  int run(Invocation& invocation) override {
    auto loaded = load_runs(split_reference(reference_, store_));
    if (!loaded) return report_error(invocation, loaded.error());
    auto gates = read_gates(gates_file_, gates_);
    if (!gates) return report_error(invocation, gates.error());
    if (!gates->empty()) loaded->spec.gates = std::move(*gates);
    if (loaded->spec.gates.empty()) {
      return report_error(invocation, core::fail(core::ErrorCode::kInvalid, "there is no gate to judge", "give --gate or --gates"));
    }
    const auto analysis = analyzers::analyze(loaded->runs, loaded->spec);
    const int shown = show(invocation, analysis, format_, "");
    return shown == kExitOk ? exit_code_of(analysis) : shown;
  }

 private:
  std::string reference_ = "latest", gates_file_, store_ = "gatebench.db", format_ = "text";
  std::vector<std::string> gates_;
};

class CompareVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "compare"; }
  [[nodiscard]] std::string_view summary() const override { return "two stored runs side by side: BASELINE CANDIDATE"; }
  void declare(OptionTable& o) override {
    o.positional("BASELINE", "run: id, unique prefix, label, latest, or FILE:id", &baseline_);
    o.positional("CANDIDATE", "the run to compare with it", &candidate_);
    o.option("store", "FILE", "run store (default gatebench.db)", &store_);
    o.option("format", "FORMAT", "text, json or html on stdout", &format_);
    o.option("out", "DIR", "also write report.html and report.json there", &out_);
    o.option("gate", "GATE", "acceptance gate, repeatable: 'candidate/baseline ttft_ms.p50<=1.05'", &gates_);
    o.example("gatebench compare 01J8ZK 01J8ZM --out compared");
  }
  int run(Invocation& invocation) override {
    std::vector<Run> runs;
    for (const auto& [text, arm] : {std::pair{&baseline_, "baseline"}, std::pair{&candidate_, "candidate"}}) {
      auto loaded = load_runs(split_reference(*text, store_));
      if (!loaded) return report_error(invocation, loaded.error());
      if (loaded->runs.size() != 1) {
        return report_error(invocation, core::fail(core::ErrorCode::kInvalid, fmt::format("{} is an experiment of {} runs, not a run", *text, loaded->runs.size()),
                                                   "gatebench report shows an experiment; compare takes two runs"));
      }
      runs.push_back(std::move(loaded->runs.front()));
      runs.back().manifest.cell.arm = arm;
      runs.back().manifest.cell.block = 1;
      runs.back().manifest.cell.purpose = "measure";
    }
    auto gates = read_gates("", gates_);
    if (!gates) return report_error(invocation, gates.error());
    if (runs[0].manifest.cell.scenario != runs[1].manifest.cell.scenario) {
      invocation.terminal.note(fmt::format("note: the runs are of different scenarios ({} and {}): nothing of them is paired",
                                           runs[0].manifest.cell.scenario, runs[1].manifest.cell.scenario));
    }
    auto spec = spec_of(runs, "comparison");
    spec.gates = std::move(*gates);
    const auto analysis = analyzers::analyze(runs, spec);
    const int shown = show(invocation, analysis, format_, out_);
    return shown == kExitOk ? exit_code_of(analysis) : shown;
  }

 private:
  std::string baseline_, candidate_, store_ = "gatebench.db", format_ = "text", out_;
  std::vector<std::string> gates_;
};

}  // namespace

std::unique_ptr<Verb> make_report_verb() { return std::make_unique<ReportVerb>(); }
std::unique_ptr<Verb> make_gate_verb() { return std::make_unique<GateVerb>(); }
std::unique_ptr<Verb> make_compare_verb() { return std::make_unique<CompareVerb>(); }

}  // namespace bench::cli
