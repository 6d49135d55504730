// The page: its panels and their order, no script, no network, words where there is no data, budgets, sound markup.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "core/text.h"
#include "fixtures.h"
#include "reports/render.h"

namespace reports {
namespace {

std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++count;
  return count;
}

/// What a reader sees: everything outside tags and the style sheet.
std::string visible_text(std::string_view page) {
  std::string out;
  std::size_t at = page.find("<body>");
  while (at < page.size()) {
    if (page[at] != '<') { out += page[at++]; continue; }
    out += ' ';
    at = page.find('>', at) + 1;
  }
  return out;
}

bool has_word(std::string_view text, std::string_view word) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool starts = at == 0 || !letter(text[at - 1]);
    const bool ends = at + word.size() >= text.size() || !letter(text[at + word.size()]);
    if (starts && ends) return true;
  }
  return false;
}

/// Values of an attribute in tags that begin with `tag`.
std::vector<std::string> attributes(std::string_view page, std::string_view tag, std::string_view attribute) {
  std::vector<std::string> out;
  const std::string key = " " + std::string(attribute) + "=\"";
  for (std::size_t at = page.find(tag); at != std::string_view::npos; at = page.find(tag, at + 1)) {
    const std::string_view inside = page.substr(at, page.find('>', at) - at);
    const std::size_t from = inside.find(key);
    if (from == std::string_view::npos) continue;
    const std::size_t begin = from + key.size();
    out.emplace_back(inside.substr(begin, inside.find('"', begin) - begin));
  }
  return out;
}

/// The first tag that is not closed in order; empty when all are.
std::string first_unbalanced(std::string_view page) {
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string_view::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    const std::string_view inside = page.substr(at + 1, end - at - 1);
    if (inside.empty() || inside.front() == '!' || inside.back() == '/') continue;
    const bool closing = inside.front() == '/';
    std::string tag(inside.substr(closing ? 1 : 0));
    tag.resize(std::min(tag.size(), tag.find(' ')));
    if (tag == "meta" || tag == "br") continue;
    if (!closing) { open.push_back(tag); continue; }
    if (open.empty() || open.back() != tag) return tag;
    open.pop_back();
  }
  return open.empty() ? std::string() : open.back();
}

TEST(Html, PanelsStandInTheirOrder) {
  const std::vector<std::string> expected{"comparison", "gates", "validity", "findings", "headline", "distributions", "ratios",
                                          "saturation", "replicas", "cache", "attribution", "timelines", "cost", "errors",
                                          "reproduce", "glossary"};
  for (const auto& fixture : fixtures::all()) {
    EXPECT_EQ(attributes(render_html(fixture.analysis), "<section", "id"), expected) << fixture.name;
  }
}

TEST(Html, NeedsNoScriptAndNoNetwork) {
  for (const auto& fixture : fixtures::all()) {
    const std::string page = render_html(fixture.analysis);
    EXPECT_NE(page.find("content=\"default-src 'none'; style-src 'unsafe-inline'\""), std::string::npos);
    for (const std::string_view banned : {"<script", "<img", "<link", "<iframe", "<object", "src=\"", "url(", "@import", "http://", "https://", "javascript:"}) {
      EXPECT_EQ(page.find(banned), std::string::npos) << fixture.name << ": " << banned;
    }
    for (const std::string& link : attributes(page, "<a ", "href")) EXPECT_EQ(link.front(), '#') << fixture.name;
  }
}

TEST(Html, TagsBalanceAndIdsAreDistinct) {
  for (const auto& fixture : fixtures::all()) {
    const std::string page = render_html(fixture.analysis);
    EXPECT_EQ(first_unbalanced(page), "") << fixture.name;
    std::vector<std::string> ids = attributes(page, "<", "id");
    EXPECT_GT(ids.size(), 30U);
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end()) << fixture.name;
  }
  EXPECT_EQ(first_unbalanced("<p><b></p></b>"), "p");
}

TEST(Html, NoWordsThatOnlyMachinesSay) {
  for (const auto& fixture : fixtures::all()) {
    const std::string text = visible_text(render_html(fixture.analysis));
    for (const std::string_view word : {"NaN", "nan", "Infinity", "inf", "undefined", "null"}) {
      EXPECT_FALSE(has_word(text, word)) << fixture.name << ": " << word;
    }
  }
  EXPECT_TRUE(has_word("it was -inf there", "inf"));
  EXPECT_FALSE(has_word("information", "inf"));
}

TEST(Html, StaysWithinItsBudgets) {
  for (const auto& fixture : fixtures::all()) {
    const std::string page = render_html(fixture.analysis);
    EXPECT_LE(page.size(), 1'000'000U) << fixture.name;
    std::size_t nodes = 0;
    for (const std::string_view tag : {"<svg", "<path", "<rect", "<circle", "<text", "<title", "<desc"}) nodes += count_of(page, tag);
    EXPECT_LE(nodes, 6000U) << fixture.name;
  }
}

