// HistogramTotals: a histogram's running totals in one scrape, small enough that a run keeps every scrape in memory.
// Filled by the exposition parser and the store's codec, read by analyzers. Bucket lists are shared between copies and,
// after share_with(), between successive scrapes of one replica, whose bounds never and whose counts seldom change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

namespace protocol {

/// A list of doubles that is copied when written to. Reading beyond its end gives 0, writing there extends it.
class BucketList {
 public:
  BucketList() = default;
  BucketList& operator=(std::initializer_list<double> values) {
    values_ = std::make_shared<std::vector<double>>(values);
    return *this;
  }
  double operator[](std::size_t i) const { return values_ && i < values_->size() ? (*values_)[i] : 0.0; }
  double& operator[](std::size_t i) {
    if (!values_) {
      values_ = std::make_shared<std::vector<double>>();
    } else if (values_.use_count() != 1) {
      values_ = std::make_shared<std::vector<double>>(*values_);
    }
    if (i >= values_->size()) values_->resize(i + 1);
    return (*values_)[i];
  }
  /// Takes over `other`'s storage when it holds the same values; else gives back what growth left over.
  void share_with(const BucketList& other) {
    if (!values_ || values_ == other.values_) return;
    if (other.values_ && *values_ == *other.values_) {
      values_ = other.values_;
    } else if (values_.use_count() == 1) {
      values_->shrink_to_fit();
    }
  }
  [[nodiscard]] bool shares_with(const BucketList& other) const { return values_ == other.values_; }

 private:
  std::shared_ptr<std::vector<double>> values_;
};

/// Entries are cumulative, in the order of the exposition; the first `bucket_count` of both lists count.
struct HistogramTotals {
  static constexpr std::size_t kMaxBuckets = 40;
  bool present = false;
  std::uint8_t bucket_count = 0;
  double count = 0, sum = 0;
  BucketList upper, cumulative;
};

}  // namespace protocol
