// Builds a JsonValue through nlohmann's SAX interface, which is iterative; our own stack is bounded by kMaxJsonDepth.
#include "scenarios/json_tree.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace scenarios {
namespace {

class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TreeBuilder(JsonValue& root) : root_(root) {}

  bool null() override { return put({}); }
  bool boolean(bool value) override {
    JsonValue made;
    made.kind = JsonValue::Kind::kBoolean;
    made.boolean = value;
    return put(std::move(made));
  }
  bool number_integer(number_integer_t value) override {
    return put_integer(value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value), value < 0);
  }
  bool number_unsigned(number_unsigned_t value) override { return put_integer(value, false); }
  bool number_float(number_float_t value, const string_t&) override {
    JsonValue made;
    made.kind = JsonValue::Kind::kNumber;
    made.number = value;
    return put(std::move(made));
  }
  bool string(string_t& value) override {
    JsonValue made;
    made.kind = JsonValue::Kind::kString;
    made.text = std::move(value);
    return put(std::move(made));
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(JsonValue::Kind::kObject); }
  bool start_array(std::size_t) override { return open(JsonValue::Kind::kArray); }
  bool key(string_t& value) override {
    if (!stack_.back().keys.insert(value).second) {
      refusal_ = "the key \"" + value.substr(0, 60) + "\" stands twice in one object";
      return false;
    }
    key_ = std::move(value);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
    position_ = position;
    refusal_ = reason(error.what());
    return false;
  }

  [[nodiscard]] const std::string& refusal() const { return refusal_; }
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  struct Open {
    JsonValue value;
    std::string key;
    std::set<std::string> keys;
  };

  /// The part after nlohmann's "[json.exception.…] parse error at line 1, column 2: ".
  static std::string reason(std::string_view what) {
    auto begin = what.find("syntax error");
    if (begin == std::string_view::npos) begin = what.find("] ") == std::string_view::npos ? 0 : what.find("] ") + 2;
    std::string text;
    for (const char c : what.substr(begin, 200)) text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    return text;
  }

  bool put_integer(std::uint64_t magnitude, bool negative) {
    JsonValue made;
    made.kind = JsonValue::Kind::kInteger;
    made.integer = magnitude;
    made.negative = negative;
    made.number = negative ? -static_cast<double>(magnitude) : static_cast<double>(magnitude);
    return put(std::move(made));
  }

  bool open(JsonValue::Kind kind) {
    if (stack_.size() == kMaxJsonDepth) {
      refusal_ = "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels";
      return false;
    }
    Open opened;
    opened.value.kind = kind;
    opened.key = std::move(key_);
    stack_.push_back(std::move(opened));
    return true;
  }

  bool close() {
    Open closed = std::move(stack_.back());
    stack_.pop_back();
    key_ = std::move(closed.key);
    return put(std::move(closed.value));
  }

  bool put(JsonValue value) {
    if (stack_.empty()) {
      root_ = std::move(value);
      return true;
    }
    JsonValue& parent = stack_.back().value;
    if (parent.kind == JsonValue::Kind::kArray) {
      parent.items.push_back(std::move(value));
    } else {
      parent.members.emplace_back(std::move(key_), std::move(value));
    }
    return true;
  }

  JsonValue& root_;
  std::vector<Open> stack_;
  std::string key_, refusal_;
  std::size_t position_ = 0;
};

std::string line_and_column(std::string_view text, std::size_t position) {
  const std::string_view before = text.substr(0, position > 0 ? std::min(position - 1, text.size()) : 0);
  const auto lines = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const auto line_start = before.rfind('\n');
  const std::size_t column = line_start == std::string_view::npos ? before.size() : before.size() - line_start - 1;
  return "line " + std::to_string(lines + 1) + ", column " + std::to_string(column + 1);
}

/// Counts the bytes that a SAX parse has taken, so that a refusal of ours has a place too.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* taken) : at_(at), taken_(taken) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*taken_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }
  friend bool operator!=(const CountingIterator& a, const CountingIterator& b) { return a.at_ != b.at_; }

 private:
  const char* at_;
  std::size_t* taken_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const {
  for (const auto& member : members) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

std::string_view JsonValue::kind_name() const {
  switch (kind) {
    case Kind::kNull: return "null";
    case Kind::kBoolean: return "a boolean";
    case Kind::kInteger: return "an integer";
    case Kind::kNumber: return "a number";
    case Kind::kString: return "a string";
    case Kind::kArray: return "an array";
    case Kind::kObject: return "an object";
  }
  return "";
}

bool read_json(std::string_view text, JsonValue& root, JsonProblem& problem) {
  if (text.size() > kMaxJsonBytes) {
    problem = {"line 1, column 1", "the file has " + std::to_string(text.size()) + " bytes; a scenario may have " +
                                       std::to_string(kMaxJsonBytes)};
    return false;
  }
  TreeBuilder builder(root);
  std::size_t taken = 0;
  CountingIterator begin(text.data(), &taken);
  CountingIterator end(text.data() + text.size(), &taken);
  if (nlohmann::json::sax_parse(begin, end, &builder)) return true;
  const std::size_t position = builder.position() > 0 ? builder.position() : taken;
  problem = {line_and_column(text, position), builder.refusal().empty() ? "not JSON" : builder.refusal()};
  return false;
}

}  // namespace scenarios
