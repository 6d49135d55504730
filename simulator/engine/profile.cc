// Reads profiles. The table of constants below is the one place that ties a name in the file to a field.
#include "simulator/engine/profile.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace simulator {
namespace {

using nlohmann::json;

/// How one constant is stored, and what it may be.
struct Binding {
  std::string_view name;
  double least, most;
  bool whole;
  void (*set)(Profile&, double);
};

std::uint32_t whole(double value) { return static_cast<std::uint32_t>(value); }

constexpr double kMostCount = 1e8, kMostUs = 1e8;

constexpr std::array kBindings = {
    Binding{"fixed_ms", 0, 1e6, false, [](Profile& p, double v) { p.fixed = core::from_ms(v); }},
    Binding{"base_us", 0, kMostUs, false, [](Profile& p, double v) { p.step.base_us = v; }},
    Binding{"per_decode_us", 0, kMostUs, false, [](Profile& p, double v) { p.step.per_decode_us = v; }},
    Binding{"per_token_us", 0, kMostUs, false, [](Profile& p, double v) { p.step.per_token_us = v; }},
    Binding{"per_context_token_us", 0, kMostUs, false, [](Profile& p, double v) { p.step.per_context_token_us = v; }},
    Binding{"noise_fraction", 0, 1, false, [](Profile& p, double v) { p.step.noise_fraction = v; }},
    Binding{"pad_to_token_bucket", 0, 1, true, [](Profile& p, double v) { p.step.pad_to_token_bucket = v != 0; }},
    Binding{"min_token_bucket", 1, kMostCount, true, [](Profile& p, double v) { p.step.min_token_bucket = whole(v); }},
    Binding{"max_num_batched_tokens", 1, kMostCount, true,
            [](Profile& p, double v) { p.engine.max_num_batched_tokens = whole(v); }},
    Binding{"max_num_seqs", 1, 1e6, true, [](Profile& p, double v) { p.engine.max_num_seqs = whole(v); }},
    Binding{"max_model_len", 2, kMostCount, true, [](Profile& p, double v) { p.engine.max_model_len = whole(v); }},
    Binding{"block_size_tokens", 1, kMostCount, true,
            [](Profile& p, double v) { p.engine.block_size_tokens = whole(v); }},
    Binding{"num_gpu_blocks", 2, 67108864, true, [](Profile& p, double v) { p.engine.num_gpu_blocks = whole(v); }},
    Binding{"enable_prefix_caching", 0, 1, true,
            [](Profile& p, double v) { p.engine.enable_prefix_caching = v != 0; }},
    Binding{"eos_probability", 0, 1, false, [](Profile& p, double v) { p.engine.eos_probability = v; }},
};

const Binding* find_binding(std::string_view name) {
  for (const auto& binding : kBindings) {
    if (binding.name == name) return &binding;
  }
  return nullptr;
}

std::string unknown_constant(std::string_view name) {
  std::array<std::string_view, kBindings.size()> names{};
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kBindings[i].name;
  const auto nearest = core::did_you_mean(name, names);
  return "\"" + std::string(name) + "\" is no constant of a profile" +
         (nearest ? " (did you mean \"" + *nearest + "\"?)" : std::string());
}

/// Empty when the value was set.
std::string set_checked(Profile& profile, const Binding& binding, double value) {
  if (!(value >= binding.least && value <= binding.most) || (binding.whole && std::trunc(value) != value)) {
    return std::string(binding.name) + " = " + json(value).dump() + " is not " +
           (binding.whole ? "a whole number" : "a number") + " in " + json(binding.least).dump() + " … " +
           json(binding.most).dump();
  }
  binding.set(profile, value);
  return {};
}

bool known_tag(std::string_view tag) {
  return tag == "measured" || tag == "fitted" || tag == "derived" || tag == "assumed";
}

void read_constant(const std::string& name, const json& entry, Profile& profile, std::vector<std::string>& errors) {
  const std::string path = "/constants/" + name + ": ";
  const Binding* binding = find_binding(name);
  if (binding == nullptr) {
    errors.push_back(path + unknown_constant(name));
    return;
  }
  if (!entry.is_object() || !entry.contains("value") || !entry["value"].is_number() || !entry.contains("tag") ||
      !entry["tag"].is_string() || !entry.contains("provenance") || !entry["provenance"].is_string()) {
    errors.push_back(path + "needs a number \"value\" and texts \"tag\" and \"provenance\"");
    return;
  }
  const double value = entry["value"].get<double>();
  ProfileConstant constant{name, entry["tag"].get<std::string>(), entry["provenance"].get<std::string>(), value};
  if (!known_tag(constant.tag)) errors.push_back(path + "tag must be measured, fitted, derived or assumed");
  if (auto error = set_checked(profile, *binding, value); !error.empty()) errors.push_back(path + error);
  profile.constants.push_back(std::move(constant));
}

void read_texts(const json& root, Profile& profile, std::vector<std::string>& errors) {
  for (const auto& [key, value] : root.items()) {
    if (key == "name" && value.is_string()) {
      profile.name = value.get<std::string>();
    } else if (key == "model" && value.is_string()) {
      profile.model = value.get<std::string>();
    } else if (key == "not_identified" && value.is_array()) {
      for (const auto& line : value) {
        if (line.is_string()) profile.not_identified.push_back(line.get<std::string>());
      }
    } else if (key != "constants") {
      errors.push_back("/" + key + ": unknown, or not of its type (name, model: texts; not_identified: list of texts)");
    }
  }
  if (profile.name.empty()) errors.emplace_back("/name: missing");
  if (profile.model.empty()) errors.emplace_back("/model: missing");
}

}  // namespace

