// gatebench stack: the local stack alone, until Ctrl-C.
#include <fmt/format.h>
#include <poll.h>

#include "bench/cli/exit_code.h"
#include "bench/cli/local_stack.h"
#include "bench/cli/verb.h"

namespace bench::cli {
namespace {

class StackVerb final : public Verb {
 public:
  [[nodiscard]] std::string_view name() const override { return "stack"; }
  [[nodiscard]] std::string_view summary() const override { return "start simulated replicas behind the reference router, until Ctrl-C"; }
  void declare(OptionTable& o) override {
    o.option("pattern", "N", "1: one replica, 3: three replicas (default 3)", &pattern_);
    o.option("replicas", "N", "another number of replicas", &replicas_);
    o.option("network-delay", "DURATION", "round trip that the replicas add to each request (default 0ms)", &options_.network_delay);
    o.option("profile", "NAME|FILE", "profile of the simulated replicas", &options_.profile);
    o.option("mode", "MODE", "router mode: improved or epp", &options_.router_mode);
    o.option("epp-config", "NAME|FILE", "endpoint picker configuration: default, kserve or a file", &options_.router_config);
    o.option("policy", "POLICY", "instead of a configuration: random or round-robin", &options_.policy);
    o.option("port", "PORT", "port of the router (default: a free one)", &port_);
    o.option("seed", "N", "seed of simulator and router", &options_.seed);
    o.option("log-dir", "DIR", "one log file per process there", &options_.log_directory);
    o.example("gatebench stack --pattern 3 --port 8000");
  }

  int run(Invocation& invocation) override {
    Terminal& terminal = invocation.terminal;
    if (pattern_ != 1 && pattern_ != 3) {
      terminal.error(core::fail(core::ErrorCode::kInvalid, fmt::format("--pattern {}: the local stack knows patterns 1 and 3", pattern_), "use 1 or 3, or --replicas N"));
      return kExitUsage;
    }
    if (port_ > 65535) {
      terminal.error(core::fail(core::ErrorCode::kInvalid, fmt::format("--port {} is no port", port_), "use 0 to 65535; 0 takes a free one"));
      return kExitUsage;
    }
    if (replicas_.value_or(1) < 1 || replicas_.value_or(1) > 64) {
      terminal.error(core::fail(core::ErrorCode::kInvalid, fmt::format("--replicas {}: the local stack starts 1 to 64", *replicas_)));
      return kExitUsage;
    }
    options_.name = fmt::format("pattern{}", pattern_);
    options_.replicas = replicas_.value_or(static_cast<std::uint32_t>(pattern_));
    options_.router_port = static_cast<std::uint16_t>(port_);
    auto stack = LocalStack::start(options_);
    if (!stack) {
      terminal.error(stack.error());
      return stack.error().code == core::ErrorCode::kUnreachable ? static_cast<int>(kExitInternal) : exit_code_of(stack.error().code);
    }
    std::string text = fmt::format("gateway   {}\n", stack->url());
    std::string replicas;
    for (const auto& replica : stack->replicas()) {
      text += fmt::format("replica   {}  {}\n", replica.name, replica.metrics_url);
      replicas += fmt::format(" \\\n    --replica {}={}", replica.name, replica.metrics_url);
    }
    terminal.result(text + fmt::format("\nTry:  gatebench run shared-prefix --target {}{}\nCtrl-C ends it. Replicas are simulated.\n", stack->url(), replicas));
    while (!invocation.interrupted.load()) {
      poll(nullptr, 0, 200);
      if (const std::string ended = stack->ended_child(); !ended.empty() && !invocation.interrupted.load()) {
        terminal.error(core::fail(core::ErrorCode::kInternal, fmt::format("{} has ended by itself", ended), "use --log-dir to keep its log"));
        return kExitInternal;
      }
    }
    return kExitOk;
  }

 private:
  std::uint64_t pattern_ = 3, port_ = 0;
  std::optional<std::uint32_t> replicas_;
  StackOptions options_;
};

}  // namespace

std::unique_ptr<Verb> make_stack_verb() { return std::make_unique<StackVerb>(); }

}  // namespace bench::cli
