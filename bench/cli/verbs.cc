#include "bench/cli/verb.h"

namespace bench::cli {

std::vector<std::unique_ptr<Verb>> make_verbs() {
  std::vector<std::unique_ptr<Verb>> verbs;
  verbs.push_back(make_demo_verb());
  verbs.push_back(make_run_verb());
  verbs.push_back(make_plan_verb());
  verbs.push_back(make_verify_verb());
  verbs.push_back(make_compare_verb());
  verbs.push_back(make_gate_verb());
  verbs.push_back(make_report_verb());
  verbs.push_back(make_runs_verb());
  verbs.push_back(make_stack_verb());
  verbs.push_back(make_replica_verb());
  verbs.push_back(make_router_verb());
  verbs.push_back(make_deploy_list_verb());
  verbs.push_back(make_deploy_render_verb());
  verbs.push_back(make_deploy_runbook_verb());
  verbs.push_back(make_deploy_lint_verb());
  verbs.push_back(make_deploy_check_verb());
  verbs.push_back(make_schema_verb());
  verbs.push_back(make_version_verb());
  return verbs;
}

std::string tool_version() { return GATEBENCH_VERSION; }

}  // namespace bench::cli
