// Finds out what a watermark may rest on: do answers end by themselves, does Content-Length reach the replicas, how long
// may a request be. A few requests of the scenario, one by one, under a salt of their own, so that they warm nothing.
#include <cmath>
#include <nlohmann/json.hpp>

#include "bench/cli/watermark_options.h"
#include "bench/shell/probe_client.h"

namespace bench::cli {
namespace {

constexpr std::size_t kProbes = 4;
constexpr std::size_t kSizesWanted = 3;  ///< equal ones, and none that differs
constexpr std::uint64_t kProbeSalt = 0x70726f6265ULL;
constexpr int kScrapeTries = 3;

using Snapshots = std::vector<std::optional<protocol::VllmSnapshot>>;

/// Over all replicas; one that has had no request yet does not show the counter.
struct HttpTotals {
  double requests = 0, bytes = 0;
  bool readable = true;
};

HttpTotals totals_of(const Snapshots& round) {
  HttpTotals out;
  for (const auto& page : round) {
    out.readable = out.readable && page;
    if (!page) continue;
    out.requests += page->http_request_count.value_or(0);
    out.bytes += page->http_request_bytes_sum.value_or(0);
  }
  return out;
}

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
    bool all_stop = true, bounded = false;
    for (std::size_t i = 0; i < std::min(kProbes, schedule_.requests.size()) && !client_.stopped(); ++i) {
      const auto answer = probe(schedule_.requests[i]);
      if (!answer.whole || answer.output_tokens == kUnknownCount) {
        all_stop = false;
        continue;
      }
      bounded = bounded || answer.output_tokens >= schedule_.requests[i].max_tokens;
      ++whole_;
    }
    facts.stops_by_itself = whole_ > 0 && all_stop && !bounded;
    facts.content_length_survives = equal_ >= kSizesWanted && different_ == 0;
  }

 private:
  ProbeAnswer probe(const scenarios::PlannedRequest& planned) {
    ProbeRequest request;
    request.api = scenario_.api;
    scenarios::render_prompt(scenario_, planned, request.prompt);
    request.max_tokens = planned.max_tokens;
    request.stream = scenario_.stream;
    const HttpTotals before = totals_of(client_.scrape());
    auto answers = client_.send({&request, 1});
    if (answers.empty()) return {};
    compare(before, answers.front());
    return answers.front();
  }

  /// Counted just after the last byte has left, so a first look may come too early.
  void compare(const HttpTotals& before, const ProbeAnswer& answer) {
    for (int i = 0; i < kScrapeTries && before.readable && answer.whole; ++i) {
      const HttpTotals after = totals_of(client_.scrape());
      if (!after.readable) return;
      const auto requests = std::llround(after.requests - before.requests);
      if (requests < 1) continue;
      // Another's request in between says nothing about ours.
      if (requests == 1) ++(std::llround(after.bytes - before.bytes) == static_cast<long long>(answer.body_bytes) ? equal_ : different_);
      return;
    }
  }

  ProbeClient& client_;
  const scenarios::Scenario& scenario_;
  const scenarios::Schedule& schedule_;
  std::size_t whole_ = 0, equal_ = 0, different_ = 0;
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
