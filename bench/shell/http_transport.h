// HttpTransport: the load engine's Transport over core::net::HttpClient. Made by the runner, used on its loop only.
// It adds nothing to what the client measures; an end that comes while a request is being started is told a turn later.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/engine/transport.h"
#include "bench/shell/target.h"
#include "core/net/http_client.h"

namespace bench {

class HttpTransport final : public Transport {
 public:
  /// `max_slots` requests can be in flight. `api_key` may be empty.
  static core::Result<std::unique_ptr<HttpTransport>> create(core::net::Loop& loop, const Target& target,
                                                             const std::string& api_key, std::uint32_t max_slots);
  ~HttpTransport() override;

  core::Status start(const OutgoingRequest& request, TransportSink& sink) override;
  void cancel(std::uint32_t slot) override;

  /// After each on_done: the engine may have something due.
  std::function<void()> after_done;

  [[nodiscard]] const core::net::HttpClientStats& stats() const { return client_->stats(); }

 private:
  struct Slot;
  HttpTransport(core::net::Loop& loop, const Target& target, const std::string& api_key);
  void finish(Slot& slot, const core::net::TransferResult& result);
  void deliver_late();
  const std::string& url_of(std::string_view path);

  std::string base_url_, host_, port_;
  std::vector<std::string> headers_;
  std::vector<std::pair<std::string, std::unique_ptr<std::string>>> urls_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> late_;
  core::net::Timer late_timer_;
  core::net::Loop& loop_;
  int exhaustion_probes_ = 0;
  std::unique_ptr<core::net::HttpClient> client_;  // last: its end may still tell the slots
};

}  // namespace bench
