// OptionTable: the one place where a verb's options are declared. Parsing, --help, environment variables and
// configuration files all come from it. CLI11 is behind it, in parse.cc alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/time.h"

namespace bench::cli {

/// Where an option's value goes. Optionals stay empty when nobody gave a value.
using OptionTarget = std::variant<bool*, std::string*, std::optional<std::string>*, std::uint64_t*, std::optional<std::uint32_t>*,
                                  std::optional<double>*, std::optional<core::Duration>*, core::Duration*,
                                  std::vector<std::string>*>;

struct OptionEntry {
  std::string name;       ///< "seed": --seed; a positional's name in capitals: "SCENARIO"
  std::string value_name; ///< shown in help: "N", "URL", "DURATION"
  std::string help;
  OptionTarget target;
  bool positional = false, required = false;
  bool hidden = false;    ///< for children of stack and demo
  bool secret = false;    ///< never read from a file, never echoed
  char letter = 0;        ///< 'f': -f means the same
};

class OptionTable {
 public:
  /// --name VALUE (a bool target: a flag). `target` must outlive the table.
  OptionEntry& option(std::string name, std::string value_name, std::string help, OptionTarget target);
  /// A positional argument.
  OptionEntry& positional(std::string name, std::string help, OptionTarget target, bool required = true);
  /// Lines shown under "Examples" in --help.
  void example(std::string line) { examples_.push_back(std::move(line)); }

  [[nodiscard]] const std::vector<OptionEntry>& entries() const { return entries_; }
  [[nodiscard]] const std::vector<std::string>& examples() const { return examples_; }

 private:
  std::vector<OptionEntry> entries_;
  std::vector<std::string> examples_;
};

}  // namespace bench::cli
