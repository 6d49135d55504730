// Every rule of the linter against its fixtures: fixtures/RULE/fail* is caught by that rule and no other, fixtures/RULE/pass*
// by none. A fixture is a file, or a folder whose files are one bundle; a first line "# lint: pattern=3 variant=gke
// pin=current" gives the options.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "deploy/lint.h"

namespace {

using namespace deploy;
namespace fs = std::filesystem;

const fs::path kFixtures = fs::path(GATEBENCH_SOURCE_DIR) / "tests/deploy/fixtures";

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Fixture {
  std::string name;
  std::vector<SourceFile> files;
  LintOptions options;
};

void read_options(const std::string& text, LintOptions& options) {
  if (text.rfind("# lint:", 0) != 0) return;
  const std::string line = text.substr(0, text.find('\n'));
  const auto value = [&](const std::string& key) -> std::string {
    const auto at = line.find(" " + key + "=");
    if (at == std::string::npos) return {};
    const auto from = at + key.size() + 2;
    return line.substr(from, line.find(' ', from) - from);
  };
  if (const auto v = value("pattern"); !v.empty()) options.pattern = std::stoi(v);
  if (const auto v = value("pin"); !v.empty()) options.pin = parse_pin(v);
  if (const auto v = value("variant"); !v.empty()) options.variant = parse_variant(v).value_or(Variant::kUnknown);
}

std::vector<Fixture> fixtures(std::string_view rule, std::string_view prefix) {
  std::vector<Fixture> out;
  const fs::path folder = kFixtures / rule;
  if (!fs::exists(folder)) return out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().rfind(prefix, 0) != 0) continue;
    Fixture fixture;
    fixture.name = std::string(rule) + "/" + entry.path().filename().string();
    std::vector<fs::path> paths{entry.path()};
    if (entry.is_directory()) {
      paths.clear();
      for (const auto& file : fs::recursive_directory_iterator(entry.path())) {
        if (file.is_regular_file()) paths.push_back(file.path());
      }
    }
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      fixture.files.push_back({fs::relative(path, folder).string(), read(path)});
      read_options(fixture.files.back().text, fixture.options);
    }
    out.push_back(std::move(fixture));
  }
  std::sort(out.begin(), out.end(), [](const Fixture& a, const Fixture& b) { return a.name < b.name; });
  return out;
}

std::string listed(const LintReport& report) { return render_lint(report, LintFormat::kText); }

std::set<std::string> rules_of(const LintReport& report) {
  std::set<std::string> out;
  for (const auto& f : report.findings) out.insert(f.rule);
  return out;
}

TEST(LintRules, EachFailingFixtureIsCaughtByItsRuleAndNoOther) {
  for (const Rule& rule : rules()) {
    const auto failing = fixtures(rule.id, "fail");
    EXPECT_FALSE(failing.empty()) << rule.id << " has no failing fixture";
    for (const auto& fixture : failing) {
      const Bundle bundle = read_bundle(fixture.files);
      const auto report = lint(bundle, fixture.options);
      EXPECT_EQ(rules_of(report), std::set<std::string>{std::string(rule.id)}) << fixture.name << "\n" << listed(report);
      for (const auto& f : report.findings) {
        EXPECT_GE(f.at.line, 1) << fixture.name << ": " << f.message;
        EXPECT_FALSE(f.message.empty() || f.fix.empty()) << fixture.name;
      }
    }
  }
}

TEST(LintRules, NoPassingFixtureIsCaughtByAnyRule) {
  for (const Rule& rule : rules()) {
    const auto passing = fixtures(rule.id, "pass");
    EXPECT_FALSE(passing.empty()) << rule.id << " has no passing fixture";
    for (const auto& fixture : passing) {
      const Bundle bundle = read_bundle(fixture.files);
      const auto report = lint(bundle, fixture.options);
      EXPECT_TRUE(report.findings.empty()) << fixture.name << "\n" << listed(report);
    }
  }
}

TEST(LintRules, AllSixtyEightAreThere) {
  ASSERT_EQ(rules().size(), 68U);
  for (std::size_t i = 0; i < 68; ++i) {
    const std::string number = std::to_string(i + 1);
    EXPECT_EQ(rules()[i].id, "L" + std::string(2 - number.size(), '0') + number);
  }
}

TEST(LintRules, EveryRuleSaysWhatWhyAndHow) {
  std::set<std::string_view> ids;
  for (const Rule& rule : rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id << " twice";
    EXPECT_EQ(rule.id.size(), 3U);
    EXPECT_FALSE(rule.title.empty() || rule.why.empty() || rule.fix.empty() || rule.check == nullptr) << rule.id;
  }
}

TEST(LintRules, NoRuleFallsOverStrangeShapes) {
  // Every known kind with its fields replaced by the wrong kinds of values, and cut anywhere.
  for (const Rule& rule : rules()) {
    for (const auto& fixture : fixtures(rule.id, "fail")) {
      for (const auto& file : fixture.files) {
        const std::size_t step = std::max<std::size_t>(1, file.text.size() / 60);
        for (std::size_t cut = 0; cut < file.text.size(); cut += step) {
          const Bundle bundle = read_bundle({{file.name, file.text.substr(0, cut)}});
          (void)lint(bundle, fixture.options);
        }
        for (const char* wrong : {" []", " {}", " 3", " null", " [[x]]", " \"\""}) {
          std::size_t line_end = 0;
          for (int n = 0; n < 80 && line_end != std::string::npos; ++n) {
            const std::size_t from = line_end == 0 ? 0 : line_end + 1;
            line_end = file.text.find('\n', from);
            const std::size_t colon = file.text.find(": ", from);
            if (line_end == std::string::npos || colon == std::string::npos || colon > line_end) continue;
            const std::string changed = file.text.substr(0, colon + 1) + wrong + file.text.substr(line_end);
            const Bundle bundle = read_bundle({{file.name, changed}});
            (void)lint(bundle, fixture.options);
          }
        }
      }
    }
  }
}

}  // namespace
