// Sorts documents into objects and values, and answers what selects what. See bundle.h.
#include "deploy/bundle.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "deploy/pod_sets.h"

namespace deploy {
namespace {

void split_api_version(std::string_view text, Object& out) {
  const auto slash = text.find('/');
  out.group = slash == std::string_view::npos ? "" : std::string(text.substr(0, slash));
  out.version = std::string(slash == std::string_view::npos ? text : text.substr(slash + 1));
}

bool is_template_file(std::string_view name) {
  const auto ends = [&](std::string_view suffix) { return name.size() >= suffix.size() && name.substr(name.size() - suffix.size()) == suffix; };
  return ends(".gotmpl") || ends(".tpl") || ends(".tmpl") || ends(".sh");
}

/// A v1 List holds objects; each becomes a document of its own, so that places stay true. Lists may hold lists, though nobody
/// nests them deep.
void take_apart(std::vector<Document>& documents, int depth = 0) {
  constexpr int kMaxDepth = 4;
  std::vector<Document> out;
  for (auto& document : documents) {
    const auto kind = document.root["kind"].str();
    const bool list = depth < kMaxDepth && kind.size() >= 4 && kind.substr(kind.size() - 4) == "List" && document.root["items"].is_list() &&
                      document.root["apiVersion"].exists();
    if (!list) {
      out.push_back(std::move(document));
      continue;
    }
    std::vector<Document> items;
    for (const auto& item : document.root["items"].items) {
      Document one;
      one.file = document.file;
      one.index = document.index;
      one.at = item.at;
      one.root = item;
      // What the API server lists under "PodList" leaves out of each item what the list says once.
      if (kind.size() > 4 && item.is_map() && !item["kind"].exists() && !item["apiVersion"].exists()) {
        one.root.members.push_back({"apiVersion", item.at, NodeKind::kString, document.root["apiVersion"]});
        one.root.members.push_back({"kind", item.at, NodeKind::kString, document.root["kind"]});
        one.root.members.back().value.text = std::string(kind.substr(0, kind.size() - 4));
      }
      items.push_back(std::move(one));
    }
    take_apart(items, depth + 1);
    std::move(items.begin(), items.end(), std::back_inserter(out));
  }
  documents = std::move(out);
}

ValuesKind values_kind(const Node& root) {
  if (root["pattern"].exists() && root["variant"].exists()) return ValuesKind::kRenderValues;
  if (root["releases"].exists() || root["helmfiles"].exists() || root["environments"].exists()) return ValuesKind::kHelmfile;
  if (root["decode"].exists() || root["prefill"].exists() || root["modelArtifacts"].exists()) return ValuesKind::kModelService;
  const bool router = root.path({"router", "epp"}).exists() || root.path({"router", "modelServers"}).exists();
  if (root["inferenceExtension"].exists() || root["inferencePool"].exists() || router) return ValuesKind::kInferencePool;
  if (root["gateway"].exists()) return ValuesKind::kGatewayInfra;
  return ValuesKind::kUnknown;
}

Variant variant_of(const Bundle& bundle) {
  for (const auto& v : bundle.values) {
    const auto said = v.kind == ValuesKind::kRenderValues ? parse_variant(v.document->root["variant"].str()) : std::nullopt;
    if (said) return *said;
  }
  bool inference = false;
  for (const auto& o : bundle.objects) {
    if (o.kind == "LLMInferenceService" || o.kind == "EnvoyFilter") return Variant::kIstioKserve;
    inference = inference || o.kind == "InferencePool";
  }
  for (const auto& o : bundle.objects) {
    if (o.group == "networking.gke.io" || o.spec()["gatewayClassName"].str().rfind("gke-", 0) == 0) return Variant::kGke;
  }
  for (const auto& v : bundle.values) {
    if (v.kind != ValuesKind::kUnknown && v.kind != ValuesKind::kRenderValues) return Variant::kGke;
  }
  return inference ? Variant::kPlain : Variant::kUnknown;
}

/// Fills everything else from bundle.documents.
void sort_documents(Bundle& bundle) {
  take_apart(bundle.documents);
  for (const auto& document : bundle.documents) {
    const Node& root = document.root;
    if (!root.is_map()) {
      const bool patch = root.is_list() && root[std::size_t{0}]["op"].is_string() && root[std::size_t{0}]["path"].is_string();
      bundle.problems.push_back({document.file, root.at, patch ? "a JSON patch, which is no manifest" : "a document that is " + std::string(word_for(root.kind)) + ", not a mapping",
                                 patch ? "lint what it makes: kubectl kustomize DIR | gatebench deploy lint -" : "a manifest is a mapping with apiVersion, kind and metadata"});
      continue;
    }
    if (root["apiVersion"].exists() && root["kind"].exists()) {
      Object object;
      object.document = &document;
      split_api_version(root["apiVersion"].str(), object);
      object.kind = root["kind"].str();
      object.name = root["metadata"]["name"].str();
      object.name_space = root["metadata"]["namespace"].str();
      bundle.objects.push_back(std::move(object));
    } else {
      bundle.values.push_back({&document, values_kind(root)});
    }
  }
  add_pod_sets(bundle);
  bundle.variant = variant_of(bundle);
}

/// Files that a kustomization in the bundle lays over others: fragments, which no rule can judge by themselves.
std::set<std::string> patch_files(const std::vector<Document>& documents) {
  namespace fs = std::filesystem;
  std::set<std::string> out;
  for (const auto& document : documents) {
    const Node& root = document.root;
    const auto name = fs::path(document.file).filename().string();
    const bool named = name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization";
    if (!named && root["apiVersion"].str().rfind("kustomize.config.k8s.io/", 0) != 0) continue;
    const auto add = [&](const Node& path) {
      if (path.is_string()) out.insert((fs::path(document.file).parent_path() / path.text).lexically_normal().generic_string());
    };
    for (const auto key : {"patches", "patchesJson6902"}) {
      for (const auto& patch : root[std::string_view(key)].items) add(patch["path"]);
    }
    for (const auto& patch : root["patchesStrategicMerge"].items) add(patch);
  }
  return out;
}

}  // namespace

std::string Object::title() const { return kind + " " + (name_space.empty() ? "" : name_space + "/") + (name.empty() ? "(no name)" : name); }

Labels labels_of(const Node& map) {
  Labels out;
  for (const auto& member : map.members) {
    if (member.value.is_scalar()) out[member.key] = member.value.text;
  }
  return out;
}

bool selects(const Labels& selector, const Labels& labels) {
  return std::all_of(selector.begin(), selector.end(), [&](const auto& pair) {
    const auto it = labels.find(pair.first);
    return it != labels.end() && it->second == pair.second;
  });
}

bool label_selector_selects(const Node& selector, const Labels& labels) {
  if (!selects(labels_of(selector["matchLabels"]), labels)) return false;
  return std::all_of(selector["matchExpressions"].items.begin(), selector["matchExpressions"].items.end(), [&](const Node& e) {
    const auto it = labels.find(std::string(e["key"].str()));
    const bool present = it != labels.end();
    const auto& values = e["values"].items;
    const bool among = present && std::any_of(values.begin(), values.end(), [&](const Node& v) { return v.str() == it->second; });
    const auto op = e["operator"].str();
    if (op == "In") return among;
    if (op == "NotIn") return !among;
    if (op == "Exists") return present;
    return op == "DoesNotExist" && !present;
  });
}

std::string_view word_for(Variant variant) {
  switch (variant) {
    case Variant::kGke: return "gke";
    case Variant::kIstioKserve: return "istio-kserve";
    case Variant::kPlain: return "plain";
    case Variant::kUnknown: return "";
  }
  return "";
}

std::optional<Variant> parse_variant(std::string_view text) {
  for (const Variant v : {Variant::kGke, Variant::kIstioKserve, Variant::kPlain}) {
    if (text == word_for(v)) return v;
  }
  return std::nullopt;
}

bool same_namespace(std::string_view a, std::string_view b) { return a.empty() || b.empty() || a == b; }

std::vector<const Object*> Bundle::of_kind(std::string_view kind) const {
  std::vector<const Object*> out;
  for (const auto& o : objects) {
    if (o.kind == kind) out.push_back(&o);
  }
  return out;
}

std::vector<const Object*> Bundle::of_kind(std::string_view group, std::string_view kind) const {
  std::vector<const Object*> out;
  for (const auto& o : objects) {
    if (o.kind == kind && o.group == group) out.push_back(&o);
  }
  return out;
}

const Object* Bundle::find(std::string_view kind, std::string_view name_space, std::string_view name) const {
  for (const auto& o : objects) {
    if (o.kind == kind && o.name == name && same_namespace(o.name_space, name_space)) return &o;
  }
  return nullptr;
}

Bundle read_bundle(const std::vector<SourceFile>& files) {
  Bundle bundle;
  for (const auto& file : files) {
    if (is_template_file(file.name)) {
      bundle.templates.push_back(file);
      continue;
    }
    auto parsed = parse_documents(file.text, file.name);
    std::move(parsed.documents.begin(), parsed.documents.end(), std::back_inserter(bundle.documents));
    std::move(parsed.problems.begin(), parsed.problems.end(), std::back_inserter(bundle.problems));
  }
  if (const auto patches = patch_files(bundle.documents); !patches.empty()) {
    std::erase_if(bundle.documents, [&](const Document& d) { return patches.count(std::filesystem::path(d.file).lexically_normal().generic_string()) > 0; });
  }
  sort_documents(bundle);
  return bundle;
}

Bundle bundle_of(std::vector<Document> documents) {
  Bundle bundle;
  bundle.documents = std::move(documents);
  sort_documents(bundle);
  return bundle;
}

}  // namespace deploy
