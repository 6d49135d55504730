// Runs gatebench as a user does: its own process, its streams and exit code. For end-to-end tests.
// Ends only the processes that it started, by pid.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace support {

/// A folder that disappears with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gatebench-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class Process {
 public:
  explicit Process(std::vector<std::string> arguments, std::string folder = ".", std::vector<std::string> environment = {}) {
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
    arguments.insert(arguments.begin(), GATEBENCH_BINARY);
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      if (chdir(folder.c_str()) != 0) _exit(126);
      dup2(out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      for (auto& setting : environment) putenv(setting.data());
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(out[1]);
    close(err[1]);
    out_fd_ = out[0];
    err_fd_ = err[0];
  }
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGTERM);
      wait(std::chrono::seconds(10));
    }
    close(out_fd_);
    close(err_fd_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Reads until stdout holds `text`; false when the process ends or the time is up before.
  bool wait_for_output(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(30)) {
    return pump(limit, [&] { return output.find(text) != std::string::npos; });
  }
  bool wait_for_errors(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(30)) {
    return pump(limit, [&] { return errors.find(text) != std::string::npos; });
  }
  void signal(int number) const { kill(pid_, number); }
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Reads to the end and returns the exit code; 128+N for a signal; -1 when it had to be killed after `limit`.
  int wait(std::chrono::seconds limit = std::chrono::seconds(280)) {
    const bool ended = pump(limit, [] { return false; }) || closed_;
    if (!ended) kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    if (!ended) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string output, errors;

 private:
  template <class Done>
  bool pump(std::chrono::seconds limit, Done done) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      if (closed_ || std::chrono::steady_clock::now() > deadline) return false;
      pollfd watches[2] = {{out_open_ ? out_fd_ : -1, POLLIN, 0}, {err_open_ ? err_fd_ : -1, POLLIN, 0}};
      if (poll(watches, 2, 200) < 0) return false;
      read_some(watches[0], out_fd_, out_open_, output);
      read_some(watches[1], err_fd_, err_open_, errors);
      closed_ = !out_open_ && !err_open_;
    }
    return true;
  }
  static void read_some(const pollfd& watch, int fd, bool& open, std::string& into) {
    if ((watch.revents & (POLLIN | POLLHUP)) == 0) return;
    char buffer[65536];
    const ssize_t size = read(fd, buffer, sizeof buffer);
    if (size > 0) into.append(buffer, static_cast<std::size_t>(size));
    else open = false;
  }

  pid_t pid_ = -1;
  int out_fd_ = -1, err_fd_ = -1;
  bool out_open_ = true, err_open_ = true, closed_ = false;
};

}  // namespace support
