// Structural validation: known answers, hostile schemas, and the published CRDs where they are at hand: every passing
// fixture must pass them too, and ours must not accept a field that they refuse.
#include "deploy/schema_set.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "deploy/lint.h"

namespace {

using namespace deploy;
namespace fs = std::filesystem;

SchemaSet set_of(const std::string& schema) {
  std::string indented;
  for (std::size_t at = 0; at < schema.size();) {
    const auto end = std::min(schema.find('\n', at), schema.size() - 1);
    indented += "          " + schema.substr(at, end - at + 1);
    at = end + 1;
  }
  SchemaSet set;
  set.add(parse_documents("kind: CustomResourceDefinition\nspec:\n  group: g\n  names: {kind: K}\n  versions:\n    - name: v1\n      schema:\n        openAPIV3Schema:\n" + indented, "crd").documents);
  return set;
}

std::vector<std::string> problems(const std::string& schema, const std::string& object) {
  const SchemaSet set = set_of(schema);
  const auto parsed = parse_documents(object, "o");
  std::vector<std::string> out;
  for (const auto& p : set.validate(parsed.documents.at(0).root, set.find("g", "v1", "K"))) out.push_back(p.message);
  return out;
}

TEST(SchemaSet, FindsWhatIsWrongAndWhere) {
  const std::string schema = "type: object\nrequired: [spec]\nproperties:\n  spec:\n    type: object\n    required: [name]\n    properties:\n      name: {type: string, pattern: '^[a-z]+$', maxLength: 5}\n      size: {type: integer, minimum: 1, maximum: 9}\n      mode: {type: string, enum: [A, B]}\n      any: {x-kubernetes-int-or-string: true}\n      open: {type: object, x-kubernetes-preserve-unknown-fields: true}\n      list: {type: array, minItems: 1, items: {type: object, required: [k], properties: {k: {type: string}}}, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k]}\n";
  EXPECT_TRUE(problems(schema, "spec: {name: ab, size: 3, mode: A, any: 50%, open: {x: {y: 1}}, list: [{k: a}, {k: b}]}").empty());
  EXPECT_EQ(problems(schema, "x: 1").size(), 2U);  // no spec, and an unknown field
  EXPECT_EQ(problems(schema, "spec: {nme: ab}").size(), 2U);
  EXPECT_NE(problems(schema, "spec: {nme: ab}")[0].find("did you mean name"), std::string::npos);
  for (const char* wrong : {"{name: AB}", "{name: abcdef}", "{name: a, size: 0}", "{name: a, size: 10}", "{name: a, mode: C}", "{name: a, list: []}", "{name: a, list: [{}]}",
                            "{name: a, list: [{k: x}, {k: x}]}", "{name: [a]}", "{name: a, size: many}", "{name: a, any: [1]}"}) {
    EXPECT_EQ(problems(schema, std::string("spec: ") + wrong).size(), 1U) << wrong;
  }
  EXPECT_TRUE(problems(schema, "spec: {name: a, size: null}").empty());
  // Found by comparison with the API server's own library: numbers for strings, nulls that stay, booleans for ports.
  for (const char* wrong : {"{name: 7}", "{name: 1.5}", "{name: null}", "{name: a, mode: 3}", "{name: a, list: [null]}", "{name: a, list: [{k: 1}]}", "{name: a, any: true}"}) {
    EXPECT_EQ(problems(schema, std::string("spec: ") + wrong).size(), 1U) << wrong;
  }
  const std::string forms = "type: object\nproperties:\n  q: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}], pattern: '^[0-9]+Gi$', minLength: 1}\n  d: {type: string, format: duration}\n  few: {type: object, maxProperties: 1, properties: {a: {type: string}}}\n  no: {type: string, nullable: true}\nrequired: [no]\n";
  for (const char* right : {"{q: 5Gi, no: null}", "{q: 5, no: null}", "{d: 30s, no: a}", "{d: 1h30m, no: a}", "{d: '0', no: a}", "{d: 1.5s, no: a}"}) EXPECT_TRUE(problems(forms, right).empty()) << right;
  for (const char* wrong : {"{q: 5Mi, no: a}", "{q: '', no: a}", "{q: 1.5, no: a}", "{d: text, no: a}", "{d: '', no: a}", "{d: '30', no: a}", "{few: {a: x, b: z}, no: a}"}) EXPECT_GE(problems(forms, wrong).size(), 1U) << wrong;
  EXPECT_EQ(problems(forms, "{few: {a: x, b: z}, no: a}").size(), 1U);   // unknown, and not counted
}

TEST(SchemaSet, CombinedFormsAreJudged) {
  const std::string schema = "type: object\nproperties:\n  a: {type: string}\n  b: {type: string}\noneOf:\n  - {required: [a]}\n  - {required: [b]}\n";
  EXPECT_TRUE(problems(schema, "a: x").empty());
  EXPECT_EQ(problems(schema, "{a: x, b: z}").size(), 1U);
  EXPECT_EQ(problems(schema, "{}").size(), 1U);
  EXPECT_EQ(problems("type: object\nproperties:\n  a: {type: string}\nnot: {required: [a]}\n", "a: x").size(), 1U);
}

TEST(SchemaSet, HostileSchemasAndObjectsEnd) {
  EXPECT_TRUE(problems("type: object\nproperties:\n  a: {type: string, pattern: '((('}\n", "a: x").empty());
  EXPECT_TRUE(problems("type: object\nproperties:\n  a: {type: string, pattern: '^(a+)+$'}\n", "a: " + std::string(5000, 'a')).empty());
  EXPECT_EQ(problems("type: object\nproperties:\n  a: {type: string, pattern: '^(a+)+$'}\n", "a: " + std::string(5000, 'a') + "!").size(), 1U);
  EXPECT_TRUE(problems("type: []\nproperties: 3\n", "a: x").empty());
  std::string many = "spec:\n";
  for (int i = 0; i < 1000; ++i) many += "  f" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(problems("type: object\nproperties:\n  spec: {type: object, properties: {a: {type: string}}}\n", many).size(), 200U);
  SchemaSet set;
  EXPECT_EQ(set.add(parse_documents("kind: CustomResourceDefinition\nspec: []\n---\nkind: List\nitems: [1, {kind: CustomResourceDefinition}]\n", "x").documents), 2U);
  EXPECT_FALSE(set.find("", "", "").exists());
}

TEST(SchemaSet, BuiltInSchemasAreReadWhole) {
  const auto& set = SchemaSet::builtin();
  for (const auto& [group, version, kind] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {"inference.networking.k8s.io", "v1", "InferencePool"}, {"serving.kserve.io", "v1alpha1", "LLMInferenceService"}, {"apps", "v1", "Deployment"},
           {"gateway.networking.k8s.io", "v1", "HTTPRoute"}, {"networking.gke.io", "v1", "HealthCheckPolicy"}, {"", "v1", "Service"}, {"batch", "v1", "CronJob"},
           {"networking.k8s.io", "v1", "NetworkPolicy"}, {"networking.istio.io", "v1alpha3", "EnvoyFilter"}, {"monitoring.googleapis.com", "v1", "PodMonitoring"}}) {
    EXPECT_TRUE(set.find(group, version, kind).exists()) << kind;
  }
}

