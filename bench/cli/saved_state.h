// A cluster's saved state as a folder of files. Used by `gatebench deploy check --from` and `--save`.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "deploy/bundle.h"

namespace bench::cli {

/// *.json of the folder and the pages below metrics/, named relative to it. kInvalid when it holds none, or too much.
core::Result<std::vector<deploy::SourceFile>> read_saved_state(const std::string& folder);
/// Writes the files, credentials taken out of them. The folder is made when it is not there.
core::Status write_saved_state(const std::string& folder, const std::vector<deploy::SourceFile>& files);

}  // namespace bench::cli
