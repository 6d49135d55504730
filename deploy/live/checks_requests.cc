// Requests through the gateway, as a client sees them: C9, K6. Latencies are shown and not judged: the way to the cluster
// is in them.
#include <fmt/format.h>

#include <algorithm>

#include "deploy/live/checks.h"

namespace deploy {
namespace {

std::string remedy_for(const GatewayRequest& request) {
  switch (request.status) {
    case 0: return "is the address reachable from here? A private address needs a way in: --target URL, for example of a port-forward";
    case 401:
    case 403: return "the gateway asks for credentials: set OPENAI_API_KEY";
    case 404: return request.name == "completion" || request.name == "chat" ? "no route matches the path or host, or no model has that name" : "no route matches the path or host";
    case 429: return "the picker sheds load: its queue or KV limits are reached";
    case 502:
    case 503: return "no backend is ready behind the route, or the picker cannot be asked and the pool fails closed (C5, C8)";
    case 504: return "the gateway gives up before the answer: raise its timeout";
    default: return "the body says more";
  }
}

std::string shown(const std::string& text) {
  constexpr std::size_t kBytes = 160;
  return text.size() > kBytes ? text.substr(0, kBytes) + "…" : text;
}

void judge_models(const CheckContext& context, const GatewayRequest& request, Judgement& judge) {
  std::string names;
  bool found = false;
  for (const auto& model : request.body["data"].items) {
    found = found || model["id"].str() == context.want.model();
    names += (names.empty() ? "" : ", ") + std::string(model["id"].str());
  }
  if (!found) judge.failed("GET " + request.url, names.empty() ? "lists no model" : "lists " + names, context.want.model(), "start the server with --served-model-name=" + context.want.model() + ", or state yours as model.name");
  else judge.passed("GET /v1/models", "lists " + context.want.model());
}

/// "" or what is wrong with a completion.
std::string completion_fault(const GatewayRequest& request) {
  const Node& choice = request.body["choices"][std::size_t{0}];
  const auto text = request.name == "chat" ? choice.path({"message", "content"}).str() : choice["text"].str();
  const auto reasoning = choice.path({"message", "reasoning_content"}).str();
  if (text.empty() && reasoning.empty()) return "answers 200 with no text: " + shown(request.text);
  const auto tokens = request.body.path({"usage", "completion_tokens"}).integer();
  if (!tokens) return "its usage states no completion_tokens";
  if (*tokens > kRequestMaxTokens) return fmt::format("{} completion tokens where {} were allowed", *tokens, kRequestMaxTokens);
  return {};
}

void judge_answer(const CheckContext& context, const GatewayRequest& request, Judgement& judge) {
  const bool post = request.name == "completion" || request.name == "chat";
  const std::string subject = (post ? "POST " : "GET ") + request.url;
  if (request.status != 200) {
    const std::string seen = request.status == 0 ? "no answer: " + request.error : fmt::format("status {}: {}", request.status, shown(request.text));
    return judge.failed(subject, seen, "200", remedy_for(request));
  }
  if (request.name == "models") return judge_models(context, request, judge);
  if (!post) return judge.passed("GET /health", fmt::format("200 in {:.0f} ms", request.duration_ms));
  if (const auto fault = completion_fault(request); !fault.empty()) judge.failed(subject, fault, "text, and usage within max_tokens", "ask a pod directly: is it the server, or something between?");
}

}  // namespace

void check_requests(const CheckContext& context, Judgement& judge) {
  if (context.state.without_requests()) return judge.skipped("", "--no-requests");
  const auto& requests = context.state.requests();
  if (requests.empty()) {
    const Absence absence = context.state.absence(kRequestsFile);
    const bool nobody = absence.reason == AbsenceReason::kNotCaptured;
    judge.unknown("requests", nobody ? "not in the saved state" : absence.message, "answers through the gateway", nobody ? "save it with gatebench deploy check --save DIR" : "mend the gateway first (C6), or give --target URL");
    return;
  }
  double slowest = 0;
  std::size_t answered = 0, posts = 0;
  for (const auto& request : requests) {
    judge_answer(context, request, judge);
    if (request.name != "completion" && request.name != "chat") continue;
    ++posts;
    answered += request.status == 200 ? 1 : 0;
    slowest = std::max(slowest, request.duration_ms);
  }
  if (answered > 0) judge.passed("requests", fmt::format("{} of {} answered with 200, the slowest in {:.0f} ms", answered, posts, slowest));
}

}  // namespace deploy
