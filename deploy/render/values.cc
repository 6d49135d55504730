// Reads, checks and prints values files. See values.h.
#include "deploy/render/values.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/text.h"
#include "deploy/render/scalar.h"
#include "deploy/render/value_table.h"
#include "deploy/tpu.h"

namespace deploy {
namespace {

const std::string kNothing;

/// Collects "FILE:LINE:COLUMN: what; what to do".
struct Problems {
  std::string_view file;
  std::vector<std::string> lines;

  void add(Position at, const std::string& what, const std::string& fix = {}) {
    const Position place = at.line > 0 ? at : Position{1, 1};
    lines.push_back(std::string(file) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": " + what + (fix.empty() ? "" : "; " + fix));
  }
};

constexpr std::array<std::string_view, 3> kHead{"pattern", "variant", "pin"};

/// Keys directly below a group ("" for the top), for did-you-mean.
std::vector<std::string_view> siblings(std::string_view group) {
  std::vector<std::string_view> out;
  if (group.empty()) out.assign(kHead.begin(), kHead.end());
  for (const auto& spec : value_specs()) {
    std::string_view rest = spec.path;
    if (!group.empty()) {
      if (rest.rfind(std::string(group) + ".", 0) != 0) continue;
      rest.remove_prefix(group.size() + 1);
    }
    rest = rest.substr(0, rest.find('.'));
    if (std::find(out.begin(), out.end(), rest) == out.end()) out.push_back(rest);
  }
  return out;
}

void complain_unknown(const std::string& path, std::string_view group, std::string_view word, Position at, Problems& problems) {
  const auto near = core::did_you_mean(word, siblings(group));
  problems.add(at, "unknown key " + path, near ? "did you mean " + *near + "?" : "gatebench deploy render --print-values shows all keys");
}

void take(const Member& member, const std::string& group, BundleValues& values, std::map<std::string, Position>& places, Problems& problems) {
  const std::string path = group.empty() ? member.key : group + "." + member.key;
  const auto below = siblings(path);
  if (!below.empty()) {
    if (!member.value.is_map()) return problems.add(member.at, path + " is " + std::string(word_for(member.value.kind)) + ", not a mapping", "write its keys below it, indented");
    for (const auto& inner : member.value.members) take(inner, path, values, places, problems);
    return;
  }
  const ValueSpec* spec = find_spec(path);
  if (spec == nullptr) return complain_unknown(path, group, member.key, member.at, problems);
  if (!applies(*spec, values.key.variant)) {
    return problems.add(member.at, path + " is no key of the variant " + std::string(word_for(values.key.variant)), "remove it");
  }
  places[path] = member.value.at.line > 0 ? member.value.at : member.at;
  if (const auto fault = fault_of(*spec, member.value); !fault.empty()) {
    const std::string shown = member.value.is_scalar() ? " \"" + member.value.text + "\"" : "";
    return problems.add(places[path], path + shown + " " + fault, spec->note.empty() ? "" : std::string(spec->note));
  }
  // `yes` is a flag too.
  if (spec->kind == ValueKind::kFlag) return values.set(path, member.value.to_bool() ? "true" : "false");
  values.set(path, std::string(member.value.str()));
}

/// pattern, variant and pin: the command line's word and the file's must not differ.
void settle_key(const Node& root, const BundleChoice& choice, BundleKey& key, Problems& problems) {
  const Node& pattern = root["pattern"];
  const Node& variant = root["variant"];
  const Node& pin = root["pin"];
  if (pattern.exists()) {
    const auto number = pattern.integer();
    if (!number || *number < 1 || *number > 3) problems.add(pattern.at, "pattern is \"" + pattern.text + "\"", "1, 2 or 3");
    else if (choice.pattern && *choice.pattern != *number) problems.add(pattern.at, "pattern is " + pattern.text + ", the command line says " + std::to_string(*choice.pattern), "change one of them");
    else key.pattern = static_cast<int>(*number);
  }
  if (variant.exists()) {
    const auto word = parse_variant(variant.str());
    if (!word) problems.add(variant.at, "variant is \"" + variant.text + "\"", "gke, istio-kserve or plain");
    else if (choice.variant && *choice.variant != *word) problems.add(variant.at, "variant is " + variant.text + ", the command line says " + std::string(word_for(*choice.variant)), "change one of them");
    else key.variant = *word;
  }
  if (pin.exists()) {
    const auto word = parse_pin(pin.str());
    if (!word) problems.add(pin.at, "pin is \"" + pin.text + "\"", "early-2026 or current");
    else if (choice.pin && *choice.pin != *word) problems.add(pin.at, "pin is " + pin.text + ", the command line says " + std::string(word_for(*choice.pin)), "change one of them");
    else key.pin = *word;
  }
}

BundleKey key_of(const BundleChoice& choice) {
  BundleKey key;
  key.pattern = choice.pattern.value_or(3);
  key.variant = choice.variant.value_or(Variant::kPlain);
  key.pin = choice.pin.value_or(Pin::kCurrent);
  return key;
}

core::Error joined(const std::vector<std::string>& lines) {
  std::string message;
  for (const auto& line : lines) message += (message.empty() ? "" : "\n") + line;
  return core::fail(core::ErrorCode::kInvalid, message, "gatebench deploy render --print-values shows all keys");
}

/// A scalar of the values file that reads back as the same text, whoever reads it.
std::string printed(const ValueSpec& spec, const std::string& text) {
  if (spec.kind == ValueKind::kSchedule && !text.empty()) return "\"" + text + "\"";
  const bool typed = spec.kind == ValueKind::kInteger || spec.kind == ValueKind::kNumber || spec.kind == ValueKind::kFlag;
  return typed && !text.empty() ? text : yaml_string(text);
}

}  // namespace

const std::string& BundleValues::text(std::string_view path) const {
  const auto at = values_.find(path);
  return at == values_.end() ? kNothing : at->second;
}

std::int64_t BundleValues::integer(std::string_view path) const { return core::parse_integer(text(path)).value_or(0); }

double BundleValues::number(std::string_view path) const { return core::parse_number(text(path)).value_or(0); }

BundleValues default_values(const BundleKey& key) {
  BundleValues values;
  values.key = key;
  for (const auto& spec : value_specs()) {
    if (applies(spec, key.variant)) values.set(spec.path, default_of(spec, key));
  }
  return values;
}

core::Result<BundleValues> read_values(std::string_view text, std::string_view file, const BundleChoice& choice) {
  Problems problems{file, {}};
  const auto parsed = parse_documents(text, file);
  for (const auto& p : parsed.problems) problems.add(p.at, p.message, p.fix);
  if (parsed.documents.size() > 1) problems.add(parsed.documents[1].root.at, "a second document", "one values file is one document");
  static const Node kEmpty;
  const Node& root = parsed.documents.empty() ? kEmpty : parsed.documents.front().root;
  if (root.exists() && !root.is_map()) problems.add(root.at, "is " + std::string(word_for(root.kind)) + ", not a mapping");
  BundleKey key = key_of(choice);
  settle_key(root, choice, key, problems);
  BundleValues values = default_values(key);
  std::map<std::string, Position> places;
  for (const auto& member : root.members) {
    if (std::find(kHead.begin(), kHead.end(), member.key) == kHead.end()) take(member, "", values, places, problems);
  }
  for (const auto& conflict : conflicts_of(values)) {
    const auto at = places.find(conflict.path);
    problems.add(at == places.end() ? Position{} : at->second, conflict.message, conflict.fix);
  }
  if (!problems.lines.empty()) return joined(problems.lines);
  return values;
}

BundleValues values_of(const BundleChoice& choice) { return default_values(key_of(choice)); }

std::string print_values(const BundleValues& values) {
  std::string out = "# Values of a gatebench bundle. Unknown keys are errors; what is left out takes the default shown here.\n";
  out += "pattern: " + std::to_string(values.key.pattern) + "\nvariant: " + std::string(word_for(values.key.variant)) + "\npin: " + std::string(word_for(values.key.pin)) +
         "        # versions that belong together: early-2026 or current\n";
  std::string group;
  for (const auto& spec : value_specs()) {
    if (!applies(spec, values.key.variant)) continue;
    const auto dot = spec.path.find('.');
    const std::string own(dot == std::string_view::npos ? std::string_view() : spec.path.substr(0, dot));
    if (own != group && !own.empty()) out += own + ":\n";
    group = own;
    const std::string_view name = own.empty() ? spec.path : spec.path.substr(dot + 1);
    std::string line = (own.empty() ? "" : "  ") + std::string(name) + ": " + printed(spec, values.text(spec.path));
    if (!spec.note.empty()) line += std::string(line.size() < 40 ? 40 - line.size() : 2, ' ') + "# " + std::string(spec.note);
    out += line + "\n";
  }
  return out;
}

}  // namespace deploy
