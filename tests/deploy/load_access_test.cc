// What the load in a bundle may reach and needs: its target, DNS in its several places, pull secrets, sidecars; and how long
// rollouts may take.
#include <gtest/gtest.h>

#include <algorithm>

#include "deploy/lint.h"
#include "deploy/render/render.h"

namespace {

using namespace deploy;

std::vector<BundleKey> keys_of_pattern_3() {
  std::vector<BundleKey> out;
  for (const auto& line : bundle_lines()) {
    if (line.key.pattern == 3) out.push_back(line.key);
  }
  return out;
}

std::vector<SourceFile> rendered(const BundleValues& values) {
  auto files = render_bundle(values);
  EXPECT_TRUE(files);
  std::vector<SourceFile> out;
  for (auto& file : *files) {
    if (file.name != "README.md") out.push_back(std::move(file));
  }
  return out;
}

/// By its path, below manifests/ too.
std::string text_of(const std::vector<SourceFile>& files, const std::string& path) {
  for (const auto& file : files) {
    if (file.name == path || file.name == "manifests/" + path) return file.text;
  }
  return {};
}

std::string findings(const std::vector<SourceFile>& files, const BundleKey& key) {
  LintOptions options;
  options.pattern = key.pattern, options.pin = key.pin, options.variant = key.variant;
  const auto report = lint(read_bundle(files), options);
  return report.findings.empty() ? "" : render_lint(report, LintFormat::kText);
}

/// Ports that a policy's egress opens to any address at all.
std::vector<std::int64_t> open_ports(const Bundle& bundle, const std::string& policy) {
  std::vector<std::int64_t> out;
  for (const Object* object : bundle.of_kind("networking.k8s.io", "NetworkPolicy")) {
    if (object->name != policy) continue;
    for (const auto& rule : object->spec()["egress"].items) {
      if (rule["to"].exists()) continue;
      for (const auto& port : rule["ports"].items) out.push_back(port["port"].integer().value_or(0));
    }
  }
  return out;
}

TEST(RenderLoadTest, MayReachItsTargetWhereverItIs) {
  const std::vector<std::pair<std::string, std::int64_t>> targets{{"http://10.0.0.5:8080", 8080}, {"http://gw.other.svc.cluster.local:8080/a", 8080}, {"https://llm.example.com", 443}, {"http://a", 80}};
  for (const auto& key : keys_of_pattern_3()) {
    BundleValues values = default_values(key);
    EXPECT_TRUE(open_ports(read_bundle(rendered(values)), "pattern3-load").empty());
    for (const auto& [target, port] : targets) {
      values.set("load.target", target);
      const auto files = rendered(values);
      // GKE's load balancers are outside the cluster: 80 and 443 are open to all addresses there already.
      const bool covered = key.variant == Variant::kGke && (port == 80 || port == 443);
      EXPECT_EQ(open_ports(read_bundle(files), "pattern3-load"), covered ? std::vector<std::int64_t>{} : std::vector<std::int64_t>{port}) << target;
      EXPECT_EQ(findings(files, key), "") << target;
    }
  }
  for (const char* target : {"http://", "http://a:0", "http://a:65536", "http://a:080", "http://a:b", "ftp://a"}) EXPECT_FALSE(read_values(std::string("load: {target: \"") + target + "\"}\n", "v.yaml", {})) << target;
}

/// Whether some egress rule of the policy lets addresses or a namespace through on a port.
bool lets_through(const Object& policy, std::string_view cidr, std::string_view space, std::int64_t port) {
  for (const auto& rule : policy.spec()["egress"].items) {
    const auto& ports = rule["ports"].items;
    if (std::none_of(ports.begin(), ports.end(), [&](const Node& p) { return p["protocol"].str() == "UDP" && p["port"].integer() == port; })) continue;
    for (const auto& to : rule["to"].items) {
      if (!cidr.empty() && to.path({"ipBlock", "cidr"}).str() == cidr) return true;
      if (!space.empty() && to.path({"namespaceSelector", "matchLabels", "kubernetes.io/metadata.name"}).str() == space) return true;
    }
  }
  return false;
}

TEST(RenderLoadTest, DnsIsReachedWhereverItAnswers) {
  for (const auto& key : keys_of_pattern_3()) {
    std::size_t policies = 0;
    const Bundle bundle = read_bundle(rendered(default_values(key)));
    for (const Object* policy : bundle.of_kind("networking.k8s.io", "NetworkPolicy")) {
      if (!lets_through(*policy, "", "kube-system", 53)) continue;
      ++policies;
      EXPECT_TRUE(lets_through(*policy, "169.254.20.10/32", "", 53)) << policy->name;
      EXPECT_TRUE(lets_through(*policy, "169.254.169.254/32", "", 53)) << policy->name;
      EXPECT_EQ(lets_through(*policy, "", "openshift-dns", 5353), key.variant == Variant::kIstioKserve) << policy->name;
    }
    EXPECT_EQ(policies, key.variant == Variant::kIstioKserve ? 3U : 1U);
  }
}

TEST(RenderLoadTest, PodsPullWithTheSecretAndWaitForTheirSidecar) {
  for (const auto& key : keys_of_pattern_3()) {
    BundleValues values = default_values(key);
    values.set("secrets.image_pull", "my.pull-secret");
    if (key.variant != Variant::kGke) values.set("mtls", "strict");
    const auto files = rendered(values);
    EXPECT_EQ(findings(files, key), "");
    std::size_t loads = 0;
    const Bundle bundle = read_bundle(files);
    for (const auto& pods : bundle.pods) {
      if (pods.role != PodRole::kLoad) continue;
      ++loads;
      EXPECT_EQ((*pods.pod_spec)["imagePullSecrets"][0]["name"].str(), "my.pull-secret");
    }
    EXPECT_EQ(loads, 2U);
    for (const auto* file : {"load/verify-job.yaml", "load/run-cronjob.yaml"}) {
      EXPECT_EQ(text_of(files, file).find("proxy.istio.io/config: '{\"holdApplicationUntilProxyStarts\": true}'") != std::string::npos, key.variant != Variant::kGke) << file;
      EXPECT_EQ(text_of(rendered(default_values(key)), file).find("proxy.istio.io/config"), std::string::npos) << file;
    }
  }
}

TEST(RenderLoadTest, AVerificationClaimsNoVolume) {
  BundleValues values = default_values({3, Variant::kPlain, Pin::kCurrent});
  values.set("load.claim", "runs");
  const auto files = rendered(values);
  EXPECT_EQ(text_of(files, "load/verify-job.yaml").find("claim"), std::string::npos);
  EXPECT_NE(text_of(files, "load/run-cronjob.yaml").find("claimName: runs"), std::string::npos);
}

TEST(RenderLoadTest, AVerificationExpectsNoCountOfAnAutoscaler) {
  BundleValues values = default_values({3, Variant::kPlain, Pin::kCurrent});
  EXPECT_NE(text_of(rendered(values), "load/verify-job.yaml").find("- --expect-replicas=3\n"), std::string::npos);
  values.set("hpa.enabled", "true");
  EXPECT_EQ(text_of(rendered(values), "load/verify-job.yaml").find("--expect-replicas"), std::string::npos);
}

TEST(RenderTest, RolloutsMayTakeAsLongAsReplicasDo) {
  for (const auto& [generation, deadline] : {std::pair{"300", "2400"}, {"900", "3000"}}) {
    BundleValues plain = default_values({3, Variant::kPlain, Pin::kCurrent}), gke = default_values({3, Variant::kGke, Pin::kCurrent});
    plain.set("max_generation_s", generation);
    gke.set("max_generation_s", generation);
    EXPECT_NE(text_of(rendered(plain), "vllm.yaml").find(std::string("  progressDeadlineSeconds: ") + deadline + "\n"), std::string::npos);
    EXPECT_NE(text_of(rendered(gke), "helmfile.yaml.gotmpl").find(std::string("{\"spec\":{\"progressDeadlineSeconds\":") + deadline + ",\"strategy\""), std::string::npos);
  }
}

}  // namespace
