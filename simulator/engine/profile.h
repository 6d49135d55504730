// Profile: the constants of one simulated server kind, each with its value, where it comes from and how far to trust it.
// Loaded by the replica's composition roots and by virtual runs. Bundled profiles are JSON text in profiles.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "simulator/engine/config.h"

namespace simulator {

/// One constant's provenance. `tag` is "measured", "fitted", "derived" or "assumed".
struct ProfileConstant {
  std::string name, tag, provenance;
  double value = 0;
};

struct Profile {
  std::string name;
  std::string model;
  EngineConfig engine;
  StepConstants step;
  /// Time between the arrival of a request and the engine's queue (API server, gateway); requests do not wait for
  /// each other in it.
  core::Duration fixed{};
  std::vector<ProfileConstant> constants;      ///< as in the file, overrides included
  std::vector<std::string> not_identified;     ///< what the calibration data cannot tell, in sentences
};

inline constexpr std::string_view kDefaultProfile = "tpu-v6e-4/qwen2.5-3b";

/// Names of the bundled profiles.
[[nodiscard]] std::vector<std::string_view> profile_names();
/// The bundled profile's JSON text, or kInvalid with the nearest name.
core::Result<std::string_view> profile_text(std::string_view name);

/// Reads a profile's JSON: every constant present once, none unknown. All errors in one message.
core::Result<Profile> parse_profile(std::string_view json);
/// A bundled profile.
core::Result<Profile> load_profile(std::string_view name);

/// Sets one constant by its name in the file ("base_us", "num_gpu_blocks", …), tagged "override".
core::Status override_constant(Profile& profile, std::string_view name, double value);
/// The same from flag text "name=value".
core::Status override_constant(Profile& profile, std::string_view assignment);

}  // namespace simulator
