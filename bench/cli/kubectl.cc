// See kubectl.h.
#include "bench/cli/kubectl.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "core/text.h"

namespace bench::cli {
namespace {

using core::ErrorCode;
using core::net::ChildProcess;

constexpr core::Duration kTimeout = std::chrono::seconds(45);   // more than kubectl's own, so that its words arrive
constexpr std::string_view kRequestTimeout = "--request-timeout=30s";
constexpr std::size_t kMaxBytes = 64u << 20, kShownBytes = 400;

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool unreachable(const core::Error& error, bool proxied) {
  static constexpr std::array<std::string_view, 6> kAlways{"Unable to connect to the server", "The connection to the server", "no such host", "getting credentials", "TLS handshake timeout", "Client.Timeout"};
  if (std::any_of(kAlways.begin(), kAlways.end(), [&](std::string_view words) { return holds(error.message, words); })) return true;
  // A 401 of what is behind a proxy reads like one of the API server.
  return !proxied && (holds(error.message, "You must be logged in") || holds(error.message, "(Unauthorized)") || error.code == ErrorCode::kTimeout);
}

}  // namespace

std::string telling_line(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kBegins{"Unable to connect to the server", "The connection to the server", "Error from server", "error:", "Error in configuration", "invalid configuration"};
  std::string_view last, telling;
  for (const auto part : core::split(text, '\n')) {
    const auto line = core::trim(part);
    if (line.empty()) continue;
    last = line;
    if (std::any_of(kBegins.begin(), kBegins.end(), [&](std::string_view begin) { return line.rfind(begin, 0) == 0; })) telling = line;
  }
  const std::string line(telling.empty() ? last : telling);
  return line.size() > kShownBytes ? line.substr(0, kShownBytes) + "…" : line;
}

core::Result<ChildProcess> Kubectl::start(const std::vector<std::string>& arguments) const {
  std::vector<std::string> command{program_};
  if (!context_.empty()) command.insert(command.end(), {"--context", context_});
  command.insert(command.end(), arguments.begin(), arguments.end());
  return ChildProcess::run_program(command);
}

core::Result<std::string> Kubectl::read(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = arguments;
  all.emplace_back(kRequestTimeout);
  auto child = start(all);
  if (!child) return child.error();
  auto answer = child->read_all(kTimeout, kMaxBytes, interrupted_);
  if (answer || answer.error().code == ErrorCode::kCancelled) return answer;
  const core::Error& error = answer.error();
  const std::string line = telling_line(error.message);
  if (error.code == ErrorCode::kUnsupported) return core::fail(ErrorCode::kInvalid, "kubectl was not found", "install kubectl, or give files that it wrote elsewhere");
  if (holds(error.message, "context") && holds(error.message, "does not exist")) return core::fail(ErrorCode::kInvalid, "kubectl: " + line, "kubectl config get-contexts lists them");
  const bool broken = holds(error.message, "invalid configuration") || holds(error.message, "Error in configuration") || holds(error.message, "error loading config file");
  if (broken) return core::fail(ErrorCode::kInvalid, "kubectl: " + line, "check the file that KUBECONFIG names, or ~/.kube/config");
  const bool proxied = std::find(arguments.begin(), arguments.end(), "--raw") != arguments.end();
  if (unreachable(error, proxied)) return core::fail(ErrorCode::kUnreachable, "the cluster cannot be asked: " + line, "check the context (kubectl config current-context), the way to the cluster and your login");
  return core::fail(ErrorCode::kProtocol, line);
}

deploy::AbsenceReason absence_reason(const core::Error& error) {
  if (holds(error.message, "(Forbidden)") || holds(error.message, "is forbidden")) return deploy::AbsenceReason::kForbidden;
  if (holds(error.message, "the server doesn't have a resource type") || holds(error.message, "could not find the requested resource") || holds(error.message, "no matches for kind")) return deploy::AbsenceReason::kUnknownKind;
  return deploy::AbsenceReason::kFailed;
}

}  // namespace bench::cli
