// What the program publishes as a schema is what it writes: every fixture validates, and what is wrong does not.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "fixtures.h"
#include "reports/render.h"

namespace reports {
namespace {

using Json = nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

class Checker {
 public:
  explicit Checker(std::string_view name) {
    const auto text = schema(name);
    if (!text) throw std::runtime_error(text.error().message);
    document_ = Json::parse(*text);
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(Adapter(document_), schema_);
  }
  /// Empty when valid; else the first complaints.
  [[nodiscard]] std::string complaints(const Json& value) const {
    valijson::Validator validator;
    valijson::ValidationResults results;
    const Adapter target(value);
    if (validator.validate(schema_, target, &results)) return {};
    std::string out;
    valijson::ValidationResults::Error error;
    while (results.popError(error) && out.size() < 600) {
      for (const std::string& step : error.context) out += step;
      out += ": " + error.description + "\n";
    }
    return out.empty() ? "not valid" : out;
  }

 private:
  Json document_;
  valijson::Schema schema_;
};

TEST(Schema, EveryFixtureValidates) {
  const Checker checker("report");
  for (const auto& fixture : fixtures::all()) {
    EXPECT_EQ(checker.complaints(Json::parse(render_json(fixture.analysis))), "") << fixture.name;
  }
}

TEST(Schema, BrokenReportsDoNot) {
  const Checker checker("report");
  const Json good = Json::parse(render_json(fixtures::rich()));
  ASSERT_EQ(checker.complaints(good), "");
  const auto broken = [&](const char* what, const auto& change) {
    Json copy = good;
    change(copy);
    EXPECT_NE(checker.complaints(copy), "") << what;
  };
  broken("an unknown key at the top", [](Json& report) { report["extra"] = 1; });
  broken("an unknown key deep inside", [](Json& report) { report["arms"][0]["summary"][0]["estimate"]["p"] = 1; });
  broken("a missing section", [](Json& report) { report.erase("cells"); });
  broken("another schema", [](Json& report) { report["schema"] = "gatebench.gates"; });
  broken("a null without a reason", [](Json& report) {
    report["arms"][0]["summary"][0]["estimate"]["value"] = nullptr;
    report["arms"][0]["summary"][0]["estimate"]["reason"] = "";
  });
  broken("a number as text", [](Json& report) { report["scaling"][0]["throughput_ratio"]["value"] = "2.99"; });
  broken("a seed as a number", [](Json& report) { report["scenarios"][0]["seed"] = 42; });
  broken("a verdict as a boolean", [](Json& report) { report["gates"][0]["verdict"] = true; });
  broken("an unknown verdict", [](Json& report) { report["scaling"][0]["verdict"] = "maybe"; });
  broken("a row without its arm", [](Json& report) { report["attribution"][0].erase("arm"); });
  broken("a share above 1", [](Json& report) { report["arms"][0]["distributions"][0]["survival"]["above_ratio"][0] = 1.5; });
}

TEST(Schema, ScenarioFiles) {
  const Checker checker("scenario");
  const Json good = Json::parse(R"({"schema":"gatebench.scenario","schema_version":"1.0","name":"s","description":"d","api":"completions",
    "stream":true,"continuous_usage":false,"load":{"model":"closed","concurrency":15},"stop":{"requests":300},"trim_start_s":1,
    "workloads":[{"name":"w","weight":1,"prompt":{"kind":"unique","tokens":100},"output":{"max_tokens":50,"ignore_eos":true},"think_time_s":0}],
    "slo":{"ttft_ms":500},"timeouts":{"request_s":60,"connect_s":5,"drain_s":10},"ladder":[8,16],"serial_probe":false,"watermark":"none"})");
  EXPECT_EQ(checker.complaints(good), "");
  const auto broken = [&](const char* what, const auto& change) {
    Json copy = good;
    change(copy);
    EXPECT_NE(checker.complaints(copy), "") << what;
  };
  broken("a misspelt key", [](Json& scenario) { scenario["concurency"] = 3; });
  broken("a rate on a closed loop", [](Json& scenario) { scenario["load"]["rate_rps"] = 3; });
  broken("no way to stop", [](Json& scenario) { scenario["stop"] = Json::object(); });
  broken("no workload", [](Json& scenario) { scenario["workloads"] = Json::array(); });
  broken("keys of another prompt kind", [](Json& scenario) { scenario["workloads"][0]["prompt"]["groups"] = 3; });
}

TEST(Schema, BundledScenariosValidate) {
  const Checker checker("scenario");
  const std::filesystem::path folder = std::filesystem::path(GATEBENCH_SOURCE_DIR) / "scenarios" / "catalog";
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream in(entry.path());
    EXPECT_EQ(checker.complaints(Json::parse(in)), "") << entry.path();
    ++seen;
  }
  EXPECT_GT(seen, 0U);
}

TEST(Schema, GatesFiles) {
  const Checker checker("gates");
  Json gates = Json::parse(R"({"schema":"gatebench.gates","schema_version":"1.0","gates":[
    {"id":"scaling","metric":"scaling.throughput_ratio","scope":{"scenario":"saturate","arm":"pattern3"},"op":">=","value":2.5,"expect":"pass"},
    {"id":"gain","metric":"requests_per_s","relative_to":"baseline","op":">=","ratio":1.1,"confidence":{"rule":"paired_t","level":0.95},
     "guard_ratio":0,"severity":"warn"}],"baseline":{"arm":"pattern1"},"defaults":{"confidence":0.95,"guard_ratio":0.05,"min_repeats":5}})");
  EXPECT_EQ(checker.complaints(gates), "");
  gates["gates"][1].erase("relative_to");
  EXPECT_NE(checker.complaints(gates), "") << "a ratio to nothing";
  gates["gates"].erase(1);
  gates["gates"][0]["op"] = "==";
  EXPECT_NE(checker.complaints(gates), "");
  gates["gates"][0]["op"] = "<=";
  gates["gates"][0]["limt"] = 1;
  EXPECT_NE(checker.complaints(gates), "");
}

TEST(Schema, AnUnknownNameIsRefusedWithTheKnownOnes) {
  const auto result = schema("reprot");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, core::ErrorCode::kInvalid);
  EXPECT_NE(result.error().hint.find("report"), std::string::npos);
}

}  // namespace
}  // namespace reports
