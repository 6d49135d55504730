#include "bench/cli/exit_code.h"

namespace bench::cli {

ExitCode exit_code_of(core::ErrorCode code) {
  switch (code) {
    case core::ErrorCode::kInvalid:
    case core::ErrorCode::kUnsupported: return kExitUsage;
    case core::ErrorCode::kUnreachable:
    case core::ErrorCode::kTimeout: return kExitUnreachable;
    case core::ErrorCode::kCancelled: return kExitInterrupted;
    case core::ErrorCode::kInternal:
    case core::ErrorCode::kIo:
    case core::ErrorCode::kProtocol: return kExitInternal;
  }
  return kExitInternal;
}

ExitCode exit_code_of(const analyzers::Analysis& analysis) {
  using analyzers::Verdict;
  if (analysis.status == "aborted") return kExitInterrupted;
  bool invalid = false, failed = false, inconclusive = false;
  for (const auto& gate : analysis.gates) {
    if (gate.warn_only || gate.as_expected) continue;
    invalid |= gate.verdict == Verdict::kInvalid || gate.verdict == Verdict::kNotJudged;
    failed |= gate.verdict == Verdict::kFail;
    inconclusive |= gate.verdict == Verdict::kInconclusive;
    // A pass where another verdict was expected is news of its own: the expectation is what failed.
    failed |= gate.verdict == Verdict::kPass;
  }
  if (analysis.gates.empty()) invalid = analysis.validity.verdict == Verdict::kInvalid;
  if (invalid) return kExitInvalid;
  if (failed) return kExitGateFailed;
  return inconclusive ? kExitInconclusive : kExitOk;
}

}  // namespace bench::cli
