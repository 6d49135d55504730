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

}  // namespace

struct Scraper::Fetch final : core::net::TransferSink {
  Scraper* owner = nullptr;
  std::uint16_t replica = 0;
  std::string url, page, problem;
  TimePoint fired{};
  int tries = 0;
  std::optional<std::size_t> newest;      ///< index into stored_ of the newest usable scrape
  std::optional<double> first_success;

  void on_body(std::string_view bytes, const core::net::ArrivalStamp&) override {
    if (page.size() + bytes.size() <= kMaxPageBytes) page += bytes;
  }
  void on_done(const core::net::TransferResult& result) override { owner->answered(*this, result); }
};

Scraper::Scraper(core::net::Loop& loop, core::net::HttpClient& client, const std::vector<ReplicaTarget>& replicas,
                 const ScrapeOptions& options)
    : loop_(loop), client_(client), options_(options), timer_(loop, [this](TimePoint) { fire(); }) {
  for (const ReplicaTarget& replica : replicas) {
    auto fetch = std::make_unique<Fetch>();
    fetch->owner = this;
    fetch->replica = static_cast<std::uint16_t>(fetches_.size());
    fetch->url = replica.metrics_url;
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
  following_ = true;
  plan_next();
}

void Scraper::stop_following() {
  following_ = false;
  timer_.cancel();
}

void Scraper::note_finish() {
  if (!options_.event_driven || finish_noted_) return;
  finish_noted_ = true;
  plan_next();
}

void Scraper::plan_next() {
  if (!following_ || busy() || fetches_.empty()) return;
  if (!finish_noted_) return timer_.arm(last_fired_ + options_.max_gap);
  // full_at_ is when the allowance of `burst` rounds is whole again; a round may be taken up to burst - 1 gaps before.
  const TimePoint allowed = full_at_ - options_.min_gap * (std::max(1u, options_.burst) - 1);
  timer_.arm(std::max(last_fired_ + options_.burst_gap, allowed));
}

void Scraper::fire() {
  if (busy()) return;
  timer_.cancel();
  finish_noted_ = false;
  last_fired_ = loop_.now();
  full_at_ = std::max(full_at_, last_fired_) + options_.min_gap;
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
  request.url = each.url;
  request.timeout = request.connect_timeout = kTimeout;
  if (const auto started = client_.start(request, each); !started) {
    each.problem = started.error().message;
    ++failed_;
    if (--pending_ == 0) complete();
  }
}

void Scraper::answered(Fetch& each, const core::net::TransferResult& result) {
  Stored stored;
  stored.sent = result.sent == TimePoint{} ? each.fired : result.sent;
  stored.answered = result.done;
  stored.scrape.replica = each.replica;
  stored.scrape.round = rounds_ - 1;
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
  const bool torn = stored.scrape.torn;
  latency_.add(stored.answered - stored.sent);
  failed_ += stored.scrape.ok ? 0 : 1;
  torn_ += torn ? 1 : 0;
  if (each.newest) stored.scrape.values.share_with(stored_[*each.newest].scrape.values);
  if (stored.scrape.ok && !torn) {
    each.newest = stored_.size();
    if (!each.first_success) each.first_success = stored.scrape.values.success;
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

const protocol::VllmSnapshot* Scraper::newest(std::size_t replica) const {
  const Fetch& each = *fetches_[replica];
  return each.newest ? &stored_[*each.newest].scrape.values : nullptr;
}

const std::string& Scraper::problem(std::size_t replica) const { return fetches_[replica]->problem; }

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
}

}  // namespace bench
