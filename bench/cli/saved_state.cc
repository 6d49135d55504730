// See saved_state.h.
#include "bench/cli/saved_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bench/cli/files.h"
#include "deploy/live/redaction.h"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 5000, kMostFileBytes = 64u << 20, kMostBytes = 256u << 20;

bool is_part(const fs::path& relative) {
  const bool page = relative.begin()->string() == "metrics" && relative.extension() == ".txt";
  return page || (relative.extension() == ".json" && !relative.has_parent_path());
}

}  // namespace

core::Result<std::vector<deploy::SourceFile>> read_saved_state(const std::string& folder) {
  std::error_code error;
  std::vector<fs::path> parts;
  for (auto it = fs::recursive_directory_iterator(folder, error); !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const fs::path relative = it->path().lexically_relative(folder);
    if (it->is_regular_file(error) && is_part(relative)) parts.push_back(relative);
    if (parts.size() > kMostFiles) return core::fail(core::ErrorCode::kInvalid, fmt::format("--from {}: more than {} files", folder, kMostFiles), "name the folder that --save wrote");
  }
  if (error) return core::fail(core::ErrorCode::kInvalid, fmt::format("--from {}: {}", folder, error.message()), "check the path");
  if (parts.empty()) return core::fail(core::ErrorCode::kInvalid, fmt::format("--from {}: holds no *.json file", folder), "name a folder that --save wrote, or fill one: kubectl get pods -n NAMESPACE -o json > pods.json");
  std::sort(parts.begin(), parts.end());
  std::vector<deploy::SourceFile> files;
  std::size_t bytes = 0;
  for (const auto& part : parts) {
    auto text = read_file((fs::path(folder) / part).string(), kMostFileBytes);
    if (!text) return text.error();
    bytes += text->size();
    if (bytes > kMostBytes) return core::fail(core::ErrorCode::kInvalid, fmt::format("--from {}: more than {} MB in all", folder, kMostBytes >> 20), "name the folder that --save wrote");
    files.push_back({part.generic_string(), std::move(*text)});
  }
  return files;
}

core::Status write_saved_state(const std::string& folder, const std::vector<deploy::SourceFile>& files) {
  for (const auto& file : files) {
    const fs::path path = fs::path(folder) / file.name;
    if (auto made = make_directory(path.parent_path().string()); !made) return made;
    const bool json = path.extension() == ".json";
    if (auto written = write_file(path.string(), json ? deploy::redacted(file.text) : file.text); !written) return written;
  }
  return {};
}

}  // namespace bench::cli
