// gatebench verify against local stacks, good ones and broken ones: the rows, the exit code, the bounds.
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/process.h"

namespace {

using support::Process;
using support::ScratchFolder;
using Json = nlohmann::json;

struct Replica {
  std::string name, url;
};

class Stack {
 public:
  explicit Stack(std::vector<std::string> options) : process_(with_verb(std::move(options))) {
    EXPECT_TRUE(process_.wait_for_output("Ctrl-C ends it")) << process_.errors;
    const std::string& out = process_.output;
    std::size_t at = out.find("http://");
    url = out.substr(at, out.find('\n', at) - at);
    for (at = out.find("replica   "); at != std::string::npos; at = out.find("replica   ", at + 1)) {
      const auto line = out.substr(at, out.find('\n', at) - at);
      replicas.push_back({line.substr(10, line.find(' ', 10) - 10), line.substr(line.find("http://"))});
    }
  }
  std::string url;
  std::vector<Replica> replicas;

 private:
  static std::vector<std::string> with_verb(std::vector<std::string> options) {
    options.insert(options.begin(), "stack");
    return options;
  }
  Process process_;
};

struct Verified {
  int code = -1;
  Json report;
  std::string errors;
  [[nodiscard]] std::string verdict(const std::string& id) const {
    for (const auto& check : report.at("checks")) {
      if (check.at("id") == id) return check.at("verdict");
    }
    return "absent";
  }
  [[nodiscard]] std::string observed(const std::string& id) const {
    for (const auto& check : report.at("checks")) {
      if (check.at("id") == id) return check.at("observed");
    }
    return "";
  }
};

Verified verify(const std::string& url, const std::vector<Replica>& replicas, std::vector<std::string> more) {
  std::vector<std::string> arguments{"verify", "--target", url, "--output", "json"};
  for (const auto& replica : replicas) arguments.insert(arguments.end(), {"--replica", replica.name + "=" + replica.url});
  arguments.insert(arguments.end(), more.begin(), more.end());
  Process process(arguments);
  Verified out;
  out.code = process.wait();
  out.errors = process.errors;
  out.report = Json::parse(process.output, nullptr, false);
  EXPECT_TRUE(out.report.is_object()) << process.output << process.errors;
  return out;
}

TEST(VerifyTest, Pattern3PassesAndPattern1OfTheSameTargetFails) {
  const Stack stack({"--pattern", "3"});
  ASSERT_EQ(stack.replicas.size(), 3u);
  const Verified good = verify(stack.url, stack.replicas, {"--pattern", "3"});
  EXPECT_EQ(good.code, 0) << good.report.dump(1) << good.errors;
  EXPECT_EQ(good.report.at("verdict"), "pass");
  EXPECT_EQ(good.report.at("simulated"), true);
  for (const char* id : {"health", "replica-health", "models", "completion", "completion-stream", "chat", "chat-stream", "replica-list",
                         "attribution", "stickiness", "cache-hits", "spread"}) {
    EXPECT_EQ(good.verdict(id), "pass") << id;
  }
  const Json& calibration = good.report.at("calibration");
  EXPECT_GT(calibration.at("n").get<int>(), 40);
  EXPECT_GT(calibration.at("client_minus_server_ms_mean").get<double>(), 0.0);
  EXPECT_EQ(calibration.at("body_sizes_compared"), calibration.at("body_sizes_equal"));
  const Verified as_one = verify(stack.url, stack.replicas, {"--pattern", "1"});
  EXPECT_EQ(as_one.code, 3);
  EXPECT_EQ(as_one.verdict("one-replica"), "fail");
}

TEST(VerifyTest, Pattern1Passes) {
  const Stack stack({"--pattern", "1"});
  const Verified good = verify(stack.url, stack.replicas, {"--pattern", "1"});
  EXPECT_EQ(good.code, 0) << good.report.dump(1) << good.errors;
  EXPECT_EQ(good.verdict("one-replica"), "pass");
}

TEST(VerifyTest, ARandomRouterDoesNotStick) {
  const Stack stack({"--pattern", "3", "--policy", "random"});
  const Verified random = verify(stack.url, stack.replicas, {"--probes", "9"});
  EXPECT_EQ(random.code, 3) << random.report.dump(1);
  EXPECT_EQ(random.verdict("stickiness"), "fail");
  EXPECT_NE(random.verdict("spread"), "pass");  // nine prompts prove nothing
}

TEST(VerifyTest, AMissingReplicaAndOneShownTwiceAreFound) {
  const Stack stack({"--pattern", "3"});
  ASSERT_EQ(stack.replicas.size(), 3u);
  const Verified missing = verify(stack.url, {stack.replicas[0], stack.replicas[2]}, {});
  EXPECT_EQ(missing.code, 3) << missing.report.dump(1);
  EXPECT_EQ(missing.verdict("replica-list"), "fail");
  EXPECT_NE(missing.observed("replica-list").find("a replica is missing from your list"), std::string::npos);
  EXPECT_EQ(missing.verdict("spread"), "inconclusive");

  std::string again = stack.replicas[0].url;  // the same port under another spelling
  again.replace(again.find("127.0.0.1"), 9, "localhost");
  const Verified twice = verify(stack.url, {stack.replicas[0], {"copy", again}, stack.replicas[2]}, {});
  EXPECT_EQ(twice.code, 3) << twice.report.dump(1);
  EXPECT_NE(twice.observed("replica-list").find(stack.replicas[0].name + " and copy show the same process"), std::string::npos)
      << twice.observed("replica-list");

  const Verified dead = verify(stack.url, {stack.replicas[0], stack.replicas[1], {"dead", "http://127.0.0.1:9/metrics"}}, {});
  EXPECT_EQ(dead.code, 3) << dead.report.dump(1);
  EXPECT_EQ(dead.verdict("replica-health"), "fail");
  EXPECT_NE(dead.observed("replica-list").find("dead: GET http://127.0.0.1:9/metrics failed"), std::string::npos);
}

TEST(VerifyTest, WithoutReplicasOnlyTheHeaderCanPlace) {
  const Stack stack({"--pattern", "3"});
  const Verified blind = verify(stack.url, {}, {});
  EXPECT_EQ(blind.code, 4) << blind.report.dump(1);
  EXPECT_EQ(blind.verdict("completion"), "pass");
  EXPECT_EQ(blind.verdict("stickiness"), "inconclusive");
  EXPECT_EQ(blind.verdict("spread"), "inconclusive");
  const Verified trusting = verify(stack.url, {}, {"--attribution", "header", "--probes", "54"});
  EXPECT_EQ(trusting.code, 0) << trusting.report.dump(1);
  EXPECT_EQ(trusting.verdict("stickiness"), "pass");
  EXPECT_EQ(trusting.verdict("spread"), "pass");
}

TEST(VerifyTest, OtherTrafficIsOvercomeByAReservedBucketAndEightAtOnceAgree) {
  const ScratchFolder folder;
  const Stack stack({"--pattern", "3"});
  const Verified eight = verify(stack.url, stack.replicas, {"--probes-at-once", "8"});
  EXPECT_EQ(eight.code, 0) << eight.report.dump(1);
  EXPECT_EQ(eight.verdict("spread"), "pass");
  Process load({"run", "unique", "--target", stack.url, "--store", folder.file("load.db"), "--max-concurrency", "8", "--num-prompts", "100000"});
  ASSERT_TRUE(load.wait_for_errors("in flight"));
  const Verified busy = verify(stack.url, stack.replicas, {});
  load.signal(SIGINT);
  load.wait();
  EXPECT_NE(busy.verdict("replica-list"), "fail") << busy.report.dump(1);
  EXPECT_NE(busy.verdict("attribution"), "fail") << busy.report.dump(1);  // no claim contradicts the header
  EXPECT_NE(busy.observed("attribution").find("by a max_tokens bucket that nobody else uses"), std::string::npos) << busy.report.dump(1);
}

TEST(VerifyTest, ADeadTargetIsExitSixAndBadOptionsAreListedTogether) {
  Process dead({"verify", "--target", "http://127.0.0.1:9"});
  EXPECT_EQ(dead.wait(), 6);
  EXPECT_NE(dead.errors.find("http://127.0.0.1:9"), std::string::npos) << dead.errors;
  EXPECT_TRUE(dead.output.empty());
  Process bad({"verify", "--target", "gateway", "--pattern", "2", "--replica", "a", "--probes-at-once", "9", "--output", "xml", "--attribution", "guess"});
  EXPECT_EQ(bad.wait(), 2);
  for (const char* part : {"--target", "--pattern 2", "--replica a", "--probes-at-once 9", "--output xml", "--attribution guess"}) {
    EXPECT_NE(bad.errors.find(part), std::string::npos) << part << "\n" << bad.errors;
  }
}

TEST(VerifyTest, AnInterruptionAndATimeLimitKeepWhatThereIs) {
  const Stack stack({"--pattern", "3"});
  std::vector<std::string> arguments{"verify", "--target", stack.url, "--output", "json", "--probes", "4000"};
  for (const auto& replica : stack.replicas) arguments.insert(arguments.end(), {"--replica", replica.name + "=" + replica.url});
  Process process(arguments);
  ASSERT_TRUE(process.wait_for_errors("asking for health"));
  process.signal(SIGINT);
  EXPECT_EQ(process.wait(), 130);
  const Json cut = Json::parse(process.output, nullptr, false);
  ASSERT_TRUE(cut.is_object()) << process.output;
  EXPECT_EQ(cut.at("cut_short"), "interrupted");
  EXPECT_NE(cut.at("verdict"), "pass");
  const Verified limited = verify(stack.url, stack.replicas, {"--probes", "4000", "--time-limit", "3s"});
  EXPECT_EQ(limited.code, 4) << limited.report.dump(1);
  EXPECT_NE(limited.report.at("cut_short").get<std::string>().find("time limit"), std::string::npos);
}

}  // namespace
