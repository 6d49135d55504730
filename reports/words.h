// The words of verdicts, in JSON and for people. Used by every renderer, so that all of them say the same.
// Must never be the only carrier of meaning next to colour: each verdict has a word and a symbol.
#pragma once

#include <string_view>

#include "analyzers/analysis.h"

namespace reports {

/// "pass", "fail", "inconclusive", "invalid", "not_judged": the JSON's values.
[[nodiscard]] std::string_view verdict_key(analyzers::Verdict verdict);
/// "PASS", "FAIL", "INCONCLUSIVE", "INVALID", "NOT JUDGED".
[[nodiscard]] std::string_view verdict_word(analyzers::Verdict verdict);
[[nodiscard]] std::string_view verdict_symbol(analyzers::Verdict verdict);        ///< one Unicode character
[[nodiscard]] std::string_view verdict_ascii_symbol(analyzers::Verdict verdict);  ///< "[+]", "[x]", "[?]", "[!]", "[-]"
/// "throughput", "ttft", "itl", "all".
[[nodiscard]] std::string_view family_key(analyzers::MetricFamily family);

}  // namespace reports
