// The run store over Database. Called by the command line and by RunWriter's thread, each with its own connection.
// It must never show a half-written run as finished: save_run() is one transaction.
#include "bench/shell/run_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "bench/shell/database.h"
#include "bench/shell/run_codec.h"
#include "bench/shell/run_rows.h"
#include "bench/shell/run_schema.h"
#include "bench/shell/writer_identity.h"
#include "core/text.h"

namespace bench {
namespace {

using core::ErrorCode;
using core::Result;
using core::Status;

core::Error no_such(std::string_view what, std::string_view id, const std::string& path) {
  return core::fail(ErrorCode::kInvalid, fmt::format("there is no {} {} in {}", what, id.substr(0, 60), path),
                    "`gatebench runs list` shows what there is");
}

constexpr std::string_view kSummaryColumns =
    "SELECT id, started_at, scenario, arm, experiment_id, label, target_url, purpose, block, attempt, status,"
    " COALESCE(requests, (SELECT COUNT(*) FROM requests WHERE run = runs.key)),"
    " COALESCE(succeeded, (SELECT COUNT(*) FROM requests WHERE run = runs.key AND outcome = 0)), duration_ns, writer FROM runs";

/// What became of a run: one that says it is running has been aborted when its writer is gone.
RunStatus settled(RunStatus status, std::string_view writer) {
  return status == RunStatus::kRunning && !writer_alive(writer) ? RunStatus::kAborted : status;
}

RunSummary read_summary(const Statement& row) {
  RunSummary s;
  s.id = row.text(0);
  s.started_at = row.text(1);
  s.scenario = row.text(2);
  s.arm = row.text(3);
  s.experiment_id = row.text(4);
  s.label = row.text(5);
  s.target_url = row.text(6);
  s.purpose = row.text(7);
  s.block = static_cast<std::uint32_t>(row.integer(8));
  s.attempt = static_cast<std::uint32_t>(row.integer(9));
  s.status = settled(static_cast<RunStatus>(row.integer(10)), row.text(14));
  s.requests = static_cast<std::uint64_t>(row.integer(11));
  s.succeeded = static_cast<std::uint64_t>(row.integer(12));
  s.duration_s = core::to_seconds(Duration(row.integer(13)));
  return s;
}

class SqliteRunStore final : public RunStore {
 public:
  explicit SqliteRunStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Status begin_run(const RunManifest& manifest) override;
  Status append(std::string_view id, const RunBatch& batch) override;
  Status save_run(const Run& run) override;
  Result<Run> load_run(std::string_view id) override;
  Result<std::vector<RunSummary>> list(std::string_view experiment_id) override;
  Status set_label(std::string_view id, std::string_view label) override;
  Status remove(std::string_view id) override;
  Status save_experiment(const ExperimentInfo& experiment) override;
  Result<ExperimentInfo> load_experiment(std::string_view id) override;
  Result<std::vector<ExperimentInfo>> list_experiments() override;
  Result<Reference> resolve(std::string_view reference) override;

 private:
  Result<std::int64_t> put_run(const RunManifest& manifest);
  Result<std::int64_t> key_of(std::string_view id);
  Result<Reference> resolve_latest();
  Result<std::vector<Reference>> candidates(std::string_view reference);

