// gatebench deploy list | render | runbook: bundles of manifests from values, and how to operate them.
#include <fmt/format.h>

#include "bench/cli/bundle_folder.h"
#include "bench/cli/deploy_options.h"
#include "bench/cli/exit_code.h"
#include "bench/cli/verb.h"
#include "deploy/render/render.h"

namespace bench::cli {
namespace {

int report_error(Invocation& invocation, const core::Error& error) {
  invocation.terminal.error(error);
  return exit_code_of(error.code);
}

class DeployListVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "deploy list"; }
  [[nodiscard]] std::string_view summary() const override { return "bundles that can be rendered"; }
  void declare(OptionTable& o) override { o.example("gatebench deploy list"); }

  int run(Invocation& invocation) override {
    std::string out = fmt::format("{:<9}{:<14}{:<12}{}\n", "pattern", "variant", "pin", "what");
    for (const auto& line : deploy::bundle_lines()) {
      out += fmt::format("{:<9}{:<14}{:<12}{}\n", line.key.pattern, word_for(line.key.variant), word_for(line.key.pin), line.about);
    }
    invocation.terminal.result(out);
    return kExitOk;
  }
};

class DeployRenderVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "deploy render"; }
  [[nodiscard]] std::string_view summary() const override { return "write the manifests of a pattern"; }

  void declare(OptionTable& o) override {
    options_.declare(o);
    o.option("out", "DIR", "folder to write into; it must be empty, or a bundle that was rendered there", &out_);
    o.option("force", "", "write into a folder with other files, over files changed by hand", &force_);
    o.option("print-values", "", "print the values file instead, with comments", &print_values_);
    o.example("gatebench deploy render --pattern 3 --variant plain --out bundle");
    o.example("gatebench deploy render --pattern 3 --variant gke --print-values > values.yaml");
    o.example("gatebench deploy render -f values.yaml --out bundle && kubectl kustomize bundle");
  }

  int run(Invocation& invocation) override {
    const auto values = options_.resolve();
    if (!values) return report_error(invocation, values.error());
    if (print_values_) {
      invocation.terminal.result(deploy::print_values(*values));
      return kExitOk;
    }
    if (out_.empty()) return report_error(invocation, core::fail(core::ErrorCode::kInvalid, "no folder to write into", "--out DIR, or --print-values"));
    const auto files = deploy::render_bundle(*values);
    if (!files) return report_error(invocation, files.error());
    const auto written = write_bundle(*files, {out_, force_, options_.values_file()});
    if (!written) return report_error(invocation, written.error());
    std::string list;
    for (const auto& file : *files) list += out_ + (out_.back() == '/' ? "" : "/") + file.name + "\n";
    invocation.terminal.result(list);
    invocation.terminal.note(fmt::format("{} files written, {} unchanged, {} removed; README.md there says what to set and apply", written->written, written->unchanged, written->removed));
    return kExitOk;
  }

 private:
  DeployOptions options_;
  std::string out_;
  bool force_ = false, print_values_ = false;
};

class DeployRunbookVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "deploy runbook"; }
  [[nodiscard]] std::string_view summary() const override { return "how to operate a bundle: steps, times, costs"; }

  void declare(OptionTable& o) override {
    options_.declare(o);
    o.example("gatebench deploy runbook --pattern 3 --variant gke > runbook.md");
    o.example("gatebench deploy runbook -f bundle/values.yaml");
  }

  int run(Invocation& invocation) override {
    const auto values = options_.resolve();
    if (!values) return report_error(invocation, values.error());
    const auto text = deploy::render_runbook(*values);
    if (!text) return report_error(invocation, text.error());
    invocation.terminal.result(*text);
    return kExitOk;
  }

 private:
  DeployOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_deploy_list_verb() { return std::make_unique<DeployListVerb>(); }
std::unique_ptr<Verb> make_deploy_render_verb() { return std::make_unique<DeployRenderVerb>(); }
std::unique_ptr<Verb> make_deploy_runbook_verb() { return std::make_unique<DeployRunbookVerb>(); }

}  // namespace bench::cli
