// Structural schemas of Kubernetes kinds: OpenAPI v3 as CustomResourceDefinitions carry it, and our own compact ones for
// what a bundle usually holds. Used by the rules L01 and L02. It reads documents and holds no opinion on values' meaning.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "deploy/yaml/document.h"

namespace deploy {

/// What is wrong with a value, and whether it is a field that the schema does not know.
struct SchemaProblem {
  Position at;
  std::string path;          ///< "spec.router.scheduler.scorerWeights"
  std::string message;
  bool unknown_field = false;
  bool unquoted = false;     ///< a scalar of another kind where a string belongs
};

class SchemaSet {
 public:
  /// The built-in ones.
  static const SchemaSet& builtin();

  /// Adds the CustomResourceDefinitions among the documents (also those in a v1 List); the rest is ignored. Returns how many.
  std::size_t add(std::vector<Document> documents);

  /// The schema of a kind; the missing node: not known.
  [[nodiscard]] const Node& find(const std::string& group, const std::string& version, const std::string& kind) const;
  [[nodiscard]] bool knows_kind(const std::string& group, const std::string& kind) const;
  /// Versions that are served, "v1, v1alpha2".
  [[nodiscard]] std::string versions_of(const std::string& group, const std::string& kind) const;

  /// Validates metadata-less: apiVersion, kind and metadata are every object's. At most 200 problems.
  [[nodiscard]] std::vector<SchemaProblem> validate(const Node& object, const Node& schema) const;

 private:
  void add_definition(const Node& definition);

  std::deque<Document> documents_;
  std::map<std::tuple<std::string, std::string, std::string>, const Node*> schemas_;  ///< (group, kind, version)
  std::map<std::string, const Node*> definitions_;  ///< of our own `x-ref`
};

}  // namespace deploy
