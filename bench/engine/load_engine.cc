// The load engine's scheduling half; what comes back is read by ResponseReader. Driven by the runner and the fleet.
// Between two calls it holds no time of its own: `now` and the transport's stamps are all it knows.
#include "bench/engine/load_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "bench/engine/response_reader.h"
#include "core/quantiles.h"

namespace bench {
namespace {

/// Most dispatches of one advance(): between two slices the driver's loop serves the sockets.
constexpr std::uint32_t kSlice = 32;
/// A closed loop against a dead server would spend its whole schedule in a moment.
constexpr Duration kRefusalPause = std::chrono::milliseconds(100);
constexpr std::size_t kMaxErrorSamples = 3;
constexpr std::size_t kMaxReservedEvents = 4u << 20;
constexpr std::size_t kRecent = 256;

std::string_view name_of(Outcome outcome) {
  constexpr std::array<std::string_view, 8> kNames = {"ok",           "http error",   "transport error", "timeout",
                                                      "bad response", "server error", "cancelled",       "not sent"};
  return kNames[static_cast<std::size_t>(outcome)];
}

struct DueSlot {
  TimePoint due{};
  std::uint32_t slot = 0;
  friend bool operator>(const DueSlot& a, const DueSlot& b) { return a.due != b.due ? a.due > b.due : a.slot > b.slot; }
};
using DueHeap = std::vector<DueSlot>;

void push_due(DueHeap& heap, DueSlot entry) {
  heap.push_back(entry);
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

DueSlot pop_due(DueHeap& heap) {
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  const DueSlot entry = heap.back();
  heap.pop_back();
  return entry;
}

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

struct Slot {
  ResponseReader reader;
  std::string prompt, body;
  std::uint32_t index = 0;
  TimePoint free_since{};
  bool busy = false;
};

RequestRecord planned_record(const scenarios::PlannedRequest& planned) {
  RequestRecord record;
  record.index = planned.index;
  record.session = planned.session;
  record.prefix_group = planned.prefix_group;
  record.intended = planned.intended;
  record.workload = planned.workload;
  record.max_tokens = planned.max_tokens;
  return record;
}

}  // namespace

struct LoadEngine::State final : TransportSink {
  State(LoadEngine& owner, const scenarios::Scenario& scenario, const scenarios::Schedule& schedule,
        LoadEngineOptions options, Transport& transport);

  void begin(TimePoint start);
  [[nodiscard]] std::optional<TimePoint> next_due() const;
  void advance(TimePoint now);
  bool dispatch_one(TimePoint now);
  bool dispatch_closed(TimePoint now);
  bool dispatch_open(TimePoint now);
  bool take_free_slot(std::uint32_t& slot);
  void dispatch(std::uint32_t slot, std::uint32_t index, TimePoint due, TimePoint now);
  void note_send_lag(const Slot& slot, const RequestRecord& record);
  void end_request(std::uint32_t slot, const TransportEnd& end);
  void release(std::uint32_t slot, const RequestRecord& record, TimePoint at);
  void observe(const ResponseReader& reader, RequestRecord& record);
  void sample_error(const ResponseReader& reader, const RequestRecord& record);
  void check_exhausted();
  void take(Run& run);

  void on_sent(std::uint32_t slot, TimePoint at) override;
  void on_header(std::uint32_t slot, std::string_view name, std::string_view value) override;
  void on_body(std::uint32_t slot, std::string_view bytes, const Arrival& arrival) override;
  void on_done(std::uint32_t slot, const TransportEnd& end) override;

  [[nodiscard]] bool closed() const { return scenario_.load.model == scenarios::LoadModel::kClosed; }
  [[nodiscard]] bool slot_available() const { return !free_.empty() || slots_.size() < max_slots_; }

  LoadEngine& owner_;
  const scenarios::Scenario& scenario_;
  const scenarios::Schedule& schedule_;
  LoadEngineOptions options_;
  Transport& transport_;
  std::size_t max_slots_ = 0;

