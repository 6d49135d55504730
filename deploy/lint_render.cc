// What the linter found, as text, JSON or SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0). Called by the command line.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "deploy/lint.h"

namespace deploy {
namespace {

using Json = nlohmann::ordered_json;

std::string counted(std::size_t n, std::string_view word) {
  return std::to_string(n) + " " + std::string(word) + (n == 1 ? "" : "s");
}

const Rule* rule_of(std::string_view id) {
  for (const Rule& rule : rules()) {
    if (rule.id == id) return &rule;
  }
  return nullptr;
}

std::string place(const Finding& f) {
  return f.file + ":" + std::to_string(f.at.line) + ":" + std::to_string(f.at.column);
}

std::string painted(Severity severity, bool colour) {
  const std::string word(word_for(severity));
  if (!colour) return word;
  const char* code = severity == Severity::kError ? "\x1b[1;31m" : severity == Severity::kWarning ? "\x1b[1;33m" : "\x1b[1;36m";
  return code + word + "\x1b[0m";
}

std::string summary(const LintReport& report) {
  return counted(report.count(Severity::kError), "error") + ", " + counted(report.count(Severity::kWarning), "warning") + ", " +
         counted(report.count(Severity::kNote), "note") + " in " + counted(report.objects, "object") + " of " + counted(report.files, "file");
}

std::string render_text(const LintReport& report, bool colour) {
  std::string out;
  for (const auto& f : report.findings) {
    out += place(f) + ": " + painted(f.severity, colour) + " " + f.rule + core::printable((f.object.empty() ? "" : " " + f.object) + ": " + f.message) + "\n";
    const Rule* rule = rule_of(f.rule);
    if (rule != nullptr && !rule->why.empty()) out += "    why: " + std::string(rule->why) + "\n";
    if (!f.fix.empty()) out += "    fix: " + core::printable(f.fix) + "\n";
    if (rule != nullptr && !rule->source.empty()) out += "    seen in: " + std::string(rule->source) + "\n";
  }
  return out + summary(report) + "\n";
}

Json to_json(const Finding& f) {
  const Rule* rule = rule_of(f.rule);
  Json out{{"rule", f.rule}, {"severity", word_for(f.severity)}, {"file", f.file}, {"line", f.at.line}, {"column", f.at.column},
           {"object", f.object}, {"message", f.message}, {"fix", f.fix}};
  out["why"] = rule == nullptr ? "" : rule->why;
  out["seen_in"] = rule == nullptr ? "" : rule->source;
  return out;
}

std::string render_json(const LintReport& report) {
  Json findings = Json::array();
  for (const auto& f : report.findings) findings.push_back(to_json(f));
  const Json out{{"schema", "gatebench.lint"},
                 {"schema_version", "1.0"},
                 {"variant", word_for(report.variant)},
                 {"files", report.files},
                 {"objects", report.objects},
                 {"errors", report.count(Severity::kError)},
                 {"warnings", report.count(Severity::kWarning)},
                 {"notes", report.count(Severity::kNote)},
                 {"findings", std::move(findings)}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json sarif_rule(const Rule& rule) {
  return {{"id", rule.id},
          {"shortDescription", {{"text", rule.title}}},
          {"fullDescription", {{"text", rule.why}}},
          {"help", {{"text", rule.fix}}},
          {"defaultConfiguration", {{"level", word_for(rule.severity)}}}};
}

/// A path as a URI reference: RFC 3986's unreserved characters and '/' stay, every other byte is escaped. A colon in the first
/// segment would begin a scheme.
std::string uri_of(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._~/()").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
      continue;
    }
    constexpr std::string_view kHex = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

Json sarif_result(const Finding& f) {
  const Json region{{"startLine", std::max(1, f.at.line)}, {"startColumn", std::max(1, f.at.column)}};
  return {{"ruleId", f.rule},
          {"level", word_for(f.severity)},
          {"message", {{"text", (f.object.empty() ? "" : f.object + ": ") + f.message + (f.fix.empty() ? "" : ". " + f.fix)}}},
          {"locations", Json::array({{{"physicalLocation", {{"artifactLocation", {{"uri", uri_of(f.file)}}}, {"region", region}}}}})}};
}

std::string render_sarif(const LintReport& report) {
  Json described = Json::array({{{"id", "L00"}, {"shortDescription", {{"text", "input that cannot be read as it stands"}}}}});
  for (const Rule& rule : rules()) described.push_back(sarif_rule(rule));
  Json results = Json::array();
  for (const auto& f : report.findings) results.push_back(sarif_result(f));
  const Json run{{"tool", {{"driver", {{"name", "gatebench deploy lint"}, {"rules", std::move(described)}}}}}, {"results", std::move(results)}};
  const Json out{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}, {"runs", Json::array({run})}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string render_lint(const LintReport& report, LintFormat format, bool colour) {
  switch (format) {
    case LintFormat::kText: return render_text(report, colour);
    case LintFormat::kJson: return render_json(report);
    case LintFormat::kSarif: return render_sarif(report);
  }
  return {};
}

std::string render_rules(LintFormat format) {
  if (format != LintFormat::kText) {
    Json out = Json::array();
    for (const Rule& rule : rules()) {
      out.push_back({{"rule", rule.id}, {"severity", word_for(rule.severity)}, {"title", rule.title}, {"why", rule.why}, {"fix", rule.fix}, {"seen_in", rule.source}});
    }
    return out.dump(2) + "\n";
  }
  std::string out;
  for (const Rule& rule : rules()) {
    out += std::string(rule.id) + "  " + std::string(word_for(rule.severity)) + std::string(9 - word_for(rule.severity).size(), ' ') + std::string(rule.title) + "\n";
    out += "       why: " + std::string(rule.why) + "\n       fix: " + std::string(rule.fix) + "\n";
  }
  return out;
}

}  // namespace deploy
