// OpenAI completions and chat codec: the request a client writes and a server reads; the response a server writes and a
// client reads. Shared by the load generator, the router (model and prompt only) and the simulated replica.
// JSON is read with simdjson, inside openai_*.cc alone. No I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "protocol/tokenizer.h"

namespace protocol {

enum class Api { kCompletions, kChat };
[[nodiscard]] std::string_view path_of(Api api);  ///< "/v1/completions", "/v1/chat/completions"

inline constexpr std::uint32_t kUnknownCount = 0xffffffffu;

// ---- client side: writing requests (openai_client.cc) ----

struct RequestBody {
  Api api = Api::kCompletions;
  std::string_view model;
  std::string_view prompt;        ///< chat: the one user message
  std::uint32_t max_tokens = 16;
  std::optional<std::uint32_t> min_tokens;
  bool ignore_eos = false;
  bool stream = true;
  bool include_usage = true;      ///< stream_options.include_usage
  bool continuous_usage = false;  ///< stream_options.continuous_usage_stats
  std::optional<double> temperature;
  std::string_view user;          ///< ignored by vLLM; body padding; omitted when empty
  std::string_view cache_salt;    ///< omitted when empty
  std::string_view extra_members; ///< raw JSON members to splice in, without braces; omitted when empty
};

/// Replaces `out` with the JSON body. Allocates only when `out` has to grow.
void write_request_body(const RequestBody& request, std::string& out);

// ---- client side: reading responses (openai_client.cc) ----

struct Usage {
  std::uint32_t prompt_tokens = kUnknownCount;
  std::uint32_t completion_tokens = kUnknownCount;
  std::uint32_t cached_tokens = kUnknownCount;  ///< prompt_tokens_details.cached_tokens; unknown when not reported
};

/// What one SSE payload (or one whole non-stream response) means to a client.
struct ResponsePart {
  enum class Kind { kTokens, kNoTokens, kDone, kError, kMalformed };
  Kind kind = Kind::kNoTokens;
  bool has_choices = false;          ///< for vLLM's first-token rule: `choices` is not empty
  bool finished = false;             ///< a finish_reason is set
  bool finished_by_length = false;
  Usage usage;                       ///< fields unknown unless this part carries usage
  std::string_view text;             ///< content, reasoning or tool-call text; raw JSON string body (still escaped)
  std::string_view error_message;    ///< kError: from error.message or message
  std::string_view system_fingerprint;
};

/// Decodes SSE payloads of one response. Fast path: a chunk that differs from the last one simdjson accepted in its
/// text alone; anything else goes through simdjson. Views in the part are valid until the next call and no longer than
/// the payload.
class ResponseDecoder {
 public:
  ResponseDecoder();
  ~ResponseDecoder();
  ResponseDecoder(ResponseDecoder&&) noexcept;
  ResponseDecoder& operator=(ResponseDecoder&&) noexcept;

  ResponsePart decode_event(std::string_view payload);
  /// A whole JSON response: non-stream answer or error body.
  ResponsePart decode_body(std::string_view body);
  void reset();

 private:
  struct State;
  State* state_;
};

// ---- server side: reading requests (openai_server.cc) ----

/// What the simulated replica and the router need of a request body.
struct ParsedRequest {
  Api api = Api::kCompletions;
  std::string model;
  std::string prompt;  ///< completions: the prompt; chat: messages joined as the simulated template renders them
  std::vector<std::string> more_prompts;            ///< the second and later of a list of texts
  std::vector<std::vector<TokenId>> token_prompts;  ///< when prompts are given as token ids
  std::vector<std::pair<std::string, std::string>> messages;  ///< chat: role, text
  std::uint32_t max_tokens = 16;   ///< completions default 16; chat default kUnknownCount = rest of the context
  std::uint32_t min_tokens = 0;
  std::uint32_t n = 1;
  bool ignore_eos = false;
  bool stream = false;
  bool include_usage = false;
  bool continuous_usage = false;
  std::string cache_salt;
  std::string user;
};

/// kInvalid with vLLM's message for malformed JSON, a wrong type or a missing prompt.
core::Result<ParsedRequest> parse_request(Api api, std::string_view body);

// ---- server side: writing responses (openai_server.cc) ----

struct ResponseIdentity {
  std::string id;       ///< "cmpl-…" or "chatcmpl-…"
  std::string model;
  std::int64_t created_unix_s = 0;
  std::string system_fingerprint;  ///< empty: omitted
};

/// Appends one SSE event ("data: …\n\n") for a token chunk. finish_reason empty: null. `usage` non-null: put in.
void append_chunk(Api api, const ResponseIdentity& identity, std::string_view text, std::string_view finish_reason,
                  const Usage* usage, std::string& out);
/// Chat's first chunk, {"role":"assistant","content":""}.
void append_role_chunk(const ResponseIdentity& identity, std::string& out);
/// The chunk with empty choices and the usage.
void append_usage_chunk(Api api, const ResponseIdentity& identity, const Usage& usage, std::string& out);
inline constexpr std::string_view kDoneEvent = "data: [DONE]\n\n";
/// A whole non-stream response.
void append_response(Api api, const ResponseIdentity& identity, std::string_view text, std::string_view finish_reason,
                     const Usage& usage, std::string& out);
/// {"error":{"message","type","param","code"}} as vLLM >= 0.10.1.
/// `param` empty: null.
[[nodiscard]] std::string error_body(int status, std::string_view type, std::string_view message,
                                     std::string_view param = {});

/// Appends `text` as the inside of a JSON string.
void append_escaped(std::string_view text, std::string& out);

}  // namespace protocol
