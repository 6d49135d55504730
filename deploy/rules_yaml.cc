// Rules on how values are written: unquoted scalars where strings belong, labels, names, duplicates. L05 to L10.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <tuple>

#include "deploy/rule_groups.h"

namespace deploy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

void want_string(const Node& value, const std::string& where, const Document& document, Findings& findings) {
  // kustomize writes a timestamp out with its time.
  if (value.is_string() && value.plain && reads_as_date(value.text)) findings.add(document, value.at, where + " is " + value.text + ", which unquoted is a date, not a string");
  if (!value.is_scalar() || value.is_string()) return;
  findings.add(document, value.at, where + " is " + value.text + ", which unquoted is " + std::string(word_for(value.kind)) + ", not a string");
}

void want_string_map(const Node& map, const std::string& where, const Document& document, Findings& findings) {
  for (const auto& member : map.members) want_string(member.value, where + "." + member.key, document, findings);
}

void want_string_list(const Node& list, const std::string& where, const Document& document, Findings& findings) {
  for (const auto& item : list.items) want_string(item, where, document, findings);
}

constexpr std::array<std::string_view, 5> kStringMaps{"labels", "annotations", "matchLabels", "nodeSelector", "podLabels"};
constexpr std::array<std::string_view, 4> kStrings{"namespace", "image", "gatewayClassName", "serviceAccountName"};

/// Everywhere in a document: maps of strings, containers' env, args and command.
void walk_strings(const Node& node, const Document& document, Findings& findings) {
  for (const auto& member : node.members) {
    const Node& value = member.value;
    if (std::find(kStringMaps.begin(), kStringMaps.end(), member.key) != kStringMaps.end()) want_string_map(value, member.key, document, findings);
    else if (std::find(kStrings.begin(), kStrings.end(), member.key) != kStrings.end()) want_string(value, member.key, document, findings);
    else if (member.key == "args" || member.key == "command") want_string_list(value, member.key, document, findings);
    else if (member.key == "env") {
      for (const auto& variable : value.items) want_string(variable["value"], "env " + std::string(variable["name"].str()), document, findings);
    } else {
      walk_strings(value, document, findings);
    }
  }
  for (const auto& item : node.items) walk_strings(item, document, findings);
}

/// What "labels", "env" and the like mean is known of the groups that the guides use, and of helm values; in others' objects
/// only metadata is sure, and in a definition not even that they are values.
const Node& known_part(const Node& root) {
  static constexpr std::array<std::string_view, 17> kGroups{"", "apps", "batch", "autoscaling", "policy", "rbac.authorization.k8s.io", "networking.k8s.io", "gateway.networking.k8s.io", "inference.networking.k8s.io",
                                                            "inference.networking.x-k8s.io", "llm-d.ai", "serving.kserve.io", "networking.istio.io", "security.istio.io", "networking.gke.io", "monitoring.googleapis.com", "kustomize.config.k8s.io"};
  static constexpr std::array<std::string_view, 3> kMonitors{"PodMonitor", "ServiceMonitor", "Probe"};
  const auto kind = root["kind"].str(), version = root["apiVersion"].str();
  if (version.empty() || kind.empty()) return root;
  const auto slash = version.find('/');
  const auto group = slash == std::string_view::npos ? std::string_view() : version.substr(0, slash);
  const bool monitor = group == "monitoring.coreos.com" && std::find(kMonitors.begin(), kMonitors.end(), kind) != kMonitors.end();
  return monitor || std::find(kGroups.begin(), kGroups.end(), group) != kGroups.end() ? root : root["metadata"];
}

void strings_are_strings(const LintContext& context, Findings& findings) {
  for (const auto& document : context.bundle.documents) {
    walk_strings(known_part(document.root), document, findings);
    want_string(document.root.path({"metadata", "name"}), "metadata.name", document, findings);
    if (document.root["kind"].str() == "ConfigMap") want_string_map(document.root["data"], "data", document, findings);
  }
}

bool alphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

