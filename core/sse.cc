#include "core/sse.h"

namespace core {

bool SseParser::end_line() {
  if (line_.empty()) return false;
  std::string_view line(line_);
  // One byte order mark may open the stream (WHATWG HTML §9.2.6).
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (at_start_ && line.substr(0, kByteOrderMark.size()) == kByteOrderMark) line.remove_prefix(kByteOrderMark.size());
  at_start_ = false;
  constexpr std::string_view kField = "data:";
  if (line.substr(0, kField.size()) == kField || line == "data") {
    line.remove_prefix(line.size() >= kField.size() ? kField.size() : line.size());
    if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    if (has_data_) data_.push_back('\n');
    data_.append(line);
    has_data_ = true;
  }
  line_.clear();
  return true;
}

void SseParser::reset() {
  line_.clear();
  data_.clear();
  has_data_ = after_cr_ = false;
  at_start_ = true;
}

}  // namespace core
