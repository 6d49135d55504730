// Writes a rendered bundle into a folder, and knows which files there are its own: a marker lists them with their digests.
// Used by `gatebench deploy render`. Never removes or overwrites what it did not write, unless told to.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/result.h"
#include "deploy/bundle.h"

namespace bench::cli {

struct BundleWritten {
  std::size_t written = 0, unchanged = 0, removed = 0;
};

struct BundleTarget {
  std::string folder;
  bool force = false;        ///< write beside foreign files and over files changed by hand
  std::string values_file;   ///< what the bundle is made from, if a file: when it is the folder's own values.yaml it is left as it is
};

/// kInvalid when the folder holds files but no marker, or files of the bundle that were changed since (`force` overwrites
/// those, and never touches others). kIo names the path and why.
core::Result<BundleWritten> write_bundle(const std::vector<deploy::SourceFile>& files, const BundleTarget& target);

}  // namespace bench::cli
