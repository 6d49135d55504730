// Counts every operator new of the test binary, for tests that a hot path stays off the heap.
#pragma once

#include <cstddef>

namespace bench {

[[nodiscard]] std::size_t allocation_count();

}  // namespace bench
