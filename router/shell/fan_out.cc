// The fan-out of one request over all endpoints. Driven by the HTTP client's callbacks.
// Called by RouterServer, which keeps the object until done().
// Owns copies of everything the transfers read: the exchange may end before them.
#include "router/shell/fan_out.h"

#include <algorithm>

namespace router {

class FanOut::Leg final : public core::net::TransferSink {
 public:
  Leg(FanOut& owner, std::size_t number, std::string url) : owner_(owner), number_(number), url_(std::move(url)) {}
  [[nodiscard]] const std::string& url() const { return url_; }
  void on_body(std::string_view, const core::net::ArrivalStamp&) override {}
  void on_done(const core::net::TransferResult& result) override {
    owner_.answered(number_, result.curl_code == 0 ? result.http_status : 0);
  }

 private:
  FanOut& owner_;
  std::size_t number_;
  std::string url_;
};

FanOut::FanOut(core::net::HttpClient& client, core::net::HttpExchange& exchange, const std::vector<std::string>& base_urls,
               std::function<void(std::size_t, int)> on_answer)
    : client_(client),
      exchange_(&exchange),
      method_(exchange.request().method),
      body_(exchange.request().body),
      statuses_(base_urls.size(), 0),
      on_answer_(std::move(on_answer)),
      pending_(base_urls.size()) {
  for (std::size_t i = 0; i < base_urls.size(); ++i) {
    legs_.push_back(std::make_unique<Leg>(*this, i, base_urls[i] + exchange.request().target));
  }
  exchange.on_gone = [this] { exchange_ = nullptr; };
}

FanOut::~FanOut() = default;

void FanOut::start() {
  // Held one higher while starting: a leg that fails at once must not answer for those not yet started.
  ++pending_;
  for (std::size_t i = 0; i < legs_.size(); ++i) {
    core::net::TransferRequest request;
    request.method = method_;
    request.url = legs_[i]->url();
    request.body = body_;
    request.timeout = core::Duration{10'000'000'000};
    if (!client_.start(request, *legs_[i])) answered(i, 0);
  }
  if (--pending_ == 0) respond();
}

void FanOut::answered(std::size_t leg, int status) {
  statuses_[leg] = status;
  on_answer_(leg, status);
  if (--pending_ == 0) respond();
}

void FanOut::respond() {
  if (exchange_ == nullptr) return;
  const bool all_ok = std::all_of(statuses_.begin(), statuses_.end(), [](int s) { return s == 200; });
  std::string body = "{\"endpoints\":" + std::to_string(statuses_.size()) + ",\"statuses\":[";
  for (std::size_t i = 0; i < statuses_.size(); ++i) body += (i == 0 ? "" : ",") + std::to_string(statuses_[i]);
  body += "]}\n";
  auto* exchange = exchange_;
  exchange_ = nullptr;
  exchange->respond(all_ok ? 200 : 502, {{"Content-Type", "application/json"}}, body);
}

}  // namespace router
