// Live checks of clusters that are healthy in another way than the bundle's own: what other controllers, teams, charts and
// spellings leave behind is no fault.
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/live_state.h"

namespace {

using deploy::CheckState;
using support::condition;
using support::Json;
using support::LiveState;

constexpr auto kGke = deploy::Variant::kGke;
constexpr auto kKserve = deploy::Variant::kIstioKserve;
constexpr auto kPlain = deploy::Variant::kPlain;

struct Unusual {
  std::string name;
  deploy::Variant variant;
  std::function<void(LiveState&)> make;
};

Json& route(LiveState& s) { return s.object("httproutes.json", s.want().names().route); }
Json& pool(LiveState& s) { return s.object("inferencepools.json", s.want().names().pool); }
Json& gateway(LiveState& s) { return s.object("gateways.json", s.want().names().gateway); }
Json& server_container(LiveState& s, std::size_t i) { return s.server_pod(i)["spec"]["containers"][0]; }

Json parent(const std::string& name_space, const std::string& name, const std::string& controller, const Json& conditions) {
  return {{"parentRef", {{"group", "gateway.networking.k8s.io"}, {"kind", "Gateway"}, {"namespace", name_space}, {"name", name}}}, {"controllerName", controller}, {"conditions", conditions}};
}

Json filter(const std::string& name_space, const Json& spec) {
  return {{"apiVersion", "networking.istio.io/v1alpha3"}, {"kind", "EnvoyFilter"}, {"metadata", {{"name", "theirs"}, {"namespace", name_space}}}, {"spec", spec}};
}

const Json kDropsThePicker = Json::parse(R"([{"applyTo":"HTTP_ROUTE","patch":{"operation":"MERGE","value":{"typed_per_filter_config":{"envoy.filters.http.ext_proc":{"overrides":{}}}}}}])");

void second_picker_waits(LiveState& s) {
  Json& args = s.picker_pod()["spec"]["containers"][0]["args"];
  args.push_back("--ha-enable-leader-election");
  Json waiting = s.picker_pod();
  waiting["metadata"]["name"] = s.want().names().picker + "-follower";
  waiting["status"]["containerStatuses"][0]["ready"] = false;
  for (auto& one : waiting["status"]["conditions"]) {
    if (one["type"] == "Ready") one["status"] = "False";
  }
  s.lists["pods.json"].push_back(waiting);
}

/// As the inferencepool chart writes it: its own default file beside the one that the picker is told to read.
void chart_with_two_files(LiveState& s) {
  Json& data = s.lists["configmaps.json"][0]["data"];
  const std::string ours = data.begin().value();
  std::string other = ours;
  const auto at = other.find("\"weight\":3");
  if (at == std::string::npos) throw std::runtime_error("no weight 3 in " + other);
  other.replace(at, 10, "\"weight\":1");
  data = {{"default-plugins.yaml", other}, {"custom-plugins.yaml", ours}, {"payload-agnostic.yaml", "kind: EndpointPickerConfig\napiVersion: llm-d.ai/v1alpha1\nplugins:\n- type: passthrough-parser\n"}};
  for (auto& arg : s.picker_pod()["spec"]["containers"][0]["args"]) {
    if (arg == "/config/default-plugins.yaml") arg = "/config/custom-plugins.yaml";
  }
}

const std::vector<Unusual>& unusual() {
  static const std::vector<Unusual> all{
      {"a policy controller's own entry in the route's status", kPlain, [](LiveState& s) { route(s)["status"]["parents"].push_back(parent(s.want().names().gateway_namespace, s.want().names().gateway, "kuadrant.io/policy-controller", {condition("kuadrant.io/AuthPolicyAffected")})); }},
      {"a Gateway of the same name elsewhere that takes neither route nor pool", kPlain, [](LiveState& s) {
         for (Json* object : {&route(s), &pool(s)}) (*object)["status"]["parents"].push_back(parent("another-team", s.want().names().gateway, "istio.io/gateway-controller", {condition("Accepted", "False", "NotAllowedByListeners")})); }},
      {"one route on two listeners", kGke, [](LiveState& s) { gateway(s)["status"]["listeners"].push_back({{"name", "https"}, {"attachedRoutes", 1}}); }},
      {"underscores in flags", kKserve, [](LiveState& s) { server_container(s, 1)["args"] = {"--max_model_len=2048", "--enable_prefix_caching"}; }},
      {"arguments through a variable", kKserve, [](LiveState& s) {
         server_container(s, 1)["command"] = {"/bin/bash", "-c"};
         server_container(s, 1)["args"] = {"eval \"vllm serve /mnt/models --port 8000 ${VLLM_ADDITIONAL_ARGS}\""};
         server_container(s, 1)["env"] = {{{"name", "VLLM_ADDITIONAL_ARGS"}, {"value", "--max-model-len=2048 --enable-prefix-caching"}}}; }},
      {"a file named inside a word", kGke, [](LiveState& s) {
         Json& container = s.picker_pod()["spec"]["containers"][0];
         container["args"] = {"--pool-name", "x", "--config-file=$(FOLDER)/default-plugins.yaml"};
         container["env"] = {{{"name", "FOLDER"}, {"value", "/config"}}}; }},
      {"a picker that waits to lead", kPlain, second_picker_waits},
      {"a chart's ConfigMap of three files", kGke, chart_with_two_files},
      {"a filter for another Gateway, by targetRefs", kKserve, [](LiveState& s) { s.lists["envoyfilters.json"].push_back(filter("opendatahub", {{"targetRefs", {{{"kind", "Gateway"}, {"name", "another-gateway"}}}}, {"configPatches", kDropsThePicker}})); }},
      {"a filter of the whole mesh that touches other routes", kKserve, [](LiveState& s) { s.lists["envoyfilters-mesh.json"].push_back(filter("istio-system", Json::parse(R"({"configPatches":[{"applyTo":"HTTP_FILTER","patch":{"operation":"INSERT_BEFORE","value":{"name":"envoy.filters.http.ext_authz"}}}]})"))); }},
      {"the mesh's namespace may not be read", kKserve, [](LiveState& s) { s.absent("envoyfilters-mesh.json", "forbidden", "envoyfilters is forbidden"); }},
      {"a rule of KServe's for other paths", kKserve, [](LiveState& s) { route(s)["spec"]["rules"].push_back({{"backendRefs", {{{"kind", "Service"}, {"name", "workload-svc"}, {"port", 8000}}}}}); }},
      {"a weight of 0 for a Service beside the pool", kPlain, [](LiveState& s) { route(s)["spec"]["rules"][0]["backendRefs"].push_back({{"kind", "Service"}, {"name", "canary"}, {"port", 8000}, {"weight", 0}}); }},
      {"another slice of the picker's Service, for another port, of none", kPlain, [](LiveState& s) {
         Json slice = s.lists["endpointslices.json"][0];
         slice["metadata"]["name"] = "of-metrics";
         slice["ports"][0]["port"] = 9090;
         slice["endpoints"] = Json::array();
         s.lists["endpointslices.json"].push_back(slice); }}};
  return all;
}

TEST(LiveUnusual, WhatIsHealthyInAnotherWayPasses) {
  for (const auto& one : unusual()) {
    auto state = LiveState::of(3, one.variant);
    one.make(state);
    EXPECT_EQ(state.check().worst(), CheckState::kPassed) << one.name << "\n" << deploy::render_check_text(state.check(), state.want(), {});
  }
}

TEST(LiveUnusual, TheMeshsFiltersAreSaidToBeUnread) {
  auto state = LiveState::of(3, kKserve);
  state.absent("envoyfilters-mesh.json", "forbidden", "envoyfilters is forbidden");
  const auto text = deploy::render_check_text(state.check(), state.want(), {false, true});
  EXPECT_NE(text.find("EnvoyFilters: none touches the picker; those of istio-system may not be read"), std::string::npos) << text;
}

}  // namespace
