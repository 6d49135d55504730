// Command-line parsing through CLI11: the only file that includes it. Fills the targets of an OptionTable.
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "bench/cli/config_file.h"
#include "bench/cli/exit_code.h"
#include "bench/cli/verb.h"
#include "core/text.h"

namespace bench::cli {
namespace {

std::string help_examples(const OptionTable& table) {
  if (table.examples().empty()) return {};
  std::string text = "Examples:\n";
  for (const auto& line : table.examples()) text += "  " + line + "\n";
  return text;
}

void add_entry(CLI::App& app, const OptionEntry& entry, std::map<std::string, std::vector<std::string>>& given) {
  const std::string letter = entry.letter != 0 ? std::string("-") + entry.letter + "," : "";
  const std::string name = entry.positional ? entry.name : letter + "--" + entry.name;
  CLI::Option* option = nullptr;
  if (std::holds_alternative<bool*>(entry.target)) {
    option = app.add_flag_function(name, [&given, &entry](std::int64_t) { given[entry.name] = {"true"}; }, entry.help);
  } else {
    if (std::holds_alternative<std::vector<std::string>*>(entry.target)) {
      option = app.add_option_function<std::vector<std::string>>(
          name, [&given, &entry](const std::vector<std::string>& values) { given[entry.name] = values; }, entry.help);
      // Only with its own greatest count does CLI11 let --name take one value each time and leave the rest to positionals.
      option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args(entry.positional);
    } else {
      option = app.add_option_function<std::string>(
          name, [&given, &entry](const std::string& value) { given[entry.name] = {value}; }, entry.help);
    }
    option->type_name(entry.positional ? "" : entry.value_name);
  }
  if (entry.hidden) option->group("");
}

/// argv for the manifest: a value that follows a secret option is masked, and so are credentials inside URLs.
std::vector<std::string> without_secrets(int argc, char** argv, const OptionTable& table) {
  std::vector<std::string> words;
  bool mask = false;
  for (int i = 0; i < argc; ++i) {
    std::string word = mask ? "***" : argv[i];
    mask = false;
    for (const auto& entry : table.entries()) {
      if (!entry.secret) continue;
      if (word == "--" + entry.name) mask = true;
      if (word.rfind("--" + entry.name + "=", 0) == 0) word = "--" + entry.name + "=***";
    }
    const auto scheme = word.find("://");
    const auto at = scheme == std::string::npos ? std::string::npos : word.find('@', scheme);
    if (at != std::string::npos && word.find('/', scheme + 3) > at) word.replace(scheme + 3, at - scheme - 3, "***");
    words.push_back(std::move(word));
  }
  return words;
}

int print_parse_error(Terminal& terminal, const CLI::ParseError& error,
                      std::span<const std::unique_ptr<Verb>> verbs, std::string_view first_word, bool verb_known) {
  std::string hint = verb_known ? "gatebench " + std::string(first_word) + " --help lists its options"
                                : "gatebench --help lists the verbs";
  if (!verb_known && !first_word.empty()) {
    std::vector<std::string_view> names;
    for (const auto& verb : verbs) names.push_back(verb->name());
    if (const auto near = core::did_you_mean(first_word, names)) hint = "did you mean \"gatebench " + *near + "\"?";
  }
  std::string message = error.what();
  if (!verb_known && !first_word.empty()) message = "there is no verb \"" + std::string(first_word) + "\"";
  terminal.error(core::fail(core::ErrorCode::kInvalid, message, hint));
  return kExitUsage;
}

/// The verbs "deploy lint", "deploy render", … of the group "deploy".
std::string group_overview(std::span<const std::unique_ptr<Verb>> verbs, std::string_view group) {
  std::string text;
  for (const auto& verb : verbs) {
    if (verb->name().rfind(std::string(group) + " ", 0) != 0) continue;
    std::string name(verb->name());
    name.resize(std::max<std::size_t>(name.size(), 18), ' ');
    text += "  " + name + std::string(verb->summary()) + "\n";
  }
  return text.empty() ? text : text + "\ngatebench " + std::string(group) + " VERB --help explains one.\n";
}

std::string overview(std::span<const std::unique_ptr<Verb>> verbs) {
  std::string text =
      "gatebench: load generator and benchmark suite for LLM gateways\n\n"
      "  gatebench demo                      compare Pattern 1 with Pattern 3 on this machine (simulated replicas)\n"
      "  gatebench run hello --target URL    one load run against a gateway\n\nVerbs:\n";
  for (const auto& verb : verbs) {
    std::string name(verb->name());
    name.resize(std::max<std::size_t>(name.size(), 16), ' ');
    text += "  " + name + std::string(verb->summary()) + "\n";
  }
  return text + "\ngatebench VERB --help explains one.\n";
}

}  // namespace

namespace {

/// Names of all verbs and of all their options: what a configuration file may hold.
KnownNames known_names() {
  KnownNames names;
  for (const auto& verb : make_verbs()) {
    OptionTable table;
    verb->declare(table);
    names.verbs.emplace_back(verb->name());
    for (const auto& entry : table.entries()) names.options.push_back(entry.name);
  }
  return names;
}

}  // namespace

int dispatch(int argc, char** argv, std::span<const std::unique_ptr<Verb>> verbs, const std::atomic<bool>& interrupted) {
  Terminal terminal;
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first.empty() || first == "--help" || first == "-h" || first == "help") {
    terminal.result(overview(verbs));
    return first.empty() ? kExitUsage : kExitOk;
  }
  const std::string both = std::string(first) + " " + (argc > 2 ? argv[2] : "");
  Verb* verb = nullptr;
  int words = 1;
  for (const auto& candidate : verbs) {
    if (candidate->name() == both) words = 2;
    if (candidate->name() == both || candidate->name() == first || (first == "--version" && candidate->name() == "version")) verb = candidate.get();
  }
  if (verb == nullptr) {
    const std::string_view second = argc > 2 ? argv[2] : "";
    const std::string group = group_overview(verbs, first);
    if (!group.empty() && (second.empty() || second == "--help" || second == "-h")) {
      terminal.result(group);
      return second.empty() ? kExitUsage : kExitOk;
    }
    if (!group.empty()) return print_parse_error(terminal, CLI::ExtrasError({}), verbs, both, false);
  }
  CLI::App app("", "gatebench");
  if (verb == nullptr) return print_parse_error(terminal, CLI::ExtrasError({}), verbs, first, false);
  OptionTable table;
  std::string config_path, log_format = "text";
  bool quiet = false;
  verb->declare(table);
  table.option("config", "FILE", "options from a JSON file, below flags and GATEBENCH_* variables", &config_path);
  table.option("log-format", "FORMAT", "text or json: what progress and messages on stderr look like", &log_format);
  table.option("quiet", "", "no progress, only results and errors", &quiet);
  app.description(std::string(verb->summary()) + "\n\n" + help_examples(table));
  app.name("gatebench " + std::string(verb->name()));
  std::map<std::string, std::vector<std::string>> given;
  for (const auto& entry : table.entries()) add_entry(app, entry, given);
  try {
    app.parse(argc - words, argv + words);
  } catch (const CLI::CallForHelp&) {
    terminal.result(app.help());
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return print_parse_error(terminal, error, verbs, verb->name(), true);
  }
  if (const auto resolved = resolve_options(table, verb->name(), known_names(), given); !resolved) {
    terminal.error(resolved.error());
    return kExitUsage;
  }
  if (log_format != "text" && log_format != "json") {
    terminal.error(core::fail(core::ErrorCode::kInvalid, "--log-format " + log_format + " is unknown", "use text or json"));
    return kExitUsage;
  }
  terminal.set_log_format(log_format == "json" ? LogFormat::kJson : LogFormat::kText);
  terminal.set_quiet(quiet);
  Invocation invocation{terminal, without_secrets(argc, argv, table), interrupted};
  return verb->run(invocation);
}

}  // namespace bench::cli
