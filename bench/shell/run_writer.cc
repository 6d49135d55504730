// See run_writer.h.
#include "bench/shell/run_writer.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace bench {

struct RunWriter::Shared {
  std::mutex mutex;  // guards queue, outcome, busy, stop
  std::condition_variable changed;
  std::deque<std::function<core::Status(RunStore&)>> queue;
  core::Status outcome;
  std::string run_id;  // used by the feeding thread only
  bool busy = false, stop = false;
  std::unique_ptr<RunStore> store;
  std::thread thread;

  void push(std::function<core::Status(RunStore&)> part) {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      queue.push_back(std::move(part));
    }
    changed.notify_all();
  }

  void work() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stop || !queue.empty(); });
      if (queue.empty()) return;
      auto part = std::move(queue.front());
      queue.pop_front();
      // After a failure the rest would leave gaps; the whole run is saved at its end anyway.
      if (!outcome) {
        changed.notify_all();
        continue;
      }
      busy = true;
      lock.unlock();
      auto written = part(*store);
      lock.lock();
      busy = false;
      if (!written) outcome = std::move(written);
      changed.notify_all();
    }
  }
};

RunWriter::RunWriter(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {
  shared_->thread = std::thread([shared = shared_.get()] { shared->work(); });
}

RunWriter::~RunWriter() {
  {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->stop = true;
  }
  shared_->changed.notify_all();
  shared_->thread.join();
}

core::Result<std::unique_ptr<RunWriter>> RunWriter::open(const std::string& store_path) {
  auto store = RunStore::open(store_path, RunStore::Mode::kReadWrite);
  if (!store) return store.error();
  auto shared = std::make_unique<Shared>();
  shared->store = std::move(*store);
  return std::unique_ptr<RunWriter>(new RunWriter(std::move(shared)));
}

void RunWriter::attach(RunRequest& request) {
  request.on_begin = [this](const RunManifest& manifest) { begin(manifest); };
  request.on_batch = [this](RunBatch&& batch) { append(std::move(batch)); };
}

void RunWriter::begin(const RunManifest& manifest) {
  shared_->run_id = manifest.id;
  shared_->push([manifest](RunStore& store) { return store.begin_run(manifest); });
}

void RunWriter::append(RunBatch&& batch) {
  auto kept = std::make_shared<RunBatch>(std::move(batch));
  shared_->push([kept, id = shared_->run_id](RunStore& store) { return store.append(id, *kept); });
}

core::Status RunWriter::finish() {
  std::unique_lock<std::mutex> lock(shared_->mutex);
  shared_->changed.wait(lock, [this] { return shared_->queue.empty() && !shared_->busy; });
  return std::exchange(shared_->outcome, core::Status{});
}

}  // namespace bench
