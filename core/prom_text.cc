#include "core/prom_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "core/text.h"

namespace core {
namespace {

bool is_name_char(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (!first && c >= '0' && c <= '9');
}

/// Length of the label block after '{' up to its closing brace, or npos. Braces and escapes inside quotes are honoured.
std::size_t label_block_length(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && text[i] == '}') {
      return i;
    }
  }
  return std::string_view::npos;
}

bool parse_value(std::string_view text, double& value) {
  if (text == "+Inf" || text == "Inf") {
    value = std::numeric_limits<double>::infinity();
    return true;
  }
  if (text == "-Inf") {
    value = -std::numeric_limits<double>::infinity();
    return true;
  }
  if (text == "NaN") {
    value = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string_view PromSample::label(std::string_view key) const {
  std::string_view rest = labels;
  while (!rest.empty()) {
    const auto equals = rest.find("=\"");
    if (equals == std::string_view::npos) return {};
    const auto found = trim(rest.substr(0, equals));
    rest.remove_prefix(equals + 2);
    std::size_t end = 0;
    while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
    if (end >= rest.size()) return {};
    if (found == key) return rest.substr(0, end);
    rest.remove_prefix(end + 1);
    while (!rest.empty() && (rest.front() == ',' || rest.front() == ' ')) rest.remove_prefix(1);
  }
  return {};
}

bool parse_prom_line(std::string_view line, PromSample& sample, bool& is_sample) {
  line = trim(line);
  is_sample = false;
  if (line.empty() || line.front() == '#') return true;
  std::size_t name_end = 0;
  while (name_end < line.size() && is_name_char(line[name_end], name_end == 0)) ++name_end;
  if (name_end == 0) return false;
  sample.name = line.substr(0, name_end);
  line.remove_prefix(name_end);
  line = trim(line);
  sample.labels = {};
  if (!line.empty() && line.front() == '{') {
    line.remove_prefix(1);
    const auto length = label_block_length(line);
    if (length == std::string_view::npos) return false;
    sample.labels = line.substr(0, length);
    line.remove_prefix(length + 1);
    line = trim(line);
  }
  // A timestamp may follow the value; it is of no use here.
  const auto value_end = line.find_first_of(" \t");
  if (!parse_value(line.substr(0, value_end), sample.value)) return false;
  is_sample = true;
  return true;
}

void PromWriter::family(std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void PromWriter::sample(std::string_view name, Labels labels, double value) {
  text_ += name;
  if (!labels.empty()) {
    char separator = '{';
    for (const auto& [key, text] : labels) {
      text_ += separator;
      text_ += key;
      text_ += "=\"";
      for (const char c : text) {
        if (c == '\\' || c == '"') text_ += '\\';
        if (c == '\n') {
          text_ += "\\n";
        } else {
          text_ += c;
        }
      }
      text_ += '"';
      separator = ',';
    }
    text_ += '}';
  }
  text_ += ' ';
  text_ += number(value);
  text_ += '\n';
}

std::string PromWriter::number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::string text = fmt::format("{}", value);
  if (text.find('e') != std::string::npos) return text;
  const auto dot = text.find('.');
  const std::size_t digits = dot == std::string::npos ? text.size() : dot;
  if (value < 1e6 || digits <= 6) return dot == std::string::npos ? text + ".0" : text;
  // prometheus_client writes more than six integer digits as d.ddde+NN.
  std::string mantissa = text.substr(0, 1) + "." + text.substr(1, digits - 1) + (dot == std::string::npos ? "" : text.substr(dot + 1));
  mantissa.erase(mantissa.find_last_not_of("0.") + 1);
  return fmt::format("{}e+{:02}", mantissa, digits - 1);
}

}  // namespace core
