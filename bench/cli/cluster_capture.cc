// See cluster_capture.h.
#include "bench/cli/cluster_capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "bench/shell/exchange.h"
#include "core/clock.h"
#include "core/text.h"

namespace bench::cli {
namespace {

using core::ErrorCode;
using deploy::AbsenceReason;

constexpr core::Duration kGetTimeout = std::chrono::seconds(10), kPostTimeout = std::chrono::seconds(60);
constexpr core::Duration kPortForwardTimeout = std::chrono::seconds(15);
// vLLM counts a request after its last token is on the way: a page read at once may lack it.
constexpr auto kSettle = std::chrono::milliseconds(1000);
constexpr std::size_t kKeptBytes = 64u << 10;

/// "Forwarding from 127.0.0.1:45213 -> 9090"
std::optional<std::int64_t> forwarded_port(std::string_view line) {
  constexpr std::string_view kBegin = "Forwarding from 127.0.0.1:";
  const auto arrow = line.find(" -> ");
  if (line.rfind(kBegin, 0) != 0 || arrow == std::string_view::npos) return std::nullopt;
  return core::parse_integer(line.substr(kBegin.size(), arrow - kBegin.size()));
}

double unix_now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// A client of its own for each exchange: its connections must not outlive the pods that it asks.
core::Result<Answer> ask(std::string_view method, const std::string& url, const std::vector<std::string>& headers, std::string_view body, bool insecure) {
  core::net::Loop loop;
  core::net::HttpClientOptions options;
  options.max_in_flight = 1;
  options.kernel_stamps = false;
  options.insecure_tls = insecure;
  auto client = core::net::HttpClient::create(loop, options);
  if (!client) return client.error();
  return exchange(loop, **client, method, url, headers, method == "GET" ? kGetTimeout : kPostTimeout, body);
}

}  // namespace

ClusterCapture::ClusterCapture(const deploy::Expectation& want, CaptureOptions options, const std::atomic<bool>& interrupted, std::function<void(std::string)> progress)
    : want_(want), options_(std::move(options)), kubectl_(options_.context, &interrupted, options_.kubectl), interrupted_(interrupted), progress_(std::move(progress)) {}

core::Status ClusterCapture::stopped() const {
  if (interrupted_.load()) return core::fail(ErrorCode::kCancelled, "interrupted");
  return {};
}

core::Status ClusterCapture::read_objects() {
  for (const auto& query : deploy::resource_queries(want_)) {
    if (auto status = stopped(); !status) return status;
    progress_(fmt::format("kubectl get {}", query.arguments.front()));
    std::vector<std::string> arguments{"get"};
    arguments.insert(arguments.end(), query.arguments.begin(), query.arguments.end());
    arguments.insert(arguments.end(), {"-o", "json"});
    auto answer = kubectl_.read(arguments);
    if (answer) answer = checked(query, std::move(*answer));
    if (answer) {
      files_.push_back({std::string(query.file), std::move(*answer)});
      continue;
    }
    if (answer.error().code != ErrorCode::kProtocol) return answer.error();
    absences_.push_back({std::string(query.file), absence_reason(answer.error()), answer.error().message});
  }
  return {};
}

core::Result<std::string> ClusterCapture::checked(const deploy::ResourceQuery& query, std::string answer) {
  // Only a name that need not be there is answered by silence.
  const bool may_be_silent = std::find(query.arguments.begin(), query.arguments.end(), "--ignore-not-found") != query.arguments.end();
  const bool silent = core::trim(answer).empty();
  if (silent && may_be_silent) return answer;
  if (silent) return core::fail(ErrorCode::kProtocol, "kubectl ended well and wrote nothing");
  // The reading that comes later: what it refuses must cost this kind alone.
  if (const auto state = deploy::ClusterState::read({{std::string(query.file), answer}}); !state) {
    return core::fail(ErrorCode::kProtocol, "kubectl wrote something else than JSON (" + state.error().message + "), which begins with \"" + core::printable(std::string_view(answer).substr(0, 60)) + "\"");
  }
  return answer;
}

core::Result<std::string> ClusterCapture::read_page(const deploy::MetricsSource& source) {
  // The API server's proxy drops the Authorization header: a token reaches a pod through a forwarded port only.
  if (source.owner == deploy::PageOwner::kPicker && !options_.metrics_token.empty()) return read_forwarded_page(source, options_.metrics_token);
  auto page = kubectl_.read({"get", "--raw", source.proxy_path(want_.name_space())});
  if (page || page.error().code == ErrorCode::kCancelled || !forwarding_works_) return page;
  if (absence_reason(page.error()) != AbsenceReason::kFailed || deploy::says_unauthorized(page.error().message)) return page;
  // NetworkPolicies and STRICT mTLS keep the API server's proxy out; a forwarded port ends inside the pod.
  auto forwarded = read_forwarded_page(source, "");
  return forwarded ? forwarded : page;
}

core::Result<std::string> ClusterCapture::read_forwarded_page(const deploy::MetricsSource& source, const std::string& token) {
  auto forward = kubectl_.start({"port-forward", "--address", "127.0.0.1", "-n", want_.name_space(), "pod/" + source.pod, ":" + std::to_string(source.port)});
  if (!forward) return forward.error();
  const auto line = forward->wait_ready(kPortForwardTimeout);
  if (!line) {
    forwarding_works_ = false;
    const std::string said = telling_line(forward->errors());
    return core::fail(line.error().code, "kubectl port-forward: " + (said.empty() ? fmt::format("no port within {} s", kPortForwardTimeout / std::chrono::seconds(1)) : said));
  }
  const auto port = forwarded_port(*line);
  if (!port) return core::fail(ErrorCode::kProtocol, fmt::format("kubectl port-forward said \"{}\" and no port", *line));
  std::vector<std::string> headers;
  if (!token.empty()) headers.push_back("Authorization: Bearer " + token);
  // The certificate is the pod's own, for other names than 127.0.0.1.
  const auto answer = ask("GET", fmt::format("{}://127.0.0.1:{}/metrics", source.https ? "https" : "http", *port), headers, {}, source.https);
  if (!answer) return answer.error();
  if (answer->status == 401 || answer->status == 403) return core::fail(ErrorCode::kUnreachable, fmt::format("Unauthorized: the token is refused with status {}", answer->status));
  if (answer->status != 200) return core::fail(ErrorCode::kUnreachable, fmt::format("status {}", answer->status));
  return answer->body;
}

core::Status ClusterCapture::read_metrics(const std::vector<deploy::MetricsSource>& sources, bool after) {
  for (const auto& source : sources) {
    if (auto status = stopped(); !status) return status;
    const std::string file = deploy::metrics_file(source.owner, source.pod, after);
    progress_(fmt::format("metrics of {}", source.pod));
    auto page = read_page(source);
    if (page) {
      files_.push_back({file, std::move(*page)});
      continue;
    }
    if (page.error().code == ErrorCode::kCancelled) return page.error();
    absences_.push_back({file, absence_reason(page.error()), telling_line(page.error().message)});
  }
  return {};
}

std::string ClusterCapture::without_key(std::string text) const {
  // Gateways repeat what they were sent when something is wrong with it.
  constexpr std::string_view kRedacted = "(redacted)";
  const std::string& key = options_.api_key;
  if (key.empty()) return text;
  for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + kRedacted.size())) text.replace(at, key.size(), kRedacted);
  return text;
}

