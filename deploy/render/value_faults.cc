// What a value of each kind may be, and what to write instead. See value_table.h.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <utility>

#include "core/text.h"
#include "deploy/render/cron.h"
#include "deploy/render/value_table.h"
#include "deploy/tpu.h"

namespace deploy {
namespace {

bool all_in(std::string_view text, std::string_view extra) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || extra.find(c) != std::string_view::npos; });
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Digits as every reader takes them: 010 is 8 to some, 0x10 and 1_0 are numbers to few.
bool is_decimal(std::string_view text, bool whole) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  const auto dot = whole ? std::string_view::npos : text.find('.');
  const auto front = text.substr(0, dot);
  return all_digits(front) && (front.size() == 1 || front[0] != '0') && (dot == std::string_view::npos || all_digits(text.substr(dot + 1)));
}

std::string number_fault(const ValueSpec& spec, const Node& node) {
  const auto value = node.number();
  const bool whole = spec.kind == ValueKind::kInteger;
  if (!value || !std::isfinite(*value) || (whole && !node.integer())) return whole ? "is no whole number" : "is no number";
  if (!is_decimal(node.text, whole)) return whole ? "is no whole number in plain digits: write 10, not 010, +10, 0xa or 1_0" : "is no plain decimal number: write 10 or 0.5, not 010, 1e1 or 1_0";
  if (*value < spec.least || *value > spec.most) {
    const auto bound = [](double b) { return std::to_string(static_cast<std::int64_t>(b)); };
    return "is not between " + bound(spec.least) + " and " + bound(spec.most);
  }
  return {};
}

