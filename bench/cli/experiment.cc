#include "bench/cli/experiment.h"

#include <fmt/format.h>

#include "bench/cli/live_view.h"
#include "bench/shell/run_writer.h"
#include "core/hash.h"

namespace bench::cli {
core::Result<const Run*> ExperimentRunner::run_cell(const scenarios::Scenario& scenario, std::size_t arm, CellRef cell,
                                                    const std::string& what) {
  if (context_.may_go_on && !context_.may_go_on()) return core::fail(core::ErrorCode::kCancelled, "the experiment was stopped");
  const ExperimentArm& target = context_.arms[arm];
  RunRequest request;
  request.target_url = target.target_url;
  request.model = target.model;
  request.scenario = scenario;
  // Both arms of a block see the same requests; different blocks see different ones.
  request.seed = context_.seed * 1000003 + cell.block;
  request.cell_salt = core::xxh64(
      fmt::format("{}/{}/{}/{}/{}", cell.scenario, cell.block, cell.purpose, scenario.load.concurrency, cell.attempt), context_.seed);
  request.replicas = target.replicas;
  request.cell = std::move(cell);
  request.command = context_.command;
  request.reset_caches = true;
  request.network_delay = context_.network_delay;
  request.router_mode = context_.router_mode;
  request.interrupted = context_.interrupted;
  std::unique_ptr<RunWriter> writer;
  if (context_.store != nullptr) {
    auto opened = RunWriter::open(context_.store_path);
    if (!opened) return opened.error();
    writer = std::move(*opened);
    writer->attach(request);
  }
  LiveView view;
  view.attach(request);
  request.on_progress = [&](const LiveStats& live, Duration elapsed) {
    if (context_.on_progress) context_.on_progress({what, cells_done_ + 1, context_.cells_total, live, elapsed, view.line(elapsed)});
  };
  auto run = run_load(request);
  if (!run) return run.error();
  ++cells_done_;
  if (writer) {
    if (auto written = writer->finish(); !written) return written.error();
    if (auto saved = context_.store->save_run(*run); !saved) return saved.error();
  }
  runs_.push_back(std::move(*run));
  return &runs_.back();
}

core::Status ExperimentRunner::probe(const scenarios::Scenario& scenario, std::size_t arm) {
  CellRef cell;
  cell.experiment_id = context_.id;
  cell.scenario = scenario.name;
  cell.arm = context_.arms[arm].name;
  cell.purpose = "probe";
  const auto run = run_cell(scenario, arm, std::move(cell), fmt::format("probe · {} · {}", scenario.name, context_.arms[arm].name));
  if (!run) return run.error();
  return {};
}

core::Result<std::uint32_t> ExperimentRunner::ladder(const scenarios::Scenario& scenario, Duration step_duration) {
  std::uint32_t chosen = 0;
  for (std::size_t step = 0; step < scenario.ladder.size(); ++step) {
    for (std::size_t arm = 0; arm < context_.arms.size(); ++arm) {
      if (interrupted()) return core::fail(core::ErrorCode::kCancelled, "interrupted during the ladder");
      scenarios::Scenario short_run = scenario;
      short_run.load.concurrency = scenario.ladder[step];
      short_run.stop = {std::nullopt, step_duration};
      CellRef cell;
      cell.experiment_id = context_.id;
      cell.scenario = scenario.name;
      cell.arm = context_.arms[arm].name;
      cell.block = static_cast<std::uint32_t>(step);
      cell.purpose = "ladder";
      const auto run = run_cell(short_run, arm, std::move(cell),
                                fmt::format("ladder c={} · {} · {}", scenario.ladder[step], scenario.name, context_.arms[arm].name));
      if (!run) return run.error();
    }
    chosen = scenario.ladder[step];
  }
  return chosen;
}

core::Status ExperimentRunner::blocks(const std::vector<scenarios::Scenario>& scenarios, std::uint32_t blocks) {
  for (std::uint32_t block = 1; block <= blocks; ++block) {
    for (const auto& scenario : scenarios) {
      for (std::size_t position = 0; position < context_.arms.size(); ++position) {
        const std::size_t arm = block % 2 == 1 ? position : context_.arms.size() - 1 - position;
        for (std::uint32_t attempt = 1; attempt <= 2; ++attempt) {
          if (interrupted()) return core::fail(core::ErrorCode::kCancelled, "interrupted");
          CellRef cell;
          cell.experiment_id = context_.id;
          cell.scenario = scenario.name;
          cell.arm = context_.arms[arm].name;
          cell.block = block;
          cell.position = static_cast<std::uint32_t>(position);
          cell.attempt = attempt;
          const auto run = run_cell(scenario, arm, std::move(cell),
                                    fmt::format("block {}/{} · {} · {}{}", block, blocks, scenario.name, context_.arms[arm].name,
                                                attempt == 2 ? " (repeat)" : ""));
          if (!run) return run.error();
          const auto validity = analyzers::judge_validity(**run);
          if (validity.throughput_valid) break;
          std::string why;
          for (const auto& check : validity.checks) {
            if (check.verdict == analyzers::Verdict::kInvalid) why += (why.empty() ? "" : ", ") + check.id;
          }
          if (context_.on_note) {
            context_.on_note(fmt::format("{} on {}, block {}: INVALID ({}){}", scenario.name, context_.arms[arm].name, block, why,
                                         attempt == 1 ? "; repeating it once" : ""));
          }
        }
      }
    }
  }
  return {};
}

}  // namespace bench::cli
