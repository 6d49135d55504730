// See cluster_definitions.h.
#include "bench/cli/cluster_definitions.h"

#include <set>

#include "core/text.h"
#include "deploy/yaml/json.h"

namespace bench::cli {
namespace {

constexpr std::string_view kResource = "customresourcedefinitions.apiextensions.k8s.io";

/// "customresourcedefinition.apiextensions.k8s.io/httproutes.gateway.networking.k8s.io" -> name and group
std::pair<std::string, std::string> name_and_group(std::string_view line) {
  const auto slash = line.find('/');
  const std::string name(core::trim(slash == std::string_view::npos ? line : line.substr(slash + 1)));
  const auto dot = name.find('.');
  return {name, dot == std::string::npos ? "" : name.substr(dot + 1)};
}

}  // namespace

core::Result<std::vector<deploy::Document>> read_cluster_definitions(const Kubectl& kubectl, const deploy::Bundle& bundle) {
  std::set<std::string> groups;
  for (const auto& object : bundle.objects) groups.insert(object.group);
  // Names first: all definitions of a cluster are tens of megabytes, and a bundle needs a few of them.
  const auto names = kubectl.read({"get", std::string(kResource), "-o", "name"});
  if (!names) return names.error().code == core::ErrorCode::kProtocol ? core::fail(core::ErrorCode::kUnreachable, "kubectl get customresourcedefinitions: " + names.error().message, "the right to list them is needed, for the whole cluster") : names.error();
  std::vector<std::string> arguments{"get", std::string(kResource)};
  for (const auto line : core::split(*names, '\n')) {
    auto [name, group] = name_and_group(line);
    if (groups.count(group) > 0 && !group.empty()) arguments.push_back(std::move(name));
  }
  if (arguments.size() == 2) return core::fail(core::ErrorCode::kInvalid, "--crds cluster: the cluster has no definition for any kind of these manifests", "install the definitions first, or leave --crds out: gatebench knows the published ones in part");
  arguments.insert(arguments.end(), {"-o", "json"});
  const auto text = kubectl.read(arguments);
  if (!text) return text.error().code == core::ErrorCode::kProtocol ? core::fail(core::ErrorCode::kUnreachable, "kubectl get customresourcedefinitions: " + text.error().message, "try again") : text.error();
  auto document = deploy::parse_json_document(*text, "(cluster)");
  if (!document) return document.error();
  std::vector<deploy::Document> out;
  out.push_back(std::move(*document));
  return out;
}

}  // namespace bench::cli
