#include "bench/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "core/text.h"
#include "protocol/openai.h"

namespace bench::cli {
namespace {

bool env_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string text = core::to_lower(value);
    return text.find("utf-8") != std::string::npos || text.find("utf8") != std::string::npos;
  }
  return false;
}

bool colour_wanted(int fd) {
  if (env_set("NO_COLOR")) return false;
  if (env_set("CLICOLOR_FORCE")) return true;
  return isatty(fd) != 0;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    // A closed pipe is the reader's choice; there is nobody left to tell.
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// A character in UTF-8 takes a column here, whatever its bytes; none is cut in two.
std::string_view first_columns(std::string_view line, std::size_t columns) {
  std::size_t at = 0;
  for (; at < line.size(); ++at) {
    const bool starts = (static_cast<unsigned char>(line[at]) & 0xc0) != 0x80;
    if (starts && columns-- == 0) break;
  }
  return line.substr(0, at);
}

}  // namespace

Terminal::Terminal() {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  live_ = isatty(STDERR_FILENO) != 0 && !dumb && !env_set("CI");
  stdout_colour_ = colour_wanted(STDOUT_FILENO);
  stderr_colour_ = colour_wanted(STDERR_FILENO);
  ascii_ = !utf8_locale();
}

Terminal::~Terminal() { clear_progress(); }

std::size_t Terminal::width() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
  return 100;
}

void Terminal::result(std::string_view text) {
  clear_progress();
  write_all(STDOUT_FILENO, text);
}

void Terminal::write_line(std::string_view level, std::string_view text) {
  if (format_ == LogFormat::kJson) {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    std::string escaped;
    protocol::append_escaped(text, escaped);
    write_all(STDERR_FILENO,
              fmt::format("{{\"ts\":\"{}\",\"level\":\"{}\",\"msg\":\"{}\"}}\n",
                          core::rfc3339_utc(std::chrono::duration<double>(since_epoch).count()), level, escaped));
    return;
  }
  write_all(STDERR_FILENO, fmt::format("{}\n", text));
}

void Terminal::note(std::string_view text) {
  if (quiet_) return;
  clear_progress();
  write_line("info", text);
}

void Terminal::error(const core::Error& error) {
  clear_progress();
  if (format_ == LogFormat::kJson) {
    write_line("error", error.hint.empty() ? error.message : error.message + " — " + error.hint);
    return;
  }
  const bool colour = stderr_colour_;
  write_all(STDERR_FILENO, fmt::format("{}error:{} {}\n", colour ? "\x1b[1;31m" : "", colour ? "\x1b[0m" : "", error.message));
  if (!error.hint.empty()) {
    write_all(STDERR_FILENO, fmt::format("{}help:{}  {}\n", colour ? "\x1b[1;36m" : "", colour ? "\x1b[0m" : "", error.hint));
  }
}

void Terminal::progress(const std::vector<std::string>& lines) {
  using std::chrono::milliseconds;
  if (quiet_) return;
  const auto now = clock_.now();
  const auto gap = live_ && format_ == LogFormat::kText ? milliseconds(240) : milliseconds(10'000);
  if (now - last_progress_ < gap) return;
  last_progress_ = now;
  if (!live_ || format_ == LogFormat::kJson) {
    std::string joined;
    for (const auto& line : lines) joined += (joined.empty() ? "" : " | ") + std::string(core::trim(line));
    write_line("progress", joined);
    return;
  }
  clear_progress();
  std::string text;
  const std::size_t columns = width();
  for (const auto& line : lines) text += std::string(first_columns(line, columns)) + "\n";
  write_all(STDERR_FILENO, text);
  drawn_lines_ = lines.size();
}

void Terminal::clear_progress() {
  if (drawn_lines_ == 0) return;
  std::string text;
  for (std::size_t i = 0; i < drawn_lines_; ++i) text += "\x1b[1A\x1b[2K";
  write_all(STDERR_FILENO, text);
  drawn_lines_ = 0;
}

}  // namespace bench::cli
