// The rules of report.json: keys, nulls with reasons, seeds as text, nothing that is not a number.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fixtures.h"
#include "reports/render.h"

namespace reports {
namespace {

using Json = nlohmann::ordered_json;

/// Calls `visit` for each object of the document.
template <class Visit>
void each_object(const Json& value, const Visit& visit) {
  if (value.is_object()) visit(value);
  if (!value.is_structured()) return;
  for (const Json& item : value) each_object(item, visit);
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

TEST(Json, TopLevelKeysAreTheseInThisOrder) {
  const std::vector<std::string> expected{"schema", "schema_version", "run",     "environment", "scenarios", "validity", "arms",
                                          "comparisons", "scaling", "attribution", "gates", "findings", "cells"};
  for (const auto& fixture : fixtures::all()) {
    const Json report = Json::parse(render_json(fixture.analysis));
    EXPECT_EQ(keys_of(report), expected) << fixture.name;
    EXPECT_EQ(report["schema"], "gatebench.report");
    EXPECT_EQ(report["schema_version"], "1.0");
  }
}

TEST(Json, EstimatesHaveSixKeysAndAReasonWhenTheyHaveNoValue) {
  const std::vector<std::string> expected{"value", "low", "high", "n", "method", "reason"};
  for (const auto& fixture : fixtures::all()) {
    std::size_t seen = 0;
    each_object(Json::parse(render_json(fixture.analysis)), [&](const Json& object) {
      if (!object.contains("low")) return;
      ++seen;
      EXPECT_EQ(keys_of(object), expected);
      if (object["value"].is_null()) { EXPECT_NE(object["reason"], ""); }
    });
    if (fixture.name != "empty") { EXPECT_GT(seen, 10U) << fixture.name; }
  }
}

TEST(Json, NoNanAndNoInfinity) {
  const std::string text = render_json(fixtures::not_finite());
  const Json report = Json::parse(text);  // NaN or Infinity would not parse
  EXPECT_TRUE(report["run"]["duration_s"].is_null());
  EXPECT_TRUE(report["arms"][0]["summary"][0]["estimate"]["value"].is_null());
  EXPECT_EQ(report["arms"][0]["summary"][0]["estimate"]["reason"], "the computed figure is not a finite number");
  EXPECT_TRUE(report["gates"][0]["limit"].is_null());
  EXPECT_TRUE(report["cells"][0]["series"][0]["value"][2].is_null());
  EXPECT_EQ(report["cells"][0]["series"][0]["value"].size(), report["cells"][0]["series"][0]["t_s"].size());
}

TEST(Json, ASeedBeyond53BitsKeepsItsDigits) {
  const Json report = Json::parse(render_json(fixtures::rich()));
  EXPECT_EQ(report["scenarios"][0]["seed"], "18446744073709551615");
}

TEST(Json, FiguresKeepFullPrecisionAndCurvesSixDigits) {
  analyzers::Analysis analysis = fixtures::small();
  analysis.arms[0].summary[0].estimate.value = 0.1 + 0.2;
  analysis.arms[0].distributions[0].survival[0] = {123.456789123, 0.987654321};
  const Json report = Json::parse(render_json(analysis));
  EXPECT_EQ(report["arms"][0]["summary"][0]["estimate"]["value"].get<double>(), 0.1 + 0.2);
  EXPECT_EQ(report["arms"][0]["distributions"][0]["survival"]["at_ms"][0].get<double>(), 123.457);
  EXPECT_EQ(report["arms"][0]["distributions"][0]["survival"]["above_ratio"][0].get<double>(), 0.987654);
}

TEST(Json, RowsNameTheirScenarioAndArms) {
  const Json report = Json::parse(render_json(fixtures::three_arms()));
  for (const char* section : {"comparisons", "scaling"}) {
    ASSERT_FALSE(report[section].empty());
    for (const Json& row : report[section]) {
      EXPECT_NE(row["scenario"], "");
      EXPECT_NE(row["baseline"], "");
      EXPECT_NE(row["candidate"], "");
    }
  }
  for (const char* section : {"attribution", "gates", "findings", "cells", "arms"}) {
    ASSERT_FALSE(report[section].empty());
    for (const Json& row : report[section]) {
      EXPECT_NE(row["scenario"], "");
      EXPECT_NE(row["arm"], "");
    }
  }
}

TEST(Json, WrongIsNullWithAReasonWhereNothingNamedTheReplica) {
  const Json single = Json::parse(render_json(fixtures::single_run()));
  EXPECT_TRUE(single["attribution"][0]["wrong"].is_null());
  EXPECT_NE(single["attribution"][0]["wrong_reason"], "");
  const Json rich = Json::parse(render_json(fixtures::rich()));
  EXPECT_EQ(rich["attribution"][0]["wrong"], 0);
  EXPECT_FALSE(rich["attribution"][0].contains("wrong_reason"));
}

TEST(Json, AMeasuredZeroIsZeroAndAMarginIsSigned) {
  const Json zero = Json::parse(render_json(fixtures::zero_successes()));
  EXPECT_EQ(zero["arms"][0]["summary"][0]["estimate"]["value"], 0.0);
  const Json rich = Json::parse(render_json(fixtures::rich()));
  EXPECT_NEAR(rich["gates"][0]["margin"].get<double>(), 0.49, 1e-12);
  EXPECT_NEAR(rich["gates"][1]["margin"].get<double>(), -1.27, 1e-12);
  EXPECT_TRUE(rich["gates"][3]["margin_ratio"].is_null());
  EXPECT_EQ(rich["gates"][3]["margin_reason"], "the limit is 0");
}

TEST(Json, HostileNamesSurviveAsData) {
  const Json report = Json::parse(render_json(fixtures::hostile()));
  const std::string name = report["run"]["name"];
  EXPECT_EQ(name.rfind("</script><img", 0), 0U);
  EXPECT_GT(name.size(), 10'000U);
  EXPECT_EQ(render_json(fixtures::hostile()).find('\x1b'), std::string::npos);
  EXPECT_EQ(render_json(fixtures::hostile()).find('\0'), std::string::npos);
}

}  // namespace
}  // namespace reports
