// Faults: what a simulated replica does wrong on purpose. Set by flags and by POST /admin/faults, read per request.
// It concerns the completion routes alone: health, metrics and admin go on answering.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace simulator {

struct Faults {
  bool refuse = false;        ///< the connection is reset instead of answered
  double fail_rate = 0;       ///< share of requests answered with `status`
  int status = 503;
  bool non_json = false;      ///< 200 with an HTML page
  bool half_event = false;    ///< the stream ends properly in the middle of its first event
  std::optional<std::uint32_t> cut_after_tokens;    ///< the connection is reset after so many tokens
  std::optional<std::uint32_t> stall_after_tokens;  ///< nothing more is sent after so many tokens
  std::optional<std::uint64_t> die_after_requests;  ///< the replica dies at the request after so many
};

/// A JSON object replaces all faults: a key that is absent, or null, goes back to its default. Unknown keys, wrong types
/// and values out of range are errors, all of them in one message.
core::Result<Faults> parse_faults(std::string_view json);
[[nodiscard]] std::string faults_json(const Faults& faults);

}  // namespace simulator