  std::unique_ptr<Database> database_;
};

/// Inserts or replaces the run's row, keeping its key and label, and returns the key.
Result<std::int64_t> SqliteRunStore::put_run(const RunManifest& m) {
  auto put = database_->prepare(
      "INSERT INTO runs(id, status, started_at, scenario, arm, experiment_id, target_url, purpose, block, attempt,"
      " duration_ns, manifest, observed_names, error_samples, writer) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,'[]','[]',?)"
      " ON CONFLICT(id) DO UPDATE SET status=excluded.status, started_at=excluded.started_at, scenario=excluded.scenario,"
      " arm=excluded.arm, experiment_id=excluded.experiment_id, target_url=excluded.target_url, purpose=excluded.purpose,"
      " block=excluded.block, attempt=excluded.attempt, duration_ns=excluded.duration_ns, manifest=excluded.manifest,"
      " writer=excluded.writer");
  if (!put) return put.error();
  put->bind(m.id).bind(static_cast<std::int64_t>(m.status)).bind(m.started_at).bind(m.cell.scenario).bind(m.cell.arm);
  put->bind(m.cell.experiment_id).bind(m.target_url).bind(m.cell.purpose).bind(std::int64_t{m.cell.block});
  put->bind(std::int64_t{m.cell.attempt}).bind(m.duration.count()).bind(manifest_to_json(m)).bind(this_writer());
  if (auto done = put->run(); !done) return done.error();
  return key_of(m.id);
}

Result<std::int64_t> SqliteRunStore::key_of(std::string_view id) {
  auto find = database_->prepare("SELECT key FROM runs WHERE id = ?");
  if (!find) return find.error();
  const auto row = find->bind(id).step();
  if (!row) return row.error();
  if (!*row) return no_such("run", id, database_->path());
  return find->integer(0);
}

Status SqliteRunStore::begin_run(const RunManifest& manifest) {
  RunManifest running = manifest;
  running.status = RunStatus::kRunning;
  const auto key = put_run(running);
  if (!key) return key.error();
  return {};
}

Status SqliteRunStore::append(std::string_view id, const RunBatch& batch) {
  auto transaction = Transaction::begin(*database_);
  if (!transaction) return transaction.error();
  const auto key = key_of(id);
  if (!key) return key.error();
  if (auto done = insert_records(*database_, *key, batch.records, batch.token_events, Spans::kInOrder); !done) return done;
  if (auto done = insert_scrapes(*database_, *key, batch.scrapes, batch.scrapes_before); !done) return done;
  auto names = database_->prepare("UPDATE runs SET observed_names = ? WHERE key = ?");
  if (!names) return names.error();
  if (auto done = names->bind(texts_to_json(batch.observed_names)).bind(*key).run(); !done) return done;
  return transaction->commit();
}

Status SqliteRunStore::save_run(const Run& run) {
  auto transaction = Transaction::begin(*database_);
  if (!transaction) return transaction.error();
  const auto key = put_run(run.manifest);
  if (!key) return key.error();
  if (auto done = delete_rows(*database_, *key); !done) return done;
  if (auto done = insert_records(*database_, *key, run.records, run.token_events, Spans::kAsRecorded); !done) return done;
  if (auto done = insert_scrapes(*database_, *key, run.scrapes, 0); !done) return done;
  const auto succeeded = std::count_if(run.records.begin(), run.records.end(),
                                       [](const RequestRecord& r) { return r.outcome == Outcome::kOk; });
  auto update = database_->prepare(
      "UPDATE runs SET requests = ?, succeeded = ?, observed_names = ?, error_samples = ?, health = ? WHERE key = ?");
  if (!update) return update.error();
  update->bind(static_cast<std::int64_t>(run.records.size())).bind(std::int64_t{succeeded});
  update->bind(texts_to_json(run.observed_names)).bind(texts_to_json(run.error_samples)).bind(health_to_json(run.health)).bind(*key);
  if (auto done = update->run(); !done) return done;
  return transaction->commit();
}

Result<Run> SqliteRunStore::load_run(std::string_view id) {
  auto find = database_->prepare("SELECT key, manifest, observed_names, error_samples, health, writer FROM runs WHERE id = ?");
  if (!find) return find.error();
  const auto row = find->bind(id).step();
  if (!row) return row.error();
  if (!*row) return no_such("run", id, database_->path());
  auto manifest = manifest_from_json(find->text(1));
  if (!manifest) return manifest.error();
  auto names = texts_from_json(find->text(2));
  if (!names) return names.error();
  auto errors = texts_from_json(find->text(3));
  if (!errors) return errors.error();
  Run run;
  if (!find->is_null(4)) {
    const auto health = health_from_json(find->text(4));
    if (!health) return health.error();
    run.health = *health;
  }
  run.manifest = std::move(*manifest);
  run.manifest.status = settled(run.manifest.status, find->text(5));
  run.observed_names = std::move(*names);
  run.error_samples = std::move(*errors);
  const std::int64_t key = find->integer(0);
  if (auto done = load_records(*database_, key, run); !done) return done.error();
  if (auto done = load_scrapes(*database_, key, run.scrapes); !done) return done.error();
  return run;
}

Result<std::vector<RunSummary>> SqliteRunStore::list(std::string_view experiment_id) {
  auto query = database_->prepare(fmt::format("{} WHERE ?1 = '' OR experiment_id = ?1 ORDER BY started_at DESC, id DESC", kSummaryColumns));
  if (!query) return query.error();
  query->bind(experiment_id);
  std::vector<RunSummary> found;
  for (;;) {
    const auto row = query->step();
    if (!row) return row.error();
    if (!*row) return found;
    found.push_back(read_summary(*query));
  }
}

Status SqliteRunStore::set_label(std::string_view id, std::string_view label) {
  const auto key = key_of(id);
  if (!key) return key.error();
  auto update = database_->prepare("UPDATE runs SET label = ? WHERE key = ?");
  if (!update) return update.error();
  return update->bind(label).bind(*key).run();
}

Status SqliteRunStore::remove(std::string_view id) {
  auto transaction = Transaction::begin(*database_);
  if (!transaction) return transaction.error();
  auto find = database_->prepare("SELECT key FROM runs WHERE id = ?1 OR (experiment_id = ?1 AND ?1 <> '')");
  if (!find) return find.error();
  find->bind(id);
  std::vector<std::int64_t> keys;
  for (;;) {
    const auto row = find->step();
    if (!row) return row.error();
    if (!*row) break;
    keys.push_back(find->integer(0));
  }
  for (const std::int64_t key : keys) {
    if (auto done = delete_rows(*database_, key); !done) return done;
    auto drop = database_->prepare("DELETE FROM runs WHERE key = ?");
    if (!drop) return drop.error();
    if (auto done = drop->bind(key).run(); !done) return done;
  }
  const bool experiment = load_experiment(id).has_value();
  if (!experiment && keys.empty()) return no_such("run or experiment", id, database_->path());
  auto drop = database_->prepare("DELETE FROM experiments WHERE id = ?");
  if (!drop) return drop.error();
  if (auto done = drop->bind(id).run(); !done) return done;
  return transaction->commit();
}

Status SqliteRunStore::save_experiment(const ExperimentInfo& e) {
  auto put = database_->prepare("INSERT OR REPLACE INTO experiments(id, name, started_at, config_json) VALUES(?,?,?,?)");
  if (!put) return put.error();
  return put->bind(e.id).bind(e.name).bind(e.started_at).bind(e.config_json).run();
}

ExperimentInfo read_experiment(const Statement& row) {
  return {std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2)), std::string(row.text(3))};
}

