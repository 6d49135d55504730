// gatebench plan: what a scenario will send, before anything is sent.
#include <fmt/format.h>

#include "bench/cli/exit_code.h"
#include "bench/cli/outlook.h"
#include "bench/cli/scenario_options.h"
#include "bench/cli/verb.h"

namespace bench::cli {
namespace {

class PlanVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "plan"; }
  [[nodiscard]] std::string_view summary() const override { return "what a scenario will send, and what attribution to expect"; }

  void declare(OptionTable& o) override {
    scenario_options_.declare(o);
    watermark_options_.declare(o);
    o.option("replicas-count", "N", "replicas behind the target, for the predicted attribution (default 3)", &replicas_);
    o.option("scrape-interval", "DURATION", "how often run will read their metrics (default: after finishes, adapted to their rate)", &interval_);
    o.option("block-size", "TOKENS", "prefix block for the ideal hit rate (default 16)", &block_size_);
    o.option("kv-tokens", "TOKENS", "what one replica's KV cache holds (num_gpu_blocks times block_size), for its share", &kv_tokens_);
    o.option("output", "FORMAT", "text or json on stdout", &output_);
    o.example("gatebench plan shared-prefix --max-concurrency 64 --duration 60s");
    o.example("gatebench plan my.json --request-rate 100 --watermark auto --replicas-count 8");
  }

  int run(Invocation& invocation) override {
    auto outlook = look();
    if (!outlook) {
      invocation.terminal.error(outlook.error());
      return exit_code_of(outlook.error().code);
    }
    invocation.terminal.result(output_ == "json" ? outlook_json(*outlook, options_) : outlook_text(*outlook, options_));
    return kExitOk;
  }

 private:
  core::Result<Outlook> look() {
    std::string errors;
    if (auto known = watermark_options_.check(); !known) errors += known.error().message + ": " + known.error().hint + "\n";
    if (output_ != "text" && output_ != "json") errors += fmt::format("--output {} is unknown: use text or json\n", output_);
    if (block_size_ == 0 || block_size_ > 65'536) errors += "--block-size: 1 to 65536\n";
    if (replicas_ > 64) errors += "--replicas-count: 0 to 64; attribution is not attempted beyond\n";
    if (interval_ && *interval_ < std::chrono::milliseconds(1)) errors += "--scrape-interval: at least 1ms\n";
    if (!errors.empty()) {
      errors.pop_back();
      return core::fail(core::ErrorCode::kInvalid, errors);
    }
    auto scenario = scenario_options_.resolve();
    if (!scenario) return scenario.error();
    options_.seed = scenario_options_.seed();
    options_.replicas = replicas_;
    options_.block_size_tokens = static_cast<std::uint32_t>(block_size_);
    options_.kv_tokens = kv_tokens_;
    options_.scrape.interval = interval_;
    return look_ahead(std::move(*scenario), watermark_options_, options_);
  }

  ScenarioOptions scenario_options_;
  WatermarkOptions watermark_options_;
  OutlookOptions options_;
  std::string output_ = "text";
  std::uint64_t replicas_ = 3, block_size_ = 16, kv_tokens_ = 0;
  std::optional<Duration> interval_;
};

}  // namespace

std::unique_ptr<Verb> make_plan_verb() { return std::make_unique<PlanVerb>(); }

}  // namespace bench::cli
