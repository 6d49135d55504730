// gatebench deploy check: does the cluster run what the values say, and does the gateway use its picker?
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "bench/cli/cluster_capture.h"
#include "bench/cli/deploy_options.h"
#include "bench/cli/exit_code.h"
#include "bench/cli/files.h"
#include "bench/cli/replica_options.h"
#include "bench/cli/saved_state.h"
#include "bench/cli/verb.h"
#include "deploy/live/check.h"

namespace bench::cli {
namespace {

class DeployCheckVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "deploy check"; }
  [[nodiscard]] std::string_view summary() const override { return "does a cluster run it, and use its picker"; }

  void declare(OptionTable& o) override {
    options_.declare(o);
    o.option("namespace", "NAME", "namespace (default: the values')", &name_space_);
    o.option("context", "NAME", "kubectl context (default: the current one)", &context_);
    o.option("target", "URL", "send the requests there (default: what the Gateway's or service's status says)", &target_);
    o.option("insecure", "", "do not check the target's certificate", &insecure_);
    o.option("requests", "N", "completions to send through the gateway, 1 to 100 (default 6)", &requests_);
    o.option("no-requests", "", "send nothing: what needs requests is skipped", &no_requests_);
    o.option("metrics-token-env", "VAR", "environment variable with a bearer token for the picker's metrics", &token_variable_);
    o.option("from", "DIR", "check a saved state instead of a cluster", &from_);
    o.option("save", "DIR", "also save the state into a new folder; known kinds of credentials are taken out", &save_);
    o.option("output", "FORMAT", "text or json (default text)", &output_);
    o.option("verbose", "", "show what passed, too", &verbose_);
    o.option("strict", "", "warnings fail too", &strict_);
    o.example("gatebench deploy check --pattern 3 --variant plain");
    o.example("gatebench deploy check -f bundle/values.yaml --save state");
    o.example("gatebench deploy check -f bundle/values.yaml --from state --output json");
  }

  int run(Invocation& invocation) override {
    if (const auto fits = judge_options(); !fits) return report_error(invocation, fits.error());
    auto values = options_.resolve();
    if (!values) return report_error(invocation, values.error());
    if (!name_space_.empty()) values->set("namespace", name_space_);
    const deploy::Expectation want(*values);
    const auto files = from_.empty() ? capture(want, invocation) : read_saved_state(from_);
    if (!files) return report_error(invocation, files.error());
    const auto state = deploy::ClusterState::read(*files);
    if (!state) return report_error(invocation, state.error());
    const auto report = deploy::check_deployment(*state, want);
    invocation.terminal.result(output_ == "json" ? deploy::render_check_json(report, want)
                                                 : deploy::render_check_text(report, want, {invocation.terminal.stdout_colour(), verbose_}));
    if (!save_.empty()) {
      if (const auto saved = write_saved_state(save_, *files); !saved) return report_error(invocation, saved.error());
      invocation.terminal.note(fmt::format("saved: {} files in {}; look through them before you hand them on", files->size(), save_));
    }
    return exit_code(report);
  }

 private:
  [[nodiscard]] int exit_code(const deploy::CheckReport& report) const {
    switch (report.worst()) {
      case deploy::CheckState::kFailed: return kExitGateFailed;
      case deploy::CheckState::kUnknown: return strict_ && report.count(deploy::CheckState::kWarned) > 0 ? kExitGateFailed : kExitInconclusive;
      case deploy::CheckState::kWarned: return strict_ ? kExitGateFailed : kExitOk;
      case deploy::CheckState::kPassed:
      case deploy::CheckState::kSkipped: break;
    }
    return kExitOk;
  }

  static int report_error(Invocation& invocation, const core::Error& error) {
    invocation.terminal.error(error);
    return exit_code_of(error.code);
  }

  core::Status judge_options() {
    using core::ErrorCode;
    std::string errors;
    const auto complain = [&](const std::string& text) { errors += (errors.empty() ? "" : "\n") + text; };
    if (output_ != "text" && output_ != "json") complain(fmt::format("--output {} is unknown; use text or json", output_));
    if (!from_.empty()) {
      for (const auto& [name, given] : {std::pair{"context", !context_.empty()}, {"target", !target_.empty()}, {"save", !save_.empty()}, {"requests", requests_.has_value()},
                                        {"no-requests", no_requests_}, {"insecure", insecure_}, {"metrics-token-env", !token_variable_.empty()}}) {
        if (given) complain(fmt::format("--{} needs a cluster, and --from asks none", name));
      }
    }
    if (requests_ && (*requests_ < 1 || *requests_ > 100)) complain(fmt::format("--requests {} is outside 1 to 100; a load is what gatebench run is for", *requests_));
    if (no_requests_ && requests_) complain("--requests and --no-requests exclude each other");
    if (!target_.empty() && target_.rfind("http://", 0) != 0 && target_.rfind("https://", 0) != 0) complain("--target is no URL: it starts with http:// or https://");
    // What is asked is shown and saved.
    if (target_.find('@') != std::string::npos) complain("--target holds credentials; a gateway's key is taken from OPENAI_API_KEY");
    const bool name = name_space_.size() <= 63 && name_space_.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
    if (!name_space_.empty() && (!name || name_space_.front() == '-')) complain(fmt::format("--namespace {} is no namespace's name: a-z, 0-9 and '-', at most 63", name_space_));
    while (!target_.empty() && target_.back() == '/') target_.pop_back();
    if (!token_variable_.empty()) {
      auto token = token_of_variable(token_variable_);
      if (token) token_ = std::move(*token);
      else complain(token.error().message);
    }
    if (!save_.empty()) {
      if (const auto fits = judge_folder(); !fits) complain(fits.error().message);
    }
    if (!errors.empty()) return core::fail(ErrorCode::kInvalid, errors, "see gatebench deploy check --help");
    return {};
  }

  /// Before anything is asked: an answer that cannot be kept is asked for in vain.
  [[nodiscard]] core::Status judge_folder() const {
    std::error_code error;
    const auto status = std::filesystem::status(save_, error);
    if (std::filesystem::exists(status) && !std::filesystem::is_directory(status)) return core::fail(core::ErrorCode::kInvalid, fmt::format("--save {} is a file; name a new folder", save_));
    if (std::filesystem::exists(status) && !std::filesystem::is_empty(save_, error)) return core::fail(core::ErrorCode::kInvalid, fmt::format("--save {} is there and not empty; name a new folder", save_));
    if (const auto made = make_directory(save_); !made) return core::fail(core::ErrorCode::kInvalid, "--save: " + made.error().message);
    return {};
  }

  core::Result<std::vector<deploy::SourceFile>> capture(const deploy::Expectation& want, Invocation& invocation) const {
    CaptureOptions options;
    options.context = context_;
    options.target = target_;
    options.metrics_token = token_;
    options.with_requests = !no_requests_;
    options.insecure = insecure_;
    options.completions = requests_.value_or(options.completions);
    if (const char* key = std::getenv("OPENAI_API_KEY"); key != nullptr) options.api_key = key;
    ClusterCapture capture(want, options, invocation.interrupted, [&](const std::string& what) { invocation.terminal.progress({what}); });
    auto files = capture.run();
    invocation.terminal.clear_progress();
    return files;
  }

  DeployOptions options_;
  std::string name_space_, context_, target_, token_variable_, token_, from_, save_, output_ = "text";
  std::optional<std::uint32_t> requests_;
  bool no_requests_ = false, verbose_ = false, strict_ = false, insecure_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_deploy_check_verb() { return std::make_unique<DeployCheckVerb>(); }

}  // namespace bench::cli
