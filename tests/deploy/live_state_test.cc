// Saved states: what they may hold, what of them is written, and how hostile ones end.
#include <gtest/gtest.h>

#include "core/rng.h"
#include "deploy/live/capture_plan.h"
#include "deploy/yaml/json.h"
#include "tests/support/live_state.h"

namespace {

using deploy::CheckState;
using deploy::ClusterState;
using deploy::SourceFile;
using support::Json;
using support::LiveState;

TEST(LiveState, NothingCapturedIsUnknownAndNeverPassed) {
  const deploy::Expectation want(deploy::default_values({3, deploy::Variant::kPlain, deploy::Pin::kCurrent}));
  const auto state = ClusterState::read({{"capture.json", R"({"time":"2026-02-13T11:00:00Z"})"}});
  ASSERT_TRUE(state);
  const auto report = deploy::check_deployment(*state, want);
  EXPECT_EQ(report.count(CheckState::kUnknown), report.results.size());
}

TEST(LiveState, AnEmptyAnswerIsNoneThere) {
  auto live = LiveState::of(3, deploy::Variant::kPlain);
  live.lists.erase("configmaps.json");
  auto files = live.files();
  files.push_back({"configmaps.json", "\n"});   // kubectl get configmaps NAME --ignore-not-found
  const auto state = ClusterState::read(files);
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->has("ConfigMap"));
  EXPECT_FALSE(state->has("Secret"));
  EXPECT_EQ(state->absence("pods.json").reason, deploy::AbsenceReason::kNotCaptured);
}

TEST(LiveState, WithoutRequestsSkipsWhatNeedsThem) {
  auto live = LiveState::of(3, deploy::Variant::kPlain);
  live.requests = nullptr;
  live.capture["without_requests"] = true;
  const auto report = live.check();
  EXPECT_EQ(report.worst(), CheckState::kPassed);
  EXPECT_EQ(report.count(CheckState::kSkipped), 2U);   // C9, K9
}

TEST(LiveState, PodsThatEndAreNoReplicas) {
  auto live = LiveState::of(3, deploy::Variant::kPlain);
  Json ending = live.server_pod(0);
  ending["metadata"]["name"] = "ending";
  ending["metadata"]["deletionTimestamp"] = "2026-02-13T10:59:00Z";
  live.lists["pods.json"].push_back(ending);
  Json done = live.server_pod(0);
  done["metadata"]["name"] = "done";
  done["status"]["phase"] = "Succeeded";
  live.lists["pods.json"].push_back(done);
  Json of_others = done;
  of_others["metadata"] = {{"name", "batch"}, {"namespace", live.want().name_space()}, {"labels", {{"app", "batch"}}}};
  of_others["status"] = {{"phase", "Failed"}, {"reason", "Evicted"}};
  live.lists["pods.json"].push_back(of_others);
  EXPECT_EQ(live.check().worst(), CheckState::kPassed);
}

TEST(LiveState, ParentsOfOthersAreNotJudged) {
  auto live = LiveState::of(3, deploy::Variant::kPlain);
  const Json foreign = Json::parse(R"({"parentRef":{"kind":"Gateway","name":"of-another-team"},"conditions":[{"type":"Accepted","status":"False","reason":"NotAllowedByListeners"}]})");
  const Json made_by_the_api_server = Json::parse(R"({"parentRef":{"kind":"Status","name":"default"},"conditions":[{"type":"Accepted","status":"Unknown","reason":"Pending","message":"Waiting for controller"}]})");
  auto& pool = live.object("inferencepools.json", live.want().names().pool);
  for (const auto& one : {foreign, made_by_the_api_server}) pool["status"]["parents"].push_back(one);
  live.object("httproutes.json", live.want().names().route)["status"]["parents"].push_back(foreign);
  EXPECT_EQ(live.check().worst(), CheckState::kPassed) << deploy::render_check_text(live.check(), live.want(), {});
  pool["status"]["parents"] = Json::array({made_by_the_api_server});
  const auto text = deploy::render_check_text(live.check(), live.want(), {});
  EXPECT_NE(text.find("no Gateway uses it: its status names no parent"), std::string::npos) << text;
}

