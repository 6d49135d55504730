#include "core/net/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/clock.h"

namespace core::net {
namespace {

/// In the forked child: only calls that are safe between fork and exec.
[[noreturn]] void become(std::vector<char*>& arguments, int log_fd, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // The parent may have died before the line above.
  if (getppid() != parent) _exit(1);
  // A terminal's Ctrl-C is the parent's to handle: it ends its children in order.
  setpgid(0, 0);
  const int null_fd = open("/dev/null", O_RDONLY);
  if (null_fd >= 0) dup2(null_fd, STDIN_FILENO);
  if (log_fd >= 0) {
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
  }
  execv("/proc/self/exe", arguments.data());
  _exit(127);
}

/// The same for another program: stdout to `out_fd`, stderr to `errors_fd`.
[[noreturn]] void become_program(std::vector<char*>& arguments, int out_fd, int errors_fd, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  setpgid(0, 0);
  const int null_fd = open("/dev/null", O_RDONLY);
  if (null_fd >= 0) dup2(null_fd, STDIN_FILENO);
  dup2(out_fd, STDOUT_FILENO);
  dup2(errors_fd, STDERR_FILENO);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return argv;
}

}  // namespace

Result<ChildProcess> ChildProcess::run_program(const std::vector<std::string>& command) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::kIo, fmt::format("pipe: {}", std::strerror(errno)));
  const int errors_fd = memfd_create("stderr", MFD_CLOEXEC);
  if (errors_fd < 0) {
    close(ends[0]);
    close(ends[1]);
    return fail(ErrorCode::kIo, fmt::format("memfd_create: {}", std::strerror(errno)));
  }
  std::vector<std::string> words = command;
  std::vector<char*> argv = pointers_to(words);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become_program(argv, ends[1], errors_fd, parent);
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    close(errors_fd);
    return fail(ErrorCode::kIo, fmt::format("fork: {}", std::strerror(errno)));
  }
  return ChildProcess(pid, ends[0], errors_fd);
}

Result<std::string> ChildProcess::read_all(Duration timeout, std::size_t max_bytes, const std::atomic<bool>* stop) {
  const SteadyClock clock;
  const TimePoint deadline = clock.now() + timeout;
  std::string text;
  for (;;) {
    const auto left = deadline - clock.now();
    if (stop != nullptr && stop->load()) {
      terminate();
      return fail(ErrorCode::kCancelled, "interrupted");
    }
    if (left <= Duration{0}) {
      terminate();
      return fail(ErrorCode::kTimeout, fmt::format("the program did not end within {} s", timeout / 1s));
    }
    pollfd watch{ready_fd_, POLLIN, 0};
    const int ready = poll(&watch, 1, static_cast<int>(left / 1ms) + 1);
    if (ready < 0 && errno != EINTR) return fail(ErrorCode::kIo, fmt::format("poll: {}", std::strerror(errno)));
    if (ready <= 0) continue;
    char buffer[65536];
    const ssize_t size = read(ready_fd_, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
    if (text.size() > max_bytes) {
      terminate();
      return fail(ErrorCode::kProtocol, fmt::format("the program wrote more than {} bytes", max_bytes));
    }
  }
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, 0) == pid_) pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return fail(ErrorCode::kUnsupported, "there is no such program");
  std::string why = errors();
  if (WIFSIGNALED(status)) why += fmt::format("{}ended by signal {}", why.empty() ? "the program was " : "; ", WTERMSIG(status));
  else if (why.empty()) why = fmt::format("the program ended with status {} and said nothing", WEXITSTATUS(status));
  return fail(ErrorCode::kUnreachable, why);
}

std::string ChildProcess::errors() const {
  constexpr off_t kEachEnd = 4096;
  const off_t size = errors_fd_ < 0 ? 0 : lseek(errors_fd_, 0, SEEK_END);
  const auto part = [&](off_t from, off_t to) {
    std::string text(static_cast<std::size_t>(std::max<off_t>(to - from, 0)), '\0');
    const ssize_t got = pread(errors_fd_, text.data(), text.size(), from);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  };
  std::string text = size <= 2 * kEachEnd ? part(0, size) : part(0, kEachEnd) + "\n…\n" + part(size - kEachEnd, size);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<ChildProcess> ChildProcess::spawn(const std::vector<std::string>& arguments, const std::string& log_path) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::kIo, fmt::format("pipe: {}", std::strerror(errno)));
  int log_fd = -1;
  if (!log_path.empty()) {
    log_fd = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log_fd < 0) {
      close(ends[0]);
      close(ends[1]);
      return fail(ErrorCode::kIo, fmt::format("cannot write {}: {}", log_path, std::strerror(errno)));
    }
  }
  std::vector<std::string> words{"gatebench"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.push_back("--ready-fd");
  words.push_back(std::to_string(ends[1]));
  std::vector<char*> argv = pointers_to(words);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    fcntl(ends[1], F_SETFD, 0);
    become(argv, log_fd, parent);
  }
  if (log_fd >= 0) close(log_fd);
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return fail(ErrorCode::kIo, fmt::format("fork: {}", std::strerror(errno)));
  }
  return ChildProcess(pid, ends[0]);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(other.pid_), ready_fd_(other.ready_fd_), errors_fd_(other.errors_fd_) {
  other.pid_ = other.ready_fd_ = other.errors_fd_ = -1;
}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(ready_fd_, other.ready_fd_);
  std::swap(errors_fd_, other.errors_fd_);
  return *this;
}

ChildProcess::~ChildProcess() {
  terminate();
  if (ready_fd_ >= 0) close(ready_fd_);
  if (errors_fd_ >= 0) close(errors_fd_);
}

Result<std::string> ChildProcess::wait_ready(Duration timeout) {
  const SteadyClock clock;
  const TimePoint deadline = clock.now() + timeout;
  std::string line;
  for (;;) {
    const auto left = deadline - clock.now();
    if (left <= Duration{0}) return fail(ErrorCode::kTimeout, fmt::format("child {} was not ready in time", pid_));
    pollfd watch{ready_fd_, POLLIN, 0};
    const int ready = poll(&watch, 1, static_cast<int>(left / 1ms) + 1);
    if (ready < 0 && errno != EINTR) return fail(ErrorCode::kIo, fmt::format("poll: {}", std::strerror(errno)));
    if (ready <= 0) continue;
    char buffer[4096];
    const ssize_t size = read(ready_fd_, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      terminate();
      return fail(ErrorCode::kUnreachable, "the child process ended before it was ready", "its log says why");
    }
    line.append(buffer, static_cast<std::size_t>(size));
    if (line.back() == '\n') {
      line.pop_back();
      return line;
    }
  }
}

bool ChildProcess::running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

void ChildProcess::terminate(Duration grace) {
  if (!running()) return;
  kill(pid_, SIGTERM);
  const SteadyClock clock;
  const TimePoint deadline = clock.now() + grace;
  while (running()) {
    if (clock.now() >= deadline) {
      kill(pid_, SIGKILL);
      int status = 0;
      waitpid(pid_, &status, 0);
      pid_ = -1;
      return;
    }
    poll(nullptr, 0, 5);
  }
}

Status announce_ready(int ready_fd, const std::string& json_line) {
  if (ready_fd < 0) return {};
  const std::string line = json_line + "\n";
  const ssize_t written = write(ready_fd, line.data(), line.size());
  close(ready_fd);
  if (written != static_cast<ssize_t>(line.size())) return fail(ErrorCode::kIo, "cannot report readiness to the parent");
  return {};
}

}  // namespace core::net
