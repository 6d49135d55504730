// Verb: one subcommand of gatebench. One file per verb; main.cc lists them.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/cli/option_table.h"
#include "bench/cli/terminal.h"

namespace bench::cli {

/// What every verb is given.
struct Invocation {
  Terminal& terminal;
  std::vector<std::string> command;        ///< argv without secrets, for the manifest
  const std::atomic<bool>& interrupted;    ///< set by SIGINT or SIGTERM
};

class Verb {
 public:
  virtual ~Verb() = default;
  /// One word, or two for a verb of a group: "deploy lint".
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string_view summary() const = 0;
  virtual void declare(OptionTable& options) = 0;
  /// Runs with the options filled in; returns the exit code.
  virtual int run(Invocation& invocation) = 0;
};

/// All verbs, in the order of the help.
[[nodiscard]] std::vector<std::unique_ptr<Verb>> make_verbs();

std::unique_ptr<Verb> make_demo_verb();
std::unique_ptr<Verb> make_stack_verb();
std::unique_ptr<Verb> make_replica_verb();
std::unique_ptr<Verb> make_router_verb();
std::unique_ptr<Verb> make_run_verb();
std::unique_ptr<Verb> make_plan_verb();
std::unique_ptr<Verb> make_verify_verb();
std::unique_ptr<Verb> make_compare_verb();
std::unique_ptr<Verb> make_report_verb();
std::unique_ptr<Verb> make_gate_verb();
std::unique_ptr<Verb> make_runs_verb();
std::unique_ptr<Verb> make_deploy_list_verb();
std::unique_ptr<Verb> make_deploy_render_verb();
std::unique_ptr<Verb> make_deploy_runbook_verb();
std::unique_ptr<Verb> make_deploy_lint_verb();
std::unique_ptr<Verb> make_deploy_check_verb();
std::unique_ptr<Verb> make_schema_verb();
std::unique_ptr<Verb> make_version_verb();

/// Parses argv against the verbs, fills options from flags, environment and configuration files, runs the verb.
int dispatch(int argc, char** argv, std::span<const std::unique_ptr<Verb>> verbs, const std::atomic<bool>& interrupted);

/// "0.1.0"; never a guess about the checkout.
[[nodiscard]] std::string tool_version();

}  // namespace bench::cli