TEST(LiveState, OthersPoliciesAndFiltersAreOthersMatter) {
  auto live = LiveState::of(3, deploy::Variant::kIstioKserve);
  const std::string space = live.want().name_space();
  live.lists["networkpolicies.json"].push_back(Json::parse(R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"batch","namespace":")" + space +
                                                           R"("},"spec":{"podSelector":{"matchLabels":{"app":"batch"}},"policyTypes":["Egress"],"egress":[{}]}})"));
  const auto filter = [](const std::string& gateway, const std::string& route) {
    return Json::parse(R"({"apiVersion":"networking.istio.io/v1alpha3","kind":"EnvoyFilter","metadata":{"name":"theirs","namespace":"opendatahub"},"spec":{"workloadSelector":{"labels":{"gateway.networking.k8s.io/gateway-name":")" +
                       gateway + R"("}},"configPatches":[{"applyTo":"HTTP_ROUTE","match":{"routeConfiguration":{"vhost":{"route":{"name":")" + route +
                       R"("}}}},"patch":{"operation":"MERGE","value":{"typed_per_filter_config":{"envoy.filters.http.ext_proc":{"overrides":{}}}}}}]}})");
  };
  live.lists["envoyfilters.json"] = {filter("inference-gateway", "other-team.their-route.0"), filter("another-gateway", space + ".x.0"),
                                     Json::parse(R"({"apiVersion":"networking.istio.io/v1alpha3","kind":"EnvoyFilter","metadata":{"name":"authn","namespace":"opendatahub"},"spec":{"configPatches":[{"applyTo":"HTTP_FILTER","patch":{"operation":"INSERT_BEFORE","value":{"name":"envoy.filters.http.ext_authz"}}}]}})")};
  EXPECT_EQ(live.check().worst(), CheckState::kPassed) << deploy::render_check_text(live.check(), live.want(), {});
  live.lists["envoyfilters.json"] = {filter("inference-gateway", space + "." + live.want().names().route + ".0")};
  EXPECT_EQ(live.check().worst(), CheckState::kFailed);
}

TEST(LiveState, AnAutoscalerMayDecideTheReplicas) {
  auto values = deploy::default_values({3, deploy::Variant::kPlain, deploy::Pin::kCurrent});
  values.set("hpa.enabled", "true");
  const deploy::Expectation want(values);
  const auto [least, most] = want.replicas();
  ASSERT_LT(least, most);
  LiveState live(values);
  EXPECT_EQ(live.check().worst(), CheckState::kPassed) << deploy::render_check_text(live.check(), live.want(), {});
}

TEST(LiveState, BrokenFilesAreNamed) {
  const struct {
    SourceFile file;
    const char* words;
  } cases[] = {{{"pods.json", "{\"items\": ["}, "pods.json: is no JSON"},
               {{"pods.json", "apiVersion: v1\nitems: []\n"}, "pods.json: is no JSON"},
               {{"pods.json", "[1, 2]"}, "pods.json"},
               {{"requests.json", "{}"}, "requests.json: has no list \"requests\""},
               {{"nodes.json", std::string(200, '[') + std::string(200, ']')}, "nodes.json: nests deeper than 120"},
               {{"extra.json", "\x00\xff garbage"}, "extra.json: is no JSON"}};
  for (const auto& one : cases) {
    const auto state = ClusterState::read({one.file});
    ASSERT_FALSE(state) << one.words;
    EXPECT_NE(state.error().message.find(one.words), std::string::npos) << state.error().message;
  }
}

TEST(LiveState, StatusesOfTheWrongShapeNeverCrash) {
  // Every value of every object replaced by another kind, one at a time: judged, in whatever way.
  const auto live = LiveState::of(1, deploy::Variant::kIstioKserve);
  std::size_t tried = 0;
  for (const auto& [file, items] : live.lists) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      const Json flat = items[i].flatten();
      for (const auto& [pointer, value] : flat.items()) {
        if (pointer.rfind("/spec/template/spec", 0) == 0 || pointer.rfind("/data", 0) == 0) continue;
        for (const auto* other : {"null", "[]", "{}", "-1", "\"\"", "[[[{}]]]"}) {
          auto broken = live;
          broken.lists[file][i][Json::json_pointer(pointer)] = Json::parse(other);
          const auto state = ClusterState::read(broken.files());
          ++tried;
          if (!state) continue;
          (void)deploy::check_deployment(*state, live.want());
        }
      }
    }
  }
  EXPECT_GT(tried, 500U);
}

