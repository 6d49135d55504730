// Runbooks: commands that end, timeouts that hold the time a stopping replica may take, autoscaled bundles, what must exist
// before, and the checks after.
#include <gtest/gtest.h>

#include "deploy/render/render.h"

namespace {

using namespace deploy;

std::string runbook(const BundleValues& values) {
  auto text = render_runbook(values);
  EXPECT_TRUE(text) << (text ? "" : text.error().message);
  return text ? *text : std::string();
}

std::string runbook(const BundleKey& key, const std::vector<std::pair<std::string, std::string>>& changes = {}) {
  BundleValues values = default_values(key);
  for (const auto& [path, value] : changes) values.set(path, value);
  return runbook(values);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// From one heading to the next.
std::string section(const std::string& text, const std::string& heading) {
  const auto from = text.find("\n## " + heading);
  EXPECT_NE(from, std::string::npos) << heading;
  return from == std::string::npos ? "" : text.substr(from, text.find("\n## ", from + 1) - from);
}

constexpr Variant kVariants[] = {Variant::kGke, Variant::kIstioKserve, Variant::kPlain};

TEST(RunbookTest, NoCommandWaitsForever) {
  for (const auto& line : bundle_lines()) {
    const auto text = runbook(default_values(line.key));
    EXPECT_FALSE(has(text, " -w\n")) << line.about;
    EXPECT_TRUE(has(section(text, "1. "), "kubectl wait --for=condition=Ready node -l cloud.google.com/gke-nodepool=tpu-v6e-pool --timeout=15m\n"));
  }
}

TEST(RunbookTest, RolloutsAreGivenTheTimeThatStoppingTakes) {
  for (const Variant variant : kVariants) {
    const auto text = section(runbook({3, variant, Pin::kCurrent}), "3. ");
    EXPECT_TRUE(has(text, "--timeout=36m")) << text;
    EXPECT_TRUE(has(text, "about 7 min x 3 = 21 min")) << text;
    EXPECT_TRUE(has(text, "(7 + 5) x 3 = 36 min")) << text;
    EXPECT_TRUE(has(section(runbook({3, variant, Pin::kCurrent}, {{"max_generation_s", "601"}}), "3. "), "--timeout=54m"));
    EXPECT_EQ(has(text, "exceeded its progress deadline"), variant == Variant::kIstioKserve);
  }
  EXPECT_TRUE(has(section(runbook({3, Variant::kGke, Pin::kCurrent}), "3. "), "kubectl apply -k manifests"));
}

TEST(RunbookTest, AnAutoscalersReplicasAreItsOwn) {
  const BundleKey key{3, Variant::kPlain, Pin::kCurrent};
  const auto text = runbook(key, {{"hpa.enabled", "true"}, {"hpa.min_replicas", "2"}, {"hpa.max_replicas", "4"}, {"node_pool.max_nodes", "5"}});
  const auto sizes = section(text, "4. "), scheduled = section(text, "5. "), zero = section(text, "8. ");
  EXPECT_TRUE(has(sizes, "`hpa.max_replicas: 5`") && has(sizes, "`hpa.max_replicas: 2`")) << sizes;
  EXPECT_FALSE(has(sizes, "set `replicas:")) << sizes;
  EXPECT_TRUE(has(scheduled, "at 0 it is off and stays off") && has(scheduled, "--replicas=2\n")) << scheduled;
  EXPECT_FALSE(has(scheduled, "the next apply sets replicas back")) << scheduled;
  EXPECT_TRUE(has(zero, "stays off") && has(zero, "scale deployment pattern3-vllm --replicas=2\n")) << zero;
  EXPECT_FALSE(has(zero, "set replicas to")) << zero;
  // Nodes, quota and time are its maximum's.
  EXPECT_TRUE(has(section(text, "1. "), "--num-nodes 5 "));
  EXPECT_TRUE(has(section(text, "3. "), "--timeout=48m"));
  const auto fixed = runbook(key);
  EXPECT_FALSE(has(fixed, "Autoscaler")) << "of a bundle without one";
  EXPECT_TRUE(has(section(fixed, "4. "), "set `replicas: 5`") && has(section(fixed, "5. "), "the next apply sets replicas back") && has(section(fixed, "8. "), "set replicas to 3"));
}

TEST(RunbookTest, SaysWhatMustExistBefore) {
  for (const Variant variant : kVariants) {
    const bool gke = variant == Variant::kGke;
    const auto before = section(runbook({3, variant, Pin::kCurrent}, {{"secrets.image_pull", ""}}), "0. ");
    EXPECT_TRUE(has(before, "gcloud container clusters get-credentials tpu-cluster --zone europe-west4-a --project my-project"));
    EXPECT_TRUE(has(before, std::string("create secret generic ") + (variant == Variant::kIstioKserve ? "hf-token" : "huggingface-token")));
    EXPECT_TRUE(has(before, "--from-literal=HF_TOKEN=\"$HF_TOKEN\" --from-literal=token=\"$HF_TOKEN\""));
    EXPECT_TRUE(has(before, gke ? "kubectl apply -f manifests/namespace.yaml" : "kubectl apply -f namespace.yaml"));
    EXPECT_EQ(has(before, "helm plugin install"), gke);
    EXPECT_FALSE(has(before, "docker-registry"));
    EXPECT_TRUE(has(section(runbook({3, variant, Pin::kCurrent}, {{"secrets.image_pull", "my.pull"}}), "0. "), "create secret docker-registry my.pull "));
    const auto files = render_bundle(default_values({3, variant, Pin::kCurrent}));
    ASSERT_TRUE(files);
    for (const auto& file : *files) {
      if (file.name != "README.md") continue;
      EXPECT_EQ(has(file.text, "helm plugin install"), gke);
      EXPECT_TRUE(has(file.text, "gatebench deploy check -f values.yaml"));
    }
  }
}

TEST(RunbookTest, TheClusterIsCheckedAfterEachDeployment) {
  for (const auto& line : bundle_lines()) {
    const auto text = runbook(default_values(line.key));
    EXPECT_TRUE(has(section(text, "2. "), "gatebench deploy check -f values.yaml\n")) << line.about;
    EXPECT_TRUE(has(section(text, "7. "), "gatebench deploy check")) << line.about;
    EXPECT_EQ(has(section(text, "6. "), "`gatebench deploy check -f values.yaml`"), line.key.pattern == 3) << line.about;
  }
}

TEST(RunbookTest, FreeNodesAreThisPatternsOwn) {
  for (const char* elsewhere : {"0", "1", "3"}) {
    EXPECT_TRUE(has(runbook({3, Variant::kPlain, Pin::kCurrent}, {{"node_pool.used_elsewhere", elsewhere}}), "With 3 free nodes")) << elsewhere;
  }
  EXPECT_TRUE(has(runbook({3, Variant::kPlain, Pin::kCurrent}, {{"replicas", "5"}, {"node_pool.max_nodes", "6"}}), "With 5 free nodes"));
}

}  // namespace
