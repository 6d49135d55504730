// ClusterState: what a cluster said, as files: answers of kubectl, metrics pages, answers to requests through the gateway.
// Made by the command line from a live cluster or read from a saved folder; the checks know no other source.
// It must tell "nothing there" from "not asked" and from "not allowed to ask".
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "deploy/bundle.h"

namespace deploy {

inline constexpr std::string_view kCaptureFile = "capture.json";    ///< when, and what could not be had
inline constexpr std::string_view kRequestsFile = "requests.json";  ///< requests through the gateway and their answers

/// Why something is not there.
enum class AbsenceReason : std::uint8_t {
  kNotCaptured,   ///< nobody asked
  kForbidden,     ///< the cluster did not allow it
  kUnknownKind,   ///< the cluster does not know the kind
  kFailed         ///< anything else
};
[[nodiscard]] std::string_view word_for(AbsenceReason reason);

/// kubectl's words for a 401, old and new. Of a pod behind the proxy they mean that its page wants a token.
[[nodiscard]] bool says_unauthorized(std::string_view message);

struct Absence {
  std::string what;      ///< the file that would hold it
  AbsenceReason reason = AbsenceReason::kNotCaptured;
  std::string message;   ///< kubectl's words
};

/// A request through the gateway.
struct GatewayRequest {
  std::string name;      ///< "health", "models", "completion", "chat"
  std::string url, error;   ///< error: why no answer came
  int status = 0;        ///< 0: none came
  double duration_ms = 0;
  Node body;             ///< as JSON; missing when it is none
  std::string text;      ///< the body's first kilobyte
};

enum class PageOwner : std::uint8_t { kPicker, kServer };
struct MetricsPage {
  PageOwner owner = PageOwner::kPicker;
  std::string pod, text;
  bool after = false;    ///< read after the requests
};
/// "metrics/picker/POD/before.txt"
[[nodiscard]] std::string metrics_file(PageOwner owner, std::string_view pod, bool after);

class ClusterState {
 public:
  /// Files by their names inside the folder. kInvalid: one that cannot be read as what its name says.
  [[nodiscard]] static core::Result<ClusterState> read(const std::vector<SourceFile>& files);

  [[nodiscard]] const Bundle& objects() const { return objects_; }
  /// Was the kind asked for and answered? Then its absence means something.
  [[nodiscard]] bool has(std::string_view kind) const { return kinds_.count(std::string(kind)) > 0; }
  /// What is known about why a file is not there.
  [[nodiscard]] Absence absence(std::string_view file) const;
  [[nodiscard]] const std::vector<GatewayRequest>& requests() const { return requests_; }
  [[nodiscard]] const std::vector<MetricsPage>& pages() const { return pages_; }
  /// When it was captured, unix seconds; none: not said.
  [[nodiscard]] std::optional<double> captured_at() const { return captured_at_; }
  /// Requests were left out on purpose.
  [[nodiscard]] bool without_requests() const { return without_requests_; }

  /// Pods that live: neither ended nor about to end, selected in a namespace.
  [[nodiscard]] std::vector<const Object*> pods_selected(const Node& selector, std::string_view name_space) const;
  [[nodiscard]] std::vector<const Object*> pods_with(const Labels& labels, std::string_view name_space) const;

 private:
  core::Status add(const SourceFile& file, std::vector<Document>& documents);
  core::Status add_requests(const Document& document);
  void add_capture(const Node& root);

  Bundle objects_;
  std::set<std::string> kinds_;
  std::map<std::string, Absence> absences_;
  std::vector<GatewayRequest> requests_;
  std::vector<MetricsPage> pages_;
  std::optional<double> captured_at_;
  bool without_requests_ = false;
};

/// The status of a condition of an object's status, or of one of its parents: the missing node when there is none.
[[nodiscard]] const Node& condition_of(const Node& conditions, std::string_view type);
[[nodiscard]] bool is_ready(const Object& pod);
/// RFC 3339 with "Z", as Kubernetes writes times.
[[nodiscard]] std::optional<double> unix_seconds(std::string_view time);

}  // namespace deploy
