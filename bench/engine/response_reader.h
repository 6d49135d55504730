// ResponseReader: one response from its first header to its end, as times, counts and an outcome.
// One per slot of the load engine, reused for request after request. It does no I/O and reads no clock.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/engine/transport.h"
#include "core/sse.h"
#include "protocol/openai.h"

namespace bench {

class ResponseReader {
 public:
  /// Forgets the last response. `run_start` is the zero of all times; `stream`: an SSE answer is expected.
  void start(TimePoint run_start, bool stream);
  void on_header(std::string_view name, std::string_view value);
  void on_body(std::string_view bytes, const Arrival& arrival);
  /// Fills the record's times (all but sent and done), counts, status and outcome.
  void finish(const TransportEnd& end, bool first_token_is_chunk, RequestRecord& record);

  [[nodiscard]] const std::vector<TokenEvent>& events() const { return events_; }
  /// The name of who served the response, and by what it was observed; empty: nothing was.
  [[nodiscard]] std::string_view observed(ObservedSource& source) const;
  /// Why the outcome is not kOk; may be empty. Valid until the next start().
  [[nodiscard]] std::string_view problem() const { return problem_; }

 private:
  void on_part(const protocol::ResponsePart& part, const Arrival& arrival);
  void add_token_event(const protocol::ResponsePart& part, const Arrival& arrival);
  void take_usage(const protocol::Usage& usage);
  Outcome judge(const TransportEnd& end);
  Outcome judge_stream();
  Outcome judge_body();
  void say(std::string_view problem) {
    if (problem_.empty()) problem_.assign(problem.substr(0, 200));
  }

  core::SseParser parser_;
  protocol::ResponseDecoder decoder_;
  std::vector<TokenEvent> events_;
  std::string body_, problem_, served_, pod_, fingerprint_;
  protocol::Usage usage_;
  TimePoint run_start_{};
  Duration first_byte_ = kNever, first_choice_ = kNever;
  std::uint32_t counted_tokens_ = 0;
  bool stream_ = true, sse_ = true;
  bool done_ = false, malformed_ = false, server_error_ = false;
  bool finished_by_length_ = false, first_choice_exact_ = false;
};

}  // namespace bench
