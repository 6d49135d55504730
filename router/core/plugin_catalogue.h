// The endpoint picker's plugin types: those this router runs, and those it only recognises.
// Read by the configuration loader alone; a table, no behaviour.
// A type must never be listed as supported unless its effect on routing is implemented or provably none.
#pragma once

#include <span>
#include <string_view>

#include "router/core/config.h"

namespace router {

enum class PluginRole { kScorer, kPicker, kFilter, kProfileHandler, kPrefixProducer, kProducer, kMetricsSource, kExtractor };

struct PluginType {
  std::string_view name;
  PluginRole role = PluginRole::kScorer;
  ScorerKind scorer = ScorerKind::kQueue;
  PickerKind picker = PickerKind::kMaxScore;
};

/// The entry of a supported type, or null.
[[nodiscard]] const PluginType* find_plugin_type(std::string_view name);
/// True for a type that the real endpoint picker has and this router has not.
[[nodiscard]] bool known_elsewhere(std::string_view name);
/// Every name of both kinds, for did-you-mean.
[[nodiscard]] std::span<const std::string_view> plugin_type_names();

[[nodiscard]] std::string_view describe(PluginRole role);

}  // namespace router
