// Known answers for hashing, random numbers, text, SSE, Prometheus text and quantiles.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/hash.h"
#include "core/prom_text.h"
#include "core/quantiles.h"
#include "core/rng.h"
#include "core/sse.h"
#include "core/text.h"

namespace core {
namespace {

TEST(HashTest, PublishedVectors) {
  EXPECT_EQ(hex64(xxh64("")), "ef46db3751d8e999");
  EXPECT_EQ(hex64(xxh64("a")), "d24ec4f1a98c6e5b");
  EXPECT_EQ(hex64(xxh64("abc")), "44bc2cf5ad770999");
}

TEST(RngTest, StreamsArePinnedAndIndependent) {
  Rng rng(42);
  EXPECT_EQ(rng.next(), 1546998764402558742ULL);
  const Rng root(42);
  EXPECT_EQ(root.fork("prompts").next(), root.fork("prompts").next());
  EXPECT_NE(root.fork("prompts").next(), root.fork("arrivals").next());
}

TEST(RngTest, SamplersHaveTheirMoments) {
  Rng rng(1);
  constexpr int kDraws = 200'000;
  double exponential = 0, normal = 0, normal_squares = 0, gamma = 0;
  for (int i = 0; i < kDraws; ++i) {
    exponential += rng.exponential(2.5);
    const double z = rng.normal();
    normal += z;
    normal_squares += z * z;
    gamma += rng.gamma(0.5, 4.0);
  }
  EXPECT_NEAR(exponential / kDraws, 2.5, 0.03);
  EXPECT_NEAR(normal / kDraws, 0.0, 0.01);
  EXPECT_NEAR(normal_squares / kDraws, 1.0, 0.02);
  EXPECT_NEAR(gamma / kDraws, 2.0, 0.04);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(rng.below(7), 7u);
}

TEST(TextTest, DurationsNeedTheirUnit) {
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("1.5h").value(), 90min);
  EXPECT_FALSE(parse_duration("10"));
  EXPECT_FALSE(parse_duration("s"));
  EXPECT_FALSE(parse_duration("-1s"));
  EXPECT_FALSE(parse_duration("1e9h"));
  EXPECT_NE(parse_duration("10").error().hint.find("10s"), std::string::npos);
}

TEST(TextTest, SuggestsOnlyWhatIsNear) {
  const std::string_view words[] = {"concurrency", "requests", "duration_s"};
  EXPECT_EQ(did_you_mean("concurency", words), "concurrency");
  EXPECT_EQ(did_you_mean("temperature", words), std::nullopt);
}

TEST(TextTest, WallClockIsRfc3339) { EXPECT_EQ(rfc3339_utc(1767323045.678), "2026-01-02T03:04:05.678Z"); }

std::string events_of(std::string_view stream, Rng* cuts) {
  SseParser parser;
  std::string seen;
  while (!stream.empty()) {
    const std::size_t size = cuts == nullptr ? stream.size() : std::min<std::size_t>(stream.size(), 1 + cuts->below(9));
    EXPECT_TRUE(parser.feed(stream.substr(0, size), [&](std::string_view data) { seen += "<" + std::string(data) + ">"; }));
    stream.remove_prefix(size);
  }
  if (parser.has_partial_event()) seen += "cut";
  return seen;
}

TEST(SseTest, EventsAreEqualAtAnyCut) {
  const std::string stream =
      ": comment\n\ndata: {\"a\":1}\n\ndata:x\ndata: y\r\n\r\nevent: ping\rdata\r\revent: only\n\nid: 3\ndata: last\n\n";
  const std::string expected = "<{\"a\":1}><x\ny><><last>";
  EXPECT_EQ(events_of(stream, nullptr), expected);
  Rng rng(3);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(events_of(stream, &rng), expected);
  EXPECT_EQ(events_of("\xEF\xBB\xBF" + stream, nullptr), expected);
  EXPECT_EQ(events_of("\xEF\xBB\xBF" "data: x\n\n\xEF\xBB\xBF" "data: y\n\n", nullptr), "<x>");
  EXPECT_EQ(events_of("data: half\n", nullptr), "cut");
  EXPECT_EQ(events_of("data: ha", nullptr), "cut");
}

TEST(SseTest, AnEndlessEventIsRefused) {
  SseParser parser(1000);
  const std::string line(600, 'x');
  EXPECT_TRUE(parser.feed("data: " + line + "\n", [](std::string_view) {}));
  EXPECT_FALSE(parser.feed("data: " + line + "\n", [](std::string_view) {}));
  SseParser one_line(1000);
  EXPECT_FALSE(one_line.feed(std::string(2000, 'y'), [](std::string_view) {}));
}

TEST(PromTextTest, ReadsWhatPrometheusClientsWrite) {
  const std::string text =
      "# HELP a b\n# TYPE a counter\n"
      "vllm:request_success_total{engine=\"0\",finished_reason=\"stop\",model_name=\"q\\\"}x\"} 3.0\n"
      "plain 1.2345678e+07 1700000000\ninf_bucket{le=\"+Inf\"} +Inf\n\nnan NaN";
  std::vector<PromSample> samples;
  ASSERT_TRUE(parse_prom_text(text, [&](const PromSample& sample) { samples.push_back(sample); }));
  ASSERT_EQ(samples.size(), 4u);
  EXPECT_EQ(samples[0].label("finished_reason"), "stop");
  EXPECT_EQ(samples[0].label("model_name"), "q\\\"}x");
  EXPECT_EQ(samples[0].label("absent"), "");
  EXPECT_EQ(samples[0].value, 3.0);
  EXPECT_EQ(samples[1].value, 12345678.0);
  EXPECT_TRUE(std::isinf(samples[2].value));
  EXPECT_TRUE(std::isnan(samples[3].value));
  const auto broken = parse_prom_text("a 1\nb{c=\"d 2\n", [](const PromSample&) {});
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("line 2"), std::string::npos);
  EXPECT_FALSE(parse_prom_text("<html>", [](const PromSample&) {}));
}

