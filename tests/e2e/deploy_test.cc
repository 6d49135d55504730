// The deploy verbs as a user meets them: exit codes, standard input, formats, what is refused.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "bench/cli/manifest_files.h"
#include "bench/shell/exchange.h"
#include "deploy/bundle.h"
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

TEST(DeployTest, TheLoadsArgumentsAreThisBinarysOptions) {
  const ScratchFolder folder;
  for (const char* variant : {"plain", "istio-kserve", "gke"}) {
    const std::string out = folder.file(variant);
    Process render({"deploy", "render", "--variant", variant, "--out", out}, folder.path());
    ASSERT_EQ(render.wait(), 0) << render.errors;
    const auto files = bench::cli::read_manifest_files({out});
    ASSERT_TRUE(files);
    const auto bundle = deploy::read_bundle(*files);
    std::size_t loads = 0;
    for (const auto& pods : bundle.pods) {
      if (pods.role != deploy::PodRole::kLoad) continue;
      ++loads;
      const auto words = deploy::command_words(*deploy::containers_of(*pods.pod_spec).at(0));
      Process help({words.at(0).text, "--help"}, folder.path());
      ASSERT_EQ(help.wait(), 0);
      for (const auto& word : words) {
        if (word.text.rfind("--", 0) != 0) continue;
        EXPECT_NE(help.output.find("  " + word.text.substr(0, word.text.find('=')) + " "), std::string::npos) << words[0].text << " " << word.text;
      }
      if (words[0].text != "run") continue;
      Process plan({"plan", words.at(1).text}, folder.path());
      EXPECT_EQ(plan.wait(), 0) << plan.errors;
    }
    EXPECT_EQ(loads, 2U) << variant;
  }
}

std::string url_of(const Process& process) {
  const auto at = process.errors.find("http://");
  return process.errors.substr(at, process.errors.find_first_of("; \n", at) - at);
}

std::string page_of(core::net::Loop& loop, core::net::HttpClient& client, const std::string& url) {
  const auto answer = bench::exchange(loop, client, "GET", url, {}, std::chrono::seconds(20));
  return answer ? answer->body : answer.error().message;
}

TEST(DeployTest, MetricsInManifestsAreExportedByTheBinary) {
  Process replica({"replica"});
  ASSERT_TRUE(replica.wait_for_errors("listens on http://"));
  Process router({"router", "--endpoint", "a=" + url_of(replica).substr(7)});
  ASSERT_TRUE(router.wait_for_errors("listens on http://"));
  core::net::Loop loop;
  auto client = core::net::HttpClient::create(loop, {});
  ASSERT_TRUE(client);
  const auto models = bench::exchange(loop, **client, "GET", url_of(router) + "/v1/models", {}, std::chrono::seconds(20));
  ASSERT_TRUE(models && models->status == 200);
  const std::string model = nlohmann::json::parse(models->body).at("data").at(0).at("id");
  const auto sent = bench::exchange(loop, **client, "POST", url_of(router) + "/v1/completions", {"Content-Type: application/json"}, std::chrono::seconds(60),
                                    nlohmann::json{{"model", model}, {"prompt", "hello"}, {"max_tokens", 4}}.dump());
  ASSERT_TRUE(sent && sent->status == 200);
  const std::string pages = page_of(loop, **client, url_of(replica) + "/metrics") + page_of(loop, **client, url_of(router) + "/router/metrics");

  const ScratchFolder folder;
  std::set<std::string> named;
  for (const char* variant : {"plain", "istio-kserve", "gke"}) {
    for (const char* pin : {"early-2026", "current"}) {
      const std::string out = folder.file(std::string(variant) + pin);
      Process render({"deploy", "render", "--variant", variant, "--pin", pin, "--out", out}, folder.path());
      ASSERT_EQ(render.wait(), 0) << render.errors;
      const auto files = bench::cli::read_manifest_files({out});
      ASSERT_TRUE(files);
      for (const auto& file : *files) {
        re2::StringPiece left(file.text);
        for (std::string name; RE2::FindAndConsume(&left, "((?:vllm:|gatebench_)[a-z0-9_]+)", &name);) named.insert(name);
      }
    }
  }
  EXPECT_GE(named.size(), 10U);
  for (const auto& name : named) {
    const bool sample = pages.find("\n" + name + "{") != std::string::npos || pages.find("\n" + name + " ") != std::string::npos;
    EXPECT_TRUE(sample) << name << " is in a manifest, and on no page of replica or router";
  }
}

TEST(DeployTest, ValuesFilesAndRunbooks) {
  const ScratchFolder folder;
  Process printed({"deploy", "render", "--variant", "gke", "--pattern", "1", "--print-values"}, folder.path());
  ASSERT_EQ(printed.wait(), 0) << printed.errors;
  write(folder.file("v.yaml"), printed.output);
  Process render({"deploy", "render", "-f", folder.file("v.yaml"), "--out", folder.file("out")}, folder.path());
  EXPECT_EQ(render.wait(), 0) << render.errors;
  Process runbook({"deploy", "runbook", "-f", folder.file("out/values.yaml")}, folder.path());
  EXPECT_EQ(runbook.wait(), 0) << runbook.errors;
  EXPECT_EQ(runbook.output.rfind("# Runbook: Pattern 1 (gke, current)", 0), 0U) << runbook.output.substr(0, 80);
  write(folder.file("bad.yaml"), "replica: 2\nchips: x\n");
  Process bad({"deploy", "runbook", "-f", folder.file("bad.yaml")}, folder.path());
  EXPECT_EQ(bad.wait(), 2);
  EXPECT_NE(bad.errors.find("bad.yaml:1:1: unknown key replica; did you mean replicas?"), std::string::npos) << bad.errors;
  EXPECT_NE(bad.errors.find("bad.yaml:2:8: chips \"x\" is no whole number"), std::string::npos) << bad.errors;
  Process list({"deploy", "list"}, folder.path());
  EXPECT_EQ(list.wait(), 0);
  EXPECT_EQ(std::count(list.output.begin(), list.output.end(), '\n'), 19);
}

}  // namespace
