// Terminal: stdout for results, stderr for progress and messages; knows about TTYs, colours and log formats.
// The load threads never touch it: it draws snapshots that it is given.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace bench::cli {

enum class LogFormat { kText, kJson };

class Terminal {
 public:
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void set_log_format(LogFormat format) { format_ = format; }
  void set_quiet(bool quiet) { quiet_ = quiet; }

  /// The result, to stdout.
  void result(std::string_view text);
  /// One line to stderr: what has happened.
  void note(std::string_view text);
  /// "error: …" and "help: …" to stderr.
  void error(const core::Error& error);
  /// What is going on now. On a TTY the lines are redrawn in place, at most 4 times a second; elsewhere one plain line
  /// at most every 10 s (`lines` joined), or a JSON line with --log-format json.
  void progress(const std::vector<std::string>& lines);
  /// Removes the live lines before something else is printed.
  void clear_progress();

  [[nodiscard]] bool stdout_colour() const { return stdout_colour_; }
  [[nodiscard]] bool ascii() const { return ascii_; }
  [[nodiscard]] std::size_t width() const;
  [[nodiscard]] bool live() const { return live_; }

 private:
  void write_line(std::string_view level, std::string_view text);

  core::SteadyClock clock_;
  LogFormat format_ = LogFormat::kText;
  bool quiet_ = false, live_ = false, stdout_colour_ = false, stderr_colour_ = false, ascii_ = false;
  std::size_t drawn_lines_ = 0;
  core::TimePoint last_progress_{};
};

}  // namespace bench::cli