/// kubernetes.io, "Labels and Selectors": at most 63 characters, alphanumeric ends, '-', '_' and '.' inside.
bool label_value(std::string_view text) {
  if (text.empty()) return true;
  return text.size() <= 63 && alphanumeric(text.front()) && alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool label_key(std::string_view text) {
  const auto slash = text.find('/');
  const auto name = slash == std::string_view::npos ? text : text.substr(slash + 1);
  const bool prefix_fits = slash == std::string_view::npos || (slash > 0 && slash <= 253);
  return prefix_fits && !name.empty() && label_value(name);
}

constexpr std::array<std::string_view, 4> kLabelMaps{"labels", "matchLabels", "nodeSelector", "podLabels"};

void walk_labels(const Node& node, const Document& document, Findings& findings) {
  for (const auto& member : node.members) {
    if (std::find(kLabelMaps.begin(), kLabelMaps.end(), member.key) == kLabelMaps.end() || !member.value.is_map()) {
      walk_labels(member.value, document, findings);
      continue;
    }
    for (const auto& label : member.value.members) {
      if (!label_key(label.key)) findings.add(document, label.at, "label key " + quoted(label.key) + " is not allowed");
      if (label.value.is_string() && !label_value(label.value.text)) findings.add(document, label.value.at, "label " + label.key + ": " + quoted(label.value.text) + " is not allowed");
    }
  }
  for (const auto& item : node.items) walk_labels(item, document, findings);
}

void labels_are_legal(const LintContext& context, Findings& findings) {
  for (const auto& document : context.bundle.documents) walk_labels(known_part(document.root), document, findings);
}

/// RFC 1123 label, or with dots a subdomain.
bool dns_name(std::string_view text, bool dots, std::size_t most) {
  const auto fits = [&](char c) { return (std::islower(static_cast<unsigned char>(c)) != 0) || (std::isdigit(static_cast<unsigned char>(c)) != 0) || c == '-' || (dots && c == '.'); };
  return !text.empty() && text.size() <= most && alphanumeric(text.front()) && alphanumeric(text.back()) && std::all_of(text.begin(), text.end(), fits);
}

constexpr std::array<std::string_view, 3> kLabelNamed{"Service", "Namespace", "InferencePool"};

/// Longest name that a kind's children are made from; 0: no limit of its own.
std::size_t most_for_children(std::string_view kind) {
  // "<name>-kserve-router-scheduler-" and a pod's hash stay below 63 only up to here; longer names are hashed.
  if (kind == "LLMInferenceService") return 29;
  return 0;
}

void names_are_legal(const LintContext& context, Findings& findings) {
  for (const auto& object : context.bundle.objects) {
    const Node& name = object.metadata()["name"];
    if (object.kind == "Kustomization" || !name.is_string()) continue;
    const bool label = std::find(kLabelNamed.begin(), kLabelNamed.end(), object.kind) != kLabelNamed.end();
    // RBAC names are path segments, not DNS names.
    const bool rbac = object.group == "rbac.authorization.k8s.io";
    if (!rbac && !dns_name(name.text, !label, label ? 63 : 253)) findings.add(object, name.at, "the name " + quoted(name.text) + " is no DNS-1123 " + (label ? "label" : "name"));
    const std::size_t most = most_for_children(object.kind);
    if (most > 0 && name.text.size() > most) {
      findings.add(object, name.at, "the name has " + std::to_string(name.text.size()) + " characters: children's names exceed 63 and are hashed, so selectors and routes by name miss them");
    }
  }
}

bool same_value(const Node& a, const Node& b) {
  const auto same_member = [](const Member& x, const Member& y) { return x.key == y.key && same_value(x.value, y.value); };
  return a.kind == b.kind && a.text == b.text && std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same_value) &&
         std::equal(a.members.begin(), a.members.end(), b.members.begin(), b.members.end(), same_member);
}

void objects_are_unique(const LintContext& context, Findings& findings) {
  std::map<std::tuple<std::string, std::string, std::string, std::string>, const Object*> seen;
  for (const auto& object : context.bundle.objects) {
    if (object.name.empty()) continue;
    const auto [at, fresh] = seen.insert({{object.group, object.kind, object.name_space, object.name}, &object});
    if (fresh) continue;
    const auto& first = *at->second->document;
    const bool same = same_value(first.root, object.root());
    findings.add(object, object.metadata()["name"].at, "is defined twice" + std::string(same ? ", alike" : "") + ", first in " + first.file + ":" + std::to_string(first.root.at.line));
    // Bundles that share a Namespace or a Gateway each bring it.
    if (same) findings.last().severity = Severity::kNote;
  }
}

