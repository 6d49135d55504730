// The rules by group, one or two files each. Private to deploy/: lint.cc joins them.
#pragma once

#include <span>

#include "deploy/lint.h"

namespace deploy {

[[nodiscard]] std::span<const Rule> schema_rules();     ///< L01, L02, L04
[[nodiscard]] std::span<const Rule> yaml_rules();       ///< L05–L10
[[nodiscard]] std::span<const Rule> tpu_rules();        ///< L11–L19
[[nodiscard]] std::span<const Rule> serving_rules();    ///< L20–L25
[[nodiscard]] std::span<const Rule> routing_rules();    ///< L26–L32; L33–L37 are pool_rules() in routing.h
[[nodiscard]] std::span<const Rule> picker_rules();     ///< L38–L44
[[nodiscard]] std::span<const Rule> kserve_rules();     ///< L45–L48
[[nodiscard]] std::span<const Rule> network_rules();    ///< L49–L54
[[nodiscard]] std::span<const Rule> operation_rules();  ///< L55–L68, those on text apart

/// Does the rule on quoting (L05) judge what stands at this path, so that the schema's rule need not?
[[nodiscard]] bool quoting_rule_judges(const Node& root, std::string_view path);

}  // namespace deploy
