// Numbers and untrusted words as people see them.
#include <gtest/gtest.h>

#include "reports/format.h"

namespace reports {
namespace {

TEST(Format, ThreeDigitsGroupedByThousands) {
  EXPECT_EQ(format_figure(0, Unit::kMs), "0");
  EXPECT_EQ(format_figure(0.0123, Unit::kMs), "0.012");
  EXPECT_EQ(format_figure(0.00123, Unit::kMs), "0.0012");
  EXPECT_EQ(format_figure(0.41, Unit::kMs), "0.410");
  EXPECT_EQ(format_figure(9.994, Unit::kMs), "9.99");
  EXPECT_EQ(format_figure(9.996, Unit::kMs), "10.0");
  EXPECT_EQ(format_figure(99.96, Unit::kMs), "100");
  EXPECT_EQ(format_figure(1517.4, Unit::kMs), "1,517");
  EXPECT_EQ(format_figure(-1234567, Unit::kPlain), "-1,234,567");
  EXPECT_EQ(format_figure(1e-9, Unit::kPlain), "1.00e-09");
}

TEST(Format, UnitsHaveTheirShape) {
  EXPECT_EQ(format_figure(2.991, Unit::kTimes), "2.99\u00D7");
  EXPECT_EQ(format_figure(0.9996, Unit::kPercent), "100.0 %");
  EXPECT_EQ(format_figure(1, Unit::kPercent), "100 %");
  EXPECT_EQ(format_figure(0, Unit::kPercent), "0 %");
  EXPECT_EQ(format_figure(1748.888, Unit::kUsd), "$1,748.89");
  EXPECT_EQ(format_figure(13500, Unit::kCount), "13,500");
  EXPECT_EQ(format_figure(12.5, Unit::kCount), "12.5");
}

TEST(Format, UnitsFollowTheMetricsName) {
  EXPECT_EQ(unit_of_metric("ttft_ms.p50"), Unit::kMs);
  EXPECT_EQ(unit_of_metric("requests_per_s"), Unit::kPerSecond);
  EXPECT_EQ(unit_of_metric("usd_per_1m_output_tokens"), Unit::kUsd);
  EXPECT_EQ(unit_of_metric("scaling.throughput_ratio"), Unit::kTimes);
  EXPECT_EQ(unit_of_metric("scaling.efficiency_ratio"), Unit::kPercent);
  EXPECT_EQ(unit_of_metric("attribution.wrong"), Unit::kCount);
  EXPECT_EQ(unit_of_metric("spread.uniformity_p"), Unit::kPlain);
  for (const Unit unit : {Unit::kPlain, Unit::kCount, Unit::kMs, Unit::kSeconds, Unit::kPerSecond, Unit::kTimes, Unit::kPercent, Unit::kUsd}) {
    EXPECT_EQ(unit_from_key(unit_key(unit)), unit);
  }
}

TEST(Format, LabelsAreForPeople) {
  EXPECT_EQ(metric_label("ttft_ms.p99_9"), "TTFT p99.9");
  EXPECT_EQ(metric_label("requests_per_s"), "Requests/s");
  EXPECT_EQ(metric_label("something_new"), "something_new");
}

TEST(Format, CleanLetsNothingHarmfulThrough) {
  EXPECT_EQ(clean("plain \xC3\xA9\xD7\x90", 99), "plain \xC3\xA9\xD7\x90");
  EXPECT_EQ(clean("a\x1b[31mb", 99), "a\uFFFD[31mb");
  EXPECT_EQ(clean(std::string_view("a\0b", 3), 99), "a\uFFFDb");
  EXPECT_EQ(clean("a\u202Eb\u2066c\u200Fd", 99), "a\uFFFDb\uFFFDc\uFFFDd");
  EXPECT_EQ(clean("line\nline\ttab", 99), "line line tab");
  EXPECT_EQ(clean("\xff\xC0\x80\xED\xA0\x80\xF4\x90\x80\x80", 99).find('\xff'), std::string::npos);
  EXPECT_EQ(clean("\xE2\x82", 99), "\uFFFD\uFFFD");
  EXPECT_EQ(clean("abcdef", 3), "abc\u2026");
  EXPECT_EQ(clean("abc", 3), "abc");
  EXPECT_EQ(characters(clean(std::string(10'000, 'x'), 60)), 61U);
}

TEST(Format, EscapeCoversTextAndAttributes) { EXPECT_EQ(escape("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;"); }

}  // namespace
}  // namespace reports
