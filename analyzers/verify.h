// Acceptance checks of a serving pattern: from what was observed at the gateway and at the replicas to rows with a
// verdict, each with what was seen, what was expected and what to do. Called by the verify verb; pure.
// A check that lacks its evidence is inconclusive and says what is missing; it is never a pass.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzers/analysis.h"
#include "analyzers/probe_ledger.h"
#include "analyzers/serial_probe.h"

namespace analyzers {

/// One GET: status 0 when no answer came.
struct RouteObservation {
  bool asked = false;
  int status = 0;
  std::string problem;
};

/// One request of the API checks.
struct ApiObservation {
  std::string id;              ///< "completion", "completion-stream", "chat", "chat-stream"
  int status = 0;              ///< 0: no answer
  std::size_t text_bytes = 0;
  bool whole = false;          ///< the answer is what the API promises, to its end
  bool finish_reason = false;  ///< "stop", "length", …; a null one is none
  std::uint32_t prompt_tokens = protocol::kUnknownCount, output_tokens = protocol::kUnknownCount, max_tokens = 0;
  std::string problem;
};

/// One probe of stickiness or spread.
struct ProbeObservation {
  ProbeJudgement judgement;
  bool reserved = false;       ///< judged by a reserved bucket
  std::uint32_t prompt_tokens = protocol::kUnknownCount, cached_tokens = protocol::kUnknownCount;
  std::string observed_name;   ///< what a response header says; compared, and used only when the user says so
};

struct ReplicaObservation {
  std::string name, metrics_url;
  RouteObservation health;
  std::string metrics_problem; ///< empty: the metrics were read
  std::optional<double> hit_tokens, queried_tokens;  ///< prefix cache, over the stickiness probes
};

struct VerifyObservations {
  int pattern = 3;                       ///< 1 or 3
  std::uint32_t expected_replicas = 0;   ///< 0: as many as are listed
  bool use_header = false;               ///< --attribution header
  bool cut_short = false;                ///< interrupted or out of time: later checks may be missing
  std::string why_cut;
  RouteObservation health, models;
  std::vector<std::string> model_ids;
  std::string model;                     ///< asked for; empty: none known
  std::vector<ReplicaObservation> replicas;
  std::vector<ApiObservation> api;
  std::vector<ProbeObservation> sticky, spread;
  std::size_t sticky_wanted = 0, spread_wanted = 0;
  double prefix_share = 0;               ///< of a stickiness prompt that all of them have in common
  bool reservation_broken = false;       ///< claims made by reserved buckets were withdrawn
  std::optional<ProbeLedger> ledger;     ///< none without replicas
};

enum class CheckVerdict { kPass, kFail, kInconclusive, kSkipped };
[[nodiscard]] const char* to_string(CheckVerdict verdict);  ///< "pass", "fail", "inconclusive", "skipped"

struct VerifyCheck {
  std::string id;      ///< "health", "models", "completion", …, "replica-list", "attribution", "stickiness", "cache-hits", "spread"
  CheckVerdict verdict = CheckVerdict::kSkipped;
  std::string observed, expected, action;  ///< action: what to do; empty for a pass
};

struct VerifyResult {
  CheckVerdict verdict = CheckVerdict::kPass;  ///< fail > inconclusive > pass; skipped does not count
  std::vector<VerifyCheck> checks;
};

/// The level that the spread test works at, and the power it is sized for.
inline constexpr double kSpreadLevel = 0.01, kSpreadPower = 0.85;
/// Share on one replica that the test is to find: 60 %, of two replicas 75 %.
[[nodiscard]] double spread_skew(std::size_t replicas);
/// Prompts that this takes, four per replica at least; 60 when there is nothing to size it by.
[[nodiscard]] std::size_t spread_prompts(std::size_t replicas);
/// A prefix is this many cache blocks long at least, and no shorter than any router's own hash block.
inline constexpr std::uint32_t kPrefixBlocks = 4, kLeastPrefixTokens = 512;
/// Tokens of shared prefix for replicas with these block sizes; 128-token pages are assumed where none is reported.
[[nodiscard]] std::uint32_t prefix_tokens(const std::vector<ReplicaTally>& replicas);

[[nodiscard]] VerifyResult verify_checks(const VerifyObservations& observed);

}  // namespace analyzers
