// The checks of verify that one looks at from outside: routes, models, completions. And the sum of all rows.
#include "analyzers/verify.h"

#include <algorithm>

#include "analyzers/multinomial.h"
#include "analyzers/statistics.h"
#include "analyzers/verify_placement.h"

namespace analyzers {
namespace {

constexpr std::size_t kMostPrompts = 400, kPromptsPerReplica = 4;
constexpr std::uint32_t kAssumedBlock = 128;

std::string answer_of(const RouteObservation& route) {
  if (!route.asked) return "not asked";
  return route.status == 0 ? "no answer: " + route.problem : "status " + std::to_string(route.status);
}

bool not_routed(const RouteObservation& route) { return route.status == 404 || route.status == 405; }

VerifyCheck health_check(const VerifyObservations& o) {
  VerifyCheck check{"health", CheckVerdict::kFail, "GET /health: " + answer_of(o.health), "status 200", ""};
  if (!o.health.asked) {
    check.verdict = CheckVerdict::kSkipped;
    check.action = o.why_cut;
  } else if (o.health.status == 200) {
    check.verdict = CheckVerdict::kPass;
  } else if (not_routed(o.health) && o.models.status == 200) {
    check.verdict = CheckVerdict::kPass;
    check.observed += ", which the gateway does not route; the model list answers";
  } else if (not_routed(o.health)) {
    check.verdict = CheckVerdict::kInconclusive;
    check.action = "the gateway routes neither /health nor /v1/models; the completions tell";
  } else if (o.health.status == 401 || o.health.status == 403) {
    check.action = "set OPENAI_API_KEY";
  } else {
    check.action = "wait until the replicas are ready, or see the gateway's log";
  }
  return check;
}

VerifyCheck replica_health_check(const VerifyObservations& o) {
  VerifyCheck check{"replica-health", CheckVerdict::kPass, "", "status 200 at each replica", ""};
  if (o.replicas.empty()) {
    check.verdict = CheckVerdict::kSkipped;
    check.observed = "no replicas are listed";
    check.action = "give --replica NAME=URL for each";
    return check;
  }
  std::size_t healthy = 0;
  std::size_t unknown = 0;
  std::string bad;
  for (const auto& replica : o.replicas) {
    if (replica.health.status == 200) ++healthy;
    else if (!replica.health.asked || not_routed(replica.health)) ++unknown;
    else bad += (bad.empty() ? "" : "; ") + replica.name + ": " + answer_of(replica.health);
  }
  check.observed = std::to_string(healthy) + " of " + counted(o.replicas.size(), "replica") + " healthy" + (bad.empty() ? "" : "; " + bad);
  if (!bad.empty()) {
    check.verdict = CheckVerdict::kFail;
    check.action = "start what does not answer, or take it out of the list";
  } else if (unknown > 0) {
    check.verdict = CheckVerdict::kInconclusive;
    check.observed += "; " + std::to_string(unknown) + " without a /health beside the metrics";
    check.action = "give the replica's own URL, not that of a metrics exporter";
  }
  return check;
}

VerifyCheck models_check(const VerifyObservations& o) {
  VerifyCheck check{"models", CheckVerdict::kFail, "GET /v1/models: " + answer_of(o.models), "a list with the model in it", ""};
  if (!o.model.empty()) check.expected = "a list with " + o.model + " in it";
  if (!o.models.asked) {
    check.verdict = CheckVerdict::kSkipped;
    check.action = o.why_cut;
    return check;
  }
  if (o.models.status != 200) {
    const bool routed = !not_routed(o.models);
    check.verdict = routed || o.model.empty() ? CheckVerdict::kFail : CheckVerdict::kInconclusive;
    check.action = routed ? "see the gateway's log" : "route /v1/models to the pool; give --model until then";
    return check;
  }
  std::string ids;
  for (const auto& id : o.model_ids) ids += (ids.empty() ? "" : ", ") + id;
  check.observed = ids.empty() ? "no model is listed" + (o.models.problem.empty() ? "" : ": " + o.models.problem) : "listed: " + ids;
  if (std::find(o.model_ids.begin(), o.model_ids.end(), o.model) != o.model_ids.end()) check.verdict = CheckVerdict::kPass;
  else check.action = ids.empty() ? "load a model" : "give --model one of those, or load the other";
  return check;
}

VerifyCheck api_check(const ApiObservation& api) {
  VerifyCheck check{api.id, CheckVerdict::kFail, "", "status 200, text, a finish_reason, usage", ""};
  check.observed = api.status == 0 ? "no answer" : "status " + std::to_string(api.status);
  if (!api.problem.empty()) check.observed += ": " + api.problem;
  if (api.status != 200) {
    const bool client_error = api.status >= 400 && api.status < 500;
    check.action = api.status == 401 || api.status == 403 ? "set OPENAI_API_KEY"
                   : client_error ? "check that the route is served and that the model has what it needs (chat: a template)"
                                  : "see the gateway's and the replica's logs";
    return check;
  }
  std::string missing;
  const auto lacks = [&](bool there, const char* what) {
    if (!there) missing += (missing.empty() ? "" : ", ") + std::string(what);
  };
  lacks(api.text_bytes > 0, "no text");
  lacks(api.whole, "not whole");
  lacks(api.finish_reason, "no finish_reason");
  lacks(api.prompt_tokens != protocol::kUnknownCount && api.output_tokens != protocol::kUnknownCount, "no usage");
  lacks(api.output_tokens == protocol::kUnknownCount || api.output_tokens <= api.max_tokens, "more tokens than asked for");
  lacks(api.prompt_tokens != 0 && api.output_tokens != 0, "a usage of 0 tokens");
  if (missing.empty()) {
    check.verdict = CheckVerdict::kPass;
    check.observed += ", " + counted(api.text_bytes, "byte") + " of text, " + std::to_string(api.prompt_tokens) + " + " +
                      std::to_string(api.output_tokens) + " tokens";
  } else {
    check.observed += "; " + missing;
    check.action = "see the answer itself (curl -i); a gateway in between may cut or rewrite it";
  }
  return check;
}

VerifyCheck untested_api(const VerifyObservations& o, const char* id) {
  VerifyCheck check{id, CheckVerdict::kSkipped, "not tested" + (o.why_cut.empty() ? "" : ": " + o.why_cut), "status 200, text, a finish_reason, usage", ""};
  if (o.cut_short) {
    check.verdict = CheckVerdict::kInconclusive;
    check.action = "run it again with more time";
  }
  return check;
}

VerifyCheck answers_check(const VerifyObservations& o) {
  VerifyCheck check{"probes-answered", CheckVerdict::kPass, "", "every probe is answered", ""};
  std::size_t failed = 0;
  for (const auto* probes : {&o.sticky, &o.spread}) {
    failed += static_cast<std::size_t>(std::count_if(probes->begin(), probes->end(), [](const ProbeObservation& p) {
      return p.judgement.verdict == ProbeVerdict::kFailed;
    }));
  }
  const std::size_t sent = o.sticky.size() + o.spread.size();
  check.observed = std::to_string(sent - failed) + " of " + counted(sent, "probe");
  if (sent == 0) {
    check.verdict = o.cut_short ? CheckVerdict::kInconclusive : CheckVerdict::kSkipped;
    check.observed = "not tested" + (o.why_cut.empty() ? "" : ": " + o.why_cut);
  } else if (failed > 0) {
    check.verdict = CheckVerdict::kFail;
    check.action = "see the gateway's and the replicas' logs";
  }
  return check;
}

}  // namespace

std::string counted(std::size_t n, const std::string& what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

const char* to_string(CheckVerdict verdict) {
  switch (verdict) {
    case CheckVerdict::kPass: return "pass";
    case CheckVerdict::kFail: return "fail";
    case CheckVerdict::kInconclusive: return "inconclusive";
    case CheckVerdict::kSkipped: return "skipped";
  }
  return "";
}

std::size_t spread_prompts(std::size_t replicas) {
  constexpr std::size_t kFallback = 60;
  if (replicas < 2) return kFallback;
  const auto needed = items_needed(replicas, spread_skew(replicas), kSpreadLevel, kSpreadPower, kMostPrompts).value_or(kMostPrompts);
  return std::max(needed, kPromptsPerReplica * replicas);
}

// 60 % is nearly twice a fair share of three; of two it is nearly fair, and finding it would take hundreds of prompts.
double spread_skew(std::size_t replicas) { return replicas <= 2 ? 0.75 : 0.6; }

std::uint32_t prefix_tokens(const std::vector<ReplicaTally>& replicas) {
  std::uint32_t block = 0;
  bool all = !replicas.empty();
  for (const auto& replica : replicas) {
    all = all && replica.block_size_tokens;
    block = std::max(block, replica.block_size_tokens.value_or(0));
  }
  if (!all) block = std::max(block, kAssumedBlock);
  return std::max(kLeastPrefixTokens, kPrefixBlocks * block);
}

VerifyResult verify_checks(const VerifyObservations& observed) {
  VerifyResult result;
  auto& rows = result.checks;
  rows.push_back(health_check(observed));
  rows.push_back(replica_health_check(observed));
  rows.push_back(models_check(observed));
  for (const char* id : {"completion", "completion-stream", "chat", "chat-stream"}) {
    const auto api = std::find_if(observed.api.begin(), observed.api.end(), [id](const ApiObservation& a) { return a.id == id; });
    if (api != observed.api.end()) rows.push_back(api_check(*api));
    else rows.push_back(untested_api(observed, id));
  }
  rows.push_back(answers_check(observed));
  rows.push_back(check_replica_list(observed));
  rows.push_back(check_attribution(observed));
  if (observed.pattern == 1) {
    rows.push_back(check_one_replica(observed));
    rows.push_back(check_cache_hits(observed));
  } else {
    rows.push_back(check_stickiness(observed));
    rows.push_back(check_cache_hits(observed));
    rows.push_back(check_spread(observed));
  }
  const auto any = [&](CheckVerdict verdict) {
    return std::any_of(rows.begin(), rows.end(), [verdict](const VerifyCheck& row) { return row.verdict == verdict; });
  };
  result.verdict = any(CheckVerdict::kFail)           ? CheckVerdict::kFail
                   : any(CheckVerdict::kInconclusive) ? CheckVerdict::kInconclusive
                                                      : CheckVerdict::kPass;
  // What was cut short has not passed, whatever its rows say.
  if (observed.cut_short && result.verdict == CheckVerdict::kPass) result.verdict = CheckVerdict::kInconclusive;
  return result;
}

}  // namespace analyzers
