#include "bench/cli/files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "reports/render.h"

namespace bench::cli {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace

core::Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return core::fail(core::ErrorCode::kInvalid, fmt::format("{} is a directory, not a file", path));
  }
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) return core::fail(core::ErrorCode::kInvalid, fmt::format("{}: {}", path, std::strerror(errno)), "check the path");
  std::string content;
  char buffer[65536];
  for (std::size_t size = 0; (size = std::fread(buffer, 1, sizeof buffer, file.get())) > 0;) {
    content.append(buffer, size);
    if (content.size() > max_bytes) {
      return core::fail(core::ErrorCode::kInvalid, fmt::format("{} is larger than {} bytes", path, max_bytes));
    }
  }
  if (std::ferror(file.get()) != 0) return core::fail(core::ErrorCode::kIo, fmt::format("{} cannot be read", path));
  return content;
}

core::Status write_file(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  const auto failed = [&](const std::string& what) {
    const std::string why = std::strerror(errno);
    unlink(temporary.c_str());
    return core::fail(core::ErrorCode::kIo, fmt::format("cannot {} {}: {}", what, path, why), "check space and permissions");
  };
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr) return failed("write");
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (std::fclose(file) != 0 || !written) return failed("write");
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return failed("replace");
  return {};
}

core::Status make_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return core::fail(core::ErrorCode::kIo, fmt::format("cannot create {}: {}", path, error.message()));
  return {};
}

core::Status write_reports(const analyzers::Analysis& analysis, const std::string& directory) {
  if (auto made = make_directory(directory); !made) return made;
  if (auto written = write_file(directory + "/report.json", reports::render_json(analysis)); !written) return written;
  return write_file(directory + "/report.html", reports::render_html(analysis));
}

}  // namespace bench::cli
