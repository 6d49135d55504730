// parse_documents(): yaml-cpp's events become trees. Aliases are copied within a budget, so that a small file cannot grow
// into a huge one; keys given twice are noted; what looks like an unrendered template is called that.
// It must never throw, whatever the text.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "deploy/yaml/document.h"

namespace deploy {
namespace {

constexpr std::string_view kRender = "render the template first; this is its source";

/// Ends the parse; yaml-cpp is a C++ library and lets it through.
struct Stop {
  InputProblem problem;
};

Position position_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

std::size_t size_of(const Node& node) {
  std::size_t n = 1;
  for (const auto& item : node.items) n += size_of(item);
  for (const auto& member : node.members) n += 1 + size_of(member.value);
  return n;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view file, const ParseLimits& limits, ParsedDocuments& out) : file_(file), limits_(limits), out_(out) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    document_ = {};
    document_.file = file_;
    document_.at = position_of(mark);
    anchors_.clear();
    open_.clear();
  }
  void OnDocumentEnd() override {
    document_.index = index_++;
    if (document_.root.kind != NodeKind::kNull && document_.root.exists()) out_.documents.push_back(std::move(document_));
    document_ = {};
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(scalar(mark, NodeKind::kNull, {}, true), anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end()) stop(mark, "an alias to what is still open: the document would contain itself", "write the value out");
    grow(mark, it->second.second);
    Node copy = it->second.first;
    place(std::move(copy));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    const bool plain = tag == "?" || tag.empty();
    NodeKind kind = plain ? kind_of_plain(value) : NodeKind::kString;
    if (tag == "tag:yaml.org,2002:int") kind = NodeKind::kInteger;
    if (tag == "tag:yaml.org,2002:float") kind = NodeKind::kFloat;
    if (tag == "tag:yaml.org,2002:bool") kind = NodeKind::kBool;
    if (plain && value.rfind("{{", 0) == 0) stop(mark, "\"" + value.substr(0, 40) + "\" is a template, not YAML", kRender);
    add(scalar(mark, kind, value, plain), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    begin(mark, NodeKind::kList, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    if (!open_.empty() && open_.back().node.is_map() && !open_.back().key) {
      stop(mark, "a mapping as a key: \"{{ … }}\" is a template, not YAML; JSON that is cut off reads like that, too", kRender);
    }
    begin(mark, NodeKind::kMap, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    std::optional<Member> key;       ///< of a map: the key whose value comes next
    std::set<std::string> keys;
    std::vector<Node> merged;        ///< values of "<<"
  };

  [[noreturn]] void stop(const YAML::Mark& mark, std::string message, std::string_view fix) const {
    throw Stop{{std::string(file_), position_of(mark), std::move(message), std::string(fix)}};
  }
  void grow(const YAML::Mark& mark, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > limits_.nodes) {
      stop(mark, "more than " + std::to_string(limits_.nodes) + " values, aliases expanded", "split the file; aliases that multiply are not needed");
    }
  }
  Node scalar(const YAML::Mark& mark, NodeKind kind, const std::string& text, bool plain) {
    grow(mark, 1);
    Node node;
    node.kind = kind;
    node.plain = plain;
    node.text = text;
    node.at = position_of(mark);
    return node;
  }
  void add(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = {node, size_of(node)};
    place(std::move(node));
  }
  void begin(const YAML::Mark& mark, NodeKind kind, YAML::anchor_t anchor) {
    grow(mark, 1);
    if (static_cast<int>(open_.size()) >= limits_.depth) {
      stop(mark, "nested deeper than " + std::to_string(limits_.depth) + " levels", "no manifest is; is this a manifest?");
    }
    Open open;
    open.node.kind = kind;
    open.node.at = position_of(mark);
    open.anchor = anchor;
    open_.push_back(std::move(open));
  }
  void end() {
    Open open = std::move(open_.back());
    open_.pop_back();
    for (auto& from : open.merged) merge(open, from);
    if (open.anchor != 0) anchors_[open.anchor] = {open.node, size_of(open.node)};
    place(std::move(open.node));
  }
  static void merge(Open& open, const Node& from) {
    for (const auto& item : from.items) merge(open, item);
    for (const auto& member : from.members) {
      if (open.keys.insert(member.key).second) open.node.members.push_back(member);
    }
  }
  void place(Node node) {
    if (open_.empty()) {
      document_.root = std::move(node);
      return;
    }
    Open& open = open_.back();
    if (open.node.is_list()) {
      open.node.items.push_back(std::move(node));
    } else if (!open.key) {
      take_key(open, node);
    } else {
      take_value(open, std::move(node));
    }
  }
  void take_key(Open& open, const Node& node) {
    if (!node.is_scalar() && node.kind != NodeKind::kNull) {
      throw Stop{{std::string(file_), node.at, "a key that is " + std::string(word_for(node.kind)), "write the key as a string"}};
    }
    Member member;
    member.key = node.text;
    member.at = node.at;
    member.key_kind = node.kind;
    open.key = std::move(member);
  }
  void take_value(Open& open, Node node) {
    Member member = std::move(*open.key);
    open.key.reset();
    if (member.key == "<<" && (node.is_map() || node.is_list())) {
      open.merged.push_back(std::move(node));
      return;
    }
    if (!open.keys.insert(member.key).second) {
      const Position first = open.node.at_key(member.key);
      out_.problems.push_back({std::string(file_), member.at,
                               "the key \"" + member.key + "\" stands here for the second time; first in line " + std::to_string(first.line),
                               "remove one: kubectl refuses it, or silently takes the last"});
      return;
    }
    member.value = std::move(node);
    open.node.members.push_back(std::move(member));
  }

  std::string_view file_;
  const ParseLimits& limits_;
  ParsedDocuments& out_;
  Document document_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, std::pair<Node, std::size_t>> anchors_;
  std::size_t nodes_ = 0, index_ = 0;
};

std::string_view line_of(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

/// Where a text stops being UTF-8; none: it is. One in UTF-16 or UTF-32, which begins with its mark, is yaml-cpp's matter.
std::optional<std::size_t> bad_utf8(std::string_view text) {
  if (text.rfind("\xFE\xFF", 0) == 0 || text.rfind("\xFF\xFE", 0) == 0) return std::nullopt;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t size = byte < 0x80 ? 1 : byte >= 0xC2 && byte < 0xE0 ? 2 : byte >= 0xE0 && byte < 0xF0 ? 3 : byte >= 0xF0 && byte < 0xF5 ? 4 : 0;
    if (size == 0 || i + size > text.size()) return i;
    for (std::size_t k = 1; k < size; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return i;
    }
    i += size;
  }
  return std::nullopt;
}

std::optional<InputProblem> refuse(std::string_view text, std::string_view file, const ParseLimits& limits) {
  const auto problem = [&](std::string message, std::string fix) {
    return InputProblem{std::string(file), {1, 1}, std::move(message), std::move(fix)};
  };
  if (text.size() > limits.bytes) {
    return problem(std::to_string(text.size() >> 20) + " MB: files up to " + std::to_string(limits.bytes >> 20) + " MB are read", "split the file");
  }
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    InputProblem p = problem("a zero byte: this is no text file", "give YAML or JSON files in UTF-8");
    p.at.line = 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n'));
    return p;
  }
  if (const auto bad = bad_utf8(text)) {
    InputProblem p = problem("bytes that are no UTF-8", "write the file in UTF-8: kubectl refuses it");
    p.at.line = 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n'));
    return p;
  }
  return std::nullopt;
}

}  // namespace

ParsedDocuments parse_documents(std::string_view text, std::string_view file, const ParseLimits& limits) {
  ParsedDocuments out;
  if (auto refused = refuse(text, file, limits)) {
    out.problems.push_back(std::move(*refused));
    return out;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(file, limits, out);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (Stop& stop) {
    out.problems.push_back(std::move(stop.problem));
  } catch (const YAML::Exception& error) {
    const Position at{std::max(1, error.mark.line + 1), std::max(1, error.mark.column + 1)};
    const bool templated = line_of(text, at.line).find("{{") != std::string_view::npos;
    out.problems.push_back({std::string(file), at, "not YAML: " + error.msg, templated ? std::string(kRender) : "correct the syntax"});
  } catch (const std::exception& error) {
    out.problems.push_back({std::string(file), {1, 1}, std::string("could not be read: ") + error.what(), "is this a YAML file?"});
  }
  return out;
}

}  // namespace deploy
