// Fixtures that try to break the renderers: hostile words and numbers that are none.
// Must never hold a real name, address or key.
#include <limits>
#include <string>

#include "fixtures.h"

namespace reports::fixtures {

using namespace analyzers;

Analysis hostile() {
  const std::string tail(10'000, 'x');
  const std::string evil = std::string("</script><img src=x onerror=alert(1)>\"'&\x1b[31m\x07") + std::string(1, '\0') + "\xE2\x80\xAE" + "\xff\xfe" + tail;
  Analysis out = rich();
  const auto swap = [&](std::string& scenario, std::string& arm_of) {
    scenario = evil + scenario;
    arm_of = evil + arm_of;
  };
  out.cells.resize(2);
  out.id = out.name = out.started_at = out.tool_version = out.verdict_sentence = out.status = evil;
  out.command = {"gatebench", evil};
  out.environment = {{evil, evil}};
  for (auto& info : out.scenarios) {
    info.name = evil + info.name;
    info.description = info.load = info.digest = info.schedule_digest = evil;
    info.config_json = "{\"a\":\"</script>\\u0000\"}";
  }
  for (auto& row : out.arms) {
    swap(row.scenario, row.arm);
    for (auto& each : row.replicas) each.replica = each.observed_name = evil;
    for (auto& each : row.summary) each.metric = evil + each.metric, each.unit = evil;
    row.errors = {{evil, 3, {evil, evil}}};
    row.cache.note = row.spread.sentence = row.saturation.reason = evil;
  }
  for (auto& row : out.cells) {
    swap(row.scenario, row.arm);
    row.run_id = row.window.method = row.purpose = row.status = evil;
    for (auto& series : row.series) series.name = series.unit = evil;
  }
  for (auto& row : out.comparisons) row.scenario = evil + row.scenario, row.baseline = evil + row.baseline, row.candidate = evil + row.candidate, row.reason = row.design = evil;
  for (auto& row : out.scaling) row.scenario = evil + row.scenario, row.baseline = evil + row.baseline, row.candidate = evil + row.candidate, row.reason = evil;
  for (auto& row : out.attribution) {
    swap(row.scenario, row.arm);
    row.reason = evil;
    row.ambiguous_reasons = {{evil, 1}};
  }
  for (auto& row : out.gates) {
    swap(row.scenario, row.arm);
    row.id = row.reason = row.next_action = evil;
    row.observed.reason = evil;
  }
  for (auto& row : out.findings) swap(row.scenario, row.arm), row.sentence = row.id = evil;
  out.validity.notes = {evil};
  return out;
}

Analysis not_finite() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  Analysis out = rich();
  out.duration_s = nan;
  for (auto& row : out.arms) {
    for (auto& each : row.summary) each.estimate.value = nan, each.estimate.low = -infinity;
    for (auto& each : row.distributions) {
      each.mean = infinity;
      each.survival.front() = {nan, infinity};
      for (auto& quantile : each.quantiles) quantile.estimate.high = infinity;
    }
    row.saturation.ladder.emplace_back(nan, infinity);
    for (auto& each : row.replicas) each.share_ratio.value = nan;
  }
  for (auto& row : out.cells) row.series[0].value[2] = nan, row.window.end_s = infinity, row.metrics[0].estimate.value = infinity;
  for (auto& row : out.comparisons) row.ratio.value = nan, row.ratio.high = infinity;
  for (auto& row : out.scaling) row.throughput_ratio.value = infinity, row.efficiency_ratio.low = nan;
  for (auto& row : out.attribution) row.coverage_ratio.value = nan, row.replica_totals.emplace_back("late", infinity);
  for (auto& row : out.gates) row.limit = nan;
  for (auto& check : out.validity.checks) check.observed = infinity;
  return out;
}

const std::vector<Named>& all() {
  static const std::vector<Named> fixtures{{"rich", rich()}, {"small", small()}, {"single_run", single_run()}, {"zero_successes", zero_successes()},
          {"three_arms", three_arms()}, {"replicas_64", replicas_64()}, {"hostile", hostile()}, {"not_finite", not_finite()},
          {"empty", Analysis{}}};
  return fixtures;
}

}  // namespace reports::fixtures
