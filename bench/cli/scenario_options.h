// Options that name a scenario and change its load: the same for every verb that plans one.
#pragma once

#include <string>
#include <vector>

#include "bench/cli/option_table.h"
#include "core/result.h"
#include "scenarios/scenario.h"

namespace bench::cli {

class ScenarioOptions {
 public:
  void declare(OptionTable& options);
  /// The scenario with the overrides applied. kInvalid with all that is wrong.
  core::Result<scenarios::Scenario> resolve();
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

 private:
  std::string scenario_;
  std::uint64_t seed_ = 1;
  bool ignore_eos_ = false;
  scenarios::Overrides overrides_;
};

}  // namespace bench::cli
