#include "simulator/engine/step_model.h"

#include <gtest/gtest.h>

namespace simulator {
namespace {

TEST(StepModel, KnownSums) {
  StepConstants constants;
  constants.base_us = 2000;
  constants.per_token_us = 4;
  constants.per_decode_us = 70;
  constants.per_context_token_us = 0.5;
  core::Rng rng(1);
  EXPECT_EQ(step_time(constants, {100, 3, 1000}, rng), core::from_seconds((2000 + 4 * 103 + 210 + 500) * 1e-6));
  constants.pad_to_token_bucket = true;
  EXPECT_EQ(step_time(constants, {100, 3, 1000}, rng), core::from_seconds((2000 + 4 * 128 + 210 + 500) * 1e-6));
  EXPECT_EQ(padded_tokens(constants, 1), 16u);
  EXPECT_EQ(padded_tokens(constants, 16), 16u);
  EXPECT_EQ(padded_tokens(constants, 17), 32u);
  EXPECT_EQ(step_time({0, 0, 0, 0, 0, false, 16}, {}, rng), core::Duration{1000});
}

TEST(StepModel, NoiseHasItsMeanAndItsBounds) {
  StepConstants constants;
  constants.base_us = 1000;
  constants.noise_fraction = 0.1;
  core::Rng rng(3);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) sum += core::to_seconds(step_time(constants, {}, rng));
  EXPECT_NEAR(sum / 10000, 1e-3, 5e-6);
  constants.noise_fraction = 1.0;
  for (int i = 0; i < 10000; ++i) {
    const double t = core::to_seconds(step_time(constants, {}, rng));
    ASSERT_GE(t, 0.5e-3 - 1e-9);
    ASSERT_LE(t, 2e-3 + 1e-9);
  }
}

}  // namespace
}  // namespace simulator