/// The folder of published CRDs; empty: not at hand.
fs::path crd_folder() {
  if (const char* given = std::getenv("GATEBENCH_SHARED_DATA"); given != nullptr) return fs::path(given) / "crds";
  const fs::path beside = fs::path(GATEBENCH_SOURCE_DIR) / "../shared/data/crds";
  return fs::exists(beside) ? beside : fs::path();
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(SchemaSet, PassingFixturesFitThePublishedDefinitions) {
  const fs::path folder = crd_folder();
  if (folder.empty()) GTEST_SKIP() << "no published CRDs beside the checkout; GATEBENCH_SHARED_DATA names another place";
  SchemaSet crds;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::size_t added = 0;
  for (const auto& file : files) {
    auto parsed = parse_documents(read(file), file.filename().string());
    EXPECT_TRUE(parsed.problems.empty()) << file << (parsed.problems.empty() ? "" : parsed.problems[0].message);
    added += crds.add(std::move(parsed.documents));
  }
  EXPECT_GE(added, 10U);
  std::size_t judged = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(GATEBENCH_SOURCE_DIR) / "tests/deploy/fixtures")) {
    if (!entry.is_regular_file() || entry.path().string().find("/pass") == std::string::npos || entry.path().extension() != ".yaml") continue;
    const Bundle bundle = read_bundle({{entry.path().filename().string(), read(entry.path())}});
    for (const auto& object : bundle.objects) {
      const Node& schema = crds.find(object.group, object.version, object.kind);
      if (!schema.exists()) continue;
      ++judged;
      for (const auto& p : crds.validate(object.root(), schema)) ADD_FAILURE() << entry.path() << ":" << p.at.line << " " << object.kind << ": " << p.message;
    }
  }
  EXPECT_GE(judged, 50U);
}

}  // namespace
