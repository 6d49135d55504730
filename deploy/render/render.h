// A bundle: all files of a deployment, made from values. Called by `gatebench deploy render`, `list`, and tests.
// Pure and deterministic: equal values give equal bytes. Files are written by the command line.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "deploy/bundle.h"
#include "deploy/render/template.h"
#include "deploy/render/values.h"

namespace deploy {

/// All files, by path. kInternal only: the values have been checked.
[[nodiscard]] core::Result<std::vector<SourceFile>> render_bundle(const BundleValues& values);

/// Operations on a bundle as Markdown: commands, expected times, costs with their arithmetic. Nothing is executed.
[[nodiscard]] core::Result<std::string> render_runbook(const BundleValues& values);

/// One line of `gatebench deploy list`.
struct BundleLine {
  BundleKey key;
  std::string about;
};
[[nodiscard]] std::vector<BundleLine> bundle_lines();

/// What the templates may refer to. For the tests of templates.
[[nodiscard]] core::Result<TemplateInput> template_input(const BundleValues& values);

}  // namespace deploy