std::string name_fault(std::string_view text) {
  const bool chars = std::all_of(text.begin(), text.end(), [](char c) { return std::islower(static_cast<unsigned char>(c)) != 0 || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-'; });
  if (text.empty() || !chars || text.front() == '-' || text.back() == '-') return "is no name: lower-case letters, digits and '-' inside";
  return text.size() > 63 ? "has more than 63 characters" : "";
}

/// Names of Secrets, claims and classes may have dots.
std::string subdomain_fault(std::string_view text) {
  for (const auto label : core::split(text, '.')) {
    if (!name_fault(label).empty()) return "is no name: lower-case letters, digits, '-' and '.' inside";
  }
  return {};
}

/// Google's projects, and those of a domain: example.com:my-project.
std::string project_fault(std::string_view text) {
  const auto colon = text.find(':');
  const bool domain = colon == std::string_view::npos || subdomain_fault(text.substr(0, colon)).empty();
  return domain && name_fault(text.substr(colon == std::string_view::npos ? 0 : colon + 1)).empty() ? "" : "is no project like my-project or example.com:my-project";
}

std::string digest_fault(std::string_view digest) {
  constexpr std::string_view kAlgorithm = "sha256:";
  const bool longer = digest.rfind("sha512:", 0) == 0;
  const bool hex = digest.size() == kAlgorithm.size() + (longer ? 128 : 64) && digest.find_first_not_of("0123456789abcdef", kAlgorithm.size()) == std::string_view::npos;
  return (longer || digest.rfind(kAlgorithm, 0) == 0) && hex ? "" : "has a digest that is not sha256: and 64 hexadecimal digits";
}

/// The repository: a registry may have capitals and a port, the path has lower case alone.
std::string repository_fault(std::string_view text) {
  const auto slash = text.find('/');
  const auto first = text.substr(0, slash);
  const bool registry = slash != std::string_view::npos && (first.find_first_of(".:") != std::string_view::npos || first == "localhost");
  for (const auto part : core::split(registry ? text.substr(slash + 1) : text, '/')) {
    if (std::any_of(part.begin(), part.end(), [](unsigned char c) { return std::isupper(c) != 0; })) {
      std::string lower(text);
      std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return "is no image reference: repositories are lower case, " + lower + ":…";
    }
    if (part.empty() || std::isalnum(static_cast<unsigned char>(part.front())) == 0 || std::isalnum(static_cast<unsigned char>(part.back())) == 0 || part.find(':') != std::string_view::npos) return "is no image reference";
  }
  return {};
}

std::string image_fault(std::string_view text) {
  if (!all_in(text, "./:@_-")) return "is no image reference";
  const auto at = text.find('@');
  const auto slash = text.rfind('/', at);
  auto colon = text.find(':', slash == std::string_view::npos ? 0 : slash);
  if (at != std::string_view::npos && colon > at) colon = std::string_view::npos;
  if (auto fault = repository_fault(text.substr(0, std::min(colon, at))); !fault.empty()) return fault;
  if (at != std::string_view::npos) return digest_fault(text.substr(at + 1));
  if (colon == std::string_view::npos || colon + 1 == text.size()) return "has no tag: give a version or a digest";
  const auto tag = text.substr(colon + 1);
  if (tag.size() > 128 || !all_in(tag, "._-") || tag.front() == '.' || tag.front() == '-') return "has a tag that is none: letters, digits, '.', '_' and '-' inside";
  return tag == "latest" || (tag.size() > 7 && tag.substr(tag.size() - 7) == "-latest") ? "is not pinned: give a version or a digest" : "";
}

/// A quantity's number and what follows it; an empty number: none.
std::pair<std::string_view, std::string_view> quantity_parts(std::string_view text) {
  const auto end = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = text.substr(0, end);
  return {is_decimal(number, false) ? number : std::string_view(), text.substr(end)};
}

std::string cpu_fault(std::string_view text) {
  const auto [number, unit] = quantity_parts(text);
  const auto value = core::parse_number(number);
  if (number.empty() || !value || (!unit.empty() && unit != "m")) return "is no number of CPUs like 16 or 500m";
  return *value * (unit.empty() ? 1000 : 1) < 1 ? "is less than 1m, the least that Kubernetes takes" : "";
}

/// Of host names that routes and listeners take: lower case, and "*." before them.
std::string host_fault(std::string_view text) {
  if (text.rfind("*.", 0) == 0) text.remove_prefix(2);
  return subdomain_fault(text).empty() ? "" : "is no host name like models.example.com or *.example.com, in lower case";
}

std::string memory_fault(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 16> kUnits{
      {{"", 1}, {"P", 1e15}, {"Pi", 1125899906842624}, {"E", 1e18}, {"Ei", 1152921504606846976}, {"u", 1e-6}, {"n", 1e-9}, {"k", 1e3}, {"Ki", 1024}, {"M", 1e6}, {"Mi", 1048576}, {"G", 1e9}, {"Gi", 1073741824}, {"T", 1e12}, {"Ti", 1099511627776}, {"m", 1e-3}}};
  const auto [number, unit] = quantity_parts(text);
  const auto* const known = std::find_if(kUnits.begin(), kUnits.end(), [&, unit = unit](const auto& u) { return u.first == unit; });
  const auto value = core::parse_number(number);
  if (number.empty() || !value) return "is no amount of memory like 64Gi";
  const bool exponent = unit.size() > 1 && (unit[0] == 'e' || unit[0] == 'E') && unit != "Ei";
  if (exponent) return "is written with an exponent: write it out with Mi, Gi or Ti";
  if (known == kUnits.end()) return "has the unit \"" + std::string(unit) + "\", which Kubernetes does not know: write " + std::string(number) + "Gi, with Mi, Gi or Ti";
  const bool bytes = unit.empty() || *known == kUnits[5] || *known == kUnits[6] || unit == "m";
  if (*value * known->second > 1e15) return "is more than any machine has: write it with Gi";
  if (*value * known->second < 1048576) return "is less than 1 MiB: " + std::string(bytes ? "a number without a unit is bytes, " : "") + "write " + std::string(number) + "Gi";
  return {};
}

std::string model_fault(std::string_view text) {
  return all_in(text, "/._-") && (std::isalnum(static_cast<unsigned char>(text.front())) != 0 || text.front() == '_') ? "" : "is no model name like Qwen/Qwen2.5-3B-Instruct";
}

std::string text_fault(const ValueSpec& spec, std::string_view text) {
  if (text.size() > 253) return "has more than 253 characters";
  switch (spec.kind) {
    case ValueKind::kName: return name_fault(text);
    case ValueKind::kSubdomain: return subdomain_fault(text);
    case ValueKind::kProject: return project_fault(text);
    case ValueKind::kImage: return image_fault(text);
    case ValueKind::kHost: return host_fault(text);
    case ValueKind::kCpu: return cpu_fault(text);
    case ValueKind::kMemory: return memory_fault(text);
    case ValueKind::kTopology: return chips_of_topology(text) ? "" : "is none like 2x2 or 2x4";
    case ValueKind::kModel: return model_fault(text);
    case ValueKind::kUrl: return port_of_url(text) && all_in(text, ":/._-") ? "" : "is no URL like http://host:port/path";
    case ValueKind::kSchedule: {
      const auto fault = all_in(text, " */,-?@") ? cron_fault(text) : "it holds characters of none";
      return fault.empty() ? "" : "is no cron schedule: " + fault;
    }
    default: return all_in(text, "._-*") ? "" : "holds characters other than letters, digits, '.', '-' and '_'";
  }
}

}  // namespace

std::optional<std::int64_t> port_of_url(std::string_view url) {
  const bool tls = url.rfind("https://", 0) == 0;
  if (!tls && url.rfind("http://", 0) != 0) return std::nullopt;
  url.remove_prefix(tls ? 8 : 7);
  const auto authority = url.substr(0, url.find('/'));
  const auto colon = authority.find(':');
  if (authority.substr(0, colon).empty()) return std::nullopt;
  if (colon == std::string_view::npos) return tls ? 443 : 80;
  const auto digits = authority.substr(colon + 1);
  const auto port = is_decimal(digits, true) ? core::parse_integer(digits) : std::nullopt;
  return port && *port >= 1 && *port <= 65535 ? port : std::nullopt;
}

std::string fault_of(const ValueSpec& spec, const Node& node) {
  const bool empty = node.kind == NodeKind::kNull || (node.is_scalar() && node.text.empty());
  if (empty) return spec.may_be_empty ? "" : "has no value";
  if (!node.is_scalar()) return "is " + std::string(word_for(node.kind)) + ", not a single value";
  if (spec.kind == ValueKind::kInteger || spec.kind == ValueKind::kNumber) return number_fault(spec, node);
  if (spec.kind == ValueKind::kFlag) return node.kind == NodeKind::kBool ? "" : "is neither true nor false";
  if (spec.kind == ValueKind::kChoice) {
    const auto choices = core::split(spec.choices, '|');
    if (std::find(choices.begin(), choices.end(), node.str()) != choices.end()) return {};
    std::string list;
    for (const auto choice : choices) list += (list.empty() ? "" : ", ") + std::string(choice);
    return "is none of " + list;
  }
  return text_fault(spec, node.str());
}

}  // namespace deploy
