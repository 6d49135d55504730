// What a healthy cluster says about a rendered bundle, as the files of a saved state, for tests to break: the bundle's own
// objects with the statuses that controllers give them, and what charts and controllers make of them.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "deploy/live/check.h"

namespace support {

using Json = nlohmann::json;

class LiveState {
 public:
  explicit LiveState(deploy::BundleValues values);
  static LiveState of(int pattern, deploy::Variant variant, deploy::Pin pin = deploy::Pin::kCurrent);

  [[nodiscard]] const deploy::Expectation& want() const { return want_; }
  /// The first object of a list whose name begins so; a test error when there is none.
  Json& object(const std::string& file, const std::string& name);
  Json& server_pod(std::size_t i) { return object("pods.json", want_.names().workload + "-abc-" + std::to_string(i)); }
  Json& picker_pod() { return object("pods.json", want_.names().picker + "-xyz"); }
  void remove(const std::string& file, const std::string& name);
  /// The list was not to be had.
  void absent(const std::string& file, const std::string& reason, const std::string& message);
  /// A request's body, as text.
  void answer(std::size_t request, int status, const std::string& body);

  [[nodiscard]] std::vector<deploy::SourceFile> files() const;
  [[nodiscard]] deploy::CheckReport check() const;

  std::map<std::string, std::vector<Json>> lists;    ///< "pods.json" -> items
  std::map<std::string, std::string> pages;          ///< "metrics/…/before.txt" -> text
  Json requests = Json::array(), capture;

 private:
  void add_rendered();
  void add_servers();
  void add_picker();
  void add_way_in();
  void add_cluster();
  void add_requests();
  deploy::Expectation want_;
};

/// A condition of a status.
Json condition(const std::string& type, const std::string& status = "True", const std::string& reason = "Reason", const std::string& message = "");
/// A metrics page of a picker that has counted so many requests.
std::string picker_page(const std::string& pool, int requests, int ready);
/// A metrics page of a model server that has finished so many.
std::string server_page(int finished);

}  // namespace support
