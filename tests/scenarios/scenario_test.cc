// Scenario files: everything wrong is listed, nothing wrong passes, hostile input ends in an error.
#include "scenarios/scenario.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace scenarios {
namespace {

constexpr std::string_view kSmall = R"({"schema":"gatebench.scenario","schema_version":"1.0","name":"s",
  "load":{"model":"closed","concurrency":2},"stop":{"requests":3},
  "workloads":[{"name":"w","prompt":{"kind":"unique","tokens":10}}]})";

std::string replaced(std::string_view from, std::string_view to) {
  std::string text(kSmall);
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::vector<Problem> problems_of(std::string_view json) {
  std::vector<Problem> problems;
  const auto parsed = parse_scenario(json, "test.json", &problems);
  EXPECT_EQ(parsed.has_value(), problems.empty());
  EXPECT_TRUE(parsed.has_value() || parsed.error().code == core::ErrorCode::kInvalid);
  return problems;
}

TEST(Scenario, DefaultsOfASmallFile) {
  const auto s = parse_scenario(kSmall, "test.json");
  ASSERT_TRUE(s.has_value()) << s.error().message;
  EXPECT_EQ(s->load.concurrency, 2u);
  EXPECT_EQ(s->stop.requests, 3u);
  EXPECT_FALSE(s->stop.duration);
  EXPECT_TRUE(s->stream);
  EXPECT_EQ(s->api, protocol::Api::kCompletions);
  EXPECT_EQ(s->workloads[0].output.max_tokens, 16u);
  EXPECT_TRUE(s->workloads[0].output.ignore_eos);
  EXPECT_EQ(s->request_timeout, std::chrono::seconds(60));
  EXPECT_EQ(s->watermark, "none");
}

TEST(Scenario, ListsEveryProblemWithItsPath) {
  const auto problems = problems_of(R"({"schema":"gatebench.scenario","schema_version":"1.0","name":7,"colour":"red",
    "load":{"model":"closed","concurency":5},"stop":{},
    "workloads":[{"name":"w","weight":-1,"prompt":{"kind":"literal","texts":[]}},
                 {"name":"w","prompt":{"kind":"unique","tokens":1.5},"output":{"min_tokens":99}}]})");
  std::vector<std::string> paths;
  for (const auto& problem : problems) paths.push_back(problem.path);
  const std::vector<std::string> expected = {"$.name",
                                             "$.load.concurrency",
                                             "$.load.concurency",
                                             "$.stop",
                                             "$.workloads[0].weight",
                                             "$.workloads[0].prompt.texts",
                                             "$.workloads[1].prompt.tokens",
                                             "$.workloads[1].output.min_tokens",
                                             "$.workloads[1].name",
                                             "$.colour"};
  EXPECT_EQ(paths, expected);
  EXPECT_EQ(problems[2].hint, "did you mean \"concurrency\"?");
}

TEST(Scenario, MessageNamesTheFileOncePerProblem) {
  const auto s = parse_scenario(replaced("\"requests\"", "\"reqests\""), "my.json");
  ASSERT_FALSE(s.has_value());
  EXPECT_EQ(s.error().message,
            "my.json: $.stop: needs \"requests\" or \"duration_s\" (a run must end)\n"
            "my.json: $.stop.reqests: unknown key (did you mean \"requests\"?)");
}

TEST(Scenario, SyntaxErrorsHaveLineAndColumn) {
  const auto problems = problems_of("{\n  \"schema\": \"x\",\n  oops\n}");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].path, "line 3, column 3");
}

TEST(Scenario, Contradictions) {
  struct Case {
    std::string_view from, to, path;
  };
  const Case cases[] = {
      {"\"concurrency\":2", "\"concurrency\":2,\"rate_rps\":5", "$.load.rate_rps"},
      {"\"concurrency\":2", "\"concurrency\":0", "$.load.concurrency"},
      {"\"model\":\"closed\",\"concurrency\":2", "\"model\":\"open\"", "$.load.rate_rps"},
      {"\"model\":\"closed\",\"concurrency\":2", "\"model\":\"open\",\"rate_rps\":1,\"concurrency\":2", "$.load.concurrency"},
      {"\"model\":\"closed\",\"concurrency\":2", "\"model\":\"open\",\"arrivals\":\"constant\",\"rate_rps\":1,\"burstiness\":2",
       "$.load.burstiness"},
      {"\"requests\":3", "\"duration_s\":1},\"trim_start_s\":1,\"slo\":{", "$.trim_start_s"},
      {"\"requests\":3}", "\"requests\":3},\"serial_probe\":true", "$.serial_probe"},
      {"\"requests\":3}", "\"requests\":3},\"ladder\":[4,4]", "$.ladder"},
      {"\"requests\":3}", "\"requests\":3},\"watermark\":\"prompt-length\"", "$.watermark"},
      {"\"requests\":3}", "\"requests\":3},\"stream\":false,\"continuous_usage\":true", "$.continuous_usage"},
      {"\"schema_version\":\"1.0\"", "\"schema_version\":\"9.0\"", "$.schema_version"},
      {"\"name\":\"s\"", "\"name\":\"\"", "$.name"},
      {"\"requests\":3", "\"requests\":-3", "$.stop.requests"},
      {"\"requests\":3", "\"requests\":99999999999999999999", "$.stop.requests"},
      {"\"tokens\":10", "\"tokens\":10,\"groups\":3", "$.workloads[0].prompt.groups"}};
  for (const Case& c : cases) {
    const auto problems = problems_of(replaced(c.from, c.to));
    ASSERT_EQ(problems.size(), 1u) << c.to;
    EXPECT_EQ(problems[0].path, c.path) << c.to;
  }
}

