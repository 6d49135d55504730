// See database.h. Waits up to 5 s for another writer; says which file, which trouble and what to do.
#include "bench/shell/database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <utility>

namespace bench {

using core::ErrorCode;

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)), next_(other.next_),
      bind_error_(other.bind_error_) {}
Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(std::int64_t value) {
  bind_error_ |= sqlite3_bind_int64(statement_, next_++, value);
  return *this;
}
Statement& Statement::bind(double value) {
  bind_error_ |= sqlite3_bind_double(statement_, next_++, value);
  return *this;
}
Statement& Statement::bind(std::string_view text) {
  bind_error_ |= sqlite3_bind_text64(statement_, next_++, text.data() == nullptr ? "" : text.data(), text.size(),
                                     SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind_blob(std::string_view bytes) {
  bind_error_ |= sqlite3_bind_blob64(statement_, next_++, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}

core::Result<bool> Statement::step() {
  if (bind_error_ != 0) return core::fail(ErrorCode::kInternal, "a value could not be bound to a statement of the run store");
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  next_ = 1;
  const core::Error error = code == SQLITE_DONE ? core::Error{} : database_.error(code);
  sqlite3_reset(statement_);
  if (code == SQLITE_DONE) return false;
  return error;
}

core::Status Statement::run() {
  for (;;) {
    const auto row = step();
    if (!row) return row.error();
    if (!*row) return {};
  }
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::real(int column) const { return sqlite3_column_double(statement_, column); }
bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
std::string_view Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return bytes == nullptr ? std::string_view{}
                          : std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

core::Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode) {
  const bool read_only = mode == Mode::kReadOnly;
  if (read_only && access(path.c_str(), F_OK) != 0) {
    return core::fail(ErrorCode::kInvalid, fmt::format("there is no run store at {}", path),
                      "name one with --store, or make one with `gatebench run`");
  }
  sqlite3* handle = nullptr;
  const int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Database> database(new Database(handle, path));
  if (code != SQLITE_OK) return database->error(code);
  sqlite3_extended_result_codes(handle, 0);
  sqlite3_busy_timeout(handle, 5000);
  return database;
}

Database::~Database() { sqlite3_close(handle_); }

core::Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return error(code);
  return Statement(*this, statement);
}

core::Status Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return {};
}

core::Result<std::int64_t> Database::integer_of(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return statement.error();
  const auto row = statement->step();
  if (!row) return row.error();
  return *row ? statement->integer(0) : 0;
}

core::Error Database::error(int code) const {
  const std::string text = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return core::fail(ErrorCode::kIo, fmt::format("run store {}: no space left to write to", path_),
                        "free some space, or name another file with --store");
    case SQLITE_NOTADB:
      return core::fail(ErrorCode::kInvalid, fmt::format("{} is no run store: not an SQLite file", path_),
                        "name a run store with --store");
    case SQLITE_CORRUPT:
      return core::fail(ErrorCode::kInvalid, fmt::format("run store {} is damaged: {}", path_, text),
                        "restore it from a copy, or name another file with --store");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return core::fail(ErrorCode::kIo, fmt::format("run store {} cannot be opened for this: {}", path_, text),
                        "check that its folder exists and that you may write there");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return core::fail(ErrorCode::kIo, fmt::format("run store {} is locked by another process", path_),
                        "wait for it, or name another file with --store");
    default:
      return core::fail(ErrorCode::kIo, fmt::format("run store {}: {}", path_, text));
  }
}

core::Result<Transaction> Transaction::begin(Database& database) {
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun.error();
  return Transaction(database);
}

Transaction::~Transaction() {
  // SQLite has already rolled back after some errors; a second rollback then says so and changes nothing.
  if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

core::Status Transaction::commit() {
  if (auto committed = database_->execute("COMMIT"); !committed) return committed.error();
  database_ = nullptr;
  return {};
}

}  // namespace bench
