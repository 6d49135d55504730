// ClusterCapture: asks a live cluster what the live checks need, as the files of a saved state: objects through kubectl,
// metrics pages through the API server's proxy to pods, and a few requests through the gateway between two readings.
// Called by `gatebench deploy check`. It reads; the only thing that it causes is those requests.
// It must never ask for Secrets, and never write a token anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/cli/kubectl.h"
#include "core/result.h"
#include "deploy/bundle.h"
#include "deploy/live/capture_plan.h"
#include "deploy/live/expectation.h"

namespace bench::cli {

struct CaptureOptions {
  std::string kubectl = "kubectl", context;   ///< context empty: kubectl's current one
  std::string target;                         ///< where requests go; empty: what the cluster's status says
  std::string metrics_token;                  ///< for the picker's metrics, through kubectl port-forward; empty: through the API server
  std::string api_key;                        ///< of the gateway; empty: none
  bool with_requests = true, insecure = false;
  std::uint32_t completions = 6;
};

class ClusterCapture {
 public:
  ClusterCapture(const deploy::Expectation& want, CaptureOptions options, const std::atomic<bool>& interrupted, std::function<void(std::string)> progress);

  /// The files of a state. kUnreachable when no API server answers; kInvalid when kubectl is missing or its context is
  /// wrong; kCancelled when interrupted. What a single question could not answer is in capture.json, and no error.
  [[nodiscard]] core::Result<std::vector<deploy::SourceFile>> run();

 private:
  core::Status read_objects();
  core::Status read_metrics(const std::vector<deploy::MetricsSource>& sources, bool after);
  /// The answer again; kProtocol when it is not what was asked for.
  static core::Result<std::string> checked(const deploy::ResourceQuery& query, std::string answer);
  core::Result<std::string> read_page(const deploy::MetricsSource& source);
  core::Result<std::string> read_forwarded_page(const deploy::MetricsSource& source, const std::string& token);
  [[nodiscard]] std::string without_key(std::string text) const;
  core::Status send_requests(const std::string& url);
  core::Status stopped() const;

  const deploy::Expectation& want_;
  CaptureOptions options_;
  Kubectl kubectl_;
  const std::atomic<bool>& interrupted_;
  std::function<void(std::string)> progress_;
  std::vector<deploy::SourceFile> files_;
  std::vector<deploy::Absence> absences_;
  bool forwarding_works_ = true;   ///< until it does not: it is tried once
};

}  // namespace bench::cli
