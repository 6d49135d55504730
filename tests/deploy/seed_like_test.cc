// Manifests with the faults of the deployment guides (docs/seeds-audit.md), as one bundle each, written for this test: all
// faults are caught, each by the rule that the audit names. And input that no manifest is.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "deploy/lint.h"

namespace {

using namespace deploy;

std::set<std::string> caught(const std::vector<SourceFile>& files, const LintOptions& options = {}) {
  const Bundle bundle = read_bundle(files);
  std::set<std::string> out;
  for (const auto& finding : lint(bundle, options).findings) out.insert(finding.rule);
  return out;
}

void expect_all(const std::set<std::string>& found, const std::vector<std::string>& wanted) {
  for (const auto& rule : wanted) EXPECT_EQ(found.count(rule), 1U) << rule << " was not caught";
}

TEST(SeedLike, KserveManifestsWithTheirFaults) {
  const std::string service = R"(apiVersion: serving.kserve.io/v1alpha1
kind: LLMInferenceService
metadata: {name: qwen2-3b-pattern3, namespace: llm-d-inference-scheduling}
spec:
  model: {uri: "hf://google/gemma-2b-it"}
  replicas: 3
  extraArgs: ["--enable-prefix-caching"]
  image: registry.redhat.io/rhaiis/vllm-tpu-rhel9:3.3.0
  parallelism: {tensor: 4}
  router:
    route: {}
    gateway: {}
    scheduler: {scorerWeights: {prefix-cache-scorer: 3.0}}
  template:
    containers:
      - name: main
        args: ["--max-model-len=2048"]
        resources: {limits: {google.com/tpu: "4"}, requests: {google.com/tpu: "4"}}
)";
  const std::string filter = R"(apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: inference-pool-route-body-forwarding, namespace: opendatahub}
spec:
  workloadSelector: {labels: {gateway.networking.k8s.io/gateway-name: inference-gateway}}
  configPatches:
    - applyTo: HTTP_ROUTE
      match: {context: GATEWAY, routeConfiguration: {vhost: {route: {name: llm-d-inference-scheduling.qwen2-3b-pattern3-kserve-route.0}}}}
      patch:
        operation: MERGE
        value:
          typed_per_filter_config:
            envoy.filters.http.ext_proc:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute
              overrides: {processing_mode: {request_body_mode: BUFFERED}}
)";
  const std::string policies = R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-gateway-to-epp-scheduler, namespace: llm-d-inference-scheduling}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/component: router-scheduler}}
  policyTypes: [Ingress]
  ingress: [{ports: [{port: 9002}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-gateway-to-vllm, namespace: llm-d-inference-scheduling}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: qwen2-3b-pattern3}}
  policyTypes: [Ingress]
  ingress: [{ports: [{port: 8000}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: inference-gateway, namespace: opendatahub}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]
)";
  LintOptions options;
  options.pattern = 3;
  expect_all(caught({{"llmisvc.yaml", service}, {"envoyfilter.yaml", filter}, {"networkpolicies.yaml", policies}}, options),
             {"L01", "L16", "L24", "L47", "L49", "L50", "L54"});
}

