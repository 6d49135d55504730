#include "bench/cli/config_file.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/text.h"

namespace bench::cli {
namespace {

using Json = nlohmann::json;
using Values = std::vector<std::string>;

struct Source {
  std::string name;
  std::map<std::string, Values> values;
};

std::string env_name(std::string_view option) {
  std::string name = "GATEBENCH_";
  for (const char c : option) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string suggestion(std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = core::did_you_mean(word, views);
  return near ? fmt::format("; did you mean \"{}\"?", *near) : "";
}

void read_object(const Json& object, const OptionTable& table, const KnownNames& known, bool own_section, const std::string& at,
                 Source& source, std::string& errors) {
  for (const auto& [key, value] : object.items()) {
    const auto& entries = table.entries();
    const auto entry = std::find_if(entries.begin(), entries.end(), [&, name = key](const OptionEntry& e) { return e.name == name; });
    if (entry == entries.end() || entry->secret) {
      if (!own_section && contains(known.options, key)) continue;  // another verb's option
      std::vector<std::string> names = known.options;
      if (own_section) {
        names.clear();
        for (const auto& own : entries) names.push_back(own.name);
      }
      errors += fmt::format("{}: {}.{} is not an option{}\n", source.name, at, key, suggestion(key, names));
      continue;
    }
    if (value.is_array()) {
      for (const auto& item : value) source.values[key].push_back(text_of(item));
    } else if (value.is_primitive() && !value.is_null()) {
      source.values[key] = {text_of(value)};
    } else {
      errors += fmt::format("{}: {}.{} must be a value or a list of values\n", source.name, at, key);
    }
  }
}

bool read_file(const std::string& path, bool must_exist, const OptionTable& table, const KnownNames& known,
               std::string_view verb, std::vector<Source>& sources, std::string& errors) {
  std::ifstream file(path);
  if (!file) {
    if (must_exist) errors += fmt::format("{}: cannot be read\n", path);
    return false;
  }
  std::stringstream text;
  text << file.rdbuf();
  const Json document = Json::parse(text.str(), nullptr, false);
  if (document.is_discarded() || !document.is_object()) {
    errors += fmt::format("{}: is not a JSON object\n", path);
    return false;
  }
  Source own{path, {}}, shared{path, {}};
  for (const auto& [key, value] : document.items()) {
    if (value.is_object() && key == verb) {
      read_object(value, table, known, true, "$." + key, own, errors);
    } else if (value.is_object() && !contains(known.verbs, key)) {
      errors += fmt::format("{}: $.{} is no verb of gatebench{}\n", path, key, suggestion(key, known.verbs));
    }
  }
  Json top = Json::object();
  for (const auto& [key, value] : document.items()) {
    if (!value.is_object()) top[key] = value;
  }
  read_object(top, table, known, false, "$", shared, errors);
  sources.push_back(std::move(own));
  sources.push_back(std::move(shared));
  return true;
}

/// Stores one option's value; returns what is wrong with it, or an empty text.
struct Store {
  const Values& values;
  std::string operator()(bool* target) const {
    *target = values.back() == "true" || values.back() == "1";
    const bool known = *target || values.back() == "false" || values.back() == "0";
    return known ? "" : "must be true or false";
  }
  std::string operator()(std::string* target) const { return *target = values.back(), ""; }
  std::string operator()(std::optional<std::string>* target) const { return *target = values.back(), ""; }
  std::string operator()(std::uint64_t* target) const {
    const auto number = core::parse_integer(values.back());
    if (!number || *number < 0) return "must be a whole number, 0 or more";
    *target = static_cast<std::uint64_t>(*number);
    return "";
  }
  std::string operator()(std::optional<std::uint32_t>* target) const {
    const auto number = core::parse_integer(values.back());
    if (!number || *number < 0 || *number > 1'000'000'000) return "must be a whole number from 0 to 1,000,000,000";
    *target = static_cast<std::uint32_t>(*number);
    return "";
  }
  std::string operator()(std::optional<double>* target) const {
    const auto number = core::parse_number(values.back());
    if (!number) return "must be a number";
    *target = *number;
    return "";
  }
  std::string operator()(std::optional<core::Duration>* target) const {
    const auto duration = core::parse_duration(values.back());
    if (!duration) return duration.error().message + "; " + duration.error().hint;
    *target = *duration;
    return "";
  }
  std::string operator()(core::Duration* target) const {
    const auto duration = core::parse_duration(values.back());
    if (!duration) return duration.error().message + "; " + duration.error().hint;
    *target = *duration;
    return "";
  }
  std::string operator()(std::vector<std::string>* target) const { return *target = values, ""; }
};

}  // namespace

core::Status resolve_options(const OptionTable& table, std::string_view verb, const KnownNames& known,
                             const std::map<std::string, std::vector<std::string>>& given) {
  std::string errors;
  std::vector<Source> sources{{"command line", given}};
  Source environment{"environment", {}};
  for (const auto& entry : table.entries()) {
    if (entry.positional) continue;
    const char* value = std::getenv(env_name(entry.name).c_str());
    if (value != nullptr) environment.values[entry.name] = {value};
  }
  const auto from_env = environment.values.find("config");
  const auto from_flag = given.find("config");
  const std::string config = from_flag != given.end() ? from_flag->second.back()
                             : from_env != environment.values.end() ? from_env->second.back() : "";
  sources.push_back(std::move(environment));
  if (!config.empty()) read_file(config, true, table, known, verb, sources, errors);
  read_file("gatebench.json", false, table, known, verb, sources, errors);
  const char* xdg = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  const std::string base = xdg != nullptr && *xdg != '\0' ? xdg : home != nullptr ? std::string(home) + "/.config" : "";
  if (!base.empty()) read_file(base + "/gatebench/config.json", false, table, known, verb, sources, errors);
  for (const auto& entry : table.entries()) {
    bool filled = false;
    for (const auto& source : sources) {
      const auto found = source.values.find(entry.name);
      if (found == source.values.end() || found->second.empty()) continue;
      const std::string problem = std::visit(Store{found->second}, entry.target);
      if (!problem.empty()) {
        errors += fmt::format("{}: {}{} {}\n", source.name, entry.positional ? "" : "--", entry.name, problem);
      }
      filled = true;
      break;
    }
    if (entry.required && !filled) {
      errors += entry.positional ? fmt::format("{} is missing: {}\n", entry.name, entry.help)
                                 : fmt::format("--{} is missing: {}\n", entry.name, entry.help);
    }
  }
  if (errors.empty()) return {};
  errors.pop_back();
  return core::fail(core::ErrorCode::kInvalid, errors, fmt::format("gatebench {} --help lists the options", verb));
}

}  // namespace bench::cli
