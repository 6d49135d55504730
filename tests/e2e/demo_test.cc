// The main job in its quick form: whatever the machine's load, no verdict may be wrong, and nothing may stay behind.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "tests/support/process.h"

namespace {

using Json = nlohmann::json;

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> gatebench_processes() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(entry.path() / "exe", error);
    if (!error && target == std::filesystem::canonical(GATEBENCH_BINARY)) found.insert(entry.path().filename());
  }
  return found;
}

TEST(DemoTest, QuickDemoTellsTheTruthAndLeavesNothingRunning) {
  const support::ScratchFolder folder;
  const auto before = gatebench_processes();
  support::Process demo({"demo", "--quick", "--out", folder.file("out")}, folder.path());
  const int code = demo.wait();
  // Two blocks prove nothing hard: inconclusive is the usual outcome; invalid means that this machine was too busy.
  EXPECT_TRUE(code == 0 || code == 4 || code == 5) << code << "\n" << demo.errors << demo.output;
  const Json report = Json::parse(content(folder.file("out/report.json")), nullptr, false);
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report.at("run").at("simulated"), true);
  EXPECT_NE(demo.output.find("simulated"), std::string::npos);
  EXPECT_NE(content(folder.file("out/report.html")).find("simulated"), std::string::npos);
  bool seed_load_seen = false, saturating_seen = false;
  for (const auto& gate : report.at("gates")) {
    if (gate.at("metric") != "scaling.throughput_ratio") continue;
    if (gate.at("scenario") == "seed-throughput") {
      seed_load_seen = true;
      EXPECT_NE(gate.at("verdict"), "pass");
      EXPECT_NE(gate.at("verdict"), "fail");
    } else {
      saturating_seen = true;
      EXPECT_NE(gate.at("verdict"), "fail") << gate.dump();
    }
  }
  EXPECT_TRUE(seed_load_seen && saturating_seen);
  for (const auto& row : report.at("attribution")) {
    EXPECT_TRUE(row.at("wrong").is_null() || row.at("wrong") == 0) << row.dump();
  }
  EXPECT_EQ(gatebench_processes(), before);
}

TEST(DemoTest, ALostReplicaIsNamedAndWhatRanIsReported) {
  const support::ScratchFolder folder;
  const auto before = gatebench_processes();
  support::Process demo({"demo", "--out", folder.file("out"), "--log-format", "json"}, folder.path());
  ASSERT_TRUE(demo.wait_for_errors("\"progress\"", std::chrono::seconds(60))) << demo.errors;
  pid_t victim = 0;
  for (const auto& id : gatebench_processes()) {
    const std::string command = content("/proc/" + id + "/cmdline");
    if (before.count(id) == 0 && command.find("pattern3-replica-2") != std::string::npos && command.find("router") == std::string::npos) {
      victim = std::stoi(id);
    }
  }
  ASSERT_GT(victim, 0);
  kill(victim, SIGKILL);
  EXPECT_EQ(demo.wait(std::chrono::seconds(90)), 1) << demo.errors;
  EXPECT_NE(demo.errors.find("pattern3-replica-2 has ended by itself"), std::string::npos) << demo.errors;
  EXPECT_TRUE(std::filesystem::exists(folder.file("out/report.json")));
  EXPECT_EQ(gatebench_processes(), before);
}

TEST(DemoTest, InterruptedDemoEndsItsChildren) {
  const support::ScratchFolder folder;
  const auto before = gatebench_processes();
  support::Process demo({"demo", "--out", folder.file("out"), "--log-format", "json"}, folder.path());
  ASSERT_TRUE(demo.wait_for_errors("\"progress\"", std::chrono::seconds(60))) << demo.errors;
  demo.signal(SIGINT);
  EXPECT_EQ(demo.wait(std::chrono::seconds(60)), 130) << demo.errors;
  EXPECT_EQ(gatebench_processes(), before);
}

}  // namespace
