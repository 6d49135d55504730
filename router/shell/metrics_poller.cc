// Scrapes over kept-alive connections, parsed into LoadSamples. Called by the loop's timer and the HTTP client.
// An answer of any status proves that the endpoint lives; only silence makes it dead.
// Never blocks, never scrapes an endpoint whose last scrape is still under way.
#include "router/shell/metrics_poller.h"

#include <algorithm>

#include "protocol/vllm_metrics.h"

namespace router {
namespace {

constexpr std::size_t kMaxExpositionBytes = 8u << 20;

}  // namespace

class MetricsPoller::Probe final : public core::net::TransferSink {
 public:
  Probe(MetricsPoller& poller, std::size_t endpoint, std::string url)
      : poller_(poller), endpoint_(endpoint), url_(std::move(url)) {}

  void scrape(core::net::HttpClient& client, core::Duration timeout) {
    if (under_way_) return;
    text_.clear();
    under_way_ = true;
    scrape_started(poller_.endpoints_[endpoint_]);
    core::net::TransferRequest request;
    request.url = url_;
    request.timeout = timeout;
    request.connect_timeout = timeout;
    if (!client.start(request, *this)) {
      under_way_ = false;
      poller_.count_failure(endpoint_, true);
    }
  }
  void on_body(std::string_view bytes, const core::net::ArrivalStamp&) override {
    if (text_.size() + bytes.size() <= kMaxExpositionBytes) text_.append(bytes);
  }
  void on_done(const core::net::TransferResult& result) override {
    under_way_ = false;
    poller_.take(endpoint_, result, text_);
  }

  std::uint32_t failures_in_a_row = 0;

 private:
  MetricsPoller& poller_;
  std::size_t endpoint_;
  std::string url_, text_;
  bool under_way_ = false;
};

MetricsPoller::MetricsPoller(core::net::Loop& loop, const PollerOptions& options, std::vector<EndpointState>& endpoints,
                             Pipeline& pipeline, RouterStats& stats)
    : loop_(loop), options_(options), endpoints_(endpoints), pipeline_(pipeline), stats_(stats),
      timer_(loop, [this](core::TimePoint deadline) { tick(deadline); }) {}

MetricsPoller::~MetricsPoller() = default;

core::Result<std::unique_ptr<MetricsPoller>> MetricsPoller::start(core::net::Loop& loop, const PollerOptions& options,
                                                                  std::vector<std::string> urls,
                                                                  std::vector<EndpointState>& endpoints, Pipeline& pipeline,
                                                                  RouterStats& stats) {
  std::unique_ptr<MetricsPoller> poller(new MetricsPoller(loop, options, endpoints, pipeline, stats));
  core::net::HttpClientOptions client_options;
  client_options.max_in_flight = std::max<std::size_t>(1, urls.size());
  client_options.kernel_stamps = false;
  auto client = core::net::HttpClient::create(loop, client_options);
  if (!client) return client.error();
  poller->client_ = std::move(*client);
  for (std::size_t i = 0; i < urls.size(); ++i) {
    poller->probes_.push_back(std::make_unique<Probe>(*poller, i, std::move(urls[i])));
  }
  poller->timer_.arm(loop.now());
  return poller;
}

void MetricsPoller::stop() {
  timer_.cancel();
  client_.reset();
}

void MetricsPoller::tick(core::TimePoint deadline) {
  for (auto& probe : probes_) probe->scrape(*client_, options_.timeout);
  timer_.arm(std::max(deadline + options_.interval, loop_.now()));
}

void MetricsPoller::take(std::size_t endpoint, const core::net::TransferResult& result, const std::string& text) {
  if (result.curl_code != 0) {
    count_failure(endpoint, true);
    return;
  }
  auto& state = endpoints_[endpoint];
  probes_[endpoint]->failures_in_a_row = 0;
  state.healthy = true;
  if (result.http_status != 200) {
    count_failure(endpoint, false);
    return;
  }
  const auto snapshot = protocol::parse_vllm_metrics(text);
  if (!snapshot) {
    count_failure(endpoint, false);
    return;
  }
  LoadSample sample;
  sample.waiting = snapshot->waiting;
  sample.running = snapshot->running;
  sample.kv_used_fraction = snapshot->kv_used_fraction;
  sample.block_size_tokens = snapshot->block_size_tokens;
  sample.num_gpu_blocks = snapshot->num_gpu_blocks;
  sample.process_start_unix_s = snapshot->process_start_unix_s;
  ++stats_.endpoints[endpoint].scrapes;
  if (scrape_succeeded(state, sample, loop_.now())) pipeline_.cache_lost(static_cast<std::uint32_t>(endpoint));
}

void MetricsPoller::count_failure(std::size_t endpoint, bool no_answer) {
  ++stats_.endpoints[endpoint].scrape_errors;
  if (!no_answer) return;
  auto& failures = probes_[endpoint]->failures_in_a_row;
  if (++failures != options_.failures_until_dead) return;
  endpoints_[endpoint].healthy = false;
  pipeline_.cache_lost(static_cast<std::uint32_t>(endpoint));
}

}  // namespace router
