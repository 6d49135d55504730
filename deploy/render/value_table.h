// The table behind values.h. Private to deploy/render.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "deploy/render/values.h"

namespace deploy {

enum class ValueKind : std::uint8_t { kName, kSubdomain, kHost, kProject, kText, kModel, kInteger, kNumber, kFlag, kChoice, kImage, kCpu, kMemory, kTopology, kSchedule, kUrl };

/// Variants that have a key, as a set of bits.
inline constexpr unsigned kGkeOnly = 1, kKserveOnly = 2, kPlainOnly = 4, kAllVariants = 7;

struct ValueSpec {
  std::string_view path;                          ///< "node_pool.max_nodes"
  ValueKind kind = ValueKind::kText;
  std::string_view note = {};                     ///< comment in the file
  std::string_view constant = {};                 ///< the default, unless `initial` is there
  std::string (*initial)(const BundleKey&) = nullptr;
  double least = 0, most = 0;                     ///< of numbers
  std::string_view choices = {};                  ///< "a|b|c"
  bool may_be_empty = false;
  unsigned variants = kAllVariants;
};

[[nodiscard]] std::span<const ValueSpec> value_specs();
[[nodiscard]] const ValueSpec* find_spec(std::string_view path);
[[nodiscard]] bool applies(const ValueSpec& spec, Variant variant);
[[nodiscard]] std::string default_of(const ValueSpec& spec, const BundleKey& key);
/// Port of http://host:port/path, the scheme's own where none is stated; none: not of that form.
[[nodiscard]] std::optional<std::int64_t> port_of_url(std::string_view url);
/// What is wrong with a scalar as a value of this kind; empty: nothing.
[[nodiscard]] std::string fault_of(const ValueSpec& spec, const Node& node);

}  // namespace deploy
