// See deploy_options.h.
#include "bench/cli/deploy_options.h"

#include <fmt/format.h>

#include <array>
#include <iostream>
#include <iterator>

#include "bench/cli/files.h"
#include "core/text.h"

namespace bench::cli {
namespace {

template <std::size_t N>
std::string unknown(std::string_view option, const std::string& word, const std::array<std::string_view, N>& known) {
  std::string list;
  for (const auto k : known) list += (list.empty() ? "" : ", ") + std::string(k);
  const auto near = core::did_you_mean(word, known);
  return fmt::format("--{} {} is unknown; {}{}\n", option, word, near ? "did you mean " + *near + "? " : "", "known: " + list);
}

}  // namespace

void DeployOptions::declare(OptionTable& o) {
  o.option("pattern", "N", "1: one replica, 2: a second model beside, 3: scale-out (default 3, or the values file's)", &pattern_);
  o.option("variant", "NAME", "gke, istio-kserve or plain (default plain, or the values file's)", &variant_);
  o.option("pin", "NAME", "versions that belong together: early-2026 or current (default current, or the values file's)", &pin_);
  o.option("values", "FILE", "values file, - for standard input (see --print-values of deploy render)", &file_).letter = 'f';
}

core::Result<deploy::BundleValues> DeployOptions::resolve() const {
  static constexpr std::array<std::string_view, 3> kVariants{"gke", "istio-kserve", "plain"};
  static constexpr std::array<std::string_view, 2> kPins{"early-2026", "current"};
  deploy::BundleChoice choice;
  std::string errors;
  if (pattern_ && (*pattern_ < 1 || *pattern_ > 3)) errors += fmt::format("--pattern {} is unknown; known: 1, 2, 3\n", *pattern_);
  else if (pattern_) choice.pattern = static_cast<int>(*pattern_);
  if (!variant_.empty() && !(choice.variant = deploy::parse_variant(variant_))) errors += unknown("variant", variant_, kVariants);
  if (!pin_.empty() && !(choice.pin = deploy::parse_pin(pin_))) errors += unknown("pin", pin_, kPins);
  if (!errors.empty()) {
    errors.pop_back();
    return core::fail(core::ErrorCode::kInvalid, errors, "gatebench deploy list shows what there is");
  }
  if (file_.empty()) return deploy::values_of(choice);
  if (file_ == "-") return deploy::read_values(std::string(std::istreambuf_iterator<char>(std::cin), {}), "(stdin)", choice);
  auto text = read_file(file_, 1u << 20);
  if (!text) return text.error();
  return deploy::read_values(*text, file_, choice);
}

}  // namespace bench::cli
