// The bundled scenarios as the build embeds them (catalog_data.cc is generated from catalog/*.json).
// Used by catalog.cc only.
#pragma once

#include <span>
#include <string_view>

namespace scenarios {

struct CatalogEntry {
  std::string_view name, json;
};

/// In alphabetical order of name.
[[nodiscard]] std::span<const CatalogEntry> catalog_entries();

}  // namespace scenarios
