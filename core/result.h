// Result<T>: a value or an Error. Every fallible function in gatebench returns one.
// Used by all folders. Nothing here throws; callers check before they dereference.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace core {

/// What kind of failure it is; the command line maps each to an exit code (DESIGN §4).
enum class ErrorCode {
  kInternal,       ///< a bug or an unexpected condition
  kIo,             ///< file, database or socket trouble on our side
  kInvalid,        ///< configuration or usage: the user must change something
  kUnreachable,    ///< the target did not answer
  kProtocol,       ///< the peer answered something that breaks the protocol
  kTimeout,        ///< time ran out
  kCancelled,      ///< the user or a caller stopped it
  kUnsupported     ///< understood, but not available here
};

/// A failure as a value: what, where and what to do about it.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  ///< what went wrong and where (file:line, JSON path, URL)
  std::string hint;     ///< what to do; may be empty
};

/// A T or an Error. `[[nodiscard]]`, because an ignored failure is a wrong figure later.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(Error error) : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}  // NOLINT(google-explicit-constructor)
};

using Status = Result<void>;

/// Shorthand: `return fail(ErrorCode::kInvalid, "what, where", "what to do");`
[[nodiscard]] inline Error fail(ErrorCode code, std::string message, std::string hint = {}) {
  return Error{code, std::move(message), std::move(hint)};
}

}  // namespace core
