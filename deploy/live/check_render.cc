// What the live checks saw, as text or JSON. Called by the command line.
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "deploy/live/check.h"

namespace deploy {
namespace {

using Json = nlohmann::ordered_json;

std::string painted(CheckState state, bool colour) {
  std::string word(word_for(state));
  word.resize(8, ' ');
  if (!colour) return word;
  const char* code = state == CheckState::kFailed ? "\x1b[1;31m" : state == CheckState::kPassed ? "\x1b[32m" : state == CheckState::kSkipped ? "\x1b[2m" : "\x1b[1;33m";
  return code + word + "\x1b[0m";
}

std::string title_of(const Expectation& want) {
  const BundleKey& key = want.values().key;
  return "Pattern " + std::to_string(key.pattern) + " (" + std::string(word_for(key.variant)) + ", " + std::string(word_for(key.pin)) + ") in namespace " + want.name_space();
}

/// Of what passed, the first lines on one line: enough to see what was looked at.
std::string in_short(const CheckResult& result) {
  constexpr std::size_t kShown = 2;
  std::string out;
  for (std::size_t i = 0; i < result.lines.size() && i < kShown; ++i) {
    const auto& line = result.lines[i];
    out += (i > 0 ? "; " : "") + core::printable(line.subject + (line.subject.empty() ? "" : ": ") + line.observed);
  }
  if (result.lines.size() > kShown) out += "; and " + std::to_string(result.lines.size() - kShown) + " more";
  return out;
}

std::string full(const CheckLine& line) {
  std::string out = "    " + std::string(word_for(line.state)) + ": " + core::printable(line.subject + (line.subject.empty() ? "" : ": ") + line.observed) + "\n";
  if (!line.expected.empty()) out += "      expected: " + core::printable(line.expected) + "\n";
  if (!line.remedy.empty()) out += "      do: " + core::printable(line.remedy) + "\n";
  return out;
}

std::string counts(const CheckReport& report) {
  std::string out = std::to_string(report.count(CheckState::kPassed)) + " passed";
  for (const CheckState state : {CheckState::kFailed, CheckState::kUnknown, CheckState::kWarned, CheckState::kSkipped}) {
    const auto n = report.count(state);
    const std::string word = state == CheckState::kWarned ? "with warnings" : std::string(word_for(state));
    if (n > 0 || state == CheckState::kFailed) out += ", " + std::to_string(n) + " " + word;
  }
  return out;
}

}  // namespace

std::string render_check_text(const CheckReport& report, const Expectation& want, const CheckText& how) {
  std::string out = title_of(want) + "\n";
  for (const auto& result : report.results) {
    std::string id(result.id);
    id.resize(4, ' ');
    const bool quiet = result.state == CheckState::kPassed || result.state == CheckState::kSkipped;
    out += painted(result.state, how.colour) + " " + id + std::string(result.title) + (quiet && !how.verbose ? ": " + in_short(result) : "") + "\n";
    for (const auto& line : result.lines) {
      const bool shown = how.verbose || (!quiet && line.state != CheckState::kPassed && line.state != CheckState::kSkipped);
      if (shown) out += full(line);
    }
  }
  return out + counts(report) + "\n";
}

std::string render_check_json(const CheckReport& report, const Expectation& want) {
  const BundleKey& key = want.values().key;
  Json results = Json::array();
  for (const auto& result : report.results) {
    Json lines = Json::array();
    for (const auto& line : result.lines) {
      lines.push_back({{"state", word_for(line.state)}, {"subject", line.subject}, {"observed", line.observed}, {"expected", line.expected}, {"remedy", line.remedy}});
    }
    results.push_back({{"check", result.id}, {"title", result.title}, {"state", word_for(result.state)}, {"lines", std::move(lines)}});
  }
  const Json out{{"schema", "gatebench.deploy-check"},
                 {"schema_version", "1.0"},
                 {"pattern", key.pattern},
                 {"variant", word_for(key.variant)},
                 {"pin", word_for(key.pin)},
                 {"namespace", want.name_space()},
                 {"passed", report.count(CheckState::kPassed)},
                 {"warnings", report.count(CheckState::kWarned)},
                 {"unknown", report.count(CheckState::kUnknown)},
                 {"failed", report.count(CheckState::kFailed)},
                 {"skipped", report.count(CheckState::kSkipped)},
                 {"checks", std::move(results)}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace deploy
