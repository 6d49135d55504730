// Lookups in the bundled scenarios. Called by the command line; it must never touch a file.
#include "scenarios/catalog.h"

#include <fmt/format.h>

#include "core/text.h"
#include "scenarios/scenario.h"

namespace scenarios {

std::vector<std::string_view> catalog_names() {
  std::vector<std::string_view> names;
  for (const CatalogEntry& entry : catalog_entries()) names.push_back(entry.name);
  return names;
}

std::optional<std::string_view> catalog_json(std::string_view name) {
  for (const CatalogEntry& entry : catalog_entries()) {
    if (entry.name == name) return entry.json;
  }
  return std::nullopt;
}

core::Result<Scenario> catalog_scenario(std::string_view name) {
  if (const auto json = catalog_json(name)) return parse_scenario(*json, fmt::format("bundled scenario {}", name));
  const auto names = catalog_names();
  const auto near = core::did_you_mean(name.substr(0, 60), names);
  return core::fail(core::ErrorCode::kInvalid, fmt::format("no bundled scenario is called \"{}\"", name.substr(0, 60)),
                    near ? fmt::format("did you mean \"{}\"?", *near) : fmt::format("there are: {}", fmt::join(names, ", ")));
}

}  // namespace scenarios
