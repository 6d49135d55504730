// The two small JSON answers that the runner reads before a run. nlohmann stays in here.
#include <nlohmann/json.hpp>

#include "bench/shell/target.h"

namespace bench {

core::Result<std::vector<std::string>> parse_model_list(std::string_view body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  std::vector<std::string> names;
  if (document.is_object() && document.contains("data") && document["data"].is_array()) {
    for (const auto& model : document["data"]) {
      if (model.is_object() && model.contains("id") && model["id"].is_string()) names.push_back(model["id"].get<std::string>());
    }
    return names;
  }
  return core::fail(core::ErrorCode::kProtocol, document.is_discarded() ? "the answer is no JSON" : "the answer is no model list");
}

std::string parse_version(std::string_view body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (!document.is_object() || !document.contains("version") || !document["version"].is_string()) return {};
  return document["version"].get<std::string>().substr(0, 100);
}

bool says_no_success(std::string_view body) {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  return document.is_object() && document.contains("success") && document["success"] == false;
}

}  // namespace bench