core::Result<Profile> parse_profile(std::string_view text) {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object()) {
    return core::fail(core::ErrorCode::kInvalid, "profile: not a JSON object", "see the bundled profile for the form");
  }
  Profile profile;
  std::vector<std::string> errors;
  read_texts(root, profile, errors);
  if (root.contains("constants") && root["constants"].is_object()) {
    for (const auto& [name, entry] : root["constants"].items()) read_constant(name, entry, profile, errors);
    for (const auto& binding : kBindings) {
      if (!root["constants"].contains(binding.name)) {
        errors.push_back("/constants/" + std::string(binding.name) + ": missing");
      }
    }
  } else {
    errors.emplace_back("/constants: missing");
  }
  if (errors.empty()) return profile;
  std::string message = "profile: ";
  for (std::size_t i = 0; i < errors.size(); ++i) message += (i == 0 ? "" : "; ") + errors[i];
  return core::fail(core::ErrorCode::kInvalid, std::move(message), "correct each of them");
}

core::Result<Profile> load_profile(std::string_view name) {
  const auto text = profile_text(name);
  if (!text) return text.error();
  return parse_profile(*text);
}

core::Status override_constant(Profile& profile, std::string_view name, double value) {
  const Binding* binding = find_binding(name);
  if (binding == nullptr) {
    return core::fail(core::ErrorCode::kInvalid, unknown_constant(name), "use a name from the profile's file");
  }
  if (auto error = set_checked(profile, *binding, value); !error.empty()) {
    return core::fail(core::ErrorCode::kInvalid, std::move(error), "give a value within these limits");
  }
  for (auto& constant : profile.constants) {
    if (constant.name != name) continue;
    constant.value = value;
    constant.tag = "override";
    constant.provenance = "set on the command line or by a caller";
  }
  return {};
}

core::Status override_constant(Profile& profile, std::string_view assignment) {
  const auto equals = assignment.find('=');
  const auto value = equals == std::string_view::npos ? std::nullopt : core::parse_number(assignment.substr(equals + 1));
  if (!value) {
    return core::fail(core::ErrorCode::kInvalid, "\"" + std::string(assignment) + "\" is not NAME=NUMBER",
                      "for example base_us=2500");
  }
  return override_constant(profile, assignment.substr(0, equals), *value);
}

}  // namespace simulator
