// What plan foresees: exact sums, edges, and JSON that fits the published schema.
#include "bench/cli/outlook.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "bench/cli/page_cost.h"
#include "reports/render.h"

namespace {

using namespace bench;
using namespace bench::cli;
using namespace std::chrono_literals;
using Json = nlohmann::json;
using scenarios::Scenario;

WatermarkOptions watermark(const std::string& word) {
  WatermarkOptions out;
  OptionTable table;
  out.declare(table);
  *std::get<std::string*>(table.entries().front().target) = word;
  return out;
}

Scenario open_loop(double rate_rps, std::uint32_t requests) {
  Scenario s;
  s.name = "made";
  s.load.model = scenarios::LoadModel::kOpenPoisson;
  s.load.rate_rps = rate_rps;
  s.stop.requests = requests;
  scenarios::Workload w;
  w.name = "w";
  w.prompt.kind = scenarios::PromptKind::kSharedPrefix;
  w.prompt.groups = 4;
  w.prompt.prefix_tokens = 160;
  w.prompt.suffix_tokens = 40;
  w.output.max_tokens = 10;
  s.workloads.push_back(w);
  return s;
}

Outlook seen(const Scenario& scenario, const std::string& word = "", const OutlookOptions& options = {}) {
  auto out = look_ahead(scenario, watermark(word), options);
  EXPECT_TRUE(out) << out.error().message;
  return std::move(*out);
}

/// Empty when it fits.
std::string complaints(const Json& value) {
  const Json document = Json::parse(*reports::schema("plan"));
  valijson::Schema schema;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema);
  valijson::Validator validator;
  valijson::ValidationResults results;
  if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(value), &results)) return {};
  valijson::ValidationResults::Error error;
  std::string out = "not valid: ";
  while (results.popError(error)) out += error.description + "\n";
  return out;
}

TEST(Outlook, SumsAreExact) {
  OutlookOptions options;
  options.kv_tokens = 6400;
  const auto o = seen(open_loop(10, 100), "", options);
  EXPECT_EQ(o.all.requests, 100U);
  EXPECT_EQ(o.all.prompt_tokens, 100U * 200);
  EXPECT_EQ(o.all.most_output_tokens, 1000U);
  EXPECT_TRUE(o.all.output_exact);
  EXPECT_EQ(o.all.longest_tokens, 210U);
  EXPECT_EQ(o.shared_prefix_tokens, 640U);
  EXPECT_FALSE(o.in_flight_tokens_most);
  EXPECT_DOUBLE_EQ(o.ideal_hit_ratio, 96 * 160.0 / 20000);  // all but the first of each group, whole blocks of 16
  EXPECT_EQ(*o.sending_s, core::to_seconds(o.schedule.requests.back().intended));
  EXPECT_EQ(o.client_bytes_most, 100 * (sizeof(scenarios::PlannedRequest) + sizeof(RequestRecord)) + 1000 * sizeof(TokenEvent));
  const auto text = outlook_text(o, options);
  EXPECT_NE(text.find("shared prefixes 640 tokens (10.0 % of a replica's 6400), or 214 on each of 3 replicas"), std::string::npos) << text;
  EXPECT_NE(text.find("rests on: Poisson arrivals"), std::string::npos);
}

TEST(Outlook, AClosedLoopTakesAsLongAsItsTargetAndIsSoSaid) {
  Scenario s = open_loop(1, 100);
  s.load = {};
  s.load.concurrency = 8;
  const auto o = seen(s);
  EXPECT_FALSE(o.sending_s);
  EXPECT_EQ(o.rounds, 12.5);
  EXPECT_EQ(*o.in_flight_tokens_most, 8U * 210);
  const auto text = outlook_text(o, {});
  EXPECT_NE(text.find("about 13 times its E2E (100 requests, 8 at a time)"), std::string::npos) << text;
  EXPECT_NE(text.find("the rate of a closed loop is the target's"), std::string::npos);
  s.stop.requests.reset();
  s.stop.duration = 5s;
  EXPECT_EQ(*seen(s).sending_s, 5);
  const auto json = Json::parse(outlook_json(o, {}));
  EXPECT_TRUE(json.at("attribution").at("predicted_coverage_ratio").is_null());
  EXPECT_GT(json.at("attribution").at("rate_for_99_percent_rps").get<double>(), 10);
}

