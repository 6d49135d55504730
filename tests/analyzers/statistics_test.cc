#include "analyzers/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "analyzers/distribution.h"
#include "analyzers/multinomial.h"

namespace {

using namespace analyzers;

TEST(Statistics, StudentQuantilesMatchTables) {
  EXPECT_NEAR(student_t_quantile(0.975, 1), 12.7062047362, 1e-8);
  EXPECT_NEAR(student_t_quantile(0.975, 2), 4.30265272991, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.975, 5), 2.57058183661, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.95, 5), 2.01504837333, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.05, 5), -2.01504837333, 1e-9);
  EXPECT_NEAR(student_t_quantile(0.975, 1000), 1.96233908082, 1e-8);
  EXPECT_EQ(student_t_quantile(0.5, 3), 0);
  EXPECT_NEAR(student_t_cdf(2.57058183661, 5), 0.975, 1e-10);
}

TEST(Statistics, IncompleteBetaInvertsItself) {
  EXPECT_NEAR(incomplete_beta(2, 3, 0.4), 0.5248, 1e-12);
  for (const double p : {1e-6, 0.025, 0.5, 0.975, 1 - 1e-6}) {
    EXPECT_NEAR(incomplete_beta(7, 0.5, inverse_incomplete_beta(7, 0.5, p)), p, 1e-9);
  }
}

TEST(Statistics, ClopperPearsonKnownAnswers) {
  const auto half = clopper_pearson(5, 10);
  EXPECT_NEAR(half.low, 0.1870860284, 1e-9);
  EXPECT_NEAR(half.high, 0.8129139716, 1e-9);
  const auto none = clopper_pearson(0, 20);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 1 - std::pow(0.025, 1.0 / 20), 1e-12);
  EXPECT_EQ(clopper_pearson(20, 20).high, 1);
  EXPECT_EQ(clopper_pearson(0, 0).high, 1);
  EXPECT_NEAR(binomial_cdf(1, 9, 0.5), 10.0 / 512, 1e-12);
}

// Ratios 2, 2, 4, 4: mean log = 1.5 ln 2, s = ln 2/sqrt 3, t(3, .975) = 3.18245.
TEST(Statistics, LogIntervalOverBlocksByHand) {
  const std::vector<double> values{2, 2, 4, 4};
  const auto e = over_blocks(values);
  EXPECT_NEAR(*e.value, std::sqrt(8.0), 1e-12);
  const double half = 3.18244630528 * std::log(2.0) / std::sqrt(3.0) / 2;
  EXPECT_NEAR(*e.low, std::sqrt(8.0) * std::exp(-half), 1e-8);
  EXPECT_NEAR(*e.high, std::sqrt(8.0) * std::exp(half), 1e-8);
  EXPECT_EQ(e.method, "log_t over 4 blocks");
  const auto zero = over_blocks(std::vector<double>{0, 1});
  EXPECT_EQ(zero.method, "t over 2 blocks");
  EXPECT_DOUBLE_EQ(*zero.value, 0.5);
  const auto one = over_blocks(std::vector<double>{7});
  EXPECT_DOUBLE_EQ(*one.value, 7);
  EXPECT_FALSE(one.low.has_value());
  EXPECT_FALSE(one.reason.empty());
  EXPECT_FALSE(over_blocks({}).value.has_value());
}

TEST(Statistics, SignFlipIsExact) {
  EXPECT_DOUBLE_EQ(*sign_flip_p(std::vector<double>{1, 2, 3, 4, 5, 6}), 2.0 / 64);
  EXPECT_DOUBLE_EQ(*sign_flip_p(std::vector<double>{1, 1, 1, 1, 1}), 2.0 / 32);
  EXPECT_DOUBLE_EQ(*sign_flip_p(std::vector<double>{1, -1}), 1.0);
  EXPECT_FALSE(sign_flip_p({}).has_value());
}

TEST(Statistics, BlocksNeededGrowWithNoise) {
  EXPECT_EQ(blocks_needed(1, 0, 0.95), 2u);
  EXPECT_EQ(blocks_needed(1, 1, 0.95), 5u);  // t(4,.95) = 2.13 <= sqrt 5 = 2.24; t(3,.95) = 2.35 > 2
  EXPECT_FALSE(blocks_needed(0.001, 1, 0.95).has_value());
  EXPECT_FALSE(blocks_needed(0, 1, 0.95).has_value());
}

