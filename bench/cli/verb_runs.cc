// gatebench runs list|show|label|rm: what a store holds.
#include <fmt/format.h>

#include "bench/cli/exit_code.h"
#include "bench/cli/verb.h"
#include "bench/shell/run_store.h"

namespace bench::cli {
namespace {

std::string_view status_word(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning: return "running";
    case RunStatus::kCompleted: return "completed";
    case RunStatus::kAborted: return "aborted";
  }
  return "aborted";
}

class RunsVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "runs"; }
  [[nodiscard]] std::string_view summary() const override { return "list, show, label or remove stored runs"; }
  void declare(OptionTable& o) override {
    o.positional("ACTION", "list, show, label or rm", &action_, false);
    o.positional("ARGUMENTS", "show REF · label REF TEXT · rm REF…", &arguments_, false);
    o.option("store", "FILE", "run store (default gatebench.db)", &store_);
    o.example("gatebench runs list --store gatebench-demo/gatebench.db");
    o.example("gatebench runs label latest before-upgrade");
  }

  int run(Invocation& invocation) override {
    const bool writes = action_ == "label" || action_ == "rm";
    auto store = RunStore::open(store_, writes ? RunStore::Mode::kReadWrite : RunStore::Mode::kReadOnly);
    if (!store) return fail_with(invocation, store.error());
    const auto done = action_ == "list" ? list(invocation, **store) : action_ == "show" ? show(invocation, **store)
                      : action_ == "label" ? label(invocation, **store) : action_ == "rm" ? remove(invocation, **store)
                      : core::Status(core::fail(core::ErrorCode::kInvalid, fmt::format("runs {} is unknown", action_), "use list, show, label or rm"));
    return done ? static_cast<int>(kExitOk) : fail_with(invocation, done.error());
  }

 private:
  static int fail_with(Invocation& invocation, const core::Error& error) {
    invocation.terminal.error(error);
    return exit_code_of(error.code);
  }

  core::Status list(Invocation& invocation, RunStore& store) {
    const auto experiments = store.list_experiments();
    if (!experiments) return experiments.error();
    const auto runs = store.list();
    if (!runs) return runs.error();
    std::string text;
    for (const auto& experiment : *experiments) {
      text += fmt::format("experiment {}  {}  {}\n", experiment.id, experiment.started_at, experiment.name);
    }
    text += fmt::format("{:<26}  {:<24}  {:<16} {:<10} {:>5} {:<8} {:<9} {:>9} {:>8}\n", "run", "started", "scenario", "arm", "block", "purpose",
                        "status", "ok/sent", "seconds");
    for (const auto& run : *runs) {
      text += fmt::format("{:<26}  {:<24}  {:<16} {:<10} {:>5} {:<8} {:<9} {:>9} {:>8.1f}{}\n", run.id, run.started_at, run.scenario, run.arm, run.block,
                          run.purpose, status_word(run.status), fmt::format("{}/{}", run.succeeded, run.requests), run.duration_s,
                          run.label.empty() ? "" : "  " + run.label);
    }
    if (runs->empty()) text = fmt::format("{} holds no runs\n", store_);
    invocation.terminal.result(text);
    return {};
  }

  core::Status show(Invocation& invocation, RunStore& store) {
    const auto resolved = one_reference(store);
    if (!resolved) return resolved.error();
    if (resolved->is_experiment) {
      const auto info = store.load_experiment(resolved->id);
      if (!info) return info.error();
      invocation.terminal.result(fmt::format("experiment {}\nname      {}\nstarted   {}\nspec      {}\n", info->id, info->name, info->started_at, info->config_json));
      return {};
    }
    const auto run = store.load_run(resolved->id);
    if (!run) return run.error();
    const auto& m = run->manifest;
    std::string command, replicas;
    for (const auto& word : m.command) command += (command.empty() ? "" : " ") + word;
    for (const auto& replica : m.replicas) replicas += fmt::format("\n          {} {}", replica.name, replica.metrics_url);
    invocation.terminal.result(fmt::format(
        "run       {}\nstatus    {}\nstarted   {}\nduration  {:.3f} s\ncommand   {}\ntarget    {}\nmodel     {}\nscenario  {} on {}, block {}, {}\n"
        "schedule  {}, seed {}\nrecords   {}\nscrapes   {}\nreplicas  {}{}\nkernel    {}\n",
        m.id, status_word(m.status), m.started_at, core::to_seconds(m.duration), command, m.target_url, m.model, m.cell.scenario, m.cell.arm, m.cell.block,
        m.cell.purpose, m.schedule_digest, m.seed, run->records.size(), run->scrapes.size(), m.replicas.size(), replicas, m.host.kernel));
    return {};
  }

  core::Status label(Invocation& invocation, RunStore& store) {
    if (arguments_.size() != 2) return core::fail(core::ErrorCode::kInvalid, "runs label takes a run and a text", "gatebench runs label latest NAME");
    const auto resolved = store.resolve(arguments_[0]);
    if (!resolved) return resolved.error();
    if (auto set = store.set_label(resolved->id, arguments_[1]); !set) return set;
    invocation.terminal.note(fmt::format("{} is now labelled {}", resolved->id, arguments_[1]));
    return {};
  }

  core::Status remove(Invocation& invocation, RunStore& store) {
    if (arguments_.empty()) return core::fail(core::ErrorCode::kInvalid, "runs rm takes at least one run", "gatebench runs list shows them");
    for (const auto& reference : arguments_) {
      const auto resolved = store.resolve(reference);
      if (!resolved) return resolved.error();
      if (auto removed = store.remove(resolved->id); !removed) return removed;
      invocation.terminal.note(fmt::format("removed {}", resolved->id));
    }
    return {};
  }

  core::Result<RunStore::Reference> one_reference(RunStore& store) {
    return store.resolve(arguments_.empty() ? "latest" : arguments_.front());
  }

  std::string action_ = "list", store_ = "gatebench.db";
  std::vector<std::string> arguments_;
};

}  // namespace

std::unique_ptr<Verb> make_runs_verb() { return std::make_unique<RunsVerb>(); }

}  // namespace bench::cli
