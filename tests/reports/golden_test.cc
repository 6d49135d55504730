// Exact bytes of every renderer for one small Analysis.
#include <gtest/gtest.h>

#include "fixtures.h"
#include "golden.h"
#include "reports/render.h"

namespace reports {
namespace {

/// The page without its style sheet, which says nothing about what is shown.
std::string without_style(std::string page) {
  const std::size_t from = page.find("<style>");
  const std::size_t to = page.find("</style>");
  if (from != std::string::npos && to != std::string::npos) page.erase(from, to - from + 8);
  return page;
}

TEST(Golden, JsonBytes) { EXPECT_EQ(golden::difference("small.json", render_json(fixtures::small())), ""); }

TEST(Golden, TextBytes) {
  EXPECT_EQ(golden::difference("rich-120.txt", render_text(fixtures::rich(), {false, false, 120})), "");
  EXPECT_EQ(golden::difference("rich-80-ascii.txt", render_text(fixtures::rich(), {false, true, 80})), "");
  EXPECT_EQ(golden::difference("small-colour.txt", render_text(fixtures::small(), {true, false, 100})), "");
  EXPECT_EQ(golden::difference("zero_successes.txt", render_text(fixtures::zero_successes(), {false, false, 100})), "");
}

TEST(Golden, HtmlBytes) {
  EXPECT_EQ(golden::difference("small.html", without_style(render_html(fixtures::small()))), "");
}

TEST(Golden, EqualInputGivesEqualBytes) {
  for (const auto& fixture : fixtures::all()) {
    EXPECT_EQ(render_json(fixture.analysis), render_json(fixture.analysis)) << fixture.name;
    EXPECT_EQ(render_html(fixture.analysis), render_html(fixture.analysis)) << fixture.name;
  }
}

TEST(Golden, ADifferentFigureIsADifference) {
  if (std::getenv("UPDATE_GOLDEN") != nullptr) GTEST_SKIP() << "golden files are being written";
  analyzers::Analysis changed = fixtures::small();
  *changed.arms[0].summary[0].estimate.value += 1e-9;
  EXPECT_NE(golden::difference("small.json", render_json(changed)), "");
  EXPECT_NE(golden::difference("no-such-file.json", "x"), "");
}

}  // namespace
}  // namespace reports
