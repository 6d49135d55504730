#include "simulator/engine/profile.h"

#include <gtest/gtest.h>

#include <array>

#include "simulator/engine/virtual_closed_loop.h"

namespace simulator {
namespace {

Profile default_profile() {
  auto profile = load_profile(kDefaultProfile);
  EXPECT_TRUE(profile.has_value()) << (profile ? "" : profile.error().message);
  return profile ? *profile : Profile{};
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Profile, DefaultCarriesEveryConstantWithItsSource) {
  const Profile profile = default_profile();
  EXPECT_EQ(profile.name, kDefaultProfile);
  EXPECT_EQ(profile.model, "Qwen/Qwen2.5-3B-Instruct");
  EXPECT_EQ(profile.constants.size(), 15u);
  for (const auto& constant : profile.constants) EXPECT_GT(constant.provenance.size(), 20u) << constant.name;
  EXPECT_GE(profile.not_identified.size(), 5u);
  EXPECT_EQ(profile.engine.block_size_tokens, 128u);
  EXPECT_EQ(profile.engine.max_model_len, 2048u);
  EXPECT_TRUE(profile.engine.enable_prefix_caching);
  EXPECT_TRUE(profile.step.pad_to_token_bucket);
  EXPECT_EQ(profile.step.base_us, 2000);
  EXPECT_EQ(profile.fixed, core::from_ms(120));
}

TEST(Profile, UnknownNameNamesTheNearest) {
  const auto profile = load_profile("tpu-v6e-4/qwen2.5-3");
  ASSERT_FALSE(profile.has_value());
  EXPECT_NE(profile.error().hint.find(kDefaultProfile), std::string::npos);
}

TEST(Profile, AllErrorsAtOnce) {
  std::string text(*profile_text(kDefaultProfile));
  text = replaced(text, "\"base_us\"", "\"base_su\"");
  text = replaced(text, "\"value\": 0.02", "\"value\": 7");
  text = replaced(text, "\"tag\": \"assumed\"", "\"tag\": \"guessed\"");
  text = replaced(text, "\"not_identified\"", "\"unknown_key\"");
  const auto profile = parse_profile(text);
  ASSERT_FALSE(profile.has_value());
  const std::string& message = profile.error().message;
  EXPECT_NE(message.find("did you mean \"base_us\""), std::string::npos) << message;
  EXPECT_NE(message.find("/constants/base_us: missing"), std::string::npos) << message;
  EXPECT_NE(message.find("noise_fraction = 7.0 is not a number in 0.0 … 1.0"), std::string::npos) << message;
  EXPECT_NE(message.find("tag must be"), std::string::npos) << message;
  EXPECT_NE(message.find("/unknown_key"), std::string::npos) << message;
}

TEST(Profile, HostileTextIsRefused) {
  for (const std::string_view text : {"", "[", "[]", "7", "{}", "{\"constants\":{\"base_us\":3}}", "null"}) {
    EXPECT_FALSE(parse_profile(text).has_value()) << text;
  }
}

TEST(Profile, Overrides) {
  Profile profile = default_profile();
  EXPECT_TRUE(override_constant(profile, "base_us=2500").has_value());
  EXPECT_EQ(profile.step.base_us, 2500);
  EXPECT_TRUE(override_constant(profile, "max_num_seqs", 8).has_value());
  EXPECT_EQ(profile.engine.max_num_seqs, 8u);
  bool tagged = false;
  for (const auto& constant : profile.constants) tagged = tagged || (constant.name == "base_us" && constant.tag == "override");
  EXPECT_TRUE(tagged);
  EXPECT_FALSE(override_constant(profile, "base_us").has_value());
  EXPECT_FALSE(override_constant(profile, "base_us=").has_value());
  EXPECT_FALSE(override_constant(profile, "bas_us=1").has_value());
  EXPECT_FALSE(override_constant(profile, "max_num_seqs=1.5").has_value());
  EXPECT_FALSE(override_constant(profile, "base_us=-1").has_value());
  EXPECT_FALSE(override_constant(profile, "base_us=nan").has_value());
}

// The measured pairs of the calibration source: one replica, 50 output tokens, mean latency by concurrency.
TEST(Calibration, MeanLatenciesWithin5Percent) {
  const Profile profile = default_profile();
  constexpr std::array<std::pair<std::uint32_t, double>, 4> kMeasured = {{{1, .477}, {5, .508}, {10, .498}, {20, .554}}};
  for (const auto& [concurrency, seconds] : kMeasured) {
    ClosedLoop loop;
    loop.concurrency = concurrency;
    loop.requests = 60 * concurrency;
    loop.network = core::from_ms(250);
    const auto result = run_closed_loop(profile, loop);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_NEAR(result->mean_latency_s / seconds, 1.0, 0.05) << "c = " << concurrency;
  }
}

TEST(Calibration, ThreeReplicasGiveThreeTimesOnlyWhenSaturated) {
  const Profile profile = default_profile();
  const auto rate = [&](std::uint32_t replicas, std::uint32_t concurrency, std::uint32_t prompt, std::uint32_t output) {
    ClosedLoop loop;
    loop.replicas = replicas;
    loop.concurrency = concurrency;
    loop.requests = 30 * concurrency;
    loop.warm_up_requests = 5 * concurrency;
    loop.prompt_tokens = prompt;
    loop.output_tokens = output;
    const auto result = run_closed_loop(profile, loop);
    EXPECT_TRUE(result.has_value());
    return result ? result->requests_per_s : 0.0;
  };
  const double one = rate(1, 96, 1600, 16);
  EXPECT_NEAR(one, 96, 4);
  EXPECT_GT(rate(3, 96, 1600, 16) / one, 2.8);
  EXPECT_NEAR(rate(3, 288, 1600, 16) / one, 3.0, 0.02);
  EXPECT_LT(rate(3, 15, 30, 50) / rate(1, 15, 30, 50), 1.5);
}

TEST(VirtualClosedLoop, SameSeedSameDigestAndOnlyThen) {
  const Profile profile = default_profile();
  ClosedLoop loop;
  loop.replicas = 3;
  loop.concurrency = 12;
  loop.requests = 120;
  loop.prompt_tokens = 700;
  loop.shared_prefix_tokens = 400;
  const auto first = run_closed_loop(profile, loop);
  const auto second = run_closed_loop(profile, loop);
  loop.seed = 2;
  const auto other = run_closed_loop(profile, loop);
  ASSERT_TRUE(first && second && other);
  EXPECT_EQ(first->digest, second->digest);
  EXPECT_NE(first->digest, other->digest);
  // 120 prompts of 700 tokens; three pages of the 400 shared tokens hit, except once per replica.
  std::uint64_t prompts = 0, cached = 0, finished = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    prompts += first->prompt_tokens[i];
    cached += first->cached_tokens[i];
    finished += first->finished[i];
  }
  EXPECT_EQ(finished, 120u);
  EXPECT_EQ(prompts, 120u * 700u);
  EXPECT_EQ(cached, 117u * 384u);
}

TEST(VirtualClosedLoop, BadLoopsAreRefused) {
  const Profile profile = default_profile();
  ClosedLoop loop;
  loop.concurrency = 0;
  EXPECT_FALSE(run_closed_loop(profile, loop).has_value());
  loop = {};
  loop.warm_up_requests = loop.requests;
  EXPECT_FALSE(run_closed_loop(profile, loop).has_value());
  loop = {};
  loop.prompt_tokens = 5000;
  EXPECT_FALSE(run_closed_loop(profile, loop).has_value());
}

// One client at a time with deterministic service is no queue; c clients on one slot are: Little's law ties the three.
TEST(VirtualClosedLoop, LittlesLawHolds) {
  Profile profile = default_profile();
  ASSERT_TRUE(override_constant(profile, "max_num_seqs", 4).has_value());
  ClosedLoop loop;
  loop.concurrency = 16;
  loop.requests = 1600;
  loop.warm_up_requests = 160;
  const auto result = run_closed_loop(profile, loop);
  ASSERT_TRUE(result.has_value());
  EXPECT_NEAR(result->requests_per_s * result->mean_latency_s, 16.0, 0.2);
}

}  // namespace
}  // namespace simulator
