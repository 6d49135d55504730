// See verify_session.h.
#include "bench/cli/verify_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/hash.h"
#include "core/rng.h"
#include "protocol/tokenizer.h"

namespace bench::cli {
namespace {

using analyzers::ProbeJudgement;
using analyzers::ProbeObservation;
using analyzers::ProbeSequence;
using analyzers::ProbeVector;
using analyzers::ProbeVerdict;

constexpr std::uint32_t kApiTokens = 16;
constexpr std::size_t kSuffixWords = 12, kUnrelatedWords = 64, kPattern1Probes = 10;
/// Most output tokens that a probe in a reserved bucket, or in one of eight, may cost.
constexpr std::uint32_t kMostTokens = 128;
/// Ambiguous attempts after which a bucket is reserved.
constexpr std::size_t kForeignAttempts = 2;

/// Prompts and limits differ from probe to probe, so that a neighbour's finish does not look like ours.
constexpr std::size_t kLengths = 7;
constexpr std::uint32_t kLimits = 4;

analyzers::RouteObservation observe(const core::Result<Answer>& answer) {
  analyzers::RouteObservation out;
  out.asked = true;
  if (answer) out.status = answer->status;
  else out.problem = answer.error().message;
  return out;
}

ProbeVector vector_of(const ProbeRequest& request, const ProbeAnswer& answer) {
  return {answer.prompt_tokens, answer.output_tokens, request.max_tokens, answer.latency};
}

void describe(ProbeObservation& probe, const ProbeAnswer& answer) {
  probe.prompt_tokens = answer.prompt_tokens;
  probe.cached_tokens = answer.cached_tokens;
  probe.observed_name = answer.observed_name;
  if (!answer.whole) probe.judgement = {ProbeVerdict::kFailed, -1, 0, false};
}

}  // namespace

core::Result<VerifyOutcome> VerifySession::run() {
  ProbeClientOptions client;
  client.target_url = options_.target_url;
  client.api_key = options_.api_key;
  client.replicas = options_.replicas;
  client.metrics_access = options_.metrics_access;
  client.interrupted = options_.interrupted;
  client.deadline = core::SteadyClock().now() + options_.time_limit;
  auto opened = ProbeClient::open(std::move(client));
  if (!opened) return opened.error();
  client_ = std::move(*opened);
  outcome_.observed.pattern = options_.pattern;
  outcome_.observed.expected_replicas = options_.expected_replicas;
  outcome_.observed.use_header = options_.use_header;
  if (auto asked = ask_routes(); !asked) return asked.error();
  describe_replicas();
  if (!outcome_.observed.model.empty()) {
    check_api();
    may_reserve_ = true;
    probe_stickiness();
    probe_spread();
  }
  auto& observed = outcome_.observed;
  for (std::size_t r = 0; r < observed.replicas.size(); ++r) observed.replicas[r].metrics_problem = client_->scrape_problem(r);
  outcome_.interrupted = client_->interrupted();
  observed.cut_short = client_->stopped();
  if (observed.cut_short) {
    observed.why_cut = outcome_.interrupted ? "interrupted" : fmt::format("the time limit of {:.0f} s was reached", core::to_seconds(options_.time_limit));
  } else if (observed.model.empty()) {
    observed.why_cut = "no model is known to ask for";
  }
  outcome_.requests = client_->requests_sent();
  outcome_.result = analyzers::verify_checks(observed);
  return std::move(outcome_);
}

core::Status VerifySession::ask_routes() {
  say("asking for health and models");
  auto& observed = outcome_.observed;
  const auto models = client_->get("/v1/models");
  if (!models) {
    core::Error error = models.error();
    error.message = "the target is not reachable: " + error.message;
    return error;
  }
  observed.models = observe(models);
  observed.health = observe(client_->get("/health"));
  if (models->status == 200) {
    if (auto ids = parse_model_list(models->body)) observed.model_ids = std::move(*ids);
    else observed.models.problem = ids.error().message;
  }
  observed.model = options_.model;
  if (observed.model.empty() && !observed.model_ids.empty()) observed.model = observed.model_ids.front();
  client_->set_model(observed.model);
  return {};
}

void VerifySession::describe_replicas() {
  auto& observed = outcome_.observed;
  for (std::size_t r = 0; r < options_.replicas.size(); ++r) {
    analyzers::ReplicaObservation replica;
    replica.name = options_.replicas[r].name;
    replica.metrics_url = options_.replicas[r].metrics_url;
    if (!client_->stopped()) replica.health = observe(client_->get_at_replica(r, "/health"));
    observed.replicas.push_back(std::move(replica));
  }
  if (options_.replicas.empty()) return;
  observed.ledger.emplace(options_.replicas.size());
  scrape();
  for (const auto& page : newest_) outcome_.simulated = outcome_.simulated || (page && (page->sim_step.present || page->sim_step_late.present));
}

const VerifySession::Snapshots& VerifySession::scrape() {
  newest_ = client_->scrape();
  if (outcome_.observed.ledger) outcome_.observed.ledger->round(newest_);
  return newest_;
}

std::string VerifySession::words(const std::string& stream, std::size_t index, std::size_t attempt, std::size_t tokens) const {
  std::string text;
  const std::uint64_t seed = core::Rng(options_.seed).fork(stream).fork(index * 16 + attempt).next();
  protocol::append_words(text, seed, tokens);
  return text;
}

void VerifySession::check_api() {
  struct Call {
    const char* id;
    protocol::Api api;
    bool stream;
  };
  constexpr Call kCalls[] = {{"completion", protocol::Api::kCompletions, false},
                             {"completion-stream", protocol::Api::kCompletions, true},
                             {"chat", protocol::Api::kChat, false},
                             {"chat-stream", protocol::Api::kChat, true}};
  std::size_t index = 0;
  for (const Call& call : kCalls) {
    if (client_->stopped()) return;
    say(call.id);
    ProbeAnswer answer;
    const auto make = [&](std::size_t attempt) {
      return ProbeRequest{call.api, "Say hello." + words("api", index, attempt, kSuffixWords + index), kApiTokens, call.stream};
    };
    (void)probe(make, answer);
    ++index;
    if (client_->stopped() && !answer.whole) return;
    analyzers::ApiObservation api;
    api.id = call.id;
    api.status = answer.status;
    api.text_bytes = answer.text_bytes;
    api.whole = answer.whole;
    api.finish_reason = answer.finish_reason;
    api.prompt_tokens = answer.prompt_tokens;
    api.output_tokens = answer.output_tokens;
    api.max_tokens = kApiTokens;
    api.problem = answer.problem;
    outcome_.observed.api.push_back(std::move(api));
  }
}

void VerifySession::probe_stickiness() {
  auto& observed = outcome_.observed;
  observed.sticky_wanted = options_.sticky_probes;
  const auto tallies = observed.ledger ? observed.ledger->replicas() : std::vector<analyzers::ReplicaTally>{};
  const std::string prefix = words("prefix", 0, 0, analyzers::prefix_tokens(tallies));
  if (observed.ledger && !client_->stopped()) scrape();
  const Snapshots before = newest_;
  for (std::size_t i = 0; i < options_.sticky_probes && !client_->stopped(); ++i) {
    say(fmt::format("stickiness: {} of {} prompts with a common prefix", i + 1, options_.sticky_probes));
    ProbeAnswer answer;
    std::size_t bytes = prefix.size();
    const auto make = [&](std::size_t attempt) {
      ProbeRequest request{protocol::Api::kCompletions, prefix + words("suffix", i, attempt, kSuffixWords + i % kLengths),
                           1 + static_cast<std::uint32_t>(i) % kLimits, true};
      bytes = request.prompt.size();
      return request;
    };
    ProbeObservation probed = probe(make, answer);
    if (client_->stopped() && !answer.whole) break;
    const double share = static_cast<double>(prefix.size()) / static_cast<double>(bytes);
    observed.prefix_share = observed.sticky.empty() ? share : std::max(observed.prefix_share, share);
    observed.sticky.push_back(std::move(probed));
  }
  for (std::size_t r = 0; r < newest_.size() && r < before.size(); ++r) {
    if (!before[r] || !newest_[r] || !before[r]->prefix_hits_tokens || !newest_[r]->prefix_hits_tokens) continue;
    observed.replicas[r].hit_tokens = *newest_[r]->prefix_hits_tokens - *before[r]->prefix_hits_tokens;
    if (before[r]->prefix_queries_tokens && newest_[r]->prefix_queries_tokens) {
      observed.replicas[r].queried_tokens = *newest_[r]->prefix_queries_tokens - *before[r]->prefix_queries_tokens;
    }
  }
}

void VerifySession::probe_spread() {
  auto& observed = outcome_.observed;
  const std::size_t replicas = std::max<std::size_t>(options_.replicas.size(), options_.use_header ? std::max(3u, options_.expected_replicas) : 0);
  const std::size_t wanted = options_.spread_probes.value_or(options_.pattern == 1 ? kPattern1Probes : analyzers::spread_prompts(replicas));
  // Nobody could say where they went: they would only cost time.
  if (options_.replicas.empty() && !options_.use_header) return;
  observed.spread_wanted = wanted;
  std::vector<analyzers::FreeBucket> buckets;
  if (options_.at_once > 1 && !client_->stopped()) {
    const auto& now = scrape();
    buckets = analyzers::free_buckets(analyzers::view(now), analyzers::view(now), kMostTokens);
    if (buckets.size() > options_.at_once) buckets.resize(options_.at_once);
  }
  // With a wrong list the counts of a spread mean nothing; replica-list has the news.
  const auto list_is_wrong = [&] { return observed.ledger && !options_.use_header && observed.ledger->list_is_wrong(); };
  while (observed.spread.size() < wanted && !client_->stopped() && !list_is_wrong()) {
    const std::size_t i = observed.spread.size();
    say(fmt::format("spread: {} of {} unrelated prompts", i + 1, wanted));
    if (buckets.size() > 1 && !reservation_) {
      probe_batch(i, std::min(buckets.size(), wanted - i), buckets);
      continue;
    }
    ProbeAnswer answer;
    const auto make = [&](std::size_t attempt) {
      return ProbeRequest{protocol::Api::kCompletions, words("unrelated", i, attempt, kUnrelatedWords + i % kLengths),
                          1 + static_cast<std::uint32_t>(i) % kLimits, true};
    };
    ProbeObservation probed = probe(make, answer);
    if (client_->stopped() && !answer.whole) break;
    observed.spread.push_back(std::move(probed));
  }
}

ProbeObservation VerifySession::probe(const MakeRequest& make, ProbeAnswer& answer) {
  ProbeObservation out;
  if (options_.replicas.empty()) {
    const ProbeRequest request = make(0);
    answer = client_->send({&request, 1}).front();
    describe(out, answer);
    return out;
  }
  const auto& ledger = *outcome_.observed.ledger;
  if (may_reserve_ && !reservation_tried_ && ledger.with(ProbeVerdict::kForeign) >= kForeignAttempts) reserve_bucket();
  out.reserved = reservation_.has_value();
  out.judgement = attribute(make, out.reserved, answer);
  describe(out, answer);
  if (out.reserved) check_reservation();
  return out;
}

ProbeJudgement VerifySession::attribute(const MakeRequest& make, bool reserved, ProbeAnswer& answer) {
  using Step = ProbeSequence::Step;
  ProbeSequence sequence(analyzers::ProbeLimits{}, reserved);
  std::size_t judged = 0;
  while (sequence.step() != Step::kDone && !client_->stopped()) {
    switch (sequence.step()) {
      case Step::kSend: {
        ProbeRequest request = make(static_cast<std::size_t>(sequence.attempts()));
        if (reserved) request.max_tokens = reservation_->bucket.buckets().front().max_tokens;
        answer = client_->send({&request, 1}).front();
        if (answer.whole) {
          sequence.answered(vector_of(request, answer));
        } else {
          sequence.failed();
          // The server may have finished it all the same: it is no other's traffic.
          outcome_.observed.ledger->attempt(sequence.judgement(), {}, {}, {}, 0);
        }
        if (reserved && answer.whole) ++reservation_->finished;
        break;
      }
      case Step::kWaitThenScrapeAfter:
        client_->wait(sequence.scrape_gap());
        [[fallthrough]];
      case Step::kScrapeBefore:
      case Step::kScrapeAfter:
      case Step::kConfirm: {
        sequence.scraped(scrape());
        const std::size_t now = sequence.earlier().size() + (sequence.step() == Step::kDone ? 1 : 0);
        if (now == judged) break;
        judged = now;
        const ProbeJudgement& verdict = sequence.step() == Step::kDone ? sequence.judgement() : sequence.earlier().back();
        outcome_.observed.ledger->attempt(verdict, sequence.probe(), sequence.before(), sequence.after(), answer.body_bytes);
        break;
      }
      case Step::kDone: break;
    }
  }
  if (sequence.step() != Step::kDone) return {ProbeVerdict::kNoScrape, -1, 0, false};
  return sequence.judgement();
}

void VerifySession::probe_batch(std::size_t first, std::size_t count, const std::vector<analyzers::FreeBucket>& buckets) {
  std::vector<ProbeRequest> requests;
  for (std::size_t i = 0; i < count; ++i) {
    requests.push_back({protocol::Api::kCompletions, words("unrelated", first + i, 0, kUnrelatedWords + (first + i) % kLengths), buckets[i].max_tokens, true});
  }
  const Snapshots before = scrape();
  const auto answers = client_->send(requests);
  std::vector<ProbeVector> vectors;
  for (std::size_t i = 0; i < count; ++i) vectors.push_back(vector_of(requests[i], answers[i]));
  const analyzers::ProbeLimits limits;
  std::vector<ProbeJudgement> judged;
  const bool all_whole = std::all_of(answers.begin(), answers.end(), [](const ProbeAnswer& a) { return a.whole; });
  for (int tries = 0; tries < limits.scrapes_after && all_whole && !client_->stopped(); ++tries) {
    if (tries > 0) client_->wait(limits.scrape_gap);
    judged = analyzers::judge_batch(analyzers::view(before), analyzers::view(scrape()), vectors, false);
    if (std::all_of(judged.begin(), judged.end(), [](const ProbeJudgement& j) { return j.verdict != ProbeVerdict::kNotYet; })) break;
  }
  if (!judged.empty()) {
    const Snapshots after = newest_;
    const auto later = analyzers::view(scrape());
    for (std::size_t i = 0; i < count; ++i) {
      const ProbeVerdict confirmed = analyzers::confirm(analyzers::view(after), later, vectors[i], true);
      if (judged[i].verdict == ProbeVerdict::kExact && confirmed != ProbeVerdict::kExact) judged[i] = {confirmed, -1, judged[i].finishes, false};
    }
  }
  // Those that are to be repeated were ours too, wherever they were counted; only a probe alone may accuse the list.
  for (std::size_t i = 0; i < count; ++i) {
    if (i < judged.size() && judged[i].verdict == ProbeVerdict::kExact) continue;
    const ProbeVerdict verdict = answers[i].whole ? ProbeVerdict::kForeign : ProbeVerdict::kFailed;
    outcome_.observed.ledger->attempt({verdict, -1, 0, false}, vectors[i], {}, {}, 0);
  }
  for (std::size_t i = 0; i < count && !client_->stopped(); ++i) {
    ProbeObservation out;
    ProbeAnswer answer = answers[i];
    if (i < judged.size() && judged[i].verdict == ProbeVerdict::kExact) {
      out.judgement = judged[i];
      outcome_.observed.ledger->attempt(judged[i], vectors[i], analyzers::view(before), analyzers::view(newest_), answer.body_bytes);
      describe(out, answer);
    } else {
      const auto again = [&, i](std::size_t attempt) {
        return ProbeRequest{protocol::Api::kCompletions, words("unrelated", first + i, attempt + 1, kUnrelatedWords + (first + i) % kLengths), requests[i].max_tokens, true};
      };
      out = probe(again, answer);
    }
    outcome_.observed.spread.push_back(std::move(out));
  }
}

void VerifySession::reserve_bucket() {
  reservation_tried_ = true;
  say("other traffic moves the counters: watching for a max_tokens bucket that nobody uses");
  const Snapshots first = scrape();
  client_->wait(options_.watch);
  const auto free = analyzers::free_buckets(analyzers::view(first), analyzers::view(scrape()), kMostTokens);
  if (free.empty() || client_->stopped()) return;
  reservation_ = Reservation{analyzers::ProbeReservation({free.front()}), newest_, 0};
}

void VerifySession::check_reservation() {
  if (client_->stopped()) return;
  if (reservation_->bucket.holds(analyzers::view(reservation_->first), analyzers::view(newest_), reservation_->finished)) return;
  outcome_.observed.reservation_broken = true;
  reservation_.reset();
}

}  // namespace bench::cli
