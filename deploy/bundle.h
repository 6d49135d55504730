// Bundle: all documents of a deployment, sorted into Kubernetes objects, helm values and helmfiles, with what they would
// make of each other: pods of workloads, children that the KServe controller and the charts create.
// Made by read_bundle() for lint, by render's tests and by the live checks. It holds no opinion: rules judge.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/yaml/document.h"

namespace deploy {

/// A Kubernetes object of the bundle.
struct Object {
  const Document* document = nullptr;
  std::string group, version, kind, name, name_space;  ///< group: "" for core; name_space "": none written
  [[nodiscard]] const Node& root() const { return document->root; }
  [[nodiscard]] const Node& spec() const { return document->root["spec"]; }
  [[nodiscard]] const Node& metadata() const { return document->root["metadata"]; }
  [[nodiscard]] std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  [[nodiscard]] std::string title() const;   ///< "Deployment llm-d/epp"
};

using Labels = std::map<std::string, std::string>;
[[nodiscard]] Labels labels_of(const Node& map);
/// matchLabels semantics: every pair of `selector` is in `labels`; an empty selector selects all.
[[nodiscard]] bool selects(const Labels& selector, const Labels& labels);
/// A metav1.LabelSelector: matchLabels and matchExpressions (In, NotIn, Exists, DoesNotExist).
[[nodiscard]] bool label_selector_selects(const Node& selector, const Labels& labels);

enum class PodRole : std::uint8_t { kModelServer, kPicker, kGateway, kLoad, kOther };

/// Pods that the bundle would run: of a workload object, of an LLMInferenceService, of the chart behind helm values.
struct PodSet {
  const Object* object = nullptr;      ///< the workload or LLMInferenceService; null: from helm values
  const Document* values = nullptr;    ///< the helm values they come from, if any
  std::string owner;                   ///< "Deployment ns/name"
  std::string name_space;
  Labels labels;                       ///< of the pods
  std::int64_t replicas = 1;
  const Node* pod_spec = nullptr;      ///< a PodSpec; never null (maybe the missing node)
  PodRole role = PodRole::kOther;
  Position at;
  std::string file;
};

/// What a helm values file is for, by its keys.
enum class ValuesKind : std::uint8_t { kModelService, kInferencePool, kGatewayInfra, kHelmfile, kRenderValues, kUnknown };
struct Values {
  const Document* document = nullptr;
  ValuesKind kind = ValuesKind::kUnknown;
};

enum class Variant : std::uint8_t { kUnknown, kGke, kIstioKserve, kPlain };
[[nodiscard]] std::string_view word_for(Variant variant);  ///< "gke", "istio-kserve", "plain", ""
[[nodiscard]] std::optional<Variant> parse_variant(std::string_view text);

struct SourceFile {
  std::string name, text;
};

struct Bundle {
  Bundle() = default;
  Bundle(Bundle&&) = default;
  Bundle& operator=(Bundle&&) = default;
  Bundle(const Bundle&) = delete;      // objects and pods point into documents
  Bundle& operator=(const Bundle&) = delete;
  ~Bundle() = default;

  std::vector<Document> documents;
  std::vector<SourceFile> templates;   ///< *.gotmpl and the like: text, not YAML
  std::vector<InputProblem> problems;
  std::vector<Object> objects;         ///< pointing into documents
  std::vector<Values> values;
  std::vector<PodSet> pods;
  std::deque<Node> merged;             ///< helm values laid over each other; pods point into it
  Variant variant = Variant::kUnknown; ///< as its contents show

  [[nodiscard]] std::vector<const Object*> of_kind(std::string_view kind) const;
  [[nodiscard]] std::vector<const Object*> of_kind(std::string_view group, std::string_view kind) const;
  /// In a namespace; objects that state none match any.
  [[nodiscard]] const Object* find(std::string_view kind, std::string_view name_space, std::string_view name) const;
};

/// Files in the order given. YAML and JSON by content; a `List` is taken apart; *.gotmpl and *.tpl are kept as text;
/// patches of a kustomization among the files are left out.
[[nodiscard]] Bundle read_bundle(const std::vector<SourceFile>& files);
/// The same from documents that are read already.
[[nodiscard]] Bundle bundle_of(std::vector<Document> documents);

/// Do two namespaces, of which either may be unstated, name the same?
[[nodiscard]] bool same_namespace(std::string_view a, std::string_view b);

/// Where a PodSpec, or the `decode` part of helm values, keeps its node selector.
[[nodiscard]] const Node& node_selector_of(const PodSet& pods);
/// The amount of an extended resource: limits first, then requests; none: not asked for. Quantities may be strings.
[[nodiscard]] std::optional<std::int64_t> resource_of(const Node& container, std::string_view resource);
/// Value of a container's environment variable; the missing node where it is not set or comes from elsewhere.
[[nodiscard]] const Node& env_value(const Node& container, std::string_view name);

/// Containers of a PodSpec: initContainers too when asked.
[[nodiscard]] std::vector<const Node*> containers_of(const Node& pod_spec, bool with_init = false);
/// command and args as one list of words; a shell string (`/bin/bash -c "vllm serve …"`) is split into its words.
struct CommandWord {
  std::string text;
  Position at;
};
[[nodiscard]] std::vector<CommandWord> command_words(const Node& container);
/// The value of --flag VALUE or --flag=VALUE, the last one given; "" for a flag without a value; none: not there.
[[nodiscard]] std::optional<CommandWord> flag_value(const std::vector<CommandWord>& words, std::string_view flag);

}  // namespace deploy
