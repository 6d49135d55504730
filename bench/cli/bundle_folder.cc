// See bundle_folder.h.
#include "bench/cli/bundle_folder.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "bench/cli/files.h"
#include "core/hash.h"
#include "core/text.h"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;
using core::ErrorCode;

constexpr std::string_view kMarker = ".gatebench-bundle";
constexpr std::string_view kMarkerHead = "# Files of `gatebench deploy render` with their digests. A file that differs was changed by hand.";

using Digests = std::map<std::string, std::string>;

/// A path of the marker may not leave the folder, whoever wrote it.
bool stays_inside(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  for (const auto part : core::split(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

core::Result<Digests> read_marker(const fs::path& path) {
  auto text = read_file(path.string());
  if (!text) return text.error();
  Digests out;
  for (const auto line : core::split(*text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos || !stays_inside(line.substr(blank + 1))) {
      return core::fail(ErrorCode::kInvalid, fmt::format("{} is no marker of a bundle", path.string()), "render into an empty folder");
    }
    out.emplace(line.substr(blank + 1), line.substr(0, blank));
  }
  return out;
}

std::string marker_text(const std::vector<deploy::SourceFile>& files) {
  std::string out = std::string(kMarkerHead) + "\n";
  for (const auto& file : files) out += core::hex64(core::xxh64(file.text)) + " " + file.name + "\n";
  return out;
}

/// Files of the last render that were changed since.
core::Result<std::string> changed_by_hand(const fs::path& folder, const Digests& known) {
  std::string out;
  for (const auto& [name, digest] : known) {
    std::error_code error;
    if (!fs::exists(folder / name, error)) continue;
    const auto text = read_file((folder / name).string());
    if (!text) return text.error();
    if (core::hex64(core::xxh64(*text)) != digest) out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

core::Status may_write(const fs::path& folder, const Digests& known, bool marked, bool force) {
  std::error_code error;
  if (force) return {};
  if (!marked && fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    return core::fail(ErrorCode::kInvalid, fmt::format("{} is not empty, and not a bundle that was rendered there", folder.string()), "name another folder, or add --force");
  }
  const auto changed = changed_by_hand(folder, known);
  if (!changed) return changed.error();
  if (!changed->empty()) {
    return core::fail(ErrorCode::kInvalid, fmt::format("{}: changed since it was rendered: {}", folder.string(), *changed), "move the changes into values.yaml, or add --force to lose them");
  }
  return {};
}

}  // namespace

core::Result<BundleWritten> write_bundle(const std::vector<deploy::SourceFile>& files, const std::string& folder_name, bool force) {
  const fs::path folder(folder_name);
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error)) return core::fail(ErrorCode::kInvalid, fmt::format("{} is no folder", folder_name), "name a folder");
  const bool marked = fs::exists(folder / kMarker, error);
  Digests known;
  if (marked) {
    auto read = read_marker(folder / kMarker);
    if (!read && !force) return read.error();
    if (read) known = std::move(*read);
  }
  if (auto may = may_write(folder, known, marked, force); !may) return may.error();
  BundleWritten out;
  if (auto made = make_directory(folder_name); !made) return made.error();
  for (const auto& file : files) {
    known.erase(file.name);
    const fs::path path = folder / file.name;
    if (const auto old = fs::exists(path, error) ? read_file(path.string()) : core::Result<std::string>(""); old && *old == file.text) {
      ++out.unchanged;
      continue;
    }
    if (auto made = make_directory(path.parent_path().string()); !made) return made.error();
    if (auto wrote = write_file(path.string(), file.text); !wrote) return wrote.error();
    ++out.written;
  }
  // What the last render wrote and this one does not: gone from the bundle, so gone from the folder.
  for (const auto& [name, digest] : known) {
    if (fs::remove(folder / name, error)) ++out.removed;
  }
  if (auto wrote = write_file((folder / kMarker).string(), marker_text(files)); !wrote) return wrote.error();
  return out;
}

}  // namespace bench::cli
