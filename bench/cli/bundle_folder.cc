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

constexpr std::string_view kValues = "values.yaml";

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

bool edited_in_place(const fs::path& folder, const std::string& values_file) {
  std::error_code error;
  return !values_file.empty() && fs::equivalent(values_file, folder / kValues, error) && !error;
}

/// Files that the bundle would replace, though no render wrote them.
std::string not_ours(const fs::path& folder, const Digests& known, const std::vector<deploy::SourceFile>& files, const std::string& own) {
  std::string out;
  for (const auto& file : files) {
    std::error_code error;
    if (file.name == own || known.count(file.name) != 0 || !fs::exists(folder / file.name, error)) continue;
    const auto text = read_file((folder / file.name).string());
    if (!text || *text != file.text) out += (out.empty() ? "" : ", ") + file.name;
  }
  return out;
}

core::Status may_write(const fs::path& folder, const Digests& known, const std::vector<deploy::SourceFile>& files, const std::string& own, bool marked) {
  std::error_code error;
  if (!marked && fs::exists(folder, error) && !fs::is_empty(folder, error)) {
    return core::fail(ErrorCode::kInvalid, fmt::format("{} is not empty, and not a bundle that was rendered there", folder.string()), "name another folder, or add --force");
  }
  const auto changed = changed_by_hand(folder, known);
  if (!changed) return changed.error();
  if (!changed->empty()) {
    return core::fail(ErrorCode::kInvalid, fmt::format("{}: changed since it was rendered: {}", folder.string(), *changed),
                      fmt::format("move the changes into values.yaml and name it, -f {}/values.yaml; or add --force to lose them", folder.string()));
  }
  const std::string foreign = not_ours(folder, known, files, own);
  if (foreign.empty()) return {};
  return core::fail(ErrorCode::kInvalid, fmt::format("{}: not written by a render, but in its way: {}", folder.string(), foreign), "move them away, or add --force to lose them");
}

}  // namespace

core::Result<BundleWritten> write_bundle(const std::vector<deploy::SourceFile>& files, const BundleTarget& target) {
  const fs::path folder(target.folder);
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error)) return core::fail(ErrorCode::kInvalid, fmt::format("{} is no folder", target.folder), "name a folder");
  const bool marked = fs::exists(folder / kMarker, error);
  Digests known;
  if (marked) {
    auto read = read_marker(folder / kMarker);
    if (!read && !target.force) return read.error();
    if (read) known = std::move(*read);
  }
  // The values that this bundle is made from are the user's: editing them is the way to change it.
  const std::string own = edited_in_place(folder, target.values_file) ? std::string(kValues) : std::string();
  known.erase(own);
  if (auto may = target.force ? core::Status() : may_write(folder, known, files, own, marked); !may) return may.error();
  BundleWritten out;
  if (auto made = make_directory(target.folder); !made) return made.error();
  std::vector<deploy::SourceFile> recorded;
  for (const auto& file : files) {
    if (file.name == own) continue;
    recorded.push_back(file);
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
  if (auto wrote = write_file((folder / kMarker).string(), marker_text(recorded)); !wrote) return wrote.error();
  return out;
}

}  // namespace bench::cli
