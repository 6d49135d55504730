// Exit codes of the command line (documented in the README) and how errors and verdicts map to them.
#pragma once

#include "analyzers/analysis.h"
#include "core/result.h"

namespace bench::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitInternal = 1,
  kExitUsage = 2,
  kExitGateFailed = 3,
  kExitInconclusive = 4,
  kExitInvalid = 5,
  kExitUnreachable = 6,
  kExitInterrupted = 130
};

[[nodiscard]] ExitCode exit_code_of(core::ErrorCode code);
/// Over gates: 0 when every verdict is the expected one, else by the worst unexpected verdict.
[[nodiscard]] ExitCode exit_code_of(const analyzers::Analysis& analysis);

}  // namespace bench::cli