Result<ExperimentInfo> SqliteRunStore::load_experiment(std::string_view id) {
  auto find = database_->prepare("SELECT id, name, started_at, config_json FROM experiments WHERE id = ?");
  if (!find) return find.error();
  const auto row = find->bind(id).step();
  if (!row) return row.error();
  if (!*row) return no_such("experiment", id, database_->path());
  return read_experiment(*find);
}

Result<std::vector<ExperimentInfo>> SqliteRunStore::list_experiments() {
  auto query = database_->prepare("SELECT id, name, started_at, config_json FROM experiments ORDER BY started_at DESC, id DESC");
  if (!query) return query.error();
  std::vector<ExperimentInfo> found;
  for (;;) {
    const auto row = query->step();
    if (!row) return row.error();
    if (!*row) return found;
    found.push_back(read_experiment(*query));
  }
}

Result<RunStore::Reference> SqliteRunStore::resolve_latest() {
  auto query = database_->prepare(
      "SELECT 1, id, started_at FROM experiments UNION ALL SELECT 0, id, started_at FROM runs WHERE experiment_id NOT IN"
      " (SELECT id FROM experiments) ORDER BY 3 DESC, 2 DESC LIMIT 1");
  if (!query) return query.error();
  const auto row = query->step();
  if (!row) return row.error();
  if (!*row) return core::fail(ErrorCode::kInvalid, fmt::format("run store {} is empty", database_->path()), "make a run first");
  return Reference{query->integer(0) == 1, std::string(query->text(1))};
}

/// Exact ids first; only without one, labels; only without those, prefixes.
Result<std::vector<RunStore::Reference>> SqliteRunStore::candidates(std::string_view reference) {
  std::string upper(reference);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  for (const std::string_view condition : {"id = ?1 OR id = ?2", "label = ?1", "substr(id, 1, length(?2)) = ?2 OR substr(id, 1, length(?1)) = ?1"}) {
    auto query = database_->prepare(fmt::format(
        "SELECT 0, id FROM runs WHERE {0} UNION ALL SELECT 1, id FROM (SELECT id, name AS label FROM experiments) WHERE {0} ORDER BY 2",
        condition));
    if (!query) return query.error();
    query->bind(reference);
    if (condition.find("?2") != std::string_view::npos) query->bind(upper);
    std::vector<Reference> found;
    for (;;) {
      const auto row = query->step();
      if (!row) return row.error();
      if (!*row) break;
      found.push_back({query->integer(0) == 1, std::string(query->text(1))});
    }
    if (!found.empty()) return found;
  }
  return std::vector<Reference>{};
}

Result<RunStore::Reference> SqliteRunStore::resolve(std::string_view reference) {
  if (reference == "latest") return resolve_latest();
  if (reference.empty()) return core::fail(ErrorCode::kInvalid, "an empty name names no run", "give an id, a prefix, a label or latest");
  auto found = candidates(reference);
  if (!found) return found.error();
  if (found->size() == 1) return found->front();
  if (found->empty()) return no_such("run or experiment", reference, database_->path());
  constexpr std::size_t kShown = 8;
  std::string names;
  for (std::size_t i = 0; i < std::min(kShown, found->size()); ++i) names += (i == 0 ? "" : ", ") + (*found)[i].id;
  if (found->size() > kShown) names += fmt::format(" and {} more", found->size() - kShown);
  return core::fail(ErrorCode::kInvalid, fmt::format("\"{}\" names {} runs: {}", reference, found->size(), names),
                    "give more letters of the id");
}

}  // namespace

Result<std::unique_ptr<RunStore>> RunStore::open(const std::string& path, Mode mode) {
  const bool may_write = mode == Mode::kReadWrite;
  auto database = Database::open(path, may_write ? Database::Mode::kReadWrite : Database::Mode::kReadOnly);
  if (!database) return database.error();
  if (may_write) {
    // Readers see committed runs while one is written; a commit survives the death of the process.
    if (auto set = (*database)->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"); !set) return set.error();
  }
  if (auto prepared = prepare_schema(**database, may_write); !prepared) return prepared.error();
  return std::unique_ptr<RunStore>(std::make_unique<SqliteRunStore>(std::move(*database)));
}

}  // namespace bench
