// What is sent to whoever builds the image: docker reads .dockerignore alone, podman and buildah read it too.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace {

namespace fs = std::filesystem;

TEST(ImageContextTest, EveryEngineLeavesBuildsAndStoresOut) {
  const fs::path root = GATEBENCH_SOURCE_DIR;
  std::ifstream in(root / ".dockerignore");
  std::set<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.insert(line);
  for (const char* line : {".git", "build*", "gatebench.db*"}) EXPECT_EQ(lines.count(line), 1U) << line;
  // Podman would prefer it, and the two would drift apart.
  EXPECT_FALSE(fs::exists(root / ".containerignore"));
}

}  // namespace
