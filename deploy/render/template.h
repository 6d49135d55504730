// Text templates: substitution and sections, no more. Used by the bundles and the runbook.
//   @key@                     replaced by the value; a value of several lines takes the column of its placeholder
//   #@if flag / #@if !flag    the lines up to #@end stay when the flag is (not) set; sections nest
// In YAML, a scalar that holds a value is quoted where it would not read back as that string: `name: @name@` with `on`.
// It knows no loops and no expressions: what repeats is built as a value.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace deploy {

/// A template that is compiled in, by its path below templates/.
struct TemplateFile {
  std::string_view path, text;
};
[[nodiscard]] std::span<const TemplateFile> template_files();
/// Empty when there is none of that path.
[[nodiscard]] std::string_view template_text(std::string_view path);

struct TemplateInput {
  std::map<std::string, std::string, std::less<>> values;
  std::set<std::string, std::less<>> flags;
  std::set<std::string, std::less<>> raw;   ///< keys whose values are YAML as they stand: numbers, blocks of lines
};

/// What a template is: in text, values are put in as they are.
enum class Syntax : std::uint8_t { kText, kYaml };

/// The text with everything replaced. kInternal for a key that has no value, or sections that do not pair.
[[nodiscard]] core::Result<std::string> expand(std::string_view text, const TemplateInput& input, std::string_view name, Syntax syntax = Syntax::kText);

}  // namespace deploy
