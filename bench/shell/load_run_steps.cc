// LoadRun while the load is on, and after it. The first half of the class is in load_run.cc.
#include <algorithm>
#include <chrono>

#include "bench/shell/load_run.h"
#include "core/hash.h"
#include "core/text.h"

namespace bench {
namespace {

using scenarios::LoadModel;

constexpr Duration kTick = std::chrono::milliseconds(50);
constexpr Duration kProgressEvery = std::chrono::milliseconds(250);
constexpr Duration kFlushEvery = std::chrono::seconds(1);
constexpr Duration kLastScrapeGap = std::chrono::milliseconds(20);
constexpr int kScrapeTries = 3;

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool has_literal_prompts(const scenarios::Scenario& scenario) {
  return std::any_of(scenario.workloads.begin(), scenario.workloads.end(), [](const scenarios::Workload& workload) {
    return workload.prompt.kind == scenarios::PromptKind::kLiteral;
  });
}

}  // namespace

void LoadRun::begin() {
  LoadEngineOptions options;
  options.model = manifest_.model;
  options.api = request_.scenario.api;
  options.max_slots = slots_wanted();
  // Generated prompts carry the salt in their text; a literal text cannot, so the server is asked to keep cells apart.
  if (manifest_.cache_state == "salted" && has_literal_prompts(request_.scenario)) {
    options.cache_salt = core::hex64(request_.cell_salt);
  }
  engine_ = std::make_unique<LoadEngine>(request_.scenario, schedule_, std::move(options), *transport_);
  engine_->on_record = [this](const RequestRecord& record) { on_record(record); };
  transport_->after_done = [this] { pump(); };
  cpu_before_ = cpu_counters();
  manifest_.started_at = core::rfc3339_utc(unix_seconds());
  if (request_.on_begin) request_.on_begin(manifest_);
  loop_lag_.start();
  run_start_ = last_progress_ = last_flush_ = loop_.now();
  if (!request_.scenario.serial_probe) scraper_->start_following();
  engine_->begin(run_start_);
  tick_timer_.arm(run_start_ + kTick);
  due_armed_ = run_start_;
  due_timer_.arm(run_start_);
}

/// Dispatches what is due and arms the timer for what comes next.
void LoadRun::pump() {
  if (pumping_ || ended_) return;
  pumping_ = true;
  if (!holding_) {
    if (interrupted() && !aborted_) on_tick();
    engine_->advance(loop_.now());
    arm_next();
  }
  pumping_ = false;
  check_end();
}

void LoadRun::arm_next() {
  const auto next = engine_->next_due();
  // Most ends of a closed loop leave the next deadline where it was: no system call for those.
  if (next == due_armed_) return;
  due_armed_ = next;
  if (next) {
    due_timer_.arm(*next);
  } else {
    due_timer_.cancel();
  }
}

void LoadRun::on_record(const RequestRecord& record) {
  if (record.outcome == Outcome::kOk) ++finished_ok_;
  if (request_.on_batch) {
    batch_.records.push_back(record);
    const auto& events = engine_->token_events();
    const auto begin = events.begin() + static_cast<std::ptrdiff_t>(record.token_events_begin);
    batch_.token_events.insert(batch_.token_events.end(), begin, begin + static_cast<std::ptrdiff_t>(record.token_events_count));
  }
  if (!request_.scenario.serial_probe) return scraper_->note_finish();
  // The next request waits until the replicas have been read: their difference is this request alone.
  holding_ = true;
  scraper_->round([this] { after_serial_round(1); });
}

void LoadRun::after_serial_round(int tries) {
  const auto finished = scraper_->finished_since_start();
  if (finished && *finished < finished_ok_ && tries < kScrapeTries && !aborted_) {
    scraper_->round([this, tries] { after_serial_round(tries + 1); });
    return;
  }
  holding_ = false;
  const TimePoint now = loop_.now();
  engine_->postpone_free_slots(now);
  if (ended_) return;
  due_armed_ = now;
  due_timer_.arm(now);
}

void LoadRun::on_tick() {
  const TimePoint now = loop_.now();
  if (interrupted() && !aborted_) {
    aborted_ = true;
    engine_->stop_dispatching();
    engine_->cancel_all();
  }
  if (request_.on_progress && now - last_progress_ >= kProgressEvery) {
    last_progress_ = now;
    request_.on_progress(engine_->live(), now - run_start_);
  }
  if (now - last_flush_ >= kFlushEvery) {
    last_flush_ = now;
    flush();
  }
  if (!ended_) tick_timer_.arm(now + kTick);
  check_end();
}

void LoadRun::flush() {
  if (!request_.on_batch || (batch_.records.empty() && scraper_->count() == scrapes_flushed_)) return;
  RunBatch batch;
  batch.records.swap(batch_.records);
  batch.token_events.swap(batch_.token_events);
  batch.scrapes = scraper_->copy_from(scrapes_flushed_, run_start_);
  batch.scrapes_before = scrapes_flushed_;
  batch.observed_names = engine_->observed_names();
  scrapes_flushed_ = scraper_->count();
  request_.on_batch(std::move(batch));
}

void LoadRun::check_end() {
  if (ended_ || pumping_) return;
  // A run that ends by count waits for its last answers as long as any other answer; one that ends by time has a limit.
  if (engine_->dispatching_done() && !drain_armed_ && request_.scenario.stop.duration) {
    drain_armed_ = true;
    drain_timer_.arm(loop_.now() + request_.scenario.drain_timeout);
  }
  if (!engine_->finished() || (holding_ && !aborted_)) return;
  ended_ = true;
  load_end_ = loop_.now();
  cpu_after_ = cpu_counters();
  due_timer_.cancel();
  tick_timer_.cancel();
  drain_timer_.cancel();
  loop_lag_.stop();
  scraper_->stop_following();
  loop_.stop();
}

void LoadRun::wait_until(TimePoint when) {
  bool due = false;
  core::net::Timer timer(loop_, [&](TimePoint) {
    due = true;
    loop_.stop();
  });
  timer.arm(when);
  while (!due) loop_.run();
}

/// Until the counters explain every finish, or three times: a replica's page may lag its last answer by a moment.
void LoadRun::last_scrapes() {
  for (int tries = 0; tries < kScrapeTries; ++tries) {
    if (tries > 0) wait_until(loop_.now() + kLastScrapeGap);
    baseline();
    const auto finished = scraper_->finished_since_start();
    const auto requests = scraper_->requests_since_start();
    if ((!finished || *finished >= finished_ok_) && (!requests || *requests >= finished_ok_)) return;
  }
}

Run LoadRun::collect() {
  flush();
  Run run;
  engine_->take(run);
  run.manifest = manifest_;
  run.manifest.status = aborted_ ? RunStatus::kAborted : RunStatus::kCompleted;
  run.manifest.duration = load_end_ - run_start_;
  run.scrapes = scraper_->copy_from(0, run_start_);
  std::stable_sort(run.scrapes.begin(), run.scrapes.end(),
                   [](const ReplicaScrape& a, const ReplicaScrape& b) { return a.sent < b.sent; });
  run.error_samples.insert(run.error_samples.end(), notes_.begin(), notes_.end());
  ClientHealth& health = run.health;
  health.loop_lag_p50 = loop_lag_.lateness().quantile(0.5);
  health.loop_lag_p99 = loop_lag_.lateness().quantile(0.99);
  health.loop_lag_max = loop_lag_.lateness().max();
  health.cpu_user_s = cpu_after_.user_s - cpu_before_.user_s;
  health.cpu_system_s = cpu_after_.system_s - cpu_before_.system_s;
  health.wall_s = core::to_seconds(load_end_ - run_start_);
  const std::uint64_t ticks = cpu_after_.host_ticks - cpu_before_.host_ticks;
  if (ticks > 0) {
    health.steal_fraction = static_cast<double>(cpu_after_.steal_ticks - cpu_before_.steal_ticks) / static_cast<double>(ticks);
  }
  health.stamp_fallbacks = transport_->stats().stamp_fallbacks;
  health.new_connections = transport_->stats().new_connections;
  scraper_->fill(health);
  return run;
}

core::Result<Run> run_load(const RunRequest& request) {
  LoadRun run(request);
  return run.run();
}

}  // namespace bench
