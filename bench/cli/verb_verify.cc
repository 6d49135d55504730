// gatebench verify: the acceptance checks of a serving pattern against a live target; the exit code is the verdict.
#include <fmt/format.h>

#include <cstdlib>

#include "bench/cli/exit_code.h"
#include "bench/cli/replica_options.h"
#include "bench/cli/verb.h"
#include "bench/cli/verify_output.h"
#include "bench/cli/verify_session.h"
#include "bench/shell/run_store.h"
#include "core/hash.h"

namespace bench::cli {
namespace {

constexpr std::uint64_t kMostProbes = 5000;

class VerifyVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "verify"; }
  [[nodiscard]] std::string_view summary() const override { return "check that a gateway serves as its pattern promises"; }

  void declare(OptionTable& o) override {
    o.option("pattern", "N", "1: one replica serves everything; 3: several behind a prefix-aware gateway (default 3)", &pattern_);
    o.option("target", "URL", "base URL of the gateway, http://host:port", &target_).required = true;
    o.option("model", "NAME", "model to ask for (default: the first of /v1/models)", &model_);
    replica_options_.declare_for_probes(o);
    o.option("expect-replicas", "N", "how many replicas there should be (default: as many as are listed)", &expect_replicas_);
    o.option("attribution", "SOURCE", "metrics (default: the replicas' counters), or header: believe the response header that names the replica", &attribution_);
    o.option("probes", "N", "unrelated prompts for the spread (default: enough to find 60 % on one of three)", &probes_);
    o.option("sticky-probes", "N", "prompts with a common prefix (default 12)", &sticky_probes_);
    o.option("probes-at-once", "N", "unrelated prompts in flight, 1 to 8 (default 1)", &at_once_);
    o.option("seed", "N", "seed of the prompts (default: fresh ones, that no cache knows)", &seed_);
    o.option("time-limit", "DURATION", "stop after so long with what there is (default 2m)", &time_limit_);
    o.option("output", "FORMAT", "text or json on stdout", &output_);
    o.example("gatebench verify --pattern 3 --target http://gateway \\");
    o.example("    --replica a=http://10.0.0.1:8000/metrics --replica b=http://10.0.0.2:8000/metrics");
  }

  int run(Invocation& invocation) override {
    Terminal& terminal = invocation.terminal;
    auto options = prepare(invocation);
    if (!options) return report(terminal, options.error());
    const auto url = parse_url(target_);
    if (!url) return report(terminal, url.error());
    auto outcome = VerifySession(std::move(*options)).run();
    terminal.clear_progress();
    if (!outcome) return report(terminal, outcome.error());
    terminal.result(output_ == "json" ? verify_json(*outcome, to_string(*url)) : verify_text(*outcome, to_string(*url), terminal.width(), terminal.stdout_colour()));
    if (outcome->interrupted) return kExitInterrupted;
    switch (outcome->result.verdict) {
      case analyzers::CheckVerdict::kFail: return kExitGateFailed;
      case analyzers::CheckVerdict::kInconclusive: return kExitInconclusive;
      case analyzers::CheckVerdict::kPass:
      case analyzers::CheckVerdict::kSkipped: return kExitOk;
    }
    return kExitInternal;
  }

 private:
  static int report(Terminal& terminal, const core::Error& error) {
    terminal.error(error);
    return exit_code_of(error.code);
  }

  /// Everything that is wrong with the options, in one message.
  core::Result<VerifyOptions> prepare(Invocation& invocation) {
    VerifyOptions options;
    std::string errors;
    const auto complain = [&](const std::string& text) { errors += (errors.empty() ? "" : "\n") + text; };
    if (pattern_ != 1 && pattern_ != 3) complain(fmt::format("--pattern {}: patterns 1 and 3 can be verified", pattern_));
    if (const auto url = parse_url(target_); !url) complain("--target " + url.error().message);
    if (output_ != "text" && output_ != "json") complain(fmt::format("--output {} is unknown; use text or json", output_));
    if (attribution_ != "metrics" && attribution_ != "header") complain(fmt::format("--attribution {} is unknown; use metrics or header", attribution_));
    if (at_once_ < 1 || at_once_ > analyzers::kProbesAtOnce) complain(fmt::format("--probes-at-once {}: use 1 to {}", at_once_, analyzers::kProbesAtOnce));
    if (sticky_probes_ < 2 || sticky_probes_ > kMostProbes) complain(fmt::format("--sticky-probes {}: use 2 to {}", sticky_probes_, kMostProbes));
    if (probes_ && (*probes_ < 1 || *probes_ > kMostProbes)) complain(fmt::format("--probes {}: use 1 to {}", *probes_, kMostProbes));
    if (time_limit_ <= Duration::zero()) complain("--time-limit must be more than 0s");
    RunRequest replicas;
    if (const auto parsed = replica_options_.parse(replicas); !parsed) complain(parsed.error().message);
    if (!errors.empty()) return core::fail(core::ErrorCode::kInvalid, errors);
    // Not read in advance: metrics that cannot be had are a check of their own.
    if (const auto found = replica_options_.discover(replicas, invocation.terminal); !found) return found.error();
    options.replicas = std::move(replicas.replicas);
    options.metrics_access = std::move(replicas.metrics_access);
    options.pattern = static_cast<int>(pattern_);
    options.target_url = target_;
    options.model = model_;
    if (const char* key = std::getenv("OPENAI_API_KEY"); key != nullptr) options.api_key = key;
    options.expected_replicas = expect_replicas_.value_or(0);
    options.use_header = attribution_ == "header";
    if (probes_) options.spread_probes = *probes_;
    options.sticky_probes = static_cast<std::size_t>(sticky_probes_);
    options.at_once = static_cast<std::size_t>(at_once_);
    options.seed = seed_ != 0 ? seed_ : core::xxh64(new_ulid());
    options.time_limit = time_limit_;
    options.interrupted = &invocation.interrupted;
    options.on_progress = [&terminal = invocation.terminal](const std::string& text) { terminal.progress({text}); };
    return options;
  }

  std::string target_, model_, attribution_ = "metrics", output_ = "text";
  ReplicaOptions replica_options_;
  std::uint64_t pattern_ = 3, sticky_probes_ = 12, at_once_ = 1, seed_ = 0;
  std::optional<std::uint32_t> probes_, expect_replicas_;
  Duration time_limit_ = std::chrono::minutes(2);
};

}  // namespace

std::unique_ptr<Verb> make_verify_verb() { return std::make_unique<VerifyVerb>(); }

}  // namespace bench::cli
