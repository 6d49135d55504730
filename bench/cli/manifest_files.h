// Files that the deploy verbs read: named ones, folders of them, or standard input.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "deploy/bundle.h"

namespace bench::cli {

/// Each path: a file, a folder (its *.yaml, *.yml, *.json and *.gotmpl files, subfolders included, by name), or "-".
/// kInvalid with every path that cannot be read, or when a folder holds no manifest.
core::Result<std::vector<deploy::SourceFile>> read_manifest_files(const std::vector<std::string>& paths);

}  // namespace bench::cli