TEST(Outlook, JsonFitsItsSchemaWhateverIsPlanned) {
  std::vector<std::pair<Scenario, OutlookOptions>> cases;
  for (const std::size_t replicas : {0, 1, 3, 16, 64}) {
    OutlookOptions options;
    options.replicas = replicas;
    cases.emplace_back(open_loop(50, 40), options);
  }
  OutlookOptions fixed_interval;
  fixed_interval.scrape.interval = 100ms;
  fixed_interval.kv_tokens = 1000;
  cases.emplace_back(open_loop(500, 40), fixed_interval);
  cases.emplace_back(open_loop(10, 1), OutlookOptions{});
  Scenario empty = open_loop(0.001, 1);
  empty.stop.requests.reset();
  empty.stop.duration = 1s;
  cases.emplace_back(empty, OutlookOptions{});
  for (const auto name : scenarios::catalog_names()) cases.emplace_back(*scenarios::catalog_scenario(name), OutlookOptions{});
  for (const auto& [scenario, options] : cases) {
    for (const std::string word : {"", "auto", "prompt"}) {
      const auto o = seen(scenario, word, options);
      const Json json = Json::parse(outlook_json(o, options));
      EXPECT_EQ(complaints(json), "") << scenario.name << " " << word << "\n" << json.dump(1);
    }
  }
  EXPECT_EQ(outlook_json(seen(open_loop(10, 10), "auto"), {}), outlook_json(seen(open_loop(10, 10), "auto"), {}));
  Json broken = Json::parse(outlook_json(seen(open_loop(10, 10)), {}));
  broken["attribution"]["predicted_coverage_ratio"] = 1.5;
  EXPECT_NE(complaints(broken), "");
  broken = Json::parse(outlook_json(seen(open_loop(10, 10)), {}));
  broken.erase("kv_cache");
  EXPECT_NE(complaints(broken), "");
}

TEST(Outlook, NothingToSendAndNobodyToReadAreSaid) {
  Scenario empty = open_loop(0.001, 1);
  empty.stop.requests.reset();
  empty.stop.duration = 1s;
  const auto nothing = seen(empty, "auto");
  EXPECT_EQ(nothing.all.requests, 0U);
  EXPECT_NE(outlook_text(nothing, {}).find("no arrival falls into the scenario's duration"), std::string::npos);
  EXPECT_EQ(nothing.marked.choice.kind, scenarios::WatermarkKind::kNone);
  OutlookOptions none;
  none.replicas = 0;
  const auto blind = outlook_text(seen(open_loop(10, 10), "", none), none);
  EXPECT_NE(blind.find("predicted attribution: none"), std::string::npos) << blind;
  EXPECT_EQ(blind.find("rests on"), std::string::npos);
  OutlookOptions one;
  one.replicas = 1;
  EXPECT_EQ(seen(open_loop(1000, 10), "auto", one).marked.choice.kind, scenarios::WatermarkKind::kNone);
}

TEST(Outlook, ManyRequestsOfHugeLengthsAreLookedAtInPart) {
  Scenario s = open_loop(20, 1'000'000);
  s.workloads[0].prompt.prefix_tokens = 1'000'000;
  s.workloads[0].prompt.suffix_tokens = 1'000'000;
  s.workloads[0].output.max_tokens = 2'000'000;
  const auto o = seen(s, "auto");
  EXPECT_EQ(o.all.requests, 1'000'000U);
  EXPECT_EQ(o.all.longest_tokens, 4'000'034U);
  EXPECT_GT(o.all.prompt_tokens, 2'000'000'000'000U);
  EXPECT_EQ(o.ideal_hit_requests, 2U);
}

TEST(Outlook, WhatOnlyTheTargetKnowsIsRefused) {
  for (const std::string word : {"body", "max-tokens"}) {
    const auto refused = look_ahead(open_loop(10, 10), watermark(word), {});
    ASSERT_FALSE(refused) << word;
    EXPECT_NE(refused.error().message.find("only the target can tell"), std::string::npos) << refused.error().message;
  }
}

TEST(Outlook, FourteenLengthsWhereEightDoNotDoAndTheyPay) {
  OutlookOptions options;
  options.scrape.interval = 100ms;
  const auto marks = [&](double rate_rps) { return seen(open_loop(rate_rps, 2000), "auto", options).marked.choice.marks.size(); };
  EXPECT_EQ(marks(25), 8U);    // λ 0.8: 8 lengths are enough
  EXPECT_EQ(marks(120), 14U);  // λ 4
  const auto hopeless = seen(open_loop(2000, 2000), "auto", options).marked.choice;  // λ 67
  EXPECT_EQ(hopeless.kind, scenarios::WatermarkKind::kNone);
  EXPECT_EQ(hopeless.extra_prompt_tokens, 0);
  EXPECT_NE(hopeless.why.find("no tokens are spent"), std::string::npos) << hopeless.why;
  EXPECT_EQ(seen(open_loop(2000, 2000), "prompt", options).marked.choice.marks.size(), 8U);  // asked for
}

TEST(PageCost, WhatIsAffordableFollowsFromCostAndLimit) {
  ScrapeOptions options;
  EXPECT_EQ(affordable(options, 500us).min_gap, 20ms);   // 0.5 ms at 5 %: 10 ms would do
  EXPECT_EQ(affordable(options, 4600us).min_gap, 92ms);
  EXPECT_EQ(affordable(options, 1s).min_gap, 1s);        // never rarer than once a second
  EXPECT_EQ(affordable(options, 0us).min_gap, 20ms);     // unknown
  options.interval = 50ms;
  EXPECT_EQ(affordable(options, 4600us).min_gap, 20ms);  // a fixed interval is a fixed interval
}

TEST(PageCost, ADeadReplicaTellsNothing) {
  RunRequest request;
  EXPECT_EQ(measured_page_cost(request), 0ns);
  request.replicas.push_back({"a", "http://127.0.0.1:1/metrics", {}});
  EXPECT_EQ(measured_page_cost(request), 0ns);
}

}  // namespace
