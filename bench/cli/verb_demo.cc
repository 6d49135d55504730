// gatebench demo: the main job on one machine. Pattern 1 (one simulated replica) against Pattern 3 (three behind the
// reference router): probes, ladder, interleaved blocks, attribution, gates, report. Leaves nothing running.
#include <fmt/format.h>

#include <filesystem>

#include "bench/cli/demo_plan.h"
#include "bench/cli/exit_code.h"
#include "bench/cli/experiment.h"
#include "bench/cli/files.h"
#include "bench/cli/local_stack.h"
#include "bench/cli/verb.h"
#include "core/text.h"
#include "reports/render.h"

namespace bench::cli {
namespace {

constexpr std::string_view kModel = "Qwen/Qwen2.5-3B-Instruct";

std::string clock_text(core::Duration elapsed) {
  const auto seconds = elapsed.count() / 1'000'000'000;
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

class DemoVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "demo"; }
  [[nodiscard]] std::string_view summary() const override { return "compare Pattern 1 with Pattern 3 on this machine, with simulated replicas"; }
  void declare(OptionTable& o) override {
    o.option("out", "DIR", "where report.html, report.json, the store and the logs go (default gatebench-demo)", &out_);
    o.option("blocks", "N", "interleaved blocks, 6 by default; fewer make hard claims inconclusive", &blocks_);
    o.option("seed", "N", "seed of load, simulator and router (default 1)", &seed_);
    o.option("quick", "", "short cells and two blocks: a look, no proof", &quick_);
    o.option("mode", "MODE", "router mode: improved or epp", &mode_);
    o.option("policy", "POLICY", "instead of the endpoint picker's scorers: random or round-robin", &policy_);
    o.option("network-delay", "DURATION", "round trip between client and replicas (default 0ms)", &network_delay_);
    o.option("output", "FORMAT", "text or json on stdout", &output_);
    o.example("gatebench demo");
    o.example("gatebench demo --out /tmp/demo --quick");
  }

  int run(Invocation& invocation) override {
    const auto started = clock_.now();
    const auto analysis = measure(invocation, started);
    Terminal& terminal = invocation.terminal;
    terminal.clear_progress();
    if (!analysis) {
      terminal.error(analysis.error());
      return exit_code_of(analysis.error().code);
    }
    if (auto written = write_reports(*analysis, out_); !written) {
      terminal.error(written.error());
      return kExitInternal;
    }
    terminal.result(output_ == "json" ? reports::render_json(*analysis)
                                      : reports::render_text(*analysis, {terminal.stdout_colour(), terminal.ascii(), terminal.width()}));
    std::error_code ignored;
    const std::string page = std::filesystem::absolute(out_, ignored).string() + "/report.html";
    terminal.note(fmt::format("report: {}\nstore:  {}/gatebench.db\ntook {} min", page, out_, clock_text(clock_.now() - started)));
    return lost_child_ ? kExitInternal : exit_code_of(*analysis);
  }

 private:
  core::Result<analyzers::Analysis> measure(Invocation& invocation, core::TimePoint started) {
    if (output_ != "text" && output_ != "json") {
      return core::fail(core::ErrorCode::kInvalid, fmt::format("--output {} is unknown", output_), "use text or json");
    }
    if (blocks_ && (*blocks_ < 1 || *blocks_ > 100)) {
      return core::fail(core::ErrorCode::kInvalid, fmt::format("--blocks {} makes no comparison", *blocks_), "use 1 to 100; 6 is the default");
    }
    const auto plan = make_demo_plan(blocks_.value_or(quick_ ? 2 : 6), quick_);
    if (!plan) return plan.error();
    auto gates = demo_gates();
    if (!gates) return gates.error();
    if (auto made = make_directory(out_ + "/logs"); !made) return made.error();
    auto store = RunStore::open(out_ + "/gatebench.db", RunStore::Mode::kReadWrite);
    if (!store) return store.error();
    invocation.terminal.note("starting Pattern 1 (1 simulated replica) and Pattern 3 (3 simulated replicas), each behind the reference router");
    auto stacks = start_stacks();
    if (!stacks) return stacks.error();

    analyzers::ExperimentSpec spec;
    spec.id = new_ulid();
    spec.name = "Pattern 1 against Pattern 3 (simulated)";
    spec.arms = demo_arms();
    spec.gates = std::move(*gates);
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    const ExperimentInfo info{spec.id, spec.name, core::rfc3339_utc(std::chrono::duration<double>(since_epoch).count()), analyzers::to_json(spec)};
    if (auto saved = (*store)->save_experiment(info); !saved) return saved.error();

    ExperimentContext settings = context(invocation, *stacks, spec.id, **store, *plan, started);
    settings.may_go_on = [&stacks] { return ended_child(*stacks).empty(); };
    ExperimentRunner runner(std::move(settings));
    const auto sent = send_all(runner, *plan);
    const std::string ended = ended_child(*stacks);
    if (!ended.empty() && !invocation.interrupted.load()) {
      invocation.terminal.error(core::fail(core::ErrorCode::kInternal, fmt::format("{} has ended by itself in mid-demo; the report covers what ran until then", ended),
                                           fmt::format("see {}/logs/{}.log", out_, ended)));
    }
    lost_child_ = !ended.empty() && !invocation.interrupted.load();
    const bool partial = lost_child_ || (!sent && sent.error().code == core::ErrorCode::kCancelled);
    if (!sent && !partial) return sent.error();
    if (runner.runs().empty()) return core::fail(core::ErrorCode::kCancelled, "interrupted before anything was measured");
    invocation.terminal.note(fmt::format("analysing {} runs", runner.runs().size()));
    auto analysis = analyzers::analyze(runner.runs(), spec);
    if (partial || runner.interrupted()) analysis.status = "aborted";
    return analysis;
  }

