// ProbeClient: a handful of requests against a live target, each waited for, and rounds of scrapes around them.
// Used by the verify verb. It runs its own loop inside each call, so no load runs beside it; it judges nothing.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/shell/exchange.h"
#include "bench/shell/runner.h"
#include "bench/shell/scraper.h"
#include "bench/shell/target.h"
#include "core/net/loop.h"

namespace bench {

struct ProbeRequest {
  protocol::Api api = protocol::Api::kCompletions;
  std::string prompt;
  std::uint32_t max_tokens = 1;
  bool stream = true;
  std::uint32_t pad_bytes = 0;  ///< of the `user` text, which servers ignore
};

struct ProbeAnswer {
  bool whole = false;          ///< 2xx and what the API promises, to its end
  int status = 0;              ///< 0: no answer
  std::size_t text_bytes = 0;
  bool finish_reason = false;
  std::uint32_t prompt_tokens = kUnknownCount, output_tokens = kUnknownCount, cached_tokens = kUnknownCount;
  Duration latency = kNever;   ///< handed to the socket to stream closed
  std::uint32_t body_bytes = 0;
  std::string observed_name;   ///< from a header that names the replica; empty: none
  std::string problem;
};

struct ProbeClientOptions {
  std::string target_url, api_key;
  std::vector<ReplicaTarget> replicas;
  MetricsAccess metrics_access;
  std::size_t at_once = 8;     ///< most requests of one send()
  Duration timeout = std::chrono::seconds(30);        ///< of one request
  Duration route_timeout = std::chrono::seconds(5);   ///< of a GET, and of the first connection
  const std::atomic<bool>* interrupted = nullptr;
  TimePoint deadline = TimePoint::max();              ///< nothing is sent, or waited for, beyond it
};

class ProbeClient {
 public:
  /// kUnreachable when nothing listens at the target.
  static core::Result<std::unique_ptr<ProbeClient>> open(ProbeClientOptions options);
  ~ProbeClient();

  void set_model(std::string model) { model_ = std::move(model); }
  /// GET below the target's URL.
  core::Result<Answer> get(const std::string& path);
  /// GET beside a replica's metrics: the path of that URL is replaced.
  core::Result<Answer> get_at_replica(std::size_t replica, const std::string& path);
  /// All replicas together; none where there is no usable scrape (failed, or torn three times).
  std::vector<std::optional<protocol::VllmSnapshot>> scrape();
  [[nodiscard]] const std::string& scrape_problem(std::size_t replica) const { return scraper_->problem(replica); }
  /// All at once, at most `at_once`; returns when the last has ended. Interrupted: the rest are cancelled and not whole.
  std::vector<ProbeAnswer> send(std::span<const ProbeRequest> requests);
  void wait(Duration duration);

  [[nodiscard]] bool stopped() const;       ///< interrupted, or the deadline has passed
  [[nodiscard]] bool interrupted() const { return options_.interrupted != nullptr && options_.interrupted->load(); }
  [[nodiscard]] std::size_t requests_sent() const { return requests_sent_; }

 private:
  struct Pending;
  explicit ProbeClient(ProbeClientOptions options) : options_(std::move(options)) {}
  core::Status prepare();

  ProbeClientOptions options_;
  core::net::Loop loop_;
  Target target_;
  std::vector<std::string> route_headers_, post_headers_;
  std::string model_;
  std::size_t requests_sent_ = 0;
  std::unique_ptr<core::net::HttpClient> client_, metrics_client_;
  std::unique_ptr<Scraper> scraper_;
};

}  // namespace bench
