// See scraper.h. Parsing a page costs tens of microseconds and happens on the loop: what a torn page needs is to be read
// again at once, and receive times are stamped by the kernel meanwhile.
#include "bench/shell/scraper.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/shell/exchange.h"

namespace bench {
namespace {

constexpr int kMaxTries = 3;
constexpr Duration kTimeout = std::chrono::seconds(2);
constexpr std::size_t kMaxPageBytes = 8u << 20;
/// A scrape by name is worth its longer request when its page is at most this share of the whole one.
constexpr double kWorthFiltering = 0.7;

}  // namespace

struct Scraper::Fetch final : core::net::TransferSink {
  Scraper* owner = nullptr;
  std::uint16_t replica = 0;
  enum class Filter { kUntried, kTrying, kHonoured, kRefused };
  std::string url, filtered_url, page, problem;
  Filter filter = Filter::kUntried;
  std::size_t whole_page_bytes = 0;
  Duration round_trip{}, busy{};          ///< busy: while following, answering at most
  TimePoint fired{};
  int tries = 0;
  std::optional<std::size_t> newest;      ///< index into stored_ of the newest usable scrape
  std::optional<double> first_success, first_requests;

  void on_body(std::string_view bytes, const core::net::ArrivalStamp&) override {
    if (page.size() + bytes.size() <= kMaxPageBytes) page += bytes;
  }
  void on_done(const core::net::TransferResult& result) override { owner->answered(*this, result); }
};

Scraper::Scraper(core::net::Loop& loop, core::net::HttpClient& client, const std::vector<ReplicaTarget>& replicas,
                 const ScrapeOptions& options, const std::string& token)
    : loop_(loop),
      client_(client),
      options_(options),
      schedule_(options, replicas.size()),
      timer_(loop, [this](TimePoint) { fire(); }) {
  if (!token.empty()) headers_.push_back("Authorization: Bearer " + token);
  for (const ReplicaTarget& replica : replicas) {
    auto fetch = std::make_unique<Fetch>();
    fetch->owner = this;
    fetch->replica = static_cast<std::uint16_t>(fetches_.size());
    fetch->url = replica.metrics_url;
    fetch->round_trip = replica.round_trip;
    fetches_.push_back(std::move(fetch));
  }
}

Scraper::~Scraper() = default;

void Scraper::round(std::function<void()> on_complete) {
  if (fetches_.empty()) {
    if (on_complete) on_complete();
    return;
  }
  if (on_complete) waiting_.push_back(std::move(on_complete));
  if (!busy()) fire();
}

void Scraper::start_following() {
  if (!options_.enabled) return;
  following_ = true;
  following_since_ = loop_.now();
  plan_next();
}

void Scraper::stop_following() {
  if (following_) following_until_ = loop_.now();
  following_ = false;
  timer_.cancel();
}

void Scraper::note_finish() {
  schedule_.note_finish();
  plan_next();
}

void Scraper::plan_next() {
  if (!following_ || busy() || fetches_.empty()) return;
  timer_.arm(schedule_.next_due());
}

void Scraper::fire() {
  if (busy()) return;
  timer_.cancel();
  schedule_.note_fired(loop_.now());
  current_.swap(waiting_);
  waiting_.clear();
  ++rounds_;
  pending_ = fetches_.size();
  for (auto& each : fetches_) {
    each->tries = 0;
    fetch(*each);
  }
}

void Scraper::fetch(Fetch& each) {
  each.page.clear();
  each.fired = loop_.now();
  ++each.tries;
  core::net::TransferRequest request;
  request.url = each.filter == Fetch::Filter::kTrying || each.filter == Fetch::Filter::kHonoured ? each.filtered_url : each.url;
  if (!headers_.empty()) request.headers = &headers_;
  request.timeout = request.connect_timeout = kTimeout;
  if (const auto started = client_.start(request, each); !started) {
    each.problem = started.error().message;
    ++failed_;
    if (--pending_ == 0) complete();
  }
}

void Scraper::read_page(Fetch& each, const core::net::TransferResult& result, Stored& stored) {
  if (result.curl_code != 0) {
    each.problem = fmt::format("GET {} failed in phase \"{}\": {}", each.url, name_of(result.phase), result.message);
  } else if (result.http_status != 200) {
    each.problem = fmt::format("GET {} was answered with status {}", each.url, result.http_status);
  } else if (auto parsed = protocol::parse_vllm_metrics(each.page)) {
    stored.scrape.ok = true;
    stored.scrape.torn = !parsed->consistent();
    stored.scrape.values = std::move(*parsed);
  } else {
    each.problem = fmt::format("GET {}: {}", each.url, parsed.error().message);
  }
}

bool Scraper::judge_filter(Fetch& each, const Stored& stored) {
  using Filter = Fetch::Filter;
  if (each.filter == Filter::kUntried) {
    const std::string query = protocol::name_filter(stored.scrape.values.engine);
    if (!stored.scrape.ok || stored.scrape.torn || query.empty() || !options_.name_filter) return false;
    each.whole_page_bytes = each.page.size();
    each.filtered_url = each.url + (each.url.find('?') == std::string::npos ? '?' : '&') + query;
    each.filter = Filter::kTrying;
    return false;
  }
  if (each.filter != Filter::kTrying) return false;
  const auto& whole = stored_[*each.newest].scrape.values;
  const auto& part = stored.scrape.values;
  const bool same = stored.scrape.ok && part.success.has_value() == whole.success.has_value() &&
                    part.request_prompt_tokens.present == whole.request_prompt_tokens.present &&
                    part.request_prompt_tokens.bucket_count == whole.request_prompt_tokens.bucket_count &&
                    part.e2e.present == whole.e2e.present && part.running.has_value() == whole.running.has_value();
  const bool less = static_cast<double>(each.page.size()) <= kWorthFiltering * static_cast<double>(each.whole_page_bytes);
  each.filter = same && less ? Filter::kHonoured : Filter::kRefused;
  return !same;
}

void Scraper::answered(Fetch& each, const core::net::TransferResult& result) {
  Stored stored;
  stored.sent = result.sent == TimePoint{} ? each.fired : result.sent;
  stored.answered = result.done;
  stored.scrape.replica = each.replica;
  stored.scrape.round = rounds_ - 1;
  read_page(each, result, stored);
  // A server that refuses to be asked by name is not at fault: nothing of that answer is kept.
  if (judge_filter(each, stored)) return fetch(each);
  const bool torn = stored.scrape.torn;
  const Duration took = stored.answered - stored.sent;
  latency_.add(took);
  failed_ += stored.scrape.ok ? 0 : 1;
  torn_ += torn ? 1 : 0;
  if (stored.scrape.ok) {
    ++pages_;
    page_bytes_ += each.page.size();
    schedule_.note_cost(took - each.round_trip);
    if (following_) each.busy += std::max(took - each.round_trip, Duration{0});
  }
  if (each.newest) stored.scrape.values.share_with(stored_[*each.newest].scrape.values);
  if (stored.scrape.ok && !torn) {
    if (each.newest && stored.scrape.values.reset_since(stored_[*each.newest].scrape.values)) ++resets_;
    each.newest = stored_.size();
    if (!each.first_success) each.first_success = stored.scrape.values.success;
    // The counter appears with the first request.
    if (!each.first_requests) each.first_requests = stored.scrape.values.http_request_count.value_or(0);
  }
  stored_.push_back(std::move(stored));
  if (torn && each.tries < kMaxTries) return fetch(each);
  if (--pending_ == 0) complete();
}

void Scraper::complete() {
  std::vector<std::function<void()>> done;
  done.swap(current_);
  for (auto& on_complete : done) on_complete();
  if (!busy() && !waiting_.empty()) return fire();
  plan_next();
}

std::optional<double> Scraper::finished_since_start() const {
  if (fetches_.empty()) return std::nullopt;
  double total = 0;
  for (const auto& each : fetches_) {
    if (!each->newest || !each->first_success) return std::nullopt;
    total += stored_[*each->newest].scrape.values.success.value_or(0) - *each->first_success;
  }
  return total;
}

std::optional<double> Scraper::requests_since_start() const {
  std::optional<double> total;
  for (const auto& each : fetches_) {
    if (!each->newest || !each->first_requests) return std::nullopt;
    const auto& now = stored_[*each->newest].scrape.values.http_request_count;
    if (now) total = total.value_or(0) + *now - *each->first_requests;
  }
  return total;
}

const protocol::VllmSnapshot* Scraper::newest(std::size_t replica) const {
  const Fetch& each = *fetches_[replica];
  return each.newest ? &stored_[*each.newest].scrape.values : nullptr;
}

const std::string& Scraper::problem(std::size_t replica) const { return fetches_[replica]->problem; }

bool Scraper::filtered(std::size_t replica) const { return fetches_[replica]->filter == Fetch::Filter::kHonoured; }

std::vector<ReplicaScrape> Scraper::copy_from(std::size_t first, TimePoint run_start) const {
  std::vector<ReplicaScrape> copies;
  for (std::size_t i = first; i < stored_.size(); ++i) {
    copies.push_back(stored_[i].scrape);
    copies.back().sent = stored_[i].sent - run_start;
    copies.back().answered = stored_[i].answered - run_start;
  }
  return copies;
}

void Scraper::fill(ClientHealth& health) const {
  health.scrapes = stored_.size();
  health.failed_scrapes = failed_;
  health.torn_scrapes = torn_;
  health.scrape_p50 = latency_.quantile(0.5);
  health.scrape_p99 = latency_.quantile(0.99);
  health.counter_resets = resets_;
  if (pages_ > 0) health.scrape_bytes_mean = static_cast<double>(page_bytes_) / static_cast<double>(pages_);
  const double followed_s = core::to_seconds(following_until_ - following_since_);
  for (const auto& each : fetches_) {
    if (followed_s > 0) health.scrape_busy_ratio = std::max(health.scrape_busy_ratio, core::to_seconds(each->busy) / followed_s);
  }
}

}  // namespace bench
