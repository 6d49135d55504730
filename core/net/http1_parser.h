// Http1Parser: incremental HTTP/1.1 message parser (requests and responses), a thin face of Boost.Beast's basic_parser.
// Used by HttpServer and by the router's upstream connections. The heavy header lives in http1_parser.cc alone.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/net/http_server.h"

namespace core::net {

struct Http1Head {
  std::string method, target;  ///< requests
  int status = 0;              ///< responses
  Headers headers;
  bool keep_alive = true;
  bool chunked = false;
};

/// Receives a message's parts in order.
class Http1Sink {
 public:
  virtual ~Http1Sink() = default;
  virtual void on_head(Http1Head&& head) = 0;
  /// Body bytes with transfer coding removed.
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_complete() = 0;
};

class Http1Parser {
 public:
  enum class Kind { kRequest, kResponse };
  struct Limits {
    std::size_t max_header_bytes = 64u << 10;
    std::size_t max_body_bytes = 64u << 20;
  };
  /// How a message was refused.
  enum class Refusal { kNone, kBadSyntax, kHeaderTooLarge, kBodyTooLarge };

  Http1Parser(Kind kind, Limits limits, Http1Sink& sink);
  ~Http1Parser();

  /// Feeds bytes; returns how many belong to the current message (fewer than given once it is complete).
  /// After on_complete call reset() and feed the rest. A refusal is final.
  std::size_t feed(std::string_view bytes);
  /// The peer closed: completes a response that is delimited by close. False when the message was cut.
  bool end_of_input();
  [[nodiscard]] Refusal refusal() const;
  [[nodiscard]] bool complete() const;
  /// True once any byte of the current message was seen.
  [[nodiscard]] bool started() const;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace core::net
