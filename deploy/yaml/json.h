// JSON as the same trees as YAML, without places: what `kubectl get -o json` prints, in megabytes. Called by deploy/live.
// Takes hostile input and never throws.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "deploy/yaml/document.h"

namespace deploy {

/// One JSON text as a document. kInvalid with the file and where it breaks; depth and size are bounded as for YAML.
/// Of a key given twice, the last one counts, as it does for kubectl.
[[nodiscard]] core::Result<Document> parse_json_document(std::string_view text, const std::string& file, const ParseLimits& limits = {64u << 20, 8'000'000, 120});

}  // namespace deploy
