// What a saved state may hold: no credential, wherever it stands, and everything that a check reads.
#include "deploy/live/redaction.h"

#include <gtest/gtest.h>

#include "tests/support/live_state.h"

namespace {

using deploy::redacted;
using support::Json;
using support::LiveState;

Json pod_with(const Json& container, const Json& annotations = Json::object()) {
  return {{"items", {{{"kind", "Pod"}, {"metadata", {{"name", "x"}, {"annotations", annotations}}}, {"spec", {{"containers", {container}}}}, {"status", {{"message", "secret \"hf-token\" not found"}}}}}}};
}
Json container_of(const std::string& out) { return Json::parse(out).at("items").at(0).at("spec").at("containers").at(0); }

TEST(Redaction, NoCredentialIsLeftWhereverItStands) {
  // LEAK stands for the credential; each of these is a place where one has been seen.
  const std::vector<std::pair<std::string, Json>> places{
      {"argument", {{"args", {"--api-key=LEAK"}}}},
      {"argument, underscored", {{"args", {"--api_key=LEAK", "--hf_token", "LEAK"}}}},
      {"second of several", {{"args", {"--api-key", "LEAK", "LEAK2"}}}},
      {"password of a key file", {{"args", {"--ssl-keyfile-password=LEAK"}}}},
      {"shell string", {{"command", {"sh", "-c", "export HF_TOKEN=LEAK; vllm serve m --api-key LEAK --port 8000"}}}},
      {"quoted in a shell string", {{"command", {"sh", "-c", "GIT_PAT='LEAK x' PASSPHRASE=\"LEAK\" run"}}}},
      {"header of a command", {{"readinessProbe", {{"exec", {{"command", {"curl", "-H", "Authorization: Bearer LEAK_0123", "x"}}}}}}}},
      {"header of a probe", {{"readinessProbe", {{"httpGet", {{"httpHeaders", {{{"name", "X-Any"}, {"value", "LEAK"}}}}}}}}}},
      {"variable", {{"env", {{{"name", "HF_TOKEN"}, {"value", "LEAK"}}, {{"name", "DATABASE_URL"}, {"value", "LEAK"}}, {{"name", "KEY_PASSPHRASE"}, {"value", "LEAK"}}, {{"name", "DB_PASS"}, {"value", "LEAK"}},
                            {{"name", "GIT_PAT"}, {"value", "LEAK"}}, {{"name", "REGISTRY_AUTH"}, {"value", "LEAK"}}, {{"name", "VLLM_API_KEY"}, {"value", "LEAK"}}}}}},
      {"arguments in a variable", {{"env", {{{"name", "VLLM_ADDITIONAL_ARGS"}, {"value", "--max-model-len=2048 --api-key LEAK"}}}}}},
      {"token of known form", {{"args", {"x hf_LEAKLEAKLEAK y", "sk-proj-LEAKLEAKLEAKLEAKLEAK", "ghp_LEAKLEAKLEAK"}}}},
      {"another scheme", {{"args", {"Authorization: Token LEAK7abcdef", "-H", "'Proxy-Authorization: ApiKey LEAK LEAK'"}}}},
      {"url", {{"args", {"--proxy=http://me:LEAK@proxy:3128"}}}}};
  for (const auto& [name, container] : places) {
    const std::string out = redacted(pod_with(container).dump());
    EXPECT_EQ(out.find("LEAK"), std::string::npos) << name << ": " << out;
    EXPECT_NE(out.find("(redacted)"), std::string::npos) << name;
  }
  const std::string annotated = redacted(pod_with(Json::object(), {{"vault.hashicorp.com/token", "LEAK"}, {"kubectl.kubernetes.io/last-applied-configuration", "LEAK"}}).dump());
  EXPECT_EQ(annotated.find("LEAK"), std::string::npos) << annotated;
  const Json route{{"spec", {{"rules", {{{"filters", {{{"type", "RequestHeaderModifier"}, {"requestHeaderModifier", {{"set", {{{"name", "x-goog-iap"}, {"value", "LEAK"}}}}}}}}}}}}}}};
  EXPECT_EQ(redacted(route.dump()).find("LEAK"), std::string::npos);
}

TEST(Redaction, LogsAndKeysInsideStatusesAndConfigurationsAreRead) {
  const Json pod{{"status", {{"containerStatuses", {{{"lastState", {{"terminated", {{"message", "--api-key LEAK2abcdef password=LEAK3abc non-default args: {'api_key': ['LEAK5abcdef']} Authorization: Bearer LEAK4"}}}}}}}}}}};
  EXPECT_EQ(redacted(pod.dump()).find("LEAK"), std::string::npos) << redacted(pod.dump());
  const Json map{{"data", {{"x", "-----BEGIN RSA PRIVATE KEY-----\nLEAK\nLEAK==\n-----END RSA PRIVATE KEY-----\nkept: yes\n"}, {"cut", "-----BEGIN PRIVATE KEY-----\nLEAK"}, {"y", "auth_token:\n  - type: a\n"}}}};
  const std::string out = redacted(map.dump());
  EXPECT_EQ(out.find("LEAK"), std::string::npos) << out;
  EXPECT_EQ(Json::parse(out).at("data").at("x"), "(redacted)\nkept: yes\n");
  EXPECT_EQ(Json::parse(out).at("data").at("y"), "auth_token:\n  - type: a\n");
}

TEST(Redaction, NamesStayWhateverTheyLookLike) {
  const Json object{{"kind", "Deployment"}, {"metadata", {{"name", "sk-telecom-prod"}, {"namespace", "hf_looking"}, {"labels", {{"app", "pk-telecominferenceproduction"}}}}},
                    {"spec", {{"selector", {{"matchLabels", {{"app", "pk-telecominferenceproduction"}}}}}, {"x", "--pool-name=sk-telecom-prod-pool"}}}};
  EXPECT_EQ(Json::parse(redacted(object.dump())), object);
}

TEST(Redaction, VariablesThatArgumentsReferToStay) {
  const Json container{{"args", {"--config-file", "$(CONFIG)", "--api-key=$(API_KEY)"}}, {"env", {{{"name", "CONFIG"}, {"value", "/config/a.yaml"}}, {{"name", "API_KEY"}, {"value", "LEAK"}}, {{"name", "OTHER"}, {"value", "x"}}}}};
  const Json kept = container_of(redacted(pod_with(container).dump()));
  EXPECT_EQ(kept.at("env").at(0).at("value"), "/config/a.yaml");
  EXPECT_EQ(kept.at("env").at(1).at("value"), "(redacted)");
  EXPECT_EQ(kept.at("env").at(2).at("value"), "(redacted)");
}

TEST(Redaction, WhatIsNoCredentialStays) {
  const Json container{{"name", "token-server"},
                       {"args", {"--max-num-batched-tokens=2048", "--port=8000", "--max-model-len", "2048", "--tokenizer=org/model", "--ssl-keyfile=/etc/tls/tls.key", "--token-limit-x"}},
                       {"env", {{{"name", "PJRT_DEVICE"}, {"value", "TPU"}}, {{"name", "VLLM_ADDITIONAL_ARGS"}, {"value", "--max-model-len=2048"}},
                                {{"name", "DB_PASSWORD"}, {"valueFrom", {{"secretKeyRef", {{"name", "s"}, {"key", "k"}}}}}}}}};
  const std::string out = redacted(pod_with(container, {{"inference.networking.k8s.io/bundle-version", "v1.3.0"}, {"other", "x"}}).dump());
  EXPECT_EQ(container_of(out), container);
  const Json item = Json::parse(out).at("items").at(0);
  EXPECT_EQ(item.at("metadata").at("annotations"), (Json{{"inference.networking.k8s.io/bundle-version", "v1.3.0"}, {"other", "(redacted)"}}));
  EXPECT_EQ(item.at("status").at("message"), "secret \"hf-token\" not found");
  EXPECT_EQ(redacted("no json"), "no json");
}

TEST(Redaction, ChangesNoVerdict) {
  for (const auto variant : {deploy::Variant::kGke, deploy::Variant::kIstioKserve, deploy::Variant::kPlain}) {
    const auto live = LiveState::of(3, variant);
    auto files = live.files();
    for (auto& file : files) {
      if (file.name.find(".json") != std::string::npos) file.text = redacted(file.text);
    }
    const auto state = deploy::ClusterState::read(files);
    ASSERT_TRUE(state);
    const auto report = deploy::check_deployment(*state, live.want());
    EXPECT_EQ(deploy::render_check_json(report, live.want()), deploy::render_check_json(live.check(), live.want()));
  }
}

}  // namespace
