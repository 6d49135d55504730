// gatebench deploy check as a user runs it: the kubectl of this machine against a fake API server, requests through a fake
// gateway, a saved state that says the same. Without a kubectl these skip.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "tests/support/fake_cluster.h"
#include "tests/support/process.h"

namespace {

using deploy::Variant;
using support::FakeCluster;
using support::Json;
using support::LiveState;
using support::Process;

std::string kubectl_path() {
  std::istringstream folders(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/kubectl").c_str(), X_OK) == 0) return folder + "/kubectl";
  }
  return "";
}

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class DeployCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kubectl_path().empty()) GTEST_SKIP() << "no kubectl on the PATH: apt-get install kubernetes-client";
  }
  std::vector<std::string> environment(const FakeCluster& cluster, const std::vector<std::string>& more = {}) {
    std::ofstream(folder_.file("kubeconfig")) << cluster.kubeconfig();
    std::vector<std::string> out{"KUBECONFIG=" + folder_.file("kubeconfig"), "HOME=" + folder_.path(), "KUBECACHEDIR=" + folder_.file("cache"), "OPENAI_API_KEY="};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  static std::vector<std::string> check(const std::string& variant, const std::vector<std::string>& more = {}) {
    std::vector<std::string> out{"deploy", "check", "--pattern", "3", "--variant", variant};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  support::ScratchFolder folder_;
};

TEST_F(DeployCheckTest, AHealthyClusterPassesInEveryVariant) {
  for (const auto& [variant, word] : {std::pair{Variant::kPlain, "plain"}, {Variant::kGke, "gke"}, {Variant::kIstioKserve, "istio-kserve"}}) {
    FakeCluster cluster(LiveState::of(3, variant));
    Process process(check(word), ".", environment(cluster));
    EXPECT_EQ(process.wait(), 0) << process.output << process.errors;
    EXPECT_NE(process.output.find(" passed, 0 failed"), std::string::npos) << process.output;
    EXPECT_EQ(process.output.find("warning"), std::string::npos) << process.output;
    for (const auto& path : cluster.asked()) EXPECT_EQ(path.find("secrets"), std::string::npos) << path;
  }
}

TEST_F(DeployCheckTest, ABypassedPickerIsNoticedThoughEveryAnswerIsGood) {
  FakeCluster cluster(LiveState::of(3, Variant::kIstioKserve));
  cluster.picker_bypassed = true;
  Process process(check("istio-kserve"), ".", environment(cluster));
  EXPECT_EQ(process.wait(), 3) << process.errors;
  EXPECT_NE(process.output.find("failed   K9"), std::string::npos) << process.output;
  EXPECT_NE(process.output.find("counted 0 of 7 requests; the model servers finished 7: it is bypassed"), std::string::npos) << process.output;
  EXPECT_NE(process.output.find(", 1 failed"), std::string::npos) << process.output;
}

TEST_F(DeployCheckTest, ASavedStateSaysTheSameAndHoldsNoSecret) {
  FakeCluster cluster(LiveState::of(3, Variant::kGke));
  cluster.picker_bypassed = true;
  cluster.api_key = "sk-very-secret";
  Process live(check("gke", {"--save", folder_.file("state"), "--output", "json"}), ".", environment(cluster, {"OPENAI_API_KEY=sk-very-secret"}));
  EXPECT_EQ(live.wait(), 3) << live.errors;
  const auto asked = cluster.asked().size();
  Process saved(check("gke", {"--from", folder_.file("state"), "--output", "json"}), ".", environment(cluster));
  EXPECT_EQ(saved.wait(), 3) << saved.errors;
  EXPECT_EQ(saved.output, live.output);
  EXPECT_EQ(cluster.asked().size(), asked);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.file("state"))) {
    const std::string text = entry.is_regular_file() ? slurp(entry.path().string()) : "";
    EXPECT_EQ(text.find("hf_secret"), std::string::npos) << entry.path();
    EXPECT_EQ(text.find("very-secret"), std::string::npos) << entry.path();
  }
  // Never into a folder that holds something.
  Process again(check("gke", {"--save", folder_.file("state")}), ".", environment(cluster));
  EXPECT_EQ(again.wait(), 2);
  EXPECT_NE(again.errors.find("is there and not empty"), std::string::npos) << again.errors;
}

TEST_F(DeployCheckTest, WhatMayNotBeReadIsUnknown) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  cluster.forbidden = {"nodes"};
  cluster.unknown = {"envoyfilters"};
  Process process(check("plain"), ".", environment(cluster));
  EXPECT_EQ(process.wait(), 4) << process.output << process.errors;
  EXPECT_NE(process.output.find("may not be read: Error from server (Forbidden): nodes is forbidden"), std::string::npos) << process.output;
  EXPECT_NE(process.output.find("skipped  K4"), std::string::npos) << process.output;
}

