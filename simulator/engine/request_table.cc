#include "simulator/engine/request_table.h"

namespace simulator {

Slot RequestTable::acquire() {
  if (free_.empty()) {
    requests_.emplace_back();
    free_.reserve(requests_.capacity());
    free_.push_back(size() - 1);
  }
  const Slot slot = free_.back();
  free_.pop_back();
  Request& request = requests_[slot];
  request.state = Request::State::kWaiting;
  request.aborted = request.was_scheduled = false;
  ++request.generation;
  request.output_tokens = request.computed_tokens = request.named_blocks = request.cached_tokens = 0;
  request.scheduled = request.first_token = request.last_token = {};
  request.tokens.clear();
  request.hashes.clear();
  request.blocks.clear();
  return slot;
}

void RequestTable::release(Slot slot) {
  requests_[slot].state = Request::State::kFree;
  free_.push_back(slot);
}

void RequestTable::push_waiting_back(Slot slot) {
  Request& request = requests_[slot];
  request.state = Request::State::kWaiting;
  request.previous = last_waiting_;
  request.next = kNoSlot;
  (last_waiting_ == kNoSlot ? first_waiting_ : requests_[last_waiting_].next) = slot;
  last_waiting_ = slot;
  ++waiting_count_;
}

void RequestTable::push_waiting_front(Slot slot) {
  Request& request = requests_[slot];
  request.state = Request::State::kWaiting;
  request.previous = kNoSlot;
  request.next = first_waiting_;
  (first_waiting_ == kNoSlot ? last_waiting_ : requests_[first_waiting_].previous) = slot;
  first_waiting_ = slot;
  ++waiting_count_;
}

void RequestTable::remove_waiting(Slot slot) {
  const Request& request = requests_[slot];
  (request.previous == kNoSlot ? first_waiting_ : requests_[request.previous].next) = request.next;
  (request.next == kNoSlot ? last_waiting_ : requests_[request.next].previous) = request.previous;
  --waiting_count_;
}

}  // namespace simulator
