// See schema_set.h. Field semantics: Kubernetes, "Extend the API with CustomResourceDefinitions", structural schemas.
#include "deploy/schema_set.h"

#include <re2/re2.h>

#include <algorithm>
#include <memory>

#include "core/text.h"
#include "deploy/schema_builtin.h"

namespace deploy {
namespace {

constexpr std::size_t kMostProblems = 200;
constexpr int kMostDepth = 100;

const Node& nothing() {
  static const Node kNothing;
  return kNothing;
}

class Validator {
 public:
  Validator(const std::map<std::string, const Node*>& definitions, std::vector<SchemaProblem>& out) : definitions_(definitions), out_(out) {}

  void check(const Node& value, const Node& given, const std::string& path, int depth, bool strict) {
    const Node& schema = resolved(given);
    if (!schema.is_map() || depth > kMostDepth || out_.size() >= kMostProblems) return;
    if (value.kind == NodeKind::kNull) return;  // the API server drops a field's null, or defaults it; of items see check_list
    if (!kind_fits(value, schema)) {
      problem(value.at, path, (path.empty() ? "" : path + " ") + "is " + std::string(word_for(value.kind)) + ", not " + std::string(article(schema)));
      if (!out_.empty()) out_.back().unquoted = value.is_scalar() && schema["type"].str() == "string";
      return;
    }
    if (value.is_map()) check_map(value, schema, path, depth, strict);
    if (value.is_list()) check_list(value, schema, path, depth, strict);
    if (value.is_scalar()) check_scalar(value, schema, path);
    check_combined(value, schema, path, depth);
  }

 private:
  const Node& resolved(const Node& schema) const {
    const auto at = definitions_.find(std::string(schema["x-ref"].str()));
    return at == definitions_.end() ? schema : *at->second;
  }

  void problem(Position at, const std::string& path, std::string message, bool unknown = false) {
    if (out_.size() < kMostProblems) out_.push_back({at, path, std::move(message), unknown});
  }

  static std::string_view article(const Node& schema) {
    const auto type = schema["type"].str();
    if (schema["x-kubernetes-int-or-string"].is_true()) return "an integer or a string";
    if (type == "object") return "a mapping";
    if (type == "array") return "a list";
    if (type == "integer") return "an integer";
    if (type == "number") return "a number";
    if (type == "boolean") return "a boolean";
    return "a string";
  }

  static bool kind_fits(const Node& value, const Node& schema) {
    const auto type = schema["type"].str();
    // A float is left to the anyOf that CRDs have here: core's quantities may be one.
    if (schema["x-kubernetes-int-or-string"].is_true()) return value.is_scalar() && value.kind != NodeKind::kBool;
    if (type == "string") return value.is_string();
    if (type == "object") return value.is_map();
    if (type == "array") return value.is_list();
    if (type == "integer") return value.kind == NodeKind::kInteger;
    if (type == "number") return value.kind == NodeKind::kInteger || value.kind == NodeKind::kFloat;
    if (type == "boolean") return value.kind == NodeKind::kBool;
    return true;
  }

  void check_map(const Node& value, const Node& schema, const std::string& path, int depth, bool strict) {
    const Node& properties = schema["properties"];
    const Node& additional = schema["additionalProperties"];
    const bool open = schema["x-kubernetes-preserve-unknown-fields"].is_true() || additional.exists() || !properties.is_map();
    std::vector<std::string_view> names;
    for (const auto& property : properties.members) names.push_back(property.key);
    for (const auto& member : value.members) {
      const Node& property = properties[member.key];
      const std::string below = path.empty() ? member.key : path + "." + member.key;
      if (property.exists()) check(member.value, property, below, depth + 1, strict);
      else if (additional.is_map()) check(member.value, additional, below, depth + 1, strict);
      else if (!open && strict) {
        const auto near = core::did_you_mean(member.key, names);
        problem(member.at, below, "the field " + below + " is not in the schema" + (near ? "; did you mean " + *near + "?" : ""), true);
      }
    }
    for (const auto& required : schema["required"].items) {
      const Node& there = value[required.str()];
      const bool null_fits = resolved(properties[required.str()])["nullable"].is_true();
      if (!there.exists() || (there.kind == NodeKind::kNull && !null_fits)) problem(value.at, path, (path.empty() ? std::string("the object") : path) + " has no " + std::string(required.str()));
    }
    // What is unknown is dropped before anything is counted.
    const auto counts = [&](const Member& member) { return open || properties[member.key].exists() || additional.is_map(); };
    const auto size = static_cast<std::int64_t>(std::count_if(value.members.begin(), value.members.end(), counts));
    if (schema["minProperties"].integer() && size < *schema["minProperties"].integer()) problem(value.at, path, "has fewer than " + std::string(schema["minProperties"].str()) + " fields");
    if (schema["maxProperties"].integer() && size > *schema["maxProperties"].integer()) problem(value.at, path, "has more than " + std::string(schema["maxProperties"].str()) + " fields");
  }

