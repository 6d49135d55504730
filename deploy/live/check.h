// Live checks: does the cluster run what the values say, and does the gateway use its picker? Called by `gatebench deploy check`.
// A check reads a ClusterState and nothing else. What was not captured, or may not be read, is unknown: neither passed nor failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/live/cluster_state.h"
#include "deploy/live/expectation.h"

namespace deploy {

/// Worse ones are later.
enum class CheckState : std::uint8_t { kSkipped, kPassed, kWarned, kUnknown, kFailed };
[[nodiscard]] std::string_view word_for(CheckState state);

struct CheckLine {
  CheckState state = CheckState::kPassed;
  std::string subject;    ///< "Pod llm-d/x"
  std::string observed, expected;
  std::string remedy;     ///< empty where there is nothing to do
};

struct CheckResult {
  std::string_view id, title;
  CheckState state = CheckState::kSkipped;   ///< the worst of its lines
  std::vector<CheckLine> lines;
};

struct CheckContext {
  const ClusterState& state;
  const Expectation& want;
};

/// Where a check puts what it sees.
class Judgement {
 public:
  explicit Judgement(CheckResult& result) : result_(result) {}
  void passed(std::string subject, std::string observed);
  void failed(std::string subject, std::string observed, std::string expected, std::string remedy);
  void warned(std::string subject, std::string observed, std::string expected, std::string remedy);
  void unknown(std::string subject, std::string observed, std::string expected, std::string remedy);
  void skipped(std::string subject, std::string why);
  /// The kind's objects were captured; else says why not, once.
  bool captured(const CheckContext& context, std::string_view kind);

 private:
  void add(CheckState state, std::string subject, std::string observed, std::string expected, std::string remedy);
  CheckResult& result_;
};

inline constexpr unsigned kOnGke = 1, kOnKserve = 2, kOnPlain = 4, kEverywhere = 7;
struct Check {
  std::string_view id, title;
  unsigned variants = kEverywhere;
  void (*run)(const CheckContext&, Judgement&) = nullptr;
};
/// C1 … C10, K1 … K10.
[[nodiscard]] std::span<const Check> checks();

struct CheckReport {
  std::vector<CheckResult> results;   ///< of the checks that the variant has
  [[nodiscard]] std::size_t count(CheckState state) const;
  [[nodiscard]] CheckState worst() const;
};
[[nodiscard]] CheckReport check_deployment(const ClusterState& state, const Expectation& want);

struct CheckText {
  bool colour = false, verbose = false;   ///< verbose: every line of every check
};
[[nodiscard]] std::string render_check_text(const CheckReport& report, const Expectation& want, const CheckText& how);
[[nodiscard]] std::string render_check_json(const CheckReport& report, const Expectation& want);

}  // namespace deploy
