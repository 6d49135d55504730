// See http_transport.h.
#include "bench/shell/http_transport.h"

#include "bench/shell/host_probe.h"

namespace bench {
namespace {

/// Curl's numbers for "could not connect" and "stopped by a callback" (curl.h stays in core/net).
constexpr int kCouldNotConnect = 7;
constexpr int kMaxExhaustionProbes = 10;

}  // namespace

struct HttpTransport::Slot final : core::net::TransferSink {
  HttpTransport* owner = nullptr;
  TransportSink* sink = nullptr;
  std::uint32_t number = 0;
  core::net::TransferId id = 0;
  core::net::TransferResult late_result;
  bool busy = false, starting = false, cancelling = false;

  void on_sent(TimePoint at) override { sink->on_sent(number, at); }
  void on_header(std::string_view name, std::string_view value) override { sink->on_header(number, name, value); }
  void on_body(std::string_view bytes, const core::net::ArrivalStamp& stamp) override {
    sink->on_body(number, bytes, {stamp.at, stamp.exact});
  }
  void on_done(const core::net::TransferResult& result) override {
    if (!starting) return owner->finish(*this, result);
    late_result = result;
    owner->late_.push_back(this);
    owner->late_timer_.arm(result.done);
  }
};

HttpTransport::HttpTransport(core::net::Loop& loop, const Target& target, const std::string& api_key)
    : base_url_(target.base_url), late_timer_(loop, [this](TimePoint) { deliver_late(); }), loop_(loop) {
  if (const auto url = parse_url(base_url_)) {
    host_ = url->host;
    port_ = url->port;
  }
  headers_ = {"Content-Type: application/json", "User-Agent: gatebench/" GATEBENCH_VERSION};
  if (!target.host_line.empty()) headers_.push_back(target.host_line);
  if (!api_key.empty()) headers_.push_back("Authorization: Bearer " + api_key);
}

HttpTransport::~HttpTransport() = default;

core::Result<std::unique_ptr<HttpTransport>> HttpTransport::create(core::net::Loop& loop, const Target& target,
                                                                   const std::string& api_key, std::uint32_t max_slots) {
  std::unique_ptr<HttpTransport> transport(new HttpTransport(loop, target, api_key));
  core::net::HttpClientOptions options;
  options.max_in_flight = max_slots;
  auto client = core::net::HttpClient::create(loop, options);
  if (!client) return client.error();
  transport->client_ = std::move(*client);
  for (std::uint32_t i = 0; i < max_slots; ++i) {
    auto slot = std::make_unique<Slot>();
    slot->owner = transport.get();
    slot->number = i;
    transport->slots_.push_back(std::move(slot));
  }
  transport->late_.reserve(max_slots);
  return transport;
}

const std::string& HttpTransport::url_of(std::string_view path) {
  for (const auto& [known, url] : urls_) {
    if (known == path) return *url;
  }
  urls_.emplace_back(std::string(path), std::make_unique<std::string>(base_url_ + std::string(path)));
  return *urls_.back().second;
}

core::Status HttpTransport::start(const OutgoingRequest& request, TransportSink& sink) {
  Slot& slot = *slots_[request.slot];
  slot.sink = &sink;
  core::net::TransferRequest transfer;
  transfer.method = "POST";
  transfer.url = url_of(request.path);
  transfer.body = request.body;
  transfer.headers = &headers_;
  transfer.timeout = request.timeout;
  transfer.connect_timeout = request.connect_timeout;
  slot.busy = slot.starting = true;
  slot.cancelling = false;
  const auto id = client_->start(transfer, slot);
  slot.starting = false;
  if (!id) {
    slot.busy = false;
    return id.error();
  }
  slot.id = *id;
  return {};
}

void HttpTransport::cancel(std::uint32_t number) {
  if (number >= slots_.size() || !slots_[number]->busy) return;
  Slot& slot = *slots_[number];
  slot.cancelling = true;
  // One that has ended while it was started waits in late_; the client has given its id away.
  for (const Slot* late : late_) {
    if (late == &slot) return deliver_late();
  }
  client_->cancel(slot.id);
}

void HttpTransport::deliver_late() {
  while (!late_.empty()) {
    Slot* slot = late_.back();
    late_.pop_back();
    finish(*slot, slot->late_result);
  }
}

void HttpTransport::finish(Slot& slot, const core::net::TransferResult& result) {
  TransportEnd end;
  end.transport_code = result.curl_code;
  end.http_status = result.http_status;
  end.timed_out = result.timed_out;
  end.cancelled = slot.cancelling && result.curl_code != 0;
  end.sent = result.sent;
  end.done = result.done;
  end.message = result.message;
  if (result.curl_code == kCouldNotConnect && exhaustion_probes_ < kMaxExhaustionProbes) {
    ++exhaustion_probes_;
    const Exhaustion found = probe_exhaustion(host_, port_);
    end.out_of_descriptors = found.descriptors;
    end.out_of_ports = found.ports;
  }
  slot.busy = false;
  slot.sink->on_done(slot.number, end);
  if (after_done) after_done();
}

}  // namespace bench
