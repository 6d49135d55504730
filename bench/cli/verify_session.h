// VerifySession: sends what verify needs and hands what came back to the checks. One target, one loop, bounded in
// requests and time. Called by the verify verb; what it concludes is analyzers/verify's to say.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyzers/verify.h"
#include "bench/shell/probe_client.h"

namespace bench::cli {

struct VerifyOptions {
  int pattern = 3;
  std::string target_url, model, api_key;
  std::vector<ReplicaTarget> replicas;
  MetricsAccess metrics_access;
  std::uint32_t expected_replicas = 0;
  std::size_t sticky_probes = 12;
  std::optional<std::size_t> spread_probes;  ///< none: what the test's power takes; Pattern 1: 10
  std::size_t at_once = 1;                   ///< spread probes in flight, up to 8
  bool use_header = false;
  std::uint64_t seed = 1;
  Duration time_limit = std::chrono::minutes(2);
  Duration watch = std::chrono::seconds(3);  ///< idle watch before a max_tokens bucket is reserved
  const std::atomic<bool>* interrupted = nullptr;
  std::function<void(const std::string&)> on_progress;
};

struct VerifyOutcome {
  analyzers::VerifyObservations observed;
  analyzers::VerifyResult result;
  bool simulated = false, interrupted = false;
  std::size_t requests = 0;
};

class VerifySession {
 public:
  explicit VerifySession(VerifyOptions options) : options_(std::move(options)) {}
  /// kUnreachable when the target answers nothing at all; otherwise an outcome, partial when it was interrupted.
  core::Result<VerifyOutcome> run();

 private:
  using Snapshots = std::vector<std::optional<protocol::VllmSnapshot>>;
  using MakeRequest = std::function<ProbeRequest(std::size_t attempt)>;
  struct Reservation {
    analyzers::ProbeReservation bucket;
    Snapshots first;
    std::size_t finished = 0;
  };

  core::Status ask_routes();
  void describe_replicas();
  void check_api();
  void probe_stickiness();
  void probe_spread();
  const Snapshots& scrape();
  /// One probe, repeated while ambiguous; `answer` is the newest attempt's.
  analyzers::ProbeObservation probe(const MakeRequest& make, ProbeAnswer& answer);
  analyzers::ProbeJudgement attribute(const MakeRequest& make, bool reserved, ProbeAnswer& answer);
  /// Several at once in different max_tokens buckets; those that stay ambiguous are probed again, alone.
  void probe_batch(std::size_t first, std::size_t count, const std::vector<analyzers::FreeBucket>& buckets);
  void reserve_bucket();
  void check_reservation();
  [[nodiscard]] std::string words(const std::string& stream, std::size_t index, std::size_t attempt, std::size_t tokens) const;
  void say(const std::string& text) const {
    if (options_.on_progress) options_.on_progress(text);
  }

  VerifyOptions options_;
  VerifyOutcome outcome_;
  std::unique_ptr<ProbeClient> client_;
  Snapshots newest_;
  std::optional<Reservation> reservation_;
  bool may_reserve_ = false;  ///< not while the API checks need outputs of their own length
  bool reservation_tried_ = false;
};

}  // namespace bench::cli
