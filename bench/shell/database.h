// Database and Statement: SQLite with errors as values. Used by the run store alone; sqlite3.h stays in database.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace bench {

class Database;

/// A prepared statement. Binding is by position in order; a failed bind surfaces at the next step().
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) = delete;
  ~Statement();

  Statement& bind(std::int64_t value);
  Statement& bind(double value);
  Statement& bind(std::string_view text);
  /// The bytes must stay valid until the next step().
  Statement& bind_blob(std::string_view bytes);
  /// True: a row is there. False: done, and ready to be bound again.
  core::Result<bool> step();
  /// Runs to the end and throws rows away.
  core::Status run();

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  /// Valid until the next step().
  [[nodiscard]] std::string_view text(int column) const;

 private:
  friend class Database;
  Statement(Database& database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  Database& database_;
  sqlite3_stmt* statement_;
  int next_ = 1;
  int bind_error_ = 0;
};

class Database {
 public:
  enum class Mode { kReadOnly, kReadWrite };
  static core::Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  core::Result<Statement> prepare(std::string_view sql);
  core::Status execute(const std::string& sql);
  /// One whole number from a query; 0 without a row.
  core::Result<std::int64_t> integer_of(std::string_view sql);
  /// An Error that names the file and says what to do about this SQLite result code.
  [[nodiscard]] core::Error error(int code) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  sqlite3* handle_;
  std::string path_;
};

/// Begins in the constructor's stead, rolls back unless committed.
class Transaction {
 public:
  static core::Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  Transaction& operator=(Transaction&& other) = delete;
  ~Transaction();
  core::Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace bench
