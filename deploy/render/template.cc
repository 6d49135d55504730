// See template.h.
#include "deploy/render/template.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <vector>

#include "core/text.h"
#include "deploy/render/scalar.h"

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

/// One line of a template: what is left of its placeholders, piece by piece.
class Line {
 public:
  Line(std::string_view line, const TemplateInput& input) : line_(line), input_(input), column_(std::min(line.find_first_not_of(' '), line.size())) {}

  std::string as_text() { return replaced(line_); }
  std::string as_yaml() {
    std::size_t at = column_;
    while (line_.compare(at, 2, "- ") == 0) at += 2;
    out_ = line_.substr(0, at);
    value(line_.substr(at), true);
    return out_;
  }
  /// The first placeholder without a value; empty: none.
  [[nodiscard]] const std::string& unknown() const { return unknown_; }

 private:
  std::string replaced(std::string_view part) {
    std::string out;
    for (std::size_t i = 0; i < part.size(); ++i) {
      const auto key = part[i] == '@' ? key_at(part, i) : std::nullopt;
      if (!key) {
        out.push_back(part[i]);
        continue;
      }
      const auto value = input_.values.find(*key);
      if (value != input_.values.end()) out += indented(value->second, column_);
      else if (unknown_.empty()) unknown_ = *key;
      i += key->size() + 1;
    }
    return out;
  }

  /// A scalar without quotes in the template: quoted if what comes out needs it.
  void scalar(std::string_view part, ScalarPlace place) {
    const auto whole = part.empty() || part.front() != '@' ? std::nullopt : key_at(part, 0);
    const bool raw = whole && whole->size() + 2 == part.size() && input_.raw.count(*whole) != 0;
    const std::string text = replaced(part);
    out_ += raw || text == part ? text : yaml_string(text, place);
  }

  /// What follows a dash or a key's colon. `keys`: a key may come first.
  void value(std::string_view rest, bool keys) {
    if (rest.empty() || rest.front() == '#' || rest.substr(0, 2) == "{{") {
      out_ += replaced(rest);
    } else if (rest.front() == '{' || rest.front() == '[' || rest.front() == '"' || rest.front() == '\'') {
      flow(rest);
    } else if (const auto colon = rest.find(": "); keys && colon != std::string_view::npos) {
      out_ += replaced(rest.substr(0, colon + 2));
      value(rest.substr(colon + 2), false);
    } else if (rest.back() == ':' || rest.front() == '|' || rest.front() == '>') {
      out_ += replaced(rest);
    } else {
      const auto comment = rest.find(" #");
      const auto end = comment == std::string_view::npos ? rest.size() : rest.find_last_not_of(' ', comment) + 1;
      scalar(rest.substr(0, end), ScalarPlace::kBlock);
      out_ += replaced(rest.substr(end));
    }
  }

  /// Flow collections, and anything that begins with a quote.
  void flow(std::string_view rest) {
    while (!rest.empty()) {
      std::size_t end = 0;
      if (rest.front() == '"' || rest.front() == '\'') {
        end = end_of_quoted(rest);
        out_ += replaced(rest.substr(0, end));
      } else if (std::string_view("{}[],: ").find(rest.front()) != std::string_view::npos) {
        out_.push_back(rest.front());
        end = 1;
      } else {
        end = end_of_plain(rest);
        scalar(rest.substr(0, end), ScalarPlace::kFlow);
      }
      rest.remove_prefix(end);
    }
  }
  static std::size_t end_of_quoted(std::string_view rest) {
    const char quote = rest.front();
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] != quote; ++i) {
      if (quote == '"' && rest[i] == '\\') ++i;
    }
    return std::min(i + 1, rest.size());
  }
  static std::size_t end_of_plain(std::string_view rest) {
    const auto stop = std::min(rest.find_first_of("{}[],"), rest.size());
    return std::min({stop, rest.find(": "), rest.find_last_not_of(' ', stop - 1) + 1});
  }

  std::string_view line_;
  const TemplateInput& input_;
  std::size_t column_;
  std::string out_, unknown_;
};

}  // namespace

std::string_view template_text(std::string_view path) {
  const auto files = template_files();
  const auto at = std::find_if(files.begin(), files.end(), [&](const TemplateFile& f) { return f.path == path; });
  return at == files.end() ? std::string_view() : at->text;
}

core::Result<std::string> expand(std::string_view text, const TemplateInput& input, std::string_view name, Syntax syntax) {
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
    Line one(line, input);
    out += (syntax == Syntax::kYaml ? one.as_yaml() : one.as_text()) + "\n";
    if (!one.unknown().empty()) return broken(name, number, "no value for @" + one.unknown() + "@");
  }
  if (!open.empty()) return broken(name, number, "#@if without #@end");
  return out;
}

}  // namespace deploy