TEST(Html, HostileWordsStayWords) {
  const std::string page = render_html(fixtures::hostile());
  EXPECT_NE(page.find("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"), std::string::npos);
  for (const std::string_view raw : {std::string_view("\x1b"), std::string_view("\x07"), std::string_view("\0", 1), std::string_view("\xE2\x80\xAE"), std::string_view("\xff")}) {
    EXPECT_EQ(page.find(raw), std::string::npos);
  }
  EXPECT_EQ(page.find(std::string(5000, 'x')), std::string::npos) << "long names are clipped";
}

TEST(Html, EveryDrawingHasWordsAndATable) {
  const std::string page = render_html(fixtures::rich());
  const std::size_t drawings = count_of(page, "<svg role=\"img\"");
  EXPECT_EQ(drawings, 27U);  // 6 curves, 2 forests, 2 of blocks, 1 ladder, 5 shares, 2 maps, 1 coverage, 8 timelines
  EXPECT_EQ(count_of(page, "<title id="), drawings);
  EXPECT_EQ(count_of(page, "<desc id="), drawings);
  EXPECT_EQ(count_of(page, "<figcaption>"), drawings);
  EXPECT_EQ(count_of(page, "<details><summary>Data</summary>"), drawings);
  EXPECT_EQ(count_of(page, "<table"), count_of(page, "<caption>"));
  EXPECT_EQ(count_of(page, "class=\"scroll\""), count_of(page, "class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label="));
}

TEST(Html, MarksLieInsideTheirDrawing) {
  for (const auto& fixture : fixtures::all()) {
    const std::string page = render_html(fixture.analysis);
    std::size_t seen = 0;
    for (std::size_t at = page.find("<svg role=\"img\""); at != std::string::npos; at = page.find("<svg role=\"img\"", at + 1)) {
      const std::string_view drawing = std::string_view(page).substr(at, page.find("</svg>", at) - at);
      const auto box = core::split(attributes(drawing, "<svg", "viewBox").at(0), ' ');
      const double width = *core::parse_number(box[2]), height = *core::parse_number(box[3]);
      for (const auto& [tag, attribute, limit] : {std::tuple{"<circle", "cx", width}, {"<circle", "cy", height}, {"<rect", "x", width}, {"<rect", "y", height}, {"<text", "x", width}, {"<text", "y", height}}) {
        for (const std::string& value : attributes(drawing, tag, attribute)) {
          ++seen;
          const auto number = core::parse_number(value);
          ASSERT_TRUE(number) << value;
          EXPECT_GE(*number, 0) << fixture.name;
          EXPECT_LE(*number, limit) << fixture.name;
        }
      }
    }
    if (fixture.name == "rich") { EXPECT_GT(seen, 500U); }
  }
}

TEST(Html, SaysWhatTheSeedsOwnFiguresHide) {
  const std::string text = visible_text(render_html(fixtures::rich()));
  EXPECT_NE(text.find("Scaling not shown"), std::string::npos);
  EXPECT_NE(text.find("Scaling shown"), std::string::npos);
  EXPECT_NE(text.find("Ratio per replica, not a scaling efficiency"), std::string::npos);
  EXPECT_NE(text.find("Neither arm is saturated: at 15 in flight"), std::string::npos);
  EXPECT_NE(text.find("shorter than one 128-token block"), std::string::npos);
}

TEST(Html, SaysSimulatedOnlyWhereItIs) {
  const std::string simulated = render_html(fixtures::rich());
  EXPECT_NE(simulated.find("simulated replicas"), std::string::npos);
  EXPECT_EQ(count_of(simulated, "<figcaption>"), count_of(simulated, "<span class=\"sim\">simulated</span></p></figcaption>"));
  EXPECT_EQ(render_html(fixtures::single_run()).find("class=\"sim\""), std::string::npos);
}

TEST(Html, EmptyDataIsASentenceAndNotAnEmptyPlot) {
  const std::string single = visible_text(render_html(fixtures::single_run()));
  EXPECT_NE(single.find("one arm in this report, so there is nothing to compare it with"), std::string::npos);
  EXPECT_NE(single.find("No prices were given"), std::string::npos);
  EXPECT_NE(single.find("No gates were set"), std::string::npos);
  EXPECT_NE(single.find("No response was attributed"), std::string::npos);
  const std::string zero = render_html(fixtures::zero_successes());
  EXPECT_EQ(count_of(zero, "<svg role=\"img\""), 0U);
  EXPECT_NE(zero.find("no successful request"), std::string::npos);
  EXPECT_EQ(visible_text(zero).find("0 ms"), std::string::npos);
  const std::string empty = visible_text(render_html(analyzers::Analysis{}));
  EXPECT_NE(empty.find("No scenario was run"), std::string::npos);
}

TEST(Html, ManyReplicasAreTheLargestAndTheSmallest) {
  const std::string page = render_html(fixtures::replicas_64());
  EXPECT_NE(page.find("The 8 largest and 4 smallest of 64"), std::string::npos);
  EXPECT_NE(page.find("The 24 largest groups"), std::string::npos);
}

}  // namespace
}  // namespace reports
