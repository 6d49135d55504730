// The variants' own files. Private to deploy/: render.cc picks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "deploy/render.h"

namespace deploy {

[[nodiscard]] std::vector<RenderedFile> render_plain(const DeployValues& values);
[[nodiscard]] std::vector<RenderedFile> render_kserve(const DeployValues& values);

}  // namespace deploy