TEST(LiveState, DamagedFilesNeverCrash) {
  core::Rng rng(7);
  std::size_t read = 0;
  for (const auto variant : {deploy::Variant::kGke, deploy::Variant::kIstioKserve, deploy::Variant::kPlain}) {
    const auto live = LiveState::of(1, variant);
    const auto whole = live.files();
    for (int i = 0; i < 150; ++i) {
      auto files = whole;
      auto& text = files[rng.below(files.size())].text;
      for (std::uint64_t n = 1 + rng.below(3); n > 0 && !text.empty(); --n) {
        const auto at = rng.below(text.size());
        // Digits and letters keep most of it JSON, so that the checks see it.
        text[at] = "0a9\"{}[]:,-\\\n\xff"[rng.below(14)];
      }
      const auto state = ClusterState::read(files);
      if (!state) continue;
      ++read;
      (void)deploy::render_check_json(deploy::check_deployment(*state, live.want()), live.want());
      (void)deploy::base_url(*state, live.want());
    }
  }
  EXPECT_GT(read, 50U);
}

TEST(LiveState, MetricsPagesAreReadAtRandomCuts) {
  for (std::size_t cut = 0; cut <= support::picker_page("p", 5, 3).size(); ++cut) {
    auto live = LiveState::of(1, deploy::Variant::kPlain);
    for (auto& [name, text] : live.pages) text = text.substr(0, cut);
    EXPECT_GE(live.check().worst(), CheckState::kPassed);
  }
}

TEST(LiveState, ControlCharactersDoNotReachTheTerminal) {
  auto live = LiveState::of(3, deploy::Variant::kPlain);
  live.answer(3, 500, "\x1b[2J\x07 evil\nC1 passed\r");
  const auto text = deploy::render_check_text(live.check(), live.want(), {false, true});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\x07'), std::string::npos);
  EXPECT_EQ(text.find("evil\nC1"), std::string::npos) << text;
}

TEST(LiveState, TextAndJsonSayTheSame) {
  auto live = LiveState::of(3, deploy::Variant::kPlain);
  live.lists["gateways.json"].clear();
  const auto report = live.check();
  const auto text = deploy::render_check_text(report, live.want(), {});
  EXPECT_NE(text.find("failed   C6  Gateway\n    failed: Gateway llm-d-inference-scheduling/pattern3-gateway: there is none\n      expected: pattern3-gateway\n      do: apply it"), std::string::npos) << text;
  EXPECT_NE(text.find("\n12 passed, 1 failed\n"), std::string::npos) << text;
  const auto json = Json::parse(deploy::render_check_json(report, live.want()));
  EXPECT_EQ(json.at("schema"), "gatebench.deploy-check");
  EXPECT_EQ(json.at("failed"), 1);
  EXPECT_EQ(json.at("checks").at(5).at("check"), "C6");
  EXPECT_EQ(json.at("checks").at(5).at("lines").at(0).at("observed"), "there is none");
}

TEST(LiveState, WhatIsAskedAndWhereRequestsGo) {
  const auto gke = LiveState::of(3, deploy::Variant::kGke);
  auto state = ClusterState::read(gke.files());
  ASSERT_TRUE(state);
  EXPECT_EQ(*deploy::base_url(*state, gke.want()), "http://192.0.2.7");
  const auto sources = deploy::metrics_sources(*state, gke.want());
  ASSERT_EQ(sources.size(), 4U);
  EXPECT_EQ(sources[0].proxy_path("ns"), "/api/v1/namespaces/ns/pods/gaie-pattern3-epp-xyz:9090/proxy/metrics");
  EXPECT_EQ(sources[1].proxy_path("ns"), "/api/v1/namespaces/ns/pods/ms-pattern3-llm-d-modelservice-decode-abc-0:8000/proxy/metrics");

  auto plain = LiveState::of(3, deploy::Variant::kPlain);
  auto& gateway = plain.object("gateways.json", "pattern3-gateway");
  gateway["status"]["addresses"][0]["value"] = "2001:db8::7";
  gateway["spec"]["listeners"][0]["port"] = 8080;
  EXPECT_EQ(*deploy::base_url(*ClusterState::read(plain.files()), plain.want()), "http://[2001:db8::7]:8080");
  gateway["spec"]["listeners"][0] = {{"port", 443}, {"protocol", "HTTPS"}};
  EXPECT_EQ(*deploy::base_url(*ClusterState::read(plain.files()), plain.want()), "https://[2001:db8::7]");
  gateway["status"]["addresses"] = Json::array();
  EXPECT_FALSE(deploy::base_url(*ClusterState::read(plain.files()), plain.want()));

  const auto kserve = LiveState::of(3, deploy::Variant::kIstioKserve);
  EXPECT_EQ(*deploy::base_url(*ClusterState::read(kserve.files()), kserve.want()), "http://192.0.2.7/llm-d-inference-scheduling/qwen2-3b-pattern3");
  const auto planned = deploy::planned_requests(kserve.want(), 2);
  ASSERT_EQ(planned.size(), 5U);
  EXPECT_EQ(Json::parse(planned[2].body).at("max_tokens"), deploy::kRequestMaxTokens);
  EXPECT_EQ(Json::parse(planned[4].body).at("model"), "Qwen/Qwen2.5-3B-Instruct");
}

