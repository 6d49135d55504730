// See scrape_cost.h.
#include "bench/cli/scrape_cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "analyzers/statistics.h"

namespace bench::cli {
namespace {

/// One line: the mean of 100·(on/off − 1) over the pairs.
std::string difference_line(std::string_view name, std::span<const ScrapeCostSample> on, std::span<const ScrapeCostSample> off,
                            double ScrapeCostSample::*figure) {
  std::vector<double> percent;
  for (std::size_t i = 0; i < on.size() && i < off.size(); ++i) {
    if (on[i].*figure > 0 && off[i].*figure > 0) percent.push_back(100 * (on[i].*figure / (off[i].*figure) - 1));
  }
  if (percent.empty()) return fmt::format("  {:<22} not measured\n", name);
  const auto moments = analyzers::moments(percent);
  const auto interval = analyzers::t_interval(moments, 0.95);
  if (!interval) return fmt::format("  {:<22} {:+.2f} % (one pair: no interval)\n", name, moments.mean);
  const bool shown = interval->low > 0 || interval->high < 0;
  return fmt::format("  {:<22} {:+.2f} % [{:+.2f}, {:+.2f}]{}\n", name, moments.mean, interval->low, interval->high,
                     shown ? "" : "  no difference shown");
}

}  // namespace

ScrapeCostSample scrape_cost_sample(const Run& run) {
  ScrapeCostSample sample;
  double e2e = 0, tpot = 0;
  std::size_t with_tpot = 0;
  for (const RequestRecord& record : run.records) {
    if (record.outcome != Outcome::kOk) continue;
    ++sample.requests;
    e2e += core::to_ms(record.done - record.sent);
    if (record.output_tokens < 2 || record.first_token == kNever || record.last_token == kNever) continue;
    tpot += core::to_ms(record.last_token - record.first_token) / (record.output_tokens - 1);
    ++with_tpot;
  }
  if (sample.requests > 0) sample.e2e_mean_ms = e2e / static_cast<double>(sample.requests);
  if (with_tpot > 0) sample.tpot_mean_ms = tpot / static_cast<double>(with_tpot);
  const double seconds = core::to_seconds(run.manifest.duration);
  if (seconds > 0) sample.requests_per_s = static_cast<double>(sample.requests) / seconds;
  return sample;
}

std::string describe_scrape_cost(std::span<const ScrapeCostSample> on, std::span<const ScrapeCostSample> off) {
  std::string text = fmt::format("Cost of scraping to the measurement: on against off, {} alternating pairs, 95 % intervals over pairs\n",
                                 std::min(on.size(), off.size()));
  text += difference_line("E2E from send, mean", on, off, &ScrapeCostSample::e2e_mean_ms);
  text += difference_line("TPOT, mean", on, off, &ScrapeCostSample::tpot_mean_ms);
  text += difference_line("requests per second", on, off, &ScrapeCostSample::requests_per_s);
  return text;
}

core::Result<std::string> measure_scrape_cost(const RunRequest& request, Duration phase, std::size_t pairs, Terminal& terminal) {
  std::vector<ScrapeCostSample> on, off;
  ClientHealth last;
  const auto phase_run = [&](bool scraping, Duration length, std::uint64_t salt) -> core::Result<Run> {
    RunRequest part = request;
    part.scenario.stop = {std::nullopt, length};
    part.scenario.serial_probe = false;
    part.scrape.enabled = scraping;
    part.cell_salt = salt;
    part.cell.purpose = "probe";
    part.on_begin = nullptr;
    part.on_batch = nullptr;
    auto run = run_load(part);
    if (run && run->manifest.status == RunStatus::kAborted) {
      return core::fail(core::ErrorCode::kCancelled, "interrupted while the cost of scraping was measured");
    }
    return run;
  };
  const auto warm = phase_run(true, phase / 2, 1);
  if (!warm) return warm.error();
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    terminal.note(fmt::format("cost of scraping: pair {} of {}", pair + 1, pairs));
    for (const bool first : {true, false}) {
      const bool scraping = first == (pair % 2 == 0);
      // Every phase has its own salt, so none finds what another one left in the caches.
      const auto run = phase_run(scraping, phase, 2 + 2 * pair + (first ? 0 : 1));
      if (!run) return run.error();
      (scraping ? on : off).push_back(scrape_cost_sample(*run));
      if (scraping) last = run->health;
    }
  }
  std::string text = describe_scrape_cost(on, off);
  text += fmt::format("  one scrape: p50 {:.2f} ms, p99 {:.2f} ms, {:.1f} kB; busiest replica answering scrapes {:.1f} % of the time at most",
                      core::to_ms(last.scrape_p50), core::to_ms(last.scrape_p99), last.scrape_bytes_mean / 1000, 100 * last.scrape_busy_ratio);
  return text;
}

}  // namespace bench::cli
