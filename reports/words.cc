// The words of verdicts, in JSON and for people. Called by json, html and text renderers.
// Must never compute anything.
#include "reports/words.h"

namespace reports {

using analyzers::MetricFamily;
using analyzers::Verdict;

std::string_view verdict_key(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "pass";
    case Verdict::kFail: return "fail";
    case Verdict::kInconclusive: return "inconclusive";
    case Verdict::kInvalid: return "invalid";
    case Verdict::kNotJudged: break;
  }
  return "not_judged";
}

std::string_view verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "PASS";
    case Verdict::kFail: return "FAIL";
    case Verdict::kInconclusive: return "INCONCLUSIVE";
    case Verdict::kInvalid: return "INVALID";
    case Verdict::kNotJudged: break;
  }
  return "NOT JUDGED";
}

std::string_view verdict_symbol(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "\u2713";
    case Verdict::kFail: return "\u2717";
    case Verdict::kInconclusive: return "?";
    case Verdict::kInvalid: return "!";
    case Verdict::kNotJudged: break;
  }
  return "\u2013";
}

std::string_view verdict_ascii_symbol(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "[+]";
    case Verdict::kFail: return "[x]";
    case Verdict::kInconclusive: return "[?]";
    case Verdict::kInvalid: return "[!]";
    case Verdict::kNotJudged: break;
  }
  return "[-]";
}

std::string_view family_key(MetricFamily family) {
  switch (family) {
    case MetricFamily::kThroughput: return "throughput";
    case MetricFamily::kTtft: return "ttft";
    case MetricFamily::kItl: return "itl";
    case MetricFamily::kAll: break;
  }
  return "all";
}

}  // namespace reports
