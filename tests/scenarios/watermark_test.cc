// Watermarks: the documented order, what rules each out, what they change and what they must not, equal seeds equal bytes.
#include "scenarios/watermark.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "protocol/tokenizer.h"

namespace {

using namespace scenarios;

Scenario fixed(bool ignore_eos = true) {
  Scenario s;
  s.name = "fixed";
  s.load.concurrency = 4;
  s.stop.requests = 200;
  Workload w;
  w.name = "w";
  w.prompt.kind = PromptKind::kSharedPrefix;
  w.prompt.groups = 3;
  w.prompt.prefix_tokens = 256;
  w.prompt.suffix_tokens = 64;
  w.output.max_tokens = 64;
  w.output.ignore_eos = ignore_eos;
  s.workloads.push_back(w);
  return s;
}

/// Its bodies are all alike too.
Scenario literal(bool ignore_eos = true) {
  Scenario s = fixed(ignore_eos);
  s.workloads[0].prompt = {};
  s.workloads[0].prompt.kind = PromptKind::kLiteral;
  s.workloads[0].prompt.texts = {"Say what a gateway is."};
  return s;
}

Schedule planned(const Scenario& s, std::uint64_t seed = 1) { return *plan(s, seed); }

WatermarkFacts all_facts() {
  WatermarkFacts facts;
  facts.replicas = 3;
  facts.probes = 5;
  facts.stops_by_itself = facts.max_tokens_counted = facts.content_length_survives = true;
  facts.max_model_len = 8192;
  return facts;
}

TEST(Watermark, TheOrderIsNaturalMaxTokensBodyPrompt) {
  const Scenario stops = literal(false);
  EXPECT_EQ(choose_watermark(stops, planned(stops), all_facts()).kind, WatermarkKind::kMaxTokens);
  auto facts = all_facts();
  facts.stops_by_itself = false;
  const auto body = choose_watermark(stops, planned(stops), facts);
  EXPECT_EQ(body.kind, WatermarkKind::kBody);
  EXPECT_NE(body.why.find("not known to end by themselves"), std::string::npos) << body.why;
  facts.content_length_survives = false;
  const auto prompt = choose_watermark(stops, planned(stops), facts);
  EXPECT_EQ(prompt.kind, WatermarkKind::kPrompt);
  EXPECT_NE(prompt.why.find("body sizes"), std::string::npos) << prompt.why;
  Scenario natural = fixed();
  natural.workloads[0].prompt.cycle_extra_tokens = {0, 3, 7, 12, 20, 31, 44, 58, 73, 89};
  natural.workloads[0].output.max_tokens_cycle = {17, 33, 65};
  EXPECT_EQ(choose_watermark(natural, planned(natural), {}).kind, WatermarkKind::kNatural);
}

TEST(Watermark, BodiesThatDifferByThemselvesAreNaturalWhereTheyAreCounted) {
  const Scenario plain = fixed();
  const auto choice = choose_watermark(plain, planned(plain), all_facts());
  EXPECT_EQ(choice.kind, WatermarkKind::kNatural);
  EXPECT_NE(choice.why.find("body sizes"), std::string::npos);
  auto blind = all_facts();
  blind.content_length_survives = false;
  EXPECT_EQ(choose_watermark(plain, planned(plain), blind).kind, WatermarkKind::kPrompt);
  EXPECT_LT(length_spread(plain, planned(plain)).body_collision, 0.05);
  EXPECT_EQ(length_spread(literal(), planned(literal())).body_collision, 1);
}

TEST(Watermark, MaxTokensThatBoundAnswersAreLeftAlone) {
  const Scenario bounded = literal(true);
  const auto choice = choose_watermark(bounded, planned(bounded), all_facts());
  EXPECT_EQ(choice.kind, WatermarkKind::kBody);
  EXPECT_NE(choice.why.find("ignore_eos"), std::string::npos);
  const auto forced = force_watermark(WatermarkKind::kMaxTokens, bounded, planned(bounded), all_facts());
  ASSERT_FALSE(forced);
  EXPECT_NE(forced.error().message.find("ignore_eos"), std::string::npos);
}

TEST(Watermark, MaxTokensNeverFallBelowTheScenariosNorBeyondTheModel) {
  const Scenario stops = literal(false);
  const auto choice = choose_watermark(stops, planned(stops), all_facts());
  const Scenario marked = with_watermark(stops, choice, all_facts(), 7);
  const auto& cycle = marked.workloads[0].output.max_tokens_cycle;
  ASSERT_EQ(cycle.size(), 64U);
  EXPECT_GE(*std::min_element(cycle.begin(), cycle.end()), 64U);
  EXPECT_LE(*std::max_element(cycle.begin(), cycle.end()) + 6 + 16, 8192U);
  EXPECT_EQ(marked.watermark, "max-tokens");
  auto small = all_facts();
  small.max_model_len = 128;
  EXPECT_EQ(choose_watermark(stops, planned(stops), small).kind, WatermarkKind::kBody);
  small.max_model_len = 0;
  EXPECT_EQ(choose_watermark(stops, planned(stops), small).kind, WatermarkKind::kBody);
  EXPECT_GE(length_spread(marked, planned(marked)).max_tokens_buckets, 4U);
}

TEST(Watermark, SharedPrefixesStayByteForByte) {
  const Scenario plain = fixed();
  const auto choice = *force_watermark(WatermarkKind::kPrompt, plain, planned(plain), {});
  const Scenario marked = with_watermark(plain, choice, {}, 1);
  const Schedule a = planned(plain), b = planned(marked);
  std::string before, after;
  std::set<std::size_t> lengths;
  for (std::size_t i = 0; i < 40; ++i) {
    render_prompt(plain, a.requests[i], before);
    render_prompt(marked, b.requests[i], after);
    EXPECT_EQ(after.substr(0, before.size()), before) << i;
    lengths.insert(PromptTokenCounts(marked).of(b.requests[i]));
  }
  EXPECT_EQ(lengths.size(), 8U);
}

TEST(Watermark, EqualSeedsGiveEqualScenariosAndOthersDiffer) {
  for (const auto kind : {WatermarkKind::kBody, WatermarkKind::kMaxTokens}) {
    const Scenario stops = fixed(false);
    const auto choice = *force_watermark(kind, stops, planned(stops), all_facts());
    const auto one = to_json(with_watermark(stops, choice, all_facts(), 5)), same = to_json(with_watermark(stops, choice, all_facts(), 5));
    EXPECT_EQ(one, same);
    EXPECT_NE(one, to_json(with_watermark(stops, choice, all_facts(), 6)));
    const auto read = parse_scenario(one, "x");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(to_json(*read), one);
  }
}

TEST(Watermark, WithoutWatermarkTakesAwayWhatItIsAndNothingElse) {
  for (const auto name : {"unique", "shared-prefix"}) {
    const Scenario bundled = *catalog_scenario(name);
    ASSERT_EQ(bundled.watermark, "prompt-length");
    EXPECT_EQ(own_watermark(bundled).kind, WatermarkKind::kPrompt);
    const Scenario plain = without_watermark(bundled);
    EXPECT_TRUE(plain.workloads[0].prompt.cycle_extra_tokens.empty());
    EXPECT_EQ(plain.workloads[0].output.max_tokens_cycle, bundled.workloads[0].output.max_tokens_cycle);
    EXPECT_EQ(plain.watermark, "none");
  }
}

TEST(Watermark, PaddingEntersBodiesAndDigestsOnlyWhereItIs) {
  const Scenario plain = fixed();
  const auto choice = *force_watermark(WatermarkKind::kBody, plain, planned(plain), all_facts());
  const Scenario padded = with_watermark(plain, choice, all_facts(), 3);
  ASSERT_EQ(padded.pad_body_bytes_cycle.size(), 64U);
  EXPECT_EQ(std::set<std::uint32_t>(padded.pad_body_bytes_cycle.begin(), padded.pad_body_bytes_cycle.end()).size(), 64U);
  EXPECT_NE(planned(plain).digest, planned(padded).digest);
  EXPECT_EQ(planned(padded).requests[65].pad_bytes, padded.pad_body_bytes_cycle[1]);
  EXPECT_EQ(to_json(plain).find("pad_body"), std::string::npos);
}

TEST(Watermark, OneRequestAndNoneAreNoTrouble) {
  Scenario one = fixed();
  one.stop.requests = 1;
  EXPECT_EQ(length_spread(one, planned(one)).collision, 1);
  EXPECT_EQ(length_spread(one, Schedule{}).collision, 1);
  EXPECT_EQ(choose_watermark(one, Schedule{}, {}).kind, WatermarkKind::kNone);
  EXPECT_EQ(choose_watermark(one, planned(one), all_facts()).kind, WatermarkKind::kNone);
}

TEST(Watermark, NoneWhereThereIsNothingToTellApart) {
  Scenario serial = fixed();
  serial.serial_probe = true;
  const auto choice = choose_watermark(serial, planned(serial), all_facts());
  EXPECT_EQ(choice.kind, WatermarkKind::kNone);
  EXPECT_NE(choice.why.find("exact"), std::string::npos) << choice.why;
  WatermarkFacts one_replica;
  one_replica.replicas = 1;
  EXPECT_EQ(choose_watermark(fixed(), planned(fixed()), one_replica).kind, WatermarkKind::kNone);
  one_replica.replicas = 2;
  EXPECT_EQ(choose_watermark(fixed(), planned(fixed()), one_replica).kind, WatermarkKind::kPrompt);
}

TEST(Watermark, FewRequestsThatAllDifferAreNatural) {
  Scenario few = fixed();
  few.stop.requests = 5;
  few.workloads[0].prompt.cycle_extra_tokens = {1, 2, 4, 8, 16};
  EXPECT_EQ(length_spread(few, planned(few)).collision, 0);
  EXPECT_EQ(choose_watermark(few, planned(few), {}).kind, WatermarkKind::kNatural);
  // Eight lengths in turn over 16 requests: of the 120 pairs 8 are equal.
  few.stop.requests = 16;
  few.workloads[0].prompt.cycle_extra_tokens = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_DOUBLE_EQ(length_spread(few, planned(few)).collision, 8.0 / 120);
}

TEST(Watermark, MaxTokensNeedCountersThatShowThemAndRoomByTheServersOwnTokens) {
  const Scenario stops = literal(false);
  auto facts = all_facts();
  facts.max_tokens_counted = false;  // a server that caps max_tokens counts other values than those it was sent
  const auto capped = choose_watermark(stops, planned(stops), facts);
  EXPECT_EQ(capped.kind, WatermarkKind::kBody);
  EXPECT_NE(capped.why.find("did not count max_tokens as sent"), std::string::npos) << capped.why;
  facts = all_facts();
  facts.tokens_ratio = 3;
  // 6 tokens by our count, 18 by the server's, a tenth more for what was not looked at, 16 for a template.
  EXPECT_EQ(largest_max_tokens(stops, planned(stops), facts), 8192U - 36);
  EXPECT_EQ(length_spread(stops, planned(stops)).prompt_max, 6U);
  EXPECT_EQ(largest_max_tokens(literal(true), planned(literal(true)), facts), 0U);
  const auto cycle = with_watermark(stops, *force_watermark(WatermarkKind::kMaxTokens, stops, planned(stops), facts), facts, 3).workloads[0].output.max_tokens_cycle;
  EXPECT_LE(*std::max_element(cycle.begin(), cycle.end()), 8192U - 36);
}

TEST(Watermark, BothRulersHaveDistinctDifferencesAndSayWhatTheyCost) {
  const Scenario plain = fixed();
  const auto eight = choose_watermark(plain, planned(plain), {});
  const auto fourteen = with_more_lengths(eight, length_spread(plain, planned(plain)));
  for (const auto* choice : {&eight, &fourteen}) {
    std::set<std::uint32_t> differences;
    for (std::size_t i = 0; i < choice->marks.size(); ++i) {
      for (std::size_t j = i + 1; j < choice->marks.size(); ++j) differences.insert(choice->marks[j] - choice->marks[i]);
    }
    EXPECT_EQ(differences.size(), choice->marks.size() * (choice->marks.size() - 1) / 2);
  }
  EXPECT_EQ(eight.extra_prompt_tokens, 14.625);
  EXPECT_EQ(fourteen.extra_prompt_tokens, 61);
  EXPECT_EQ(fourteen.cost, "61.0 prompt tokens more per request, 19.1 % of prompts and 95.3 % of what a warm cache leaves to prefill");
  EXPECT_EQ(finishes_per_window(WatermarkKind::kPrompt, with_watermark(plain, eight, {}, 1)), 0.8);
  EXPECT_EQ(finishes_per_window(WatermarkKind::kPrompt, with_watermark(plain, fourteen, {}, 1)), 2);
}

TEST(Watermark, LongPromptsAndManyRequestsAreLookedAtInPart) {
  Scenario huge = fixed();
  huge.workloads[0].prompt = {};
  huge.workloads[0].prompt.kind = PromptKind::kUnique;
  huge.workloads[0].prompt.tokens = 2'000'000;
  huge.stop.requests = 1'000'000;
  const Schedule schedule = planned(huge);
  const auto spread = length_spread(huge, schedule);  // rendering 300 of them would be 3 GB of text
  EXPECT_EQ(spread.prompt_mean, 2'000'000);
  EXPECT_GT(spread.body_mean, 5e6);
  EXPECT_EQ(choose_watermark(huge, schedule, {}).kind, WatermarkKind::kPrompt);
}

TEST(Watermark, TokenCountsOfLiteralTextsAreThoseOfTheirRendering) {
  Scenario s = literal();
  s.workloads[0].prompt.texts = {"Question {i}: why? ", "{i}{i} of {i}", "no number"};
  s.workloads[0].prompt.cycle_extra_tokens = {0, 3, 50};
  s.stop.requests = 1200;
  const Schedule schedule = planned(s);
  PromptTokenCounts counts(s);
  std::string prompt;
  for (const auto& request : schedule.requests) {
    render_prompt(s, request, prompt);
    ASSERT_EQ(counts.of(request), protocol::count_tokens(prompt)) << prompt;
  }
}

TEST(Watermark, AWatermarkThatIsNamedMustBeThere) {
  std::vector<Problem> problems;
  auto json = to_json(fixed());
  json.replace(json.find("\"watermark\":\"none\""), 18, "\"watermark\":\"body\"");
  EXPECT_FALSE(parse_scenario(json, "x", &problems));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].path, "$.watermark");
}

}  // namespace