  core::Result<std::vector<LocalStack>> start_stacks() const {
    std::vector<LocalStack> stacks;
    for (const auto& arm : demo_arms()) {
      StackOptions options;
      options.name = arm.name;
      options.replicas = arm.replicas;
      options.router_mode = mode_;
      options.policy = policy_;
      options.network_delay = network_delay_;
      options.log_directory = out_ + "/logs";
      options.seed = seed_;
      auto stack = LocalStack::start(options);
      if (!stack) return stack.error();
      stacks.push_back(std::move(*stack));
    }
    return stacks;
  }

  static std::string ended_child(std::vector<LocalStack>& stacks) {
    for (auto& stack : stacks) {
      if (auto name = stack.ended_child(); !name.empty()) return name;
    }
    return {};
  }

  ExperimentContext context(Invocation& invocation, const std::vector<LocalStack>& stacks, const std::string& id, RunStore& store,
                            const DemoPlan& plan, core::TimePoint started) const {
    ExperimentContext context;
    context.id = id;
    const auto arms = demo_arms();
    for (std::size_t i = 0; i < arms.size(); ++i) {
      context.arms.push_back({arms[i].name, stacks[i].url(), std::string(kModel), stacks[i].replicas()});
    }
    context.seed = seed_;
    context.command = invocation.command;
    context.router_mode = policy_.empty() ? mode_ : policy_;
    context.network_delay = network_delay_;
    context.store = &store;
    context.store_path = out_ + "/gatebench.db";
    context.interrupted = &invocation.interrupted;
    context.cells_total = static_cast<std::uint32_t>(plan.probes.size() + 2 * plan.saturating_load.ladder.size() + 4 * plan.blocks);
    Terminal& terminal = invocation.terminal;
    context.on_note = [&terminal](const std::string& text) { terminal.note(text); };
    context.on_progress = [&terminal, started, this](const CellProgress& p) {
      const double seconds = core::to_seconds(p.elapsed);
      std::vector<std::string> lines{
          fmt::format("[{}] cell {} of {}  {}", clock_text(clock_.now() - started), p.cell, p.cells, p.what),
          fmt::format("  {:.1f} s · {} in flight · {} done · {} failed · {:.0f} req/s · TTFT p50 {:.0f} ms", seconds, p.live.in_flight,
                      p.live.finished, p.live.failed, seconds > 0 ? p.live.finished / seconds : 0.0, core::to_ms(p.live.ttft_p50_recent))};
      if (!p.attributed.empty()) lines.push_back("  " + p.attributed);
      terminal.progress(lines);
    };
    return context;
  }

  static core::Status send_all(ExperimentRunner& runner, const DemoPlan& plan) {
    constexpr std::size_t kPattern3 = 1;
    for (const auto& probe : plan.probes) {
      if (runner.interrupted()) return core::fail(core::ErrorCode::kCancelled, "interrupted");
      if (auto sent = runner.probe(probe, kPattern3); !sent) return sent;
    }
    const auto concurrency = runner.ladder(plan.saturating_load, plan.ladder_step);
    if (!concurrency) return concurrency.error();
    scenarios::Scenario saturating = plan.saturating_load;
    saturating.load.concurrency = *concurrency;
    return runner.blocks({plan.seed_load, saturating}, plan.blocks);
  }

  core::SteadyClock clock_;
  std::string out_ = "gatebench-demo", mode_ = "improved", policy_, output_ = "text";
  std::optional<std::uint32_t> blocks_;
  std::uint64_t seed_ = 1;
  bool quick_ = false, lost_child_ = false;
  core::Duration network_delay_{};
};

}  // namespace

std::unique_ptr<Verb> make_demo_verb() { return std::make_unique<DemoVerb>(); }

}  // namespace bench::cli
