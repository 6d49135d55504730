// How verify's rows look: a table for people, JSON for programs. Used by the verify verb alone; it judges nothing.
#pragma once

#include <string>

#include "bench/cli/verify_session.h"

namespace bench::cli {

/// `target`: without credentials.
[[nodiscard]] std::string verify_text(const VerifyOutcome& outcome, const std::string& target, std::size_t width, bool colour);
[[nodiscard]] std::string verify_json(const VerifyOutcome& outcome, const std::string& target);

}  // namespace bench::cli
