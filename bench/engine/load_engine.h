// LoadEngine: walks a Schedule and turns it into RequestRecords. Closed and open loop. No I/O, no clock of its own:
// the driver (uv shell or virtual loop) passes the time, the Transport carries the bytes.
// Hot path (due -> record done): no allocation after warm-up, no lock, no log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/engine/transport.h"
#include "bench/run.h"
#include "scenarios/schedule.h"

namespace bench {

struct LoadEngineOptions {
  std::string model;
  protocol::Api api = protocol::Api::kCompletions;
  std::string cache_salt;
  std::optional<double> temperature = 0.0;
  std::uint32_t max_slots = 4096;         ///< open loop: cap on requests in flight at once
  bool first_token_is_chunk = false;      ///< vLLM's first-token rule for the headline
};

/// Counters for live progress; a snapshot by value.
struct LiveStats {
  std::uint32_t dispatched = 0, finished = 0, failed = 0, in_flight = 0, planned = 0;
  std::uint64_t output_tokens = 0;
  Duration ttft_p50_recent{}, ttft_p99_recent{};
};

class LoadEngine {
 public:
  /// `scenario` and `schedule` must outlive the engine. `run_start` is the zero of all record times.
  LoadEngine(const scenarios::Scenario& scenario, const scenarios::Schedule& schedule, LoadEngineOptions options,
             Transport& transport);
  ~LoadEngine();

  /// Sets the zero of all record times and makes the first requests due.
  void begin(TimePoint run_start);
  /// When advance() must be called next; nothing: only transport events move it on.
  [[nodiscard]] std::optional<TimePoint> next_due() const;
  /// Dispatches what is due. Call it at next_due() and after every transport event that freed a slot (the engine asks
  /// for that by next_due() <= now).
  void advance(TimePoint now);
  /// Closed loop: free slots that would be due earlier become due at `at`. A serial probe's scrapes come between two
  /// requests, and their time is nobody's lag.
  void postpone_free_slots(TimePoint at);
  /// No more dispatching; what is in flight may finish. The rest of the schedule stays kNotSent.
  void stop_dispatching();
  /// Cancels what is in flight: records kCancelled.
  void cancel_all();
  [[nodiscard]] bool dispatching_done() const;
  [[nodiscard]] bool finished() const;  ///< dispatching done and nothing in flight

  /// Called when a request has ended (after its record is final), e.g. for event-driven scrapes.
  std::function<void(const RequestRecord&)> on_record;

  /// Records by schedule index, final only after their on_record; and all token events so far. For writing ahead.
  [[nodiscard]] const std::vector<RequestRecord>& records() const;
  [[nodiscard]] const std::vector<TokenEvent>& token_events() const;
  [[nodiscard]] const std::vector<std::string>& observed_names() const;

  [[nodiscard]] LiveStats live() const;
  /// Moves records, token events, observed names and error samples out, and fills what the engine knows of the client's
  /// health (send lag, token events, exhaustion, peak in flight). Planned requests that were never dispatched are left
  /// out of a closed loop that had a duration, and are kNotSent records everywhere else.
  void take(Run& run);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bench
