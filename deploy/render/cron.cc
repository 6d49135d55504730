// See cron.h.
#include "deploy/render/cron.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <span>
#include <vector>

#include "core/text.h"

namespace deploy {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::array<std::string_view, 7> kDays{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
constexpr std::array<std::string_view, 7> kShorthands{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"};

struct Field {
  std::string_view name;
  std::int64_t least, most;
  std::span<const std::string_view> words;   ///< of `least` and what follows
};
const std::array<Field, 5> kFields{Field{"minute", 0, 59, {}}, Field{"hour", 0, 23, {}}, Field{"day of month", 1, 31, {}}, Field{"month", 1, 12, kMonths}, Field{"day of week", 0, 6, kDays}};

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (const auto word : core::split(text, ' ')) {
    if (!word.empty()) out.push_back(word);
  }
  return out;
}

std::optional<std::int64_t> digits(std::string_view text) {
  const bool all = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return all ? core::parse_integer(text) : std::nullopt;
}

std::optional<std::int64_t> value_of(const Field& field, std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto word = std::find(field.words.begin(), field.words.end(), upper);
  return word == field.words.end() ? digits(text) : std::optional(field.least + (word - field.words.begin()));
}

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

/// One entry of a field's list: `*`, `5`, `MON-FRI`, `*/15`, `10-40/5`.
std::string entry_fault(const Field& field, std::string_view entry) {
  const std::string name(field.name);
  const auto slash = entry.find('/');
  if (slash != std::string_view::npos) {
    const auto step = digits(entry.substr(slash + 1));
    if (!step || *step < 1) return name + " has the step " + quoted(entry.substr(slash + 1));
    entry = entry.substr(0, slash);
  }
  if (entry == "*" || entry == "?") return {};
  const auto dash = entry.find('-');
  const auto first = entry.substr(0, dash), last = dash == std::string_view::npos ? first : entry.substr(dash + 1);
  std::array<std::int64_t, 2> bounds{};
  for (std::size_t i = 0; i < 2; ++i) {
    const auto text = i == 0 ? first : last;
    const auto value = value_of(field, text);
    if (!value) return name + " is " + quoted(text);
    if (*value < field.least || *value > field.most) return name + " " + std::string(text) + " is not within " + std::to_string(field.least) + " to " + std::to_string(field.most);
    bounds[i] = *value;
  }
  return bounds[0] > bounds[1] ? name + " " + std::string(entry) + " ends before it begins" : "";
}

/// Go's durations, as far as anybody schedules by them: 90m, 1h30m.
bool is_duration(std::string_view text) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const auto number = std::min(text.find_first_not_of("0123456789"), text.size());
    if (number == 0 || number == text.size() || std::string_view("hms").find(text[number]) == std::string_view::npos) return false;
    text.remove_prefix(number + 1);
  }
  return true;
}

}  // namespace

std::string cron_fault(std::string_view schedule) {
  const auto fields = words_of(schedule);
  if (!fields.empty() && fields[0].front() == '@') {
    const bool shorthand = fields.size() == 1 && std::find(kShorthands.begin(), kShorthands.end(), fields[0]) != kShorthands.end();
    const bool every = fields.size() == 2 && fields[0] == "@every" && is_duration(fields[1]);
    return shorthand || every ? "" : quoted(schedule) + " is none of @yearly, @monthly, @weekly, @daily, @hourly, @every 90m";
  }
  if (fields.size() != kFields.size()) return "it has " + std::to_string(fields.size()) + " fields, not 5 (minute, hour, day of month, month, day of week)";
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    for (const auto entry : core::split(fields[i], ',')) {
      if (auto fault = entry_fault(kFields[i], entry); !fault.empty()) return fault;
    }
  }
  return {};
}

}  // namespace deploy
