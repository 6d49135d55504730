// Strings that YAML would take for something else: as scalars, in templates, and as values of whole bundles.
#include "deploy/render/scalar.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "deploy/lint.h"
#include "deploy/render/render.h"
#include "deploy/render/template.h"

namespace {

using namespace deploy;
namespace fs = std::filesystem;

TEST(ScalarTest, WhatReadersTakeForSomethingElseIsQuoted) {
  for (const std::string text : {"y", "N", "yes", "No", "ON", "off", "True", "FALSE", "null", "NULL", "~", "12", "-3", "+3", "010", "09", "0x1F", "0o7", "0b1", "1_000", "190:20:30", "1.5", ".5", "1.", "1e3", "1E-3",
                                 "685.230_15e+03", ".inf", "-.INF", ".NaN", "2020-01-01", "2020-1-1t2:3:4Z", "<<", "=", "", " a", "a ", "a: b", "a #b", "a:", "- a", "-", "?", "*a", "&a", "!a", "@a", "`a", "%a", "#a", "[a",
                                 "{a", "|", ">", "'a", "\"a", "a\nb", "---"}) {
    EXPECT_FALSE(reads_as_string(text)) << text;
    const auto parsed = parse_documents("k: " + yaml_string(text) + "\n", "t");
    ASSERT_EQ(parsed.documents.size(), 1U) << text;
    EXPECT_TRUE(parsed.documents[0].root["k"].is_string()) << text;
    EXPECT_EQ(parsed.documents[0].root["k"].text, text);
  }
}

TEST(ScalarTest, OrdinaryStringsStayPlain) {
  for (const std::string text : {"pattern3", "2x2", "v0.12.0", "europe-west4-a", "yes-vllm", "2020-01-01-load", "1e3-pool", "64Gi", "500m", "300s", "--port=8000", "hf://Qwen/Qwen2.5-3B-Instruct", "http://a:80/b", "-a", "a-", "e3", "0x", "x1f", "nope", "only"}) {
    EXPECT_EQ(yaml_string(text), text);
  }
  EXPECT_EQ(yaml_string("a,b", ScalarPlace::kFlow), "\"a,b\"");
  EXPECT_EQ(yaml_string("a,b"), "a,b");
}

TEST(ScalarTest, TemplatesQuoteScalarsWhereTheyStandAlone) {
  TemplateInput in;
  in.values = {{"s", "on"}, {"n", "3"}, {"block", "a: 1\nb: 2"}, {"d", "2020-01-01"}};
  in.raw = {"n", "block"};
  const std::string text =
      "k: @s@\n- @s@\n- - k: @s@  # @s@\nk: \"@s@\"\nk: '@s@'\nk: x-@s@\n@s@: 1\nf: {a: @s@, b: [@s@, x@s@], c: \"{@s@}\", n: @n@}\nn: @n@\nm: @n@s\n  @block@\n# k: @s@\nd: @d@\ne: @d@-x\n@s@.json: |\n  k: v\n{{ x \"@s@\" }}\n";
  EXPECT_EQ(*expand(text, in, "t", Syntax::kYaml),
            "k: \"on\"\n- \"on\"\n- - k: \"on\"  # on\nk: \"on\"\nk: 'on'\nk: x-on\non: 1\nf: {a: \"on\", b: [\"on\", xon], c: \"{on}\", n: 3}\nn: 3\nm: 3s\n  a: 1\n  b: 2\n# k: on\nd: \"2020-01-01\"\n"
            "e: 2020-01-01-x\non.json: |\n  k: v\n{{ x \"on\" }}\n");
  EXPECT_EQ(*expand("k: @s@\n", in, "t"), "k: on\n");
}

/// Every scalar of that text is a string. Booleans are at home in manifests: of `true` only names are looked at.
void expect_strings(const Node& node, std::string_view text, const std::string& where, std::string_view key = "name") {
  const bool boolean = text == "true" || text == "false";
  const bool named = key == "name" || key == "namespace" || key == "model" || key == "release" || key == "claimName";
  if ((named || !boolean) && (node.is_scalar() || node.kind == NodeKind::kNull) && node.text == text) {
    EXPECT_TRUE(node.is_string()) << where << ":" << node.at.line << ": " << text << " is " << word_for(node.kind);
  }
  for (const auto& item : node.items) expect_strings(item, text, where, key);
  for (const auto& member : node.members) expect_strings(member.value, text, where, member.key);
}

std::string values_text(const BundleKey& key, const std::string& word) {
  const auto line = [&](const char* name, const std::string& value) { return std::string(name) + ": \"" + value + "\"\n"; };
  // Names of Services begin with a letter.
  const bool letter = word.find_first_of("0123456789") != 0;
  std::string text = "pattern: 3\nvariant: " + std::string(word_for(key.variant)) + "\npin: " + std::string(word_for(key.pin)) + "\n" + line("namespace", word) + line("cluster", word);
  if (letter || key.variant != Variant::kPlain) text += line("name", word);
  if (key.variant == Variant::kIstioKserve) text += line("gateway_namespace", word) + line("monitoring_namespace", word) + (letter ? line("service_name", word) + line("gateway_name", word) : "");
  return text + "model:\n  " + line("name", word) + "load:\n  " + line("claim", word) + "  " + line("scenario", word) + "secrets:\n  " + line("hf_token", word) + "  " + line("image_pull", word);
}

void expect_kubectl_reads(const std::vector<SourceFile>& files, const BundleKey& key, const std::string& word) {
  const fs::path root = fs::path(::testing::TempDir()) / ("gatebench-scalar-" + std::to_string(::getpid()));
  for (const auto& file : files) {
    fs::create_directories((root / file.name).parent_path());
    std::ofstream(root / file.name, std::ios::binary) << file.text;
  }
  const fs::path base = key.variant == Variant::kGke ? root / "manifests" : root, out = root / "out";
  for (const auto& part : {base, base / "load"}) {
    EXPECT_EQ(std::system(("kubectl kustomize '" + part.string() + "' >'" + out.string() + "'").c_str()), 0) << part << " " << word;
    std::ifstream in(out, std::ios::binary);
    const auto parsed = parse_documents(std::string{std::istreambuf_iterator<char>(in), {}}, "kustomized");
    EXPECT_TRUE(parsed.problems.empty());
    for (const auto& document : parsed.documents) expect_strings(document.root, word, "kustomized " + word);
  }
  fs::remove_all(root);
}

TEST(ScalarTest, BundlesKeepStringsThatLookLikeSomethingElse) {
  const bool kubectl = std::system("kubectl version --client >/dev/null 2>&1") == 0;
  for (const std::string word : {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "123", "010", "0x1f", "0o7", "0b1", "1e3", "2020-01-01"}) {
    for (const auto& line : bundle_lines()) {
      if (line.key.pattern != 3) continue;
      const std::string where = word + " in " + line.about;
      const auto values = read_values(values_text(line.key, word), "v.yaml", {});
      ASSERT_TRUE(values) << where << ": " << values.error().message;
      const auto files = render_bundle(*values);
      ASSERT_TRUE(files) << where;
      std::vector<SourceFile> manifests;
      for (const auto& file : *files) {
        if (file.name == "README.md") continue;
        manifests.push_back(file);
        if (file.name.find(".gotmpl") != std::string::npos) continue;
        const auto parsed = parse_documents(file.text, file.name);
        EXPECT_TRUE(parsed.problems.empty()) << where << ": " << file.name;
        for (const auto& document : parsed.documents) expect_strings(document.root, word, where + ": " + file.name);
      }
      const auto again = read_values(print_values(*values), "values.yaml", {});
      ASSERT_TRUE(again) << where << ": " << again.error().message;
      EXPECT_EQ(again->all(), values->all()) << where;
      LintOptions options;
      options.pattern = 3, options.pin = line.key.pin, options.variant = line.key.variant;
      const auto report = lint(read_bundle(manifests), options);
      EXPECT_TRUE(report.findings.empty()) << where << "\n" << render_lint(report, LintFormat::kText);
      if (kubectl && (word == "yes" || word == "null" || word == "1e3" || word == "2020-01-01")) expect_kubectl_reads(*files, line.key, word);
    }
  }
}

TEST(ScalarTest, NamesOfServicesBeginWithALetter) {
  const auto error = [](const std::string& text) {
    const auto values = read_values(text, "v.yaml", {});
    return values ? std::string() : values.error().message;
  };
  EXPECT_EQ(error("variant: plain\nname: \"12\"\n"), "v.yaml:2:7: name makes the Service 12-pool-epp: Kubernetes takes no Service that begins with a digit; begin it with a letter");
  EXPECT_EQ(error("variant: istio-kserve\nservice_name: 1e3\n"), "v.yaml:2:15: service_name makes the Service 1e3-epp-service: Kubernetes takes no Service that begins with a digit; begin it with a letter");
  EXPECT_EQ(error("variant: istio-kserve\ngateway_name: 2gw\n"), "v.yaml:2:15: gateway_name makes the Service 2gw-istio: Kubernetes takes no Service that begins with a digit; begin it with a letter");
  EXPECT_EQ(error("variant: gke\nname: \"12\"\n"), "");
  EXPECT_EQ(error("variant: istio-kserve\nname: \"12\"\n"), "");
}

}  // namespace