TEST(SeedLike, GkeManifestsWithTheirFaults) {
  const auto vllm = [](const std::string& name, const std::string& model) {
    return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", namespace: llm-d-inference-scheduling}\nspec:\n  replicas: " + (name == "qwen" ? "3" : "1") +
           "\n  selector: {matchLabels: {llm-d.ai/role: decode}}\n  template:\n    metadata: {labels: {llm-d.ai/role: decode}}\n    spec:\n"
           "      nodeSelector: {cloud.google.com/gke-tpu-accelerator: tpu-v6e-slice, cloud.google.com/gke-tpu-topology: 2x2}\n      containers:\n        - name: vllm\n          image: vllm/vllm-tpu:latest\n"
           "          args: [--model=" + model + ", --tensor-parallel-size=4]\n          env: [{name: HF_TOKEN, valueFrom: {secretKeyRef: {name: huggingface-token, key: HF_TOKEN}}}]\n"
           "          resources: {requests: {google.com/tpu: 4}, limits: {google.com/tpu: 4}}\n---\n";
  };
  const std::string routing = R"(apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: gaie-pattern3, namespace: llm-d-inference-scheduling}
spec:
  selector: {matchLabels: {llm-d.ai/role: decode}}
  targetPorts: [{number: 8000}]
  endpointPickerRef: {name: gaie-pattern3-epp, port: {number: 9002}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: llm-d-pattern3-inference-scheduling, namespace: llm-d-inference-scheduling}
spec:
  parentRefs: [{name: infra-pattern3-inference-gateway}]
  rules:
    - timeouts: {request: 300s}
      backendRefs: [{group: inference.networking.k8s.io, kind: InferencePool, name: gaie-pattern3, port: 8000}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: infra-pattern3-inference-gateway, namespace: llm-d-inference-scheduling}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: networking.gke.io/v1
kind: HealthCheckPolicy
metadata: {name: gaie-pattern3, namespace: llm-d-inference-scheduling}
spec:
  targetRef: {group: inference.networking.k8s.io, kind: InferencePool, name: gaie-pattern3}
  default: {config: {type: HTTP, httpHealthCheck: {port: 8000}}}
)";
  const std::string secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: huggingface-token, namespace: llm-d}\nstringData: {token: REPLACE}\n";
  const std::string values = "pattern: 3\nvariant: gke\nchips: 4\nregion: europe-west4-a\nnode_pool: {machine_type: ct6e-standard-4t, max_nodes: 2}\n";
  LintOptions options;
  options.pattern = 3;
  options.variant = Variant::kGke;
  expect_all(caught({{"vllm.yaml", vllm("qwen", "Qwen/Qwen2.5-3B-Instruct") + vllm("phi", "microsoft/Phi-3-mini-4k-instruct")}, {"routing.yaml", routing}, {"secret.yaml", secret}, {"values.yaml", values}}, options),
             {"L03", "L17", "L18", "L24", "L27", "L28", "L30", "L34", "L35", "L55", "L57", "L58", "L60", "L63", "L66", "L68"});
}

TEST(SeedLike, ASecretWithOnlyItsTokenKeyIsCaught) {
  const std::string values = "modelArtifacts: {uri: \"hf://Qwen/Qwen2.5-3B-Instruct\", authSecretName: huggingface-token, labels: {a: b}}\ndecode: {create: true, replicas: 1}\n";
  const std::string secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: huggingface-token}\nstringData: {token: REPLACE}\n";
  EXPECT_EQ(caught({{"values_tpu.yaml", values}, {"secret.yaml", secret}}).count("L55"), 1U);
}

TEST(BadInput, EndsWithALocatedErrorAndNoCrash) {
  std::string big = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata:\n";
  while (big.size() < (10u << 20)) big += "  k" + std::to_string(big.size()) + ": \"" + std::string(200, 'x') + "\"\n";
  const std::pair<const char*, std::string> inputs[] = {{"not yaml", "a: [b\nc: }"},
                                                        {"template", "apiVersion: v1\nkind: {{ .Values.kind }}\n"},
                                                        {"duplicate", "apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata: {name: x}\n"},
                                                        {"scalar", "just words\n"},
                                                        {"list", "- a\n- b\n"},
                                                        {"zero", std::string("a: \0b", 5)},
                                                        {"latin-1", "apiVersion: v1\nname: caf\xe9\n"},
                                                        {"cut UTF-8", "a: \xe2\x80"},
                                                        {"cut JSON", "{\"apiVersion\":\"v1\","},
                                                        {"huge", std::string(17u << 20, ' ') + "a: 1\n"}};
  for (const auto& [name, text] : inputs) {
    const Bundle bundle = read_bundle({{"f.yaml", text}});
    ASSERT_FALSE(bundle.problems.empty()) << name;
    EXPECT_GE(bundle.problems[0].at.line, 1) << name;
    EXPECT_FALSE(bundle.problems[0].fix.empty()) << name;
    const auto report = lint(bundle, {});
    EXPECT_EQ(report.findings.at(0).rule, "L00") << name;
  }
  const Bundle ten_megabytes = read_bundle({{"big.yaml", big}});
  EXPECT_TRUE(ten_megabytes.problems.empty());
  EXPECT_TRUE(lint(ten_megabytes, {}).findings.empty());
  const Bundle unknown = read_bundle({{"f.yaml", "apiVersion: example.com/v1\r\nkind: Widget\r\nmetadata: {name: w}\r\nspec: {a: 1}\r\n---\r\napiVersion: v1\r\nkind: List\r\nitems:\r\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\r\n"}});
  EXPECT_EQ(unknown.objects.size(), 2U);
  EXPECT_TRUE(lint(unknown, {}).findings.empty());
}

