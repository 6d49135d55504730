// Runner: one load run against a real URL: load engine + HTTP transport + scraper + health probes on one loop.
// Called by the command line, once per cell. It prints nothing and stores nothing; it returns the Run.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/engine/load_engine.h"
#include "bench/engine/scrape_schedule.h"
#include "bench/run.h"
#include "bench/shell/run_store.h"
#include "core/result.h"
#include "scenarios/scenario.h"

namespace bench {

struct ReplicaTarget {
  std::string name, metrics_url;  ///< URL of the exposition, e.g. http://127.0.0.1:8001/metrics
  Duration round_trip{};          ///< of a trivial request, when known: what of a scrape's time is not the replica's
};

/// How replicas' metrics are reached. The token goes into requests and nowhere else.
struct MetricsAccess {
  std::string ca_file;                   ///< empty: the system's
  bool insecure_tls = false;
  std::string token;                     ///< bearer token; empty: none
};

struct RunRequest {
  std::string target_url;                ///< "http://host:port", no path
  std::string model;                     ///< empty: the first of /v1/models
  scenarios::Scenario scenario;
  std::uint64_t seed = 0, cell_salt = 0;
  std::vector<ReplicaTarget> replicas;
  ScrapeOptions scrape;
  MetricsAccess metrics_access;
  CellRef cell;
  std::vector<std::string> command;
  std::map<std::string, std::string> labels;
  std::string api_key;                   ///< sent as a bearer token; never stored
  bool reset_caches = false;             ///< POST /reset_prefix_cache at every replica (none known: at the target) before the run
  Duration network_delay{};              ///< recorded only
  std::string router_mode;               ///< recorded only
  const std::atomic<bool>* interrupted = nullptr;          ///< set by a signal handler: stop, keep what there is
  std::function<void(const LiveStats&, Duration elapsed)> on_progress;  ///< about 4 times a second
  std::function<void(const RunManifest&)> on_begin;  ///< once, right before the load begins: for RunStore::begin_run
  std::function<void(RunBatch&&)> on_batch;          ///< about once a second, when anything ended: for writing ahead
};

/// kUnreachable (with URL and phase) when the target does not answer before the load begins; otherwise a Run, whose
/// failed requests are records. status is kAborted after an interruption.
core::Result<Run> run_load(const RunRequest& request);

}  // namespace bench
