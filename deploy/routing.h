// References between routes, pools and pickers. Private to deploy/.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "deploy/bundle.h"
#include "deploy/lint.h"

namespace deploy {

/// A route's backendRef to an InferencePool.
struct BackendRef {
  const Object* route = nullptr;
  const Node* node = nullptr;
  std::string group, kind, name, name_space;  ///< name_space: the route's where not written
  Position at;
};
[[nodiscard]] std::vector<BackendRef> pool_refs(const Bundle& bundle);

/// endpointPickerRef (v1) or extensionRef (v1alpha2).
struct PickerRef {
  std::string name;                    ///< empty: none
  std::optional<std::int64_t> port;
  Position at;
};
[[nodiscard]] PickerRef picker_ref(const Object& pool);
/// matchLabels (v1) or the flat map (v1alpha2).
[[nodiscard]] Labels pool_selector(const Object& pool);
[[nodiscard]] const Node& pool_selector_node(const Object& pool);
[[nodiscard]] std::vector<std::int64_t> pool_ports(const Object& pool);
/// Pods of its namespace that a pool selects.
[[nodiscard]] std::vector<const PodSet*> pods_of_pool(const Bundle& bundle, const Object& pool);

[[nodiscard]] std::span<const Rule> pool_rules();  ///< L33 to L37

}  // namespace deploy
