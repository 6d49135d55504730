// See manifest_files.h.
#include "bench/cli/manifest_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <set>

#include "bench/cli/files.h"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 5000;
constexpr std::size_t kMostBytes = 32u << 20;  // the parser refuses what is over its own limit, with a place

bool is_manifest(const fs::path& path) {
  static constexpr std::array<std::string_view, 5> kExtensions{".yaml", ".yml", ".json", ".gotmpl", ".sh"};
  return std::find(kExtensions.begin(), kExtensions.end(), path.extension().string()) != kExtensions.end();
}

core::Result<std::vector<std::string>> files_below(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code error;
  auto it = fs::recursive_directory_iterator(folder, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->path().filename().string().rfind('.', 0) == 0) {
      if (it->is_directory(error)) it.disable_recursion_pending();
      continue;
    }
    if (it->is_regular_file(error) && is_manifest(it->path())) out.push_back(it->path().string());
    if (out.size() > kMostFiles) return core::fail(core::ErrorCode::kInvalid, fmt::format("{}: more than {} files", folder, kMostFiles), "name the folder of the manifests");
  }
  if (error) return core::fail(core::ErrorCode::kInvalid, fmt::format("{}: {}", folder, error.message()), "check the path");
  if (out.empty()) return core::fail(core::ErrorCode::kInvalid, fmt::format("{} holds no *.yaml, *.yml, *.json or *.gotmpl file", folder), "check the path");
  std::sort(out.begin(), out.end());
  return out;
}

core::Result<std::string> read_standard_input() {
  std::string text;
  char part[65536];
  while (std::cin.read(part, sizeof part) || std::cin.gcount() > 0) {
    text.append(part, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kMostBytes) return core::fail(core::ErrorCode::kInvalid, fmt::format("standard input is larger than {} MB", kMostBytes >> 20), "give manifests alone");
  }
  return text;
}

}  // namespace

core::Result<std::vector<deploy::SourceFile>> read_manifest_files(const std::vector<std::string>& paths) {
  std::vector<deploy::SourceFile> out;
  std::string errors, hint;
  std::set<std::string> seen;
  const auto note = [&](const core::Error& error) {
    errors += (errors.empty() ? "" : "\n") + error.message;
    hint = error.hint;
  };
  for (const auto& path : paths) {
    if (path == "-") {
      auto text = read_standard_input();
      if (text) out.push_back({"(stdin)", std::move(*text)});
      else note(text.error());
      continue;
    }
    std::error_code error;
    std::vector<std::string> names{path};
    if (fs::is_directory(path, error)) {
      auto below = files_below(path);
      if (!below) {
        note(below.error());
        continue;
      }
      names = std::move(*below);
    }
    for (const auto& name : names) {
      // "folder folder/file" names a file twice: it is one file.
      if (const auto whole = fs::weakly_canonical(name, error); !error && !seen.insert(whole.string()).second) continue;
      auto text = read_file(name, kMostBytes);
      if (text) out.push_back({name, std::move(*text)});
      else note(text.error());
    }
  }
  if (!errors.empty()) return core::fail(core::ErrorCode::kInvalid, errors, hint);
  return out;
}

}  // namespace bench::cli
