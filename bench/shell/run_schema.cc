// See run_schema.h. A migration only ever goes forward, in one transaction, one version at a time.
#include "bench/shell/run_schema.h"

#include <fmt/format.h>

#include <array>

namespace bench {
namespace {

constexpr const char* kVersion1 = R"(
CREATE TABLE runs(
  key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, status INTEGER NOT NULL, started_at TEXT NOT NULL,
  scenario TEXT NOT NULL, arm TEXT NOT NULL, experiment_id TEXT NOT NULL, label TEXT NOT NULL DEFAULT '',
  target_url TEXT NOT NULL, purpose TEXT NOT NULL, block INTEGER NOT NULL, attempt INTEGER NOT NULL,
  requests INTEGER, succeeded INTEGER, duration_ns INTEGER NOT NULL,
  manifest TEXT NOT NULL, observed_names TEXT NOT NULL, error_samples TEXT NOT NULL, health TEXT,
  writer TEXT NOT NULL);
CREATE INDEX runs_by_experiment ON runs(experiment_id);
CREATE TABLE requests(
  run INTEGER NOT NULL, idx INTEGER NOT NULL, session INTEGER, prefix_group INTEGER,
  intended_ns INTEGER, due_ns INTEGER, dispatched_ns INTEGER, sent_ns INTEGER, first_byte_ns INTEGER,
  first_token_ns INTEGER, first_choice_ns INTEGER, last_token_ns INTEGER, done_ns INTEGER,
  prompt_tokens INTEGER, cached_tokens INTEGER, output_tokens INTEGER, max_tokens INTEGER, body_bytes INTEGER,
  chunks INTEGER, token_events_begin INTEGER, token_events_count INTEGER, http_status INTEGER, transport_code INTEGER,
  observed_replica INTEGER, workload INTEGER, outcome INTEGER, observed_source INTEGER, attempt INTEGER,
  flags INTEGER, token_times BLOB, PRIMARY KEY(run, idx)) WITHOUT ROWID;
CREATE TABLE scrapes(
  run INTEGER NOT NULL, seq INTEGER NOT NULL, replica INTEGER, sent_ns INTEGER, answered_ns INTEGER, ok INTEGER,
  torn INTEGER, round INTEGER, snapshot BLOB, PRIMARY KEY(run, seq)) WITHOUT ROWID;
CREATE TABLE experiments(id TEXT PRIMARY KEY, name TEXT NOT NULL, started_at TEXT NOT NULL, config_json TEXT NOT NULL);
)";

/// kMigrations[v] brings version v to v + 1.
constexpr std::array kMigrations{kVersion1};
static_assert(kMigrations.size() == kStoreVersion);

}  // namespace

core::Status prepare_schema(Database& database, bool may_write) {
  const auto version = database.integer_of("PRAGMA user_version");
  if (!version) return version.error();
  if (*version == kStoreVersion) return {};
  if (*version > kStoreVersion) {
    return core::fail(core::ErrorCode::kInvalid,
                      fmt::format("run store {} has version {}; this gatebench reads up to {}", database.path(), *version,
                                  kStoreVersion),
                      "use a newer gatebench, or name another file with --store");
  }
  const auto tables = database.integer_of("SELECT COUNT(*) FROM sqlite_master");
  if (!tables) return tables.error();
  if (*version < 0 || (*version == 0 && (*tables > 0 || !may_write))) {
    return core::fail(core::ErrorCode::kInvalid, fmt::format("{} is a database, but no run store of gatebench", database.path()),
                      "name a run store with --store");
  }
  if (!may_write) {
    return core::fail(core::ErrorCode::kInvalid,
                      fmt::format("run store {} has the older version {} and is opened for reading", database.path(), *version),
                      "any writing verb, such as `gatebench run`, brings it up to date");
  }
  auto transaction = Transaction::begin(database);
  if (!transaction) return transaction.error();
  for (auto from = static_cast<std::size_t>(*version); from < kMigrations.size(); ++from) {
    if (auto migrated = database.execute(kMigrations[from]); !migrated) return migrated;
  }
  if (auto marked = database.execute(fmt::format("PRAGMA user_version = {}", kStoreVersion)); !marked) return marked;
  return transaction->commit();
}

}  // namespace bench
