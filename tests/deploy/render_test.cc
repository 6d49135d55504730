// Bundles: every pattern and pin renders the same twice, holds no placeholder, lints clean (with the published CRDs where
// they are at hand), and kubectl takes it; values files are read strictly.
#include "deploy/render.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "deploy/lint.h"
#include "deploy/schema_set.h"

namespace {

using namespace deploy;
namespace fs = std::filesystem;

std::vector<SourceFile> sources(const std::vector<RenderedFile>& files) {
  std::vector<SourceFile> out;
  for (const auto& file : files) {
    if (file.name.size() > 5 && file.name.substr(file.name.size() - 5) == ".yaml") out.push_back({file.name, file.text});
  }
  return out;
}

std::vector<RenderedFile> files_of(int pattern) {
  auto files = render(default_values(pattern, Variant::kPlain, Pin::kCurrent));
  return files ? std::move(*files) : std::vector<RenderedFile>{};
}

void add_published(SchemaSet& crds) {
  const char* given = std::getenv("GATEBENCH_SHARED_DATA");
  const fs::path folder = given != nullptr ? fs::path(given) / "crds" : fs::path(GATEBENCH_SOURCE_DIR) / "../shared/data/crds";
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    crds.add(parse_documents(std::string(std::istreambuf_iterator<char>(in), {}), entry.path().filename().string()).documents);
  }
}

TEST(Render, EveryPatternAndPinLintsCleanAndIsTheSameTwice) {
  SchemaSet crds;
  add_published(crds);
  for (const auto& [pattern, variant] : {std::pair{1, Variant::kPlain}, {2, Variant::kPlain}, {3, Variant::kPlain}, {1, Variant::kIstioKserve}, {2, Variant::kIstioKserve}, {3, Variant::kIstioKserve}}) {
    for (const Pin pin : {Pin::kEarly2026, Pin::kCurrent}) {
      const auto files = render(default_values(pattern, variant, pin));
      ASSERT_TRUE(files);
      const auto again = render(default_values(pattern, variant, pin));
      ASSERT_EQ(files->size(), again->size());
      for (std::size_t i = 0; i < files->size(); ++i) {
        EXPECT_EQ((*files)[i].text, (*again)[i].text);
        EXPECT_EQ((*files)[i].text.find("${"), std::string::npos) << (*files)[i].name;
      }
      for (const SchemaSet* set : {static_cast<const SchemaSet*>(nullptr), static_cast<const SchemaSet*>(&crds)}) {
        LintOptions options;
        options.pattern = pattern;
        options.pin = pin;
        options.variant = variant;
        options.crds = set;
        const Bundle bundle = read_bundle(sources(*files));
        const auto report = lint(bundle, options);
        EXPECT_TRUE(report.findings.empty()) << "pattern " << pattern << " " << word_for(variant) << " " << word_for(pin) << "\n" << render_lint(report, LintFormat::kText);
      }
    }
  }
}

TEST(Render, AFaultPutIntoARenderedBundleIsCaught) {
  auto files = files_of(3);
  for (auto& file : files) {
    if (const auto at = file.text.find("- --enable-prefix-caching"); at != std::string::npos) file.text.erase(at, 25);
  }
  LintOptions options;
  options.pattern = 3;
  const Bundle bundle = read_bundle(sources(files));
  EXPECT_NE(render_lint(lint(bundle, options), LintFormat::kText).find("L24"), std::string::npos);
}

TEST(Render, Patterns2And3FitOneNamespace) {
  auto files = sources(files_of(3));
  const auto second = sources(files_of(2));
  for (const auto& file : second) {
    if (file.name != "values.yaml" && file.name != "kustomization.yaml") files.push_back({"second/" + file.name, file.text});
  }
  const Bundle bundle = read_bundle(files);
  const auto report = lint(bundle, {});
  EXPECT_TRUE(report.findings.empty()) << render_lint(report, LintFormat::kText);
}

TEST(Values, AreTheSameAfterTheyWereWritten) {
  for (const int pattern : {1, 2, 3}) {
    const auto defaults = default_values(pattern, Variant::kPlain, Pin::kCurrent);
    const auto read = read_values(defaults, values_text(defaults), "values.yaml");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(values_text(*read), values_text(defaults));
  }
}

TEST(Values, AllThatIsWrongIsSaidAtOnce) {
  const auto defaults = default_values(3, Variant::kPlain, Pin::kCurrent);
  const auto wrong = read_values(defaults, "replicas: many\nnode_pool: {max_node: 3}\nmodl: x\nprices: {chip_usd_per_hour: -1}\nvariant: gke\n", "v.yaml");
  ASSERT_FALSE(wrong);
  for (const char* part : {"v.yaml:1:11: replicas must be a whole number", "unknown key node_pool.max_node; did you mean node_pool.max_nodes?", "v.yaml:3:1: unknown key modl; did you mean model?", "prices.chip_usd_per_hour must be a price", "variant is gke, but plain"}) {
    EXPECT_NE(wrong.error().message.find(part), std::string::npos) << part << "\n" << wrong.error().message;
  }
  const auto clash = read_values(defaults, "replicas: 5\ntopology: 2x4\nregion: us-east1\nname: Pattern_3\n", "v.yaml");
  ASSERT_FALSE(clash);
  for (const char* part : {"5 replicas need as many nodes", "topology 2x4 has 8", "region us-east1", "name must be"}) EXPECT_NE(clash.error().message.find(part), std::string::npos) << part;
  EXPECT_FALSE(read_values(defaults, "- a\n", "v.yaml"));
  EXPECT_FALSE(read_values(defaults, "a: [\n", "v.yaml"));
}

TEST(Render, KubectlTakesTheKustomization) {
  if (std::system("kubectl version --client >/dev/null 2>&1") != 0) GTEST_SKIP() << "no kubectl on this machine";
  const fs::path folder = fs::temp_directory_path() / ("gatebench-kustomize-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "-render");
  fs::create_directories(folder);
  const auto files = files_of(3);
  for (const auto& file : files) std::ofstream(folder / file.name) << file.text;
  EXPECT_EQ(std::system(("kubectl kustomize " + folder.string() + " >/dev/null").c_str()), 0);
  fs::remove_all(folder);
}

}  // namespace
