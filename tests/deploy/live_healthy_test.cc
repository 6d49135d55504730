// Live checks of healthy clusters, and how their report reads.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <fstream>
#include <set>

#include "tests/support/live_state.h"

namespace {

using deploy::CheckState;
using support::LiveState;

std::string shown(const LiveState& state) { return deploy::render_check_text(state.check(), state.want(), {false, true}); }

TEST(LiveHealthy, EveryBundleIsPassedWhenItsClusterIsAsItShouldBe) {
  for (const auto variant : {deploy::Variant::kGke, deploy::Variant::kIstioKserve, deploy::Variant::kPlain}) {
    for (const auto pin : {deploy::Pin::kEarly2026, deploy::Pin::kCurrent}) {
      for (const int pattern : {1, 2, 3}) {
        const auto state = LiveState::of(pattern, variant, pin);
        const auto report = state.check();
        EXPECT_EQ(report.worst(), CheckState::kPassed) << shown(state);
        EXPECT_EQ(report.count(CheckState::kSkipped), 0U) << shown(state);
        EXPECT_GE(report.results.size(), variant == deploy::Variant::kIstioKserve ? 16U : 11U);
      }
    }
  }
}

TEST(LiveHealthy, ChecksThatTheDocumentsNameExist) {
  std::set<std::string> known;
  for (const auto& check : deploy::checks()) known.insert(std::string(check.id));
  EXPECT_EQ(known.size(), 20U);
  for (const char* name : {"/docs/deploy.md", "/docs/seeds-audit.md"}) {
    std::ifstream file(GATEBENCH_SOURCE_DIR + std::string(name));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    std::set<std::string> named;
    re2::StringPiece left(text);
    for (std::string one; RE2::FindAndConsume(&left, "\\b([CK][0-9]+)\\b", &one);) named.insert(one);
    EXPECT_FALSE(named.empty()) << name;
    for (const auto& one : named) EXPECT_EQ(known.count(one), 1U) << one << " in " << name;
  }
}

}  // namespace
