#include "bench/cli/local_stack.h"

#include <fmt/format.h>

#include "core/text.h"

namespace bench::cli {
namespace {

constexpr Duration kReadyTimeout = std::chrono::seconds(20);

/// The port in a child's line of readiness, {"port":N}.
core::Result<std::uint16_t> port_of(const std::string& line, const std::string& child) {
  const auto at = line.find("\"port\":");
  const auto digits = at == std::string::npos ? std::string() : line.substr(at + 7, line.find_first_not_of("0123456789", at + 7) - at - 7);
  const auto port = core::parse_integer(digits);
  if (!port || *port < 1 || *port > 65535) {
    return core::fail(core::ErrorCode::kInternal, fmt::format("{} reported no port: {}", child, line));
  }
  return static_cast<std::uint16_t>(*port);
}

core::Error explain(core::Error error, const std::string& child, const std::string& log) {
  error.message = fmt::format("{}: {}", child, error.message);
  if (!log.empty()) error.hint = fmt::format("see {}", log);
  return error;
}

}  // namespace

core::Result<LocalStack> LocalStack::start(const StackOptions& options) {
  LocalStack stack;
  const auto launch = [&](const std::string& name, std::vector<std::string> arguments) -> core::Result<std::uint16_t> {
    const std::string log = options.log_directory.empty() ? "" : options.log_directory + "/" + name + ".log";
    auto child = core::net::ChildProcess::spawn(arguments, log);
    if (!child) return explain(child.error(), name, log);
    const auto line = child->wait_ready(kReadyTimeout);
    if (!line) return explain(line.error(), name, log);
    stack.children_.push_back({name, std::move(*child)});
    return port_of(*line, name);
  };
  std::vector<std::string> router{"router", "--port", std::to_string(options.router_port), "--mode", options.router_mode,
                                  "--epp-config", options.router_config, "--seed", std::to_string(options.seed)};
  if (!options.policy.empty()) router.insert(router.end(), {"--policy", options.policy});
  for (std::uint32_t i = 1; i <= options.replicas; ++i) {
    const std::string name = fmt::format("{}-replica-{}", options.name, i);
    std::vector<std::string> arguments{"replica", "--port", "0", "--name", name, "--seed", std::to_string(options.seed + i),
                                       "--network-delay", fmt::format("{}us", options.network_delay.count() / 1000)};
    if (!options.profile.empty()) arguments.insert(arguments.end(), {"--profile", options.profile});
    const auto port = launch(name, std::move(arguments));
    if (!port) return port.error();
    stack.replicas_.push_back({name, fmt::format("http://127.0.0.1:{}/metrics", *port)});
    router.insert(router.end(), {"--endpoint", fmt::format("{}=127.0.0.1:{}", name, *port)});
  }
  const auto port = launch(options.name + "-router", std::move(router));
  if (!port) return port.error();
  stack.url_ = fmt::format("http://127.0.0.1:{}", *port);
  return stack;
}

std::string LocalStack::ended_child() {
  for (auto& child : children_) {
    if (!child.process.running()) return child.name;
  }
  return {};
}

}  // namespace bench::cli
