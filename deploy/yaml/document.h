// YAML documents as plain trees with places: what the linter, the renderer's values and the live checks read.
// Called by deploy/. parse_documents() is the only user of yaml-cpp here; it takes hostile input and never throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace deploy {

struct Position {
  int line = 0, column = 0;  ///< from 1; 0: nowhere
};

/// What a scalar is to kubectl, which reads YAML 1.1: unquoted `y`, `on`, `0x1f`, `1.0` are no strings.
enum class NodeKind : std::uint8_t { kMissing, kNull, kBool, kInteger, kFloat, kString, kList, kMap };
[[nodiscard]] std::string_view word_for(NodeKind kind);  ///< "a string", "a mapping", …

struct Member;

/// A value and where it stands. Lookups of what is not there give the missing node, so they chain.
struct Node {
  NodeKind kind = NodeKind::kMissing;
  bool plain = false;          ///< a scalar without quotes
  Position at;
  std::string text;            ///< of a scalar, as written, quotes and escapes resolved
  std::vector<Node> items;     ///< of a list
  std::vector<Member> members; ///< of a map, in order; keys are unique

  [[nodiscard]] const Node& operator[](std::string_view key) const;
  [[nodiscard]] const Node& operator[](std::size_t index) const;
  [[nodiscard]] const Node& path(std::initializer_list<std::string_view> keys) const;
  [[nodiscard]] bool exists() const { return kind != NodeKind::kMissing; }
  [[nodiscard]] bool is_map() const { return kind == NodeKind::kMap; }
  [[nodiscard]] bool is_list() const { return kind == NodeKind::kList; }
  [[nodiscard]] bool is_scalar() const { return kind > NodeKind::kNull && kind < NodeKind::kList; }
  [[nodiscard]] bool is_string() const { return kind == NodeKind::kString; }
  [[nodiscard]] bool is_true() const { return kind == NodeKind::kBool && to_bool(); }
  /// The text of any scalar, else empty.
  [[nodiscard]] std::string_view str() const { return is_scalar() ? std::string_view(text) : std::string_view(); }
  /// Integers, and strings that hold one ("4" as a quantity).
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<double> number() const;
  [[nodiscard]] bool to_bool() const;
  /// Place of a key's name inside this map; the map's own place when it is not there.
  [[nodiscard]] Position at_key(std::string_view key) const;
};

struct Member {
  std::string key;
  Position at;
  NodeKind key_kind = NodeKind::kString;  ///< `on:` is a boolean key
  Node value;
};

struct Document {
  std::string file;
  std::size_t index = 0;       ///< in the file, from 0
  Position at;
  Node root;
};

/// What stops a document from being read, and what is merely wrong in it (a key given twice).
struct InputProblem {
  std::string file;
  Position at;
  std::string message, fix;
};

struct ParseLimits {
  std::size_t bytes = 16u << 20, nodes = 2'000'000;  ///< nodes: aliases expanded
  int depth = 120;
};

struct ParsedDocuments {
  std::vector<Document> documents;   ///< without empty ones
  std::vector<InputProblem> problems;
};

/// All documents of a text. After a syntax error the file's later documents are lost; the earlier ones are there.
[[nodiscard]] ParsedDocuments parse_documents(std::string_view text, std::string_view file, const ParseLimits& limits = {});

/// kString, or what an unquoted scalar is to a YAML 1.1 reader (yaml.org/type; go-yaml v2's table).
[[nodiscard]] NodeKind kind_of_plain(std::string_view text);
/// 2020-01-01, and what begins so and goes on with a time: a string to kind_of_plain(), a timestamp to some readers.
[[nodiscard]] bool reads_as_date(std::string_view text);

}  // namespace deploy
