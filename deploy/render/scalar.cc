// See scalar.h. Rules: yaml.org/type (1.1), the core schema (1.2), and what go-yaml makes of either.
#include "deploy/render/scalar.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "deploy/yaml/document.h"

namespace deploy {
namespace {

bool digit(char c) { return c >= '0' && c <= '9'; }

/// Takes what is in `set` off the front; how many there were.
std::size_t take(std::string_view& text, std::string_view set) {
  const auto end = std::min(text.find_first_not_of(set), text.size());
  text.remove_prefix(end);
  return end;
}

void take_sign(std::string_view& text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
}

bool is_word(std::string_view text) {
  static constexpr std::array<std::string_view, 13> kWords{"y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan", "~", "<<"};
  take_sign(text);
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower == "=" || std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

/// Wider than any one reader's numbers: `09`, `1,000` and `1e` are quoted too, as readers differ on them.
bool is_number(std::string_view text) {
  take_sign(text);
  if (text.size() > 2 && text[0] == '0' && std::isalpha(static_cast<unsigned char>(text[1])) != 0 && std::string_view("xXoObB").find(text[1]) != std::string_view::npos) {
    text.remove_prefix(2);
    take(text, "0123456789abcdefABCDEF_");
    return text.empty();
  }
  const bool starts = !text.empty() && (digit(text[0]) || (text[0] == '.' && text.size() > 1 && digit(text[1])));
  if (!starts) return false;
  take(text, "0123456789_.,:");
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text.remove_prefix(1);
    take_sign(text);
    take(text, "0123456789_");
  }
  return text.empty();
}

/// What ends a plain scalar, or begins something else.
bool has_syntax(std::string_view text, ScalarPlace place) {
  constexpr std::string_view kIndicators = ",[]{}#&*!|>'\"%@`";
  if (kIndicators.find(text.front()) != std::string_view::npos) return true;
  const bool bare = text.size() == 1 || text[1] == ' ' || place == ScalarPlace::kFlow;
  if (bare && std::string_view("-?:").find(text.front()) != std::string_view::npos) return true;
  if (text.front() == ' ' || text.back() == ' ' || text.back() == ':') return true;
  if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos) return true;
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) return true;
  return text == "---" || text == "..." || (place == ScalarPlace::kFlow && text.find_first_of(",[]{}") != std::string_view::npos);
}

}  // namespace

bool reads_as_string(std::string_view text, ScalarPlace place) {
  if (text.empty() || kind_of_plain(text) != NodeKind::kString) return false;
  return !is_word(text) && !is_number(text) && !reads_as_date(text) && !has_syntax(text, place);
}

std::string yaml_string(std::string_view text, ScalarPlace place) {
  if (reads_as_string(text, place)) return std::string(text);
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out.push_back('\\');
    if (byte < 0x20 || byte == 0x7f) out += std::string("\\x") + kHex[byte >> 4] + kHex[byte & 15];
    else out.push_back(c);
  }
  return out + "\"";
}

}  // namespace deploy
