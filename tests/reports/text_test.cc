// What stdout shows: verdict first, within the width, no control characters, ASCII when asked.
#include <gtest/gtest.h>

#include "core/text.h"
#include "fixtures.h"
#include "reports/format.h"
#include "reports/render.h"

namespace reports {
namespace {

TEST(Text, TheVerdictIsTheFirstWord) {
  EXPECT_EQ(render_text(fixtures::rich(), {false, true, 100}).rfind("[+] PASS ", 0), 0U);
  EXPECT_EQ(render_text(fixtures::zero_successes(), {false, true, 100}).rfind("[!] INVALID ", 0), 0U);
  EXPECT_EQ(render_text(fixtures::rich(), {false, false, 100}).rfind("\u2713 PASS ", 0), 0U);
}

TEST(Text, NoLineIsWiderThanAsked) {
  for (const auto& fixture : fixtures::all()) {
    for (const std::size_t width : {40U, 80U, 100U, 160U}) {
      const std::string text = render_text(fixture.analysis, {false, true, width});
      for (const std::string_view line : core::split(text, '\n')) {
        EXPECT_LE(line.size(), width) << fixture.name << ": " << line;
      }
    }
  }
}

TEST(Text, AsciiIsAscii) {
  for (const auto& fixture : fixtures::all()) {
    for (const char c : render_text(fixture.analysis, {false, true, 100})) {
      ASSERT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << fixture.name << ": " << static_cast<int>(c);
    }
  }
}

TEST(Text, ColourOnlyWhenAsked) {
  for (const auto& fixture : fixtures::all()) {
    EXPECT_EQ(render_text(fixture.analysis, {false, false, 100}).find('\x1b'), std::string::npos) << fixture.name;
  }
  EXPECT_NE(render_text(fixtures::rich(), {true, false, 100}).find("\x1b[1;32m\u2713 PASS\x1b[0m"), std::string::npos);
}

TEST(Text, ScalingIsSaidInASentence) {
  const std::string text = render_text(fixtures::rich(), {false, true, 200});
  EXPECT_NE(text.find("pattern3 gives 1.23x [1.22x, 1.25x] of the throughput of pattern1, 41.0 % per replica: scaling not shown."), std::string::npos);
  EXPECT_NE(text.find("scaling shown."), std::string::npos);
  EXPECT_NE(text.find("simulated"), std::string::npos);
  EXPECT_EQ(render_text(fixtures::single_run(), {false, true, 200}).find("simulated"), std::string::npos);
}

TEST(Text, WhatIsNotMeasuredIsADash) {
  for (const auto& fixture : fixtures::all()) {
    const std::string text = render_text(fixture.analysis, {false, true, 120});
    for (const char* word : {" nan", " inf", " -inf", "null"}) EXPECT_EQ(text.find(word), std::string::npos) << fixture.name;
  }
}

}  // namespace
}  // namespace reports
