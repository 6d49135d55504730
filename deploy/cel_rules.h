// Private to deploy/: lint.cc joins the groups.
#pragma once

#include <span>

#include "deploy/lint.h"

namespace deploy {

[[nodiscard]] std::span<const Rule> cel_rules();  ///< L03

}  // namespace deploy
