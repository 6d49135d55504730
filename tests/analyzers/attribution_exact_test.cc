// The decoder against brute force on tiny problems, and serial probing by hand.
#include <gtest/gtest.h>

#include <map>

#include "analyzers/attribution.h"
#include "tests/analyzers/simulated_counters.h"

namespace {

using namespace analyzers;
using namespace analyzers_test;

/// A problem of `rounds` known rounds of 100 ms over `replicas`, with its true assignment; brackets of 30 ms, so that
/// some straddle. Few different lengths, so that many assignments fit.
struct Tiny {
  AttributionProblem problem;
  std::vector<int> truth;
};

FinishRound empty_round(std::size_t replicas, core::Duration from, core::Duration to, bool known) {
  FinishRound round;
  for (std::size_t r = 0; r < replicas; ++r) {
    FinishWindow w;
    w.replica = static_cast<std::uint16_t>(r);
    w.opens = from;
    w.closes = to;
    w.known = known;
    w.why_unknown = known ? "" : "no scrape";
    round.windows.push_back(w);
  }
  return round;
}

Tiny make_tiny(std::uint64_t seed, std::int64_t foreign) {
  core::Rng rng(seed);
  Tiny out;
  auto& p = out.problem;
  p.replicas = 2 + rng.below(2);
  const std::size_t rounds = 2;
  p.channel_used = {true, true, false};
  p.totals_known = true;
  p.extra_finishes = foreign;
  p.rounds.push_back(empty_round(p.replicas, core::from_ms(-1e6), core::from_ms(0), false));
  for (std::size_t k = 0; k < rounds; ++k) p.rounds.push_back(empty_round(p.replicas, core::from_ms(100.0 * static_cast<double>(k)), core::from_ms(100.0 * static_cast<double>(k + 1)), true));
  p.rounds.push_back(empty_round(p.replicas, core::from_ms(200), core::from_ms(1e6), false));
  const std::size_t n = 2 + rng.below(4);
  const auto put = [&](double at, std::size_t replica, std::int64_t prompt, std::int64_t output) {
    auto& w = p.rounds[at <= 100 ? 1 : 2].windows[replica];
    ++w.count;
    w.sum[0] += prompt;
    w.sum[1] += output;
  };
  for (std::size_t i = 0; i < n; ++i) {
    const double finish = 20 + 150 * rng.uniform();
    const double seen = finish + 25 * rng.uniform();
    FinishCandidate c;
    c.record = static_cast<std::uint32_t>(i);
    c.vector.value = {static_cast<std::int64_t>(10 + rng.below(3)), static_cast<std::int64_t>(5 + rng.below(2)), 0};
    c.latest = core::from_ms(seen);
    c.earliest = core::from_ms(std::max(1.0, seen - 30));
    c.first_round = seen - 30 <= 100 ? 1 : 2;
    c.last_round = seen > 100 ? 2 : 1;
    p.candidates.push_back(c);
    const auto replica = static_cast<std::size_t>(rng.below(p.replicas));
    out.truth.push_back(static_cast<int>(replica));
    put(finish, replica, c.vector.value[0], c.vector.value[1]);
  }
  for (std::int64_t f = 0; f < foreign; ++f) {
    const double at = 20 + 150 * rng.uniform();
    const std::size_t replica = rng.below(p.replicas);
    put(at, replica, static_cast<std::int64_t>(10 + rng.below(3)), static_cast<std::int64_t>(5 + rng.below(2)));
  }
  return out;
}

/// Replicas per candidate over all assignments that the integers allow, by plain enumeration.
std::vector<std::uint64_t> brute_force(const AttributionProblem& p) {
  std::vector<std::pair<std::size_t, std::size_t>> windows;  // (round, replica)
  for (std::size_t k = 1; k + 1 < p.rounds.size(); ++k) {
    for (std::size_t r = 0; r < p.replicas; ++r) windows.emplace_back(k, r);
  }
  const std::size_t n = p.candidates.size();
  std::vector<std::uint64_t> options(n, 0);
  std::size_t total = 1;
  for (std::size_t i = 0; i < n; ++i) total *= windows.size();
  for (std::size_t code = 0; code < total; ++code) {
    std::map<std::pair<std::size_t, std::size_t>, std::array<std::int64_t, 3>> given;
    bool ok = true;
    std::size_t rest = code;
    std::vector<std::size_t> at(n);
    for (std::size_t i = 0; i < n && ok; ++i) {
      const auto& w = windows[rest % windows.size()];
      rest /= windows.size();
      const auto& c = p.candidates[i];
      ok = w.first >= c.first_round && w.first <= c.last_round;
      at[i] = w.second;
      auto& sum = given[w];
      sum[0] += 1;
      sum[1] += c.vector.value[0];
      sum[2] += c.vector.value[1];
    }
    for (const auto& w : windows) {
      const auto& window = p.rounds[w.first].windows[w.second];
      const auto sum = given.count(w) != 0 ? given[w] : std::array<std::int64_t, 3>{};
      const std::int64_t foreign = window.count - sum[0];
      const std::int64_t prompt = window.sum[0] - sum[1];
      const std::int64_t output = window.sum[1] - sum[2];
      ok = ok && foreign >= 0 && prompt >= foreign && output >= 0 && (foreign > 0 || (prompt == 0 && output == 0));
    }
    if (!ok) continue;
    for (std::size_t i = 0; i < n; ++i) options[i] |= std::uint64_t{1} << at[i];
  }
  return options;
}

TEST(AttributionExact, EqualsBruteForceOnTinyProblems) {
  std::size_t claimed = 0;
  std::size_t ambiguous = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const auto tiny = make_tiny(seed, 0);
    const auto expected = brute_force(tiny.problem);
    const auto decoded = decode(tiny.problem);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto& a = decoded.of_candidate[i];
      std::uint64_t got = 0;
      for (const auto& r : a.candidates) got |= std::uint64_t{1} << r.replica;
      EXPECT_EQ(got, expected[i]) << "seed " << seed << " candidate " << i;
      if (a.replica >= 0) {
        EXPECT_EQ(a.replica, tiny.truth[i]) << "seed " << seed;
      }
      (a.replica >= 0 ? claimed : ambiguous) += 1;
    }
  }
  EXPECT_GT(claimed, 300u);
  EXPECT_GT(ambiguous, 150u);
}