TEST(PromTextTest, WriterAndParserAgree) {
  PromWriter writer;
  const std::pair<std::string_view, std::string_view> labels[] = {{"a", "x\"y\\z\n"}, {"b", "2"}};
  writer.family("m", "gauge", "help");
  writer.sample("m", labels, 0.1);
  writer.sample("n", {}, 1e21);
  EXPECT_EQ(writer.text(), "# HELP m help\n# TYPE m gauge\nm{a=\"x\\\"y\\\\z\\n\",b=\"2\"} 0.1\nn 1e+21\n");
  EXPECT_EQ(PromWriter::number(3), "3.0");
  EXPECT_EQ(PromWriter::number(999999), "999999.0");
  EXPECT_EQ(PromWriter::number(12345678), "1.2345678e+07");
  EXPECT_EQ(PromWriter::number(1234567.5), "1.2345675e+06");
  EXPECT_EQ(PromWriter::number(1e7), "1e+07");
  EXPECT_EQ(PromWriter::number(0), "0.0");
  EXPECT_EQ(PromWriter::number(-2.5), "-2.5");
}

TEST(QuantileTest, NearestRankIsAlwaysASample) {
  const std::vector<double> ten{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(quantile_sorted(ten, 0.5), 5);
  EXPECT_EQ(quantile_sorted(ten, 0.9), 9);
  EXPECT_EQ(quantile_sorted(ten, 0.99), 10);
  EXPECT_EQ(quantile_sorted(ten, 0.001), 1);
}

TEST(QuantileTest, SampleSizesOfTheRulebook) {
  EXPECT_EQ(min_samples_for_quantile(0.90), 36u);
  EXPECT_EQ(min_samples_for_quantile(0.95), 72u);
  EXPECT_EQ(min_samples_for_quantile(0.99), 368u);
  EXPECT_EQ(min_samples_for_quantile(0.999), 3688u);
  EXPECT_EQ(min_samples_for_quantile(0.5), 6u);
  EXPECT_EQ(quantile_interval_ranks(367, 0.99), std::nullopt);
  EXPECT_EQ(quantile_interval_ranks(1000, 0.99), (std::pair<std::size_t, std::size_t>{983, 997}));
}

TEST(QuantileTest, HistogramIsWithinItsResolution) {
  DurationHistogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.add(Duration{i * 1000});
  EXPECT_EQ(histogram.count(), 1000u);
  EXPECT_EQ(histogram.max(), Duration{1'000'000});
  const double p99 = static_cast<double>(histogram.quantile(0.99).count());
  EXPECT_GE(p99, 990'000.0);
  EXPECT_LE(p99, 990'000.0 * 1.016);
  EXPECT_EQ(DurationHistogram{}.quantile(0.5), Duration{0});
}

}  // namespace
TEST(Text, OthersTextIsPrintable) {
  EXPECT_EQ(printable("plain \xc3\xa9 \xe2\x80\xa6"), "plain \xc3\xa9 \xe2\x80\xa6");
  EXPECT_EQ(printable("\x1b[2Ja\nb\tc\x7f"), " [2Ja b c ");
  EXPECT_EQ(printable("\xc2\x9b" "31m \xc2\xa9 \xc2"), "  31m \xc2\xa9 \xc2");
  EXPECT_EQ(printable("a\xe2\x80\xae" "b\xe2\x81\xa6\xe2\x80\xa8\xe2\x80"), "a   b      \xe2\x80");
  EXPECT_EQ(printable(""), "");
}

}  // namespace core
