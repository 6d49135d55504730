// Reading and writing whole files for the verbs. Writing goes to a temporary name and is renamed.
#pragma once

#include <string>
#include <string_view>

#include "analyzers/analysis.h"
#include "core/result.h"

namespace bench::cli {

/// Reads at most `max_bytes`; kInvalid names the path and why.
core::Result<std::string> read_file(const std::string& path, std::size_t max_bytes = 16u << 20);
/// Writes through PATH.tmp and a rename; kIo names the path and why.
core::Status write_file(const std::string& path, std::string_view content);
/// Creates a directory and its parents.
core::Status make_directory(const std::string& path);
/// report.html and report.json of an analysis in `directory`.
core::Status write_reports(const analyzers::Analysis& analysis, const std::string& directory);

}  // namespace bench::cli
