// Who writes a run: this process on this boot. A run whose writer is gone was aborted.
// Used by the run store. A recycled pid is told apart by its start time.
#pragma once

#include <string>
#include <string_view>

namespace bench {

[[nodiscard]] std::string this_writer();
/// False when the writer certainly is gone: another boot of this machine, or no such process.
[[nodiscard]] bool writer_alive(std::string_view writer);

}  // namespace bench
