// Run: one finished load run, as the recorder leaves it and the store gives it back. Analyzers read it and nothing else.
// Immutable once finished. A Cell (scenario, arm, block) of an experiment yields one Run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/record.h"
#include "protocol/vllm_metrics.h"

namespace bench {

enum class RunStatus { kRunning, kCompleted, kAborted };

/// One scrape of one replica's /metrics. Times are offsets from the run's start and may be negative (before it).
struct ReplicaScrape {
  std::uint16_t replica = 0;   ///< index into RunManifest::replicas
  Duration sent{}, answered{};
  bool ok = false;             ///< answered, parsed
  bool torn = false;           ///< at-finish counts disagree: not to be used
  std::uint32_t round = 0;     ///< scrapes fired together share it
  protocol::VllmSnapshot values;
};
static_assert(sizeof(ReplicaScrape) <= 1024, "a run keeps tens of thousands of scrapes");

struct ReplicaInfo {
  std::string name;
  std::string metrics_url;     ///< without credentials
  bool simulated = false;      ///< exports gatebench_sim_* metrics
  std::optional<std::uint32_t> block_size_tokens, num_gpu_blocks;
  std::string engine{};          ///< by its metrics' names: "vLLM", "SGLang", …; empty: unknown
  std::vector<std::string> absent_channels{};  ///< what attribution cannot use there, in words
};

/// Where the run belongs in an experiment.
struct CellRef {
  std::string experiment_id;   ///< empty: a single run
  std::string scenario;
  std::string arm;             ///< "pattern1", "pattern3", …
  std::uint32_t block = 0;
  std::uint32_t position = 0;  ///< order within the block
  std::uint32_t attempt = 1;   ///< 2: the repeat of an invalid cell
  std::string purpose = "measure";  ///< "measure", "ladder", "probe"
};

struct HostFacts {
  std::string kernel, cpu_model;
  std::uint32_t cores = 0;
  double load_average_1m = 0;
  std::uint64_t fd_limit = 0;
  std::string tcp_congestion;
};

struct RunManifest {
  std::string id;              ///< ULID
  RunStatus status = RunStatus::kRunning;
  std::string started_at;      ///< RFC 3339 UTC
  Duration duration{};
  std::string tool_version;
  std::vector<std::string> command;  ///< secrets removed
  std::string target_url, model;
  CellRef cell;
  std::string scenario_json;   ///< resolved scenario, canonical JSON
  std::string schedule_digest; ///< hex64
  std::uint64_t seed = 0;
  std::uint64_t cell_salt = 0;  ///< plan(scenario, seed, cell_salt) gives the schedule again
  bool virtual_time = false;
  std::vector<ReplicaInfo> replicas;
  std::string router_mode;     ///< "improved", "epp", "random", …; empty: unknown
  std::string router_config_digest;
  std::string cache_state;     ///< "reset", "salted", "as found"
  Duration network_delay{};    ///< simulated one-way+return part added by the local stack
  HostFacts host;
  std::map<std::string, std::string> labels;
};

/// How the client itself fared. Histograms are summed up to the quantiles that validity needs.
struct ClientHealth {
  Duration send_lag_p50{}, send_lag_p99{}, send_lag_max{};  ///< sent - due, as far as the client caused it, after the trimmed start
  Duration loop_lag_p50{}, loop_lag_p99{}, loop_lag_max{};
  double cpu_user_s = 0, cpu_system_s = 0, wall_s = 0;
  double steal_fraction = 0;           ///< of all CPU time of the host, during the run
  std::uint64_t token_events = 0, exact_token_events = 0, stamp_fallbacks = 0;
  std::uint64_t new_connections = 0;
  bool fd_exhausted = false, port_exhausted = false;
  std::uint32_t max_in_flight = 0;
  std::uint64_t scrapes = 0, failed_scrapes = 0, torn_scrapes = 0;
  Duration scrape_p50{}, scrape_p99{};
  double scrape_bytes_mean = 0;        ///< of the pages that came; 0: none
  double scrape_busy_ratio = 0;        ///< of the load's time, in which the busiest replica was answering scrapes, at most
  std::uint64_t counter_resets = 0;    ///< a replica's counters fell, or its process started anew
};

struct Run {
  RunManifest manifest;
  std::vector<RequestRecord> records;       ///< in schedule order
  std::vector<TokenEvent> token_events;
  std::vector<ReplicaScrape> scrapes;       ///< in order of `sent`
  std::vector<std::string> observed_names;  ///< what RequestRecord::observed_replica indexes
  std::vector<std::string> error_samples;   ///< at most a few messages per class, no prompts
  ClientHealth health;
};

}  // namespace bench
