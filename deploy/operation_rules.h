// Rules on files that are text rather than objects: helmfiles, scripts, literal secrets. Private to deploy/.
#pragma once

#include <span>

#include "deploy/lint.h"

namespace deploy {

[[nodiscard]] std::span<const Rule> text_rules();  ///< L56, L60, L61, L68

}  // namespace deploy
