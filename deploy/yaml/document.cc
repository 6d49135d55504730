// Lookups in document trees, and what unquoted scalars are.
#include "deploy/yaml/document.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "core/text.h"

namespace deploy {
namespace {

const Node& missing() {
  static const Node kMissing;
  return kMissing;
}

constexpr std::array<std::string_view, 11> kTrue{"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"};
constexpr std::array<std::string_view, 11> kFalse{"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"};

template <std::size_t N>
bool among(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool digits_only(std::string_view text, int base) {
  bool any = false;
  for (const char c : text) {
    if (c == '_') continue;
    const bool fits = base == 16 ? std::isxdigit(static_cast<unsigned char>(c)) != 0 : c >= '0' && c < '0' + std::min(base, 10);
    if (!fits) return false;
    any = true;
  }
  return any;
}

struct IntegerForm {
  int base = 0;  ///< 0: no integer
  bool negative = false;
  std::string_view digits;
};

IntegerForm integer_form(std::string_view text) {
  IntegerForm form;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    form.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 2 && text[0] == '0') {
    const char mark = text[1];
    if (mark == 'x') base = 16;
    if (mark == 'b') base = 2;
    if (mark == 'o') base = 8;
    if (base != 10) text.remove_prefix(2);
  }
  if (base == 10 && text.size() > 1 && text[0] == '0') base = 8;
  if (!text.empty() && text[0] != '_' && digits_only(text, base)) {
    form.base = base;
    form.digits = text;
  }
  return form;
}

bool is_float(std::string_view text) {
  if (among(text, std::array<std::string_view, 7>{".inf", ".Inf", "+.inf", "-.inf", "-.Inf", ".nan", ".NaN"})) return true;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  std::size_t digits = 0, dots = 0, i = 0;
  for (; i < text.size() && (std::isdigit(static_cast<unsigned char>(text[i])) != 0 || text[i] == '.' || text[i] == '_'); ++i) {
    dots += text[i] == '.' ? 1 : 0;
    digits += std::isdigit(static_cast<unsigned char>(text[i])) != 0 ? 1 : 0;
  }
  if (digits == 0 || dots > 1) return false;
  if (i == text.size()) return dots == 1;
  if (text[i] != 'e' && text[i] != 'E') return false;
  std::string_view exponent = text.substr(i + 1);
  if (!exponent.empty() && (exponent[0] == '-' || exponent[0] == '+')) exponent.remove_prefix(1);
  return digits_only(exponent, 10);
}

}  // namespace

std::string_view word_for(NodeKind kind) {
  switch (kind) {
    case NodeKind::kMissing: return "nothing";
    case NodeKind::kNull: return "null";
    case NodeKind::kBool: return "a boolean";
    case NodeKind::kInteger: return "an integer";
    case NodeKind::kFloat: return "a number";
    case NodeKind::kString: return "a string";
    case NodeKind::kList: return "a list";
    case NodeKind::kMap: return "a mapping";
  }
  return "nothing";
}

NodeKind kind_of_plain(std::string_view text) {
  if (text.empty() || among(text, std::array<std::string_view, 4>{"~", "null", "Null", "NULL"})) return NodeKind::kNull;
  if (among(text, kTrue) || among(text, kFalse)) return NodeKind::kBool;
  if (integer_form(text).base != 0) return NodeKind::kInteger;
  return is_float(text) ? NodeKind::kFloat : NodeKind::kString;
}

bool reads_as_date(std::string_view text) {
  const auto take = [&](std::string_view set) {
    const auto end = std::min(text.find_first_not_of(set), text.size());
    text.remove_prefix(end);
    return end;
  };
  constexpr std::string_view kDigits = "0123456789";
  if (take(kDigits) != 4 || take("-") != 1) return false;
  const auto month = take(kDigits);
  if (month < 1 || month > 2 || take("-") != 1) return false;
  const auto day = take(kDigits);
  return day >= 1 && day <= 2 && (text.empty() || text.front() == 'T' || text.front() == 't' || text.front() == ' ');
}

const Node& Node::operator[](std::string_view key) const {
  for (const auto& member : members) {
    if (member.key == key) return member.value;
  }
  return missing();
}

const Node& Node::operator[](std::size_t index) const { return index < items.size() ? items[index] : missing(); }

const Node& Node::path(std::initializer_list<std::string_view> keys) const {
  const Node* node = this;
  for (const auto key : keys) node = &(*node)[key];
  return *node;
}

std::optional<std::int64_t> Node::integer() const {
  if (kind != NodeKind::kInteger && kind != NodeKind::kString) return std::nullopt;
  const IntegerForm form = integer_form(text);
  if (form.base == 0) return std::nullopt;
  std::string digits(form.negative ? "-" : "");
  for (const char c : form.digits) {
    if (c != '_') digits.push_back(c);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, form.base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<double> Node::number() const {
  if (const auto whole = integer()) return static_cast<double>(*whole);
  if (kind != NodeKind::kFloat && kind != NodeKind::kString) return std::nullopt;
  return core::parse_number(text);
}

bool Node::to_bool() const { return among(text, kTrue); }

Position Node::at_key(std::string_view key) const {
  for (const auto& member : members) {
    if (member.key == key) return member.at;
  }
  return at;
}

}  // namespace deploy
