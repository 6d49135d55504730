// EndpointPickerConfigs inside a bundle: in ConfigMaps, in arguments, inline in an LLMInferenceService. Private to deploy/.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deploy/bundle.h"

namespace deploy {

struct PickerConfigText {
  const Object* object = nullptr;   ///< where it is written
  const PodSet* picker = nullptr;   ///< the picker that reads it; null: not known
  std::string key;                  ///< of the ConfigMap's data; empty elsewhere
  std::string text;
  Position at;                      ///< of the text's first line less one
  bool lines_known = false;         ///< line n of the text is line at.line + n of the file
};
[[nodiscard]] std::vector<PickerConfigText> picker_configs(const Bundle& bundle);

/// The file that a picker's container is told to read (--config-file), without its folder; empty: none is named.
[[nodiscard]] std::string config_file_of(const Node& pod_spec);

/// What an image tag says of the picker that is in it.
struct PickerImage {
  enum class Origin { kUnknown, kInferenceExtension, kLlmD };
  Origin origin = Origin::kUnknown;
  int major = 0, minor = 0;         ///< of "v1.3.0"; 0, 0: not said
  [[nodiscard]] bool older_than(int a, int b) const { return (major > 0 || minor > 0) && std::pair(major, minor) < std::pair(a, b); }
};
[[nodiscard]] PickerImage picker_image(std::string_view image);
[[nodiscard]] PickerImage picker_image(const PodSet& pods);

/// A node as JSON, which every YAML reader takes.
[[nodiscard]] std::string to_json_text(const Node& node);

}  // namespace deploy
