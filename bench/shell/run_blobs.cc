// The compact binary half of run_codec.h. Formats are fixed per schema version of the store.
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "bench/shell/run_codec.h"

namespace bench {
namespace {

using protocol::HistogramTotals;
using protocol::VllmSnapshot;

constexpr std::array kValues{
    &VllmSnapshot::running, &VllmSnapshot::waiting, &VllmSnapshot::kv_used_fraction, &VllmSnapshot::prefix_queries_tokens,
    &VllmSnapshot::prefix_hits_tokens, &VllmSnapshot::prompt_tokens, &VllmSnapshot::prompt_tokens_cached,
    &VllmSnapshot::generation_tokens, &VllmSnapshot::preemptions, &VllmSnapshot::success, &VllmSnapshot::success_stop,
    &VllmSnapshot::success_length, &VllmSnapshot::success_abort, &VllmSnapshot::http_request_bytes_sum,
    &VllmSnapshot::http_request_count, &VllmSnapshot::created_unix_s, &VllmSnapshot::process_start_unix_s};
constexpr std::array kCounts{&VllmSnapshot::block_size_tokens, &VllmSnapshot::num_gpu_blocks};
// New ones go to the end: their bits are unset in what earlier versions wrote.
constexpr std::array kHistograms{&VllmSnapshot::request_prompt_tokens, &VllmSnapshot::request_generation_tokens,
                                 &VllmSnapshot::request_max_tokens, &VllmSnapshot::ttft, &VllmSnapshot::e2e,
                                 &VllmSnapshot::queue_time, &VllmSnapshot::sim_step_late, &VllmSnapshot::sim_step,
                                 &VllmSnapshot::decode_time, &VllmSnapshot::prefill_time};

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) { out_.clear(); }
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      out_ += static_cast<char>(value | 0x80u);
      value >>= 7;
    }
    out_ += static_cast<char>(value);
  }
  void zigzag(std::int64_t value) {
    varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void number(double value) {
    constexpr double kLimit = 9007199254740992.0;
    if (value >= 0 && value < kLimit && std::trunc(value) == value && !std::signbit(value)) {
      return varint(static_cast<std::uint64_t>(value) << 1);
    }
    varint(1);
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (unsigned shift = 0; shift < 64; shift += 8) out_ += static_cast<char>(bits >> shift);
  }
  void text(std::string_view value) {
    varint(value.size());
    out_ += value;
  }

 private:
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (in_.empty()) break;
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  std::int64_t zigzag() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>((value >> 1) ^ (0 - (value & 1)));
  }
  double number() {
    const std::uint64_t head = varint();
    if ((head & 1) == 0) return static_cast<double>(head >> 1);
    if (in_.size() < 8) {
      failed_ = true;
      return 0;
    }
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < 8; ++i) bits |= std::uint64_t{static_cast<unsigned char>(in_[i])} << (8 * i);
    in_.remove_prefix(8);
    return std::bit_cast<double>(bits);
  }
  std::string_view text() {
    const std::uint64_t size = varint();
    if (size > in_.size()) {
      failed_ = true;
      return {};
    }
    const auto value = in_.substr(0, size);
    in_.remove_prefix(size);
    return value;
  }
  [[nodiscard]] bool failed() const { return failed_; }
  /// Everything read, nothing left.
  [[nodiscard]] bool ended() const { return !failed_ && in_.empty(); }

 private:
  std::string_view in_;
  bool failed_ = false;
};

void write_histogram(const HistogramTotals& histogram, Writer& writer) {
  writer.number(histogram.count);
  writer.number(histogram.sum);
  writer.varint(histogram.bucket_count);
  for (std::size_t i = 0; i < histogram.bucket_count; ++i) {
    writer.number(histogram.upper[i]);
    writer.number(histogram.cumulative[i]);
  }
}

bool read_histogram(Reader& reader, HistogramTotals& histogram) {
  histogram.present = true;
  histogram.count = reader.number();
  histogram.sum = reader.number();
  const std::uint64_t buckets = reader.varint();
  if (buckets > HistogramTotals::kMaxBuckets) return false;
  histogram.bucket_count = static_cast<std::uint8_t>(buckets);
  for (std::size_t i = 0; i < histogram.bucket_count; ++i) {
    histogram.upper[i] = reader.number();
    histogram.cumulative[i] = reader.number();
  }
  return !reader.failed();
}

core::Error damaged(std::string_view what) {
  return core::fail(core::ErrorCode::kProtocol, "the stored " + std::string(what) + " is damaged",
                    "restore the run store from a copy, or remove the run");
}

}  // namespace

void encode_token_events(std::span<const TokenEvent> events, std::string& blob) {
  Writer writer(blob);
  std::uint64_t previous = 0;
  for (const TokenEvent& event : events) {
    const auto at = static_cast<std::uint64_t>(event.at.count());
    writer.zigzag(static_cast<std::int64_t>(at - previous));
    previous = at;
    writer.varint((std::uint64_t{event.tokens} << 1) | (event.exact ? 1u : 0u));
  }
}

core::Status decode_token_events(std::string_view blob, std::span<TokenEvent> events) {
  Reader reader(blob);
  std::uint64_t previous = 0;
  for (TokenEvent& event : events) {
    previous += static_cast<std::uint64_t>(reader.zigzag());
    event.at = Duration(static_cast<std::int64_t>(previous));
    const std::uint64_t packed = reader.varint();
    event.tokens = static_cast<std::uint16_t>(packed >> 1);
    event.exact = (packed & 1) != 0;
    if (reader.failed()) return damaged("list of token times");
  }
  if (!reader.ended()) return damaged("list of token times");
  return {};
}

void encode_snapshot(const VllmSnapshot& snapshot, std::string& blob) {
  Writer writer(blob);
  std::uint64_t present = 0;
  unsigned bit = 0;
  const auto mark = [&](bool has) { present |= std::uint64_t{has} << bit++; };
  for (const auto field : kValues) mark((snapshot.*field).has_value());
  for (const auto field : kCounts) mark((snapshot.*field).has_value());
  for (const auto field : kHistograms) mark((snapshot.*field).present);
  writer.varint(present);
  for (const auto field : kValues) {
    if (snapshot.*field) writer.number(*(snapshot.*field));
  }
  for (const auto field : kCounts) {
    if (snapshot.*field) writer.varint(*(snapshot.*field));
  }
  for (const auto field : kHistograms) {
    if ((snapshot.*field).present) write_histogram(snapshot.*field, writer);
  }
  writer.text(snapshot.model_name);
  if (snapshot.page_bytes > 0) writer.varint(snapshot.page_bytes);
}

core::Status decode_snapshot(std::string_view blob, VllmSnapshot& snapshot) {
  snapshot = {};
  Reader reader(blob);
  std::uint64_t present = reader.varint();
  const auto has = [&present] {
    const bool bit = (present & 1) != 0;
    present >>= 1;
    return bit;
  };
  for (const auto field : kValues) {
    if (has()) snapshot.*field = reader.number();
  }
  // The bits of all fields come first, the values follow field by field in the same order.
  for (const auto field : kCounts) {
    if (has()) snapshot.*field = static_cast<std::uint32_t>(reader.varint());
  }
  for (const auto field : kHistograms) {
    if (has() && !read_histogram(reader, snapshot.*field)) return damaged("metrics snapshot");
  }
  snapshot.model_name = reader.text();
  if (!reader.ended()) snapshot.page_bytes = static_cast<std::uint32_t>(reader.varint());
  if (!reader.ended()) return damaged("metrics snapshot");
  return {};
}

}  // namespace bench
