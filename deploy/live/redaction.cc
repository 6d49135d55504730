// See redaction.h.
#include "deploy/live/redaction.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "core/text.h"

namespace deploy {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kRedacted = "(redacted)";
/// A name that ends in one of these, whatever is before it; "tokens" is a number of them.
constexpr std::string_view kNames = "(?:token|secret|password|passwd|passphrase|api[_-]?key|private[_-]?key|access[_-]?key|credentials?|authorization)";

/// The patterns, compiled once per text.
class Scrubber {
 public:
  Scrubber() {
    const std::string names(kNames);
    add(R"((://)[^/\s@"']+@)", R"(\1(redacted)@)");
    add(R"((?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,})", R"(\1 (redacted))");
    add(R"((?i)(\b(?:proxy-)?authorization["']?[ \t]*[:=][ \t]*["']?)[^"'\r\n]+)", R"(\1(redacted))");
    add(R"((?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z))", R"((redacted))");
    // Of forms that no name of Kubernetes has: an underscore, capitals, or a run without a dash.
    add(R"(\b(?:hf_|gh[pousr]_|github_pat_|ya29\.|AKIA)[A-Za-z0-9_.-]{8,})", R"((redacted))");
    add(R"(\b(?:sk|pk|glpat|xox[abp])-(?:[A-Za-z0-9]{1,12}-){0,3}[A-Za-z0-9_]{20,}[A-Za-z0-9_-]*)", R"((redacted))");
    add(R"(\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*)", R"((redacted))");
    assignment_ = std::make_unique<RE2>("(?i)\\b([a-z0-9_.-]*(?:" + names + "|_pat|_pass|_pwd|_auth)(?:[_-][a-z0-9_-]*)?[\"']?[ \\t]*[=:][ \\t]*)(?:\"[^\"]*\"|'[^']*'|\\[[^\\]]*\\]|[^\\s\"',;&{\\[(]+)");
    flag_value_ = std::make_unique<RE2>("(?i)((?:^|[\\s\"'(=,])--?[a-z0-9_-]*" + names + "[\"']?[ \\t]+)(?:\"[^\"]*\"|'[^']*'|[^\\s\"'-][^\\s\"']*)");
    flag_ = std::make_unique<RE2>("(?i)--?[a-z0-9_-]*" + names);
    name_ = std::make_unique<RE2>("(?i).*(?:" + names + "|key|_pat|_pass|_pwd|_auth).*");
  }

  /// What is no secret's place, such as a status: only what looks like one by itself.
  void scrub(std::string& text) const {
    for (const auto& [pattern, rewrite] : anywhere_) RE2::GlobalReplace(&text, *pattern, rewrite);
  }
  /// Commands and configurations: assignments and flags too.
  void scrub_command(std::string& text) const {
    scrub(text);
    RE2::GlobalReplace(&text, *assignment_, R"(\1(redacted))");
    RE2::GlobalReplace(&text, *flag_value_, R"(\1(redacted))");
  }
  [[nodiscard]] bool is_flag(const std::string& word) const { return RE2::FullMatch(word, *flag_); }
  [[nodiscard]] bool names_a_credential(const std::string& name) const { return RE2::FullMatch(name, *name_); }

 private:
  void add(const char* pattern, const char* rewrite) { anywhere_.emplace_back(std::make_unique<RE2>(pattern), rewrite); }

  std::vector<std::pair<std::unique_ptr<RE2>, std::string>> anywhere_;
  std::unique_ptr<RE2> assignment_, flag_value_, flag_, name_;
};

bool begins_with_any(std::string_view text, const auto& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view one) { return text.rfind(one, 0) == 0; });
}

bool harmless_variable(const std::string& name, const Scrubber& scrubber) {
  static constexpr std::array<std::string_view, 12> kBeginnings{"VLLM_", "PJRT_", "TPU_", "JAX_", "XLA_", "KUBERNETES_", "POD_", "NODE_", "NAMESPACE", "HF_HOME", "HF_HUB_", "LLM_D_"};
  return begins_with_any(name, kBeginnings) && !scrubber.names_a_credential(name);
}

