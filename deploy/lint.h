// The linter: rules over a Bundle. Called by `gatebench deploy lint` and by render's tests.
// A rule never looks at the network or at files; what it cannot know it does not judge.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "deploy/bundle.h"

namespace deploy {

class SchemaSet;  // deploy/schema_set.h

enum class Severity : std::uint8_t { kError, kWarning, kNote };
[[nodiscard]] std::string_view word_for(Severity severity);

/// Versions that belong together; mixing them is the commonest fault.
enum class Pin : std::uint8_t { kEarly2026, kCurrent };
[[nodiscard]] std::string_view word_for(Pin pin);  ///< "early-2026", "current"
[[nodiscard]] std::optional<Pin> parse_pin(std::string_view text);

struct Finding {
  std::string rule;                ///< "L24"
  Severity severity = Severity::kError;
  std::string file, object;        ///< object: Object::title(), maybe empty
  Position at;
  std::string message, fix;
};

struct LintOptions {
  std::optional<int> pattern;      ///< 1, 2, 3; none: rules of a pattern judge what the bundle shows
  std::optional<Pin> pin;          ///< none: either is right
  Variant variant = Variant::kUnknown;  ///< kUnknown: as the bundle shows
  const SchemaSet* crds = nullptr; ///< besides the built-in ones
};

/// What a rule is given. `variant` is settled.
struct LintContext {
  const Bundle& bundle;
  const LintOptions& options;
  Variant variant = Variant::kUnknown;
};

/// Where a rule puts what it finds; the rule's id, severity and fix are filled in.
class Findings {
 public:
  explicit Findings(const struct Rule& rule, std::vector<Finding>& out) : rule_(rule), out_(out) {}
  void add(const Object& object, Position at, std::string message);
  void add(const Document& document, Position at, std::string message);
  void add(const PodSet& pods, Position at, std::string message);
  void add(const SourceFile& file, Position at, std::string message);
  /// As above with another severity or remedy than the rule's usual one.
  Finding& last() { return out_.back(); }

 private:
  const Rule& rule_;
  std::vector<Finding>& out_;
};

struct Rule {
  std::string_view id;             ///< "L01" … "L68"
  Severity severity = Severity::kError;
  std::string_view title;          ///< what is checked, a few words
  std::string_view why;            ///< what fails otherwise
  std::string_view fix;            ///< what to do
  std::string_view source;         ///< where the fault was seen: "seed 3, weights"; may be empty
  void (*check)(const LintContext&, Findings&) = nullptr;
};

/// All rules, by id.
[[nodiscard]] std::span<const Rule> rules();

struct LintReport {
  std::vector<Finding> findings;   ///< by file, line, rule
  std::size_t files = 0, objects = 0;
  Variant variant = Variant::kUnknown;
  [[nodiscard]] std::size_t count(Severity severity) const;
};

/// Input problems come as rule "L00".
[[nodiscard]] LintReport lint(const Bundle& bundle, const LintOptions& options);

enum class LintFormat : std::uint8_t { kText, kJson, kSarif };
/// SARIF 2.1.0 for `sarif`. `colour`: of text.
/// The rules themselves; SARIF is not for that and gives JSON.
[[nodiscard]] std::string render_rules(LintFormat format);
[[nodiscard]] std::string render_lint(const LintReport& report, LintFormat format, bool colour = false);

}  // namespace deploy
