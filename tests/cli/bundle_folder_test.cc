// A bundle in a folder: what render wrote it may replace and remove; what it did not, or what was changed, it may not.
#include "bench/cli/bundle_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bench/cli/files.h"
#include "tests/support/process.h"

namespace {

using namespace bench::cli;
using support::ScratchFolder;
namespace fs = std::filesystem;

std::string text(const std::string& path) { return *read_file(path); }

class BundleFolderTest : public ::testing::Test {
 protected:
  core::Result<BundleWritten> put(std::vector<deploy::SourceFile> files, bool force = false, const std::string& values = "") {
    return write_bundle(files, {out_, force, values});
  }

  ScratchFolder scratch_;
  std::string out_ = scratch_.file("bundle");
};

TEST_F(BundleFolderTest, WritesOnceAndThenOnlyWhatChanged) {
  const auto first = put({{"a.yaml", "1\n"}, {"load/b.yaml", "2\n"}});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->written, 2U);
  const auto second = put({{"a.yaml", "1\n"}, {"load/b.yaml", "3\n"}});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->written, 1U);
  EXPECT_EQ(second->unchanged, 1U);
  EXPECT_EQ(text(out_ + "/load/b.yaml"), "3\n");
  for (const auto& entry : fs::recursive_directory_iterator(out_)) EXPECT_NE(entry.path().extension(), ".tmp");
}

TEST_F(BundleFolderTest, RemovesWhatIsNoLongerInTheBundleAndNothingElse) {
  ASSERT_TRUE(put({{"a.yaml", "1\n"}, {"old.yaml", "2\n"}}));
  std::ofstream(out_ + "/mine.txt") << "mine";
  const auto again = put({{"a.yaml", "1\n"}});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->removed, 1U);
  EXPECT_FALSE(fs::exists(out_ + "/old.yaml"));
  EXPECT_EQ(text(out_ + "/mine.txt"), "mine");
}

TEST_F(BundleFolderTest, RefusesToReplaceAFileThatItDidNotWrite) {
  ASSERT_TRUE(put({{"a.yaml", "1\n"}}));
  std::ofstream(out_ + "/new.yaml") << "mine\n";
  const auto refused = put({{"a.yaml", "1\n"}, {"new.yaml", "2\n"}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("in its way: new.yaml"), std::string::npos) << refused.error().message;
  EXPECT_EQ(text(out_ + "/new.yaml"), "mine\n");
}

TEST_F(BundleFolderTest, RefusesAForeignFolder) {
  fs::create_directories(out_);
  std::ofstream(out_ + "/a.yaml") << "theirs";
  const auto refused = put({{"a.yaml", "1\n"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::kInvalid);
  EXPECT_EQ(text(out_ + "/a.yaml"), "theirs");
  EXPECT_TRUE(put({{"a.yaml", "1\n"}}, true));
  EXPECT_EQ(text(out_ + "/a.yaml"), "1\n");
}

TEST_F(BundleFolderTest, RefusesToLoseChangesByHand) {
  ASSERT_TRUE(put({{"a.yaml", "1\n"}, {"b.yaml", "1\n"}}));
  std::ofstream(out_ + "/b.yaml") << "by hand\n";
  const auto refused = put({{"a.yaml", "2\n"}});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("changed since it was rendered: b.yaml"), std::string::npos) << refused.error().message;
  EXPECT_EQ(text(out_ + "/a.yaml"), "1\n");
  EXPECT_EQ(text(out_ + "/b.yaml"), "by hand\n");
}

TEST_F(BundleFolderTest, ValuesEditedInPlaceAreTheUsers) {
  ASSERT_TRUE(put({{"a.yaml", "1\n"}, {"values.yaml", "x\n"}}));
  std::ofstream(out_ + "/values.yaml") << "x  # why\n";
  EXPECT_FALSE(put({{"a.yaml", "2\n"}, {"values.yaml", "x\n"}}));
  const auto in_place = put({{"a.yaml", "2\n"}, {"values.yaml", "x\n"}}, false, out_ + "/values.yaml");
  ASSERT_TRUE(in_place) << in_place.error().message;
  EXPECT_EQ(text(out_ + "/values.yaml"), "x  # why\n");
  EXPECT_TRUE(put({{"a.yaml", "3\n"}, {"values.yaml", "x\n"}}, false, out_ + "/values.yaml"));
  EXPECT_EQ(text(out_ + "/values.yaml"), "x  # why\n");
  EXPECT_FALSE(put({{"a.yaml", "3\n"}, {"values.yaml", "x\n"}}));
  EXPECT_EQ(text(out_ + "/values.yaml"), "x  # why\n");
}

TEST_F(BundleFolderTest, AMarkerCannotPointOutside) {
  ASSERT_TRUE(put({{"a.yaml", "1\n"}}));
  std::ofstream(scratch_.file("victim")) << "v";
  for (const char* path : {"../victim", "/etc/hostname", "x/../../victim", ""}) {
    std::ofstream(out_ + "/.gatebench-bundle") << "0000000000000000 " << path << "\n";
    EXPECT_FALSE(put({{"a.yaml", "1\n"}})) << path;
  }
  EXPECT_EQ(text(scratch_.file("victim")), "v");
}

TEST_F(BundleFolderTest, AFileIsNoFolder) {
  std::ofstream(out_) << "x";
  EXPECT_FALSE(put({{"a.yaml", "1\n"}}, true));
}

}  // namespace