TEST(LiveState, NoQueryAsksForSecrets) {
  for (const auto variant : {deploy::Variant::kGke, deploy::Variant::kIstioKserve, deploy::Variant::kPlain}) {
    for (const auto& query : deploy::resource_queries(deploy::Expectation(deploy::default_values({3, variant, deploy::Pin::kCurrent})))) {
      EXPECT_EQ(query.command().find("secret"), std::string::npos) << query.command();
    }
  }
}

TEST(LiveJson, IsReadLikeYaml) {
  const std::string text = R"({"a": [1, 2.5, true, null, "x\u00e9\n"], "b": {"c": -7, "d": 18446744073709551615}, "a2": "1", "e": {}, "f": []})";
  const auto document = deploy::parse_json_document(text, "f.json");
  ASSERT_TRUE(document);
  const auto& root = document->root;
  EXPECT_EQ(root["a"][std::size_t{0}].integer(), 1);
  EXPECT_EQ(root["a"][std::size_t{1}].number(), 2.5);
  EXPECT_TRUE(root["a"][std::size_t{2}].is_true());
  EXPECT_EQ(root["a"][std::size_t{3}].kind, deploy::NodeKind::kNull);
  EXPECT_EQ(root["a"][std::size_t{4}].str(), "x\xc3\xa9\n");
  EXPECT_EQ(root.path({"b", "c"}).integer(), -7);
  EXPECT_EQ(root.path({"b", "d"}).str(), "18446744073709551615");
  EXPECT_TRUE(root["a2"].is_string());
  EXPECT_TRUE(root["e"].is_map());
  EXPECT_TRUE(root["f"].is_list());
}

TEST(LiveJson, CutAnywhereIsAnErrorWithThePlace) {
  const std::string text = R"({"items":[{"a":"b\"c","n":-1.5e3},[],{}],"k":true})";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    const auto document = deploy::parse_json_document(text.substr(0, cut), "f.json");
    ASSERT_FALSE(document) << cut;
    EXPECT_NE(document.error().message.find("f.json: is no JSON: it breaks at byte "), std::string::npos) << document.error().message;
  }
  EXPECT_TRUE(deploy::parse_json_document(text, "f.json"));
}

TEST(LiveJson, LimitsHold) {
  EXPECT_FALSE(deploy::parse_json_document("{\"a\":" + std::string(100000, '['), "f.json"));
  const auto many = deploy::parse_json_document("[1,2,3,4,5,6]", "f.json", {1u << 20, 5, 10});
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().message.find("more than 5 values"), std::string::npos);
  const auto large = deploy::parse_json_document(std::string(64, ' '), "f.json", {32, 5, 10});
  ASSERT_FALSE(large);
  std::string keys = "{";
  for (int i = 0; i < 20'002; ++i) keys += (i > 0 ? "," : "") + std::string("\"k") + std::to_string(i) + "\":0";
  EXPECT_FALSE(deploy::parse_json_document(keys + "}", "f.json"));
  EXPECT_EQ(deploy::parse_json_document(R"({"a":1,"a":2})", "f.json")->root["a"].integer(), 2);
}

}  // namespace
