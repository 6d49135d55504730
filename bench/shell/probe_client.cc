// See probe_client.h.
#include "bench/shell/probe_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/engine/response_reader.h"
#include "core/sse.h"

namespace bench {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(50);
constexpr std::size_t kMaxBodyBytes = 4u << 20;

/// Text and finish_reason of a whole answer; what the load engine's reader does not keep.
void read_content(const std::string& body, bool stream, ProbeAnswer& answer) {
  protocol::ResponseDecoder decoder;
  const auto take = [&](const protocol::ResponsePart& part) {
    answer.text_bytes += part.text.size();
    answer.finish_reason = answer.finish_reason || part.finished;
  };
  if (!stream) return take(decoder.decode_body(body));
  core::SseParser parser;
  if (!parser.feed(body, [&](std::string_view payload) { take(decoder.decode_event(payload)); })) answer.whole = false;
}

}  // namespace

/// One request under way.
struct ProbeClient::Pending final : core::net::TransferSink {
  void on_header(std::string_view name, std::string_view value) override { reader.on_header(name, value); }
  void on_body(std::string_view bytes, const core::net::ArrivalStamp& stamp) override {
    if (received.size() + bytes.size() <= kMaxBodyBytes) received += bytes;
    reader.on_body(bytes, {stamp.at, stamp.exact});
  }
  void on_done(const core::net::TransferResult& result) override {
    end.transport_code = result.curl_code;
    end.http_status = result.http_status;
    end.timed_out = result.timed_out;
    end.cancelled = cancelled;
    end.sent = result.sent;
    end.done = result.done;
    end.message = result.message;
    done = true;
    if (owner_running != nullptr && *owner_running) loop->stop();
  }
  ProbeAnswer answer(bool stream) {
    ProbeAnswer out;
    out.body_bytes = static_cast<std::uint32_t>(body.size());
    if (!started) {
      out.problem = problem;
      return out;
    }
    RequestRecord record;
    reader.finish(end, false, record);
    out.status = end.http_status;
    out.whole = record.outcome == Outcome::kOk;
    out.prompt_tokens = record.prompt_tokens;
    out.output_tokens = record.output_tokens;
    out.cached_tokens = record.cached_tokens;
    if (end.sent != TimePoint{}) out.latency = end.done - end.sent;
    ObservedSource source = ObservedSource::kNone;
    const auto name = reader.observed(source);
    if (source == ObservedSource::kServedEndpointHeader || source == ObservedSource::kInferencePodHeader) out.observed_name = name;
    if (!out.whole) out.problem = reader.problem().empty() ? std::string(end.message) : std::string(reader.problem());
    if (out.status >= 200 && out.status < 300) read_content(received, stream, out);
    return out;
  }

  core::net::Loop* loop = nullptr;
  const bool* owner_running = nullptr;
  ResponseReader reader;
  std::string body, url, received, problem;
  TransportEnd end;
  core::net::TransferId id = 0;
  bool started = false, done = false, cancelled = false;
};

ProbeClient::~ProbeClient() = default;

core::Result<std::unique_ptr<ProbeClient>> ProbeClient::open(ProbeClientOptions options) {
  std::unique_ptr<ProbeClient> client(new ProbeClient(std::move(options)));
  if (auto prepared = client->prepare(); !prepared) return prepared.error();
  return client;
}

core::Status ProbeClient::prepare() {
  auto target = resolve_target(options_.target_url, options_.route_timeout);
  if (!target) return target.error();
  target_ = std::move(*target);
  core::net::HttpClientOptions http;
  http.max_in_flight = options_.at_once + 1;
  auto client = core::net::HttpClient::create(loop_, http);
  if (!client) return client.error();
  client_ = std::move(*client);
  // Its own: a certificate authority for metrics pages is none for the target.
  http.max_in_flight = options_.replicas.size() + 1;
  http.ca_file = options_.metrics_access.ca_file;
  http.insecure_tls = options_.metrics_access.insecure_tls;
  auto metrics_client = core::net::HttpClient::create(loop_, http);
  if (!metrics_client) return metrics_client.error();
  metrics_client_ = std::move(*metrics_client);
  scraper_ = std::make_unique<Scraper>(loop_, *metrics_client_, options_.replicas, ScrapeOptions{}, options_.metrics_access.token);
  if (!target_.host_line.empty()) route_headers_.push_back(target_.host_line);
  if (!options_.api_key.empty()) route_headers_.push_back("Authorization: Bearer " + options_.api_key);
  post_headers_ = route_headers_;
  post_headers_.push_back("Content-Type: application/json");
  post_headers_.push_back("User-Agent: gatebench/" GATEBENCH_VERSION);
  return {};
}

