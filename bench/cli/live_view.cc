// See live_view.h.
#include "bench/cli/live_view.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/clock.h"

namespace bench::cli {
namespace {

/// After work of x, a rest of this many times x.
constexpr int kRest = 19;
constexpr std::size_t kMostNamed = 6;
constexpr int kNice = 10;

std::string percent(std::size_t part, std::size_t of) {
  return fmt::format("{:.0f} %", 100 * static_cast<double>(part) / static_cast<double>(of));
}

}  // namespace

struct LiveView::Shared {
  mutable std::mutex mutex;  // guards all but `thread`
  std::condition_variable changed;
  std::optional<analyzers::LiveAttribution> begun;  // of a run that has just begun: the worker takes it
  std::vector<RequestRecord> records;
  std::vector<ReplicaScrape> scrapes;
  std::vector<std::string> names;
  analyzers::LiveShares shares;
  bool stop = false;
  std::thread thread;

  void work() {
    // Failing to step behind the load costs nothing but the courtesy.
    (void)setpriority(PRIO_PROCESS, 0, kNice);
    const core::SteadyClock clock;
    std::optional<analyzers::LiveAttribution> live;
    core::TimePoint rested = clock.now();
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stop || begun || !records.empty() || !scrapes.empty(); });
      while (!stop && clock.now() < rested) changed.wait_for(lock, rested - clock.now());
      if (stop) return;
      if (begun) live = std::exchange(begun, std::nullopt);
      std::vector<RequestRecord> ended = std::exchange(records, {});
      std::vector<ReplicaScrape> answered = std::exchange(scrapes, {});
      lock.unlock();
      const core::TimePoint from = clock.now();
      analyzers::LiveShares now;
      if (live) {
        live->add(ended, answered);
        live->decide();
        now = live->shares();
      }
      const core::TimePoint to = clock.now();
      rested = to + kRest * (to - from);
      lock.lock();
      if (!begun) shares = std::move(now);
    }
  }
};

LiveView::LiveView() : shared_(std::make_unique<Shared>()) {}

LiveView::~LiveView() {
  if (!shared_->thread.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->stop = true;
  }
  shared_->changed.notify_all();
  shared_->thread.join();
}

void LiveView::attach(RunRequest& request) {
  if (request.replicas.empty()) return;
  if (!shared_->thread.joinable()) shared_->thread = std::thread([shared = shared_.get()] { shared->work(); });
  request.on_begin = [shared = shared_.get(), next = std::move(request.on_begin)](const RunManifest& manifest) {
    {
      const std::lock_guard<std::mutex> lock(shared->mutex);
      shared->begun.emplace(manifest.replicas, manifest.network_delay);
      shared->records.clear();
      shared->scrapes.clear();
      shared->shares = {};
      shared->names.clear();
      for (const auto& replica : manifest.replicas) shared->names.push_back(replica.name);
    }
    if (next) next(manifest);
  };
  request.on_batch = [shared = shared_.get(), next = std::move(request.on_batch)](RunBatch&& batch) {
    {
      const std::lock_guard<std::mutex> lock(shared->mutex);
      shared->records.insert(shared->records.end(), batch.records.begin(), batch.records.end());
      shared->scrapes.insert(shared->scrapes.end(), batch.scrapes.begin(), batch.scrapes.end());
    }
    shared->changed.notify_all();
    if (next) next(std::move(batch));
  };
}

std::string LiveView::line(Duration now) const {
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  return describe_live(shared_->shares, shared_->names, now);
}

std::string describe_live(const analyzers::LiveShares& shares, const std::vector<std::string>& names, Duration now) {
  if (!shares.contradiction.empty()) return "nothing is attributed: " + shares.contradiction;
  const std::size_t tried = shares.decided - shares.passed_over;
  if (tried == 0) return {};
  // Rounded down: 100 % means all.
  const double ratio = static_cast<double>(shares.attributed) / static_cast<double>(tried);
  std::string out = fmt::format("attributed {:.1f} % of {}", static_cast<double>(static_cast<int>(ratio * 1000)) / 10, tried);
  if (shares.attributed > 0 && names.size() <= kMostNamed) {
    for (std::size_t r = 0; r < names.size(); ++r) out += fmt::format(" · {} {}", names[r], percent(shares.of_replica[r], shares.attributed));
  } else if (shares.attributed > 0) {
    const auto [least, most] = std::minmax_element(shares.of_replica.begin(), shares.of_replica.end());
    out += fmt::format(" · of {} replicas least {} {}, most {} {}", names.size(), names[static_cast<std::size_t>(least - shares.of_replica.begin())],
                       percent(*least, shares.attributed), names[static_cast<std::size_t>(most - shares.of_replica.begin())],
                       percent(*most, shares.attributed));
  }
  out += fmt::format(" · {:.1f} s behind", std::max(0.0, core::to_seconds(now - shares.as_of)));
  if (shares.passed_over > 0) out += fmt::format(" · {} passed over", shares.passed_over);
  return out;
}

}  // namespace bench::cli
