// Our own compact schemas, as texts. Private to deploy/: schema_set.cc reads them once.
#pragma once

#include <span>
#include <string_view>

namespace deploy {

/// Documents in the form of CustomResourceDefinitions, for built-in kinds too; `x-ref` names a definition. They hold field
/// names, required fields, types and enums that matter; what they leave open is not judged.
[[nodiscard]] std::span<const std::string_view> builtin_schemas();

/// Parts of them.
[[nodiscard]] std::string_view inference_schemas();
[[nodiscard]] std::string_view gateway_schemas();

}  // namespace deploy
