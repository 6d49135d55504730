// Runs all rules over a bundle. See lint.h.
#include "deploy/lint.h"

#include <algorithm>
#include <tuple>

#include "deploy/cel_rules.h"
#include "deploy/operation_rules.h"
#include "deploy/routing.h"
#include "deploy/rule_groups.h"

namespace deploy {
namespace {

std::vector<Rule> all_rules() {
  std::vector<Rule> out;
  for (const auto group : {schema_rules(), cel_rules(), yaml_rules(), tpu_rules(), serving_rules(), routing_rules(), pool_rules(), picker_rules(), kserve_rules(),
                           network_rules(), operation_rules(), text_rules()}) {
    out.insert(out.end(), group.begin(), group.end());
  }
  std::stable_sort(out.begin(), out.end(), [](const Rule& a, const Rule& b) { return a.id < b.id; });
  return out;
}

Finding input_finding(const InputProblem& problem) {
  Finding finding;
  finding.rule = "L00";
  finding.file = problem.file;
  finding.at = problem.at;
  finding.message = problem.message;
  finding.fix = problem.fix;
  return finding;
}

}  // namespace

std::string_view word_for(Severity severity) {
  switch (severity) {
    case Severity::kError: return "error";
    case Severity::kWarning: return "warning";
    case Severity::kNote: return "note";
  }
  return "error";
}

std::string_view word_for(Pin pin) { return pin == Pin::kEarly2026 ? "early-2026" : "current"; }

std::optional<Pin> parse_pin(std::string_view text) {
  for (const Pin pin : {Pin::kEarly2026, Pin::kCurrent}) {
    if (text == word_for(pin)) return pin;
  }
  return std::nullopt;
}

void Findings::add(const Object& object, Position at, std::string message) {
  add(*object.document, at, std::move(message));
  out_.back().object = object.title();
}

void Findings::add(const Document& document, Position at, std::string message) {
  Finding finding;
  finding.rule = rule_.id;
  finding.severity = rule_.severity;
  finding.fix = rule_.fix;
  finding.file = document.file;
  finding.at = at.line > 0 ? at : document.root.at;
  finding.message = std::move(message);
  out_.push_back(std::move(finding));
}

void Findings::add(const SourceFile& file, Position at, std::string message) {
  Document place;
  place.file = file.name;
  add(place, at, std::move(message));
}

void Findings::add(const PodSet& pods, Position at, std::string message) {
  const Document* document = pods.object != nullptr ? pods.object->document : pods.values;
  add(*document, at.line > 0 ? at : pods.at, std::move(message));
  out_.back().object = pods.owner;
}

std::span<const Rule> rules() {
  static const std::vector<Rule> kRules = all_rules();
  return kRules;
}

std::size_t LintReport::count(Severity severity) const {
  return static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(), [&](const Finding& f) { return f.severity == severity; }));
}

LintReport lint(const Bundle& bundle, const LintOptions& options) {
  LintReport report;
  report.objects = bundle.objects.size();
  report.variant = options.variant != Variant::kUnknown ? options.variant : bundle.variant;
  const LintContext context{bundle, options, report.variant};
  for (const auto& problem : bundle.problems) report.findings.push_back(input_finding(problem));
  for (const Rule& rule : rules()) {
    Findings findings(rule, report.findings);
    rule.check(context, findings);
  }
  std::stable_sort(report.findings.begin(), report.findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.file, a.at.line, a.at.column, a.rule) < std::tie(b.file, b.at.line, b.at.column, b.rule);
  });
  std::vector<std::string> files;
  for (const auto& document : bundle.documents) files.push_back(document.file);
  for (const auto& file : bundle.templates) files.push_back(file.name);
  for (const auto& problem : bundle.problems) files.push_back(problem.file);
  std::sort(files.begin(), files.end());
  report.files = static_cast<std::size_t>(std::unique(files.begin(), files.end()) - files.begin());
  return report;
}

}  // namespace deploy
