// Finds out what a watermark may rest on: do answers end by themselves, does Content-Length reach the replicas, how long
// may a request be. A few requests of the scenario, one by one, under a salt of their own, so that they warm nothing.
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/cli/watermark_options.h"
#include "bench/shell/probe_client.h"
#include "protocol/tokenizer.h"

namespace bench::cli {
namespace {

/// `user` texts of the probes: a gateway may drop what it does not know.
constexpr std::array<std::uint32_t, 4> kPadding{0, 1023, 257, 511};
constexpr std::size_t kAlikeWanted = 3;  ///< equal ones, and none that differs
constexpr std::uint64_t kProbeSalt = 0x70726f6265ULL;
constexpr int kScrapeTries = 3;

using Snapshots = std::vector<std::optional<protocol::VllmSnapshot>>;

/// Over all replicas; one that has had no request yet does not show the counters of HTTP.
struct Totals {
  double requests = 0, bytes = 0, finished = 0, max_tokens = 0;
  bool readable = true;
};

Totals totals_of(const Snapshots& round) {
  Totals out;
  for (const auto& page : round) {
    out.readable = out.readable && page;
    if (!page) continue;
    out.requests += page->http_request_count.value_or(0);
    out.bytes += page->http_request_bytes_sum.value_or(0);
    out.finished += page->request_max_tokens.count;
    out.max_tokens += page->request_max_tokens.sum;
  }
  return out;
}

/// How often a counter moved by exactly what a probe sent, and how often by something else.
struct Comparison {
  std::size_t equal = 0, different = 0;
  void add(double moved, double sent) { ++(std::llround(moved) == std::llround(sent) ? equal : different); }
  [[nodiscard]] bool holds() const { return equal >= kAlikeWanted && different == 0; }
};

/// The first model, and the shortest max_model_len that any states.
struct ModelFacts {
  std::string name;
  std::uint32_t max_model_len = 0;
};

ModelFacts read_models(const std::string& body, const std::string& wanted) {
  ModelFacts out;
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (!document.is_object() || !document.contains("data") || !document["data"].is_array()) return out;
  for (const auto& model : document["data"]) {
    if (!model.is_object() || !model.contains("id") || !model["id"].is_string()) continue;
    const auto id = model["id"].get<std::string>();
    if (!wanted.empty() && id != wanted) continue;
    if (out.name.empty()) out.name = id;
    if (id == out.name && model.contains("max_model_len") && model["max_model_len"].is_number_unsigned()) {
      out.max_model_len = model["max_model_len"].get<std::uint32_t>();
    }
  }
  return out;
}

class FactsProbe {
 public:
  FactsProbe(ProbeClient& client, const scenarios::Scenario& scenario, const scenarios::Schedule& schedule)
      : client_(client), scenario_(scenario), schedule_(schedule) {}

  void run(scenarios::WatermarkFacts& facts) {
    bool bounded = false;
    for (std::size_t i = 0; i < std::min(kPadding.size(), schedule_.requests.size()) && !failed_ && !client_.stopped(); ++i) {
      const auto& planned = schedule_.requests[i];
      bounded = probe(planned, planned.max_tokens, kPadding[i]) || bounded;
    }
    facts.probes = whole_;
    facts.stops_by_itself = whole_ > 0 && !failed_ && !bounded;
    facts.content_length_survives = bodies_.holds();
    facts.tokens_ratio = tokens_ratio_;
    // A server may cap max_tokens: then it counts other values than those it was sent.
    const std::uint32_t largest = failed_ ? 0 : scenarios::largest_max_tokens(scenario_, schedule_, facts);
    if (largest == 0 || client_.stopped()) return;
    bounded = probe(schedule_.requests.front(), largest, 0);
    facts.max_tokens_counted = !failed_ && !bounded && max_tokens_.holds();
  }

 private:
  /// True: the answer ran to its max_tokens.
  bool probe(const scenarios::PlannedRequest& planned, std::uint32_t max_tokens, std::uint32_t pad_bytes) {
    ProbeRequest request;
    request.api = scenario_.api;
    scenarios::render_prompt(scenario_, planned, request.prompt);
    // A text of the scenario's own carries no salt: behind another beginning it warms no cache of the run.
    if (scenario_.workloads[planned.workload].prompt.kind == scenarios::PromptKind::kLiteral) {
      request.prompt.insert(0, "Probe " + std::to_string(++literal_probes_) + " before the run. ");
    }
    request.max_tokens = max_tokens;
    request.stream = scenario_.stream;
    request.pad_bytes = pad_bytes;
    const Totals before = totals_of(client_.scrape());
    const auto answers = client_.send({&request, 1});
    failed_ = answers.empty() || !answers.front().whole || answers.front().output_tokens == kUnknownCount;
    if (failed_) return false;
    const auto& answer = answers.front();
    ++whole_;
    const auto counted = static_cast<double>(protocol::count_tokens(request.prompt));
    if (answer.prompt_tokens != kUnknownCount && counted > 0) tokens_ratio_ = std::max(tokens_ratio_, answer.prompt_tokens / counted);
    compare(before, request, answer);
    return answer.output_tokens >= max_tokens;
  }

  /// Bodies are counted just after the last byte has left, so a first look may come too early. Another's request in
  /// between says nothing about ours.
  void compare(const Totals& before, const ProbeRequest& request, const ProbeAnswer& answer) {
    bool finished = false;
    for (int i = 0; i < kScrapeTries && before.readable; ++i) {
      const Totals after = totals_of(client_.scrape());
      if (!after.readable) return;
      if (!finished && std::llround(after.finished - before.finished) == 1) max_tokens_.add(after.max_tokens - before.max_tokens, request.max_tokens);
      finished = finished || after.finished > before.finished;
      const auto requests = std::llround(after.requests - before.requests);
      if (requests == 1) bodies_.add(after.bytes - before.bytes, answer.body_bytes);
      if (requests > 0) return;
    }
  }

  ProbeClient& client_;
  const scenarios::Scenario& scenario_;
  const scenarios::Schedule& schedule_;
  Comparison bodies_, max_tokens_;
  std::size_t whole_ = 0, literal_probes_ = 0;
  double tokens_ratio_ = 1;
  bool failed_ = false;
};

}  // namespace

core::Result<scenarios::WatermarkFacts> probe_watermark_facts(const RunRequest& request, const scenarios::Scenario& scenario) {
  ProbeClientOptions options;
  options.target_url = request.target_url;
  options.api_key = request.api_key;
  options.replicas = request.replicas;
  options.metrics_access = request.metrics_access;
  options.at_once = 1;
  options.timeout = scenario.request_timeout;
  options.interrupted = request.interrupted;
  auto client = ProbeClient::open(std::move(options));
  if (!client) return client.error();
  scenarios::WatermarkFacts facts;
  facts.replicas = request.replicas.size();
  std::string model = request.model;
  if (const auto models = (*client)->get("/v1/models"); models && models->status == 200) {
    const ModelFacts found = read_models(models->body, model);
    if (model.empty()) model = found.name;
    facts.max_model_len = found.max_model_len;
  }
  (*client)->set_model(model);
  const auto schedule = scenarios::plan(scenario, request.seed, request.cell_salt ^ kProbeSalt);
  if (!schedule) return schedule.error();
  FactsProbe(**client, scenario, *schedule).run(facts);
  return facts;
}

}  // namespace bench::cli