  TimePoint run_start_{}, now_{};
  std::optional<TimePoint> stop_at_;
  std::string padding_;  ///< the longest `user` text of the schedule
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::uint32_t> free_;       // open loop
  DueHeap ready_;                         // closed loop: free slots by the time they are due
  DueHeap waiting_;                       // requests (in `slot`) whose predecessor has ended
  std::vector<std::vector<std::uint32_t>> successors_;  // by index; empty when the schedule has none
  std::size_t pending_successors_ = 0;
  std::size_t cursor_ = 0;
  bool dispatching_done_ = false;

  std::vector<RequestRecord> records_;
  std::vector<TokenEvent> token_events_;
  std::vector<std::string> observed_names_, error_samples_;
  std::unordered_map<std::string, std::uint16_t, StringHash, std::equal_to<>> observed_index_;
  std::array<std::size_t, 8> samples_per_outcome_{};
  core::DurationHistogram send_lag_;
  std::array<Duration, kRecent> recent_ttft_{};
  std::size_t recent_count_ = 0;
  LiveStats live_;
  std::uint32_t max_in_flight_ = 0;
  bool out_of_descriptors_ = false, out_of_ports_ = false;
};

LoadEngine::State::State(LoadEngine& owner, const scenarios::Scenario& scenario, const scenarios::Schedule& schedule,
                         LoadEngineOptions options, Transport& transport)
    : owner_(owner), scenario_(scenario), schedule_(schedule), options_(std::move(options)), transport_(transport) {
  max_slots_ = closed() ? scenario_.load.concurrency : scenario_.load.max_concurrency.value_or(options_.max_slots);
  const std::size_t count = schedule_.requests.size();
  // Reserved, not touched: pages that a short run never reaches cost nothing.
  records_.reserve(count);
  std::size_t events = 0;
  for (const auto& planned : schedule_.requests) {
    events += planned.max_tokens;
    if (planned.pad_bytes > padding_.size()) padding_.resize(planned.pad_bytes, 'x');
    if (planned.after >= 0 && !closed()) {
      if (successors_.empty()) successors_.resize(count);
      successors_[static_cast<std::size_t>(planned.after)].push_back(planned.index);
      ++pending_successors_;
    }
  }
  token_events_.reserve(std::min(events, kMaxReservedEvents));
  ready_.reserve(max_slots_);
  free_.reserve(max_slots_);
  waiting_.reserve(pending_successors_);
  live_.planned = static_cast<std::uint32_t>(count);
  if (!closed()) {
    for (const auto& planned : schedule_.requests) records_.push_back(planned_record(planned));
  }
}

void LoadEngine::State::begin(TimePoint start) {
  run_start_ = now_ = start;
  if (scenario_.stop.duration) stop_at_ = start + *scenario_.stop.duration;
  if (closed()) {
    for (std::uint32_t slot = 0; slot < max_slots_; ++slot) {
      slots_.push_back(std::make_unique<Slot>());
      push_due(ready_, {start, slot});
    }
  }
  check_exhausted();
}

std::optional<TimePoint> LoadEngine::State::next_due() const {
  if (dispatching_done_) return std::nullopt;
  std::optional<TimePoint> due = stop_at_;
  const auto consider = [&due](TimePoint at) { due = due ? std::min(*due, at) : at; };
  if (closed()) {
    if (!ready_.empty()) consider(ready_.front().due);
    return due;
  }
  if (!slot_available()) return due;
  if (cursor_ < schedule_.requests.size()) consider(run_start_ + schedule_.requests[cursor_].intended);
  if (!waiting_.empty()) consider(waiting_.front().due);
  return due;
}

void LoadEngine::State::advance(TimePoint now) {
  now_ = std::max(now_, now);
  if (stop_at_ && now_ >= *stop_at_) dispatching_done_ = true;
  for (std::uint32_t i = 0; i < kSlice && !dispatching_done_; ++i) {
    if (!dispatch_one(now_)) break;
  }
}

bool LoadEngine::State::dispatch_one(TimePoint now) { return closed() ? dispatch_closed(now) : dispatch_open(now); }

bool LoadEngine::State::dispatch_closed(TimePoint now) {
  if (ready_.empty() || ready_.front().due > now) return false;
  const DueSlot ready = pop_due(ready_);
  const auto index = static_cast<std::uint32_t>(cursor_++);
  records_.push_back(planned_record(schedule_.requests[index]));
  dispatch(ready.slot, index, ready.due, now);
  check_exhausted();
  return true;
}

bool LoadEngine::State::dispatch_open(TimePoint now) {
  const auto& requests = schedule_.requests;
  // Entries with a predecessor have no arrival of their own.
  while (cursor_ < requests.size() && requests[cursor_].after >= 0) ++cursor_;
  std::optional<TimePoint> arrival;
  if (cursor_ < requests.size()) arrival = run_start_ + requests[cursor_].intended;
  const bool successor_first = !waiting_.empty() && (!arrival || waiting_.front().due < *arrival);
  const std::optional<TimePoint> due = successor_first ? std::optional(waiting_.front().due) : arrival;
  std::uint32_t slot = 0;
  if (!due || *due > now || !take_free_slot(slot)) {
    check_exhausted();
    return false;
  }
  std::uint32_t index = 0;
  if (successor_first) {
    index = pop_due(waiting_).slot;
    --pending_successors_;
  } else {
    index = static_cast<std::uint32_t>(cursor_++);
  }
  dispatch(slot, index, *due, now);
  check_exhausted();
  return true;
}

bool LoadEngine::State::take_free_slot(std::uint32_t& slot) {
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
    return true;
  }
  if (slots_.size() >= max_slots_) return false;
  slot = static_cast<std::uint32_t>(slots_.size());
  slots_.push_back(std::make_unique<Slot>());
  slots_.back()->free_since = run_start_;
  return true;
}

void LoadEngine::State::check_exhausted() {
  if (cursor_ >= schedule_.requests.size() && pending_successors_ == 0) dispatching_done_ = true;
}

void LoadEngine::State::dispatch(std::uint32_t number, std::uint32_t index, TimePoint due, TimePoint now) {
  Slot& slot = *slots_[number];
  const scenarios::PlannedRequest& planned = schedule_.requests[index];
  const scenarios::OutputSpec& output = scenario_.workloads[planned.workload].output;
  scenarios::render_prompt(scenario_, planned, slot.prompt);
  protocol::RequestBody body;
  body.api = options_.api;
  body.model = options_.model;
  body.prompt = slot.prompt;
  body.max_tokens = planned.max_tokens;
  body.min_tokens = output.min_tokens;
  body.ignore_eos = output.ignore_eos;
  body.stream = scenario_.stream;
  body.continuous_usage = scenario_.continuous_usage;
  body.temperature = options_.temperature;
  body.user = std::string_view(padding_).substr(0, planned.pad_bytes);
  body.cache_salt = options_.cache_salt;
  protocol::write_request_body(body, slot.body);

  RequestRecord& record = records_[index];
  record.due = due - run_start_;
  record.dispatched = now - run_start_;
  record.body_bytes = static_cast<std::uint32_t>(slot.body.size());
  record.outcome = Outcome::kCancelled;  // until its end is known
  slot.index = index;
  slot.busy = true;
  slot.reader.start(run_start_, scenario_.stream);
  ++live_.dispatched;
  ++live_.in_flight;
  max_in_flight_ = std::max(max_in_flight_, live_.in_flight);

  OutgoingRequest request;
  request.slot = number;
  request.path = protocol::path_of(options_.api);
  request.body = slot.body;
  request.timeout = scenario_.request_timeout;
  request.connect_timeout = scenario_.connect_timeout;
  if (const auto started = transport_.start(request, *this); !started) {
    TransportEnd end;
    end.done = now;
    end.message = started.error().message;
    end_request(number, end);
    return;
  }
  note_send_lag(slot, record);
}

/// What the client itself added: from due (or, behind a cap that the user set, from when a slot was free) to the socket.
/// A request that waits for its connection counts up to its dispatch: the rest is the network's. What is due before the
/// measured window is ramp: a closed loop opens with all its slots at once.
void LoadEngine::State::note_send_lag(const Slot& slot, const RequestRecord& record) {
  if (record.due < scenario_.trim_start) return;
  Duration from = record.due;
  if (scenario_.load.max_concurrency && !closed()) from = std::max(from, slot.free_since - run_start_);
  const Duration to = record.sent == kNever ? record.dispatched : record.sent;
  send_lag_.add(std::max(Duration{0}, to - from));
}

void LoadEngine::State::on_sent(std::uint32_t slot, TimePoint at) { records_[slots_[slot]->index].sent = at - run_start_; }

void LoadEngine::State::on_header(std::uint32_t slot, std::string_view name, std::string_view value) {
  slots_[slot]->reader.on_header(name, value);
}

void LoadEngine::State::on_body(std::uint32_t slot, std::string_view bytes, const Arrival& arrival) {
  slots_[slot]->reader.on_body(bytes, arrival);
}

void LoadEngine::State::on_done(std::uint32_t slot, const TransportEnd& end) { end_request(slot, end); }

void LoadEngine::State::end_request(std::uint32_t number, const TransportEnd& end) {
  Slot& slot = *slots_[number];
  if (!slot.busy) return;
  slot.busy = false;
  RequestRecord& record = records_[slot.index];
  slot.reader.finish(end, options_.first_token_is_chunk, record);
  const TimePoint done = end.done == TimePoint{} ? now_ : end.done;
  now_ = std::max(now_, done);
  record.done = done - run_start_;
  if (record.sent == kNever && end.sent != TimePoint{}) record.sent = end.sent - run_start_;
  const auto& events = slot.reader.events();
  record.token_events_begin = static_cast<std::uint32_t>(token_events_.size());
  record.token_events_count = static_cast<std::uint32_t>(events.size());
  token_events_.insert(token_events_.end(), events.begin(), events.end());
  out_of_descriptors_ |= end.out_of_descriptors;
  out_of_ports_ |= end.out_of_ports;
  observe(slot.reader, record);
  --live_.in_flight;
  ++live_.finished;
  if (record.outcome == Outcome::kOk) {
    if (record.output_tokens != kUnknownCount) live_.output_tokens += record.output_tokens;
    if (record.first_token != kNever) recent_ttft_[recent_count_++ % kRecent] = record.first_token - record.due;
  } else {
    ++live_.failed;
    sample_error(slot.reader, record);
  }
  release(number, record, done);
  if (owner_.on_record) owner_.on_record(record);
}

void LoadEngine::State::release(std::uint32_t number, const RequestRecord& record, TimePoint at) {
  slots_[number]->free_since = at;
  if (closed()) {
    // A server that refuses at once must not be flooded, nor eat the schedule in a blink.
    const bool refused = record.outcome == Outcome::kTransportError || (record.outcome == Outcome::kHttpError && record.http_status >= 429);
    const Duration pause = refused ? kRefusalPause : Duration{0};
    push_due(ready_, {at + std::max(pause, schedule_.requests[record.index].think_time), number});
    return;
  }
  free_.push_back(number);
  if (successors_.empty()) return;
  for (const std::uint32_t next : successors_[record.index]) {
    push_due(waiting_, {at + schedule_.requests[next].think_time, next});
  }
}

void LoadEngine::State::observe(const ResponseReader& reader, RequestRecord& record) {
  const std::string_view name = reader.observed(record.observed_source);
  if (record.observed_source == ObservedSource::kNone) return;
  auto found = observed_index_.find(name);
  if (found == observed_index_.end()) {
    if (observed_names_.size() >= 0xffff) return;
    found = observed_index_.emplace(std::string(name), static_cast<std::uint16_t>(observed_names_.size())).first;
    observed_names_.emplace_back(name);
  }
  record.observed_replica = found->second;
}

void LoadEngine::State::sample_error(const ResponseReader& reader, const RequestRecord& record) {
  std::size_t& samples = samples_per_outcome_[static_cast<std::size_t>(record.outcome)];
  if (samples >= kMaxErrorSamples || record.outcome == Outcome::kCancelled) return;
  ++samples;
  error_samples_.push_back(fmt::format("{} (request {}, status {}, transport code {}): {}", name_of(record.outcome),
                                       record.index, record.http_status, record.transport_code, reader.problem()));
}

void LoadEngine::State::take(Run& run) {
  const bool all = !closed() || !scenario_.stop.duration;
  for (std::size_t i = records_.size(); all && i < schedule_.requests.size() && scenario_.stop.requests; ++i) {
    records_.push_back(planned_record(schedule_.requests[i]));
  }
  for (const TokenEvent& event : token_events_) run.health.exact_token_events += event.exact ? 1 : 0;
  run.health.token_events = token_events_.size();
  run.health.send_lag_p50 = send_lag_.quantile(0.5);
  run.health.send_lag_p99 = send_lag_.quantile(0.99);
  run.health.send_lag_max = send_lag_.max();
  run.health.max_in_flight = max_in_flight_;
  run.health.fd_exhausted = out_of_descriptors_;
  run.health.port_exhausted = out_of_ports_;
  run.records = std::move(records_);
  run.token_events = std::move(token_events_);
  run.observed_names = std::move(observed_names_);
  run.error_samples = std::move(error_samples_);
}

LoadEngine::LoadEngine(const scenarios::Scenario& scenario, const scenarios::Schedule& schedule,
                       LoadEngineOptions options, Transport& transport)
    : state_(std::make_unique<State>(*this, scenario, schedule, std::move(options), transport)) {}
LoadEngine::~LoadEngine() = default;

void LoadEngine::begin(TimePoint run_start) { state_->begin(run_start); }
std::optional<TimePoint> LoadEngine::next_due() const { return state_->next_due(); }
void LoadEngine::advance(TimePoint now) { state_->advance(now); }
void LoadEngine::stop_dispatching() { state_->dispatching_done_ = true; }
bool LoadEngine::dispatching_done() const { return state_->dispatching_done_; }
bool LoadEngine::finished() const { return state_->dispatching_done_ && state_->live_.in_flight == 0; }
const std::vector<RequestRecord>& LoadEngine::records() const { return state_->records_; }
const std::vector<TokenEvent>& LoadEngine::token_events() const { return state_->token_events_; }
const std::vector<std::string>& LoadEngine::observed_names() const { return state_->observed_names_; }
void LoadEngine::take(Run& run) { state_->take(run); }

void LoadEngine::postpone_free_slots(TimePoint at) {
  for (DueSlot& ready : state_->ready_) ready.due = std::max(ready.due, at);
  std::make_heap(state_->ready_.begin(), state_->ready_.end(), std::greater<>());
}

void LoadEngine::cancel_all() {
  stop_dispatching();
  for (std::uint32_t i = 0; i < state_->slots_.size(); ++i) {
    if (state_->slots_[i]->busy) state_->transport_.cancel(i);
  }
}

LiveStats LoadEngine::live() const {
  LiveStats live = state_->live_;
  const std::size_t count = std::min(state_->recent_count_, kRecent);
  if (count == 0) return live;
  auto recent = state_->recent_ttft_;
  std::sort(recent.begin(), recent.begin() + static_cast<std::ptrdiff_t>(count));
  live.ttft_p50_recent = recent[(count - 1) / 2];
  live.ttft_p99_recent = recent[(count * 99 + 99) / 100 - 1];
  return live;
}

}  // namespace bench
