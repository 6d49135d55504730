// gatebench version, gatebench schema: what this binary is and what it writes.
#include <fmt/format.h>

#include "bench/cli/exit_code.h"
#include "bench/cli/verb.h"
#include "reports/render.h"

namespace bench::cli {
namespace {

class VersionVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "version"; }
  [[nodiscard]] std::string_view summary() const override { return "version of this binary"; }
  void declare(OptionTable&) override {}
  int run(Invocation& invocation) override {
    invocation.terminal.result(fmt::format("gatebench {}\n", tool_version()));
    return kExitOk;
  }
};

class SchemaVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "schema"; }
  [[nodiscard]] std::string_view summary() const override { return "JSON Schema (draft 7) of report.json, of gates and scenario files, of what plan writes"; }
  void declare(OptionTable& options) override {
    options.positional("NAME", "report, gates, scenario or plan", &name_, false);
    options.example("gatebench schema > report.schema.json");
    options.example("gatebench schema scenario");
  }
  int run(Invocation& invocation) override {
    const auto text = reports::schema(name_);
    if (!text) {
      invocation.terminal.error(text.error());
      return kExitUsage;
    }
    invocation.terminal.result(std::string(*text) + (text->back() == '\n' ? "" : "\n"));
    return kExitOk;
  }

 private:
  std::string name_ = "report";
};

}  // namespace

std::unique_ptr<Verb> make_version_verb() { return std::make_unique<VersionVerb>(); }
std::unique_ptr<Verb> make_schema_verb() { return std::make_unique<SchemaVerb>(); }

}  // namespace bench::cli
