// SseParser: incremental server-sent-events parser. Fed with whatever bytes arrive, at any cut.
// Called on the hot path by the response codec; it does not allocate once its line buffer has grown.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace core {

/// Splits a byte stream into SSE `data` payloads (WHATWG HTML §9.2.6: lines end in LF, CRLF or CR; `data:` lines of one
/// event are joined by LF; comments and other fields are skipped). A payload is handed out when its event's blank line
/// arrives. An event larger than `max_event_bytes` makes the parser fail for good.
class SseParser {
 public:
  explicit SseParser(std::size_t max_event_bytes = 16 << 20) : max_event_bytes_(max_event_bytes) {}

  /// Calls `on_data(std::string_view payload)` for each complete event. The view is valid during the call only and is
  /// followed by at least kPadding readable bytes, as simdjson wants. Returns false when the stream is not acceptable.
  template <class OnData>
  bool feed(std::string_view bytes, OnData&& on_data) {
    while (!bytes.empty()) {
      if (after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
      after_cr_ = false;
      // Two searches of the library beat a loop over the bytes: streams are long and line ends are rare.
      const std::size_t line_feed = bytes.find('\n');
      const std::size_t end = std::min(line_feed, bytes.substr(0, line_feed).find('\r'));
      const std::string_view part = bytes.substr(0, end);
      if (line_.size() + part.size() > max_event_bytes_) return false;
      line_.append(part);
      if (end == std::string_view::npos) return true;
      after_cr_ = bytes[end] == '\r';
      bytes.remove_prefix(end + 1);
      if (!end_line()) {
        if (has_data_) {
          has_data_ = false;
          data_.reserve(data_.size() + kPadding);
          on_data(std::string_view(data_));
        }
        data_.clear();
      } else if (data_.size() > max_event_bytes_) {
        return false;
      }
    }
    return true;
  }

  /// True when bytes of an unfinished event are held: a stream that ends now was cut.
  [[nodiscard]] bool has_partial_event() const { return has_data_ || !line_.empty(); }
  void reset();

  static constexpr std::size_t kPadding = 64;

 private:
  /// Consumes line_; false if it was the blank line that ends an event.
  bool end_line();

  std::size_t max_event_bytes_;
  std::string line_, data_;
  bool has_data_ = false, after_cr_ = false, at_start_ = true;
};

}  // namespace core