TEST_F(DeployCheckTest, APickersTokenGoesThroughAForwardedPort) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  cluster.picker_token = "reader";
  Process without(check("plain"), ".", environment(cluster));
  EXPECT_EQ(without.wait(), 4) << without.output;
  EXPECT_NE(without.output.find("its metrics want a token"), std::string::npos) << without.output;
  // kubectl port-forward needs a protocol that the fake server does not speak: a stub stands in for that verb alone.
  mkdir(folder_.file("bin").c_str(), 0755);
  std::ofstream(folder_.file("bin/kubectl")) << "#!/bin/sh\ncase \" $* \" in *' port-forward '*) echo 'Forwarding from 127.0.0.1:" << cluster.port()
                                             << " -> 9090'; exec sleep 600;; esac\nexec " << kubectl_path() << " \"$@\"\n";
  chmod(folder_.file("bin/kubectl").c_str(), 0755);
  const std::string path = "PATH=" + folder_.file("bin") + ":/usr/bin:/bin";
  Process with(check("plain", {"--metrics-token-env", "READER", "--save", folder_.file("state")}), ".", environment(cluster, {path, "READER=reader"}));
  EXPECT_EQ(with.wait(), 0) << with.output << with.errors;
  Process wrong(check("plain", {"--metrics-token-env", "READER"}), ".", environment(cluster, {path, "READER=other"}));
  EXPECT_EQ(wrong.wait(), 4) << wrong.output << wrong.errors;
  Process none(check("plain", {"--metrics-token-env", "NOT_SET"}), ".", environment(cluster, {path}));
  EXPECT_EQ(none.wait(), 2);
  EXPECT_NE(none.errors.find("--metrics-token-env NOT_SET: the environment has no such variable"), std::string::npos) << none.errors;
}

TEST_F(DeployCheckTest, NoRequestsSendsNone) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  Process process(check("plain", {"--no-requests"}), ".", environment(cluster));
  EXPECT_EQ(process.wait(), 0) << process.output << process.errors;
  EXPECT_NE(process.output.find("skipped  K9"), std::string::npos) << process.output;
  for (const auto& path : cluster.asked()) EXPECT_EQ(path.find("POST"), std::string::npos) << path;
}

TEST_F(DeployCheckTest, ClustersThatCannotBeAsked) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  const auto names = environment(cluster);
  Process nowhere(check("plain", {"--context", "nowhere"}), ".", names);
  EXPECT_EQ(nowhere.wait(), 6) << nowhere.output;
  EXPECT_NE(nowhere.errors.find("the cluster cannot be asked"), std::string::npos) << nowhere.errors;
  Process mistyped(check("plain", {"--context", "heer"}), ".", names);
  EXPECT_EQ(mistyped.wait(), 2) << mistyped.output;
  EXPECT_NE(mistyped.errors.find("kubectl config get-contexts"), std::string::npos) << mistyped.errors;
  auto no_kubectl = names;
  no_kubectl.push_back("PATH=" + folder_.path());
  Process without(check("plain"), ".", no_kubectl);
  EXPECT_EQ(without.wait(), 2) << without.output;
  EXPECT_NE(without.errors.find("kubectl was not found"), std::string::npos) << without.errors;
  Process other(check("plain", {"--namespace", "other"}), ".", names);
  EXPECT_EQ(other.wait(), 3) << other.errors;
  EXPECT_NE(other.output.find("in namespace other"), std::string::npos) << other.output;
}

TEST(DeployCheckOptions, MistakesAreAllNamed) {
  Process process({"deploy", "check", "--from", "/nonexistent", "--context", "x", "--save", "y", "--output", "yaml"});
  EXPECT_EQ(process.wait(), 2);
  for (const char* words : {"--context needs a cluster, and --from asks none", "--save needs a cluster", "--output yaml is unknown"}) {
    EXPECT_NE(process.errors.find(words), std::string::npos) << process.errors;
  }
  Process missing({"deploy", "check", "--from", "/nonexistent"});
  EXPECT_EQ(missing.wait(), 2);
  EXPECT_NE(missing.errors.find("--from /nonexistent: No such file or directory"), std::string::npos) << missing.errors;
  Process many({"deploy", "check", "--requests", "1000"});
  EXPECT_EQ(many.wait(), 2);
  EXPECT_NE(many.errors.find("is outside 1 to 100"), std::string::npos) << many.errors;
}

}  // namespace
