// The page's numbers are the JSON's numbers: each one names its place and value, and is formatted from exactly that.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "fixtures.h"
#include "reports/format.h"
#include "reports/render.h"

namespace reports {
namespace {

using Json = nlohmann::json;

struct Outcome {
  std::size_t numbers = 0;
  std::string difference;  ///< the first one
};

std::string attribute(std::string_view tag, std::string_view key) {
  const std::string start = std::string(key) + "=\"";
  const std::size_t from = tag.find(start);
  if (from == std::string_view::npos) return {};
  const std::size_t begin = from + start.size();
  return std::string(tag.substr(begin, tag.find('"', begin) - begin));
}

/// Reads every <span data-json-path data-value data-unit>shown</span> of the page and compares it with the document.
Outcome compare(std::string_view page, const Json& report) {
  Outcome outcome;
  constexpr std::string_view kStart = "<span data-json-path=";
  for (std::size_t at = page.find(kStart); at != std::string_view::npos; at = page.find(kStart, at + 1)) {
    const std::size_t end = page.find('>', at);
    const std::string_view tag = page.substr(at, end - at);
    const std::string shown(page.substr(end + 1, page.find('<', end) - end - 1));
    const std::string path = attribute(tag, "data-json-path");
    const Json::json_pointer pointer(path);
    ++outcome.numbers;
    if (!outcome.difference.empty()) continue;
    if (!report.contains(pointer) || !report[pointer].is_number()) {
      outcome.difference = path + " is no number in the JSON";
      continue;
    }
    const double value = report[pointer].get<double>();
    if (core::parse_number(attribute(tag, "data-value")) != value) outcome.difference = path + ": data-value differs";
    if (shown != format_figure(value, unit_from_key(attribute(tag, "data-unit")))) outcome.difference = path + ": shows " + shown;
  }
  return outcome;
}

/// Digits in cells that are not in a data span: none may be a figure that the JSON does not have.
std::size_t bare_numeric_cells(std::string_view page) {
  std::size_t count = 0;
  constexpr std::string_view kStart = "<td class=\"num\">";
  for (std::size_t at = page.find(kStart); at != std::string_view::npos; at = page.find(kStart, at + 1)) {
    const std::string_view cell = page.substr(at + kStart.size(), page.find("</td>", at) - at - kStart.size());
    const bool figure = cell.find("data-json-path") != std::string_view::npos;
    const bool reason = cell.find("class=\"none\"") != std::string_view::npos;
    if (!figure && !reason) ++count;
  }
  return count;
}

TEST(Equality, EveryNumberOfThePageIsTheJsons) {
  for (const auto& fixture : fixtures::all()) {
    const std::string page = render_html(fixture.analysis);
    const Outcome outcome = compare(page, Json::parse(render_json(fixture.analysis)));
    EXPECT_EQ(outcome.difference, "") << fixture.name;
    if (fixture.name == "rich") { EXPECT_GT(outcome.numbers, 1000U); }
    EXPECT_EQ(bare_numeric_cells(page), 0U) << fixture.name;
  }
}

TEST(Equality, AChangedJsonIsNoticed) {
  const std::string page = render_html(fixtures::rich());
  Json report = Json::parse(render_json(fixtures::rich()));
  report["scaling"][1]["throughput_ratio"]["value"] = 3.01;
  EXPECT_EQ(compare(page, report).difference, "/scaling/1/throughput_ratio/value: shows " + format_figure(281.3 / 94.1, Unit::kTimes));
  report = Json::parse(render_json(fixtures::rich()));
  report["arms"].erase(0);
  EXPECT_NE(compare(page, report).difference, "");
}

TEST(Equality, AChangedPageIsNoticed) {
  const Json report = Json::parse(render_json(fixtures::rich()));
  std::string page = render_html(fixtures::rich());
  const std::size_t at = page.find(">2.99\u00D7<");
  ASSERT_NE(at, std::string::npos);
  page.replace(at, 5, ">2.98");
  EXPECT_NE(compare(page, report).difference, "");
}

TEST(Equality, VerdictWordsAreTheJsons) {
  const Json report = Json::parse(render_json(fixtures::zero_successes()));
  const std::string page = render_html(fixtures::zero_successes());
  EXPECT_EQ(report["run"]["verdict"], "invalid");
  EXPECT_NE(page.find("<strong>INVALID</strong>"), std::string::npos);
  EXPECT_EQ(report["gates"][0]["verdict"], "invalid");
  const std::size_t gates = page.find("id=\"gates\"");
  const std::string section = page.substr(gates, page.find("</section>", gates) - gates);
  EXPECT_NE(section.find("INVALID</span>"), std::string::npos);
  EXPECT_EQ(section.find("</span> PASS</span>"), std::string::npos);
}

}  // namespace
}  // namespace reports
