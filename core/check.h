// check(): aborts on programmer errors and on conditions no caller can handle. Not for input, not for the network.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace core {

inline void check(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "gatebench: internal error: %s\n", what);
  std::abort();
}

}  // namespace core