TEST(BadInput, ListsOfListsAndTypedListsAreTakenApart) {
  const Bundle nested = read_bundle({{"f.yaml", "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: List\n    items:\n      - {apiVersion: v1, kind: ConfigMap, metadata: {name: A_B}}\n"}});
  ASSERT_EQ(nested.objects.size(), 1U);
  EXPECT_EQ(lint(nested, {}).findings.at(0).rule, "L07");
  const Bundle typed = read_bundle({{"f.json", R"({"apiVersion":"v1","kind":"ConfigMapList","items":[{"metadata":{"name":"A_B"}}]})"}});
  ASSERT_EQ(typed.objects.size(), 1U);
  EXPECT_EQ(typed.objects[0].kind, "ConfigMap");
  std::string deep = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}";
  for (int i = 0; i < 50; ++i) deep = "{apiVersion: v1, kind: List, items: [" + deep + "]}";
  EXPECT_TRUE(read_bundle({{"f.yaml", deep}}).problems.empty());
}

TEST(BadInput, PatchesOfAKustomizationAreNotJudged) {
  const std::string fragment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: vllm}\nspec: {template: {spec: {containers: [{name: a, $patch: delete}]}}}\n";
  const std::string operations = "- {op: replace, path: /spec/replicas, value: 2}\n";
  const std::string list = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches:\n  - path: ./scale.yaml\n    target: {kind: Deployment}\n  - path: more/part.yaml\n";
  const Bundle whole = read_bundle({{"o/kustomization.yaml", list}, {"o/scale.yaml", operations}, {"o/more/part.yaml", fragment}});
  EXPECT_TRUE(whole.problems.empty());
  EXPECT_TRUE(lint(whole, {}).findings.empty()) << render_lint(lint(whole, {}), LintFormat::kText);
  const Bundle alone = read_bundle({{"scale.yaml", operations}});
  ASSERT_EQ(alone.problems.size(), 1U);
  EXPECT_NE(alone.problems[0].fix.find("kubectl kustomize"), std::string::npos);
}

