// RouterMode and Policy: how the router decides. Named by every run that used it.
// Read by the pipeline, the shells and the command line.
// The formulas and weights are the same in both modes; what is fed to them differs.
#pragma once

#include <optional>
#include <string_view>

namespace router {

enum class RouterMode {
  kEpp,      ///< the endpoint picker's own behaviour: what the cluster will do
  kImproved  ///< counts picks no scrape has seen, contiguous match, tail-first eviction, age-aware, rotation among ties
};

enum class Policy {
  kConfig,     ///< the EndpointPickerConfig's scorers and picker
  kRandom,     ///< baseline: uniform
  kRoundRobin  ///< baseline: one after the other
};

[[nodiscard]] constexpr std::string_view name_of(RouterMode mode) {
  return mode == RouterMode::kEpp ? "epp" : "improved";
}
[[nodiscard]] constexpr std::string_view name_of(Policy policy) {
  switch (policy) {
    case Policy::kConfig: return "config";
    case Policy::kRandom: return "random";
    case Policy::kRoundRobin: return "round-robin";
  }
  return "config";
}
[[nodiscard]] constexpr std::optional<RouterMode> router_mode_of(std::string_view name) {
  if (name == "epp") return RouterMode::kEpp;
  if (name == "improved") return RouterMode::kImproved;
  return std::nullopt;
}
[[nodiscard]] constexpr std::optional<Policy> policy_of(std::string_view name) {
  for (const auto policy : {Policy::kConfig, Policy::kRandom, Policy::kRoundRobin}) {
    if (name == name_of(policy)) return policy;
  }
  return std::nullopt;
}

}  // namespace router
