// The small values file of a bundle: every key with its default, comment and bounds in one table. Read by
// `gatebench deploy render` and `runbook`; written into every bundle, so that it can be rendered again from there.
// Pure: files are read and written by the command line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "deploy/bundle.h"
#include "deploy/lint.h"

namespace deploy {

/// Which bundle: a pattern of serving, how it is deployed, and versions that belong together.
struct BundleKey {
  int pattern = 3;
  Variant variant = Variant::kPlain;
  Pin pin = Pin::kCurrent;
};

/// What the command line states; the rest comes from the values file, else from the defaults.
struct BundleChoice {
  std::optional<int> pattern;
  std::optional<Variant> variant;
  std::optional<Pin> pin;
};

class BundleValues {
 public:
  BundleKey key;

  /// A value as text; empty for a key that this variant does not have.
  [[nodiscard]] const std::string& text(std::string_view path) const;
  [[nodiscard]] std::int64_t integer(std::string_view path) const;
  [[nodiscard]] double number(std::string_view path) const;
  [[nodiscard]] bool flag(std::string_view path) const { return text(path) == "true"; }
  void set(std::string_view path, std::string value) { values_[std::string(path)] = std::move(value); }
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& all() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

[[nodiscard]] BundleValues default_values(const BundleKey& key);
/// A values file over the defaults. kInvalid holds every error, one per line: "FILE:LINE:COLUMN: what; what to do".
[[nodiscard]] core::Result<BundleValues> read_values(std::string_view text, std::string_view file, const BundleChoice& choice);
/// The choice over the defaults: Pattern 3, plain, current where nothing is said.
[[nodiscard]] BundleValues values_of(const BundleChoice& choice);
/// The values as a file with comments: what `--print-values` shows.
[[nodiscard]] std::string print_values(const BundleValues& values);

/// What does not fit together: chips and topology, replicas and node pool, names and their limits. By path.
struct ValueConflict {
  std::string path, message, fix;
};
[[nodiscard]] std::vector<ValueConflict> conflicts_of(const BundleValues& values);

}  // namespace deploy
