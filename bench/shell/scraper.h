// Scraper: reads every replica's /metrics together, as rounds, and keeps what each said. Made by the runner.
// A torn snapshot is read again at once; when to read is ScrapeSchedule's to say. Where a server honours `name[]`, only the
// samples that are used are asked for. It must never start a round while one is under way.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/engine/scrape_schedule.h"
#include "bench/run.h"
#include "bench/shell/runner.h"
#include "core/net/http_client.h"
#include "core/quantiles.h"

namespace bench {

class Scraper {
 public:
  /// `client` must outlive the scraper and have a slot per replica to spare. `token`: a bearer token, or empty.
  Scraper(core::net::Loop& loop, core::net::HttpClient& client, const std::vector<ReplicaTarget>& replicas,
          const ScrapeOptions& options, const std::string& token = {});
  ~Scraper();

  /// Fires all replicas now; `on_complete` once the last has answered or failed. With a round under way: after it.
  /// Without replicas `on_complete` is called before this returns.
  void round(std::function<void()> on_complete);
  /// Rounds by themselves from now on, as the schedule says; none when scraping is switched off.
  void start_following();
  void stop_following();
  /// A request has ended.
  void note_finish();
  [[nodiscard]] bool busy() const { return pending_ > 0; }

  /// Requests that the replicas say they have finished since the first usable scrape of each; nothing when a replica has
  /// given fewer than one usable scrape or does not export the counter.
  [[nodiscard]] std::optional<double> finished_since_start() const;
  /// Requests that all replicas' HTTP servers have counted since their first scrape, which they do just after the last
  /// byte; none where no replica counts them.
  [[nodiscard]] std::optional<double> requests_since_start() const;
  /// The newest usable snapshot of a replica.
  [[nodiscard]] const protocol::VllmSnapshot* newest(std::size_t replica) const;
  /// Why a replica's scrape last failed; empty when none did.
  [[nodiscard]] const std::string& problem(std::size_t replica) const;
  /// The replica answers scrapes that ask by name with those samples alone.
  [[nodiscard]] bool filtered(std::size_t replica) const;

  /// What answering a scrape costs a replica, as far as the scrapes so far tell; 0: none answered.
  [[nodiscard]] Duration cost() const { return schedule_.cost(); }

  /// How many scrapes there are, and those from `first` on, with times from `run_start`.
  [[nodiscard]] std::size_t count() const { return stored_.size(); }
  [[nodiscard]] std::vector<ReplicaScrape> copy_from(std::size_t first, TimePoint run_start) const;
  void fill(ClientHealth& health) const;

 private:
  struct Fetch;
  struct Stored {
    TimePoint sent{}, answered{};
    ReplicaScrape scrape;
  };
  void fire();
  void fetch(Fetch& fetch);
  void answered(Fetch& fetch, const core::net::TransferResult& result);
  /// Judges the answer into `stored`; the parsed page or each.problem.
  void read_page(Fetch& each, const core::net::TransferResult& result, Stored& stored);
  /// The answer to the first scrape by name decides whether there will be more. True: it was no use, read the whole page.
  bool judge_filter(Fetch& each, const Stored& stored);
  void complete();
  void plan_next();

  core::net::Loop& loop_;
  core::net::HttpClient& client_;
  ScrapeOptions options_;
  ScrapeSchedule schedule_;
  std::vector<std::string> headers_;
  core::net::Timer timer_;
  std::vector<std::unique_ptr<Fetch>> fetches_;
  std::vector<Stored> stored_;
  std::vector<std::function<void()>> waiting_, current_;
  core::DurationHistogram latency_;
  TimePoint following_since_{}, following_until_{};
  std::size_t pending_ = 0;
  std::uint32_t rounds_ = 0;
  std::uint64_t failed_ = 0, torn_ = 0, resets_ = 0, pages_ = 0, page_bytes_ = 0;
  bool following_ = false;
};

}  // namespace bench
