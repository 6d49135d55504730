// Strings as YAML scalars: plain where every reader takes them for that string, quoted elsewhere. Used by the templates and
// by the values file. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace deploy {

/// Where a scalar stands: in a flow collection, `{a: b}`, more characters end it.
enum class ScalarPlace : std::uint8_t { kBlock, kFlow };

/// Whether the text, unquoted, is this string to readers of YAML 1.1 and 1.2 alike. `on`, `0x1f`, `1e3`, `12:30`,
/// `2020-01-01`, `~` and "a: b" are not.
[[nodiscard]] bool reads_as_string(std::string_view text, ScalarPlace place = ScalarPlace::kBlock);

/// The text itself, or in double quotes where it would not read back.
[[nodiscard]] std::string yaml_string(std::string_view text, ScalarPlace place = ScalarPlace::kBlock);

}  // namespace deploy