void environment_is_unique(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    for (const Node* container : containers_of(*pods.pod_spec, true)) {
      std::set<std::string> seen;
      for (const auto& variable : (*container)["env"].items) {
        const std::string name(variable["name"].str());
        if (!name.empty() && !seen.insert(name).second) findings.add(pods, variable.at, "container " + std::string((*container)["name"].str()) + " sets " + name + " twice");
      }
    }
  }
  // The chart sets HF_TOKEN from authSecretName; an override that sets it again is the second.
  for (const auto& pods : context.bundle.pods) {
    if (pods.values == nullptr || !pods.values->root.path({"modelArtifacts", "authSecretName"}).is_string()) continue;
    for (const Node* container : containers_of(*pods.pod_spec)) {
      for (const auto& variable : (*container)["env"].items) {
        if (variable["name"].str() == "HF_TOKEN") findings.add(pods, variable.at, "HF_TOKEN is set here and again by the chart from authSecretName");
      }
    }
  }
}

/// Flags that vLLM collects.
constexpr std::array<std::string_view, 3> kRepeatable{"--middleware", "--lora-modules", "--allowed-origins"};

/// Where a shell begins another command.
bool ends_command(std::string_view word) {
  static constexpr std::array<std::string_view, 9> kWords{";", "&&", "||", "|", "&", "then", "else", "fi", "do"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end() || (!word.empty() && word.back() == ';');
}

/// Of servers and pickers: which flags other programs collect is not known here.
void flags_are_unique(const LintContext& context, Findings& findings) {
  for (const auto& pods : context.bundle.pods) {
    if (pods.role != PodRole::kModelServer && pods.role != PodRole::kPicker) continue;
    for (const Node* container : containers_of(*pods.pod_spec)) {
      std::set<std::string> seen;
      for (const auto& word : command_words(*container)) {
        const std::string flag = word.text.substr(0, word.text.find('='));
        if (ends_command(word.text)) seen.clear();
        if (std::find(kRepeatable.begin(), kRepeatable.end(), flag) != kRepeatable.end()) continue;
        if (flag.rfind("--", 0) == 0 && flag.size() > 2 && !seen.insert(flag).second) findings.add(pods, word.at, flag + " is given twice; the last one counts");
      }
      const Node& tensor = pods.pod_spec->path({"parallelism", "tensor"});
      if (pods.values != nullptr && tensor.integer().value_or(1) > 1 && seen.count("--tensor-parallel-size") != 0) {
        findings.add(pods, container->at, "--tensor-parallel-size is given here and again by the chart from parallelism.tensor");
      }
    }
  }
}

constexpr std::array kRules{
    Rule{"L05", Severity::kError, "strings are quoted where YAML 1.1 would not read one", "kubectl reads y, on, 1.0 and 0x1f as other types; the API server then refuses them, or kustomize rewrites them",
         "quote the value", "", strings_are_strings},
    Rule{"L06", Severity::kError, "label keys and values are legal", "the API server refuses the object",
         "at most 63 characters of letters, digits, '-', '_' and '.'; put a model's name with its slash into an annotation", "podLabels with a model's name", labels_are_legal},
    Rule{"L07", Severity::kError, "names are legal, and short enough for what is derived from them", "the API server refuses them, or controllers hash the names of children",
         "use lower-case letters, digits and '-', and a shorter name", "", names_are_legal},
    Rule{"L08", Severity::kError, "no object is defined twice", "the later one silently replaces the earlier", "remove one, or give it another name", "", objects_are_unique},
    Rule{"L09", Severity::kError, "no environment variable is set twice", "the last one wins, and strategic merge drops one: HF_TOKEN may be empty",
         "keep one definition", "the pattern's overrides beside the chart", environment_is_unique},
    Rule{"L10", Severity::kWarning, "no flag is given twice", "the last one counts, which may not be the one you look at", "keep one", "", flags_are_unique}};

}  // namespace

bool quoting_rule_judges(const Node& root, std::string_view path) {
  const std::string padded = "." + std::string(path);
  // Keys of such maps hold dots themselves, so a map anywhere above will do.
  const bool in_map = std::any_of(kStringMaps.begin(), kStringMaps.end(), [&](std::string_view map) { return padded.find("." + std::string(map) + ".") != std::string::npos; });
  if (in_map || path == "metadata.name" || (root["kind"].str() == "ConfigMap" && path.rfind("data.", 0) == 0)) return true;
  const std::string last = padded.substr(padded.rfind('.') + 1), name = last.substr(0, last.find('['));
  if (std::find(kStrings.begin(), kStrings.end(), name) != kStrings.end() || name == "args" || name == "command") return true;
  const auto env = padded.rfind(".env[");
  return name == "value" && env != std::string::npos && padded.find('.', env + 1) == padded.rfind('.');
}

std::span<const Rule> yaml_rules() { return kRules; }

}  // namespace deploy