bool harmless_annotation(std::string_view key) {
  static constexpr std::array<std::string_view, 11> kBeginnings{"inference.networking.k8s.io/", "gateway.networking.k8s.io/", "deployment.kubernetes.io/", "sidecar.istio.io/", "istio.io/", "networking.istio.io/",
                                                                "kubernetes.io/", "prometheus.io/", "serving.kserve.io/", "networking.gke.io/", "cloud.google.com/"};
  return begins_with_any(key, kBeginnings);
}

/// Words after "--api-key" are its values, however many, until the next flag.
void redact_words(Json& words, const Scrubber& scrubber) {
  bool of_credential = false;
  for (auto& word : words) {
    if (!word.is_string()) continue;
    const std::string text = word.get<std::string>();
    if (text.rfind('-', 0) == 0) of_credential = scrubber.is_flag(text);
    else if (of_credential) word = kRedacted;
  }
}

void redact_values(Json& list) {
  if (!list.is_array()) return;
  for (auto& one : list) {
    if (one.is_object() && one.contains("value")) one["value"] = kRedacted;
  }
}

/// Variables that a container's command or arguments refer to: the checks read their values.
std::set<std::string> referred_variables(const Json& container) {
  static const RE2 kReference(R"(\$[({]?([A-Za-z_][A-Za-z0-9_]*))");
  std::set<std::string> out;
  for (const char* part : {"command", "args"}) {
    if (!container.contains(part) || !container[part].is_array()) continue;
    for (const auto& word : container[part]) {
      if (!word.is_string()) continue;
      const std::string text = word.get<std::string>();
      re2::StringPiece left(text);
      for (std::string name; RE2::FindAndConsume(&left, kReference, &name);) out.insert(name);
    }
  }
  return out;
}

void redact_variables(Json& container, const Scrubber& scrubber) {
  if (!container.contains("env") || !container["env"].is_array()) return;
  Json& list = container["env"];
  const auto referred = referred_variables(container);

  for (auto& one : list) {
    if (!one.is_object() || !one.contains("value")) continue;
    const std::string name = one.contains("name") && one["name"].is_string() ? one["name"].get<std::string>() : "";
    const bool kept = harmless_variable(name, scrubber) || (referred.count(name) > 0 && !scrubber.names_a_credential(name));
    if (!kept) one["value"] = kRedacted;
  }
}

void redact_annotations(Json& annotations) {
  if (!annotations.is_object()) return;
  annotations.erase("kubectl.kubernetes.io/last-applied-configuration");
  for (auto& [key, value] : annotations.items()) {
    if (!harmless_annotation(key)) value = kRedacted;
  }
}

/// Names and labels are what the checks compare; a container's last words, though in a status, may be its whole log.
bool is_name(const std::string& key) {
  static constexpr std::array<std::string_view, 8> kKeys{"name", "namespace", "generateName", "labels", "matchLabels", "selector", "ownerReferences", "nodeName"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

/// Depth is bounded: the text was parsed with the same bound before it is kept. `plain`: metadata and status.
void redact(Json& node, bool plain, const Scrubber& scrubber) {
  if (node.is_string()) {
    std::string text = node.get<std::string>();
    if (plain) scrubber.scrub(text);
    else scrubber.scrub_command(text);
    node = std::move(text);
    return;
  }
  if (node.is_array()) {
    for (auto& item : node) redact(item, plain, scrubber);
    return;
  }
  if (!node.is_object()) return;
  if (node.contains("name") && node["name"].is_string() && node.contains("value") && scrubber.names_a_credential(node["name"].get<std::string>())) node["value"] = kRedacted;
  redact_variables(node, scrubber);
  for (auto& [key, value] : node.items()) {
    if (is_name(key)) continue;
    if ((key == "args" || key == "command") && value.is_array()) redact_words(value, scrubber);
    else if (key == "httpHeaders") redact_values(value);
    else if (key == "annotations") redact_annotations(value);
    else if (key == "managedFields") value = Json::array();
    if ((key == "requestHeaderModifier" || key == "responseHeaderModifier") && value.is_object()) {
      for (auto& [what, list] : value.items()) redact_values(list);
    }
    redact(value, (plain || key == "metadata" || key == "status") && key != "message", scrubber);
  }
}

}  // namespace

std::string redacted(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return text;
  redact(json, false, Scrubber());
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace deploy
