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
  /// A kubectl of our own in front of the real one: `cases` of a shell's case over " $* ", then the real one.
  std::string stub(const std::string& cases) {
    mkdir(folder_.file("bin").c_str(), 0755);
    std::ofstream(folder_.file("bin/kubectl")) << "#!/bin/sh\ncase \" $* \" in\n" << cases << "\nesac\nexec " << kubectl_path() << " \"$@\"\n";
    chmod(folder_.file("bin/kubectl").c_str(), 0755);
    return "PATH=" + folder_.file("bin") + ":/usr/bin:/bin";
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
  const std::string path = stub("*' port-forward '*) echo 'Forwarding from 127.0.0.1:" + std::to_string(cluster.port()) + " -> 9090'; exec sleep 600;;");
  Process with(check("plain", {"--metrics-token-env", "READER", "--save", folder_.file("state")}), ".", environment(cluster, {path, "READER=reader"}));
  EXPECT_EQ(with.wait(), 0) << with.output << with.errors;
  Process wrong(check("plain", {"--metrics-token-env", "READER"}), ".", environment(cluster, {path, "READER=other"}));
  EXPECT_EQ(wrong.wait(), 4) << wrong.output << wrong.errors;
  Process mistaken(check("plain", {"--metrics-token-env", "sk-a-token-itself"}), ".", environment(cluster, {path}));
  EXPECT_EQ(mistaken.wait(), 2);
  EXPECT_EQ(mistaken.errors.find("a-token-itself"), std::string::npos) << mistaken.errors;
  Process none(check("plain", {"--metrics-token-env", "NOT_SET"}), ".", environment(cluster, {path}));
  EXPECT_EQ(none.wait(), 2);
  EXPECT_NE(none.errors.find("--metrics-token-env: the environment has no NOT_SET"), std::string::npos) << none.errors;
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

TEST_F(DeployCheckTest, AGatewayThatDoesNotAnswerIsAFailureOfItsOwn) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  Process process(check("plain", {"--target", "http://127.0.0.1:1"}), ".", environment(cluster));
  EXPECT_EQ(process.wait(), 3) << process.errors;
  EXPECT_NE(process.output.find("no answer: GET http://127.0.0.1:1/health failed in phase \"connect\""), std::string::npos) << process.output;
  EXPECT_NE(process.output.find("unknown  K9"), std::string::npos) << process.output;
  EXPECT_NE(process.output.find("1 failed, 1 unknown"), std::string::npos) << process.output;
}

TEST_F(DeployCheckTest, ASignalEndsItThoughKubectlHangs) {
  mkdir(folder_.file("bin").c_str(), 0755);
  std::ofstream(folder_.file("bin/kubectl")) << "#!/bin/sh\necho $$ > " << folder_.file("pid") << "\necho started >&2\nexec sleep 600\n";
  chmod(folder_.file("bin/kubectl").c_str(), 0755);
  Process process(check("plain"), ".", {"PATH=" + folder_.file("bin") + ":/usr/bin:/bin"});
  for (int tries = 0; tries < 1000 && slurp(folder_.file("pid")).empty(); ++tries) poll(nullptr, 0, 10);
  const pid_t child = std::stoi(slurp(folder_.file("pid")));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(std::chrono::seconds(20)), 130) << process.errors;
  EXPECT_NE(kill(child, 0), 0);
}

TEST_F(DeployCheckTest, OneBadAnswerCostsThatKindAlone) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  for (const auto& [cases, words] : {std::pair{R"(*' get endpointslices'*) echo 'Updating kubectl...'; exit 0;;)", "EndpointSlice: could not be read: kubectl wrote something else than JSON"},
                                     {R"(*' get endpointslices'*) printf '{"kind":"List","items":[{"kind":"EndpointSlice","metadata":{"na'; exit 0;;)", "it breaks at byte"},
                                     {R"(*' get nodes '*) kill -9 $$;;)", "Node: could not be read: the program was ended by signal 9"},
                                     {R"(*' get nodes '*) exit 7;;)", "Node: could not be read: the program ended with status 7 and said nothing"},
                                     {R"(*' get nodes '*) exit 0;;)", "Node: could not be read: kubectl ended well and wrote nothing"},
                                     {R"(*' get nodes '*) echo 'Warning: an update is there'; echo '{"items":[]}'; exit 0;;)", "which begins with \"Warning: an update is there"}}) {
    const std::string path = stub(cases);
    Process process(check("plain", {"--no-requests"}), ".", environment(cluster, {path}));
    EXPECT_EQ(process.wait(), 4) << process.output << process.errors;
    EXPECT_NE(process.output.find(words), std::string::npos) << process.output;
    EXPECT_NE(process.output.find(", 0 failed"), std::string::npos) << process.output;
  }
}

