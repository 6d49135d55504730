// LoadRun: the steps of one run on one loop — prepare, load, drain, last scrapes, Run. Used by run_load() only.
// It owns the loop and all that hangs on it; nothing of it outlives the call.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bench/engine/load_engine.h"
#include "bench/shell/host_probe.h"
#include "bench/shell/http_transport.h"
#include "bench/shell/runner.h"
#include "bench/shell/scraper.h"
#include "core/net/loop.h"

namespace bench {

class LoadRun {
 public:
  explicit LoadRun(const RunRequest& request);
  core::Result<Run> run();

 private:
  core::Status prepare();
  core::Status open_clients();
  core::Status find_model();
  void find_version();
  void reset_caches();
  void baseline();
  void describe_replicas();
  [[nodiscard]] std::uint32_t slots_wanted() const;

  void begin();
  void pump();
  void arm_next();
  void on_record(const RequestRecord& record);
  void on_tick();
  void after_serial_round(int tries);
  void check_end();
  void flush();
  [[nodiscard]] bool interrupted() const { return request_.interrupted != nullptr && request_.interrupted->load(); }

  void last_scrapes();
  void wait_until(TimePoint when);
  Run collect();

  const RunRequest& request_;
  core::net::Loop loop_;
  RunManifest manifest_;
  scenarios::Schedule schedule_;
  Target target_;
  std::vector<std::string> control_headers_;
  std::vector<std::string> notes_;
  std::uint64_t descriptor_limit_ = 0;
  std::unique_ptr<core::net::HttpClient> control_, metrics_client_;
  std::unique_ptr<Scraper> scraper_;
  std::unique_ptr<HttpTransport> transport_;
  std::unique_ptr<LoadEngine> engine_;
  core::net::Timer due_timer_, tick_timer_, drain_timer_;
  core::net::LoopLag loop_lag_;

  TimePoint run_start_{}, load_end_{}, last_progress_{}, last_flush_{};
  std::optional<TimePoint> due_armed_;
  CpuCounters cpu_before_, cpu_after_;
  RunBatch batch_;
  std::size_t scrapes_flushed_ = 0;
  double finished_ok_ = 0;
  bool pumping_ = false, holding_ = false, drain_armed_ = false, aborted_ = false, ended_ = false;
};

}  // namespace bench
