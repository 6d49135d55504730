// gatebench deploy lint: judges manifests without a cluster, or against the definitions of one.
#include <fmt/format.h>

#include <algorithm>

#include "bench/cli/exit_code.h"
#include "bench/cli/cluster_definitions.h"
#include "bench/cli/manifest_files.h"
#include "bench/cli/verb.h"
#include "deploy/lint.h"
#include "deploy/schema_set.h"

namespace bench::cli {
namespace {

class DeployLintVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "deploy lint"; }
  [[nodiscard]] std::string_view summary() const override { return "judge manifests and helm values, offline"; }

  void declare(OptionTable& o) override {
    o.positional("FILES", "manifest files, folders of them, or - for standard input", &paths_, false);
    o.option("pattern", "N", "judge as Pattern 1, 2 or 3 (default: what the bundle shows)", &pattern_);
    o.option("variant", "NAME", "gke, istio-kserve or plain (default: what the bundle shows)", &variant_);
    o.option("pin", "NAME", "versions: early-2026 or current (default: either is right)", &pin_);
    o.option("crds", "DIR", "CustomResourceDefinitions to validate against: a folder, a file, or cluster; repeatable", &crds_);
    o.option("context", "NAME", "kubectl context of --crds cluster (default: the current one)", &context_);
    o.option("list-rules", "", "print the rules instead", &list_rules_);
    o.option("output", "FORMAT", "text, json or sarif (default text)", &output_);
    o.option("strict", "", "warnings fail too", &strict_);
    o.example("gatebench deploy lint manifests/ --pattern 3");
    o.example("gatebench deploy lint manifests/ --crds cluster");
    o.example("kubectl kustomize overlay | gatebench deploy lint - --output sarif > lint.sarif");
  }

  int run(Invocation& invocation) override {
    deploy::LintOptions options;
    if (const auto parsed = parse(options); !parsed) return report_error(invocation, parsed.error());
    const auto format = output_ == "json" ? deploy::LintFormat::kJson : output_ == "sarif" ? deploy::LintFormat::kSarif : deploy::LintFormat::kText;
    if (list_rules_) {
      invocation.terminal.result(deploy::render_rules(format));
      return kExitOk;
    }
    if (paths_.empty()) return report_error(invocation, core::fail(core::ErrorCode::kInvalid, "nothing to lint", "name manifest files, folders, or - for standard input"));
    const auto files = read_manifest_files(paths_);
    if (!files) return report_error(invocation, files.error());
    const auto bundle = deploy::read_bundle(*files);
    deploy::SchemaSet crds;
    if (auto read = read_crds(bundle, invocation.interrupted, crds); !read) return report_error(invocation, read.error());
    if (!crds_.empty()) options.crds = &crds;
    const auto report = deploy::lint(bundle, options);
    invocation.terminal.result(deploy::render_lint(report, format, invocation.terminal.stdout_colour()));
    if (!bundle.problems.empty()) return kExitUsage;
    const bool failed = report.count(deploy::Severity::kError) > 0 || (strict_ && report.count(deploy::Severity::kWarning) > 0);
    return failed ? kExitGateFailed : kExitOk;
  }

 private:
  static int report_error(Invocation& invocation, const core::Error& error) {
    invocation.terminal.error(error);
    return exit_code_of(error.code);
  }

  core::Status read_crds(const deploy::Bundle& bundle, const std::atomic<bool>& interrupted, deploy::SchemaSet& crds) const {
    std::vector<std::string> paths = crds_;
    const bool from_cluster = std::erase(paths, "cluster") > 0;
    if (!paths.empty()) {
      if (auto read = read_crd_files(paths, crds); !read) return read;
    }
    if (!from_cluster) return {};
    auto definitions = read_cluster_definitions(Kubectl(context_, &interrupted), bundle);
    if (!definitions) return definitions.error();
    crds.add(std::move(*definitions));
    return {};
  }

  static core::Status read_crd_files(const std::vector<std::string>& paths, deploy::SchemaSet& crds) {
    const auto files = read_manifest_files(paths);
    if (!files) return files.error();
    std::size_t added = 0;
    for (const auto& file : *files) {
      auto parsed = deploy::parse_documents(file.text, file.name);
      if (!parsed.problems.empty()) {
        const auto& p = parsed.problems.front();
        return core::fail(core::ErrorCode::kInvalid, fmt::format("{}:{}:{}: {}", p.file, p.at.line, p.at.column, p.message), p.fix);
      }
      added += crds.add(std::move(parsed.documents));
    }
    if (added == 0) return core::fail(core::ErrorCode::kInvalid, "--crds: no CustomResourceDefinition there", "give the files that `kubectl get crd -o yaml` prints, or --crds cluster");
    return {};
  }

  core::Status parse(deploy::LintOptions& options) const {
    if (!context_.empty() && std::find(crds_.begin(), crds_.end(), "cluster") == crds_.end()) return core::fail(core::ErrorCode::kInvalid, "--context is for --crds cluster alone", "give both, or neither");
    if (pattern_ && (*pattern_ < 1 || *pattern_ > 3)) return core::fail(core::ErrorCode::kInvalid, fmt::format("--pattern {} is unknown", *pattern_), "use 1, 2 or 3");
    if (pattern_) options.pattern = static_cast<int>(*pattern_);
    if (!variant_.empty()) {
      const auto variant = deploy::parse_variant(variant_);
      if (!variant) return core::fail(core::ErrorCode::kInvalid, fmt::format("--variant {} is unknown", variant_), "use gke, istio-kserve or plain");
      options.variant = *variant;
    }
    if (!pin_.empty()) {
      options.pin = deploy::parse_pin(pin_);
      if (!options.pin) return core::fail(core::ErrorCode::kInvalid, fmt::format("--pin {} is unknown", pin_), "use early-2026 or current");
    }
    if (output_ != "text" && output_ != "json" && output_ != "sarif") {
      return core::fail(core::ErrorCode::kInvalid, fmt::format("--output {} is unknown", output_), "use text, json or sarif");
    }
    return {};
  }

  std::vector<std::string> paths_, crds_;
  std::string context_, variant_, pin_, output_ = "text";
  std::optional<std::uint32_t> pattern_;
  bool strict_ = false, list_rules_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_deploy_lint_verb() { return std::make_unique<DeployLintVerb>(); }

}  // namespace bench::cli
