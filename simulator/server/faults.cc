#include "simulator/server/faults.h"

#include <nlohmann/json.hpp>
#include <vector>

namespace simulator {
namespace {

using nlohmann::json;

/// Reads one member; false when its value is not acceptable.
bool read(const std::string& key, const json& value, Faults& faults) {
  const auto flag = [&](bool& out) { return value.is_boolean() && (out = value.get<bool>(), true); };
  const auto count = [&](auto& out, std::uint64_t most) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most) return false;
    out = static_cast<typename std::decay_t<decltype(out)>::value_type>(value.get<std::uint64_t>());
    return true;
  };
  if (key == "refuse") return flag(faults.refuse);
  if (key == "non_json") return flag(faults.non_json);
  if (key == "half_event") return flag(faults.half_event);
  if (key == "cut_after_tokens") return count(faults.cut_after_tokens, 0xffffffffu);
  if (key == "stall_after_tokens") return count(faults.stall_after_tokens, 0xffffffffu);
  if (key == "die_after_requests") return count(faults.die_after_requests, ~std::uint64_t{0});
  if (key == "fail_rate" && value.is_number()) {
    faults.fail_rate = value.get<double>();
    return faults.fail_rate >= 0 && faults.fail_rate <= 1;
  }
  if (key == "status" && value.is_number_integer()) {
    const auto status = value.get<std::int64_t>();
    faults.status = static_cast<int>(status);
    return status >= 400 && status <= 599;
  }
  return false;
}

template <class T>
json optional_json(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

}  // namespace

core::Result<Faults> parse_faults(std::string_view text) {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object()) {
    return core::fail(core::ErrorCode::kInvalid, "faults: not a JSON object", "send for example {\"fail_rate\":0.1}");
  }
  Faults faults;
  std::string errors;
  for (const auto& [key, value] : root.items()) {
    if (value.is_null() || read(key, value, faults)) continue;
    errors += (errors.empty() ? "faults: /" : "; /") + key + " is unknown or out of range";
  }
  if (errors.empty()) return faults;
  return core::fail(core::ErrorCode::kInvalid, std::move(errors),
                    "refuse, non_json, half_event: true or false; fail_rate: 0 … 1; status: 400 … 599; "
                    "cut_after_tokens, stall_after_tokens, die_after_requests: counts");
}

std::string faults_json(const Faults& faults) {
  return json{{"refuse", faults.refuse},
              {"fail_rate", faults.fail_rate},
              {"status", faults.status},
              {"non_json", faults.non_json},
              {"half_event", faults.half_event},
              {"cut_after_tokens", optional_json(faults.cut_after_tokens)},
              {"stall_after_tokens", optional_json(faults.stall_after_tokens)},
              {"die_after_requests", optional_json(faults.die_after_requests)}}
      .dump();
}

}  // namespace simulator