TEST(AttributionExact, WithForeignFinishesItNeverClaimsMoreThanBruteForce) {
  std::size_t claimed = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const auto tiny = make_tiny(seed, 1);
    const auto expected = brute_force(tiny.problem);
    const auto decoded = decode(tiny.problem);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto& a = decoded.of_candidate[i];
      std::uint64_t got = 0;
      for (const auto& r : a.candidates) got |= std::uint64_t{1} << r.replica;
      EXPECT_EQ(got & expected[i], expected[i]) << "seed " << seed;
      if (a.replica < 0) continue;
      ++claimed;
      EXPECT_EQ(a.replica, tiny.truth[i]) << "seed " << seed;
    }
  }
  EXPECT_GT(claimed, 50u);
}

TEST(AttributionExact, OverBudgetIsTooDenseNotAGuess) {
  const auto tiny = make_tiny(3, 0);
  DecodeLimits limits;
  limits.nodes_per_round = 0;
  for (const auto& a : decode(tiny.problem, limits).of_candidate) EXPECT_EQ(a.replica, -1);
}

/// One request at a time, scrapes before and after each.
CounterRun serial_run(std::size_t n) {
  CounterWorld world;
  world.requests = n;
  world.rate_rps = 2;
  auto made = make_counter_run(world);
  made.run.scrapes.clear();
  std::vector<protocol::VllmSnapshot> counters;
  for (int r = 0; r < 3; ++r) counters.push_back(fresh_counters(10.0 + r));
  std::uint32_t round = 0;
  const auto scrape = [&](double ms) {
    for (std::uint16_t r = 0; r < 3; ++r) {
      bench::ReplicaScrape s;
      s.replica = r;
      s.round = round;
      s.sent = core::from_ms(ms);
      s.answered = core::from_ms(ms + 2);
      s.ok = true;
      s.values = counters[r];
      made.run.scrapes.push_back(s);
    }
    ++round;
  };
  scrape(0);
  for (std::size_t i = 0; i < n; ++i) {
    auto& r = made.run.records[i];
    const double start = 10 + 100.0 * static_cast<double>(i);
    r.due = r.dispatched = r.sent = core::from_ms(start);
    r.first_byte = r.first_token = core::from_ms(start + 20);
    r.last_token = r.done = core::from_ms(start + 60);
    count_finish(counters[static_cast<std::size_t>(made.truth[i])], r.prompt_tokens, r.output_tokens, r.max_tokens);
    scrape(start + 65);
  }
  auto scenario = closed_scenario(1);
  scenario.serial_probe = true;
  made.run.manifest.scenario_json = scenarios::to_json(scenario);
  return made;
}

