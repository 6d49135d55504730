// See template.h.
#include "deploy/render/template.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <vector>

#include "core/text.h"

namespace deploy {
namespace {

core::Error broken(std::string_view name, std::size_t line, const std::string& what) {
  return core::fail(core::ErrorCode::kInternal, "template " + std::string(name) + ":" + std::to_string(line) + ": " + what);
}

bool key_char(char c) { return std::islower(static_cast<unsigned char>(c)) != 0 || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; }

/// The key between two @ at `at`; none: an @ that stands for itself.
std::optional<std::string_view> key_at(std::string_view line, std::size_t at) {
  std::size_t end = at + 1;
  while (end < line.size() && key_char(line[end])) ++end;
  if (end == at + 1 || end >= line.size() || line[end] != '@') return std::nullopt;
  return line.substr(at + 1, end - at - 1);
}

std::string indented(const std::string& value, std::size_t column) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    out.push_back(value[i]);
    if (value[i] == '\n' && i + 1 < value.size() && value[i + 1] != '\n') out.append(column, ' ');
  }
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

core::Result<std::string> replaced(std::string_view line, const TemplateInput& input, std::string_view name, std::size_t number) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto key = line[i] == '@' ? key_at(line, i) : std::nullopt;
    if (!key) {
      out.push_back(line[i]);
      continue;
    }
    const auto value = input.values.find(*key);
    if (value == input.values.end()) return broken(name, number, "no value for @" + std::string(*key) + "@");
    out += indented(value->second, line.find_first_not_of(' '));
    i += key->size() + 1;
  }
  return out;
}

}  // namespace

std::string_view template_text(std::string_view path) {
  const auto files = template_files();
  const auto at = std::find_if(files.begin(), files.end(), [&](const TemplateFile& f) { return f.path == path; });
  return at == files.end() ? std::string_view() : at->text;
}

core::Result<std::string> expand(std::string_view text, const TemplateInput& input, std::string_view name) {
  std::string out;
  std::vector<bool> open;
  std::size_t number = 0;
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  for (const auto line : core::split(text, '\n')) {
    ++number;
    if (line.rfind("#@if ", 0) == 0) {
      std::string_view flag = core::trim(line.substr(5));
      const bool negated = !flag.empty() && flag.front() == '!';
      if (negated) flag.remove_prefix(1);
      open.push_back((input.flags.count(flag) != 0) != negated);
      continue;
    }
    if (core::trim(line) == "#@end") {
      if (open.empty()) return broken(name, number, "#@end without #@if");
      open.pop_back();
      continue;
    }
    if (std::find(open.begin(), open.end(), false) != open.end()) continue;
    auto done = replaced(line, input, name, number);
    if (!done) return done.error();
    out += *done + "\n";
  }
  if (!open.empty()) return broken(name, number, "#@if without #@end");
  return out;
}

}  // namespace deploy
