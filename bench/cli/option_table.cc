#include "bench/cli/option_table.h"

namespace bench::cli {

OptionEntry& OptionTable::option(std::string name, std::string value_name, std::string help, OptionTarget target) {
  OptionEntry entry;
  entry.name = std::move(name);
  entry.value_name = std::move(value_name);
  entry.help = std::move(help);
  entry.target = target;
  return entries_.emplace_back(std::move(entry));
}

OptionEntry& OptionTable::positional(std::string name, std::string help, OptionTarget target, bool required) {
  OptionEntry& entry = option(std::move(name), "", std::move(help), target);
  entry.positional = true;
  entry.required = required;
  return entry;
}

}  // namespace bench::cli