TEST(Statistics, FiguresForSentences) {
  EXPECT_EQ(figure(12), "12");
  EXPECT_EQ(figure(3.14159), "3.14");
  EXPECT_EQ(figure(0.002134), "0.00213");
  EXPECT_EQ(figure(281.44), "281");
  EXPECT_EQ(figure(NAN), "unknown");
}

// Nine prompts over three replicas: 3/3/3 comes with 1680/19683 = 8.5 %, 9/0/0 with 3/19683.
TEST(Multinomial, ExactUniformityByHand) {
  EXPECT_NEAR(uniformity({3, 3, 3}).p, 1.0, 1e-9);
  EXPECT_NEAR(uniformity({9, 0, 0}).p, 3.0 / 19683, 1e-12);
  EXPECT_NEAR(uniformity({0, 8, 1}).p, (3 + 6 * 9) / 19683.0, 1e-12);
  EXPECT_EQ(uniformity({3, 3, 3}).method, "exact multinomial");
  EXPECT_EQ(compositions(20, 8, 10'000'000), 888'030u);
}

TEST(Multinomial, MonteCarloAgreesWithWhatItMustFind) {
  const auto even = uniformity({1000, 1000, 1000});
  EXPECT_EQ(even.method, "Monte Carlo, 99,999 draws");
  EXPECT_GT(even.p, 0.95);
  EXPECT_NEAR(uniformity({1200, 900, 900}).p, 1e-5, 1e-9);
  // chi-square of 1030/1000/970 is 1.8 with two degrees: p = exp(-0.9) = 0.407.
  EXPECT_NEAR(uniformity({1030, 1000, 970}).p, 0.4066, 0.01);
}

TEST(Multinomial, PowerIsComputedFromTheRejectionRegion) {
  // Level 5 % for n = 3, k = 3: 3/0/0 has p = 3/27 > 5 %, so nothing is ever rejected.
  EXPECT_DOUBLE_EQ(power_against_skew(3, 3, 0.99, 0.05), 0);
  // n = 4: 4/0/0 (three of 81) is the whole region; a router with share s on one: s^4 + 2((1-s)/2)^4.
  EXPECT_NEAR(power_against_skew(4, 3, 0.6, 0.05), std::pow(0.6, 4) + 2 * std::pow(0.2, 4), 1e-12);
  EXPECT_LE(power_against_skew(9, 3, 1.0 / 3, 0.05), 0.05 + 1e-12);
  const auto needed = items_needed(3, 0.6, 0.05, 0.8, 2000);
  ASSERT_TRUE(needed.has_value());
  EXPECT_GE(power_against_skew(*needed, 3, 0.6, 0.05), 0.8);
  EXPECT_LT(power_against_skew(*needed / 2, 3, 0.6, 0.05), 0.8);
}

TEST(Multinomial, SimulatedPowerIsNearTheExactOne) {
  // 2e5 outcomes are the border: n = 640, k = 3 is simulated, n = 600 exact; both see a skew of 0.38 about equally well.
  const double exact = power_against_skew(600, 3, 0.38, 0.05);
  const double simulated = power_against_skew(640, 3, 0.38, 0.05);
  EXPECT_NEAR(exact, simulated, 0.08);
}

TEST(Multinomial, LargestShareUnderRandomAssignment) {
  EXPECT_NEAR(expected_largest_share(20, 8), 0.25, 0.01);
  // Two items over two cells: together half of the time.
  EXPECT_NEAR(expected_largest_share(2, 2), 0.75, 1e-12);
}

TEST(Distribution, JainAndThePowerSentence) {
  EXPECT_DOUBLE_EQ(*jain_index({5, 5, 5, 5}), 1.0);
  EXPECT_DOUBLE_EQ(*jain_index({8, 0, 0, 0}), 0.25);
  EXPECT_FALSE(jain_index({0, 0}).has_value());
  const std::string text = power_sentence(9, 3);
  const std::string pass = figure(100 * (1 - power_against_skew(9, 3, 0.6, 0.05)), 2);
  EXPECT_NE(text.find("9 prompts over 3 replicas prove little"), std::string::npos) << text;
  EXPECT_NE(text.find(pass + " % of such tests"), std::string::npos) << text;
  EXPECT_NE(text.find("about " + std::to_string(*items_needed(3, 0.6, 0.05, 0.8, 2000)) + " prompts"), std::string::npos) << text;
}

}  // namespace
