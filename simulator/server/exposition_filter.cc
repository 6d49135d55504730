#include "simulator/server/exposition_filter.h"

#include <unordered_set>

#include "core/text.h"

namespace simulator {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> asked_names(std::string_view target) {
  std::vector<std::string> names;
  const auto question = target.find('?');
  if (question == std::string_view::npos) return names;
  for (const auto part : core::split(target.substr(question + 1), '&')) {
    const auto equals = part.find('=');
    if (equals != std::string_view::npos && decode(part.substr(0, equals)) == "name[]") {
      names.push_back(decode(part.substr(equals + 1)));
    }
  }
  return names;
}

std::string filter_exposition(std::string text, const std::vector<std::string>& names) {
  if (names.empty()) return text;
  const std::unordered_set<std::string_view> wanted_names(names.begin(), names.end());
  std::string out;
  std::string_view last_name;  // a family's lines follow one another: most lines need no lookup
  bool wanted = false;
  std::string_view rest = text;
  std::string_view comments = rest.substr(0, 0);  // HELP and TYPE of the family that comes next
  bool in_comments = false;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end == std::string_view::npos ? rest.size() : end + 1);
    rest.remove_prefix(line.size());
    if (line.front() == '#') {
      comments = in_comments ? std::string_view(comments.data(), comments.size() + line.size()) : line;
      in_comments = true;
      continue;
    }
    in_comments = false;
    const bool same = !last_name.empty() && line.size() > last_name.size() && line.substr(0, last_name.size()) == last_name &&
                      (line[last_name.size()] == '{' || line[last_name.size()] == ' ');
    if (!same) {
      last_name = line.substr(0, line.find_first_of("{ "));
      wanted = wanted_names.count(last_name) != 0;
    }
    if (!wanted) continue;
    out += comments;
    comments = {};
    out += line;
  }
  return out;
}

}  // namespace simulator
