// gatebench run --replicas kube:… as a user runs it: a stub kubectl on the PATH, its proxy a small fake API server. The
// proxy child must be gone however gatebench ends.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/bench/metrics_pages.h"
#include "tests/support/process.h"

namespace {

using support::Process;
using support::ScratchFolder;

class KubeTest : public testing::Test {
 protected:
  KubeTest() {
    std::string items;
    for (const char* name : {"vllm-0", "vllm-1"}) {
      items += std::string(items.empty() ? "" : ",") + R"({"metadata":{"name":")" + name +
               R"("},"status":{"phase":"Running","podIP":"10.0.0.9","conditions":[{"type":"Ready","status":"True"}]}})";
      api_.set(std::string("/api/v1/namespaces/llm/pods/") + name + ":8000/proxy/metrics",
               {200, "vllm:request_success_total{finished_reason=\"stop\"} 4\nprocess_start_time_seconds " +
                         std::string(1, name[5]) + ".5\nvllm:request_success_created " + std::string(1, name[5]) + ".5\n", 0, "", ""});
    }
    std::ofstream(folder_.file("pods.json")) << R"({"items":[)" << items << "]}";
    const std::string port = api_.url("").substr(api_.url("").rfind(':') + 1);
    std::ofstream(folder_.file("kubectl")) << "#!/bin/sh\nif [ $1 = get ]; then cat " << folder_.file("pods.json")
                                           << "; else echo $$ > " << folder_.file("pid") << "; echo 'Starting to serve on 127.0.0.1:"
                                           << port << "'; exec sleep 600; fi\n";
    chmod(folder_.file("kubectl").c_str(), 0755);
  }
  std::vector<std::string> environment() const {
    return {"PATH=" + folder_.path() + ":/usr/bin:/bin", "KUBERNETES_SERVICE_HOST="};
  }
  bool proxy_has_ended() {
    std::ifstream file(folder_.file("pid"));
    pid_t pid = 0;
    if (!(file >> pid) || pid <= 1) return false;
    // After a SIGKILL of its parent, the kernel's signal takes a moment.
    for (int tries = 0; tries < 500 && kill(pid, 0) == 0; ++tries) {
      std::ifstream state("/proc/" + std::to_string(pid) + "/stat");
      std::string ignored, letter;
      if (state >> ignored >> ignored >> letter && letter == "Z") return true;  // ended; whoever inherits it reaps it
      poll(nullptr, 0, 10);
    }
    return kill(pid, 0) != 0;
  }
  std::vector<std::string> run(const std::string& target, const std::string& requests) const {
    return {"run", "unique", "--target", target, "--replicas", "kube:llm/app=vllm", "--num-prompts", requests,
            "--store", folder_.file("runs.db"), "--output", "json"};
  }
  static std::string url_of(const Process& process) {
    const auto at = process.errors.find("http://");
    return process.errors.substr(at, process.errors.find(';', at) - at);
  }
  bench::MetricsPages api_;
  ScratchFolder folder_;
};

TEST_F(KubeTest, PodsAreFoundScrapedAndTheProxyEnds) {
  Process server({"replica"});
  ASSERT_TRUE(server.wait_for_errors("listens on http://"));
  Process process(run(url_of(server), "5"), ".", environment());
  const int code = process.wait();
  EXPECT_TRUE(code == 0 || code == 5) << process.errors;
  EXPECT_NE(process.errors.find("2 replicas through kubectl proxy: vllm-0, vllm-1"), std::string::npos) << process.errors;
  EXPECT_NE(process.errors.find("0 failed, 0 torn"), std::string::npos) << process.errors;
  EXPECT_TRUE(proxy_has_ended());
  // Two static pages cannot explain five answers: nothing may be claimed.
  const auto report = nlohmann::json::parse(process.output, nullptr, false);
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report.at("attribution").at(0).at("attributed"), 0);
}

TEST_F(KubeTest, VerifyFindsPodsToo) {
  Process server({"replica"});
  ASSERT_TRUE(server.wait_for_errors("listens on http://"));
  const auto verify = [&](const std::string& selection) {
    return std::vector<std::string>{"verify", "--target", url_of(server), "--replicas", selection, "--expect-replicas", "3", "--probes", "1", "--sticky-probes", "2",
                                    "--output", "json"};
  };
  Process process(verify("kube:llm/app=vllm"), ".", environment());
  // Two pods where three are expected: a failed check, whatever static pages let it say of placement.
  EXPECT_EQ(process.wait(), 3) << process.errors << process.output;
  EXPECT_NE(process.errors.find("2 replicas through kubectl proxy: vllm-0, vllm-1"), std::string::npos) << process.errors;
  EXPECT_NE(process.output.find("vllm-1"), std::string::npos) << process.output;
  EXPECT_TRUE(proxy_has_ended());
  Process bad(verify("app=vllm"), ".", environment());
  EXPECT_EQ(bad.wait(), 2) << bad.errors;
  EXPECT_NE(bad.errors.find("write kube:NAMESPACE/SELECTOR"), std::string::npos) << bad.errors;
}

TEST_F(KubeTest, TheProxyEndsWhenTheTargetIsDownAndAfterSignals) {
  Process down(run("http://127.0.0.1:1", "5"), ".", environment());
  EXPECT_EQ(down.wait(), 6) << down.errors;
  EXPECT_TRUE(proxy_has_ended());
  Process server({"replica"});
  ASSERT_TRUE(server.wait_for_errors("listens on http://"));
  for (const int number : {SIGTERM, SIGKILL}) {
    Process process(run(url_of(server), "100000"), ".", environment());
    ASSERT_TRUE(process.wait_for_errors("of 100000 sent")) << process.errors;
    process.signal(number);
    process.wait();
    EXPECT_TRUE(proxy_has_ended()) << number;
  }
}

}  // namespace