core::Status ClusterCapture::send_requests(const std::string& url) {
  std::vector<std::string> headers{"Accept: application/json"};
  // "*.example.com" is a pattern, of which a client names one.
  if (const auto& host = want_.values().text("host"); !host.empty()) headers.push_back("Host: " + (host.front() == '*' ? "gatebench" + host.substr(1) : host));
  if (!options_.api_key.empty()) headers.push_back("Authorization: Bearer " + options_.api_key);
  std::vector<std::string> post = headers;
  post.push_back("Content-Type: application/json");
  std::vector<deploy::GatewayRequest> requests;
  const core::SteadyClock clock;
  for (const auto& planned : deploy::planned_requests(want_, options_.completions)) {
    if (auto status = stopped(); !status) return status;
    const bool get = planned.body.empty();
    progress_(fmt::format("{} {}{}", get ? "GET" : "POST", url, planned.path));
    deploy::GatewayRequest request;
    request.name = planned.name;
    request.url = url + planned.path;
    const auto begun = clock.now();
    const auto answer = ask(get ? "GET" : "POST", request.url, get ? headers : post, planned.body, options_.insecure);
    request.duration_ms = std::chrono::duration<double, std::milli>(clock.now() - begun).count();
    if (answer) {
      request.status = answer->status;
      request.text = without_key(answer->body.substr(0, kKeptBytes));
    } else {
      request.error = without_key(answer.error().message);
    }
    requests.push_back(std::move(request));
    // When nothing answers, more timeouts say no more than two do.
    if (const auto n = requests.size(); n >= 2 && requests[n - 1].status == 0 && requests[n - 2].status == 0) break;
  }
  files_.push_back({std::string(deploy::kRequestsFile), deploy::requests_file(requests)});
  return {};
}

core::Result<std::vector<deploy::SourceFile>> ClusterCapture::run() {
  if (auto status = read_objects(); !status) return status.error();
  const auto state = deploy::ClusterState::read(files_);
  if (!state) return state.error();
  const auto sources = deploy::metrics_sources(*state, want_);
  if (auto status = read_metrics(sources, false); !status) return status.error();
  if (options_.with_requests) {
    const auto url = options_.target.empty() ? deploy::base_url(*state, want_) : core::Result<std::string>(options_.target);
    if (!url) {
      absences_.push_back({std::string(deploy::kRequestsFile), AbsenceReason::kFailed, url.error().message});
    } else {
      if (auto status = send_requests(*url); !status) return status.error();
      std::this_thread::sleep_for(kSettle);
      if (auto status = read_metrics(sources, true); !status) return status.error();
    }
  }
  files_.push_back({std::string(deploy::kCaptureFile), deploy::capture_file(unix_now(), !options_.with_requests, absences_)});
  return std::move(files_);
}

}  // namespace bench::cli
