// EndpointPickerConfigs inside a bundle: in ConfigMaps, in arguments, in the charts' values, inline in an LLMInferenceService,
// as files of their own. Private to deploy/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deploy/bundle.h"

namespace deploy {

/// What an image tag says of the picker that is in it.
struct PickerImage {
  enum class Origin { kUnknown, kInferenceExtension, kLlmD };
  Origin origin = Origin::kUnknown;
  int major = 0, minor = 0;         ///< of "v1.3.0"; 0, 0: not said
  [[nodiscard]] bool older_than(int a, int b) const { return (major > 0 || minor > 0) && std::pair(major, minor) < std::pair(a, b); }
};
[[nodiscard]] PickerImage picker_image(std::string_view image);
[[nodiscard]] PickerImage picker_image(const PodSet& pods);

struct PickerConfigText {
  const Document* document = nullptr;   ///< where it is written
  const Object* object = nullptr;   ///< the same as an object; null: helm values
  PickerImage image;                ///< of the picker that reads it, where that is known
  std::string key;                  ///< the file's name in a ConfigMap or in values; empty elsewhere
  std::string text;
  Position at;                      ///< of the text's first line less one
  bool lines_known = false;         ///< line n of the text is line at.line + n of the file
};
[[nodiscard]] std::vector<PickerConfigText> picker_configs(const Bundle& bundle);

/// --ha-enable-leader-election, unless it says false.
[[nodiscard]] bool elects_leader(const Node& pod_spec);

/// The file that a picker's container is told to read (--config-file), without its folder; empty: none is named.
[[nodiscard]] std::string config_file_of(const Node& pod_spec);

/// A node as JSON, which every YAML reader takes.
[[nodiscard]] std::string to_json_text(const Node& node);

}  // namespace deploy
