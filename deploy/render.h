// Renders the bundle of a pattern from its values: files as texts, the same for the same values. Called by
// `gatebench deploy render`; it writes nothing itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "deploy/values.h"

namespace deploy {

struct RenderedFile {
  std::string name, text;
};

/// Sorted by name. kUnsupported for a variant that cannot be rendered yet.
[[nodiscard]] core::Result<std::vector<RenderedFile>> render(const DeployValues& values);

/// `${key}` replaced by its value in a template; a key that is not known stays, which the tests refuse.
[[nodiscard]] std::string fill_in(std::string_view text, const std::vector<std::pair<std::string, std::string>>& values);

}  // namespace deploy