TEST_F(DeployCheckTest, TheLineThatSaysWhyIsShown) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  const std::string noise = R"(printf 'E1128 memcache.go:265] couldn'"'"'t get current server API group list: noise\n%.0s' 1 2 3 4 5 6 7 8 9 10 >&2; )";
  const std::string plugin = stub("*) " + noise + R"(echo 'Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found' >&2; echo >&2; echo 'To learn more about this feature, consult the documentation at https://example.com/x' >&2; exit 1;;)");
  Process process(check("plain"), ".", environment(cluster, {plugin}));
  EXPECT_EQ(process.wait(), 6) << process.output;
  EXPECT_NE(process.errors.find("executable gke-gcloud-auth-plugin not found"), std::string::npos) << process.errors;
  EXPECT_EQ(process.errors.find("https://example.com"), std::string::npos) << process.errors;
  std::ofstream(folder_.file("broken")) << "apiVersion: v1\nclusters: [\n";
  Process broken(check("plain"), ".", {"KUBECONFIG=" + folder_.file("broken"), "HOME=" + folder_.path()});
  EXPECT_EQ(broken.wait(), 2) << broken.output;
  EXPECT_NE(broken.errors.find("error loading config file"), std::string::npos) << broken.errors;
  EXPECT_NE(broken.errors.find("KUBECONFIG"), std::string::npos) << broken.errors;
  std::ofstream(folder_.file("empty")) << "";
  Process none(check("plain"), ".", {"KUBECONFIG=" + folder_.file("empty"), "HOME=" + folder_.path()});
  EXPECT_EQ(none.wait(), 6) << none.output;
}

TEST_F(DeployCheckTest, PagesKeptFromTheProxyAreReadThroughAForwardedPort) {
  auto live = LiveState::of(3, Variant::kPlain);
  FakeCluster cluster(std::move(live));
  const std::string kept_out = R"(*' --raw '*) echo 'Error from server (ServiceUnavailable): error trying to reach service: dial tcp 10.0.0.4:8000: i/o timeout' >&2; exit 1;;)";
  Process without(check("plain"), ".", environment(cluster, {stub(kept_out + "\n*' port-forward '*) echo 'error: unable to upgrade connection' >&2; exit 1;;")}));
  EXPECT_EQ(without.wait(), 4) << without.output << without.errors;
  EXPECT_NE(without.output.find("its metrics cannot be had from here: Error from server (ServiceUnavailable)"), std::string::npos) << without.output;
  // Through the stub every pod's page is the picker's.
  Process with(check("plain", {"--verbose"}), ".", environment(cluster, {stub(kept_out + "\n*' port-forward '*) echo 'Forwarding from 127.0.0.1:" + std::to_string(cluster.port()) + " -> 8000'; exec sleep 600;;")}));
  EXPECT_EQ(with.wait(), 3) << with.errors;
  EXPECT_EQ(with.output.find("cannot be had from here"), std::string::npos) << with.output;
  EXPECT_NE(with.output.find("-xyz: has its metrics"), std::string::npos) << with.output;
  EXPECT_NE(with.output.find("-abc-0: lacks vllm:"), std::string::npos) << with.output;
}

TEST_F(DeployCheckTest, AGatewaysKeyIsNeitherShownNorSaved) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  cluster.api_key = "another";
  cluster.repeats_the_key = true;
  Process process(check("plain", {"--save", folder_.file("state")}), ".", environment(cluster, {"OPENAI_API_KEY=plain-words-0815"}));
  EXPECT_EQ(process.wait(), 3) << process.errors;
  EXPECT_NE(process.output.find("status 401: no such key: Bearer (redacted)"), std::string::npos) << process.output;
  EXPECT_EQ(process.output.find("0815"), std::string::npos) << process.output;
  EXPECT_EQ(slurp(folder_.file("state/requests.json")).find("0815"), std::string::npos);
}

TEST_F(DeployCheckTest, WhereTheStateGoesIsTriedFirst) {
  FakeCluster cluster(LiveState::of(3, Variant::kPlain));
  std::ofstream(folder_.file("a-file")) << "";
  for (const std::string& folder : {folder_.file("a-file"), folder_.file("a-file/below"), std::string("/proc/nope/x")}) {
    Process process(check("plain", {"--save", folder}), ".", environment(cluster));
    EXPECT_EQ(process.wait(), 2) << process.output;
    EXPECT_NE(process.errors.find("--save"), std::string::npos) << process.errors;
  }
  EXPECT_TRUE(cluster.asked().empty());
}

