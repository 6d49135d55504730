// The deploy verbs as a user meets them: exit codes, standard input, formats, what is refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/process.h"

namespace {

using support::Process;
using support::ScratchFolder;

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

TEST(DeployTest, LintTellsByItsExitCode) {
  const ScratchFolder folder;
  const std::string service = "apiVersion: serving.kserve.io/v1alpha1\nkind: LLMInferenceService\nmetadata: {name: q, namespace: ns1}\nspec:\n  model: {uri: x}\n  router: {route: {}, gateway: {}, scheduler: {}}\n";
  write(folder.file("good.yaml"), service);
  write(folder.file("bad.yaml"), std::string(service).replace(service.find("name: q"), 7, "name: r") + "  extraArgs: [--enable-prefix-caching]\n");
  write(folder.file("warned.yaml"), "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: ns1}\nspec: {podSelector: {}, policyTypes: [Egress], egress: [{}]}\n");
  write(folder.file("broken.yaml"), "a: [\n");
  const auto lint = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"deploy", "lint"});
    return arguments;
  };
  Process good(lint({folder.file("good.yaml")}), folder.path());
  EXPECT_EQ(good.wait(), 0) << good.output;
  Process bad(lint({folder.file("good.yaml"), folder.file("bad.yaml"), "--output", "json"}), folder.path());
  EXPECT_EQ(bad.wait(), 3) << bad.errors;
  const auto report = nlohmann::json::parse(bad.output, nullptr, false);
  ASSERT_TRUE(report.is_object()) << bad.output;
  EXPECT_EQ(report.at("schema"), "gatebench.lint");
  EXPECT_EQ(report.at("findings").at(0).at("rule"), "L01");
  EXPECT_EQ(report.at("findings").at(0).at("line"), 7);
  Process warned(lint({folder.file("warned.yaml")}), folder.path());
  EXPECT_EQ(warned.wait(), 0) << warned.output;
  Process strict(lint({folder.file("warned.yaml"), "--strict"}), folder.path());
  EXPECT_EQ(strict.wait(), 3) << strict.output;
  Process broken(lint({folder.file("broken.yaml")}), folder.path());
  EXPECT_EQ(broken.wait(), 2) << broken.output;
  EXPECT_NE(broken.output.find("broken.yaml:"), std::string::npos);
  for (const auto& wrong : std::vector<std::vector<std::string>>{{}, {"no-such.yaml"}, {folder.file("good.yaml"), "--pattern", "4"}, {folder.file("good.yaml"), "--variant", "x"}, {folder.file("good.yaml"), "--pin", "x"}, {folder.file("good.yaml"), "--crds", folder.file("good.yaml")}}) {
    Process refused(lint(wrong), folder.path());
    EXPECT_EQ(refused.wait(), 2) << refused.output;
    EXPECT_NE(refused.errors.find("error:"), std::string::npos);
  }
}

TEST(DeployTest, WhatIsRenderedLintsClean) {
  const ScratchFolder folder;
  for (const char* variant : {"plain", "istio-kserve", "gke"}) {
    const std::string out = folder.file(variant);
    Process render({"deploy", "render", "--pattern", "3", "--variant", variant, "--out", out}, folder.path());
    EXPECT_EQ(render.wait(), 0) << render.errors;
    Process again({"deploy", "render", "--pattern", "3", "--variant", variant, "--out", out}, folder.path());
    EXPECT_EQ(again.wait(), 0) << again.errors;
    Process lint({"deploy", "lint", out, "--pattern", "3", "--strict"}, folder.path());
    EXPECT_EQ(lint.wait(), 0) << lint.output;
  }
  write(folder.file("mine"), "x");
  Process foreign({"deploy", "render", "--out", folder.path()}, folder.path());
  EXPECT_EQ(foreign.wait(), 2) << foreign.output;
  EXPECT_NE(foreign.errors.find("--force"), std::string::npos) << foreign.errors;
}

}  // namespace
