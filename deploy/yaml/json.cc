// See json.h.
#include "deploy/yaml/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace deploy {
namespace {

/// Builds nodes from the parser's events, on a stack of its own: no recursion over what the input nests.
class NodeBuilder {
 public:
  using Json = nlohmann::json;
  explicit NodeBuilder(const ParseLimits& limits) : limits_(limits) {}

  bool null() { return scalar(NodeKind::kNull, "null", true); }
  bool boolean(bool value) { return scalar(NodeKind::kBool, value ? "true" : "false", true); }
  bool number_integer(Json::number_integer_t value) { return scalar(NodeKind::kInteger, std::to_string(value), true); }
  bool number_unsigned(Json::number_unsigned_t value) { return scalar(NodeKind::kInteger, std::to_string(value), true); }
  bool number_float(Json::number_float_t, const std::string& text) { return scalar(NodeKind::kFloat, text, true); }
  bool string(std::string& value) { return scalar(NodeKind::kString, std::move(value), false); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(NodeKind::kMap); }
  bool start_array(std::size_t) { return open(NodeKind::kList); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    open_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) {
    problem = "is no JSON: it breaks at byte " + std::to_string(position);
    return false;
  }

  Node root;
  std::string problem;

 private:
  struct Open {
    Node node;
    std::string key;   ///< of the member that comes next
  };

  bool within_limits() {
    if (++nodes_ > limits_.nodes) problem = "has more than " + std::to_string(limits_.nodes) + " values";
    return problem.empty();
  }
  bool scalar(NodeKind kind, std::string text, bool plain) {
    Node node;
    node.kind = kind;
    node.plain = plain;
    node.text = std::move(text);
    return within_limits() && put(std::move(node));
  }
  bool open(NodeKind kind) {
    if (static_cast<int>(open_.size()) >= limits_.depth) problem = "nests deeper than " + std::to_string(limits_.depth);
    Open next;
    next.node.kind = kind;
    open_.push_back(std::move(next));
    return within_limits();
  }
  bool close() {
    Node done = std::move(open_.back().node);
    open_.pop_back();
    return put(std::move(done));
  }
  bool put(Node node) {
    if (open_.empty()) {
      root = std::move(node);
      return true;
    }
    Open& parent = open_.back();
    if (parent.node.is_list()) {
      parent.node.items.push_back(std::move(node));
      return true;
    }
    auto& members = parent.node.members;
    const auto same = std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.key == parent.key; });
    if (members.size() >= kMostKeys) problem = "has a mapping of more than " + std::to_string(kMostKeys) + " keys";
    if (same != members.end()) same->value = std::move(node);
    else members.push_back({parent.key, {}, NodeKind::kString, std::move(node)});
    return problem.empty();
  }

  static constexpr std::size_t kMostKeys = 20'000;  ///< keys are looked up one by one
  ParseLimits limits_;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
};

}  // namespace

core::Result<Document> parse_json_document(std::string_view text, const std::string& file, const ParseLimits& limits) {
  const auto refuse = [&](const std::string& what) {
    return core::fail(core::ErrorCode::kInvalid, file + ": " + what, "give what `kubectl get … -o json` prints");
  };
  if (text.size() > limits.bytes) return refuse("is larger than " + std::to_string(limits.bytes >> 20) + " MB");
  NodeBuilder builder(limits);
  const bool whole = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  if (!whole) return refuse(builder.problem.empty() ? "is no JSON" : builder.problem);
  Document document;
  document.file = file;
  document.root = std::move(builder.root);
  return document;
}

}  // namespace deploy