bool ProbeClient::stopped() const { return interrupted() || loop_.now() >= options_.deadline; }

core::Result<Answer> ProbeClient::get(const std::string& path) {
  return exchange(loop_, *client_, "GET", target_.base_url + path, route_headers_, options_.route_timeout);
}

core::Result<Answer> ProbeClient::get_at_replica(std::size_t replica, const std::string& path) {
  auto url = parse_url(options_.replicas[replica].metrics_url);
  if (!url) return url.error();
  url->path.clear();
  return exchange(loop_, *metrics_client_, "GET", to_string(*url) + path, {}, options_.route_timeout);
}

std::vector<std::optional<protocol::VllmSnapshot>> ProbeClient::scrape() {
  std::vector<std::optional<protocol::VllmSnapshot>> round(options_.replicas.size());
  const std::size_t first = scraper_->count();
  bool done = false, waiting = false;
  scraper_->round([&] {
    done = true;
    if (waiting) loop_.stop();
  });
  waiting = true;
  while (!done) loop_.run();
  for (auto& scrape : scraper_->copy_from(first, TimePoint{})) {
    if (scrape.ok && !scrape.torn) round[scrape.replica] = std::move(scrape.values);
  }
  return round;
}

std::vector<ProbeAnswer> ProbeClient::send(std::span<const ProbeRequest> requests) {
  std::vector<ProbeAnswer> answers;
  std::vector<std::unique_ptr<Pending>> pending;
  bool running = false;
  const std::size_t count = std::min(requests.size(), options_.at_once);
  for (std::size_t i = 0; i < count; ++i) {
    auto each = std::make_unique<Pending>();
    each->loop = &loop_;
    each->owner_running = &running;
    each->url = target_.base_url + std::string(protocol::path_of(requests[i].api));
    protocol::RequestBody body;
    body.api = requests[i].api;
    body.model = model_;
    body.prompt = requests[i].prompt;
    body.max_tokens = requests[i].max_tokens;
    body.stream = body.include_usage = requests[i].stream;
    body.temperature = 0.0;
    const std::string padding(requests[i].pad_bytes, 'x');
    body.user = padding;
    protocol::write_request_body(body, each->body);
    each->reader.start(loop_.now(), requests[i].stream);
    core::net::TransferRequest transfer;
    transfer.method = "POST";
    transfer.url = each->url;
    transfer.body = each->body;
    transfer.headers = &post_headers_;
    transfer.timeout = options_.timeout;
    transfer.connect_timeout = std::min(options_.timeout, options_.route_timeout);
    const auto id = client_->start(transfer, *each);
    each->started = id.has_value();
    if (id) each->id = *id;
    else each->problem = id.error().message;
    requests_sent_ += id ? 1 : 0;
    pending.push_back(std::move(each));
  }
  const auto open = [&] { return std::any_of(pending.begin(), pending.end(), [](const auto& p) { return p->started && !p->done; }); };
  core::net::Timer tick(loop_, [&](TimePoint) { loop_.stop(); });
  running = true;
  while (open()) {
    tick.arm(loop_.now() + kTick);
    loop_.run();
    if (!stopped()) continue;
    for (auto& each : pending) {
      if (!each->started || each->done) continue;
      each->cancelled = true;
      client_->cancel(each->id);
    }
  }
  tick.cancel();
  for (std::size_t i = 0; i < count; ++i) answers.push_back(pending[i]->answer(requests[i].stream));
  return answers;
}

void ProbeClient::wait(Duration duration) {
  const TimePoint until = std::min(loop_.now() + duration, options_.deadline);
  core::net::Timer timer(loop_, [&](TimePoint) { loop_.stop(); });
  while (!interrupted() && loop_.now() < until) {
    timer.arm(std::min(until, loop_.now() + kTick));
    loop_.run();
  }
}

}  // namespace bench