TEST(BadInput, WhatGrowsInBothLengthsIsBounded) {
  // Each of these took minutes or gigabytes when a rule looked at everything from every place; now they are read once.
  std::string tokens = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: \"";
  for (int i = 0; i < 500'000; ++i) tokens += "ahf_";
  EXPECT_TRUE(lint(read_bundle({{"f.yaml", tokens + "\"\n"}}), {}).findings.empty());
  std::string regions;
  for (int i = 0; i < 50'000; ++i) regions += "--region us-a1-a\n";
  EXPECT_EQ(lint(read_bundle({{"f.sh", regions}}), {}).findings.size(), 100U);
  std::string words = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: a\n      image: vllm\n      env: [{name: X, value: \"";
  for (int i = 0; i < 30'000; ++i) words += "a ";
  words += "\"}]\n      args:\n";
  for (int i = 0; i < 100; ++i) words += "        - $X\n";
  const Bundle many = read_bundle({{"f.yaml", words}});
  EXPECT_LE(deploy::command_words(many.objects.at(0).spec()["containers"].items.at(0)).size(), 20'000U);
  std::string lookups = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: a\n      image: vllm\n      env:\n";
  for (int i = 0; i < 30'000; ++i) lookups += "        - {name: V" + std::to_string(i) + ", value: x}\n";
  lookups += "      args:\n";
  for (int i = 0; i < 30'000; ++i) lookups += "        - $Q\n";
  EXPECT_EQ(deploy::command_words(read_bundle({{"f.yaml", lookups}}).objects.at(0).spec()["containers"].items.at(0)).size(), 20'000U);
}

TEST(BadInput, VariablesThatReferToEachOtherEnd) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "$B ";
  std::string text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n    - name: a\n      image: vllm\n      args: [\"--x $A\"]\n      env:\n";
  text += "        - {name: A, value: \"" + many + "\"}\n        - {name: B, value: \"" + many + "\"}\n";
  const Bundle bundle = read_bundle({{"f.yaml", text}});
  EXPECT_LE(deploy::command_words(bundle.objects.at(0).spec()["containers"].items.at(0)).size(), 20'000U);
}

TEST(LintSeverity, WhatIsNoFaultOfTheFileIsNoError) {
  const auto severities = [](const std::string& text) {
    std::vector<Severity> out;
    for (const auto& f : lint(read_bundle({{"f.yaml", text}}), {}).findings) out.push_back(f.severity);
    return out;
  };
  const std::string once = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
  EXPECT_EQ(severities(once + "---\n" + once), std::vector{Severity::kNote});
  EXPECT_EQ(severities(once + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {x: z}}\n"), std::vector{Severity::kError});
  // llm-d's disaggregated profile: known to the picker, not to the router here.
  const std::string config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: picker}\ndata:\n  c.yaml: |\n    apiVersion: inference.networking.x-k8s.io/v1alpha1\n    kind: EndpointPickerConfig\n    plugins:\n"
                             "      - type: prefill-header-handler\n      - type: prefill-filter\n      - type: decode-filter\n      - type: prefix-cache-scorer\n      - type: max-score-picker\n      - type: pd-profile-handler\n"
                             "    schedulingProfiles:\n      - name: prefill\n        plugins:\n          - pluginRef: prefill-filter\n          - pluginRef: prefix-cache-scorer\n            weight: 2\n"
                             "      - name: decode\n        plugins:\n          - pluginRef: decode-filter\n          - pluginRef: max-score-picker\n";
  const auto found = severities(config);
  EXPECT_FALSE(found.empty());
  for (const auto one : found) EXPECT_EQ(one, Severity::kWarning);
}

TEST(LintOutput, PlacesAreUriReferences) {
  const auto report = lint(read_bundle({{"sp ace/\xc3\xbc#%/a b?.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n"}}), {});
  const auto sarif = render_lint(report, LintFormat::kSarif);
  EXPECT_NE(sarif.find("\"uri\": \"sp%20ace/%C3%BC%23%25/a%20b%3F.yaml\""), std::string::npos) << sarif;
}

TEST(LintOutput, IsTextJsonAndSarif) {
  const Bundle bundle = read_bundle({{"a/b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n"}});
  const auto report = lint(bundle, {});
  ASSERT_EQ(report.findings.size(), 1U);
  const auto text = render_lint(report, LintFormat::kText);
  EXPECT_EQ(text.substr(0, 43), "a/b.yaml:3:18: error L07 ConfigMap Bad_Name");
  EXPECT_NE(text.find("1 error, 0 warnings, 0 notes in 1 object of 1 file\n"), std::string::npos);
  EXPECT_NE(render_lint(report, LintFormat::kJson).find("\"rule\": \"L07\""), std::string::npos);
  const auto sarif = render_lint(report, LintFormat::kSarif);
  for (const char* part : {"\"version\": \"2.1.0\"", "\"ruleId\": \"L07\"", "\"uri\": \"a/b.yaml\"", "\"startLine\": 3"}) EXPECT_NE(sarif.find(part), std::string::npos) << part;
}

}  // namespace
