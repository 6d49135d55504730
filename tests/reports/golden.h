// Compares text with a file of tests/golden/reports; UPDATE_GOLDEN=1 writes the file instead.
// Used by tests/reports only. Must never pass when the file is missing.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace reports::golden {

inline std::filesystem::path folder() { return std::filesystem::path(GATEBENCH_SOURCE_DIR) / "tests" / "golden" / "reports"; }

inline std::optional<std::string> read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Empty when equal; else what differs and where.
inline std::string difference(const std::string& name, const std::string& actual) {
  const std::filesystem::path path = folder() / name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << actual;
  }
  const std::optional<std::string> expected = read(path);
  if (!expected) return "there is no golden file " + path.string() + "; run with UPDATE_GOLDEN=1 and look at the result";
  if (*expected == actual) return {};
  std::size_t at = 0;
  while (at < expected->size() && at < actual.size() && (*expected)[at] == actual[at]) ++at;
  const std::size_t from = at < 80 ? 0 : at - 80;
  return name + " differs at byte " + std::to_string(at) + "\nexpected: " + expected->substr(from, 160) + "\nactual:   " +
         actual.substr(from, 160);
}

}  // namespace reports::golden