TEST_F(DeployCheckTest, ReplicasAreFoundThroughAServicesSlices) {
  auto live = LiveState::of(3, Variant::kPlain);
  Json slice = live.lists["endpointslices.json"][0];
  slice["metadata"]["name"] = "vllm-1";
  slice["metadata"]["labels"]["kubernetes.io/service-name"] = "vllm";
  slice["addressType"] = "IPv4";
  slice["ports"] = {{{"name", "http"}, {"port", 8000}}};
  slice["endpoints"] = Json::array();
  for (int i = 0; i < 3; ++i) {
    slice["endpoints"].push_back({{"addresses", {"10.0.1." + std::to_string(i + 1)}}, {"conditions", {{"ready", i != 1}}}, {"targetRef", {{"kind", "Pod"}, {"name", "pattern3-vllm-abc-" + std::to_string(i)}}}});
  }
  live.lists["endpointslices.json"].push_back(slice);
  FakeCluster cluster(std::move(live));
  const std::string space = cluster.want().name_space();
  // The model behind this gateway does not stream: the run fails, after the replicas were found and read.
  Process process({"run", "unique", "--target", cluster.url(), "--replicas", "kube:" + space + "/service/vllm", "--num-prompts", "1", "--store", folder_.file("runs.db")}, ".",
                  environment(cluster, {"KUBERNETES_SERVICE_HOST="}));
  process.wait();
  EXPECT_NE(process.errors.find("2 of 3 endpoints are ready; not used: pattern3-vllm-abc-1"), std::string::npos) << process.errors;
  EXPECT_NE(process.errors.find("2 replicas through kubectl proxy: pattern3-vllm-abc-0, pattern3-vllm-abc-2"), std::string::npos) << process.errors;
  const auto asked = cluster.asked();
  EXPECT_NE(std::find(asked.begin(), asked.end(), "GET /api/v1/namespaces/" + space + "/pods/pattern3-vllm-abc-2:8000/proxy/metrics"), asked.end());
  Process none({"run", "unique", "--target", cluster.url(), "--replicas", "kube:" + space + "/service/nothing", "--num-prompts", "1", "--store", folder_.file("runs.db")}, ".",
               environment(cluster, {"KUBERNETES_SERVICE_HOST="}));
  EXPECT_EQ(none.wait(), 2) << none.errors;
  EXPECT_NE(none.errors.find("Service nothing in namespace " + space + " has no endpoints"), std::string::npos) << none.errors;
}

TEST_F(DeployCheckTest, LintReadsTheClustersDefinitions) {
  auto live = LiveState::of(3, Variant::kPlain);
  auto& definition = live.lists["customresourcedefinitions.json"][0];
  definition["spec"] = Json::parse(R"({"group":"inference.networking.k8s.io","names":{"kind":"InferencePool"},"versions":[{"name":"v1","served":true,"schema":{"openAPIV3Schema":{"type":"object",
    "properties":{"apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":"object"},"spec":{"type":"object","required":["ourOwnField"],"x-kubernetes-preserve-unknown-fields":true}}}}}]})");
  Json other = definition;
  other["metadata"]["name"] = "widgets.example.com";
  live.lists["customresourcedefinitions.json"].push_back(other);
  FakeCluster cluster(std::move(live));
  Process render({"deploy", "render", "--pattern", "3", "--variant", "plain", "--out", folder_.file("bundle")});
  ASSERT_EQ(render.wait(), 0) << render.errors;
  const std::string pool = folder_.file("bundle/inferencepool.yaml");
  Process without({"deploy", "lint", pool});
  EXPECT_EQ(without.wait(), 0) << without.output;
  Process with({"deploy", "lint", pool, "--crds", "cluster"}, ".", environment(cluster));
  EXPECT_EQ(with.wait(), 3) << with.output << with.errors;
  EXPECT_NE(with.output.find("ourOwnField"), std::string::npos) << with.output;
  for (const auto& path : cluster.asked()) EXPECT_EQ(path.find("widgets"), std::string::npos) << path;
  Process none({"deploy", "lint", folder_.file("bundle/vllm.yaml"), "--crds", "cluster"}, ".", environment(cluster));
  EXPECT_EQ(none.wait(), 2) << none.output;
  EXPECT_NE(none.errors.find("has no definition for any kind of these manifests"), std::string::npos) << none.errors;
  Process nowhere({"deploy", "lint", pool, "--crds", "cluster", "--context", "nowhere"}, ".", environment(cluster));
  EXPECT_EQ(nowhere.wait(), 6) << nowhere.errors;
  Process lone({"deploy", "lint", pool, "--context", "nowhere"});
  EXPECT_EQ(lone.wait(), 2) << lone.errors;
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
  Process secret({"deploy", "check", "--target", "https://me:hush@gateway", "--namespace", "A b"});
  EXPECT_EQ(secret.wait(), 2);
  EXPECT_NE(secret.errors.find("--target holds credentials"), std::string::npos) << secret.errors;
  EXPECT_NE(secret.errors.find("--namespace A b is no namespace's name"), std::string::npos) << secret.errors;
  EXPECT_EQ(secret.errors.find("hush"), std::string::npos) << secret.errors;
  Process many({"deploy", "check", "--requests", "1000"});
  EXPECT_EQ(many.wait(), 2);
  EXPECT_NE(many.errors.find("is outside 1 to 100"), std::string::npos) << many.errors;
}

}  // namespace
