// DelayLine: things that happen a constant time later, in order. The simulated network's two directions use it.
// It reuses its cells' buffers: once as deep as it gets, it allocates nothing.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "core/time.h"

namespace simulator {

/// First in, first out. Due times must not decrease. `Cell` keeps its buffers when it is reused.
template <class Cell>
class DelayLine {
 public:
  /// The next cell, as its last use left it.
  Cell& push(core::TimePoint due) {
    if (count_ == cells_.size()) grow();
    auto& entry = cells_[(first_ + count_++) % cells_.size()];
    entry.first = due;
    return entry.second;
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] core::TimePoint first_due() const { return cells_[first_].first; }
  [[nodiscard]] Cell& front() { return cells_[first_].second; }
  void pop() {
    first_ = (first_ + 1) % cells_.size();
    --count_;
  }

 private:
  void grow() {
    std::vector<std::pair<core::TimePoint, Cell>> wider(cells_.empty() ? 64 : cells_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) wider[i] = std::move(cells_[(first_ + i) % cells_.size()]);
    cells_.swap(wider);
    first_ = 0;
  }

  std::vector<std::pair<core::TimePoint, Cell>> cells_;
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace simulator