TEST(Scenario, HostileInputIsAnError) {
  const std::string deep = std::string(200'000, '[');
  const std::string deep_object = [] {
    std::string text;
    for (int i = 0; i < 50'000; ++i) text += "{\"a\":";
    return text;
  }();
  const std::string large = "\"" + std::string(10u << 20, 'a') + "\"";
  const std::string big_number = replaced("\"requests\":3", "\"requests\":1e999");
  const std::string duplicate = replaced("\"name\":\"s\"", "\"name\":\"s\",\"name\":\"t\"");
  for (const std::string& text : {std::string(), std::string("   "), std::string("NaN"), std::string("null"), std::string("[]"),
                                  std::string("{\"a\":\"\xff\"}"), std::string("\0\0", 2), deep, deep_object, large,
                                  big_number, duplicate, replaced("\"tokens\":10", "\"tokens\":NaN"),
                                  std::string(kSmall) + "x"}) {
    EXPECT_FALSE(problems_of(text).empty()) << text.substr(0, 60);
  }
  EXPECT_NE(problems_of(duplicate)[0].message.find("twice"), std::string::npos);
  EXPECT_EQ(problems_of(duplicate)[0].path, "line 1, column 71");
  EXPECT_NE(problems_of(deep)[0].message.find("nested"), std::string::npos);
}

TEST(Scenario, EveryCutOfAFileIsAnErrorOrAScenario) {
  for (std::size_t length = 0; length < kSmall.size(); ++length) {
    EXPECT_FALSE(problems_of(kSmall.substr(0, length)).empty()) << length;
  }
}

TEST(Scenario, CanonicalJsonReadsBackToItself) {
  for (const auto name : catalog_names()) {
    const auto scenario = catalog_scenario(name);
    ASSERT_TRUE(scenario.has_value()) << scenario.error().message;
    EXPECT_EQ(scenario->name, name);
    const std::string json = to_json(*scenario);
    const auto again = parse_scenario(json, "canonical");
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(to_json(*again), json);
  }
}

TEST(Scenario, CanonicalJsonKeepsAwkwardValues) {
  Scenario s = *parse_scenario(kSmall, "t");
  s.description = "quote \" slash \\ line\n";
  s.load = {LoadModel::kOpenPoisson, 1, 0.1, 2.5, 7u};
  s.stop.duration = Duration{1'234'567'891};
  s.slo.tpot_ms = 1.0 / 3.0;
  s.workloads[0].output.min_tokens = 3;
  s.drain_timeout = Duration{0};
  const auto again = parse_scenario(to_json(s), "t");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->description, s.description);
  EXPECT_EQ(again->load.rate_rps, 0.1);
  EXPECT_EQ(again->load.burstiness, 2.5);
  EXPECT_EQ(again->load.max_concurrency, 7u);
  EXPECT_EQ(again->stop.duration, s.stop.duration);
  EXPECT_EQ(again->slo.tpot_ms, s.slo.tpot_ms);
  EXPECT_EQ(again->workloads[0].output.min_tokens, 3u);
  EXPECT_EQ(again->drain_timeout, Duration{0});
}

TEST(Scenario, Catalog) {
  const auto names = catalog_names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  const std::vector<std::string_view> expected = {"haiku",  "hello",           "mars-long",     "mars-verbatim", "mix",
                                                  "saturate", "seed-throughput", "serial", "shared-prefix", "unique"};
  EXPECT_EQ(names, expected);
  const auto missing = catalog_scenario("satturate");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().hint, "did you mean \"saturate\"?");
}

TEST(Scenario, Overrides) {
  const Scenario closed = *parse_scenario(kSmall, "t");
  Overrides overrides;
  overrides.concurrency = 9;
  overrides.requests = 77;
  overrides.max_tokens = 5;
  overrides.ignore_eos = false;
  const auto changed = apply(closed, overrides);
  ASSERT_TRUE(changed.has_value()) << changed.error().message;
  EXPECT_EQ(changed->load.concurrency, 9u);
  EXPECT_EQ(changed->stop.requests, 77u);
  EXPECT_EQ(changed->workloads[0].output.max_tokens, 5u);
  EXPECT_FALSE(changed->workloads[0].output.ignore_eos);
  Overrides rate;
  rate.rate_rps = 3;
  EXPECT_FALSE(apply(closed, rate).has_value());
  const Scenario open = *catalog_scenario("mix");
  ASSERT_TRUE(apply(open, rate).has_value());
  Overrides cap;
  cap.concurrency = 4;
  EXPECT_EQ(apply(open, cap)->load.max_concurrency, 4u);
  Overrides probe;
  probe.concurrency = 2;
  EXPECT_FALSE(apply(*catalog_scenario("serial"), probe).has_value());
}

}  // namespace
}  // namespace scenarios
