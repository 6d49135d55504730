// YAML documents as trees with places: what kubectl would read, and what hostile files may not do.
#include "deploy/yaml/document.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using namespace deploy;

Node only(const std::string& text) {
  auto parsed = parse_documents(text, "f.yaml");
  EXPECT_TRUE(parsed.problems.empty()) << (parsed.problems.empty() ? "" : parsed.problems.front().message);
  EXPECT_EQ(parsed.documents.size(), 1U);
  return parsed.documents.empty() ? Node{} : parsed.documents.front().root;
}

InputProblem problem(const std::string& text, const ParseLimits& limits = {}) {
  const auto parsed = parse_documents(text, "f.yaml", limits);
  EXPECT_FALSE(parsed.problems.empty());
  return parsed.problems.empty() ? InputProblem{} : parsed.problems.front();
}

TEST(Document, PlacesAreLinesAndColumnsFromOne) {
  const Node root = only("a: 1\nb:\n  - c: x\n");
  EXPECT_EQ(root["b"][0]["c"].at.line, 3);
  EXPECT_EQ(root["b"][0]["c"].at.column, 8);
  EXPECT_EQ(root.at_key("b").line, 2);
  EXPECT_FALSE(root["b"][0]["d"]["e"].exists());
  EXPECT_EQ(root.path({"b", "x", "y"}).str(), "");
}

TEST(Document, UnquotedScalarsAreWhatYaml11SaysTheyAre) {
  for (const char* text : {"y", "on", "No", "true"}) EXPECT_EQ(kind_of_plain(text), NodeKind::kBool) << text;
  for (const char* text : {"12", "-3", "0x1f", "0o17", "017", "1_000"}) EXPECT_EQ(kind_of_plain(text), NodeKind::kInteger) << text;
  for (const char* text : {"1.0", "1e3", ".inf", "-2.5e-3"}) EXPECT_EQ(kind_of_plain(text), NodeKind::kFloat) << text;
  for (const char* text : {"1.2.3", "08x", "yess", "1Gi", "v1", "-", ".", "e3", "0xzz"}) EXPECT_EQ(kind_of_plain(text), NodeKind::kString) << text;
  EXPECT_EQ(kind_of_plain("~"), NodeKind::kNull);
  EXPECT_EQ(only("a: \"y\"")["a"].kind, NodeKind::kString);
  EXPECT_EQ(only("a: 'on'")["a"].kind, NodeKind::kString);
  EXPECT_EQ(only("a: 017")["a"].integer(), 15);
  EXPECT_EQ(only("a: \"4\"")["a"].integer(), 4);
}

TEST(Document, DocumentsOfAFileKeepTheirOrderAndEmptyOnesAreLeftOut) {
  const auto parsed = parse_documents("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n", "f.yaml");
  ASSERT_EQ(parsed.documents.size(), 2U);
  EXPECT_EQ(parsed.documents[0].root["a"].str(), "1");
  EXPECT_EQ(parsed.documents[1].root["b"].at.line, 7);
  EXPECT_TRUE(parse_documents("", "f.yaml").documents.empty());
  EXPECT_TRUE(parse_documents("# only this\n", "f.yaml").problems.empty());
}

TEST(Document, CrlfByteOrderMarkAndJsonAreRead) {
  EXPECT_EQ(only("a: x\r\nb:\r\n  c: y\r\n")["b"]["c"].str(), "y");
  EXPECT_EQ(only("\xef\xbb\xbf" "a: x\n")["a"].str(), "x");
  EXPECT_EQ(only("{\"a\": {\"b\": [1, \"2\"]}}")["a"]["b"][1].kind, NodeKind::kString);
}

TEST(Document, AKeyGivenTwiceIsNamedWithBothPlaces) {
  const auto p = problem("a: 1\nb: 2\na: 3\n");
  EXPECT_EQ(p.at.line, 3);
  EXPECT_NE(p.message.find("\"a\""), std::string::npos);
  EXPECT_NE(p.message.find("first in line 1"), std::string::npos);
}

TEST(Document, AnchorsAndMergesAreExpanded) {
  const Node root = only("x: &x {a: 1, b: 2}\ny: *x\nz:\n  <<: *x\n  b: 3\n");
  EXPECT_EQ(root["y"]["b"].str(), "2");
  EXPECT_EQ(root["z"]["a"].str(), "1");
  EXPECT_EQ(root["z"]["b"].str(), "3");
}

TEST(Document, AliasesThatMultiplyAreStoppedAndCiteTheirLine) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  const auto p = problem(bomb);
  EXPECT_NE(p.message.find("aliases expanded"), std::string::npos) << p.message;
  EXPECT_GT(p.at.line, 3);
}

TEST(Document, AnAliasToItsOwnParentIsRefused) {
  const auto p = problem("a: &a\n  b: *a\n");
  EXPECT_EQ(p.at.line, 2);
}

TEST(Document, TemplatesAreCalledTemplates) {
  EXPECT_NE(problem("name: {{ .Values.name }}\n").message.find("template"), std::string::npos);
  EXPECT_NE(problem("a: 1\n{{- if .x }}\nb: 2\n{{ end }}\n").fix.find("template"), std::string::npos);
  EXPECT_EQ(only("legend: \"{{pod}}\"\n")["legend"].str(), "{{pod}}");
}

TEST(Document, SyntaxErrorsCiteTheirPlaceAndKeepEarlierDocuments) {
  const auto parsed = parse_documents("a: 1\n---\nb: [1, 2\nc: }\n", "f.yaml");
  EXPECT_EQ(parsed.documents.size(), 1U);
  ASSERT_EQ(parsed.problems.size(), 1U);
  EXPECT_GE(parsed.problems[0].at.line, 3);
  EXPECT_NE(parsed.problems[0].message.find("not YAML"), std::string::npos);
}

TEST(Document, DepthBytesAndZeroBytesAreRefused) {
  EXPECT_NE(problem(std::string(300, '[') + std::string(300, ']')).message, "");
  EXPECT_NE(problem(std::string(100'000, '[')).message, "");
  ParseLimits small;
  small.bytes = 10;
  EXPECT_NE(problem("a: 12345678901234", small).message.find("MB"), std::string::npos);
  const auto p = problem(std::string("a: 1\nb: \0", 9));
  EXPECT_EQ(p.at.line, 2);
}

TEST(Document, AnyCutOfATextIsReadOrRefusedWithAPlace) {
  const std::string text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: &n 'a b'\n  labels: {x: *n, y: \"1\\u0041\"}\ndata:\n  f: |\n    - a\n    - b\n  g: >-\n    t\n---\n[1, {a: b}]\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto parsed = parse_documents(std::string_view(text).substr(0, cut), "f.yaml");
    for (const auto& p : parsed.problems) EXPECT_GE(p.at.line, 1) << cut;
  }
}

}  // namespace
