#include "core/net/http1_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <optional>

#include "core/text.h"

namespace core::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using View = boost::beast::string_view;

/// Beast's parser with its events forwarded. One per message: Beast's cannot be reset.
template <bool kIsRequest>
class MessageParser : public http::basic_parser<kIsRequest> {
 public:
  MessageParser(Http1Sink& sink, const Http1Parser::Limits& limits) : sink_(sink) {
    this->eager(true);
    this->header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
    this->body_limit(limits.max_body_bytes);
  }

 private:
  void on_request_impl(http::verb, View method, View target, int, error_code&) override {
    head_.method.assign(method.data(), method.size());
    head_.target.assign(target.data(), target.size());
  }
  void on_response_impl(int code, View, int, error_code&) override { head_.status = code; }
  void on_field_impl(http::field, View name, View value, error_code&) override {
    head_.headers.emplace_back(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override {
    head_.keep_alive = this->keep_alive();
    head_.chunked = this->chunked();
    sink_.on_head(std::move(head_));
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(View body, error_code&) override {
    sink_.on_body(std::string_view(body.data(), body.size()));
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override {
    sink_.on_body(std::string_view(body.data(), body.size()));
    return body.size();
  }
  void on_finish_impl(error_code&) override { sink_.on_complete(); }

  Http1Sink& sink_;
  Http1Head head_;
};

Http1Parser::Refusal refusal_of(const error_code& error) {
  if (error == http::error::header_limit) return Http1Parser::Refusal::kHeaderTooLarge;
  if (error == http::error::body_limit) return Http1Parser::Refusal::kBodyTooLarge;
  return Http1Parser::Refusal::kBadSyntax;
}

}  // namespace

struct Http1Parser::State {
  Kind kind;
  Limits limits;
  Http1Sink& sink;
  std::optional<MessageParser<true>> request;
  std::optional<MessageParser<false>> response;
  std::string tail;  // bytes Beast wants to see again together with more
  Refusal refusal = Refusal::kNone;

  State(Kind k, Limits l, Http1Sink& s) : kind(k), limits(l), sink(s) { renew(); }

  void renew() {
    if (kind == Kind::kRequest) {
      request.emplace(sink, limits);
    } else {
      response.emplace(sink, limits);
    }
    tail.clear();
    refusal = Refusal::kNone;
  }
  bool is_done() const { return kind == Kind::kRequest ? request->is_done() : response->is_done(); }
  bool got_some() const {
    return !tail.empty() || (kind == Kind::kRequest ? request->got_some() : response->got_some());
  }
  std::size_t put(std::string_view bytes, error_code& error) {
    const boost::asio::const_buffer buffer(bytes.data(), bytes.size());
    return kind == Kind::kRequest ? request->put(buffer, error) : response->put(buffer, error);
  }
  /// Consumes as much as the message takes; returns how much that was.
  std::size_t consume(std::string_view bytes) {
    std::size_t used = 0;
    while (used < bytes.size() && !is_done() && refusal == Refusal::kNone) {
      error_code error;
      const std::size_t step = put(bytes.substr(used), error);
      used += step;
      if (error == http::error::need_more) break;
      if (error) refusal = refusal_of(error);
      if (!error && step == 0) break;
    }
    return used;
  }
};

Http1Parser::Http1Parser(Kind kind, Limits limits, Http1Sink& sink)
    : state_(std::make_unique<State>(kind, limits, sink)) {}
Http1Parser::~Http1Parser() = default;

std::size_t Http1Parser::feed(std::string_view bytes) {
  State& state = *state_;
  if (state.refusal != Refusal::kNone || state.is_done()) return 0;
  if (state.tail.empty()) {
    const std::size_t used = state.consume(bytes);
    if (state.is_done() || state.refusal != Refusal::kNone) return used;
    state.tail.assign(bytes.substr(used));
    return bytes.size();
  }
  const std::size_t held = state.tail.size();
  state.tail.append(bytes);
  const std::size_t used = state.consume(state.tail);
  if (state.is_done() || state.refusal != Refusal::kNone) {
    state.tail.clear();
    return used > held ? used - held : 0;
  }
  state.tail.erase(0, used);
  return bytes.size();
}

bool Http1Parser::end_of_input() {
  State& state = *state_;
  if (state.is_done()) return true;
  if (state.refusal != Refusal::kNone || state.kind == Kind::kRequest) return false;
  error_code error;
  state.response->put_eof(error);
  return !error && state.response->is_done();
}

Http1Parser::Refusal Http1Parser::refusal() const { return state_->refusal; }
bool Http1Parser::complete() const { return state_->is_done(); }
bool Http1Parser::started() const { return state_->got_some(); }
void Http1Parser::reset() { state_->renew(); }

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (equals_ignore_case(key, name)) return value;
  }
  return {};
}

}  // namespace core::net
