#include <gtest/gtest.h>

#include "analyzers/analyze.h"

namespace {

using namespace analyzers;

constexpr const char* kGood = R"({"schema":"gatebench.gates","schema_version":"1.0","on_inconclusive":"report","baseline":{"arm":"A"},
 "defaults":{"confidence":0.95,"guard_ratio":0.05,"min_repeats":5},
 "gates":[
  {"id":"ttft-p99","metric":"ttft_ms.p99","scope":{"arm":"B","scenario":"chat","stage":"*"},"op":"<=","value":450,"confidence":{"rule":"run_t"}},
  {"id":"errors","metric":"failed_ratio","op":"<=","value":0.001,"guard_ratio":0,"confidence":{"rule":"run_sign"}},
  {"id":"no-regress","metric":"ttft_ms.p99","relative_to":"baseline","op":"<=","ratio":1.05,"confidence":{"rule":"paired_t","level":0.99}},
  {"id":"scale","metric":"scaling.throughput_ratio","relative_to":"A","op":">=","value":2.5,"expect":"inconclusive","min_repeats":3,"severity":"warn"}]})";

TEST(GatesParse, ReadsAllMembers) {
  const auto gates = parse_gates(kGood, "gates.json");
  ASSERT_TRUE(gates.has_value()) << gates.error().message;
  ASSERT_EQ(gates->size(), 4u);
  EXPECT_EQ((*gates)[0].scenario, "chat");
  EXPECT_EQ((*gates)[0].arm, "B");
  EXPECT_DOUBLE_EQ((*gates)[0].guard_ratio, 0.05);
  EXPECT_DOUBLE_EQ((*gates)[0].limit, 450);
  EXPECT_EQ((*gates)[0].min_repeats, 5u);
  EXPECT_DOUBLE_EQ((*gates)[1].guard_ratio, 0);
  EXPECT_EQ((*gates)[1].rule, "run_sign");
  EXPECT_EQ((*gates)[2].baseline, "A");
  EXPECT_DOUBLE_EQ((*gates)[2].limit, 1.05);
  EXPECT_DOUBLE_EQ((*gates)[2].confidence, 0.99);
  EXPECT_DOUBLE_EQ((*gates)[2].guard_ratio, 0);
  EXPECT_EQ((*gates)[3].expect, Verdict::kInconclusive);
  EXPECT_TRUE((*gates)[3].warn_only);
}

TEST(GatesParse, ListsEveryErrorWithItsPath) {
  const auto gates = parse_gates(R"({"schema":"gatebench.gates","schema_version":"1.0","surprise":1,"gates":[
    {"id":"a","metric":"ttft_ms.p9","op":"<=","value":1},
    {"id":"a","metric":"requests_per_s","op":"=","value":"fast"},
    {"id":"c","metric":"requests_per_s","op":">=","ratio":1.1},
    {"id":"d","metric":"requests_per_s","op":">=","relative_to":"baseline","ratio":1.1},
    {"id":"e","metric":"requests_per_s","op":">=","value":1,"confidence":{"rule":"vibes"},"scope":{"arms":"B"}}]})", "g.json");
  ASSERT_FALSE(gates.has_value());
  const auto& text = gates.error().message;
  for (const char* part : {"$.surprise", "$.gates[0].metric", "did you mean \"ttft_ms.p9", "$.gates[1].id", "$.gates[1].op", "$.gates[1].value",
                           "$.gates[2].ratio", "$.gates[3].relative_to", "$.gates[4].confidence.rule", "$.gates[4].scope.arms", "g.json: "}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(GatesParse, BrokenJsonAndWrongShapes) {
  for (const char* bad : {"", "{", "[]", "null", R"({"gates":{}})", R"({"schema":"gatebench.gates","schema_version":"2.0","gates":[]})",
                          R"({"schema":"gatebench.gates","schema_version":"1.0","gates":[17]})"}) {
    const auto gates = parse_gates(bad, "x");
    ASSERT_FALSE(gates.has_value()) << bad;
    EXPECT_EQ(gates.error().code, core::ErrorCode::kInvalid);
    EXPECT_FALSE(gates.error().message.empty());
  }
}

TEST(GatesParse, SpecsSurviveTheStore) {
  ExperimentSpec spec;
  spec.id = "01X";
  spec.name = "Pattern \"3\" \n against 1";
  spec.arms = {{"p1", "baseline", 1, 5.5}, {"p3", "candidate", 3, {}}};
  spec.gates = *parse_gates(kGood, "g");
  spec.gates[0].limit = 0.1 + 0.2;
  const auto back = parse_experiment_spec(to_json(spec), "store");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(spec));
  EXPECT_EQ(back->name, spec.name);
  EXPECT_EQ(back->arms[0].usd_per_hour, 5.5);
  EXPECT_FALSE(back->arms[1].usd_per_hour.has_value());
  EXPECT_EQ(back->gates[0].limit, 0.1 + 0.2);
  EXPECT_EQ(back->gates[3].expect, Verdict::kInconclusive);
  EXPECT_FALSE(parse_experiment_spec("{}", "store").has_value());
}

}  // namespace
