// gatebench deploy render: writes the bundle of a pattern.
#include <fmt/format.h>

#include <filesystem>

#include "bench/cli/exit_code.h"
#include "bench/cli/files.h"
#include "bench/cli/verb.h"
#include "deploy/render.h"

namespace bench::cli {
namespace {

/// Marks a folder as written by render, so that rendering again may replace what is in it.
constexpr std::string_view kMark = ".gatebench-bundle";

class DeployRenderVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "deploy render"; }
  [[nodiscard]] std::string_view summary() const override { return "write the manifests of a pattern from its values"; }

  void declare(OptionTable& o) override {
    o.option("pattern", "N", "1: one replica, 2: a second model, 3: three replicas (default 3)", &pattern_);
    o.option("variant", "NAME", "plain or istio-kserve; gke follows (default plain)", &variant_);
    o.option("pin", "NAME", "versions: early-2026 or current (default current)", &pin_);
    o.option("values", "FILE", "values that differ from the defaults", &values_);
    o.option("print-values", "", "print the values, with comments, instead of rendering", &print_values_);
    o.option("out", "DIR", "folder to write to; new, empty, or written by this verb before", &out_);
    o.option("force", "", "write into any folder", &force_);
    o.example("gatebench deploy render --pattern 3 --out pattern3");
    o.example("gatebench deploy render --pattern 2 --print-values > values.yaml");
  }

  int run(Invocation& invocation) override {
    const auto values = resolve();
    if (!values) return report_error(invocation, values.error());
    if (print_values_) {
      invocation.terminal.result(deploy::values_text(*values));
      return kExitOk;
    }
    const auto files = deploy::render(*values);
    if (!files) return report_error(invocation, files.error());
    if (auto written = write(*files); !written) return report_error(invocation, written.error());
    for (const auto& file : *files) invocation.terminal.result(fmt::format("{}/{}\n", out_, file.name));
    return kExitOk;
  }

 private:
  static int report_error(Invocation& invocation, const core::Error& error) {
    invocation.terminal.error(error);
    return exit_code_of(error.code);
  }

  core::Result<deploy::DeployValues> resolve() const {
    const auto variant = deploy::parse_variant(variant_);
    const auto pin = deploy::parse_pin(pin_);
    if (pattern_ < 1 || pattern_ > 3) return core::fail(core::ErrorCode::kInvalid, fmt::format("--pattern {} is unknown", pattern_), "use 1, 2 or 3");
    if (!variant) return core::fail(core::ErrorCode::kInvalid, fmt::format("--variant {} is unknown", variant_), "use plain, gke or istio-kserve");
    if (!pin) return core::fail(core::ErrorCode::kInvalid, fmt::format("--pin {} is unknown", pin_), "use early-2026 or current");
    auto values = deploy::default_values(static_cast<int>(pattern_), *variant, *pin);
    if (values_.empty()) return values;
    const auto text = read_file(values_);
    if (!text) return text.error();
    return deploy::read_values(std::move(values), *text, values_);
  }

  core::Status write(const std::vector<deploy::RenderedFile>& files) const {
    namespace fs = std::filesystem;
    if (out_.empty()) return core::fail(core::ErrorCode::kInvalid, "--out is missing", "name the folder to write to");
    std::error_code error;
    const bool foreign = fs::exists(out_, error) && !fs::is_empty(out_, error) && !fs::exists(fs::path(out_) / kMark, error);
    if (foreign && !force_) return core::fail(core::ErrorCode::kInvalid, fmt::format("{} holds files that render did not write", out_), "name a new folder, or give --force");
    if (auto made = make_directory(out_); !made) return made;
    if (auto marked = write_file(fmt::format("{}/{}", out_, kMark), "written by gatebench deploy render\n"); !marked) return marked;
    for (const auto& file : files) {
      if (auto written = write_file(fmt::format("{}/{}", out_, file.name), file.text); !written) return written;
    }
    return {};
  }

  std::uint64_t pattern_ = 3;
  std::string variant_ = "plain", pin_ = "current", values_, out_;
  bool print_values_ = false, force_ = false;
};

}  // namespace

std::unique_ptr<Verb> make_deploy_render_verb() { return std::make_unique<DeployRenderVerb>(); }

}  // namespace bench::cli