  void check_list(const Node& value, const Node& schema, const std::string& path, int depth, bool strict) {
    const auto size = static_cast<std::int64_t>(value.items.size());
    if (schema["minItems"].integer() && size < *schema["minItems"].integer()) problem(value.at, path, path + " has " + std::to_string(size) + " items, at least " + std::string(schema["minItems"].str()) + " are needed");
    if (schema["maxItems"].integer() && size > *schema["maxItems"].integer()) problem(value.at, path, path + " has " + std::to_string(size) + " items, at most " + std::string(schema["maxItems"].str()) + " are allowed");
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      const Node& item = value.items[i];
      const std::string below = path + "[" + std::to_string(i) + "]";
      const Node& items = resolved(schema["items"]);
      // Nobody drops an item, so its null stays.
      if (item.kind == NodeKind::kNull && items["type"].exists() && !items["nullable"].is_true()) problem(item.at, below, below + " is null, not " + std::string(article(items)));
      else check(item, items, below, depth + 1, strict);
    }
    check_keys(value, schema, path);
  }

  void check_keys(const Node& value, const Node& schema, const std::string& path) {
    if (schema["x-kubernetes-list-type"].str() != "map") return;
    std::set<std::string> seen;
    for (const auto& item : value.items) {
      std::string key;
      for (const auto& name : schema["x-kubernetes-list-map-keys"].items) {
        const Node& part = item[name.str()];
        key += (part.exists() ? std::string(part.str()) : std::string(resolved(schema["items"])["properties"][name.str()]["default"].str())) + "\n";
      }
      if (!seen.insert(key).second) problem(item.at, path, path + " holds two items of the same key");
    }
  }

  void check_scalar(const Node& value, const Node& schema, const std::string& path) {
    const Node& allowed = schema["enum"];
    if (allowed.is_list() && std::none_of(allowed.items.begin(), allowed.items.end(), [&](const Node& a) { return a.text == value.text; })) {
      std::string list;
      for (const auto& a : allowed.items) list += (list.empty() ? "" : ", ") + a.text;
      problem(value.at, path, path + " is \"" + value.text.substr(0, 60) + "\", not one of " + list);
    }
    if (const auto number = value.is_string() ? std::nullopt : value.number()) {
      const auto least = schema["minimum"].number(), most = schema["maximum"].number();
      if (least && (*number < *least || (schema["exclusiveMinimum"].is_true() && *number == *least))) problem(value.at, path, path + " is " + value.text + ", at least " + std::string(schema["minimum"].str()) + " is needed");
      if (most && (*number > *most || (schema["exclusiveMaximum"].is_true() && *number == *most))) problem(value.at, path, path + " is " + value.text + ", at most " + std::string(schema["maximum"].str()) + " is allowed");
    }
    if (!value.is_string()) return;
    const auto length = static_cast<std::int64_t>(value.text.size());
    if (schema["minLength"].integer() && length < *schema["minLength"].integer()) problem(value.at, path, path + " is too short");
    if (schema["maxLength"].integer() && length > *schema["maxLength"].integer()) problem(value.at, path, path + " is longer than " + std::string(schema["maxLength"].str()) + " characters");
    // Go's durations and the API server's longer words for units; the format says no more than that.
    static const std::string kDuration = R"(^([-+]?0|[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*[A-Za-zµμ]+\s*)+)$)";
    if (schema["format"].str() == "duration" && !matches(kDuration, value.text)) problem(value.at, path, path + " is \"" + value.text.substr(0, 60) + "\", which is no duration such as 30s");
    if (schema["pattern"].is_string() && !matches(schema["pattern"].text, value.text)) {
      problem(value.at, path, path + " is \"" + value.text.substr(0, 60) + "\", which does not match " + schema["pattern"].text.substr(0, 80));
    }
  }