TEST(AttributionExact, SerialProbingIsExact) {
  const auto made = serial_run(12);
  const auto facts = facts_of(made.run);
  const auto result = attribute_run(made.run, facts);
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(result.of_record[i].replica, made.truth[i]);
    EXPECT_EQ(result.of_record[i].method, "serial");
  }
  const auto row = attribution_row({&made.run}, {&facts}, {&result});
  EXPECT_EQ(row.verdict, "exact");
  EXPECT_EQ(row.methods.at("serial"), 12u);
  EXPECT_EQ(row.wrong, 0u);
  EXPECT_EQ(row.compared, 12u);
  EXPECT_DOUBLE_EQ(*row.foreign_ratio.value, 0);
}

TEST(AttributionExact, ASerialProbeWithAForeignFinishIsAmbiguous) {
  auto made = serial_run(12);
  for (auto& s : made.run.scrapes) {
    if (s.round >= 5 && s.replica == (made.truth[4] + 1) % 3) count_finish(s.values, 512, 50, 50);
  }
  const auto result = attribute_run(made.run, facts_of(made.run));
  EXPECT_EQ(result.of_record[4].replica, -1);
  EXPECT_EQ(result.of_record[4].reason, "foreign");
  EXPECT_EQ(result.of_record[5].replica, made.truth[5]);
}

TEST(AttributionExact, ASerialProbeThatNobodyCountedWithdrawsAllClaims) {
  auto made = serial_run(6);
  made.run.manifest.replicas.pop_back();
  std::erase_if(made.run.scrapes, [](const bench::ReplicaScrape& s) { return s.replica == 2; });
  const auto facts = facts_of(made.run);
  const auto result = attribute_run(made.run, facts);
  const auto row = attribution_row({&made.run}, {&facts}, {&result});
  ASSERT_TRUE(std::count(made.truth.begin(), made.truth.end(), 2) > 0);
  EXPECT_EQ(row.attributed, 0u);
  EXPECT_EQ(row.verdict, "none");
  EXPECT_NE(row.reason.find("missing from the list"), std::string::npos);
}

TEST(AttributionExact, HeadersAreComparedOneToOneAndNeverFedIn) {
  auto made = serial_run(12);
  const auto before = attribute_run(made.run, facts_of(made.run));
  for (auto& r : made.run.records) r.observed_replica = static_cast<std::uint16_t>((r.observed_replica + r.index) % 3);
  const auto facts = facts_of(made.run);
  const auto after = attribute_run(made.run, facts);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(before.of_record[i].replica, after.of_record[i].replica);
  EXPECT_GT(compare_with_headers({&made.run}, {&after}).wrong, 3u);
  for (auto& r : made.run.records) r.observed_replica = 0;
  const auto row = attribution_row({&made.run}, {&facts}, {&after});
  EXPECT_FALSE(row.wrong.has_value());
  EXPECT_NE(row.reason.find("one name"), std::string::npos);
}

}  // namespace
