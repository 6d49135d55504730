// Rules on names across files of a release, helmfiles, scripts, and secrets written out. L56, L60, L61, L68.
// A finding must never repeat a secret.
#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "deploy/operation_rules.h"

namespace deploy {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::size_t run_of_token(std::string_view text, std::size_t from) {
  constexpr std::size_t kLongest = 512;   // what is longer is a token all the same
  std::size_t n = 0;
  while (n < kLongest && from + n < text.size() && (std::isalnum(static_cast<unsigned char>(text[from + n])) != 0 || text[from + n] == '_' || text[from + n] == '-')) ++n;
  return n;
}

/// "xxxxxxxxxxxxxxxxxxxx": no secret is made of two letters.
bool is_placeholder(std::string_view token) { return std::set<char>(token.begin(), token.end()).size() <= 2; }

/// What kind of secret a text holds; empty: none that is known. Placeholders in capitals are none.
std::string_view secret_in(std::string_view text) {
  struct Mark {
    std::string_view prefix, what;
    std::size_t least;
  };
  static constexpr std::array kMarks{Mark{"hf_", "a Hugging Face token", 20}, Mark{"ghp_", "a GitHub token", 20}, Mark{"github_pat_", "a GitHub token", 20},
                                     Mark{"sk-", "an API key", 24}, Mark{"Bearer ey", "a bearer token", 20}, Mark{"AKIA", "an AWS key", 12}, Mark{"ya29.", "a Google token", 20}};
  for (const auto& mark : kMarks) {
    for (auto at = text.find(mark.prefix); at != std::string_view::npos; at = text.find(mark.prefix, at + 1)) {
      const bool starts = at == 0 || std::isalnum(static_cast<unsigned char>(text[at - 1])) == 0;
      if (!starts) continue;
      const auto token = text.substr(at + mark.prefix.size(), run_of_token(text, at + mark.prefix.size()));
      if (token.size() >= mark.least && !is_placeholder(token)) return mark.what;
    }
  }
  if (text.find("-----BEGIN") != std::string_view::npos && text.find("PRIVATE KEY-----") != std::string_view::npos) return "a private key";
  return {};
}

void walk_secrets(const Node& node, const Document& document, Findings& findings) {
  if (node.is_string()) {
    if (const auto what = secret_in(node.text); !what.empty()) findings.add(document, node.at, "holds " + std::string(what));
  }
  for (const auto& member : node.members) {
    const bool docker = member.key == ".dockerconfigjson" || member.key == ".dockercfg";
    if (docker && member.value.is_string() && member.value.text.size() > 40) findings.add(document, member.value.at, "holds registry credentials");
    else walk_secrets(member.value, document, findings);
  }
  for (const auto& item : node.items) walk_secrets(item, document, findings);
}

constexpr std::size_t kMostPlaces = 100;   ///< that are named of one file

Position place_of(std::string_view text, std::size_t offset) {
  const auto before = text.substr(0, offset);
  const auto line_start = before.rfind('\n');
  return {1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
          1 + static_cast<int>(line_start == std::string_view::npos ? offset : offset - line_start - 1)};
}

void no_secrets(const LintContext& context, Findings& findings) {
  for (const auto& document : context.bundle.documents) walk_secrets(document.root, document, findings);
  for (const auto& file : context.bundle.templates) {
    if (const auto what = secret_in(file.text); !what.empty()) findings.add(file, {1, 1}, "holds " + std::string(what));
  }
}

/// "pattern3" of an InferencePool called gaie-pattern3 that a route sends to; empty: not a release of the guides.
std::string postfix_of(const Object& route, Position& at) {
  for (const auto& rule : route.spec()["rules"].items) {
    for (const auto& backend : rule["backendRefs"].items) {
      const auto name = backend["name"].str();
      if (backend["kind"].str() != "InferencePool" || name.rfind("gaie-", 0) != 0) continue;
      at = backend["name"].at;
      return std::string(name.substr(5));
    }
  }
  return {};
}


std::vector<const SourceFile*> helmfiles(const Bundle& bundle) {
  std::vector<const SourceFile*> out;
  for (const auto& file : bundle.templates) {
    if (file.name.find("helmfile") != std::string::npos) out.push_back(&file);
  }
  return out;
}

void release_names_agree(const LintContext& context, Findings& findings) {
  for (const Object* route : context.bundle.of_kind("HTTPRoute")) {
    Position at;
    const std::string p = postfix_of(*route, at);
    if (p.empty()) continue;
    if (route->name != p + "-route") findings.add(*route, route->metadata()["name"].at, "is called " + route->name + ", its release " + p + ": " + p + "-route");
    for (const auto& parent : route->spec()["parentRefs"].items) {
      const auto name = parent["name"].str();
      if (name != "infra-" + p + "-inference-gateway") findings.add(*route, parent["name"].at, "is attached to " + quoted(name) + ", its release's gateway is infra-" + p + "-inference-gateway");
    }
    for (const auto kind : {"HealthCheckPolicy", "GCPBackendPolicy"}) {
      for (const Object* policy : context.bundle.of_kind(kind)) {
        const Node& target = policy->spec().path({"targetRef", "name"});
        if (target.str().rfind("gaie-", 0) == 0 && target.str() != "gaie-" + p && context.bundle.of_kind("HTTPRoute").size() == 1) {
          findings.add(*policy, target.at, "targets " + quoted(target.str()) + ", the release's pool is gaie-" + p);
        }
      }
    }
    // Two bundles side by side have a helmfile each: one with the release's branch is enough.
    const auto files = helmfiles(context.bundle);
    const bool known = std::any_of(files.begin(), files.end(), [&](const SourceFile* f) { return f->text.find("\"" + p + "\"") != std::string::npos; });
    if (!known && !files.empty()) findings.add(*files.front(), {1, 1}, "has no branch for release " + quoted(p));
  }
}

void overrides_follow_values(const LintContext& context, Findings& findings) {
  for (const SourceFile* helmfile : helmfiles(context.bundle)) {
    const std::string_view text = helmfile->text;
    const auto base = text.find("values_tpu.yaml");
    std::size_t seen = 0;
    for (auto at = text.find("-tpu-overrides.yaml"); at != std::string_view::npos && ++seen <= kMostPlaces; at = text.find("-tpu-overrides.yaml", at + 1)) {
      if (base == std::string_view::npos) findings.add(*helmfile, place_of(text, at), "loads overrides without values_tpu.yaml");
      else if (at < base) findings.add(*helmfile, place_of(text, at), "loads overrides before values_tpu.yaml, which then overrides them");
    }
    if (base != std::string_view::npos && text.find("-tpu-overrides.yaml") == std::string_view::npos) findings.add(*helmfile, place_of(text, base), "loads values_tpu.yaml without any pattern's overrides");
  }
}

/// "europe-west4-a": a region is the same without the last part.
bool is_zone(std::string_view text) {
  const auto dash = text.rfind('-');
  return dash != std::string_view::npos && text.size() == dash + 2 && std::islower(static_cast<unsigned char>(text.back())) != 0 && dash > 0 &&
         std::isdigit(static_cast<unsigned char>(text[dash - 1])) != 0;
}

void regions_are_regions(const LintContext& context, Findings& findings) {
  for (const auto& file : context.bundle.templates) {
    const std::string_view text = file.text;
    std::size_t seen = 0;
    for (auto at = text.find("--region"); at != std::string_view::npos && seen < kMostPlaces; at = text.find("--region", at + 1)) {
      const auto from = text.find_first_not_of("= \"'{", at + 8);
      if (from == std::string_view::npos) break;
      const auto word = text.substr(from, text.find_first_of(" \"'}\n\\", from) - from);
      const std::string plain(word.substr(std::min(word.find_first_not_of("${"), word.size())));
      if (is_zone(plain) || plain == "ZONE") ++seen, findings.add(file, place_of(text, at), "--region is given a zone");
    }
  }
  for (const auto& values : context.bundle.values) {
    const Node& region = values.document->root["region"];
    if (region.is_string() && is_zone(region.text)) findings.add(*values.document, region.at, "region " + quoted(region.text) + " is a zone");
  }
}

constexpr std::array kRules{
    Rule{"L56", Severity::kError, "no secret is written out", "whoever reads the repository has it", "create the secret by hand or from a secret store, and refer to it", "", no_secrets},
    Rule{"L60", Severity::kError, "names of a release agree", "the route points at what does not exist: \"fault filter abort\"",
         "for RELEASE_NAME_POSTFIX p: infra-p-inference-gateway, gaie-p, gaie-p-epp, ms-p, p-route, and a branch for p in the helmfile", "D1, two names of one route", release_names_agree},
    Rule{"L61", Severity::kError, "the pattern's overrides are loaded after values_tpu.yaml", "the base defaults deploy instead of the pattern", "list values_tpu.yaml first, then patternN-tpu-overrides.yaml", "D0, helmfile", overrides_follow_values},
    Rule{"L68", Severity::kError, "regions are regions", "gcloud refuses a zone where a region belongs", "drop the last part: europe-west4-a is in europe-west4", "D1, proxy-only subnet", regions_are_regions}};

}  // namespace

std::span<const Rule> text_rules() { return kRules; }

}  // namespace deploy