  /// RE2, as the API server has it. A pattern that it does not take says nothing.
  bool matches(const std::string& pattern, const std::string& text) {
    auto& compiled = patterns_[pattern];
    if (!compiled) compiled = std::make_unique<RE2>(pattern, RE2::Quiet);
    return !compiled->ok() || RE2::PartialMatch(text, *compiled);
  }

  bool passes(const Node& value, const Node& schema, int depth) {
    std::vector<SchemaProblem> quiet;
    Validator inner(definitions_, quiet);
    inner.check(value, schema, "", depth + 1, false);
    return quiet.empty();
  }

  void check_combined(const Node& value, const Node& schema, const std::string& path, int depth) {
    for (const auto& part : schema["allOf"].items) check(value, part, path, depth + 1, false);
    const auto passing = [&](const Node& list) { return std::count_if(list.items.begin(), list.items.end(), [&](const Node& s) { return passes(value, s, depth); }); };
    if (schema["anyOf"].is_list() && passing(schema["anyOf"]) == 0) problem(value.at, path, (path.empty() ? std::string("the object") : path) + " fits none of the allowed forms");
    if (schema["oneOf"].is_list() && passing(schema["oneOf"]) != 1) problem(value.at, path, (path.empty() ? std::string("the object") : path) + " must have exactly one of the allowed forms");
    if (schema["not"].is_map() && passes(value, schema["not"], depth)) problem(value.at, path, (path.empty() ? std::string("the object") : path) + " has a form that is not allowed");
  }

  const std::map<std::string, const Node*>& definitions_;
  std::vector<SchemaProblem>& out_;
  std::map<std::string, std::unique_ptr<RE2>> patterns_;
};

}  // namespace

const SchemaSet& SchemaSet::builtin() {
  static const SchemaSet kBuiltin = [] {
    SchemaSet set;
    for (const auto text : builtin_schemas()) set.add(parse_documents(text, "(built in)").documents);
    return set;
  }();
  return kBuiltin;
}

void SchemaSet::add_definition(const Node& definition) {
  const Node& spec = definition["spec"];
  for (const auto& version : spec["versions"].items) {
    const Node& schema = version.path({"schema", "openAPIV3Schema"});
    const bool served = !version["served"].exists() || version["served"].is_true();
    if (served && schema.is_map()) schemas_[{std::string(spec["group"].str()), std::string(spec.path({"names", "kind"}).str()), std::string(version["name"].str())}] = &schema;
  }
}

std::size_t SchemaSet::add(std::vector<Document> documents) {
  std::size_t added = 0;
  for (auto& document : documents) {
    documents_.push_back(std::move(document));
    const Node& root = documents_.back().root;
    std::vector<const Node*> roots{&root};
    for (const auto& item : root["items"].items) roots.push_back(&item);
    for (const Node* one : roots) {
      if ((*one)["kind"].str() == "Definitions") {
        for (const auto& member : (*one)["definitions"].members) definitions_[member.key] = &member.value;
      }
      if ((*one)["kind"].str() != "CustomResourceDefinition") continue;
      add_definition(*one);
      ++added;
    }
  }
  return added;
}

const Node& SchemaSet::find(const std::string& group, const std::string& version, const std::string& kind) const {
  const auto at = schemas_.find({group, kind, version});
  return at == schemas_.end() ? nothing() : *at->second;
}

bool SchemaSet::knows_kind(const std::string& group, const std::string& kind) const { return !versions_of(group, kind).empty(); }

std::string SchemaSet::versions_of(const std::string& group, const std::string& kind) const {
  std::string out;
  for (const auto& entry : schemas_) {
    if (std::get<0>(entry.first) == group && std::get<1>(entry.first) == kind) out += (out.empty() ? "" : ", ") + std::get<2>(entry.first);
  }
  return out;
}

std::vector<SchemaProblem> SchemaSet::validate(const Node& object, const Node& schema) const {
  std::vector<SchemaProblem> out;
  Validator validator(definitions_, out);
  Node body = object;
  std::erase_if(body.members, [](const Member& m) { return m.key == "apiVersion" || m.key == "kind" || m.key == "metadata"; });
  validator.check(body, schema, "", 0, true);
  return out;
}

}  // namespace deploy
