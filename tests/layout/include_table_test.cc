// The include table of ARCHITECTURE.md, enforced: who may include whom, and what no file may contain.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

/// Row of the table for a file, by its path from the root; empty when it belongs to none.
std::string row_of(const std::string& path) {
  static const std::vector<std::string> kRows = {
      "core/net", "core", "protocol", "scenarios", "bench/engine", "bench/shell", "bench/cli", "bench", "analyzers",
      "reports", "router/core", "router/shell", "simulator/engine", "simulator/server", "simulator/fleet", "deploy"};
  for (const auto& row : kRows) {
    if (path.rfind(row + "/", 0) == 0) return row;
  }
  return "";
}

/// Rows each row may include besides itself. "bench" is bench/record.h and bench/run.h.
const std::map<std::string, std::set<std::string>>& allowed() {
  static const std::map<std::string, std::set<std::string>> kAllowed = {
      {"core", {}},
      {"core/net", {"core"}},
      {"protocol", {"core"}},
      {"scenarios", {"core", "protocol"}},
      {"bench", {"core", "protocol", "scenarios"}},
      {"bench/engine", {"core", "protocol", "scenarios", "bench"}},
      {"bench/shell", {"core", "core/net", "protocol", "scenarios", "bench", "bench/engine"}},
      {"analyzers", {"core", "protocol", "scenarios", "bench"}},
      {"reports", {"core", "protocol", "analyzers"}},
      {"router/core", {"core", "protocol"}},
      {"router/shell", {"core", "core/net", "protocol", "router/core"}},
      {"simulator/engine", {"core", "protocol"}},
      {"simulator/server", {"core", "core/net", "protocol", "simulator/engine"}},
      {"simulator/fleet", {"core", "protocol", "scenarios", "bench", "bench/engine", "router/core", "simulator/engine"}},
      {"deploy", {"core", "protocol", "router/core"}}};
  return kAllowed;
}

struct Include {
  std::string file, target;
  int line = 0;
};

/// Judges one include; the empty text means that it is allowed.
std::string judge(const Include& include) {
  const std::string from = row_of(include.file);
  const std::string to = row_of(include.target);
  if (from.empty() || from == "bench/cli") return "";
  const bool heavy_io = include.target == "uv.h" || include.target == "sqlite3.h" || include.target.rfind("curl/", 0) == 0;
  if (heavy_io) {
    const bool fine = include.target == "sqlite3.h" ? from == "bench/shell"
                                                    : from == "core/net" || from == "router/shell" || from == "bench/shell" ||
                                                          from == "simulator/server";
    return fine ? "" : from + " may not use " + include.target;
  }
  if (to.empty() || to == from) return "";
  if (from == "reports" && to == "analyzers" && include.target != "analyzers/analysis.h") {
    return "reports may include analyzers/analysis.h only";
  }
  return allowed().at(from).count(to) != 0 ? "" : from + " may not include " + to;
}

std::vector<fs::path> source_files() {
  std::vector<fs::path> files;
  for (const char* top : {"core", "protocol", "scenarios", "bench", "analyzers", "reports", "router", "simulator", "deploy", "tests"}) {
    const fs::path folder = fs::path(GATEBENCH_SOURCE_DIR) / top;
    if (!fs::exists(folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const auto extension = entry.path().extension();
      if (extension == ".cc" || extension == ".h") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string repo_path(const fs::path& path) { return fs::relative(path, GATEBENCH_SOURCE_DIR).generic_string(); }

TEST(LayoutTest, EveryIncludeIsAllowedByTheTable) {
  std::size_t seen = 0;
  for (const auto& path : source_files()) {
    int number = 0;
    for (const auto& line : lines_of(path)) {
      ++number;
      if (line.rfind("#include ", 0) != 0) continue;
      const auto open = line.find_first_of("\"<");
      const auto close = line.find_first_of("\">", open + 1);
      ASSERT_NE(close, std::string::npos) << repo_path(path) << ":" << number;
      const Include include{repo_path(path), line.substr(open + 1, close - open - 1), number};
      EXPECT_EQ(judge(include), "") << include.file << ":" << number;
      ++seen;
    }
  }
  EXPECT_GT(seen, 100u);
}

TEST(LayoutTest, TheTableRefusesWhatItMust) {
  EXPECT_NE(judge({"core/text.cc", "protocol/openai.h"}), "");
  EXPECT_NE(judge({"analyzers/latency.cc", "core/net/loop.h"}), "");
  EXPECT_NE(judge({"analyzers/latency.cc", "sqlite3.h"}), "");
  EXPECT_NE(judge({"reports/html.cc", "analyzers/analyze.h"}), "");
  EXPECT_NE(judge({"router/shell/proxy.cc", "bench/run.h"}), "");
  EXPECT_NE(judge({"simulator/engine/engine.cc", "router/core/pipeline.h"}), "");
  EXPECT_NE(judge({"bench/engine/load_engine.cc", "bench/cli/verb.h"}), "");
  EXPECT_EQ(judge({"bench/shell/runner.cc", "core/net/loop.h"}), "");
}

TEST(LayoutTest, FilesStayWithinTheirLength) {
  for (const auto& path : source_files()) {
    const bool test = repo_path(path).rfind("tests/", 0) == 0;
    EXPECT_LE(lines_of(path).size(), test ? 1000u : 500u) << repo_path(path);
  }
}

TEST(LayoutTest, BannedWordsStayOut) {
  // Split so that this file does not contain them.
  const std::vector<std::string> banned = {std::string("high_resolution") + "_clock", std::string("std::") + "endl", std::string("using namespace ") + "std;",
                                           std::string("std::") + "regex", std::string("<ran") + "dom>", std::string("TO") + "DO", std::string("FIX") + "ME"};
  for (const auto& path : source_files()) {
    for (const auto& line : lines_of(path)) {
      for (const auto& word : banned) EXPECT_EQ(line.find(word), std::string::npos) << repo_path(path) << ": " << line;
    }
  }
}

}  // namespace
