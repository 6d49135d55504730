// Target: where a run goes, resolved once to a numeric address, so that no request waits for a name server.
// Used by the runner before a run. It blocks; it must never be called while load is on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"

namespace bench {

struct Url {
  std::string scheme, host, port, path;  ///< host without brackets; port never empty; path empty or "/…" without trailing '/'
  bool credentials = false;              ///< "user:password@" was there and is left out
};

/// kInvalid for anything but http(s)://host[:port][/path].
core::Result<Url> parse_url(std::string_view text);
/// Without credentials.
[[nodiscard]] std::string to_string(const Url& url);

struct Target {
  std::string base_url;   ///< numeric for http; as given for https, whose certificate needs the name
  std::string host_line;  ///< "Host: name[:port]" when base_url lost the name; else empty
};

/// Resolves a http target to the first address that takes a connection. When none does, the name is kept: the readiness
/// check then says what is wrong.
core::Result<Target> resolve_target(const std::string& url, core::Duration connect_timeout);

/// The ids in an OpenAI model list; kProtocol when it is none.
core::Result<std::vector<std::string>> parse_model_list(std::string_view body);
/// {"success": false}: how newer servers refuse to reset their cache with status 200.
[[nodiscard]] bool says_no_success(std::string_view body);
/// `version` of vLLM's GET /version; empty when the body is no such answer.
[[nodiscard]] std::string parse_version(std::string_view body);

}  // namespace bench
