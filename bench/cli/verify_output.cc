// See verify_output.h. nlohmann stays in here.
#include "bench/cli/verify_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/cli/verb.h"
#include "core/text.h"

namespace bench::cli {
namespace {

using analyzers::CheckVerdict;
using Json = nlohmann::ordered_json;

constexpr std::size_t kIndent = 34;

std::string painted(CheckVerdict verdict, bool colour) {
  const std::string text = fmt::format("{:<13}", analyzers::to_string(verdict));
  if (!colour) return text;
  const char* code = verdict == CheckVerdict::kPass ? "32" : verdict == CheckVerdict::kFail ? "31" : verdict == CheckVerdict::kSkipped ? "2" : "33";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

/// Words broken into lines of at most `width`, the later ones indented.
std::string wrapped(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t used = 0;
  const std::size_t room = std::max<std::size_t>(width > kIndent ? width - kIndent : 0, 40);
  for (const auto word : core::split(text, ' ')) {
    if (used > 0 && used + 1 + word.size() > room) {
      out += "\n" + std::string(kIndent, ' ');
      used = 0;
    }
    if (used > 0) out += ' ';
    out += word;
    used += word.size() + (used > 0 ? 1 : 0);
  }
  return out;
}

std::size_t rows_with(const analyzers::VerifyResult& result, CheckVerdict verdict) {
  return static_cast<std::size_t>(std::count_if(result.checks.begin(), result.checks.end(), [verdict](const auto& c) { return c.verdict == verdict; }));
}

Json replicas_json(const VerifyOutcome& outcome) {
  Json out = Json::array();
  if (!outcome.observed.ledger) return out;
  const auto tallies = outcome.observed.ledger->replicas();
  for (std::size_t r = 0; r < tallies.size(); ++r) {
    Json row{{"name", outcome.observed.replicas[r].name}, {"finishes", tallies[r].counted}, {"attributed", tallies[r].ours}, {"foreign_at_least", tallies[r].foreign_least}};
    row["block_size_tokens"] = tallies[r].block_size_tokens ? Json(*tallies[r].block_size_tokens) : Json();
    out.push_back(std::move(row));
  }
  return out;
}

Json calibration_json(const VerifyOutcome& outcome) {
  if (!outcome.observed.ledger) return Json();
  const auto& calibration = outcome.observed.ledger->calibration();
  Json out{{"n", calibration.n}};
  out["client_minus_server_ms_mean"] = calibration.mean_ms ? Json(*calibration.mean_ms) : Json();
  out["client_minus_server_ms_stddev"] = calibration.stddev_ms ? Json(*calibration.stddev_ms) : Json();
  out["body_sizes_compared"] = calibration.sizes_compared;
  out["body_sizes_equal"] = calibration.sizes_equal;
  return out;
}

}  // namespace

std::string verify_text(const VerifyOutcome& outcome, const std::string& target, std::size_t width, bool colour) {
  const auto& observed = outcome.observed;
  std::string out = fmt::format("Pattern {} at {}{}{}\n\n", observed.pattern, target, observed.model.empty() ? "" : ", model " + observed.model,
                                outcome.simulated ? " (simulated replicas)" : "");
  for (const auto& check : outcome.result.checks) {
    out += fmt::format("{} {:<19} {}\n", painted(check.verdict, colour), check.id, wrapped(check.observed, width));
    if (check.verdict == CheckVerdict::kPass) continue;
    const std::string indent(kIndent, ' ');
    if (!check.expected.empty() && check.verdict != CheckVerdict::kSkipped) out += indent + wrapped("expected: " + check.expected, width) + "\n";
    if (!check.action.empty()) out += indent + wrapped("do: " + check.action, width) + "\n";
  }
  out += fmt::format("\n{}: {} passed, {} failed, {} inconclusive, {} skipped; {} requests{}\n", analyzers::to_string(outcome.result.verdict),
                     rows_with(outcome.result, CheckVerdict::kPass), rows_with(outcome.result, CheckVerdict::kFail),
                     rows_with(outcome.result, CheckVerdict::kInconclusive), rows_with(outcome.result, CheckVerdict::kSkipped), outcome.requests,
                     observed.cut_short ? "; " + observed.why_cut : "");
  return out;
}

std::string verify_json(const VerifyOutcome& outcome, const std::string& target) {
  const auto& observed = outcome.observed;
  Json checks = Json::array();
  for (const auto& check : outcome.result.checks) {
    checks.push_back({{"id", check.id}, {"verdict", analyzers::to_string(check.verdict)}, {"observed", check.observed}, {"expected", check.expected}, {"action", check.action}});
  }
  Json out{{"schema", "gatebench.verify"}, {"schema_version", "1.0"}, {"tool_version", tool_version()}, {"target", target}, {"pattern", observed.pattern}};
  out["model"] = observed.model.empty() ? Json() : Json(observed.model);
  out["simulated"] = outcome.simulated;
  out["verdict"] = analyzers::to_string(outcome.result.verdict);
  out["cut_short"] = observed.cut_short ? Json(observed.why_cut) : Json();
  out["requests"] = outcome.requests;
  out["checks"] = std::move(checks);
  out["replicas"] = replicas_json(outcome);
  out["calibration"] = calibration_json(outcome);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bench::cli
