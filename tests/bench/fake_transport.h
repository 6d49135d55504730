// A transport whose every event the test decides. Starts are recorded; nothing happens by itself.
#pragma once

#include <string>
#include <vector>

#include "bench/engine/load_engine.h"

namespace bench {

class FakeTransport final : public Transport {
 public:
  struct Started {
    std::uint32_t slot = 0;
    std::string path, body;
    Duration timeout{}, connect_timeout{};
  };

  core::Status start(const OutgoingRequest& request, TransportSink& sink) override {
    sink_ = &sink;
    if (refuse) return core::fail(core::ErrorCode::kIo, "refused by the test");
    if (keep) started.push_back({request.slot, std::string(request.path), std::string(request.body), request.timeout, request.connect_timeout});
    last_slot = request.slot;
    ++count;
    if (sent_at) sink.on_sent(request.slot, *sent_at);
    return {};
  }
  void cancel(std::uint32_t slot) override {
    TransportEnd end;
    end.transport_code = 42;
    end.cancelled = true;
    end.done = cancelled_at;
    sink_->on_done(slot, end);
  }

  void header(std::uint32_t slot, std::string_view name, std::string_view value) { sink_->on_header(slot, name, value); }
  void body(std::uint32_t slot, std::string_view bytes, TimePoint at, bool exact = true) { sink_->on_body(slot, bytes, {at, exact}); }
  void done(std::uint32_t slot, TimePoint at, int status = 200, int code = 0, bool timed_out = false) {
    TransportEnd end;
    end.http_status = status;
    end.transport_code = code;
    end.timed_out = timed_out;
    end.done = at;
    end.message = code != 0 ? "connection reset by the test" : "";
    sink_->on_done(slot, end);
  }

  bool refuse = false, keep = true;
  std::optional<TimePoint> sent_at;
  TimePoint cancelled_at{};
  std::vector<Started> started;
  std::uint32_t last_slot = 0;
  std::size_t count = 0;

 private:
  TransportSink* sink_ = nullptr;
};

}  // namespace bench
