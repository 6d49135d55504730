#include "simulator/engine/virtual_closed_loop.h"

#include <algorithm>
#include <memory>
#include <queue>

#include "core/hash.h"
#include "core/rng.h"
#include "simulator/engine/engine.h"

namespace simulator {
namespace {

using core::Duration;
using core::TimePoint;

/// Something that happens to a request outside the engines. Equal times in order of creation.
struct Happening {
  enum class Kind : std::uint8_t { kReachesEngine, kAnswered };
  TimePoint at{};
  std::uint64_t order = 0;
  Kind kind = Kind::kReachesEngine;
  std::uint32_t request = 0;
  bool operator>(const Happening& other) const { return at != other.at ? at > other.at : order > other.order; }
};

class Run final : public EngineSink {
 public:
  Run(const Profile& profile, const ClosedLoop& loop) : profile_(profile), loop_(loop) {}

  core::Result<ClosedLoopResult> run();

 private:
  core::Status build();
  void send(TimePoint at);
  core::Status reach_engine(const Happening& happening);
  void answered(const Happening& happening);
  void on_token(const TokenEvent& event) override;
  void on_step(const StepEvent& event) override;
  void schedule(TimePoint at, Happening::Kind kind, std::uint32_t request) {
    happenings_.push({at, order_++, kind, request});
  }

  struct Sent {
    TimePoint at{}, first{};
    std::uint32_t replica = 0;
  };
  const Profile& profile_;
  const ClosedLoop& loop_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<std::uint32_t> in_flight_;
  std::vector<Sent> sent_;
  std::vector<protocol::TokenId> prompt_;
  std::priority_queue<Happening, std::vector<Happening>, std::greater<>> happenings_;
  std::uint64_t order_ = 0, steps_ = 0;
  std::uint32_t done_ = 0, counted_ = 0, stepping_ = 0;
  double latency_s_ = 0, ttft_s_ = 0, waiting_ = 0, batch_tokens_ = 0;
  TimePoint count_from_{}, last_{};
  core::Digest digest_;
};

core::Status Run::build() {
  if (loop_.replicas == 0 || loop_.concurrency == 0 || loop_.requests <= loop_.warm_up_requests ||
      loop_.shared_prefix_tokens > loop_.prompt_tokens) {
    return core::fail(core::ErrorCode::kInvalid, "closed loop: replicas, concurrency or requests out of range",
                      "at least one of each, more requests than warm-up, prefix within the prompt");
  }
  const core::Rng seeds(loop_.seed);
  for (std::uint32_t i = 0; i < loop_.replicas; ++i) {
    auto engine = Engine::create(profile_.engine, profile_.step, seeds.fork(std::uint64_t{i}).next());
    if (!engine) return engine.error();
    engines_.push_back(std::move(*engine));
  }
  in_flight_.assign(loop_.replicas, 0);
  sent_.reserve(loop_.requests);
  return {};
}

void Run::send(TimePoint at) {
  if (sent_.size() == loop_.requests) return;
  const auto least = std::min_element(in_flight_.begin(), in_flight_.end());
  ++*least;
  const auto request = static_cast<std::uint32_t>(sent_.size());
  sent_.push_back({at, {}, static_cast<std::uint32_t>(least - in_flight_.begin())});
  schedule(at + loop_.network / 2 + profile_.fixed, Happening::Kind::kReachesEngine, request);
}

core::Status Run::reach_engine(const Happening& happening) {
  prompt_.clear();
  for (std::uint32_t i = 0; i < loop_.prompt_tokens; ++i) {
    const bool shared = i < loop_.shared_prefix_tokens;
    prompt_.push_back(shared ? i : (happening.request + 1) * 65537u + i);
  }
  Work work;
  work.prompt = prompt_;
  work.max_tokens = loop_.output_tokens;
  work.ignore_eos = true;
  work.seed = happening.request;
  work.tag = happening.request;
  work.arrival = happening.at - profile_.fixed;
  const auto id = engines_[sent_[happening.request].replica]->submit(work, happening.at);
  if (!id) return id.error();
  return {};
}

void Run::answered(const Happening& happening) {
  const Sent sent = sent_[happening.request];
  --in_flight_[sent.replica];
  const bool full = sent_.size() < loop_.requests;
  if (++done_ == loop_.warm_up_requests) count_from_ = happening.at;
  if (done_ > loop_.warm_up_requests && (full || counted_ == 0)) {
    last_ = happening.at;
    ++counted_;
    latency_s_ += core::to_seconds(happening.at - sent.at);
    ttft_s_ += core::to_seconds(sent.first - sent.at);
  }
  send(happening.at);
}

void Run::on_token(const TokenEvent& event) {
  digest_.add(event.tag);
  digest_.add(static_cast<std::int64_t>(event.at.time_since_epoch().count()));
  digest_.add(std::uint64_t{event.index});
  const auto request = static_cast<std::uint32_t>(event.tag);
  if (event.index == 0) sent_[request].first = event.at + loop_.network / 2;
  if (event.finish != FinishReason::kNone) schedule(event.at + loop_.network / 2, Happening::Kind::kAnswered, request);
}

void Run::on_step(const StepEvent& event) {
  ++steps_;
  waiting_ += engines_[stepping_]->metrics().waiting();
  batch_tokens_ += event.load.prefill_tokens + event.load.decode_seqs;
}

core::Result<ClosedLoopResult> Run::run() {
  if (auto status = build(); !status) return status.error();
  for (std::uint32_t i = 0; i < loop_.concurrency; ++i) send(TimePoint{} + loop_.start_spread * i / loop_.concurrency);
  while (done_ < loop_.requests) {
    std::uint32_t next = 0;
    for (std::uint32_t i = 1; i < engines_.size(); ++i) {
      if (engines_[i]->next_due() < engines_[next]->next_due()) next = i;
    }
    const TimePoint due = engines_[next]->next_due();
    // What reaches an engine at the very time a step starts is in time for it.
    if (!happenings_.empty() && happenings_.top().at <= due) {
      const Happening happening = happenings_.top();
      happenings_.pop();
      if (happening.kind == Happening::Kind::kAnswered) {
        answered(happening);
      } else if (auto status = reach_engine(happening); !status) {
        return status.error();
      }
      continue;
    }
    if (due == Engine::kNothingDue) {
      return core::fail(core::ErrorCode::kInternal, "closed loop: engines are idle with requests unanswered");
    }
    stepping_ = next;
    engines_[next]->advance(due, *this);
  }
  ClosedLoopResult result;
  result.mean_latency_s = latency_s_ / counted_;
  result.mean_ttft_s = ttft_s_ / counted_;
  result.requests_per_s = counted_ / core::to_seconds(last_ - count_from_);
  result.mean_waiting = waiting_ / static_cast<double>(steps_);
  result.mean_batch_tokens = batch_tokens_ / static_cast<double>(steps_);
  for (const auto& engine : engines_) {
    result.finished.push_back(engine->metrics().success());
    result.prompt_tokens.push_back(engine->metrics().prompt_tokens());
    result.cached_tokens.push_back(engine->metrics().cached_prompt_tokens());
  }
  result.digest = digest_.value();
  return result;
}

}  // namespace

core::Result<ClosedLoopResult> run_closed_loop(const Profile& profile, const ClosedLoop& loop) {
  return Run(profile, loop).run();
}

}  // namespace simulator
