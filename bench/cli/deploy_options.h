// The options that `deploy render` and `deploy runbook` share: which bundle, and its values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/cli/option_table.h"
#include "core/result.h"
#include "deploy/render/values.h"

namespace bench::cli {

class DeployOptions {
 public:
  void declare(OptionTable& options);
  /// Reads the values file, if one is named. kInvalid holds all errors of options or file.
  [[nodiscard]] core::Result<deploy::BundleValues> resolve() const;
  /// The values file's path; empty: none, or standard input.
  [[nodiscard]] std::string values_file() const { return file_ == "-" ? std::string() : file_; }

 private:
  std::optional<std::uint32_t> pattern_;
  std::string variant_, pin_, file_;
};

}  // namespace bench::cli
